"""Pictures through a network: what a user runs."""
