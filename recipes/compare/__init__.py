"""compare: train losses with the same seeds; report what differs, and against which noise."""
