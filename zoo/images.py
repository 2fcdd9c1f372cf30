"""Image files: finding them and reading them as arrays of 8 or 16 bit."""

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, NamedTuple

import numpy as np
from PIL import Image, ImageFile, UnidentifiedImageError

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp")
DEEP = 257  # 65535 / 255: what an 8-bit value is multiplied by to become a 16-bit one
# Pillow's raw modes of 16-bit colours end in the order of the two bytes: big, little or native.
OTHER_BYTE = {"B": "L", "L": "B", "N": "B" if sys.byteorder == "little" else "L"}
BITS_PER_SAMPLE, PLANES = 258, 284  # tags of TIFF


class ImageError(ValueError):
    """A file or folder of images that cannot be used, with the reason in one sentence."""


def find_images(folder: str | os.PathLike[str]) -> list[Path]:
    """Return the image files below a folder, sorted by path.

    Args:
        folder: Folder, searched recursively for png, jpg, bmp, tif and webp; or one image file.

    Raises:
        ImageError: if the folder does not exist or holds no image.
    """
    return find_files(folder, SUFFIXES, "image")


def find_files(folder: str | os.PathLike[str], suffixes: Sequence[str], kind: str) -> list[Path]:
    """Return the files with some endings below a folder, sorted by path.

    Args:
        folder: Folder, searched recursively; or one file, of any ending.
        suffixes: The endings, with their full stop, in lower case.
        kind: What the files hold, for messages.

    Raises:
        ImageError: if the folder does not exist or holds no such file.
    """
    root = Path(folder)
    if root.is_file():
        return [root]
    if not root.is_dir():
        raise ImageError(f"there is no folder {root}")
    paths = sorted(path for path in root.rglob("*") if path.suffix.lower() in suffixes)
    if not paths:
        raise ImageError(f"{root} holds no {kind} ({', '.join(s[1:] for s in suffixes)})")
    return paths


class Header(NamedTuple):
    """What a file says of its image before it is decoded."""

    height: int
    width: int
    deep: bool  # 16 bit


def read_image(path: str | os.PathLike[str], depth: str = "8") -> np.ndarray:
    """Read an image file.

    An alpha channel is dropped, palettes and CMYK become RGB.

    Args:
        path: The file.
        depth: `"8"`: uint8, with 16-bit values scaled to 8 bit. `"file"`: uint16 for a file of
            16 bit, uint8 for any other.

    Returns:
        Array `(height, width, 1)` for a greyscale file, else `(height, width, 3)`.

    Raises:
        ImageError: if the file is no image, or is cut short.
        ValueError: for another depth.
    """
    if depth not in ("8", "file"):
        raise ValueError(f"depth must be '8' or 'file'. Received: {depth!r}")
    with _opened(path) as image:
        deep = _is_deep(image)
        colours = not image.mode.startswith("I")
        if not (deep and depth == "file" and colours):
            image.load()
            return _as_uint16(image) if deep and depth == "file" else _as_uint8(image)
    return _deep_colours(path)


def read_header(file: str | os.PathLike[str] | IO[bytes]) -> Header:
    """Return the size and the depth of an image file without decoding it.

    Args:
        file: A path, or an open file.

    Raises:
        ImageError: if the file is no image.
    """
    with _opened(file) as image:
        return Header(image.height, image.width, _is_deep(image))


@contextmanager
def _opened(file: str | os.PathLike[str] | IO[bytes]) -> Iterator[ImageFile.ImageFile]:
    """Yield an image whose errors, also those of the block, name the file in one sentence."""
    try:
        with Image.open(file) as image:
            yield image
    except ImageError:
        raise
    except UnidentifiedImageError:
        raise ImageError(f"{file} is not an image that can be read") from None
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise ImageError(f"{file} cannot be read: {error}") from None


def _is_deep(image: ImageFile.ImageFile) -> bool:
    """Return whether a file has 16 bits per value."""
    if image.mode.startswith("I") or ";16" in _raw_mode(image):
        return True
    bits = getattr(image, "tag_v2", {}).get(BITS_PER_SAMPLE, ())
    if 16 in bits and image.mode != "F":  # planes whose bytes Pillow takes for 8-bit values
        raise _planes(image)
    return False


def _planes(image: ImageFile.ImageFile) -> ImageError:
    return ImageError(
        f"{os.fsdecode(image.filename)} has 16-bit colours in planes, which cannot be read: save "
        "it with interleaved colours"
    )


def _raw_mode(image: ImageFile.ImageFile) -> str:
    """Return Pillow's name for the layout of the values in a file, empty for JPEG and the like."""
    arguments = image.tile[0].args if image.tile else ""
    return str(arguments[0] if isinstance(arguments, tuple) and arguments else arguments)


def _deep_colours(path: str | os.PathLike[str]) -> np.ndarray:
    """Return the 16-bit values of a file with several channels.

    Pillow keeps only the upper byte of each value. So the file is decoded twice, the second time
    with the bytes said to be in the other order: what is kept then are the lower bytes.
    """
    with _opened(path) as image:
        raw = _raw_mode(image)
        if getattr(image, "tag_v2", {}).get(PLANES) == 2:
            raise _planes(image)
    if raw == "LA;16B":  # upper and lower byte of the grey value, then those of alpha
        both = _decoded_as(path, "RGBA")
        return both[..., :1] * 256 + both[..., 1:2]
    if raw[:-1] not in ("RGB;16", "RGBA;16", "RGBX;16") or raw[-1] not in OTHER_BYTE:
        raise ImageError(f"{path} has 16-bit values in a form that cannot be read: {raw}")
    upper = _decoded_as(path, raw)
    return upper[..., :3] * 256 + _decoded_as(path, raw[:-1] + OTHER_BYTE[raw[-1]])[..., :3]


def _decoded_as(path: str | os.PathLike[str], raw_mode: str) -> np.ndarray:
    """Decode a file with its bytes said to be laid out in some way; return them as uint16."""
    with _opened(path) as image:
        image.tile = [
            tile._replace(args=(raw_mode, *tile.args[1:]) if type(tile.args) is tuple else raw_mode)
            for tile in image.tile
        ]
        image.load()
        return np.asarray(image).astype(np.uint16)


def _as_uint16(image: Image.Image) -> np.ndarray:
    return np.clip(np.asarray(image), 0, 65535).astype(np.uint16)[..., None]


def _as_uint8(image: Image.Image) -> np.ndarray:
    if image.mode.startswith("I"):  # 16-bit grey
        values = np.asarray(image).astype(np.int64)
        return np.clip((values + 128) // DEEP, 0, 255).astype(np.uint8)[..., None]
    if image.mode in ("L", "LA", "1"):
        return np.asarray(image.convert("L"))[..., None]
    return np.asarray(image.convert("RGB"))


def to_channels(image: np.ndarray, channels: str) -> np.ndarray:
    """Bring an image to the channels that a network is trained on.

    Args:
        image: `(height, width, 1 or 3)`, uint8 or uint16.
        channels: `"luma"` (Y of BT.601 in studio range, rounded to whole values as MATLAB's
            `rgb2ycbcr`; a greyscale image keeps its own values), `"grey"` (0.299 R + 0.587 G +
            0.114 B, rounded) or `"rgb"` (a greyscale image is repeated three times).

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
    values = image.astype(np.float64) @ weights + offset
    return np.floor(values + 0.5).astype(image.dtype)[..., None]


def crop_to_multiple(image: np.ndarray, scale: int) -> np.ndarray:
    """Cut the bottom and the right so that height and width divide by `scale`."""
    height, width = image.shape[:2]
    return image[: height - height % scale, : width - width % scale]
