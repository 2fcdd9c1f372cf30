"""Changes of HDF5 by what it is made of: links, arrays and what they claim, filters, attributes."""

import struct
import zlib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import h5py
import numpy as np

from tests.fuzz.changes import Rng, any_number, packed, pick

Edit = Callable[[Rng, h5py.File], None]
BOMBS = [10**6, 10**8]  # bytes of a packed chunk
SECRET = "secret.h5"  # a file beside the one that is changed, see `tests.fuzz.weights.canary`
VALUES = [np.nan, np.inf, -np.inf, 1e38, -1e38, 1e300, -1e308, 1e9, 1e-45, -1.0, 0.0, 2.0**63]


def change_hdf5(rng: Rng, content: bytes) -> bytes:
    """Return a whole file with one change."""
    if rng.random() < 0.1:
        return _sizes(rng, content)
    edit = pick(rng, _EDITS)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "a.h5"
        path.write_bytes(content)
        with suppress(Exception), h5py.File(path, "r+") as file:  # HDF5 does not make all of them
            edit(rng, file)
        return path.read_bytes()


def _sizes(rng: Rng, content: bytes) -> bytes:
    """Change the size that an array claims, where it stands: no library writes a wrong one."""
    sizes: list[int] = []
    with TemporaryDirectory() as folder:
        path = Path(folder) / "a.h5"
        path.write_bytes(content)
        with suppress(Exception), h5py.File(path) as file:
            sizes = [size for name in _arrays(file) for size in file[name].shape]
    if not sizes:
        return content
    old, new = pick(rng, sizes), pick(rng, [0, 1, 7, 10**4, 10**8, 2**31, 2**32, 2**62, 2**64 - 1])
    return content.replace(struct.pack("<Q", old), struct.pack("<Q", new), 2)


def _arrays(file: h5py.File) -> list[str]:
    found: list[str] = []
    file.visititems(
        lambda name, item: found.append(name) if isinstance(item, h5py.Dataset) else None
    )
    return found


def _entries(file: h5py.File) -> list[str]:
    found: list[str] = []
    file.visit(found.append)
    return found


def _array(rng: Rng, file: h5py.File) -> str:
    return str(pick(rng, _arrays(file)))


def _entry(rng: Rng, file: h5py.File) -> str:
    return str(pick(rng, _entries(file)))


def _put(file: h5py.File, name: str, **words: Any) -> h5py.Dataset:
    """Put another array in the place of one, with its attributes."""
    attributes = dict(file[name].attrs)
    del file[name]
    array = file.create_dataset(name, **words)
    array.attrs.update(attributes)
    return array


# ---- values


def _value(rng: Rng, file: h5py.File) -> None:
    array = file[_array(rng, file)]
    values = array[()]
    with np.errstate(all="ignore"):
        flat = np.ravel(values)
        value = pick(rng, VALUES)
        if values.dtype.kind in "iu":
            value = pick(rng, [np.iinfo(values.dtype).min, np.iinfo(values.dtype).max])
        flat[int(rng.integers(flat.size))] = value
    array[()] = flat.reshape(values.shape)


def _all_values(rng: Rng, file: h5py.File) -> None:
    name = _array(rng, file)
    with np.errstate(all="ignore"):
        values = np.full(file[name].shape, pick(rng, VALUES), file[name].dtype)
    file[name][()] = values


def _kind(rng: Rng, file: h5py.File) -> None:
    name = _array(rng, file)
    shape = file[name].shape
    plain = ["i1", "u1", "i4", "i8", "u8", "?", "c8", "c16", "f2", "f8", ">f4", "S5", "V7", "V2"]
    special = [
        h5py.string_dtype(),
        h5py.vlen_dtype("f4"),
        h5py.enum_dtype({"a": 0, "b": 1}),
        h5py.ref_dtype,
        h5py.regionref_dtype,
        h5py.opaque_dtype("M8[s]"),
        np.dtype([("a", "f4"), ("b", "i1")]),
        np.dtype(("f4", (3,))),
    ]
    if rng.random() < 0.5:
        with np.errstate(all="ignore"):
            values = np.asarray(file[name][()])
            kind = pick(rng, plain)
            values = values.astype(kind) if kind[0] not in "SV" else np.zeros(shape, kind)
        _put(file, name, data=values)
    else:
        _put(file, name, shape=shape, dtype=pick(rng, special))


def _shape(rng: Rng, file: h5py.File) -> None:
    name = _array(rng, file)
    values = file[name][()]
    shapes = [
        values.T,
        values.ravel(),
        values[None],
        values[..., None],
        np.repeat(values, 2, axis=0) if values.ndim else values[None],
        values[:0] if values.ndim else values,
        np.float32(1),
        h5py.Empty("f4"),
        values.reshape((1,) * 20 + values.shape),
    ]
    _put(file, name, data=pick(rng, shapes))


# ---- claims


def _claim(rng: Rng, file: h5py.File) -> None:
    """Claim values that are nowhere."""
    name = _array(rng, file)
    axes = file[name].ndim or 1
    size = int(pick(rng, [10**8, 10**9, 10**10, 10**12]))
    shape = (*(max(int(size ** (1 / axes)), 2),) * (axes - 1), size)
    if rng.random() < 0.7:
        shape = (max(int(size ** (1 / axes)), 2),) * axes
    ways: list[dict[str, Any]] = [
        {},
        {"chunks": True, "compression": "gzip"},
        {"chunks": True},
        {"chunks": (1,) * axes, "compression": "gzip"},
        {"chunks": tuple(min(each, 2**9) for each in shape), "compression": "gzip"},
    ]
    _put(file, name, shape=shape, dtype=pick(rng, ["f4", "f8", "u1"]), **pick(rng, ways))


def _huge_chunk(rng: Rng, file: h5py.File) -> None:
    name = _array(rng, file)
    shape = file[name].shape
    chunks = (int(2 ** (28 / len(shape))),) * len(shape)
    limits = {"maxshape": (None,) * len(shape), "chunks": chunks, "compression": "gzip"}
    _put(file, name, shape=shape, dtype=file[name].dtype, **limits)


def _bomb(rng: Rng, file: h5py.File) -> None:
    """Unpack to more than is claimed, or to less."""
    name = _array(rng, file)
    shape = file[name].shape
    limits = {"chunks": shape, "compression": "gzip", "fletcher32": bool(rng.random() < 0.2)}
    array = _put(file, name, shape=shape, dtype=file[name].dtype, **limits)
    contents = [packed(each) for each in BOMBS]
    contents += [zlib.compress(b"1234"), b"", b"no deflate", packed(BOMBS[0])[:-5]]
    mask = 1 if rng.random() < 0.1 else 0
    array.id.write_direct_chunk((0,) * len(shape), pick(rng, contents), mask)


def _filters(rng: Rng, file: h5py.File) -> None:
    name = _array(rng, file)
    ways: list[dict[str, Any]] = [
        {"compression": "lzf"},
        {"compression": "gzip", "shuffle": True, "fletcher32": True},
        {"compression": "gzip", "compression_opts": 9},
        {"fletcher32": True},
        {"scaleoffset": 3},
        {"chunks": True},
    ]
    _put(file, name, data=file[name][()], **pick(rng, ways))


# ---- what leads elsewhere


def _outside(rng: Rng, file: h5py.File) -> None:
    name = _array(rng, file) if rng.random() < 0.8 else _entry(rng, file)
    item = file[name]
    shape = item.shape if isinstance(item, h5py.Dataset) else (3,)
    way = int(rng.integers(5))
    if way == 0:
        raw = [("secret.bin", 0, h5py.h5f.UNLIMITED)]
        _put(file, name, shape=shape, dtype="f4", external=raw)
        return
    del file[name]
    if way == 1:
        layout = h5py.VirtualLayout(shape, "f4")
        layout[...] = h5py.VirtualSource(SECRET, "cube", shape)
        file.create_virtual_dataset(name, layout)
    elif way == 2:
        file[name] = h5py.ExternalLink(SECRET, pick(rng, ["/cube", "/", "/none"]))
    elif way == 3:
        file["aside"] = np.ones(shape, "f4")
        file[name] = h5py.SoftLink(pick(rng, ["/aside", f"/{name}", "/none", "."]))
    else:
        file[name] = h5py.ExternalLink("", f"/{name}")


def _more_outside(rng: Rng, file: h5py.File) -> None:
    """Put a way out beside what is there."""
    group = file[_entry(rng, file)]
    group = group if isinstance(group, h5py.Group) else file
    group[pick(rng, ["vars", "0", "1", "more", "layers"])] = pick(
        rng,
        [h5py.ExternalLink(SECRET, "/cube"), h5py.SoftLink("/"), h5py.SoftLink("/more")],
    )


# ---- groups


def _same(rng: Rng, file: h5py.File) -> None:
    """Let an entry have two names, a group hold itself."""
    first, second = _entry(rng, file), _entry(rng, file)
    if rng.random() < 0.5:
        first, second = f"{first}/{pick(rng, ['ring', 'vars', '0'])}", pick(rng, [first, second])
    elif first in file:
        del file[first]
    file[first] = file[second]


def _nest(rng: Rng, file: h5py.File) -> None:
    group = file
    for _ in range(int(pick(rng, [5, 31, 33, 3000]))):
        group = group.create_group("g")
    if rng.random() < 0.5:
        file.move(_entry(rng, file).split("/")[0], f"{group.name}/inner")


def _many(rng: Rng, file: h5py.File) -> None:
    for number in range(int(pick(rng, [100, 4000]))):
        file.create_group(f"more/{number}")


def _remove(rng: Rng, file: h5py.File) -> None:
    del file[_entry(rng, file)]


def _move(rng: Rng, file: h5py.File) -> None:
    name = _entry(rng, file)
    names = ["0", "1", "9", "vars", "layers", "conv2d_7", "a\x1b[2Jb", "ü", "", ".", "a" * 5000]
    parent = name.rpartition("/")[0] if rng.random() < 0.8 else _entry(rng, file)
    file.move(name, f"{parent}/{pick(rng, names)}")


def _more(rng: Rng, file: h5py.File) -> None:
    name = f"{_entry(rng, file)}/{pick(rng, ['0', '7', 'more', 'vars/0', 'layers/conv2d/vars/0'])}"
    file[name] = np.full(3, pick(rng, VALUES), "f8")


def _other_kind(rng: Rng, file: h5py.File) -> None:
    """Put a group in the place of an array, an array or a type in that of a group."""
    name = _entry(rng, file)
    was_group = isinstance(file[name], h5py.Group)
    del file[name]
    if rng.random() < 0.2:
        file[name] = np.dtype("f4")
    elif was_group:
        file[name] = np.ones(3, "f4")
    else:
        file.create_group(name)


def _attribute(rng: Rng, file: h5py.File) -> None:
    names = ["dtype", "MATLAB_class", "MATLAB_empty", "MATLAB_int_decode", "name", "CLASS", "a\nb"]
    item = file[_entry(rng, file)]
    values = [
        "bfloat16",
        b"double",
        7,
        np.nan,
        np.arange(3.0),
        ["bfloat16", "x"],
        h5py.Empty("f4"),
        item.ref,
        "x" * 60_000,
        np.zeros(2, [("a", "f4")]),
    ]
    item.attrs[pick(rng, names)] = pick(rng, values)


def near_marks(rng: Rng, content: bytes) -> bytes:
    """Change a word behind a mark of HDF5: of trees, heaps, headers."""
    marks = [b"\x89HDF", b"TREE", b"HEAP", b"SNOD", b"GCOL", b"OHDR", b"FRHP", b"BTHD"]
    places = [at for mark in marks for at in _found(content, mark)]
    if not places:
        return content
    at = pick(rng, places) + int(rng.integers(4, 72))
    size = int(pick(rng, [1, 2, 4, 8]))
    return (
        content[:at]
        + any_number(rng, 8 * min(size, 4)).to_bytes(size, "little")
        + (content[at + size :])
    )


def _found(content: bytes, mark: bytes) -> list[int]:
    places, at = [], content.find(mark)
    while at >= 0 and len(places) < 100:
        places.append(at)
        at = content.find(mark, at + 1)
    return places


_EDITS: list[Edit] = [
    *(_value, _value, _all_values, _kind, _kind, _shape, _claim, _claim, _huge_chunk, _bomb),
    *(_filters, _outside, _outside, _more_outside, _same, _nest, _many, _remove, _move, _more),
    *(_other_kind, _attribute),
]
