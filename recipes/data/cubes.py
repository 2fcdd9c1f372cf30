"""Hyperspectral cubes as training images: cut into windows of neighbouring bands."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from recipes.data.image_set import Found, Part, stamp
from zoo.pictures.images import ImageError, find_files
from zoo.store.cubes import SUFFIXES, open_cube, read_cube


@dataclass(frozen=True)
class Windows:
    """What cubes are cut into: images of neighbouring bands.

    Attributes:
        bands: Of a window. Windows overlap by half; the last one ends with the cube.
        axis: Where the bands of a cube are: `"last"` or `"first"`.
        variable: Name of the array in MATLAB files that hold several cubes.
    """

    bands: int
    axis: str = "last"
    variable: str = ""

    def __post_init__(self) -> None:
        if self.bands < 1:
            raise ImageError(f"a window has 1 band or more. Received: {self.bands}")
        if self.axis not in ("first", "last"):
            raise ImageError(
                f"the bands of a cube are its first or last axis. Received: {self.axis!r}"
            )


def cube_part(folder: str | os.PathLike[str], windows: Windows) -> Part:
    """Look at the cubes of a folder, searched recursively, or of one file: each is several images.

    Raises:
        ImageError: if a file holds no cube, several, or one with too few bands.
    """
    bands, axis, variable = windows.bands, windows.axis, windows.variable
    paths = find_files(folder, SUFFIXES, "cube")
    found: list[Found] = []
    for path in paths:
        cube = open_cube(path, variable)
        first, *last = cube.shape
        height, width, total = (*last, first) if cube.bands_first(axis) else cube.shape
        if total < bands:
            raise ImageError(
                f"{path} has {total} bands along its {axis} axis, fewer than {bands}; its "
                f"shape is {cube.shape}"
            )
        root = Path(folder)
        name = (path.relative_to(root) if root.is_dir() else Path(path.name)).with_suffix("")
        for first in _window_starts(total, bands):
            found.append(Found(f"{name.as_posix()}[{first}]", height, width, np.dtype(np.uint16)))

    def read() -> Iterator[np.ndarray]:
        for path in paths:
            cube = read_cube(path, axis, variable)
            for first in _window_starts(cube.shape[-1], bands):
                yield cube[..., first : first + bands]

    stamps = [stamp(path) for path in paths]
    return Part(found, repr((stamps, windows)), read)


def _window_starts(total: int, bands: int) -> list[int]:
    return sorted({*range(0, total - bands + 1, max(1, bands // 2)), total - bands})
