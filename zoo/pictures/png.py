"""PNG: what its chunks say, and a writer by rows."""

import io
import struct
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import numpy as np

from zoo.machine.failures import printable
from zoo.pictures.claims import DEFLATE
from zoo.pictures.errors import ImageError
from zoo.pictures.exif import upright_xmp
from zoo.pictures.picture import RowWriter, packed

Chunks = list[tuple[bytes, bytes]]

SIGNATURE = b"\x89PNG\r\n\x1a\n"
# Pillow reads no compressed text or profile that is longer, and no file with more text than 64 of
# these.
LONGEST_COMPRESSED, LONGEST = 2**20, 2**25
# Chunks that are bound to the pixels, by their names, but stay right for the restored ones.
_COLOUR = {b"cHRM", b"gAMA", b"iCCP", b"sRGB", b"cICP", b"mDCV", b"cLLI", b"mDCv", b"cLLi"}
# Bytes of those chunks that have a fixed length. Readers refuse a file with one of another length.
_LENGTHS = {
    **{b"cHRM": 32, b"gAMA": 4, b"sRGB": 1, b"cICP": 4, b"pHYs": 9},
    **{b"mDCV": 24, b"cLLI": 8, b"mDCv": 24, b"cLLi": 8},
}
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # by the colour type
_EXIF = (b"Raw profile type exif", b"Raw profile type APP1")  # of old programs, in hexadecimal
_XMP = b"XML:com.adobe.xmp"


@dataclass
class PngParts:
    """What the chunks of a PNG file say.

    Attributes:
        size: Width and height.
        depth: Bits per channel.
        colour: Colour type: 0 grey, 2 RGB, 3 palette, 4 grey and alpha, 6 RGB and alpha.
        most: Pixels that its compressed data can hold.
        keyed: Whether a colour is transparent, or those of a palette are.
        key: The transparent colour of grey or RGB, none where there is no such.
        frames: Pictures of an animation, 1 where it is none.
        chunks: The descriptive ones to keep: profile, resolution, texts.
        exif: EXIF, empty where there is none.
        xmp: XMP as the file has it.
        lost: What is not kept, in words.
        spans: Start and length of the chunks that make the picture.
    """

    size: tuple[int, int] = (0, 0)
    depth: int = 0
    colour: int = 0
    most: float = 0
    keyed: bool = False
    key: tuple[int, ...] = ()
    frames: int = 1
    chunks: Chunks = field(default_factory=list)
    exif: bytes = b""
    xmp: bytes = b""
    lost: list[str] = field(default_factory=list)
    spans: list[tuple[int, int]] = field(default_factory=list)


def png_parts(path: Path) -> PngParts:
    """Return what the chunks of a PNG file say; those of pixels are passed over.

    What stands behind the end of the picture is no part of it.
    """
    parts, data, length_of_file = PngParts(), 0, path.stat().st_size
    with path.open("rb") as file:
        file.seek(len(SIGNATURE))
        kind, seen = b"", set[bytes]()
        while kind != b"IEND":
            start, head = file.tell(), file.read(8)
            length, kind = int.from_bytes(head[:4], "big"), head[4:]
            if len(head) < 8 or start + 12 + length > length_of_file:
                raise ImageError(f"{path} cannot be read: it is cut short")
            if not parts.spans:
                _begin(path, parts, kind, file.read(min(length, 13)))
            if kind in (b"IHDR", b"PLTE", b"tRNS") and (data or kind in seen):
                name = kind.decode()
                raise ImageError(f"{path} is damaged: its chunk {name} is there twice or too late")
            seen.add(kind)
            if kind == b"IDAT":
                data += length
            if kind[:1].isupper() or kind == b"tRNS":  # what it takes to show the picture
                parts.spans.append((start, length + 12))
                if kind == b"tRNS" and parts.colour in (0, 2, 3):
                    parts.keyed, parts.key = True, _key(parts, file.read(length))
            # the last letter is small where a chunk stays right when the pixels change
            elif (
                kind[3:].islower() or kind in _COLOUR or kind == b"acTL" or _is_ground(parts, kind)
            ):
                _describe(parts, kind, file.read(length), file.read(4))
            file.seek(start + 12 + length)
    parts.most = data * DEFLATE * 8 / (parts.depth * _CHANNELS[parts.colour])
    return parts


def png_pixels(path: Path, parts: PngParts) -> io.BytesIO:
    """Return the file without its descriptive chunks, which Pillow would stumble over."""
    content = [SIGNATURE]
    with path.open("rb") as file:
        for start, length in parts.spans:
            file.seek(start)
            chunk = file.read(length)
            if zlib.crc32(chunk[4:-4]) != int.from_bytes(chunk[-4:], "big"):
                name = printable(chunk[4:8].decode("latin-1"))
                raise ImageError(f"{path} is damaged: its chunk {name} fails its check sum")
            content.append(chunk)
    return io.BytesIO(b"".join(content))


def _begin(path: Path, parts: PngParts, kind: bytes, head: bytes) -> None:
    if kind != b"IHDR" or len(head) != 13:
        raise ImageError(f"{path} is damaged: it does not begin as a PNG file does")
    width, height, parts.depth, parts.colour = struct.unpack(">IIBB", head[:10])
    parts.size = (width, height)
    if parts.colour not in _CHANNELS or parts.depth not in (1, 2, 4, 8, 16):
        raise ImageError(
            f"{path} is damaged: PNG has no colour type {parts.colour} of {parts.depth} bit"
        )


def _is_ground(parts: PngParts, kind: bytes) -> bool:
    """Return whether a chunk is of the background's colour, in numbers that the new file has."""
    return kind == b"bKGD" and parts.depth >= 8 and parts.colour != 3


def _key(parts: PngParts, data: bytes) -> tuple[int, ...]:
    """Return the transparent colour; of numbers that are too large the lower bits count."""
    count = {0: 1, 2: 3}.get(parts.colour, 0)
    if len(data) < 2 * count:
        return ()
    return tuple(value % 2**parts.depth for value in struct.unpack_from(f">{count}H", data))


def _describe(parts: PngParts, kind: bytes, data: bytes, check: bytes) -> None:
    """Take in a chunk that stands beside the pixels."""
    name = kind.decode("latin-1")
    lengths = {**_LENGTHS, b"bKGD": 2 if parts.colour in (0, 4) else 6}
    whole = len(data) == lengths.get(kind, len(data))
    if not whole or zlib.crc32(kind + data) != int.from_bytes(check, "big"):
        parts.lost.append(f"the damaged chunk {name}")
    elif kind == b"acTL":
        parts.frames = int.from_bytes(data[:4], "big")
    elif kind == b"eXIf":
        parts.exif = data
    elif kind in (b"tEXt", b"zTXt", b"iTXt"):
        _describe_text(parts, kind, data)
    elif kind == b"iCCP" and _unpacked(data.partition(b"\0")[2][1:], LONGEST_COMPRESSED) is None:
        parts.lost.append("the colour profile, which is damaged or has more than 1 MB")
    else:
        parts.chunks.append((kind, data))


def _describe_text(parts: PngParts, kind: bytes, data: bytes) -> None:
    key, _, rest = data.partition(b"\0")
    head, text = b"", rest
    if kind == b"zTXt":
        text = rest[1:]
    elif kind == b"iTXt":
        language, translated, text = ([*rest[2:].split(b"\x00", 2), b"", b""])[:3]
        head = b"\0\0" + language + b"\0" + translated + b"\0"
    compressed = kind == b"zTXt" or (kind == b"iTXt" and rest[:1] == b"\1")
    if compressed:
        unpacked = _unpacked(text, LONGEST)
        if unpacked is None:
            title = key.decode("latin-1")
            parts.lost.append(f"the text {title!r}, which is damaged or has more than 32 MB")
            return
        text = unpacked
    if key in _EXIF:
        parts.exif = parts.exif or _from_hexadecimal(text)
        return
    if key == _XMP:
        parts.xmp = text
    held = sum(len(each) for name, each in parts.chunks if name[1:] in (b"EXt", b"TXt"))
    if held + len(text) > LONGEST:
        parts.lost.append(
            f"the text {key.decode('latin-1')!r}, with which there are more than 32 MB"
        )
    elif compressed and (len(text) > LONGEST_COMPRESSED or key == _XMP):
        name = b"iTXt" if kind == b"iTXt" else b"tEXt"
        parts.chunks.append((name, key + b"\0" + head + upright_xmp(text)))
    else:
        parts.chunks.append((kind, upright_xmp(data)))


def _unpacked(data: bytes, longest: int) -> bytes | None:
    """Return what was compressed, None if it is damaged or longer than that."""
    unpack = zlib.decompressobj()
    try:
        content = unpack.decompress(data, longest)
        more = unpack.decompress(unpack.unconsumed_tail, 1)
    except zlib.error:
        return None
    return content if unpack.eof and not more else None


def _from_hexadecimal(text: bytes) -> bytes:
    """Return EXIF that stands in a text: after three lines, in hexadecimal digits."""
    try:
        return bytes.fromhex("".join(text.decode("latin-1").split("\n")[3:]))
    except ValueError:
        return b"damaged"  # which is then found to be no EXIF


class PngRows(RowWriter):
    """Writes PNG by rows.

    Each row is filtered by that of the five filters whose result has the smallest sum of absolute
    values (the heuristic that the specification recommends), palettes and single bits by none.

    Reference: W3C, "Portable Network Graphics (PNG) Specification (Third Edition)", Secs. 9 and 11.
    """

    STRIP = 2**22  # bytes that are filtered at a time

    def __init__(
        self,
        file: IO[bytes],
        size: tuple[int, int],
        kind: int,
        depth: int,
        chunks: Chunks,
        palette: np.ndarray | None = None,
    ) -> None:
        """Write what stands before the pixels: `size` is width and height, `kind` the colour type.

        The depth is 1, 8 or 16 bit; a palette is uint8 `(colours, 3 or 4)`, for the type 3.
        """
        self.file, self.depth = file, depth
        bits = depth * _CHANNELS[kind]
        self.filtered = bits >= 8 and kind != 3
        self.step = max(1, bits // 8)
        self.above = np.zeros(-(-size[0] * bits // 8), np.uint8)
        self.deflate = zlib.compressobj()
        file.write(SIGNATURE)
        self._chunk(b"IHDR", struct.pack(">IIBBBBB", *size, depth, kind, 0, 0, 0))
        for name, data in chunks:
            self._chunk(name, data)
        if palette is not None:
            self._chunk(b"PLTE", palette[:, :3].tobytes())
            if palette.shape[1] == 4:
                self._chunk(b"tRNS", palette[:, 3].tobytes())

    def write(self, rows: np.ndarray) -> None:
        """Append rows."""
        lines = packed(rows, self.depth, ">u2")
        at_once = max(1, self.STRIP // lines.shape[1])
        for start in range(0, len(lines), at_once):
            strip = lines[start : start + at_once]
            self._data(self.deflate.compress(self._filter(strip).tobytes()))
            self.above = strip[-1]

    def close(self) -> None:
        """Write the end."""
        self._data(self.deflate.flush())
        self._chunk(b"IEND", b"")

    def _filter(self, lines: np.ndarray) -> np.ndarray:
        """Return filtered rows, each after the number of its filter."""
        if not self.filtered:
            return np.pad(lines, [(0, 0), (1, 0)])
        up = np.concatenate([self.above[None], lines[:-1]])
        left, corner = (np.pad(each, [(0, 0), (self.step, 0)]) for each in (lines, up))
        left, corner = left[:, : lines.shape[1]], corner[:, : lines.shape[1]]
        mean = ((left.astype(np.uint16) + up) // 2).astype(np.uint8)
        # uint8 wraps around, as the specification wants it
        candidates = [
            lines,
            lines - left,
            lines - up,
            lines - mean,
            lines - _paeth(left, up, corner),
        ]
        costs = [np.minimum(each, -each).sum(axis=1, dtype=np.uint64) for each in candidates]
        best = np.argmin(costs, axis=0)
        rows = np.choose(best[:, None], candidates)
        return np.concatenate([best[:, None].astype(np.uint8), rows], axis=1)

    def _data(self, data: bytes) -> None:
        if data:
            self._chunk(b"IDAT", data)

    def _chunk(self, name: bytes, data: bytes) -> None:
        self.file.write(struct.pack(">I", len(data)) + name + data)
        self.file.write(struct.pack(">I", zlib.crc32(name + data)))


def _paeth(left: np.ndarray, up: np.ndarray, corner: np.ndarray) -> np.ndarray:
    """Return of the three neighbours the one nearest to left + up - corner."""
    a, b, c = (each.astype(np.int16) for each in (left, up, corner))
    to_left, to_up, to_corner = np.abs(b - c), np.abs(a - c), np.abs(a + b - 2 * c)
    upper = np.where(to_up <= to_corner, up, corner)
    return np.where((to_left <= to_up) & (to_left <= to_corner), left, upper)
