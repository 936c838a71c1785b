"""Types and protocols that every layer shares; imports nothing else of the package."""
