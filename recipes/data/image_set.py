"""Decoded images in one flat array: in memory where they fit, in a mapped file where they do not.

A source is looked at first (`Part`: names, sizes, depth) and decoded afterwards, so that its size
is known before any work, and no more than a few images are held besides the array for all.
"""

import hashlib
import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, overload

import numpy as np

from zoo.machine.files import check_room, make_folder, replacing
from zoo.pictures.images import DEEP, ImageError, to_channels

CHANNELS = {"luma": 1, "grey": 1, "rgb": 3}  # what images are made into, and how many that are
ALIGNED = 64  # bytes; TensorFlow uses an array in place only where it starts at a multiple


class Found(NamedTuple):
    """One image of a source before it is decoded."""

    name: str  # the same for an image and its degraded partner
    height: int
    width: int
    dtype: np.dtype[np.generic]  # uint8, uint16 or float32


@dataclass(frozen=True)
class Part:
    """One part of a source: what it holds, and how to decode it.

    Attributes:
        found: The images, in the order in which `read` yields them.
        identity: Text that changes when the files do: their names, sizes and times.
        read: Decodes the images one after the other, `(height, width, channels)`.
    """

    found: Sequence[Found]
    identity: str
    read: Callable[[], Iterator[np.ndarray]]


def stamp(path: Path) -> tuple[str, int, int]:
    """Return what of a file changes when another one takes its place."""
    status = path.stat()
    return str(path.absolute()), status.st_size, status.st_mtime_ns


@dataclass(frozen=True, eq=False)
class ImageSet(Sequence[np.ndarray]):
    """Decoded images; also a sequence of arrays `(height, width, channels)`, which are views.

    Attributes:
        pixels: `(pixels of all images, channels)`, uint8, uint16 or float32, in memory or mapped
            from a file. It starts at a multiple of 64 bytes.
        starts: First pixel of each image.
        heights: Height of each image.
        widths: Width of each image.
        names: Name of each image: its path below the source without the ending.
        kept: Where the pixels are, in words.
    """

    pixels: np.ndarray
    starts: np.ndarray
    heights: np.ndarray
    widths: np.ndarray
    names: tuple[str, ...]
    kept: str = "kept in memory"

    @classmethod
    def of(cls, images: Sequence[np.ndarray]) -> "ImageSet":
        """Copy arrays `(height, width, channels)` into a set in memory.

        Raises:
            ValueError: if they differ in dtype or channels.
        """
        kinds = {(image.dtype.name, image.shape[-1]) for image in images}
        if len(kinds) > 1:
            raise ValueError(f"images must have one dtype and as many channels. Received: {kinds}")
        sizes = np.array([image.shape[:2] for image in images], dtype=np.int64).reshape(-1, 2)
        channels = images[0].shape[-1] if len(images) else 1
        dtype = images[0].dtype if len(images) else np.dtype(np.uint8)
        shape = (int(sizes.prod(axis=1).sum()), channels)
        pixels = _in_memory((image.reshape(-1, channels) for image in images), shape, dtype)
        names = tuple(str(n) for n in range(len(images)))
        return cls(pixels, _starts(sizes), sizes[:, 0], sizes[:, 1], names)

    def __len__(self) -> int:
        return len(self.starts)

    @overload
    def __getitem__(self, index: int) -> np.ndarray: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[np.ndarray]: ...
    def __getitem__(self, index: int | slice) -> np.ndarray | Sequence[np.ndarray]:
        """Return one image, or several, as views."""
        if isinstance(index, slice):
            return [self[n] for n in range(*index.indices(len(self)))]
        start, height, width = self.starts[index], self.heights[index], self.widths[index]
        return self.pixels[start : start + height * width].reshape(height, width, -1)

    def at(self, order: Sequence[int] | np.ndarray) -> "ImageSet":
        """Return some of the images, in that order; the pixels stay where they are."""
        at = np.array(order)
        names = tuple(self.names[n] for n in order)
        starts, heights, widths = self.starts[at], self.heights[at], self.widths[at]
        return ImageSet(self.pixels, starts, heights, widths, names, self.kept)

    def describe(self) -> str:
        """Return one line: how many images, how large, how much memory, and where they are."""
        megapixels = np.sort(self.heights * self.widths) / 1e6
        depths = {"uint16": ", 16 bit", "float32": ", floating point"}
        depth = depths.get(self.pixels.dtype.name, "")
        number = "1 image" if len(self) == 1 else f"{len(self)} images"
        return (
            f"{number}, {megapixels[0]:.2f} to {megapixels[-1]:.2f} megapixels{depth}, "
            f"{in_words(self.pixels.nbytes)} decoded, {self.kept}"
        )


def aligned_empty(shape: tuple[int, int], dtype: np.dtype | type) -> np.ndarray:
    """Return an uninitialised array that starts at a multiple of 64 bytes."""
    size = shape[0] * shape[1] * np.dtype(dtype).itemsize
    memory = np.empty(size + ALIGNED, np.uint8)
    first = -memory.ctypes.data % ALIGNED
    return memory[first : first + size].view(dtype).reshape(shape)


def in_words(size: int) -> str:
    """Return a number of bytes as MiB, or as GiB from one on."""
    return f"{size / 2**30:.1f} GiB" if size >= 2**30 else f"{size / 2**20:.0f} MiB"


def collect(
    parts: Sequence[Part],
    kind: str,
    channels: int,
    memory: int,
    scratch: str | os.PathLike[str] | None,
    quiet: bool,
) -> ImageSet:
    """Decode all images of a source into one array.

    It is kept in memory up to so many bytes, and otherwise in a file in `scratch`. Images are made
    into a `kind` of `CHANNELS`; of any other kind, which says as well whether the file of an
    earlier run fits, they stay as they are and have so many channels.

    Raises:
        ImageError: if an image cannot be read, or the array fits nowhere; if some hold integers
            and others floating point.
    """
    found = [image for part in parts for image in part.found]
    sizes = np.array([(image.height, image.width) for image in found], dtype=np.int64)
    dtype = _common_dtype(found)
    shape = (int(sizes.prod(axis=1).sum()), channels)
    images = _converted(parts, kind, dtype, channels, quiet)
    total = shape[0] * shape[1] * dtype.itemsize
    if total <= memory:
        pixels, kept = _in_memory(images, shape, dtype), "kept in memory"
    elif scratch is None:
        raise ImageError(
            f"the decoded images take {in_words(total)}, more than the {in_words(memory)} of "
            "memory that may be used, and no folder is named where to put them"
        )
    else:
        identity = json.dumps([kind, dtype.name, [part.identity for part in parts]])
        digest = hashlib.sha256(identity.encode()).hexdigest()[:16]
        path = Path(scratch) / f"decoded-{digest}.{dtype.name}"
        if not quiet:
            print(f"decoding {in_words(total)} into {path}, once", flush=True)
        pixels = _mapped(images, path, shape, dtype)
        kept = f"streamed from {path} because {in_words(memory)} of memory may be used"
    names = tuple(image.name for image in found)
    return ImageSet(pixels, _starts(sizes), sizes[:, 0], sizes[:, 1], names, kept)


def _common_dtype(found: Sequence[Found]) -> np.dtype[np.generic]:
    """Return the dtype that keeps all images: integers are deepened, floating point stays alone."""
    floating = [image.name for image in found if image.dtype.kind == "f"]
    integers = [image.name for image in found if image.dtype.kind != "f"]
    if floating and integers:
        # Integers are values of sRGB; what floating point is, linear light or not, nobody says.
        raise ImageError(
            f"{floating[0]} holds floating point and {integers[0]} integers: a source holds one or "
            "the other"
        )
    return np.result_type(*{image.dtype for image in found})


def _starts(sizes: np.ndarray) -> np.ndarray:
    return np.concatenate([[0], np.cumsum(sizes.prod(axis=1))])[:-1].astype(np.int64)


def _converted(
    parts: Sequence[Part], kind: str, dtype: np.dtype, channels: int, quiet: bool
) -> Iterator[np.ndarray]:
    """Yield the images with the channels and the depth of the set, each checked for its size."""
    total, number, begun, shown = sum(len(p.found) for p in parts), 0, time.monotonic(), 0.0
    for part in parts:
        for found, image in zip(part.found, part.read(), strict=True):
            if image.dtype != found.dtype or image.shape[:2] != (found.height, found.width):
                raise ImageError(f"{found.name} has changed while it was read")
            if dtype == np.uint16 and image.dtype == np.uint8:
                image = image.astype(np.uint16) * DEEP
            image = to_channels(image, kind) if kind in CHANNELS else image
            yield image.reshape(-1, channels)
            number, now = number + 1, time.monotonic()
            if not quiet and sys.stdout.isatty() and (now - shown > 0.5 or number == total):
                shown, left = now, int((now - begun) / number * (total - number))
                line = f"decoded {number}/{total} images, {left // 60}:{left % 60:02d} left"
                print(f"\r{line:<60}", end="" if number < total else "\n", flush=True)


def _in_memory(images: Iterator[np.ndarray], shape: tuple[int, int], dtype: np.dtype) -> np.ndarray:
    pixels, start = aligned_empty(shape, dtype), 0
    for image in images:
        pixels[start : start + len(image)] = image
        start += len(image)
    return pixels


def _mapped(
    images: Iterator[np.ndarray], path: Path, shape: tuple[int, int], dtype: np.dtype
) -> np.ndarray:
    """Return the pixels mapped from a file, which is written if it is not there yet."""
    size = shape[0] * shape[1] * dtype.itemsize
    try:
        make_folder(path.parent)
        if not (path.is_file() and path.stat().st_size == size):
            check_room(path.parent, size)
            with replacing(path) as part, part.open("wb") as file:
                for image in images:
                    file.write(np.ascontiguousarray(image).data)
    except OSError as error:
        raise ImageError(
            f"{path.parent} cannot take the {in_words(size)} of the decoded images: "
            f"{error.strerror}"
        ) from None
    # "c": TensorFlow takes over no array that is read-only; what is written stays in memory
    return np.asarray(np.memmap(path, dtype, "c", shape=shape))
