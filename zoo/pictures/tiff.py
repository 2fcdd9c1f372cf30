"""TIFF: its tags, and a writer by rows."""

import struct
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from PIL import ExifTags
from PIL.TiffImagePlugin import ImageFileDirectory_v2

from zoo.images import ImageError
from zoo.pictures.exif import set_size, upright_xmp
from zoo.pictures.picture import Picture, RowWriter, packed

COLOURS = 256  # of a palette
Tags = dict[int, tuple[int, Any]]  # type and values
# Description, maker, model, software, date, artist, host, copyright; resolution and its unit;
# XMP, IPTC, Photoshop's, colour profile.
_TEXTS = (270, 271, 272, 305, 306, 315, 316, 33432)
_RESOLUTION, _UNIT = (282, 283), 296
_BYTES = (700, 33723, 34377, 34675)
_COMPRESSION, _ORIENTATION, _EXIF, _GPS = 259, 274, 34665, 34853


def tiff_tags(path: Path, group: int | None = None) -> ImageFileDirectory_v2:
    """Return the tags of the first picture of a TIFF file, or of a directory that a tag points to.

    Args:
        path: TIFF file.
        group: Tag of the directory, 34665 for EXIF.
    """
    with path.open("rb") as file:
        head = file.read(8)
        head += file.read(8) if head[2:4] in (b"+\0", b"\0+") else b""
        tags = ImageFileDirectory_v2(head)
        file.seek(tags.next)
        tags.load(file)
        if group is not None:
            inner = ImageFileDirectory_v2(head, group=group)
            file.seek(int(tags[group]))
            inner.load(file)
            return inner
    return tags


def check_strips(path: Path, tags: ImageFileDirectory_v2) -> None:
    """Refuse a file that ends before its pixels do: libvips would fill in what is missing."""
    size = path.stat().st_size
    for offsets, lengths in ((273, 279), (324, 325)):  # strips, tiles
        if offsets in tags and lengths in tags:
            pairs = zip(np.ravel(tags[offsets]), np.ravel(tags[lengths]), strict=False)
            if any(int(offset) + int(length) > size for offset, length in pairs):
                raise ImageError(f"{path} cannot be read: it is cut short")


class TiffRows(RowWriter):
    """Writes TIFF by rows, in strips: uncompressed, or by deflate with horizontal differences.

    Reference: Adobe, "TIFF Revision 6.0", 1992, and Technical Note 2, 2002 (deflate).
    """

    STRIP = 2**18  # bytes

    def __init__(
        self,
        file: IO[bytes],
        size: tuple[int, int],
        picture: Picture,
        metadata: "TiffMetadata",
        bilevel: bool = False,
        palette: np.ndarray | None = None,
    ) -> None:
        """Write the header; arguments as those of `PngRows`."""
        self.file, self.metadata = file, metadata
        self.integer = picture.dtype.kind == "u"
        self.depth = 1 if bilevel else 8 * picture.dtype.itemsize
        channels = 1 if palette is not None else picture.channels
        row = -(-size[0] * channels * self.depth // 8)
        self.rows_per_strip = max(1, self.STRIP // row)
        self.waiting: list[np.ndarray] = []
        self.strips: list[tuple[int, int]] = []
        photometric = {"grey": 1, "rgb": 2, "cmyk": 5}[picture.colour]
        self.tags: Tags = {
            256: (4, [size[0]]),
            257: (4, [size[1]]),
            258: (3, [self.depth] * channels),
            259: (3, [8 if metadata.compressed else 1]),
            262: (3, [3 if palette is not None else photometric]),
            277: (3, [channels]),
            278: (4, [self.rows_per_strip]),
            284: (3, [1]),
            339: (3, [1 if self.integer else 3] * channels),
        }
        # Differences are of whole channels: not of bits, not of the numbers of a palette.
        self.differences = metadata.compressed and self.integer and not bilevel and palette is None
        if self.differences:
            self.tags[317] = (3, [2])
        if palette is not None:
            table = np.zeros((COLOURS, 3), np.uint16)
            table[: len(palette)] = palette[:, :3].astype(np.uint16) * 257
            self.tags[320] = (3, table.T.ravel().tolist())
        elif picture.alpha:
            self.tags[338] = (3, [2])  # not multiplied into the colour
        file.write(b"II*\0" + bytes(4))

    def write(self, rows: np.ndarray) -> None:
        """Append rows."""
        self.waiting.append(rows)
        if sum(map(len, self.waiting)) >= self.rows_per_strip:
            rows = np.concatenate(self.waiting)
            whole = len(rows) - len(rows) % self.rows_per_strip
            for start in range(0, whole, self.rows_per_strip):
                self._strip(rows[start : start + self.rows_per_strip])
            self.waiting = [rows[whole:]]

    def close(self) -> None:
        """Write the last strip and the tags."""
        rows = np.concatenate(self.waiting)
        if len(rows):
            self._strip(rows)
        offsets, lengths = zip(*self.strips, strict=True)
        tags = {**self.metadata.tags, **self.tags, 273: (4, offsets), 279: (4, lengths)}
        self.file.write(bytes(self.file.tell() % 2))
        for pointer, directory in self.metadata.directories.items():
            tags[pointer] = (4, [self.file.tell()])
            content = directory.tobytes(self.file.tell())
            self.file.write(content + bytes(len(content) % 2))
        start = self.file.tell()
        self.file.write(tiff_directory(tags, start))
        self.file.seek(4)
        self.file.write(struct.pack("<I", start))

    def _strip(self, rows: np.ndarray) -> None:
        if self.differences:
            rows = np.concatenate([rows[:, :1], rows[:, 1:] - rows[:, :-1]], axis=1)
        data = packed(rows, self.depth, rows.dtype.newbyteorder("<").str).tobytes()
        data = zlib.compress(data) if self.metadata.compressed else data
        self.strips.append((self.file.tell(), len(data)))
        self.file.write(data)


def tiff_directory(tags: Tags, start: int) -> bytes:
    """Return a directory of TIFF tags, little-endian, as it stands at `start` of a file.

    Args:
        tags: From the tag to its type (1 byte, 2 text, 3 uint16, 4 uint32, 5 rational, 7 bytes) and
            its values: bytes for the types 1, 2 and 7, numbers, or pairs of numbers for 5.
        start: Even.
    """
    codes = {3: "H", 4: "I", 5: "I"}
    behind = start + 2 + 12 * len(tags) + 4
    entries, content = struct.pack("<H", len(tags)), b""
    for tag, (kind, values) in sorted(tags.items()):
        if kind in codes:
            numbers = np.ravel(values).tolist()
            data = struct.pack(f"<{len(numbers)}{codes[kind]}", *numbers)
        else:
            data = bytes(values)
        where = data.ljust(4, b"\0")
        if len(data) > 4:
            where = struct.pack("<I", behind + len(content))
            content += data + bytes(len(data) % 2)
        entries += struct.pack("<HHI", tag, kind, len(values)) + where
    return entries + bytes(4) + content


@dataclass(frozen=True)
class TiffMetadata:
    """What of a TIFF file goes into the new one beside the pixels.

    Attributes:
        compressed: Whether its pixels were compressed.
        tags: Descriptive tags with their types, as `tiff_directory` takes them.
        directories: EXIF and GPS, by the tags that point to them.
    """

    compressed: bool
    tags: Tags
    directories: dict[int, ImageFileDirectory_v2]


def tiff_metadata(
    path: Path, old: ImageFileDirectory_v2, picture: Picture, scale: int
) -> TiffMetadata:
    """Return what of a TIFF file goes into the new one, which is upright and larger.

    Args:
        path: Of the file.
        old: Its tags.
        picture: Its picture.
        scale: How much larger the new one is.
    """
    texts = {tag: (2, f"{old[tag]}\0".encode()) for tag in _TEXTS if tag in old}
    fractions = {tag: (5, [_rational(old[tag])]) for tag in _RESOLUTION if tag in old}
    data = {tag: (7, upright_xmp(old[tag])) for tag in _BYTES if isinstance(old.get(tag), bytes)}
    unit = {_UNIT: (3, [int(old[_UNIT])])} if _UNIT in old else {}
    orientation = {_ORIENTATION: (3, [1])} if _ORIENTATION in old else {}
    directories = {
        tag: _exif_directory(tiff_tags(path, tag), tag, picture, scale)
        for tag in (_EXIF, _GPS)
        if tag in old
    }
    tags = {**texts, **fractions, **data, **unit, **orientation}
    return TiffMetadata(int(old.get(_COMPRESSION, 1)) != 1, tags, directories)


def _exif_directory(
    old: ImageFileDirectory_v2, tag: int, picture: Picture, scale: int
) -> ImageFileDirectory_v2:
    """Return a directory of EXIF, little-endian as the new file is, with the new size."""
    directory = ImageFileDirectory_v2(b"II*\0\0\0\0\0", group=tag)
    for key, value in old.items():
        if key != ExifTags.IFD.Interop:  # points into the old file
            directory.tagtype[key] = old.tagtype[key]
            directory[key] = value
    set_size(directory, picture, scale)
    return directory


def _rational(value: Any) -> tuple[int, int]:
    """Return a rational number of Pillow as numerator and denominator of 32 bit."""
    fraction = value.limit_rational(2**31) if hasattr(value, "limit_rational") else (value, 1)
    return int(fraction[0]), int(fraction[1])
