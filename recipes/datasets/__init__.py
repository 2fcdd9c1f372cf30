"""Builders for TensorFlow Datasets of what it has not: BSDS300 and the published test sets.

Importing this package makes them known, so that `tfds.load("bsds300")` finds them.
"""

from recipes.datasets.benchmarks import RestorationBenchmarks
from recipes.datasets.bsds300 import Bsds300

__all__ = ["Bsds300", "RestorationBenchmarks"]
