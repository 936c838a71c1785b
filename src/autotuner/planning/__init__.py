"""From a task document to experiments and typed commands. Pure."""
