"""asykeras."""
