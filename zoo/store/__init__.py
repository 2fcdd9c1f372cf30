"""Files that hold arrays: what strangers may put into them, and what is read of it."""
