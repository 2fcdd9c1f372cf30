"""Image files: finding them and reading them as 8-bit arrays."""

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp")


class ImageError(ValueError):
    """A file or folder of images that cannot be used, with the reason in one sentence."""


def find_images(folder: str | os.PathLike[str]) -> list[Path]:
    """Return the image files below a folder, sorted by path.

    Args:
        folder: Folder, searched recursively for png, jpg, bmp, tif and webp; or one image file.

    Raises:
        ImageError: if the folder does not exist or holds no image.
    """
    root = Path(folder)
    if root.is_file():
        return [root]
    if not root.is_dir():
        raise ImageError(f"there is no folder {root}")
    paths = sorted(path for path in root.rglob("*") if path.suffix.lower() in SUFFIXES)
    if not paths:
        raise ImageError(f"{root} holds no image ({', '.join(s[1:] for s in SUFFIXES)})")
    return paths


def read_image(path: str | os.PathLike[str]) -> np.ndarray:
    """Read an image file as uint8.

    16-bit values are scaled to 8 bit, an alpha channel is dropped, palettes and CMYK become RGB.

    Returns:
        uint8 array, `(height, width, 1)` for a greyscale file, else `(height, width, 3)`.

    Raises:
        ImageError: if the file is no image, or is cut short.
    """
    try:
        with Image.open(path) as image:
            image.load()
            return _as_uint8(image)
    except UnidentifiedImageError:
        raise ImageError(f"{path} is not an image that can be read") from None
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise ImageError(f"{path} cannot be read: {error}") from None


def _as_uint8(image: Image.Image) -> np.ndarray:
    if image.mode.startswith("I"):  # 16-bit grey; 257 = 65535 / 255
        values = np.asarray(image).astype(np.int64)
        return np.clip((values + 128) // 257, 0, 255).astype(np.uint8)[..., None]
    if image.mode in ("L", "LA", "1"):
        return np.asarray(image.convert("L"))[..., None]
    return np.asarray(image.convert("RGB"))


def to_channels(image: np.ndarray, channels: str) -> np.ndarray:
    """Bring a uint8 image to the channels that a network is trained on.

    Args:
        image: `(height, width, 1 or 3)`, uint8.
        channels: `"luma"` (Y of BT.601 in studio range, rounded to 8 bit as MATLAB's `rgb2ycbcr`; a
            greyscale image keeps its own values), `"grey"` (0.299 R + 0.587 G + 0.114 B, rounded)
            or `"rgb"` (a greyscale image is repeated three times).

    Returns:
        uint8 array with one channel, or three for `"rgb"`.
    """
    if channels == "rgb":
        return np.repeat(image, 3, axis=-1) if image.shape[-1] == 1 else image
    if image.shape[-1] == 1:
        return image
    if channels == "luma":
        weights, offset = np.array([65.481, 128.553, 24.966]) / 255, 16
    else:
        weights, offset = np.array([0.299, 0.587, 0.114]), 0
    values = image.astype(np.float64) @ weights + offset
    return np.floor(values + 0.5).astype(np.uint8)[..., None]


def crop_to_multiple(image: np.ndarray, scale: int) -> np.ndarray:
    """Cut the bottom and the right so that height and width divide by `scale`."""
    height, width = image.shape[:2]
    return image[: height - height % scale, : width - width % scale]


def describe(images: Sequence[np.ndarray]) -> str:
    """Return one line about decoded images: how many, how large, how much memory."""
    sizes = sorted(image.shape[0] * image.shape[1] for image in images)
    return (
        f"{len(images)} images, {sizes[0] / 1e6:.2f} to {sizes[-1] / 1e6:.2f} megapixels, "
        f"{sum(image.nbytes for image in images) / 2**20:.0f} MiB in memory"
    )
