"""Single HTTP requests, for whatever asks a server something besides the load."""
