"""Images that are changed at random, through every reader and writer of pictures."""
