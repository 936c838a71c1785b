"""Live events: the log is read once per process and given to everybody who follows a task, or all of them."""
