"""What the rest takes from the machine: temporary folders, walks of folders, words for failures."""
