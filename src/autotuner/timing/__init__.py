"""Time on this host, finer than an event loop has it."""
