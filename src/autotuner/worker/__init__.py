"""The process that claims queued tasks and runs them."""
