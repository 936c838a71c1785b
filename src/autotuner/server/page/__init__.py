"""The minimal page: HTML made here, a few lines of script beside it, no build."""
