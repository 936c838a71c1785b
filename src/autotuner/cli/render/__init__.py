"""What the command line shows: results, progress."""
