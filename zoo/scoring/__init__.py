"""The protocols of the literature, by which restored pictures are scored."""
