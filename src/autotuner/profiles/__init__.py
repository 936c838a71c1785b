"""Profiles: what to search, for a purpose, as layers of a task document. Pure."""
