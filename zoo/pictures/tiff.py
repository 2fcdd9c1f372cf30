"""TIFF: what its tags say of the pixels and beside them, and a writer by rows."""

import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, NamedTuple

import numpy as np

from zoo.pictures.claims import DEFLATE
from zoo.pictures.directory import Tags, directory_bytes, number, numbers, read_group
from zoo.pictures.errors import ImageError
from zoo.pictures.exif import new_sizes, upright_xmp
from zoo.pictures.picture import Picture, RowWriter, packed

COLOURS = 256  # of a palette
HEAD = 8  # bytes before which nothing can stand
_XMP, _EXIF, _GPS, _INTEROPERABILITY = 700, 34665, 34853, 40965
# Tags of one number, on which programs disagree where there are more: sizes, compression, ...
_SINGLE = {256, 257, 259, 262, 266, 277, 278, 284, 317, 322, 323}
_OF_CHANNELS = {258, 339}  # tags of one number for all channels, or one for each
_COUNTING = {3, 4, 16}  # types of the tags that tell how the pixels are written
_MOST_CHANNELS = 2**16 - 1
_DIFFERENCES = {5, 8, 32946, 34925, 50000}  # compressions of what 317 may say are differences
_PALETTE = 320
# Bytes that a byte of a compression can hold: PackBits a run of 128 in two; LZW 3,838 codes of up
# to 12 bit, each a byte longer than the one before; JPEG a bit for 64 values, half of them of a
# quarter of the size; others whatever they like.
_EXPANSION = {1: 1, 32773: 64, 5: 1400, 8: DEFLATE, 32946: DEFLATE, 7: 1024, 6: 1024}
FAX, JPEG, _ANY = (2, 3, 4), (6, 7), 2**16
# What tells where the pixels are and how they are written, or counts them: said anew.
_OF_PIXELS = {
    *(254, 255, 256, 257, 258, 259, 262, 263, 264, 265, 266, 273, 274, 277, 278, 279, 280, 281),
    *(284, 288, 289, 290, 291, 292, 293, 317, 320, 321, 322, 323, 324, 325, 332, 334, 338, 339),
    *(340, 341, 347, *range(512, 522), 529, 530, 531, 532, _EXIF, _GPS, _INTEROPERABILITY),
}
# Of these, what it takes to decode them.
LAYOUT = (*range(256, 260), 262, 266, 273, *range(277, 280), 284, 317, *range(322, 326), 338, 339)
# Other pictures; layers of Photoshop; Intergraph's matrices and rational polynomials, which would
# have to be computed anew.
_LOST = {330, 37724, 33920, 33921, 50844}
# GeoTIFF: size of a pixel; points of the picture and where they lie; matrix; what a number stands
# for, which is the middle of a pixel where the key 1025 is 2.
_SCALE, _POINTS, _MATRIX, _KEYS = 33550, 33922, 34264, 34735
_NO_DATA = 42113
_GEO = {_SCALE: 3, _POINTS: 6, _MATRIX: 16}  # and of how many numbers they are


@dataclass(frozen=True)
class TiffMetadata:
    """What of a TIFF file goes into the new one beside the pixels.

    Attributes:
        compression: How its pixels were compressed, 1 where they were not.
        tags: Descriptive tags.
        directories: EXIF and GPS, by the tags that point to them.
    """

    compression: int = 1
    tags: Tags = field(default_factory=dict)
    directories: dict[int, Tags] = field(default_factory=dict)


class TiffKind(NamedTuple):
    """What kind of pixels a TIFF file holds.

    Attributes:
        base: Mode of Pillow for its colours: `"L"`, `"RGB"`, `"P"`, `"CMYK"`, `"YCbCr"`, or empty.
        alpha: Whether the next channel is alpha.
        associated: Whether alpha is multiplied into the colours.
        others: Further channels.
        bits: Per channel, 0 where they differ.
        sample: 1 unsigned, 2 signed, 3 floating point; 0 where they differ.
        inverted: Whether 0 is white.
    """

    base: str
    alpha: bool
    associated: bool
    others: int
    bits: int
    sample: int
    inverted: bool


def tiff_kind(tags: Tags) -> TiffKind:
    """Return what kind of pixels the tags of a TIFF file tell of."""
    photometric = number(tags, 262, -1)
    base = {0: "L", 1: "L", 2: "RGB", 3: "P", 5: "CMYK", 6: "YCbCr"}.get(photometric, "")
    samples = number(tags, 277, 1)
    others = samples - {"RGB": 3, "CMYK": 4, "YCbCr": 3}.get(base, 1)
    extra = numbers(tags, 338, (2,))[0]  # where it is absent, a channel more is alpha
    alpha = others > 0 and base in ("L", "RGB", "P") and extra in (1, 2, 999)  # 999: Corel Draw
    bits, sample = (
        each[0] if len(set(each[:samples])) == 1 else 0
        for each in (numbers(tags, 258, (1,)), numbers(tags, 339, (1,)))
    )
    # what nothing is known of (4) is taken for unsigned, as by all
    sample = 1 if sample == 4 else sample
    return TiffKind(base, alpha, extra == 1, others - alpha, bits, sample, photometric == 0)


def check_segments(path: Path, tags: Tags) -> None:
    """Refuse a file whose strips or tiles cannot hold its pixels, or end beyond its end."""
    _check_layout(path, tags)
    size, width, height = path.stat().st_size, number(tags, 256, 0), number(tags, 257, 0)
    offsets, lengths = numbers(tags, 273), numbers(tags, 279)
    across, down = width, min(number(tags, 278, height) or height, height)
    if not offsets:
        offsets, lengths = numbers(tags, 324), numbers(tags, 325)
        across, down = number(tags, 322, 0), number(tags, 323, 0)
    if len(offsets) == 1 and lengths in ((), (0,)):  # of old programs; there is but one way
        lengths = (max(size - offsets[0], 0),)
    if min(width, height, across, down) < 1 or not offsets:
        raise ImageError(f"{path} is damaged: it does not say where its pixels are")
    planes = number(tags, 277, 1) if number(tags, 284, 1) == 2 else 1
    bits = sum(_bits(tags)) / planes
    columns, rows = -(-width // across), -(-height // down)
    row = -(-int(across * bits) // 8)
    number_of = planes * rows * columns
    if min(len(offsets), len(lengths)) < number_of:
        raise ImageError(f"{path} cannot be read: it is cut short")
    if max(len(offsets), len(lengths)) > number_of or number(tags, 284, 1) not in (1, 2):
        raise ImageError(f"{path} is damaged: it contradicts itself on where its pixels are")
    needed = np.full((planes, rows, columns), row * down, np.float64)
    if 273 in tags:
        needed[:, -1] = row * (height - (rows - 1) * down)
    compression = number(tags, 259, 1)
    most = across if compression in FAX else _EXPANSION.get(compression, _ANY)
    starts, held = (np.array(each[:number_of], np.float64) for each in (offsets, lengths))
    if (starts < HEAD).any():
        raise ImageError(f"{path} is damaged: it does not say where its pixels are")
    if (starts + held > size).any() or (held * most < needed.ravel()).any():
        raise ImageError(
            f"{path} cannot be read: it is cut short, or claims to hold more than it does"
        )


def _check_layout(path: Path, tags: Tags) -> None:
    """Refuse tags that say how the pixels are written, and can be read in several ways."""
    samples, compression = number(tags, 277, 1), number(tags, 259, 1)
    if any(len(numbers(tags, tag)) != 1 for tag in _SINGLE & tags.keys()):
        raise ImageError(f"{path} is damaged: a tag of one number holds none or several")
    for tag in {*LAYOUT, _PALETTE} & tags.keys():
        values = numbers(tags, tag)
        several = tag in _OF_CHANNELS and len({*values}) > 1 and len(values) != samples
        if several or tags[tag][0] not in _COUNTING:
            raise ImageError(f"{path} is damaged: its tag {tag} can be read in two ways")
    if not 1 <= samples <= _MOST_CHANNELS:
        raise ImageError(f"{path} is damaged: it claims to have {samples} channels")
    both = tags.keys() & {273, 279} and tags.keys() & {322, 323, 324, 325}
    if both or (number(tags, 317, 1) != 1 and compression not in _DIFFERENCES):
        raise ImageError(f"{path} is damaged: it contradicts itself on where its pixels are")


def _bits(tags: Tags) -> Sequence[int]:
    """Return the bits of every channel."""
    bits, samples = numbers(tags, 258, (1,)), number(tags, 277, 1)
    return bits[:samples] if len(bits) >= samples else bits[:1] * samples


def tiff_metadata(path: Path, tags: Tags, orientation: int) -> tuple[TiffMetadata, list[str]]:
    """Return what of a TIFF file goes into the new one, and in words what does not."""
    kept, lost = {}, []
    for tag, (kind, values) in tags.items():
        geo = tag in _GEO
        if tag in _LOST or (geo and (orientation != 1 or kind != 12 or len(values) % _GEO[tag])):
            lost.append(f"the tag {tag}")
        elif tag not in _OF_PIXELS and kind != 13:  # a place in the old file
            kept[tag] = (kind, _upright(tag, values))
    if 274 in tags:
        kept[274] = (3, (1,))
    directories = {}
    for tag, name in ((_EXIF, "EXIF"), (_GPS, "GPS")):
        if tag in tags:
            try:
                inner = read_group(path, number(tags, tag, 0))
            except ImageError:
                lost.append(f"the damaged {name} data")
                continue
            directories[tag] = {key: inner[key] for key in inner if key != _INTEROPERABILITY}
    return TiffMetadata(number(tags, 259, 1), kept, directories), lost


def _upright(tag: int, values: bytes | Sequence[float]) -> bytes | Sequence[float]:
    return upright_xmp(values) if tag == _XMP and isinstance(values, bytes) else values


def no_data(tags: Tags, dtype: np.dtype[np.generic]) -> str:
    """Return the value that stands for no data, as GDAL notes it, where a pixel can have it."""
    values = tags.get(_NO_DATA, (2, b""))[1]
    text = values.partition(b"\0")[0].decode("latin-1").strip() if isinstance(values, bytes) else ""
    try:
        value = float(text)
    except ValueError:
        return ""
    if dtype.kind == "u" and not (0 <= value <= 2 ** (8 * dtype.itemsize) - 1 and value % 1 == 0):
        return ""
    return text


def enlarged(metadata: TiffMetadata, picture: Picture, scale: int) -> TiffMetadata:
    """Return metadata with sizes and places of a picture that is enlarged."""
    tags, directories = dict(metadata.tags), dict(metadata.directories)
    if _EXIF in directories:
        sizes = new_sizes(directories[_EXIF], picture, scale)
        directories[_EXIF] = directories[_EXIF] | {tag: (4, (sizes[tag],)) for tag in sizes}
    if scale > 1:
        tags |= _geography(tags, scale)
    return TiffMetadata(metadata.compression, tags, directories)


def _geography(tags: Tags, scale: int) -> Tags:
    """Return the tags of GeoTIFF that depend on the size of a pixel, for smaller ones.

    Where numbers stand for the middle of a pixel, that of the first one moves: what was 0 becomes
    `(scale - 1) / 2`.

    Reference: OGC 19-008r4, "OGC GeoTIFF Standard", Annex B.6.
    """
    keys = numbers(tags, _KEYS)
    of_middle = any(
        keys[start] == 1025 and keys[start + 3] == 2 for start in range(4, len(keys) - 3, 4)
    )
    shift = (scale - 1) / 2 * of_middle
    new: Tags = {}
    values = {tag: np.array(tags[tag][1]).reshape(-1, _GEO[tag]) for tag in _GEO if tag in tags}
    if _SCALE in values:
        new[_SCALE] = (12, (values[_SCALE] / [scale, scale, 1]).ravel().tolist())
    if _POINTS in values:
        values[_POINTS][:, :2] = values[_POINTS][:, :2] * scale + shift
        new[_POINTS] = (12, values[_POINTS].ravel().tolist())
    if _MATRIX in values:
        matrix = values[_MATRIX].reshape(-1, 4, 4)
        matrix[..., :2] /= scale
        matrix[..., 3] -= shift * (matrix[..., 0] + matrix[..., 1])
        new[_MATRIX] = (12, matrix.ravel().tolist())
    return new


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
        metadata: TiffMetadata,
        bilevel: bool = False,
        palette: np.ndarray | None = None,
    ) -> None:
        """Write the header; arguments as those of `PngRows`."""
        self.file, self.metadata = file, metadata
        self.compressed, integer = metadata.compression != 1, picture.dtype.kind == "u"
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
            259: (3, [8 if self.compressed else 1]),
            262: (3, [3 if palette is not None else photometric]),
            277: (3, [channels]),
            278: (4, [self.rows_per_strip]),
            284: (3, [1]),
            339: (3, [1 if integer else 3] * channels),
        }
        # Differences are of whole channels: not of bits, not of the numbers of a palette.
        self.differences = self.compressed and integer and not bilevel and palette is None
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
            content = directory_bytes(directory, self.file.tell())
            self.file.write(content + bytes(len(content) % 2))
        start = self.file.tell()
        self.file.write(directory_bytes(tags, start))
        self.file.seek(4)
        self.file.write(struct.pack("<I", start))

    def _strip(self, rows: np.ndarray) -> None:
        if self.differences:
            rows = np.concatenate([rows[:, :1], rows[:, 1:] - rows[:, :-1]], axis=1)
        data = packed(rows, self.depth, rows.dtype.newbyteorder("<").str).tobytes()
        data = zlib.compress(data) if self.compressed else data
        self.strips.append((self.file.tell(), len(data)))
        self.file.write(data)
