"""Photographs and hyperspectral cubes in image units, and back into the files they came from.

Images have white at 1. A cube is stretched from its least to its largest value; what is written is
stretched back. Each file is written as what it was, with all that stands beside its pixels: type,
depth, alpha, profile, EXIF of photographs, fields of ENVI headers, other variables of `.mat` files.
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from keras.ops import convert_to_numpy

from asykeras.resize import bicubic_resize
from recipes.data.envi import Header, changed, header_of, read_envi, write_envi
from zoo.machine.files import replacing
from zoo.pictures.images import ImageError
from zoo.pictures.photos import Photo, read_header
from zoo.pictures.rows import open_rows
from zoo.pictures.writers import check_limits, open_writer
from zoo.restoring.channels import without_hidden
from zoo.store import cubes
from zoo.store.claims import ContentError, check_memory
from zoo.store.npy import write_npy

ENVI = ".hdr"
Say = Callable[[str], None]
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
        photo: Of a photograph, its header; the values lack its alpha.
        alpha: Of a photograph with alpha, `(height, width, 1)` in [0, 1].
        cube: Of a MATLAB file, where its values are.
        centres: Of a MATLAB file, the variable of the wavelengths, or nothing.
        header: Of an ENVI file.
        ignored: Where an ENVI file has its value for no data; the values have the mean there.
        remark: What a user should know about the file, or nothing.
    """

    path: Path
    values: np.ndarray
    low: float
    high: float
    dtype: np.dtype
    wavelengths: tuple[float, ...] = ()
    bands_first: bool = False
    photo: Photo | None = None
    alpha: np.ndarray | None = None
    cube: cubes.Cube | None = None
    centres: str = ""
    header: Header | None = None
    ignored: np.ndarray | None = None
    remark: str = ""


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
    try:
        if suffix == ENVI:
            return _envi(path)
        if suffix in cubes.SUFFIXES:
            return _cube(path, bands_axis, variable)
    except ContentError as error:
        raise ImageError(f"{path} cannot be read: {error}") from None
    if header := header_of(path):
        raise ImageError(f"{path} holds the values of an ENVI file: name its header, {header}")
    return _photograph(path)


def write_volume(
    volume: Volume,
    values: np.ndarray,
    out: Path,
    scale: int = 1,
    say: Say = lambda text: print(text, file=sys.stderr),
) -> Path:
    """Write restored values as the file of a volume was; return the path.

    Args:
        volume: What was read.
        values: `(height, width, bands)` in image units.
        out: Path without its ending.
        scale: How much larger the values are than the volume.
        say: Told in a sentence what is not kept.

    Raises:
        ImageError: if the format cannot hold them.
        OSError: if it cannot be written.
    """
    path = out.with_name(out.name + volume.path.suffix)
    if volume.photo is not None:
        return _write_photograph(volume, volume.photo, values, path, scale, say)
    back = volume.low + np.asarray(values, np.float64) * (volume.high - volume.low)
    if volume.dtype.kind in "iu":
        limits = np.iinfo(volume.dtype)
        back = np.clip(np.floor(back + 0.5), limits.min, limits.max)
    back = back.astype(volume.dtype)
    if volume.header is not None:
        header, lost = changed(volume.header, values.shape[-1], scale)
        if lost:
            say(f"of {volume.path} this is not kept: {', '.join(lost)}")
        write_envi(header, path, _with_ignored(volume, volume.header, back, scale))
        return path
    if volume.cube is None:
        write_npy(path, np.moveaxis(back, -1, 0) if volume.bands_first else back)
        return path
    with replacing(path) as part:
        arrays = _variables(volume, volume.cube, back)
        if arrays.get(volume.centres, back) is None:
            say(f"of {volume.path} this is not kept: {volume.centres}")
        cubes.write_mat_like(volume.path, part, arrays)
    return path


def _photograph(path: Path) -> Volume:
    photo = read_header(path)
    picture = photo.picture
    with open_rows(photo) as rows:
        values = rows(0, picture.height)
    check_memory(12 * values.size)
    unit, alpha = (values / picture.white).astype(np.float32), None
    if picture.alpha:
        unit, alpha = unit[..., :-1], unit[..., -1:]
        unit = without_hidden(unit[None], alpha[None])[0].astype(np.float32)
    stored = f"{path} is written with {picture.colour} values, not as {photo.stored}"
    remarks = (photo.remark, rows.remark, stored if photo.stored else "")
    volume = Volume(path, unit, 0.0, picture.white, picture.dtype, alpha=alpha)
    remark = "; ".join(filter(None, remarks))
    return replace(volume, photo=replace(photo, stored=""), remark=remark)


def _write_photograph(
    volume: Volume, photo: Photo, values: np.ndarray, path: Path, scale: int, say: Say
) -> Path:
    """Write a photograph in its own format, or its bands as `.npy` if they are others."""
    height, width, bands = values.shape
    if bands != volume.values.shape[-1]:
        path = path.with_name(path.name + ".npy")
        say(f"{path} holds {bands} bands in [0, 1], which {photo.format} cannot hold")
        write_npy(path, values.astype(np.float32))
        return path
    if volume.alpha is not None:
        alpha = convert_to_numpy(bicubic_resize(volume.alpha[None], scale))[0]
        values = np.concatenate([values, alpha[:height, :width]], axis=-1)
    picture = replace(photo.picture, height=height // scale, width=width // scale)
    photo = replace(photo, picture=picture)
    check_limits(photo, scale)
    with replacing(path) as part, open_writer(photo, part, scale) as writer:
        writer.write(picture.quantize(values))
    return path


def _cube(path: Path, bands_axis: str, variable: str) -> Volume:
    cube = cubes.open_cube(path, variable)
    first = cube.bands_first(bands_axis)
    values = cubes.read_values(path, cube)
    volume = _stretched(path, np.moveaxis(values, 0, -1) if first else values)
    if path.suffix.lower() != ".mat":
        return replace(volume, bands_first=first)
    shapes, read = cubes.mat_arrays(path)
    sized = (name for name in CENTRES if np.prod(shapes.get(name, 0)) == volume.values.shape[-1])
    centres = next(sized, "")
    known = tuple(float(each) for each in np.ravel(read(centres))) if centres else ()
    return replace(volume, bands_first=first, cube=cube, centres=centres, wavelengths=known)


def _variables(volume: Volume, cube: cubes.Cube, back: np.ndarray) -> dict[str, np.ndarray | None]:
    """Return the variables of a MATLAB file that change; None for one that fits no more."""
    arrays: dict[str, np.ndarray | None] = {}
    if volume.centres and back.shape[-1] != volume.values.shape[-1]:
        arrays[volume.centres] = None
    if not cube.flat:
        return arrays | {cube.name: np.moveaxis(back, -1, 0) if volume.bands_first else back}
    if back.shape != volume.values.shape:
        sizes = zip(cubes.LAYOUT, back.shape, strict=True)
        arrays |= {name: np.array([[float(size)]]) for name, size in sizes}
    # MATLAB counts pixels down the columns
    return arrays | {cube.name: back.reshape((-1, back.shape[-1]), order="F").T}


def _envi(path: Path) -> Volume:
    header, values = read_envi(path)
    ignored = None
    if (gap := header.ignored) is not None:
        ignored = np.asarray(values != values if np.isnan(gap) else values == gap)
    volume = _stretched(path, values, ignored if np.any(ignored) else None)
    known = header.wavelengths if len(header.wavelengths) == values.shape[-1] else ()
    return replace(volume, wavelengths=known, header=header)


def _with_ignored(volume: Volume, header: Header, back: np.ndarray, scale: int) -> np.ndarray:
    """Return values with the header's value for no data where the file had it."""
    if volume.ignored is None:
        return back
    mask = volume.ignored.repeat(scale, axis=0).repeat(scale, axis=1)
    if mask.shape[-1] != back.shape[-1]:
        mask = np.all(mask, axis=-1, keepdims=True)
    return np.where(mask[: back.shape[0], : back.shape[1]], volume.dtype.type(header.ignored), back)


def _stretched(path: Path, values: np.ndarray, ignored: np.ndarray | None = None) -> Volume:
    """Return values from the least to the largest that is not ignored, as a volume."""
    check_memory(values.nbytes + 5 * values.size)
    known = values if ignored is None else values[~ignored]
    if not known.size:
        raise ImageError(f"{path} has nothing but its value for no data")
    low, high = float(known.min()), float(known.max())
    width = cubes.span_of(path, low, high)
    unit = np.empty(values.shape, np.float32)
    for band in range(values.shape[-1]):  # one at a time: as float64 a whole cube may not fit
        stretched = (values[..., band].astype(np.float64) - low) / width
        if ignored is not None and ignored[..., band].any():
            gaps = ignored[..., band]  # whose value may be beyond float32 when it is stretched
            stretched[gaps] = stretched[~gaps].mean() if not gaps.all() else 0
        unit[..., band] = stretched
    return Volume(path, unit, low, low + width, values.dtype, ignored=ignored)
