"""From a trained network to a weight of the zoo."""
