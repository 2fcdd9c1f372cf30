"""Image files: finding them and reading them as arrays of 8 or 16 bit, or floating point."""

import io
import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from zoo.machine.walk import walk
from zoo.pictures.errors import ImageError as ImageError
from zoo.pictures.errors import refusing
from zoo.pictures.formats import COMMON, SUFFIXES
from zoo.pictures.photos import lenient
from zoo.pictures.photos import read_header as read_photo
from zoo.pictures.picture import picture_of
from zoo.pictures.rows import open_rows

DEEP = 257  # 65535 / 255: what an 8-bit value is multiplied by to become a 16-bit one


def find_images(
    folder: str | os.PathLike[str], tell: Callable[[str], None] = lambda remark: None
) -> list[Path]:
    """Return the image files below a folder, sorted by path.

    Args:
        folder: Folder, searched recursively for png, jpg, bmp, tif, webp, heic and avif by any of
            their endings; or one image file.
        tell: Told in one sentence what else is there.

    Raises:
        ImageError: if the folder does not exist, holds no image or cannot be read.
    """
    return find_files(folder, SUFFIXES, "image", COMMON, tell)


def find_files(
    folder: str | os.PathLike[str],
    suffixes: Sequence[str],
    kind: str,
    names: str = "",
    tell: Callable[[str], None] = lambda remark: None,
) -> list[Path]:
    """Return the files with some endings below a folder, sorted by path.

    Hidden files and folders are passed over, and links to folders (see `zoo.machine.walk`).

    Args:
        folder: Folder, searched recursively; or one file, of any ending.
        suffixes: The endings, with their full stop, in lower case.
        kind: What the files hold, for messages.
        names: What messages name of the endings; default: all.
        tell: See `find_images`, and so are the errors.
    """
    root = Path(folder)
    if root.is_file():
        return [root]
    if not root.is_dir():
        raise ImageError(f"there is no folder {root}")
    found = walk(root, suffixes, follow=True)
    if found.problems:
        raise ImageError(found.problems[0])
    left_out = found.omissions(root)
    if not found.files:
        names = names or ", ".join(suffix[1:] for suffix in suffixes)
        raise ImageError(f"{root} holds no {kind} ({names})" + (left_out and f"; {left_out}"))
    for remark in (left_out, found.not_followed(root)):
        if remark:
            tell(remark)
    return found.files


class Header(NamedTuple):
    """What a file says of its image before it is decoded."""

    height: int
    width: int
    dtype: np.dtype[np.generic]  # of its values: uint8, uint16 or float32


def read_image(path: str | os.PathLike[str], depth: str = "8") -> np.ndarray:
    """Read an image file through the gate that `restore` uses.

    The image is turned upright, an alpha channel is dropped, palettes and CMYK become RGB.

    Args:
        path: The file.
        depth: `"8"`: uint8, with values of more bits rounded; floating point has white at 1, and
            what is a little darker than 0 or brighter than 1 is clipped. `"file"`: as it is, uint8,
            uint16 (for 12 bit, too) or float32, which may go beyond 0 and 1.

    Returns:
        Array `(height, width, 1)` for a greyscale file, else `(height, width, 3)`.

    Raises:
        ImageError: if the file is no image, is cut short, or holds what the depth cannot keep:
            values that are not finite, for 8 bit beyond 2 or -1, signed integers, integers of 32
            bit.
        ValueError: for another depth.
    """
    if depth not in ("8", "file"):
        raise ValueError(f"depth must be '8' or 'file'. Received: depth={depth!r}")
    photo = read_photo(Path(path))
    picture = photo.picture
    with open_rows(photo) as rows:
        values = rows(0, picture.height)[..., : picture.channels - picture.alpha]
    if rows.remark and depth == "8":
        raise ImageError(rows.remark)
    wanted = picture.dtype if depth == "file" else np.dtype(np.uint8)
    if picture.colour == "cmyk":
        values = _without_inks(values)
    if values.dtype == wanted:
        return values
    if values.dtype.kind == "f":
        return replace(picture, dtype=wanted).quantize(values.astype(np.float64))
    return ((values.astype(np.uint32) + DEEP // 2) // DEEP).astype(np.uint8)


def read_header(path: str | os.PathLike[str]) -> Header:
    """Return the size and the depth of an image file without decoding it."""
    picture = read_photo(Path(path)).picture
    return Header(picture.height, picture.width, picture.dtype)


def encoded_size(content: bytes) -> tuple[int, int]:
    """Return height and width of an encoded image as it is stored, not turned upright."""
    with refusing(Path("the image")), lenient(), Image.open(io.BytesIO(content)) as image:
        return image.height, image.width


def _without_inks(values: np.ndarray) -> np.ndarray:
    """Return the red, green and blue that paper throws back: each ink takes its share of it."""
    picture = picture_of(values)
    light = 1 - values / picture.white
    return picture.quantize(light[..., :3] * light[..., 3:])


def to_channels(image: np.ndarray, channels: str) -> np.ndarray:
    """Bring an image to the channels that a network is trained on.

    Args:
        image: `(height, width, 1 or 3)`, uint8, uint16 or floating point with white at 1.
        channels: `"luma"` (Y of BT.601 in studio range, rounded to whole values as MATLAB's
            `rgb2ycbcr`; a greyscale image keeps its own values), `"grey"` (0.299 R + 0.587 G +
            0.114 B, rounded) or `"rgb"` (a greyscale image is repeated three times). Floating point
            is not rounded.

    Returns:
        Array of the same dtype with one channel, or three for `"rgb"`.
    """
    if channels == "rgb":
        return np.repeat(image, 3, axis=-1) if image.shape[-1] == 1 else image
    if image.shape[-1] == 1:
        return image
    if channels == "luma":
        weights, offset = np.array([65.481, 128.553, 24.966]) / 255, 16
        offset *= DEEP if image.dtype == np.uint16 else 1
    else:
        weights, offset = np.array([0.299, 0.587, 0.114]), 0
    if image.dtype.kind == "f":
        return (image @ weights + offset / 255).astype(image.dtype)[..., None]
    values = image.astype(np.float64) @ weights + offset
    return np.floor(values + 0.5).astype(image.dtype)[..., None]


def to_uint8(image: np.ndarray) -> np.ndarray:
    """Clip an image in [0, 1], round it half up to 8 bit and return it as uint8."""
    return np.floor(np.clip(image, 0, 1) * 255 + 0.5).astype(np.uint8)


def crop_to_multiple(image: np.ndarray, scale: int) -> np.ndarray:
    """Cut the bottom and the right so that height and width divide by `scale`."""
    height, width = image.shape[:2]
    return image[: height - height % scale, : width - width % scale]
