"""PNG: its descriptive chunks, and a writer by rows."""

import struct
import zlib
from pathlib import Path
from typing import IO

import numpy as np

from zoo.images import ImageError
from zoo.pictures.exif import upright_xmp
from zoo.pictures.picture import RowWriter, packed

Chunks = list[tuple[bytes, bytes]]

# Said once more in the output, or made anew, or bound to the pixels that were.
_NOT_KEPT = {
    *(b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"bKGD", b"hIST", b"sBIT", b"sPLT", b"tIME"),
    *(b"acTL", b"fcTL", b"fdAT"),
}


def png_depth(path: Path) -> tuple[int, int]:
    """Return bit depth and colour type of a PNG file, bytes 24 and 25."""
    with path.open("rb") as file:
        head = file.read(26)
    return head[24], head[25]


def png_chunks(path: Path) -> Chunks:
    """Return the descriptive chunks of a PNG file: profile, resolution, texts, EXIF."""
    chunks = []
    with path.open("rb") as file:
        file.seek(8)
        while len(head := file.read(8)) == 8:
            length, kind = int.from_bytes(head[:4], "big"), head[4:]
            if kind in _NOT_KEPT:
                file.seek(length + 4, 1)
                continue
            data, check = file.read(length), file.read(4)
            if int.from_bytes(check, "big") != zlib.crc32(kind + data):
                raise ImageError(f"{path} is damaged: its chunk {kind!r} fails its check sum")
            if not data.startswith((b"Raw profile type exif\0", b"Raw profile type APP1\0")):
                chunks.append((kind, upright_xmp(data)))
    return chunks


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
        """Write what stands before the pixels.

        Args:
            file: Open for writing.
            size: Width and height.
            kind: Colour type: 0 grey, 2 RGB, 3 palette, 4 grey and alpha, 6 RGB and alpha.
            depth: Bits per channel: 1, 8 or 16.
            chunks: Descriptive chunks.
            palette: `(colours, 3 or 4)`, uint8, for type 3.
        """
        self.file, self.depth = file, depth
        bits = depth * {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[kind]
        self.filtered = bits >= 8 and kind != 3
        self.step = max(1, bits // 8)
        self.above = np.zeros(-(-size[0] * bits // 8), np.uint8)
        self.deflate = zlib.compressobj()
        file.write(b"\x89PNG\r\n\x1a\n")
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
