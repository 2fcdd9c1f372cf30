"""The pixels of photographs, by rows.

Pillow reads all but colour and alpha of more than 8 bit, of which it would drop the lower half:
those are read by libvips (the extra `photos`), or, where that is absent, by Pillow in two passes if
it knows their layout.
"""

import importlib
import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np
from PIL import ExifTags, Image, ImageFile, UnidentifiedImageError

from zoo.pictures.claims import check_memory
from zoo.pictures.errors import ImageError, refusing
from zoo.pictures.exif import TURNS, upright
from zoo.pictures.jpeg import check_scans
from zoo.pictures.photos import MODES, Photo, lenient
from zoo.pictures.picture import Rows
from zoo.pictures.png import png_pixels
from zoo.pictures.tiff import FAX, JPEG

if TYPE_CHECKING:
    import pyvips

EXTRA = "pip install 'asykeras[photos]'"
# Bytes per pixel that a decoder holds, at most: JPEG that comes in several scans keeps all
# coefficients, WebP two pictures and a copy.
_HELD = {"PNG": 8, "JPEG": 16, "WEBP": 20, "BMP": 4, "TIFF": 8, "HEIF": 20, "AVIF": 20}
BRIGHT = 2.0  # floating point beyond was not made with white at 1
_VIPS_FORMATS = {"uint8": "uchar", "uint16": "ushort", "float32": "float"}
# Pillow's raw modes of 16-bit colours end in the order of the two bytes: big, little or native.
_OTHER_BYTE = {"B": "L", "L": "B", "N": "B" if sys.byteorder == "little" else "L"}


# How an orientation becomes upright: by quarters, clockwise, and then mirrored or not.
_QUARTERS = {
    **{2: (0, True), 3: (2, False), 4: (2, True), 5: (1, True)},
    **{6: (1, False), 7: (3, True), 8: (3, False)},
}


class PhotoRows:
    """Reads rows of a photograph, and looks at what it reads.

    Attributes:
        remark: What a user should know about the values read so far, or nothing.
    """

    def __init__(self, photo: Photo, read: Rows) -> None:
        """Take the function that reads rows of the file."""
        self.remark = ""
        self._photo, self._read = photo, read
        self._lowest, self._highest = 0.0, 0.0

    def __call__(self, start: int, stop: int) -> np.ndarray:
        """Return rows of the picture; refuse damage, a changed file and what is not finite."""
        with _watched(self._photo):
            rows = self._read(start, stop)
        if rows.dtype.kind == "f":
            self._look(rows)
        return rows

    def _look(self, rows: np.ndarray) -> None:
        path = self._photo.path
        self._lowest = min(self._lowest, float(rows.min()))  # NaN comes through
        self._highest = max(self._highest, float(rows.max()))
        if not np.isfinite(rows).all():
            raise ImageError(f"{path} has values that are not finite, which cannot be restored")
        if self._highest > BRIGHT or self._lowest < -1:
            self.remark = (
                f"{path} has values of {self._lowest:.5g} to {self._highest:.5g}, and white is 1.0 "
                "in floating point (65535 in 16 bit)"
            )


@contextmanager
def open_rows(photo: Photo) -> Iterator[PhotoRows]:
    """Yield what reads rows of a file, once the file has been found to be whole.

    Files of libvips are read while the rows are asked for; all others are decoded at once, as
    Pillow does: 4 bytes a pixel of colour, 1 byte of grey. Refused, also while rows are read, is a
    file that is cut short or damaged or has changed since its header was read, whose picture does
    not fit into the memory, or for which the extra is absent.
    """
    turned = photo.orientation in TURNS
    size = photo.picture.height * photo.picture.width
    lenient = photo.format == "JPEG" or photo.tiff.compression in FAX + JPEG
    pyvips = libvips() if photo.deep or lenient else None
    if pyvips is None or turned or not photo.deep:
        deep = photo.picture.channels * photo.picture.dtype.itemsize
        check_memory(photo.path, size * (2 * deep if photo.deep else _HELD[photo.format]))
    with _watched(photo):
        if not photo.deep:
            if lenient:
                _check_whole(photo, pyvips)
            rows = _pillow_rows(photo)
        elif pyvips is not None:
            rows = _vips_rows(photo, pyvips)
        else:
            rows = _rows_of(_in_two_passes(photo))
    yield PhotoRows(photo, rows)


@contextmanager
def _watched(photo: Photo) -> Iterator[None]:
    """Refuse a file that cannot be read in the block, or is not the same behind it."""
    try:
        with refusing(photo.path):
            yield
    except (ImageError, OSError):
        photo.check_unchanged()  # that is what is wrong, then
        raise
    photo.check_unchanged()


@contextmanager
def _opened(photo: Photo) -> Iterator[ImageFile.ImageFile]:
    """Yield a file as Pillow opens it: the first picture, not yet decoded."""
    # A file that is open already, since Pillow would map one into memory that it opens by its name,
    # and the process would be killed when somebody cuts that short.
    with (
        png_pixels(photo.path, photo.png)
        if photo.format == "PNG"
        else photo.path.open("rb") as file
    ):
        with lenient():
            image = Image.open(file, formats=(photo.format,))
        if photo.png.key and "transparency" in image.info:
            # Pillow spreads grey of few bits over 8, but not the one that is transparent
            spread = max(255 // (2**photo.png.depth - 1), 1)
            key = tuple(spread * value for value in photo.png.key)
            image.info["transparency"] = key if len(key) == 3 else key[0]
        if photo.format == "TIFF":  # which Pillow turns upright itself, by these
            exif = Image.Exif()
            exif[ExifTags.Base.Orientation] = photo.orientation
            image.info["exif"] = exif.tobytes()
        yield image


def _turned(photo: Photo, values: np.ndarray) -> np.ndarray:
    """Return the values of a file upright."""
    quarters, mirrored = _QUARTERS.get(photo.orientation, (0, False))
    return np.rot90(values, -quarters)[:, :: -1 if mirrored else 1]


def _rows_of(values: np.ndarray) -> Rows:
    return lambda start, stop: values[start:stop]


# ---- Pillow


def _pillow_rows(photo: Photo) -> Rows:
    with _opened(photo) as file:
        file.load()
        image: Image.Image = file
        if photo.orientation in TURNS and photo.format != "TIFF":  # see `_opened`
            image = file.transpose(TURNS[photo.orientation])
    if image.size != (photo.picture.width, photo.picture.height):
        raise ImageError(f"{photo.path} is damaged: its size is not the one that it claims")
    return lambda start, stop: _pillow_band(photo, image, start, stop)


def _pillow_band(photo: Photo, image: Image.Image, start: int, stop: int) -> np.ndarray:
    picture = photo.picture
    with lenient():
        band = image.crop((0, start, picture.width, stop))
    key = image.info.get("transparency")
    if picture.dtype == np.uint16 and picture.alpha:
        return _with_key(np.asarray(band).astype(np.uint16)[..., None], key)
    wanted = MODES[image.mode][3]
    if picture.alpha:
        wanted = {"L": "LA", "RGB": "RGBA"}.get(wanted, wanted)
    values = np.asarray(band if band.mode == wanted else band.convert(wanted))
    values = values.astype(picture.dtype, copy=False)
    if photo.bits == 12 and picture.dtype == np.uint16:  # of HEIC and AVIF Pillow gives 8
        values = ((values.astype(np.uint32) * 65535 + 2047) // 4095).astype(np.uint16)
    if photo.inverted:
        values = (picture.white - values).astype(picture.dtype)
    return values.reshape(stop - start, picture.width, picture.channels)


def _in_two_passes(photo: Photo) -> np.ndarray:
    """Return the 16-bit values of a file with several channels, read by Pillow.

    Pillow keeps only the upper byte of each value. So the file is decoded twice, the second time
    with the bytes said to be in the other order: what is kept then are the lower bytes.
    """
    picture = photo.picture
    raw, key, planes = "", None, False
    with suppress(UnidentifiedImageError), _opened(photo) as image:
        raw = _raw_mode(image)
        key = image.info.get("transparency")
        planes = getattr(image, "tag_v2", {}).get(284) == 2
    known = raw[:-1] in ("RGB;16", "RGBA;16", "RGBa;16", "RGBX;16", "CMYK;16", "LA;16")
    if not known or planes or picture.dtype != np.uint16:
        raise ImageError(
            f"{photo.path} holds {picture.channels} channels of {8 * picture.dtype.itemsize} bit; "
            f"to read it: {EXTRA}"
        )
    if raw == "LA;16B":  # upper and lower byte of the grey value, then those of alpha
        both = _decoded_as(photo, "RGBA")
        values = both[..., ::2] * 256 + both[..., 1::2]
    else:
        plain = raw.replace("a", "A")  # Pillow would divide the bytes by alpha
        upper = _decoded_as(photo, plain)
        values = upper * 256 + _decoded_as(photo, plain[:-1] + _OTHER_BYTE[raw[-1]])
    if key is not None:
        values = _with_key(values, key)
    values = values[..., : picture.channels]
    if photo.associated:
        colours, alpha = values[..., :-1].astype(np.float64), values[..., -1:] / picture.white
        apart = np.divide(colours, alpha, out=np.zeros_like(colours), where=alpha > 0)
        apart = picture.quantize(apart / picture.white)
        values = np.concatenate([apart, values[..., -1:]], axis=-1)
    return values if photo.format == "TIFF" else _turned(photo, values)


def _raw_mode(image: ImageFile.ImageFile) -> str:
    """Return Pillow's name for the layout of the values in a file."""
    arguments = image.tile[0].args if image.tile else ""
    return str(arguments[0] if isinstance(arguments, tuple) and arguments else arguments)


def _decoded_as(photo: Photo, raw_mode: str) -> np.ndarray:
    """Decode a file with its bytes said to be laid out in some way; return them as uint16."""
    with _opened(photo) as image:
        image.tile = [
            tile._replace(args=(raw_mode, *tile.args[1:]) if type(tile.args) is tuple else raw_mode)
            for tile in image.tile
        ]
        image.load()
        return np.asarray(image).astype(np.uint16)


def _with_key(values: np.ndarray, key: int | tuple[int, ...] | None) -> np.ndarray:
    """Return 16-bit values with alpha, which is 0 where they are the transparent key."""
    alpha = np.where((values == key).all(-1, keepdims=True), 0, 65535).astype(np.uint16)
    return np.concatenate([values, alpha], axis=-1)


# ---- libvips


def _vips_rows(photo: Photo, pyvips: ModuleType) -> Rows:
    """Return the function that reads rows of a file by libvips, as it goes down the picture."""
    picture = photo.picture
    image = _vips_image(photo, pyvips, "error")
    found = (*upright((image.width, image.height), photo.orientation), image.format)
    wanted = (picture.width, picture.height, _VIPS_FORMATS[picture.dtype.name])
    if found != wanted or image.bands < picture.channels:
        raise ImageError(f"{photo.path} holds pixels of a kind that is not read: {found}")

    def shaped(data: bytes) -> np.ndarray:
        new = np.frombuffer(data, picture.dtype).reshape(-1, image.width, image.bands)
        new = new[..., : picture.channels]
        if photo.inverted:
            with np.errstate(invalid="ignore"):  # what is no number is refused later
                return np.concatenate([picture.white - new[..., :1], new[..., 1:]], axis=-1)
        return new

    if photo.orientation in TURNS:  # by libvips it would keep the file open after an error
        return _rows_of(_turned(photo, shaped(image.write_to_memory())))
    region = pyvips.Region.new(image)
    kept = np.empty((0, picture.width, picture.channels), picture.dtype)
    first = 0

    def rows(start: int, stop: int) -> np.ndarray:
        # What the rows before have in common with these is not decoded again: it cannot be.
        nonlocal kept, first
        kept, first = kept[start - first :], start
        begin = start + len(kept)
        if begin < stop:
            new = shaped(region.fetch(0, begin, picture.width, stop - begin))
            kept = np.concatenate([kept, new])
        return kept[: stop - start]

    return rows


def _check_whole(photo: Photo, pyvips: ModuleType | None) -> None:
    """Refuse JPEG and fax that Pillow would read in silence where they are damaged.

    It makes grey what is missing of JPEG, and takes what lies in the memory for the rest of a fax.
    """
    if photo.format == "JPEG":
        check_scans(photo.path)
    if pyvips is None:
        if photo.tiff.compression in FAX:
            raise ImageError(f"{photo.path} is compressed as a fax; to read it: {EXTRA}")
        return
    try:
        _vips_image(photo, pyvips, "warning").avg()
    except pyvips.Error as error:
        if photo.format == "TIFF" or "premature end" in str(error):
            raise ImageError(f"{photo.path} cannot be read: it is cut short or damaged") from error


def _vips_image(photo: Photo, pyvips: ModuleType, fail_on: str) -> "pyvips.Image":
    """Return a file as libvips opens it; of a source, since it would keep a file open."""
    source = pyvips.Source.new_from_file(os.fsencode(photo.path))
    return pyvips.Image.new_from_source(source, "", access="sequential", fail_on=fail_on)


def libvips() -> ModuleType | None:
    """Return the package, None where it or its library is not installed."""
    # Its warnings of harmless oddities would be printed.
    logging.getLogger("pyvips").addHandler(logging.NullHandler())
    try:
        return importlib.import_module("pyvips")
    except (ImportError, OSError):  # OSError: the package without the library
        return None
