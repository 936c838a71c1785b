"""The parameters of the engines as versioned data, and what is known of them beyond their own parsers."""
