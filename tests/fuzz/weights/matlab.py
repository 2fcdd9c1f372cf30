"""Changes of MATLAB files of version 5 by what they are made of: elements, their tags, sizes."""

import struct
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress

from tests.fuzz.changes import Rng, any_number, cut, flip, packed, pick, repeat, word

HEADER, MATRIX, PACKED = 128, 14, 15
BOMBS = [10**6, 10**8]  # bytes of a packed variable


def change_mat(rng: Rng, content: bytes) -> bytes:
    """Return a whole file with one change."""
    header, variables = content[:HEADER], []
    with suppress(zlib.error):  # of what was changed before
        variables = _variables(content)
    if rng.random() < 0.05 or not variables:
        return _header(rng, header) + content[HEADER:]
    at = int(rng.integers(len(variables)))
    is_packed, data = variables[at]
    if rng.random() < 0.75 and len(data) > 8:
        variables[at] = is_packed, pick(rng, _OF_VARIABLE)(rng, data)
    else:
        pick(rng, _OF_ALL)(rng, variables, at)
    return header + b"".join(_joined(rng, *each) for each in variables)


def _variables(content: bytes) -> list[tuple[bool, bytes]]:
    """Return whether each variable is packed, and its element unpacked."""
    found, at = [], HEADER
    while at + 8 <= len(content):
        kind, length = struct.unpack_from("<II", content, at)
        data = content[at : at + 8 + length]
        found.append((True, zlib.decompress(data[8:])) if kind == PACKED else (False, data))
        at += 8 + length
    return found


def _joined(rng: Rng, is_packed: bool, data: bytes) -> bytes:
    if not is_packed:
        return data
    content = data if data[:1] == b"\x78" else zlib.compress(data)  # a bomb is packed already
    lie = any_number(rng, 32) if rng.random() < 0.05 else len(content)
    return struct.pack("<II", PACKED, lie) + content


def _header(rng: Rng, header: bytes) -> bytes:
    return header[:116] + pick(rng, [flip, word])(rng, header[116:])


def _tags(data: bytes, start: int = 0, depth: int = 0) -> Iterator[tuple[int, int]]:
    """Yield where each element stands and its type, those within others too."""
    while start + 8 <= len(data) and depth < 8:
        kind, length = struct.unpack_from("<II", data, start)
        yield start, kind
        if kind >> 16:
            start += 8
            continue
        if kind == MATRIX:
            yield from _tags(data[: start + 8 + length], start + 8, depth + 1)
        start += 8 + length + -length % 8


def _tag(rng: Rng, data: bytes) -> bytes:
    """Change the type or the length of an element."""
    at, _ = pick(rng, list(_tags(data)))
    if rng.random() < 0.5:
        kind = pick(rng, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 13, 14, 15, 16, 17, 18, 99, 0x10001])
        return data[:at] + struct.pack("<I", kind) + data[at + 4 :]
    return data[: at + 4] + struct.pack("<I", any_number(rng, 32)) + data[at + 8 :]


def _part(rng: Rng, data: bytes, kind: int, size: int) -> int:
    """Return where one of the first numbers of an element of a type stands, 0 where there is none.

    Flags have the type 6, sizes 5, names 1.
    """
    places = [at for at, its_kind in _tags(data) if its_kind in (kind, kind | size << 16)]
    return pick(rng, places) + 8 + size * int(rng.integers(3)) if places else 0


def _sizes(rng: Rng, data: bytes) -> bytes:
    at = _part(rng, data, 5, 4)
    size = pick(rng, [0, 1, 2, 7, 1000, 10**6, 2**31 - 1, 2**31, 2**32 - 1])
    return data[:at] + struct.pack("<I", size) + data[at + 4 :] if at else data


def _flags(rng: Rng, data: bytes) -> bytes:
    at = _part(rng, data, 6, 1) // 8 * 8
    flags = pick(rng, [*range(20), 0x806, 0x206, 0x406, 0x809, 0x209, 255])
    return data[:at] + struct.pack("<I", flags) + data[at + 4 :] if at else data


def _name(rng: Rng, data: bytes) -> bytes:
    at = _part(rng, data, 1, 1)
    letter = pick(rng, [b"\x1b", b"\n", b"\0", b"\xff", b"/", b"."])
    return data[:at] + letter + data[at + 1 :] if at else data


def _value(rng: Rng, data: bytes) -> bytes:
    """Put a value that means nothing among the numbers, which are the last part."""
    values = [float("nan"), float("inf"), 1e38, 1e300, -1e308, 5e-324]
    at = len(data) - 8 * int(rng.integers(1, 4))
    return data[:at] + struct.pack("<d", pick(rng, values)) + data[at + 8 :]


# ---- of several variables


def _bomb(rng: Rng, variables: list[tuple[bool, bytes]], at: int) -> None:
    content = packed(int(pick(rng, BOMBS)))
    if rng.random() < 0.5:  # with the beginning of a variable that claims to be as large
        head = variables[at][1][:64]
        claim = pick(rng, [10**6, 10**8, 2**32 - 1])
        content = zlib.compress(head[:4] + struct.pack("<I", claim) + head[8:] + bytes(10**6))
    variables[at] = True, content


def _twice(rng: Rng, variables: list[tuple[bool, bytes]], at: int) -> None:
    variables.insert(int(rng.integers(len(variables))), variables[at])


def _without(rng: Rng, variables: list[tuple[bool, bytes]], at: int) -> None:
    del variables[at]


def _pack(rng: Rng, variables: list[tuple[bool, bytes]], at: int) -> None:
    is_packed, data = variables[at]
    variables[at] = not is_packed, data


def _nest(rng: Rng, variables: list[tuple[bool, bytes]], at: int) -> None:
    """Put a variable into cells within cells."""
    is_packed, inner = variables[at]
    for _ in range(int(pick(rng, [1, 30, 33, 2000]))):
        head = struct.pack("<6I", 6, 8, 1, 0, 5, 8) + struct.pack("<4I", 1, 1, 1, 0)
        inner = struct.pack("<II", MATRIX, len(head + inner)) + head + inner
    variables[at] = is_packed, inner


_OF_VARIABLE: list[Callable[[Rng, bytes], bytes]] = [
    *(_tag, _tag, _tag, _sizes, _sizes, _flags, _name, _value, flip, word, cut, repeat),
]
_OF_ALL: list[Callable[[Rng, list[tuple[bool, bytes]], int], None]] = [
    *(_bomb, _bomb, _twice, _without, _pack, _nest),
]
