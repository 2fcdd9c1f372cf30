"""recipes: commands that train, evaluate, benchmark and reproduce; run from a clone."""

import os

# Before TensorFlow is imported: its notes about drivers and CPU features are not for the reader.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
