"""Files of photographs: what they hold is told by their headers, their pixels are read by rows.

PNG, JPEG, WebP, BMP and TIFF; grey, colour, palette and inks, with and without alpha; 8 bit, 16 bit
and floating point. Depth is decided by the file's type, never by the values. Pillow reads all but
colour and alpha of more than 8 bit, of which it would drop the lower half: those are read by
libvips (the extra `photos`).
"""

import importlib
import logging
import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, UnidentifiedImageError
from PIL.TiffImagePlugin import ImageFileDirectory_v2

from zoo.images import ImageError
from zoo.pictures.exif import TURNS, reset_orientation, upright
from zoo.pictures.picture import Picture, Rows
from zoo.pictures.png import Chunks, png_chunks, png_depth
from zoo.pictures.tiff import check_strips, tiff_tags

FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "TIFF")
# Pillow's own limit against files that are small on disk and huge in memory.
MEGAPIXELS = 2 * (Image.MAX_IMAGE_PIXELS or 89_478_485) / 1e6
EXTRA = "pip install 'asykeras[photos]'"

# Modes of Pillow: colour, alpha, dtype, and the mode that they are read as.
_MODES = {
    "1": ("grey", False, "uint8", "L"),
    "L": ("grey", False, "uint8", "L"),
    "LA": ("grey", True, "uint8", "LA"),
    "La": ("grey", True, "uint8", "LA"),
    "P": ("rgb", False, "uint8", "RGB"),
    "PA": ("rgb", True, "uint8", "RGBA"),
    "RGB": ("rgb", False, "uint8", "RGB"),
    "RGBA": ("rgb", True, "uint8", "RGBA"),
    "RGBa": ("rgb", True, "uint8", "RGBA"),
    "CMYK": ("cmyk", False, "uint8", "CMYK"),
    "YCbCr": ("rgb", False, "uint8", "RGB"),
    "I;16": ("grey", False, "uint16", "I;16"),
    "I;16B": ("grey", False, "uint16", "I;16B"),
    "F": ("grey", False, "float32", "F"),
}
# What Pillow has been seen to raise for files that are cut short, damaged or made to harm.
_DAMAGED: tuple[type[Exception], ...] = (
    *(ArithmeticError, EOFError, IndexError, KeyError, MemoryError, RuntimeError, SyntaxError),
    *(TypeError, ValueError, struct.error, zlib.error),
)
_STORED = {"1": "bilevel", "P": "palette"}
_COUNT = {"grey": 1, "rgb": 3, "cmyk": 4}


@dataclass(frozen=True)
class Photo:
    """What the header of a file says.

    Attributes:
        path: Of the file.
        format: `"PNG"`, `"JPEG"`, `"WEBP"`, `"BMP"` or `"TIFF"`.
        picture: Size (upright), channels and depth.
        stored: `"palette"` or `"bilevel"` where the file holds those, else nothing.
        orientation: EXIF's, 1 to 8; the picture is the upright one.
        deep: Whether it takes libvips to read it.
        inverted: Whether 0 is white in the file.
        exif: EXIF with the orientation reset, empty where there is none.
        info: What Pillow says about the file: `dpi`, `icc_profile`, ...
        chunks: Of a PNG file, the descriptive ones.
        tags: Of a TIFF file.
        lossless: Whether a WebP file is lossless.
        remark: What a user should know about the file, or nothing.
    """

    path: Path
    format: str
    picture: Picture
    stored: str = ""
    orientation: int = 1
    deep: bool = False
    inverted: bool = False
    exif: Image.Exif = field(default_factory=Image.Exif)
    info: dict[Any, Any] = field(default_factory=dict)
    chunks: Chunks = field(default_factory=list)
    tags: ImageFileDirectory_v2 = field(default_factory=ImageFileDirectory_v2)
    lossless: bool = False
    remark: str = ""


def read_header(path: Path, megapixels: float = MEGAPIXELS) -> Photo:
    """Return what the header of a file says; its pixels are not read.

    Args:
        path: File of one picture.
        megapixels: Limit for the size of the picture.

    Raises:
        ImageError: if it is no picture of the known formats, larger than the limit, holds several
            pictures or a kind of pixels that is not restored.
        OSError: if the file cannot be opened.
    """
    Image.init()  # Pillow knows no format by name before
    if path.stat().st_size == 0:
        raise ImageError(f"{path} is empty")
    with _reading(path), _without_limit():
        try:
            with Image.open(path, formats=FORMATS) as image:
                photo = _header(path, image)
        except UnidentifiedImageError:
            photo = _unidentified(path)
    pixels = photo.picture.height * photo.picture.width / 1e6
    if pixels > megapixels:
        raise ImageError(
            f"{path} has {pixels:.5g} megapixels, more than the limit of {megapixels:.5g} "
            "(--megapixels raises it)"
        )
    return photo


@contextmanager
def open_rows(photo: Photo) -> Iterator[Rows]:
    """Yield the function that reads rows of a file, once the file has been found to be whole.

    Files of libvips are read while the rows are asked for; all others are decoded at once, as
    Pillow does: 4 bytes a pixel of colour, 1 byte of grey.

    Raises:
        ImageError: if the file is cut short or damaged, or the extra to read it is absent. Rows
            that are read later raise it too.
    """
    if photo.deep:
        yield _vips_rows(photo)
        return
    with _reading(photo.path), _without_limit():
        file = Image.open(photo.path, formats=FORMATS)
    with file:
        with _reading(photo.path), _without_limit():
            file.load()
            # Pillow itself turns TIFF files upright, and no others.
            turned = photo.orientation in TURNS and photo.format != "TIFF"
            image = file.transpose(TURNS[photo.orientation]) if turned else file
            if turned:
                file.close()  # large pictures need their memory
        yield lambda start, stop: _pillow_rows(photo, image, start, stop)


def _header(path: Path, image: Image.Image) -> Photo:
    kind = "JPEG" if image.format == "MPO" else str(image.format)
    if kind == "TIFF":
        return _tiff_header(path, image)
    frames = getattr(image, "n_frames", 1)
    if frames > 1 and image.format != "MPO":
        raise ImageError(f"{path} is an animation of {frames} pictures; one is expected")
    chunks = png_chunks(path) if kind == "PNG" else []
    depth, colour = png_depth(path) if kind == "PNG" else (8, 0)
    deep = depth == 16 and colour != 0
    mode = {2: "RGB", 4: "LA", 6: "RGBA"}[colour] if deep else image.mode
    keyed = mode in ("1", "L", "RGB", "P", "I;16") and "transparency" in image.info
    if kind == "PNG":
        # Pillow looks behind the pixels only after it has unpacked them.
        for _, data in (each for each in chunks if each[0] == b"eXIf"):
            image.info["exif"] = data
        chunks = [each for each in chunks if each[0] != b"eXIf"]
    exif, orientation, remark = _exif(path, image)
    if image.format == "MPO":
        remark = f"of {path} only the first picture is kept"
    width, height = upright(image.size, orientation)
    return Photo(
        path=path,
        format=kind,
        picture=_picture(path, mode, height, width, "uint16" if deep else None, keyed),
        # A bit has no room for alpha.
        stored="" if keyed and mode == "1" else _STORED.get(image.mode, ""),
        orientation=orientation,
        deep=deep,
        exif=exif,
        info=dict(image.info),
        chunks=chunks,
        lossless=kind == "WEBP" and _webp_is_lossless(path),
        remark=remark,
    )


def _exif(path: Path, image: Image.Image) -> tuple[Image.Exif, int, str]:
    """Return EXIF that says upright, the orientation that it said, and what is to be remarked."""
    try:
        exif = Image.Image.getexif(image)
        orientation = reset_orientation(exif)
        exif.tobytes()  # what cannot be written is better known now than after the work
        return exif, orientation, ""
    except _DAMAGED:
        return Image.Exif(), 1, f"the EXIF data of {path} are damaged and not kept"


def _picture(
    path: Path, mode: str, height: int, width: int, dtype: str | None, keyed: bool = False
) -> Picture:
    """Return the picture that a mode of Pillow stands for; a transparent key becomes alpha."""
    if mode not in _MODES:
        raise ImageError(f"{path} holds pixels of the kind {mode}, which are not restored")
    colour, alpha, its_dtype, _ = _MODES[mode]
    alpha = alpha or keyed
    depth = np.dtype(dtype or its_dtype)
    return Picture(height, width, _COUNT[colour] + alpha, depth, colour, alpha)


# ---- TIFF


def _unidentified(path: Path) -> Photo:
    """Return the header of a file that Pillow does not know: floating-point colour in TIFF."""
    with path.open("rb") as file:
        if file.read(4) not in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
            raise ImageError(f"{path} is not a PNG, JPEG, WebP, BMP or TIFF image")
    return _tiff_header(path, None)


def _tiff_header(path: Path, image: Image.Image | None) -> Photo:
    tags = tiff_tags(path)
    if tags.next:
        raise ImageError(f"{path} holds several pictures; one is expected")
    bits, sample = _first(tags, 258, 1), _first(tags, 339, 1)
    samples, photometric = int(tags.get(277, 1)), int(tags.get(262, 1))
    mode, remark = image.mode if image else "", ""
    grey = samples == 1 and photometric in (0, 1)
    dtype = {(16, 1): "uint16", (32, 3): "float32", (64, 3): "float64"}.get((bits, sample))
    deep = bits > 8 and not (grey and mode in ("I;16", "I;16B", "F"))
    if deep:
        base = {0: "L", 1: "L", 2: "RGB", 5: "CMYK"}.get(photometric, "")
        extra = samples - {"L": 1, "RGB": 3, "CMYK": 4}.get(base, samples)
        mode = base + "A" * extra if base in ("L", "RGB") else base if not extra else ""
        if dtype is None or mode not in _MODES:
            raise ImageError(
                f"{path} holds {samples} channels of {bits} bit, a kind that is not restored"
            )
    elif Image.getmodebands(mode) < samples:
        remark = f"of {path} only {mode} is kept, not its other channels"
    check_strips(path, tags)
    orientation = int(tags.get(274, 1))
    orientation = orientation if orientation in TURNS else 1
    size = (int(tags[256]), int(tags[257]))
    width, height = upright(size, orientation)
    return Photo(
        path=path,
        format="TIFF",
        picture=_picture(path, mode, height, width, dtype if deep else None),
        stored=_STORED.get(mode, ""),
        orientation=orientation,
        deep=deep,
        # Pillow inverts 8-bit grey whose 0 is white, but no deeper one; libvips inverts all.
        inverted=grey and photometric == 0 and mode in ("I;16", "I;16B", "F"),
        info=dict(image.info) if image else {},
        tags=tags,
        remark=remark,
    )


def _first(tags: ImageFileDirectory_v2, tag: int, default: int) -> int:
    """Return a tag that has a value for each channel, which must all be the same."""
    values = tags.get(tag, default)
    values = values if isinstance(values, tuple) else (values,)
    return int(values[0]) if len(set(values)) == 1 else 0


def _webp_is_lossless(path: Path) -> bool:
    """Return whether the picture in a WebP file is in a chunk of the lossless kind."""
    with path.open("rb") as file:
        file.seek(12)
        while len(head := file.read(8)) == 8:
            if head[:4] in (b"VP8L", b"VP8 "):
                return head[:4] == b"VP8L"
            length = int.from_bytes(head[4:], "little")
            file.seek(length + length % 2, 1)
    return False


# ---- pixels


def _pillow_rows(photo: Photo, image: Image.Image, start: int, stop: int) -> np.ndarray:
    picture = photo.picture
    with _reading(photo.path), _without_limit():
        band = image.crop((0, start, picture.width, stop))
    key = image.info.get("transparency")
    if picture.dtype == np.uint16 and picture.alpha:
        values = np.asarray(band).astype(np.uint16)
        return np.stack([values, np.where(values == key, 0, 65535).astype(np.uint16)], axis=-1)
    wanted = _MODES[image.mode][3]
    if picture.alpha:
        wanted = {"L": "LA", "RGB": "RGBA"}.get(wanted, wanted)
    values = np.asarray(band if band.mode == wanted else band.convert(wanted))
    values = values.astype(picture.dtype, copy=False)
    if photo.inverted:
        values = (picture.white - values).astype(picture.dtype)
    return values.reshape(stop - start, picture.width, picture.channels)


def _vips_rows(photo: Photo) -> Rows:
    """Return the function that reads rows of a file by libvips, as it goes down the picture."""
    pyvips = _pyvips(photo)
    picture = photo.picture
    turned = photo.orientation in TURNS
    with _reading(photo.path, pyvips.Error):
        access = "random" if turned else "sequential"
        image = pyvips.Image.new_from_file(
            str(photo.path), access=access, fail_on="truncated", revalidate=True
        )
        image = image.autorot() if turned else image
        region = pyvips.Region.new(image)
    found = (image.height, image.width, image.bands, _VIPS_DTYPES.get(image.format))
    wanted = (picture.height, picture.width, picture.channels, picture.dtype.name)
    if found != wanted:
        raise ImageError(f"{photo.path} holds pixels of a kind that is not restored: {found}")
    kept = np.empty((0, picture.width, picture.channels), picture.dtype)
    first = 0

    def rows(start: int, stop: int) -> np.ndarray:
        # What the rows before have in common with these is not decoded again: it cannot be.
        nonlocal kept, first
        kept, first = kept[start - first :], start
        begin = start + len(kept)
        if begin < stop:
            with _reading(photo.path, pyvips.Error):
                data = region.fetch(0, begin, picture.width, stop - begin)
            new = np.frombuffer(data, picture.dtype).reshape(-1, *kept.shape[1:])
            kept = np.concatenate([kept, new])
        return kept[: stop - start]

    return rows


_VIPS_DTYPES = {"ushort": "uint16", "float": "float32", "double": "float64"}


def _pyvips(photo: Photo) -> Any:
    # Its warnings of harmless oddities would be printed.
    logging.getLogger("pyvips").addHandler(logging.NullHandler())
    try:
        return importlib.import_module("pyvips")
    except (ImportError, OSError):  # OSError: the package without the library
        channels, bits = photo.picture.channels, 8 * photo.picture.dtype.itemsize
        raise ImageError(
            f"{photo.path} holds {channels} channels of {bits} bit, for which the extra `photos` "
            f"must be installed ({EXTRA})"
        ) from None


# ---- errors and limits


@contextmanager
def _reading(path: Path, *more: type[Exception]) -> Iterator[None]:
    """Turn what Pillow and libvips raise for a damaged file into one sentence."""
    try:
        yield
    except (ImageError, UnidentifiedImageError):
        raise
    except OSError as error:
        if error.errno is not None:  # of the system: no such file, no permission
            raise
        raise ImageError(f"{path} cannot be read: {_line(error)}") from None
    except _DAMAGED + more as error:
        raise ImageError(f"{path} cannot be read: {_line(error)}") from None


def _line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")


@contextmanager
def _without_limit() -> Iterator[None]:
    """Lift Pillow's limit on the size of pictures, which `read_header` checks in its place."""
    before, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of damaged metadata, which are not ours to mend
            yield
    finally:
        Image.MAX_IMAGE_PIXELS = before
