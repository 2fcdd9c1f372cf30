"""MATLAB files of version 5 to 7 (not 7.3, which is HDF5): variables in, and out again.

A file is a header of 128 bytes and one element for each variable: an element is a tag (type and
length) and data, which may be elements again or, packed by deflate, one element. Everything that a
tag claims is compared with the bytes that are there.

Reference: "MAT-File Format", The MathWorks.
"""

import math
import os
import struct
import zlib
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import NamedTuple, TypeAlias

import numpy as np

from zoo.pictures.claims import DEFLATE
from zoo.store.claims import ContentError, check_memory, refusing_content

DEPTH, AXES = 32, 32  # of cells within cells, of arrays
LONGEST = 2**32 - 2**16  # bytes of a variable: lengths have 32 bit
_HEADER, _LOOK = 128, 4096  # bytes: of the file, and of a variable until its name
_MATRIX, _PACKED, _UTF8 = 14, 15, 16
_TYPES = {
    **{1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"},
    **{17: "u2", 18: "u4"},  # text
}
_CELL, _STRUCT, _CHAR = 1, 2, 4
_CLASSES = {
    **{6: "f8", 7: "f4", 8: "i1", 9: "u1", 10: "i2", 11: "u2", 12: "i4", 13: "u4"},
    **{14: "i8", 15: "u8"},
}
_COMPLEX, _LOGICAL = 0x800, 0x200
_CUT = "it is cut short or damaged"

# Numbers are arrays, text is a str, a cell array a list, a struct a dict (several: a list of them);
# what else there is (sparse arrays, objects, functions) is None.
Value: TypeAlias = "np.ndarray | str | list[Value] | dict[str, Value] | None"


class Variable(NamedTuple):
    """A variable in a file before it is read.

    Attributes:
        name: Empty for what MATLAB keeps for itself.
        shape: Of the array.
        dtype: Of real numbers, None where it is something else.
        start: Of its element in the file.
        length: Of the element, tag included.
        size: Of the matrix after unpacking.
    """

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[np.generic] | None
    start: int
    length: int
    size: int


def mat_variables(path: Path) -> list[Variable]:
    """Return what a file of version 5 to 7 holds, in its order."""
    with refusing_content(), path.open("rb") as file:
        order, end = _order(file.read(_HEADER)), os.path.getsize(path)
        found, start = [], _HEADER
        while start < end:
            file.seek(start)
            kind, length = _tag(file.read(8), order)
            if kind not in (_MATRIX, _PACKED) or start + 8 + length > end:
                raise ContentError(_CUT)
            found.append(_variable(file.read(min(length, 16 * _LOOK)), kind, start, length, order))
            start += 8 + length
        return found


def read_mat(path: Path, variable: Variable) -> Value:
    """Return the value of a variable; refuse damage, and what is nested too deep or too large."""
    with refusing_content(), path.open("rb") as file:
        order = _order(file.read(_HEADER))
        # An empty cell takes 8 bytes in the file, and some 300 as the field of a dict.
        each = 40 * variable.size
        if variable.dtype is not None:
            each = math.prod(variable.shape) * variable.dtype.itemsize
        check_memory(variable.length + variable.size + each)
        file.seek(variable.start)
        kind, length = _tag(file.read(8), order)
        data = file.read(length)
        if kind == _PACKED:
            unpacking = zlib.decompressobj()
            data = unpacking.decompress(data, variable.size + 16)[8:]
            if not unpacking.eof:
                raise ContentError(_CUT)
        if len(data) != variable.size:
            raise ContentError(_CUT)
        return _value(memoryview(data), order, 0)


def write_mat(path: Path, out: Path, arrays: Mapping[str, np.ndarray | None]) -> None:
    """Write a file again with other values of some variables; those of None are left out.

    All else stays as it is.
    """
    with path.open("rb") as file, out.open("wb") as target:
        header = bytearray(file.read(_HEADER))
        order, moved = _order(header), 0
        # where MATLAB keeps its objects, or blanks
        system = struct.unpack_from(order + "Q", header, 116)[0]
        target.write(header)
        for variable in mat_variables(path):
            file.seek(variable.start)
            element = file.read(variable.length)
            if variable.name in arrays:
                array = arrays[variable.name]
                element = b"" if array is None else _element(variable.name, array, order)
                if variable.start < system:
                    moved += len(element) - variable.length
            target.write(element)
        if system < os.path.getsize(path):
            target.seek(116)
            target.write(struct.pack(order + "Q", system + moved))


def _order(header: bytes | bytearray) -> str:
    """Return the order of the bytes of a file by its header."""
    order = {b"IM": "<", b"MI": ">"}.get(bytes(header[126:128]), "")
    if not order or struct.unpack_from(order + "H", header, 124)[0] != 0x100:
        raise ContentError("it is no .mat file of version 5 to 7.3")
    return order


def _tag(data: bytes, order: str) -> tuple[int, int]:
    if len(data) < 8:
        raise ContentError(_CUT)
    kind, length = struct.unpack(order + "II", data)
    return kind, length


def _variable(head: bytes, kind: int, start: int, length: int, order: str) -> Variable:
    """Return what the first bytes of an element say."""
    size = length
    if kind == _PACKED:
        head = zlib.decompressobj().decompress(head, _LOOK)
        kind, size = _tag(head[:8], order)
        head = head[8:]
        if kind != _MATRIX or size > DEFLATE * length:
            raise ContentError("it claims more than a file of its length can hold")
    flags, shape, name = _heading(islice(_elements(memoryview(head), order), 3), order)
    real = flags & 0xFF in _CLASSES and not flags & (_COMPLEX | _LOGICAL)
    if real and math.prod(shape) > size:
        raise ContentError(
            f"{name!r} claims to have {'x'.join(map(str, shape))} values, more than a file of its "
            "length can hold"
        )
    dtype = np.dtype(_CLASSES[flags & 0xFF]) if real else None
    return Variable(name, shape, dtype, start, 8 + length, size)


def _heading(
    parts: Iterator[tuple[int, memoryview]], order: str
) -> tuple[int, tuple[int, ...], str]:
    """Return flags, shape and name, with which every array begins."""
    found = [data for _, data in parts]
    if len(found) < 3 or len(found[0]) < 4 or len(found[1]) % 4:
        raise ContentError(_CUT)
    shape = struct.unpack(f"{order}{len(found[1]) // 4}i", found[1])
    if not 2 <= len(shape) <= AXES or min(shape) < 0:
        raise ContentError(_CUT)
    return struct.unpack_from(order + "I", found[0])[0], shape, bytes(found[2]).decode("latin1")


def _elements(data: memoryview, order: str) -> Iterator[tuple[int, memoryview]]:
    """Yield type and data of one element after the other."""
    at = 0
    while at < len(data):
        kind, length = _tag(bytes(data[at : at + 8]), order)
        start, step = at + 8, 8 + length + -length % 8
        if kind >> 16:  # up to four bytes stand in the tag itself
            kind, length = kind & 0xFFFF, kind >> 16
            start, step = at + 4, 8
        if start + length > min(len(data), at + step):
            raise ContentError(_CUT)
        yield kind, data[start : start + length]
        at += step


def _value(data: memoryview, order: str, depth: int) -> Value:
    """Return the value of a matrix; see `read_mat`."""
    if not data:  # an empty cell
        return np.zeros((0, 0))
    if depth > DEPTH:
        raise ContentError(f"its cells are nested more than {DEPTH} deep")
    parts = _elements(data, order)
    flags, shape, _ = _heading(islice(parts, 3), order)
    kind, count = flags & 0xFF, math.prod(shape)
    if kind == _CELL:
        return [_value(part, order, depth + 1) for _, part in parts]
    if kind == _STRUCT:
        return _struct(list(parts), count, order, depth)
    if kind == _CHAR:
        stored, letters = next(parts, (_UTF8, memoryview(b"")))
        return _text(stored, letters, order)
    if kind not in _CLASSES:
        return None
    planes = [_numbers(*part, order) for part in parts]
    if len(planes) != 1 + bool(flags & _COMPLEX) or any(len(plane) != count for plane in planes):
        raise ContentError(_CUT)
    values = planes[0] if len(planes) == 1 else planes[0] + 1j * planes[1]
    if not flags & _COMPLEX:
        values = values.astype("?") if flags & _LOGICAL else _of_class(values, _CLASSES[kind])
    return values.reshape(shape, order="F")


def _of_class(stored: np.ndarray, kind: str) -> np.ndarray:
    """Return numbers in the type of their class; what stores them may be a smaller one alone."""
    with np.errstate(invalid="ignore"):
        values = stored.astype(kind, copy=False)
    fits = np.can_cast(stored.dtype, kind) or np.array_equal(values, stored, equal_nan=True)
    if not fits:
        raise ContentError(_CUT)
    return values


def _numbers(kind: int, data: memoryview, order: str) -> np.ndarray:
    if kind not in _TYPES or len(data) % np.dtype(_TYPES[kind]).itemsize:
        raise ContentError(_CUT)
    return np.frombuffer(data, order + _TYPES[kind])


def _text(kind: int, data: memoryview, order: str) -> str:
    """Return text; of several rows the letters stand column by column."""
    if kind == _UTF8:
        return bytes(data).decode("utf-8", "replace")
    codes = _numbers(kind, data, order).astype("<u4")
    return codes.tobytes().decode("utf-32-le", "replace")


def _struct(parts: list[tuple[int, memoryview]], count: int, order: str, depth: int) -> Value:
    """Return the fields of a struct, or of each of several."""
    if len(parts) < 2 or len(parts[0][1]) < 4:
        raise ContentError(_CUT)
    longest = struct.unpack_from(order + "i", parts[0][1])[0]
    text = bytes(parts[1][1])
    if longest < 1 or len(text) % longest:
        raise ContentError(_CUT)
    names = [
        text[at : at + longest].split(b"\0")[0].decode("latin1")
        for at in range(0, len(text), longest)
    ]
    values = [_value(part, order, depth + 1) for _, part in parts[2:]]
    if len(values) != count * len(names):
        raise ContentError(_CUT)
    every: list[Value] = [
        dict(zip(names, values[at : at + len(names)], strict=True))
        for at in range(0, len(values), max(len(names), 1))
    ]
    return every[0] if count == 1 and every else every


def _element(name: str, array: np.ndarray, order: str) -> bytes:
    """Return an array of numbers as the element of a variable."""
    if array.nbytes > LONGEST:
        raise ContentError(f"{name} has {array.nbytes / 1e9:.1f} GB; version 5 can hold 4 GB")

    def part(kind: int, data: bytes) -> bytes:
        return struct.pack(order + "II", kind, len(data)) + data + bytes(-len(data) % 8)

    code = array.dtype.str[1:]
    kind = next(kind for kind, known in _CLASSES.items() if known == code)
    stored = next(kind for kind, known in _TYPES.items() if known == code)
    matrix = (
        part(6, struct.pack(order + "II", kind, 0))
        + part(5, struct.pack(f"{order}{array.ndim}i", *array.shape))
        + part(1, name.encode("latin1"))
        + part(stored, array.astype(order + code).tobytes(order="F"))
    )
    return part(_MATRIX, matrix)
