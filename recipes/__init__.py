"""recipes: commands that train, evaluate, benchmark and reproduce; run from a clone."""

import os
import time

# The start of a command: seconds before Keras and TensorFlow are there.
BEGUN = time.monotonic()

# Before TensorFlow is imported: its notes about drivers and CPU features are not for the reader.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
