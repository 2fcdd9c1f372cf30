"""Type names shared by the packages."""

from typing import Any, TypeAlias

# Keras ships no types: a tensor of any backend, a symbolic KerasTensor or a NumPy array.
Tensor: TypeAlias = Any
