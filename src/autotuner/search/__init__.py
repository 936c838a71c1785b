"""Search strategies: ask for a configuration, tell what came of it."""
