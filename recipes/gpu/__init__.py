"""Training on a rented or lent machine: `pack` what travels there, `train` what runs there."""
