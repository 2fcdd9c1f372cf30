"""A weights file as it is published: every array packed without loss, if asked for in float16.

Weights pack badly, but their exponents do: by 12 to 14 %. Keras reads such files like any other,
and so does `zoo.store.hdf5`, which unpacks no array further than it claims to be.
"""

from pathlib import Path

import h5py
import numpy as np

from zoo.machine.parts import temporary_folder
from zoo.store.hdf5 import open_hdf5

SMALL = 512  # bytes below which describing the packing takes more than it saves
# Of HDF5: its groups take fewer bytes than those of the first one, which h5py writes by itself.
VERSION = (h5py.h5f.LIBVER_V110, h5py.h5f.LIBVER_V110)


def packed(file: Path, half: bool = False) -> bytes:
    """Return the content of a weights file packed, with `half` its floats in float16.

    The same bytes at any time: no entry keeps when it was made.
    """
    with temporary_folder() as folder:
        path = folder / file.name
        with open_hdf5(file) as content, _create(path) as small:
            _copy(content, small, half)
        return path.read_bytes()


def _create(path: Path) -> h5py.File:
    access = h5py.h5p.create(h5py.h5p.FILE_ACCESS)
    access.set_libver_bounds(*VERSION)
    made = _timeless(h5py.h5p.FILE_CREATE)
    return h5py.File(h5py.h5f.create(bytes(path), h5py.h5f.ACC_EXCL, made, access))


def _timeless(kind: h5py.h5p.PropClassID) -> h5py.h5p.PropOCID:
    properties = h5py.h5p.create(kind)
    properties.set_obj_track_times(False)
    return properties


def _copy(source: h5py.Group, target: h5py.Group, half: bool) -> None:
    target.attrs.update(source.attrs)
    for name, item in source.items():
        if isinstance(item, h5py.Group):
            made = _timeless(h5py.h5p.GROUP_CREATE)
            group = h5py.Group(h5py.h5g.create(target.id, name.encode(), gcpl=made))
            _copy(item, group, half)
        else:
            floats = item.dtype.kind == "f"
            _write(target, name, item[()].astype("float16") if half and floats else item[()])
            target[name].attrs.update(item.attrs)


def _write(target: h5py.Group, name: str, values: np.ndarray) -> None:
    """Write an array, of a size that pays as one packed chunk with its bytes sorted by place."""
    if values.nbytes < SMALL:
        target.create_dataset(name, data=values)
    else:
        packing = {"chunks": values.shape, "shuffle": True, "compression": "gzip"}
        target.create_dataset(name, data=values, compression_opts=9, **packing)
