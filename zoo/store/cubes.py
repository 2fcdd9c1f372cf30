"""Hyperspectral cubes: `.npy` and MATLAB files.

Where the bands are is not guessed: they are the last axis, as MATLAB shows it, or the first one
where the caller says so. Values of any kind are stretched to 16 bit, from the least to the largest
of the cube.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np

from zoo.machine.failures import reason
from zoo.pictures.errors import ImageError
from zoo.store.claims import ContentError
from zoo.store.hdf5 import child, numbers_of, open_hdf5, read_array, write_like
from zoo.store.matlab import mat_variables, read_mat, write_mat
from zoo.store.npy import open_npy

SUFFIXES = (".npy", ".mat")
LAYOUT = ("nRow", "nCol", "nBand")  # fields of a MATLAB file beside a flat bands x pixels array


@dataclass(frozen=True)
class Cube:
    """A cube in a file before it is read.

    Attributes:
        shape: Of the cube as it comes from `read`.
        read: Reads it.
        flat: Whether its shape was given by fields of the file, which put the bands last.
        name: Of the array in a MATLAB file.
    """

    shape: tuple[int, ...]
    read: Callable[[], np.ndarray]
    flat: bool = False
    name: str = ""

    def bands_first(self, axis: str) -> bool:
        """Whether its first axis is the one of the bands, where the caller says so."""
        return axis == "first" and not self.flat


def read_cube(path: Path, bands_axis: str = "last", variable: str = "") -> np.ndarray:
    """Read a cube as uint16 `(height, width, bands)`, stretched from its least to largest value.

    A constant cube becomes zeros.
    """
    cube = open_cube(path, variable)
    values = read_values(path, cube)
    if cube.bands_first(bands_axis):
        values = np.moveaxis(values, 0, -1)
    low, high = float(values.min()), float(values.max())
    stretched = np.empty(values.shape, np.uint16)
    factor = 65535 / span_of(path, low, high)
    for band in range(values.shape[-1]):  # one at a time: as float64 a whole cube may not fit
        exact = values[..., band].astype(np.float64)
        stretched[..., band] = np.floor((exact - low) * factor + 0.5)
    return stretched


def span_of(path: Path, low: float, high: float) -> float:
    """Return what values from the least to the largest are divided by, 1 where they are the same.

    They must be finite, and neither too far apart nor too close together for that.
    """
    if not (np.isfinite(low) and np.isfinite(high)):
        raise ImageError(f"{path} has values that are not finite")
    span = high - low if high > low else 1.0
    if not (np.isfinite(span) and np.isfinite(65535 / span)):
        raise ImageError(f"{path} has values from {low:.9g} to {high:.9g}, which no image can mean")
    return span


def read_values(path: Path, cube: Cube) -> np.ndarray:
    """Return the values of a cube in the file's own type and order."""
    try:
        return np.asarray(cube.read())
    except (ContentError, OSError) as error:
        raise ImageError(f"{path} cannot be read: {reason(error)}") from None


def open_cube(path: Path, variable: str = "") -> Cube:
    """Find the one cube in a file, or that of a name, without reading its values."""
    try:
        return _open_npy(path) if path.suffix.lower() == ".npy" else _open_mat(path, variable)
    except (ContentError, OSError) as error:
        raise ImageError(f"{path} cannot be read: {reason(error)}") from None


def _open_npy(path: Path) -> Cube:
    array = open_npy(path)
    if array.ndim != 3 or 0 in array.shape:
        raise ImageError(f"{path} holds no cube of three axes: {array.shape}")
    return Cube(array.shape, lambda: open_npy(path))


def _open_mat(path: Path, variable: str) -> Cube:
    shapes, read = mat_arrays(path)
    cubes = [name for name, shape in shapes.items() if len(shape) == 3 and 0 not in shape]
    if variable or len(cubes) == 1:
        name = variable or cubes[0]
        if name not in cubes:
            raise ImageError(f"{path} has no cube {name!r}: {_listed(shapes)}")
        return Cube(shapes[name], lambda: read(name), name=name)
    if cubes:
        raise ImageError(f"{path} has several cubes, name one of them: {_listed(shapes)}")
    return _open_flat(path, shapes, read)


def _open_flat(
    path: Path, shapes: dict[str, tuple[int, ...]], read: Callable[[str], np.ndarray]
) -> Cube:
    """Return the cube of a bands x pixels array whose layout other fields of the file give."""
    layout: tuple[int, ...] = ()
    if all(name in shapes for name in LAYOUT):
        given = [float(read(name).flat[0]) for name in LAYOUT if 0 not in shapes[name]]
        layout = tuple(int(each) for each in given if each.is_integer())
    whole = len(layout) == 3 and min(layout) > 0
    flat = [n for n, s in shapes.items() if whole and s == (layout[2], layout[0] * layout[1])]
    if len(flat) != 1:
        raise ImageError(
            f"{path} has no array of three axes, and no fields {', '.join(LAYOUT)} that say how a "
            f"flat one of bands x pixels is laid out: {_listed(shapes)}"
        )
    # MATLAB counts pixels down the columns
    return Cube(layout, lambda: read(flat[0]).T.reshape(layout, order="F"), True, flat[0])


def _listed(shapes: dict[str, tuple[int, ...]]) -> str:
    return ", ".join(f"{name} {'x'.join(map(str, s))}" for name, s in shapes.items()) or "nothing"


def mat_arrays(path: Path) -> tuple[dict[str, tuple[int, ...]], Callable[[str], np.ndarray]]:
    """Return the shapes of the numeric arrays of a MATLAB file, and how to read one of them."""
    if not h5py.is_hdf5(path):
        found = {each.name: each for each in mat_variables(path) if each.dtype is not None}
        shapes = {name: each.shape for name, each in found.items()}
        return shapes, lambda name: np.asarray(read_mat(path, found[name]))
    with open_hdf5(path) as file:  # version 7.3, where the axes stand in the opposite order
        shapes = {name: item.shape[::-1] for name, item in numbers_of(file).items()}

    def read(name: str) -> np.ndarray:
        with open_hdf5(path) as file:
            return read_array(child(file, name)).T

    return shapes, read


def write_mat_like(path: Path, out: Path, arrays: Mapping[str, np.ndarray | None]) -> None:
    """Write a MATLAB file again, in its version: see `zoo.store.matlab.write_mat`."""
    if h5py.is_hdf5(path):
        reversed_axes = {n: None if each is None else each.T for n, each in arrays.items()}
        write_like(path, out, reversed_axes)
    else:
        write_mat(path, out, arrays)
