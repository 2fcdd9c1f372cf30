"""Photographs and hyperspectral cubes in image units, and back into the files they came from.

Images have white at 1. A cube is stretched from its least to its largest value; what is written is
stretched back, in the type of its file, with its wavelengths.
"""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from recipes.cubes import SUFFIXES as CUBES
from recipes.cubes import open_cube
from zoo.files import replacing
from zoo.images import ImageError, read_image

ENVI = ".hdr"
CENTRES = ("wavelengths", "wavelength", "bands")  # names of the field in MATLAB files


@dataclass(frozen=True)
class Volume:
    """A picture of any number of bands.

    Attributes:
        path: Of its file.
        values: float32 `(height, width, bands)`, in [0, 1].
        low: Value of the file that is 0 here.
        high: Value of the file that is 1 here.
        dtype: Of the file.
        wavelengths: Of the bands, where the file tells.
        bands_first: Whether the file has the bands as first axis.
    """

    path: Path
    values: np.ndarray
    low: float
    high: float
    dtype: np.dtype
    wavelengths: tuple[float, ...] = ()
    bands_first: bool = False

    @property
    def is_cube(self) -> bool:
        """Whether it is a hyperspectral cube and no photograph."""
        return self.path.suffix.lower() in (*CUBES, ENVI)


def read_volume(path: Path, bands_axis: str = "last", variable: str = "") -> Volume:
    """Read a photograph, or a cube: `.mat` (v5 and v7.3), `.npy`, ENVI (its `.hdr`).

    Args:
        path: Of the file.
        bands_axis: `"last"` or `"first"`, of `.mat` and `.npy`; ENVI files tell themselves.
        variable: Name of the array in MATLAB files that hold several cubes.

    Raises:
        ImageError: if the file cannot be read, or a value is not finite.
    """
    suffix = path.suffix.lower()
    if not path.is_file():
        raise ImageError(f"there is no file {path}")
    if suffix == ENVI:
        values, wavelengths = _read_envi(path)
        return _stretched(path, values, wavelengths, False)
    if suffix in CUBES:
        cube = open_cube(path, variable)
        first = bands_axis == "first" and not cube.flat
        values = np.asarray(cube.read())
        return _stretched(
            path, np.moveaxis(values, 0, -1) if first else values, _centres(path), first
        )
    image = read_image(path)
    white = float(np.iinfo(image.dtype).max)
    return Volume(path, (image / white).astype(np.float32), 0.0, white, image.dtype)


def write_volume(volume: Volume, values: np.ndarray, out: Path) -> Path:
    """Write restored values as the file of a volume was; return the path.

    Photographs are written as PNG of 8 bit; cubes as `.npy`, MATLAB v5 or ENVI.

    Args:
        volume: What was read.
        values: `(height, width, bands)` in image units.
        out: Path without its ending.

    Raises:
        OSError: if it cannot be written.
    """
    if not volume.is_cube:
        from PIL import Image

        path = out.with_suffix(".png")
        levels = np.floor(np.clip(values, 0, 1) * 255 + 0.5).astype(np.uint8)
        with replacing(path) as part:
            Image.fromarray(levels[..., 0] if levels.shape[-1] == 1 else levels).save(part, "PNG")
        return path
    back = volume.low + np.asarray(values, np.float64) * (volume.high - volume.low)
    if volume.dtype.kind in "iu":
        limits = np.iinfo(volume.dtype)
        back = np.clip(np.floor(back + 0.5), limits.min, limits.max)
    back = back.astype(volume.dtype)
    suffix = volume.path.suffix.lower()
    path = out.with_suffix(suffix)
    if suffix == ENVI:
        _write_envi(path, back, volume.wavelengths)
        return path
    back = np.moveaxis(back, -1, 0) if volume.bands_first else back
    with replacing(path) as part, open(part, "wb") as file:
        if suffix == ".npy":
            np.save(file, back, allow_pickle=False)
        else:
            from scipy import io

            io.savemat(file, {"cube": back, "wavelengths": np.array(volume.wavelengths)})
    return path


def _stretched(
    path: Path, values: np.ndarray, wavelengths: tuple[float, ...], first: bool
) -> Volume:
    low, high = float(values.min()), float(values.max())
    if not (np.isfinite(low) and np.isfinite(high)):
        raise ImageError(f"{path} has values that are not finite")
    width = high - low if high > low else 1.0
    unit = ((values.astype(np.float64) - low) / width).astype(np.float32)
    known = wavelengths if len(wavelengths) == values.shape[-1] else ()
    return Volume(path, unit, low, low + width, values.dtype, known, first)


def _centres(path: Path) -> tuple[float, ...]:
    """Return the wavelengths that a MATLAB file holds beside its cube."""
    if path.suffix.lower() != ".mat":
        return ()
    from recipes.cubes import mat_arrays

    shapes, read = mat_arrays(path)
    for name in CENTRES:
        if name in shapes and np.prod(shapes[name]) > 1:
            return tuple(float(each) for each in np.ravel(read(name)))
    return ()


def _read_envi(path: Path) -> tuple[np.ndarray, tuple[float, ...]]:
    envi = _envi()
    try:
        image = envi.open(os.fspath(path))
        centres = image.bands.centers
        # A view of the file in its own type: `load` would make everything float32.
        values = np.array(image.open_memmap(interleave="bip"))
    except Exception as error:  # readers of a hostile file raise whatever its bytes led them to
        raise ImageError(f"{path} cannot be read: {error}") from None
    return values, tuple(float(each) for each in centres or ())


def _write_envi(path: Path, values: np.ndarray, wavelengths: tuple[float, ...]) -> None:
    known = {"wavelength": list(wavelengths)} if wavelengths else {}
    _envi().save_image(
        os.fspath(path), values, dtype=values.dtype, interleave="bip", metadata=known, force=True
    )


def _envi() -> Any:
    try:
        from spectral.io import envi
    except ImportError:
        raise ImageError("ENVI files need spectral: pip install 'asykeras[cubes]'") from None
    return envi
