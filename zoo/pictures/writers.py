"""Writers of photographs, by rows where the format allows: PNG and TIFF in any depth.

JPEG, WebP and BMP are Pillow's, which holds the whole picture in memory, and so is the choice of
the colours of a palette. What belongs to a file beside its pixels goes into the new one: colour
profile, resolution, EXIF, XMP, texts.
"""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import numpy as np
from PIL import ExifTags, Image

from zoo.pictures.claims import check_memory
from zoo.pictures.errors import ImageError, refusing
from zoo.pictures.exif import new_sizes, upright_xmp
from zoo.pictures.jpeg import with_segments
from zoo.pictures.photos import Photo
from zoo.pictures.picture import RowWriter
from zoo.pictures.png import PngRows
from zoo.pictures.tiff import COLOURS, TiffRows, enlarged

QUALITY = 95  # of JPEG and lossy WebP
# The most pixels a side that a format can hold.
LARGEST = {"JPEG": 65_500, "WEBP": 16_383}
TIFF_BYTES = 2**32 - 2**24  # offsets have 32 bit; some room for tags


@contextmanager
def open_writer(photo: Photo, path: Path, scale: int) -> Iterator[RowWriter]:
    """Yield the writer of a restored photograph, in the format and with the metadata of the old."""
    with path.open("wb") as file:
        by_rows = photo.format in ("PNG", "TIFF") and photo.stored != "palette"
        writer = _by_rows(photo, file, scale) if by_rows else PillowRows(photo, file, scale)
        yield writer
        with refusing(photo.path, "written"):
            writer.close()


def check_limits(photo: Photo, scale: int) -> None:
    """Refuse a restored photograph that its format cannot hold, before it is restored."""
    picture = photo.picture
    side = scale * max(picture.height, picture.width)
    if side > LARGEST.get(photo.format, side):
        raise ImageError(
            f"{photo.path} would have {side} pixels a side; {photo.format} can hold "
            f"{LARGEST[photo.format]}"
        )
    pixels = scale**2 * picture.height * picture.width
    if photo.format not in ("PNG", "TIFF") or photo.stored == "palette":
        check_memory(photo.path, 4 * pixels)  # Pillow's, which writes them
    size = pixels * picture.channels * picture.dtype.itemsize
    if photo.format == "TIFF" and size > TIFF_BYTES:
        raise ImageError(f"{photo.path} would have {size / 1e9:.1f} GB; TIFF can hold 4 GB")


def _by_rows(
    photo: Photo, file: IO[bytes], scale: int, palette: np.ndarray | None = None
) -> RowWriter:
    """Return the writer of PNG or TIFF; with a palette `(colours, 3 or 4)`, of numbers of it."""
    picture = photo.picture
    height, width = scale * picture.height, scale * picture.width
    bilevel = photo.stored == "bilevel"
    if photo.format == "PNG":
        exif = _exif_bytes(photo, scale).removeprefix(b"Exif\0\0")
        chunks = [*photo.png.chunks, *([(b"eXIf", exif)] if exif else [])]
        depth = 1 if bilevel else 8 * picture.dtype.itemsize
        kind = 3 if palette is not None else 4 * picture.alpha + 2 * (picture.colour == "rgb")
        return PngRows(file, (width, height), kind, depth, chunks, palette)
    metadata = enlarged(photo.tiff, picture, scale)
    return TiffRows(file, (width, height), picture, metadata, bilevel, palette)


class PillowRows(RowWriter):
    """Collects a picture and lets Pillow write it, or choose the colours of its palette."""

    def __init__(self, photo: Photo, file: IO[bytes], scale: int) -> None:
        """Make room for the picture."""
        self.photo, self.file, self.scale = photo, file, scale
        picture = photo.picture
        mode = {"grey": "L", "rgb": "RGB", "cmyk": "CMYK"}[picture.colour] + "A" * picture.alpha
        self.image = Image.new(mode, (scale * picture.width, scale * picture.height))
        self.row = 0

    def write(self, rows: np.ndarray) -> None:
        """Append rows."""
        self.image.paste(_as_image(rows, self.image.mode), (0, self.row))
        self.row += len(rows)

    def close(self) -> None:
        """Encode the picture; of a palette with the 256 colours that suit it best."""
        image, mode = self.image, self.image.mode
        if self.photo.stored == "bilevel":
            image = image.point(lambda value: 255 * (value >= 128), mode="1")
        elif self.photo.stored == "palette":
            # Pillow's median cut is the better one, but knows no alpha.
            method = Image.Quantize.FASTOCTREE if mode == "RGBA" else Image.Quantize.MEDIANCUT
            image = image.quantize(COLOURS, method=method, kmeans=1)
            if self.photo.format in ("PNG", "TIFF"):
                palette = np.array(image.getpalette(mode), np.uint8).reshape(-1, len(mode))
                writer = _by_rows(self.photo, self.file, self.scale, palette)
                writer.write(np.asarray(image)[..., None])
                writer.close()
                return
        save(self.photo, image, self.file, self.scale)


def save(photo: Photo, image: Image.Image, file: IO[bytes], scale: int) -> None:
    """Let Pillow write a picture with the metadata of the photograph that it was."""
    exif = _exif_bytes(photo, scale)
    options: dict[str, int | str | bytes | tuple[float, float] | None] = {}
    if photo.dpi is not None and photo.format in ("JPEG", "BMP"):
        options["dpi"] = photo.dpi
    if photo.format == "JPEG":
        options |= {"quality": QUALITY, "subsampling": "4:4:4", "progressive": photo.progressive}
        segments = [(0xE1, exif)] * bool(exif) + photo.segments
        # Pillow has no room for long segments, and knows few of them
        encoded = io.BytesIO()
        image.save(encoded, photo.format, **options, comment=b"")
        file.write(with_segments(encoded.getvalue(), segments))
        return
    if photo.format == "WEBP":
        lossless = photo.lossless
        options |= {"quality": QUALITY, "lossless": lossless, "exact": lossless}
        options |= {"icc_profile": photo.profile, "exif": exif}
    if photo.format in ("HEIF", "AVIF"):
        options |= {"quality": QUALITY, "icc_profile": photo.profile}
        options |= {"exif": exif} if exif else {}  # none is not the same as an empty one
        options |= {"chroma": 444} if photo.format == "HEIF" else {"subsampling": "4:4:4"}
    if photo.format in ("WEBP", "HEIF", "AVIF") and photo.xmp is not None:
        options["xmp"] = upright_xmp(photo.xmp)
    image.save(file, photo.format, **options)


def _exif_bytes(photo: Photo, scale: int) -> bytes:
    """Return the EXIF of a photograph with the new size, empty where it has none."""
    if not len(photo.exif):
        return b""
    inner = photo.exif.get_ifd(ExifTags.IFD.Exif)
    inner.update(new_sizes(inner, photo.picture, scale))
    return photo.exif.tobytes()


def _as_image(rows: np.ndarray, mode: str) -> Image.Image:
    lines = np.ascontiguousarray(rows[..., 0] if mode == "L" else rows)
    return Image.frombuffer(mode, (rows.shape[1], rows.shape[0]), lines, "raw", mode, 0, 1)
