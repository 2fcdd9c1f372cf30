"""HDF5 of strangers: the one gate through which weights, checkpoints and cubes come in.

HDF5 can keep values in other files (external storage, virtual datasets, external links), name them
by links that lead in rings, nest groups without end and claim any size. Here a file holds groups
and arrays of its own, no deeper and no larger than its length and the memory allow, or is refused.
"""

import math
import os
import shutil
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import h5py
import numpy as np

from zoo.machine.files import check_room
from zoo.pictures.claims import DEFLATE
from zoo.store.claims import ContentError, check_memory, refusing_content

DEPTH = 32  # of groups within groups
ENTRIES = 100_000
NUMBERS = "iuf"  # kinds of NumPy
LARGEST_CHUNK = 2**24  # bytes of a chunk that is larger than its array, which may have been to grow
# Others may unpack to any size, or be loaded from a folder of plugins.
_FILTERS = {h5py.h5z.FILTER_DEFLATE, h5py.h5z.FILTER_SHUFFLE, h5py.h5z.FILTER_FLETCHER32}
_CHECK_SUM = 4  # bytes


@contextmanager
def open_hdf5(path: str | os.PathLike[str]) -> Iterator[h5py.File]:
    """Yield an HDF5 file, once every group and array below its root is known to lie in it.

    Take entries by `child` and `referred`, values by `read_array`: a reference may lead to what is
    not below the root.
    """
    with refusing_content():
        file = h5py.File(path, "r")
    with file:
        with refusing_content():
            _walk(file)
        yield file


def child(group: h5py.Group, name: str) -> h5py.Group | h5py.Dataset:
    """Return the entry of a group, which must be no link; where there is none, raise `KeyError`."""
    with refusing_content():
        link = group.get(name, getlink=True) if "/" not in name else None
        if isinstance(link, h5py.HardLink):
            return group[name]
        if link is not None or "/" in name:
            raise ContentError(f"its entry {name!r} is a link, which is not followed")
    raise KeyError(name)


def referred(file: h5py.File, reference: h5py.Reference) -> h5py.Group | h5py.Dataset:
    """Return what an object reference stands for."""
    with refusing_content():
        if type(reference) is not h5py.Reference:
            raise ContentError("it has no reference where one is expected")
        return file[reference]


def check_array(array: h5py.Dataset, kinds: str = NUMBERS) -> None:
    """Refuse an array before its values are read.

    That is one of other kinds of NumPy, that lies in another file, is larger than a file of this
    length can hold or than the memory, or is packed in an unknown way.
    """
    with refusing_content():
        _check_inside(array)
        dtype, shape = array.dtype, array.shape
        odd = dtype.kind == "O" and h5py.check_ref_dtype(dtype) is not h5py.Reference
        if dtype.kind not in kinds or odd or shape is None:
            raise ContentError(f"{array.name} holds values of the kind {dtype}, not numbers")
        size = math.prod(shape) * dtype.itemsize
        length, most = os.path.getsize(array.file.filename), 1
        chunk, pieces = size, 0
        if array.chunks:
            chunk = math.prod(array.chunks) * dtype.itemsize
            filters = _filters(array)
            if not set(filters) <= _FILTERS or len(set(filters)) < len(filters):
                raise ContentError(f"{array.name} is packed in a way that is not read: {filters}")
            most = DEFLATE if h5py.h5z.FILTER_DEFLATE in filters else 1
            pieces = math.prod(-(-n // m) for n, m in zip(shape, array.chunks, strict=True))
        if max(size, chunk) > most * length or pieces > length:
            raise ContentError(
                f"{array.name} claims to have {'x'.join(map(str, shape))} values of {dtype}, more "
                "than a file of its length can hold"
            )
        if chunk > max(size, LARGEST_CHUNK):
            raise ContentError(f"{array.name} is kept in a chunk that is larger than itself")
        check_memory(2 * max(size, chunk))


def read_array(array: h5py.Dataset, kinds: str = NUMBERS) -> np.ndarray:
    """Return the values of an array that `check_array` takes."""
    check_array(array, kinds)
    with refusing_content():
        if array.chunks and array.compression == "gzip":
            _check_chunks(array)
        return np.asarray(array[()])


def numbers_of(file: h5py.File) -> dict[str, h5py.Dataset]:
    """Return the arrays of numbers at the root of a file, all of which `check_array` takes."""
    found = {}
    with refusing_content():
        for name in file:
            item = child(file, name)
            # the type itself may be one that NumPy does not know
            kind = item.id.get_type().get_class() if isinstance(item, h5py.Dataset) else None
            if kind in (h5py.h5t.INTEGER, h5py.h5t.FLOAT) and item.shape:
                check_array(item)
                found[name] = item
    return found


def write_like(
    path: str | os.PathLike[str],
    out: str | os.PathLike[str],
    arrays: Mapping[str, np.ndarray | None],
) -> None:
    """Write a file again with other values of some arrays at its root; those of None are left out.

    All else stays as it is.
    """
    sizes = [0 if array is None else array.nbytes for array in arrays.values()]
    check_room(Path(out).parent, os.path.getsize(path) + sum(sizes))
    shutil.copyfile(path, out)
    with h5py.File(out, "r+") as file:
        for name, array in arrays.items():
            attributes = dict(file[name].attrs)
            packed = {"compression": "gzip"} if file[name].compression == "gzip" else {}
            del file[name]
            if array is not None:
                file.create_dataset(name, data=array, **packed)
                file[name].attrs.update(attributes)


def _walk(file: h5py.File) -> None:
    """Look at every entry below the root of a file, each once."""
    waiting, seen, count = [(file["/"], 0)], set(), 0
    while waiting:
        group, depth = waiting.pop()
        if depth > DEPTH:
            raise ContentError(f"its groups are nested more than {DEPTH} deep")
        for name in group:
            item = child(group, name)
            count += 1
            if count > ENTRIES:
                raise ContentError(f"it has more than {ENTRIES} entries")
            if isinstance(item, h5py.Dataset):
                _check_inside(item)
            elif isinstance(item, h5py.Group):
                place = h5py.h5o.get_info(item.id).addr
                if place not in seen:
                    waiting.append((item, depth + 1))
                seen.add(place)


def _check_inside(array: h5py.Dataset) -> None:
    if not isinstance(array, h5py.Dataset):
        raise ContentError("it has no array where one is expected")
    layout = array.id.get_create_plist()
    if layout.get_external_count() or layout.get_layout() == h5py.h5d.VIRTUAL:
        raise ContentError(
            f"the values of {array.name} are kept in another file, which is not read"
        )


def _filters(array: h5py.Dataset) -> list[int]:
    """Return how the chunks of an array are packed, in the order of packing."""
    layout = array.id.get_create_plist()
    return [layout.get_filter(number)[0] for number in range(layout.get_nfilters())]


def _check_chunks(array: h5py.Dataset) -> None:
    """Unpack every chunk as far as its own size: HDF5 unpacks whatever there is."""
    length = os.path.getsize(array.file.filename)
    size = math.prod(array.chunks) * array.dtype.itemsize
    place = _filters(array).index(h5py.h5z.FILTER_DEFLATE)
    found: list[h5py.h5d.StoreInfo] = []
    array.id.chunk_iter(found.append)
    for chunk in found:
        if chunk.size > length:
            raise ContentError(f"{array.name} is damaged")
        mask, packed = array.id.read_direct_chunk(chunk.chunk_offset)
        if not mask >> place & 1:
            most = size + _CHECK_SUM
            if len(zlib.decompressobj().decompress(packed, most + 1)) > most:
                raise ContentError(f"{array.name} unpacks to more than it claims to hold")
