"""JPEG: what its segments say, and putting them into a new file."""

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import IO

from asykeras.jpeg import LUMA
from zoo.pictures.errors import ImageError
from zoo.pictures.exif import upright_xmp

LONGEST = 65_533  # bytes of a segment
SCANS = 1000  # a picture of three channels has no more than 20 in practice
BLOCK = 2**20  # bytes that are looked at at a time
_END, _SCAN, _FRAMES = 0xD9, 0xDA, set(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_TABLES = 0xDB
_ALONE = {0x01, *range(0xD0, 0xD9)}  # markers without a segment
# Segments to keep: what programs say of the picture (1 to 15), and comments. Those of the encoder
# (0 JFIF, 14 Adobe's colours), EXIF and other pictures of the file are made anew or left out.
_KEPT = {*range(0xE1, 0xEE), 0xEF, 0xFE}
_NOT_KEPT = {0xE1: b"Exif\0", 0xE2: b"MPF\0"}


@dataclass
class JpegParts:
    """What the segments of a JPEG file say.

    Attributes:
        size: Width and height; none where the file does not say it.
        most: Pixels that its compressed data can hold.
        quality: As libjpeg counts it, by the table for brightness; None where there is none.
        segments: The descriptive ones to keep, by their markers.
    """

    size: tuple[int, int] = (0, 0)
    most: float = 0
    quality: int | None = None
    segments: list[tuple[int, bytes]] = field(default_factory=list)


def jpeg_parts(path: Path) -> JpegParts:
    """Return what stands before the first scan of a JPEG file."""
    parts, density = JpegParts(), 0.0
    with path.open("rb") as file:
        file.seek(2)
        while True:
            marker = _marker(file)
            if marker in (None, _END):
                break
            if marker in _ALONE:
                continue
            data = file.read(max(int.from_bytes(file.read(2), "big") - 2, 0))
            if marker in _FRAMES and len(data) >= 6:
                height, width, channels = struct.unpack(">HHB", data[1:6])
                parts.size, density = (width, height), _blocks(data[6 : 6 + 3 * channels])
            elif marker in _KEPT and not data.startswith(_NOT_KEPT.get(marker, b"\0none")):
                parts.segments.append((marker, upright_xmp(data)))
            elif marker == _TABLES:
                parts.quality = _quality(data) or parts.quality
            if marker == _SCAN:
                break
        left = path.stat().st_size - file.tell()
    # A block takes a bit at least: a code of its mean value.
    parts.most = 8 * left / density if density else 0
    return parts


@cache
def _sums() -> dict[int, int]:
    """Return the sum of libjpeg's steps for brightness of each quality."""
    return {quality: sum(scaled(LUMA, quality)) for quality in range(1, 101)}


def scaled(table: Sequence[int], quality: int) -> list[int]:
    """Return libjpeg's steps for a quality, of those for 50."""
    percent = 5000 // quality if quality < 50 else 200 - 2 * quality
    return [min(max((step * percent + 50) // 100, 1), 255) for step in table]


def _quality(data: bytes) -> int | None:
    """Return the quality, 1 to 100, by a segment of tables, None where it has none for brightness.

    Encoders with tables of their own are given the quality of libjpeg's whose steps sum up to the
    nearest; the order of the steps does not matter.
    """
    at = 0
    while at < len(data):
        wide, number = data[at] >> 4, data[at] & 15
        width = 2 if wide else 1
        steps = data[at + 1 : at + 1 + 64 * width]
        if number == 0 and len(steps) == 64 * width:
            total, sums = sum(struct.unpack(">64H" if wide else ">64B", steps)), _sums()
            return min(sums, key=lambda quality: abs(sums[quality] - total))
        at += 1 + 64 * width
    return None


def check_scans(path: Path) -> None:
    """Refuse a file that unpacks its picture more often than any picture needs."""
    scans, end = 0, b""
    with path.open("rb") as file:
        while scans <= SCANS and (block := file.read(BLOCK)):
            scans += (end + block).count(b"\xff\xda")
            end = block[-1:]  # a marker may lie across
    if scans > SCANS:
        raise ImageError(f"{path} has more than {SCANS} scans, and is not read")


def with_segments(content: bytes, segments: list[tuple[int, bytes]]) -> bytes:
    """Return a JPEG file with more segments, behind the one that begins it."""
    first = 2
    if content[2:4] == b"\xff\xe0":
        first += 2 + int.from_bytes(content[4:6], "big")
    added = b"".join(
        struct.pack(">BBH", 0xFF, marker, len(data) + 2) + data for marker, data in segments
    )
    return content[:first] + added + content[first:]


def _marker(file: IO[bytes]) -> int | None:
    """Return the next marker, None where the file has something else."""
    byte = file.read(1)
    if byte != b"\xff":
        return None
    while byte == b"\xff":
        byte = file.read(1)
    return byte[0] if byte else None


def _blocks(channels: bytes) -> float:
    """Return the blocks of 8 x 8 values per pixel, over all channels of a frame."""
    sides = [(each >> 4, each & 15) for each in channels[1::3]]
    widest, highest = (max((side[axis] for side in sides), default=0) for axis in (0, 1))
    if not widest * highest:
        return 0.0
    return sum(across * down for across, down in sides) / (64 * widest * highest)
