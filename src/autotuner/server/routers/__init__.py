"""REST routers, one module per group of calls."""
