"""What runs a network: Keras, or another runtime on a file."""
