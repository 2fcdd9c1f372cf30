"""WebP: the size that its first chunks tell of."""

from pathlib import Path

from zoo.pictures.errors import ImageError


def webp_size(path: Path) -> tuple[tuple[int, int], bool]:
    """Return width and height, the largest that a WebP file claims, and whether it is lossless."""
    sizes, lossless = [], False
    with path.open("rb") as file:
        file.seek(12)
        while len(head := file.read(8)) == 8:
            kind, length = head[:4], int.from_bytes(head[4:], "little")
            data, start = file.read(min(length, 10)), file.tell() - min(length, 10)
            if kind == b"VP8X" and len(data) == 10:
                sizes.append((_little(data[4:7]) + 1, _little(data[7:10]) + 1))
            elif kind == b"VP8L" and len(data) >= 5:
                bits = _little(data[1:5])
                sizes.append(((bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1))
                lossless = True
            elif kind == b"VP8 " and len(data) == 10:
                sizes.append((_little(data[6:8]) & 0x3FFF, _little(data[8:10]) & 0x3FFF))
            # the picture of an animation stands behind 16 bytes of its own chunk
            file.seek(start + (16 if kind == b"ANMF" else length + length % 2))
            if kind in (b"VP8L", b"VP8 "):
                break
    if not sizes:
        raise ImageError(f"{path} is cut short or damaged: it has no picture")
    return (max(width for width, _ in sizes), max(height for _, height in sizes)), lossless


def _little(data: bytes) -> int:
    return int.from_bytes(data, "little")
