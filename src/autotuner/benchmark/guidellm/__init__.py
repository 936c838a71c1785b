"""The client guidellm, as a program of its own."""
