"""Files of strangers other than pictures, changed at random: weights, cubes, checkpoints."""
