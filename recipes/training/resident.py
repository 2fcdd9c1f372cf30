"""Training images that lie in the device's memory, and patches that are cut inside the step.

A fast device waits for the host if that cuts the patches: 32 of 96x96x3 take NumPy 4 ms, as long as
a whole step of EDSR on an H100. Here a batch crosses as three numbers a patch; crop, flip and turn
are one gather in the compiled step, with the bytes of `Patches.numpy_batch`.
"""

from typing import TYPE_CHECKING

import keras
import numpy as np
from keras import ops

from asykeras.types import Tensor
from recipes.data.image_set import in_words
from recipes.data.patches import Patches, turned
from recipes.training.devices import accelerated
from recipes.training.settings import TrainingError

if TYPE_CHECKING:
    import h5py

MOST = 8 * 2**30  # bytes of images on the device, unless that is asked for; all of DIV2K takes 6.2
LARGEST = 2**31  # pixels that the numbers of a batch can tell apart


class Resident(keras.layers.Layer):
    """Cuts square patches out of images that lie on the device.

    Its weights are the images, which are neither trained nor saved: one pair of `Patches.sources`.

    Int32 `(B, 3)`, as `Patches.numpy_places` returns them -> `(B, size, size, C)` of the images'
    own type.
    """

    def __init__(self, pixels: np.ndarray, size: int):
        super().__init__(trainable=False)
        rows, columns = np.indices((size, size), dtype=np.int32)
        self.rows = np.stack([turned(rows, turn) for turn in range(8)])
        self.columns = np.stack([turned(columns, turn) for turn in range(8)])
        self.pixels = self.add_weight(
            shape=pixels.shape,
            dtype=pixels.dtype.name,
            initializer=lambda shape, dtype: ops.convert_to_tensor(pixels),
            trainable=False,
            autocast=False,  # floating-point images are not to lose digits
            name="pixels",
        )
        self.built = True

    def call(self, places: Tensor) -> Tensor:
        """Return the patches."""
        corner, width, turn = (places[:, n] for n in range(3))
        rows, columns = (ops.take(table, turn, axis=0) for table in (self.rows, self.columns))
        at = corner[:, None, None] + rows * width[:, None, None] + columns
        return ops.take(self.pixels, at, axis=0)

    def compute_output_spec(self, places: keras.KerasTensor) -> keras.KerasTensor:
        """Return shape and type of the patches; a layer's own type is that of its arithmetic."""
        shape = (places.shape[0], *self.rows.shape[1:], self.pixels.shape[1])
        return keras.KerasTensor(shape, self.pixels.dtype)

    def save_own_variables(self, store: "h5py.Group") -> None:
        """Save nothing: the images are in the user's folder."""

    def load_own_variables(self, store: "h5py.Group") -> None:
        """Load nothing."""


def resident(patches: Patches, way: str) -> list[Resident]:
    """Return what cuts the patches on the device; nothing where the host is to cut them.

    The way `"auto"` takes a GPU or TPU for images that take at most `MOST`.

    Raises:
        TrainingError: if the device is asked for and cannot cut these.
    """
    if way == "host":
        return []
    largest, hindrance = max(len(pixels) for pixels, _ in patches.sources), ""
    if patches.artefacts:
        hindrance = "the artefacts of JPEG are made by the host"
    elif largest >= LARGEST:
        hindrance = f"of one kind there can be {LARGEST - 1} pixels. Received: {largest}"
    if way == "device" and hindrance:
        raise TrainingError(f"--cut device cannot be had: {hindrance}")
    if way == "auto" and (hindrance or _size(patches) > MOST or not accelerated()):
        return []
    return [Resident(pixels, side) for pixels, side in patches.sources]


def describe(patches: Patches) -> str:
    """Return one line: how much of the device's memory the images take."""
    return f"{in_words(_size(patches))} of images on the device, which cuts the patches"


def _size(patches: Patches) -> int:
    return sum(pixels.nbytes for pixels, _ in patches.sources)
