"""recipes: commands that train, evaluate, benchmark and reproduce; run from a clone."""
