"""A server as a process of this host."""
