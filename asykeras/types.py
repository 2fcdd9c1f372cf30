"""Type names shared by the packages."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias, TypedDict

import keras

# Keras ships no types: a tensor of any backend, a symbolic KerasTensor or a NumPy array.
Tensor: TypeAlias = Any

Shape: TypeAlias = tuple[int | None, ...]  # None: a size that is unknown while tracing
DType: TypeAlias = str | keras.DTypePolicy | None

# What `get_config` returns: what JSON can hold.
Value: TypeAlias = bool | int | float | str | Sequence["Value"] | Mapping[str, "Value"] | None
Config: TypeAlias = dict[str, Value]

PixelError: TypeAlias = Callable[[Tensor, Tensor], Tensor]  # (label, prediction) -> errors
LabelWeights: TypeAlias = Callable[[Tensor], Tensor]  # label or prediction -> weights
ToneCurve: TypeAlias = Callable[[Tensor], Tensor]  # images -> as many values


class LayerOptions(TypedDict, total=False):
    """What every layer takes besides its own arguments: see `keras.Layer`."""

    name: str | None
    dtype: DType
    trainable: bool
