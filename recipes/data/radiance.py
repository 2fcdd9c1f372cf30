"""OpenEXR and Radiance files: linear light in floating point, read by libvips where it can.

The wheel of libvips that `asykeras[photos]` brings reads neither. A system's library does, Debian's
`libvips42` for instance, which `pyvips` finds where it is installed without `[binary]`.
"""

import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from zoo.pictures.claims import check_memory
from zoo.pictures.errors import ImageError, refusing
from zoo.pictures.images import Header
from zoo.pictures.photos import MEGAPIXELS
from zoo.pictures.rows import libvips

if TYPE_CHECKING:
    import pyvips

SUFFIXES = (".exr", ".hdr")
# How a file begins: its format, and the loader of libvips. Others are refused, since libvips would
# open a file by its content, whatever it is called.
_KINDS = {
    b"\x76\x2f\x31\x01": ("OpenEXR", "openexrload"),
    b"#?RADIANCE": ("Radiance", "radload"),
    b"#?RGBE": ("Radiance", "radload"),
}
_HELD = 32  # bytes per pixel while a file is read: four channels of float32, twice


def read_header(path: Path) -> Header:
    """Return the size of a file without decoding it.

    Raises:
        ImageError: if it is no such file, too large, or this machine's libvips does not read it.
    """
    with refusing(path):
        image = _opened(path)
        return Header(image.height, image.width, np.dtype(np.float32))


def read_light(path: Path) -> np.ndarray:
    """Return red, green and blue of a file, float32 `(height, width, 3)`; grey is repeated.

    Values may go beyond 0 and 1. Alpha is dropped; where it is below 1, colours stay multiplied by
    it, as both formats keep them.

    Raises:
        ImageError: as `read_header`; if the file is damaged, or has values that are not finite.
    """
    with refusing(path):
        image = _opened(path)
        check_memory(path, image.height * image.width * _HELD)
        if image.coding == "rad":
            image = image.rad2float()
        values = np.frombuffer(image.cast("float").write_to_memory(), np.float32)
        values = values.reshape(image.height, image.width, image.bands)
    if not np.isfinite(values).all():
        raise ImageError(f"{path} has values that are not finite, which cannot be learned")
    return np.repeat(values[..., :1], 3, axis=-1) if image.bands < 3 else values[..., :3].copy()


def _opened(path: Path) -> "pyvips.Image":
    """Return a file as libvips opens it; refuse what is none, or cannot be read here."""
    with path.open("rb") as file:
        head = file.read(16)
    kinds = [kind for start, kind in _KINDS.items() if head.startswith(start)]
    if not kinds:
        raise ImageError(f"{path} is not an OpenEXR or Radiance image")
    ((name, loader),) = kinds
    pyvips = libvips()
    if pyvips is None:
        raise ImageError(f"{path} is {name}, which needs pyvips and libvips with {name}")
    if not pyvips.type_find("VipsOperation", loader):
        raise ImageError(
            f"{path} is {name}, which this libvips does not read: the one of pyvips[binary] does "
            "not, a system's library does"
        )
    image = pyvips.Image.new_from_file(os.fspath(path), access="sequential", fail_on="error")
    if image.height * image.width / 1e6 > MEGAPIXELS:
        raise ImageError(
            f"{path} has {image.height * image.width / 1e6:.5g} megapixels, more than the limit of "
            f"{MEGAPIXELS:.5g}"
        )
    return image
