"""Networks as files that run without Keras, checked before they are kept."""
