"""Directories of TIFF: tags with their types and values, from a file and as bytes of a new one."""

import struct
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO

from zoo.pictures.errors import ImageError

# From a tag to its type and its values: bytes for the types 1 (byte), 2 (text), 6 and 7, else
# numbers; a rational (5, 10) is two of them.
Tags = dict[int, tuple[int, bytes | Sequence[float]]]

_CODES = {
    **{1: "s", 2: "s", 3: "H", 4: "I", 5: "II", 6: "s", 7: "s", 8: "h", 9: "i", 10: "ii"},
    **{11: "f", 12: "d", 13: "I", 16: "Q", 17: "q", 18: "Q"},
}
_WHOLE = {3, 4, 8, 9, 13, 16, 17, 18}
PAGES = 1000  # directories that are looked at


def read_directories(path: Path) -> Iterator[Tags]:
    """Yield the directories of the pictures of a TIFF file, classic or BigTIFF, one by one.

    Tags of unknown types and those whose values lie beyond the end of the file are left out; a
    directory that lies beyond it or has a tag twice is refused.
    """
    with path.open("rb") as file:
        order, big = _form(file)
        offset = _number(file, order + ("Q" if big else "I"))
        seen: set[int] = set()
        while offset and offset not in seen and len(seen) < PAGES:
            seen.add(offset)
            tags, offset = _directory(path, file, offset, order, big)
            yield tags


def read_group(path: Path, offset: int) -> Tags:
    """Return the directory at an offset of a TIFF file: EXIF, GPS."""
    with path.open("rb") as file:
        return _directory(path, file, offset, *_form(file))[0]


def numbers(tags: Tags, tag: int, default: tuple[int, ...] = ()) -> tuple[int, ...]:
    """Return the whole numbers of a tag, the default where it is absent or of another type."""
    kind, values = tags.get(tag, (0, ()))
    if kind == 1 or kind in _WHOLE:
        return tuple(int(each) for each in values) or default
    return default


def number(tags: Tags, tag: int, default: int) -> int:
    """Return the first whole number of a tag."""
    return numbers(tags, tag, (default,))[0]


def directory_bytes(tags: Tags, start: int) -> bytes:
    """Return a directory, little-endian, as it stands at `start` of a file, which is even."""
    behind = start + 2 + 12 * len(tags) + 4
    entries, content = struct.pack("<H", len(tags)), b""
    for tag, (kind, values) in sorted(tags.items()):
        code = _CODES[kind]
        if isinstance(values, bytes):
            count, data = len(values), values
        else:
            count, data = len(values) // len(code), struct.pack(f"<{len(values)}{code[0]}", *values)
        where = data.ljust(4, b"\0")
        if len(data) > 4:
            where = struct.pack("<I", behind + len(content))
            content += data + bytes(len(data) % 2)
        entries += struct.pack("<HHI", tag, kind, count) + where
    return entries + bytes(4) + content


def _form(file: IO[bytes]) -> tuple[str, bool]:
    """Return the order of the bytes and whether it is BigTIFF; go to the first offset."""
    head = file.read(4)
    order = "<" if head[:1] == b"I" else ">"
    big = struct.unpack(order + "H", head[2:4])[0] == 43
    file.seek(8 if big else 4)
    return order, big


def _number(file: IO[bytes], code: str) -> int:
    size = struct.calcsize(code)
    return int(struct.unpack(code, file.read(size).ljust(size, b"\0"))[0])


def _directory(path: Path, file: IO[bytes], offset: int, order: str, big: bool) -> tuple[Tags, int]:
    """Return the tags at an offset, and the offset of the next directory."""
    entry, pointer = ("HHQ8s", "Q") if big else ("HHI4s", "I")
    end = left = path.stat().st_size  # values that overlap could take any amount of memory
    file.seek(min(offset, end))
    count = _number(file, order + ("Q" if big else "H"))
    size = struct.calcsize(order + entry)
    table = file.read(size * count if count < 2**16 else 0)
    if not table or len(table) < size * count:
        raise ImageError(f"{path} cannot be read: it is cut short")
    following = _number(file, order + pointer)
    tags: Tags = {}
    for tag, kind, length, where in struct.iter_unpack(order + entry, table):
        if tag in tags:  # some programs would take the first, others the last
            raise ImageError(f"{path} is damaged: it has the tag {tag} twice")
        code = _CODES.get(kind)
        if code is None:
            continue
        size = length * struct.calcsize("<" + code)
        if size > len(where):
            start = struct.unpack(order + pointer, where)[0]
            left -= size
            if start + size > end or left < 0:
                continue
            file.seek(start)
            data = file.read(size)
        else:
            data = where[:size]
        if code == "s":
            tags[tag] = (kind, data)
        else:
            tags[tag] = (kind, struct.unpack(f"{order}{length * len(code)}{code[0]}", data))
    return tags, following
