"""What a picture is, apart from where its pixels come from and go to."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

# From a first row to one past the last: an array `(rows, width, channels)`. Calls go down the
# picture: neither end is smaller than in the call before.
Rows = Callable[[int, int], np.ndarray]


@dataclass(frozen=True)
class Picture:
    """Size, channels and depth of a picture.

    Attributes:
        height: Rows.
        width: Columns.
        channels: Number of channels, alpha included.
        dtype: uint8, uint16 or floating point; the largest integer, or 1.0, is white.
        colour: `"grey"`, `"rgb"`, `"cmyk"` (inks: 0 is paper) or `"bands"`.
        alpha: Whether the last channel is alpha, which is not restored.
        quality: Of the JPEG file that it comes from, 1 to 100, by its tables; None: of no such.
    """

    height: int
    width: int
    channels: int
    dtype: np.dtype[np.generic]
    colour: str
    alpha: bool = False
    quality: int | None = None

    @property
    def white(self) -> float:
        """The value of white."""
        return 2.0 ** (8 * self.dtype.itemsize) - 1 if self.dtype.kind == "u" else 1.0

    def quantize(self, values: np.ndarray) -> np.ndarray:
        """Return values with white at 1 in the picture's dtype.

        Integers are clipped and rounded half up; floating point is neither clipped nor rounded.
        """
        if self.dtype.kind != "u":
            return values.astype(self.dtype)
        rounded = np.clip(values, 0, 1)  # in place from here: tiles are large
        rounded *= self.white
        rounded += 0.5
        return np.floor(rounded, out=rounded).astype(self.dtype)


def picture_of(array: np.ndarray, alpha: bool = False) -> Picture:
    """Return what an array `(height, width, channels)` is.

    Refused is what is neither uint8, uint16 nor floating point, no image, or alpha alone.
    """
    if array.dtype not in (np.uint8, np.uint16) and array.dtype.kind != "f":
        raise TypeError(
            f"images must be uint8, uint16 or floating point. Received: dtype={array.dtype}"
        )
    if array.ndim != 3 or 0 in array.shape:
        raise ValueError(
            "an image must have the shape (height, width) or (height, width, channels), each from "
            f"1. Received: shape={array.shape}"
        )
    height, width, channels = array.shape
    colours = channels - alpha
    if colours < 1:
        raise ValueError(f"alpha must stand beside a colour. Received: shape={array.shape}")
    colour = {1: "grey", 3: "rgb"}.get(colours, "bands")
    return Picture(height, width, channels, array.dtype, colour, alpha)


class RowWriter(ABC):
    """Takes a picture row by row, from the top."""

    @abstractmethod
    def write(self, rows: np.ndarray) -> None:
        """Append rows `(rows, width, channels)`."""

    @abstractmethod
    def close(self) -> None:
        """Write what is left; called once, after the last row."""


def packed(rows: np.ndarray, depth: int, order: str) -> np.ndarray:
    """Return rows as the bytes of a file, `(rows, bytes)`; `order` is the dtype of 16 bit there."""
    lines = np.ascontiguousarray(rows).reshape(len(rows), -1)
    if depth == 1:
        return np.packbits(lines >= 128, axis=1)
    if depth > 8:
        lines = lines.astype(order)
    return lines.view(np.uint8)
