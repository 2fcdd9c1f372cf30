"""JPEG compression as a layer: what a file of some quality leaves of an image.

Made of the steps of libjpeg, whose decisions are all here: tables scaled by the quality, colours
halved by a mean and doubled by a triangle, every value rounded where a file has whole numbers. So
it can stand in a compiled training step, where an encoder cannot.
"""

import math
from collections.abc import Sequence
from typing import Unpack

import keras
import numpy as np
from keras import ops

from asykeras.degradations import RandomDegradation, pad, to_8bit
from asykeras.types import LayerOptions, Tensor

BLOCK = 8
SUBSAMPLINGS = ("4:2:0", "4:4:4")
# ITU-T T.81, Tables K.1 and K.2, at quality 50.
LUMA = (
    *(16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55),
    *(14, 13, 16, 24, 40, 57, 69, 56, 14, 17, 22, 29, 51, 87, 80, 62),
    *(18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113, 92),
    *(49, 64, 78, 87, 103, 121, 120, 101, 72, 92, 95, 98, 112, 100, 103, 99),
)
CHROMA = (
    *(17, 18, 24, 47, 99, 99, 99, 99, 18, 21, 26, 66, 99, 99, 99, 99),
    *(24, 26, 56, 99, 99, 99, 99, 99, 47, 66, 99, 99, 99, 99, 99, 99),
    *(99,) * 32,
)


def _cosines() -> np.ndarray:
    """Return the orthonormal cosine transform of 8 values, a row for each frequency."""
    frequency, place = np.indices((BLOCK, BLOCK))
    rows = np.sqrt(2 / BLOCK) * np.cos(math.pi * frequency * (2 * place + 1) / (2 * BLOCK))
    rows[0] /= math.sqrt(2)
    return rows.astype("float32")


COSINES = _cosines()


@keras.saving.register_keras_serializable(package="asykeras")
class JpegCompression(RandomDegradation):
    """Layer that gives images back as a JPEG file of some quality holds them.

    Args:
        quality: Whole number from 1 to 100 as libjpeg counts it, or a pair (low, high) of which
            each image draws one.
        subsampling: Of colours: `"4:2:0"`, the usual half in both directions, or `"4:4:4"`, none.
        seed: Whole number; `None` draws one.
        **options: `name`, `dtype` and `trainable`, as in `keras.Layer`.

    Call: `(B, H, W, 1 or 3)` in [0, 1]  ->  the same shape. Both are 8-bit values / 255; others are
    rounded to them.

    Raises:
        ValueError: A quality that is no whole number from 1 to 100, or a pair with low > high;
            another subsampling; images of other than 1 or 3 channels.

    Example:
        JpegCompression((5, 99), seed=0)(images)  # as DnCNN-3 was trained

    Of libjpeg's result (as Pillow decodes it) it differs where a rounding tips over, which changes
    a block by up to a step of the table. On crops of photographs that is less than a quarter of a
    grey level on average, and at most 1 for more than 95 % of the values
    (`tests/asykeras/test_jpeg.py`).

    Reference: ITU-T T.81 (1992); libjpeg 6b for the scaling of the tables and the colours.
    """

    def __init__(
        self,
        quality: int | Sequence[int],
        *,
        subsampling: str = "4:2:0",
        seed: int | None = None,
        **options: Unpack[LayerOptions],
    ):
        super().__init__(seed=seed, **options)
        self.low, self.high = _qualities(quality)
        self.quality = self.low if isinstance(quality, int) else [self.low, self.high]
        if subsampling not in SUBSAMPLINGS:
            raise ValueError(f"subsampling must be 4:2:0 or 4:4:4. Received: {subsampling=}")
        self.subsampling = subsampling

    def call(self, images: Tensor) -> Tensor:
        """Return the images after compression."""
        self._check_images(images, unit=True)
        if images.shape[-1] not in (1, 3):
            shape = tuple(images.shape)
            raise ValueError(f"images must have 1 or 3 channels. Received: {shape=}")
        values, quality = to_8bit(images), self._drawn_quality(images)
        if images.shape[-1] == 1:
            return _coded(values, _table(LUMA, quality)) / 255.0
        luma, *colours = _ycc(values)
        table = _table(CHROMA, quality)
        halved = self.subsampling == "4:2:0"
        decoded = [_halved(each, table) if halved else _coded(each, table) for each in colours]
        return _rgb(_coded(luma, _table(LUMA, quality)), *decoded) / 255.0

    def _drawn_quality(self, images: Tensor) -> Tensor:
        """Return the quality of each image, `(B, 1, 1, 1, 1)`."""
        if self.low == self.high:
            return ops.full((ops.shape(images)[0], 1, 1, 1, 1), self.low, dtype=self.compute_dtype)
        drawn = self._draw(images, self.low, self.high + 1, axes=5)
        return ops.minimum(ops.floor(drawn), float(self.high))


def _qualities(quality: int | Sequence[int]) -> tuple[int, int]:
    pair = list(quality) if isinstance(quality, Sequence) else [quality, quality]
    whole = all(isinstance(each, int) and not isinstance(each, bool) for each in pair)
    if len(pair) != 2 or not whole or not 1 <= pair[0] <= pair[1] <= 100:
        raise ValueError(
            f"quality must be a whole number from 1 to 100, or a pair of them. Received: {quality=}"
        )
    return pair[0], pair[1]


def _table(base: Sequence[int], quality: Tensor) -> Tensor:
    """Return the steps of the quantisation for each image, `(B, 1, 8, 1, 8)`."""
    scale = ops.where(quality < 50, ops.floor(5000.0 / quality), 200.0 - 2.0 * quality)
    table = np.array(base, "float32").reshape(1, 1, BLOCK, 1, BLOCK)
    return ops.clip(ops.floor((table * scale + 50.0) / 100.0), 1.0, 255.0)


def _ycc(rgb: Tensor) -> list[Tensor]:
    """Return luma and colours as a file holds them, each `(B, H, W, 1)` of whole numbers."""
    red, green, blue = (rgb[..., n : n + 1] for n in range(3))
    return [
        ops.round(0.299 * red + 0.587 * green + 0.114 * blue),
        ops.round(-0.168735892 * red - 0.331264108 * green + 0.5 * blue + 128.0),
        ops.round(0.5 * red - 0.418687589 * green - 0.081312411 * blue + 128.0),
    ]


def _rgb(luma: Tensor, blue: Tensor, red: Tensor) -> Tensor:
    """Return whole numbers in [0, 255] of luma and colours."""
    blue, red = blue - 128.0, red - 128.0
    mixed = [
        luma + ops.round(1.402 * red),
        luma + ops.round(-0.344136286 * blue - 0.714136286 * red),
        luma + ops.round(1.772 * blue),
    ]
    return ops.clip(ops.concatenate(mixed, axis=-1), 0.0, 255.0)


def _coded(plane: Tensor, table: Tensor) -> Tensor:
    """Return a plane `(B, H, W, 1)` of whole numbers after the loss of the quantisation."""
    height, width = ops.shape(plane)[1:3]
    plane = pad(plane, 1, 0, -height % BLOCK, "edge")
    plane = pad(plane, 2, 0, -width % BLOCK, "edge")
    rows, columns = ops.shape(plane)[1:3]
    blocks = ops.reshape(plane - 128.0, (-1, rows // BLOCK, BLOCK, columns // BLOCK, BLOCK))
    found = _transformed(_transformed(blocks, COSINES, 2), COSINES, 4)
    # libjpeg computes in eighths and rounds a half away from zero; halves are frequent
    steps = ops.round(found * 8.0) / (table * 8.0)
    kept = ops.sign(steps) * ops.floor(ops.abs(steps) + 0.5) * table
    blocks = _transformed(_transformed(kept, COSINES.T, 2), COSINES.T, 4)
    decoded = ops.clip(ops.round(blocks + 128.0), 0.0, 255.0)
    return ops.reshape(decoded, (-1, rows, columns, 1))[:, :height, :width]


def _transformed(blocks: Tensor, rows: np.ndarray, axis: int) -> Tensor:
    """Return the products with 8 rows along an axis: sums, which no GPU rounds to TF32."""
    shape = [1] * 5
    shape[axis] = BLOCK
    parts = ops.split(blocks, BLOCK, axis=axis)
    return sum(part * rows[:, n].reshape(shape) for n, part in enumerate(parts))


def _halved(plane: Tensor, table: Tensor) -> Tensor:
    """Return a plane that is coded in half its size."""
    height, width = ops.shape(plane)[1:3]
    small = _doubled(_coded(_half(plane), table))
    return small[:, :height, :width]


def _half(plane: Tensor) -> Tensor:
    """Return the means of 2x2 values; a half is rounded down and up in turn, from the left."""
    height, width = ops.shape(plane)[1:3]
    plane = pad(pad(plane, 1, 0, height % 2, "edge"), 2, 0, width % 2, "edge")
    rows, columns = (length // 2 for length in ops.shape(plane)[1:3])
    sums = ops.sum(ops.reshape(plane, (-1, rows, 2, columns, 2)), axis=(2, 4))
    odd = ops.cast(ops.arange(columns, dtype="int32") % 2, sums.dtype)
    return ops.floor((sums + 1.0 + odd) / 4.0)[..., None]


def _doubled(plane: Tensor) -> Tensor:
    """Return twice as many rows and columns: three parts of the nearest value, one of the next."""
    rows = pad(plane, 1, 1, 1, "edge")
    above, here, below = rows[:, :-2], rows[:, 1:-1], rows[:, 2:]
    tall = _interleaved(3.0 * here + above, 3.0 * here + below, 1)
    columns = pad(tall, 2, 1, 1, "edge")
    left, here, right = columns[:, :, :-2], columns[:, :, 1:-1], columns[:, :, 2:]
    before = ops.floor((3.0 * here + left + 8.0) / 16.0)
    after = ops.floor((3.0 * here + right + 7.0) / 16.0)
    return _interleaved(before, after, 2)


def _interleaved(first: Tensor, second: Tensor, axis: int) -> Tensor:
    """Return first and second in turn along an axis of `(B, H, W, 1)`."""
    shape = list(ops.shape(first))
    shape[0], shape[axis] = -1, 2 * shape[axis]
    return ops.reshape(ops.stack([first, second], axis=axis + 1), shape)
