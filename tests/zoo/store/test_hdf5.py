"""HDF5 of strangers: what leads out of a file, claims too much or is of another kind is refused."""

import h5py
import numpy as np
import pytest

import zoo
from recipes.data.volumes import read_volume
from recipes.training.checkpoints import load_newest
from zoo.pictures.images import ImageError
from zoo.store.claims import ContentError
from zoo.store.hdf5 import child, open_hdf5, read_array, referred
from zoo.store.weight import load_into

SECRET = np.arange(4 * 5 * 6, dtype="f4").reshape(4, 5, 6)


@pytest.fixture
def secret(tmp_path):
    """A file outside, as raw values and as HDF5."""
    SECRET.tofile(tmp_path / "secret.bin")
    with h5py.File(tmp_path / "secret.h5", "w") as file:
        file["cube"] = SECRET
    return tmp_path


def external(file, at, folder):
    raw = [(str(folder / "secret.bin"), 0, h5py.h5f.UNLIMITED)]
    file.create_dataset(at, SECRET.shape, "f4", external=raw)


def virtual(file, at, folder):
    layout = h5py.VirtualLayout(SECRET.shape, "f4")
    layout[...] = h5py.VirtualSource(str(folder / "secret.h5"), "cube", SECRET.shape)
    file.create_virtual_dataset(at, layout)


def external_link(file, at, folder):
    file[at] = h5py.ExternalLink(str(folder / "secret.h5"), "/cube")


def soft_link(file, at, folder):
    file["a/b"] = SECRET
    file[at] = h5py.SoftLink("/a/b")


def ring(file, at, folder):
    file["x"], file[at] = h5py.SoftLink(f"/{at}"), h5py.SoftLink("/x")


def nested(file, at, folder):
    group = file
    for _ in range(3000):
        group = group.create_group("g")
    file[at] = SECRET


def lzf(file, at, folder):
    file.create_dataset(at, data=SECRET, compression="lzf")


def sparse(file, at, folder):
    file.create_dataset(at, (10**5, 10**4, 10**4), "f4", chunks=(1, 10, 10), compression="gzip")


def huge_chunk(file, at, folder):
    kind = {"maxshape": (None,) * 3, "chunks": (2**9, 2**9, 2**9), "compression": "gzip"}
    file.create_dataset(at, (2, 2, 2), "f4", **kind)


def empty_chunk(file, at, folder):
    kind = {"maxshape": (None,) * 3, "chunks": (2**8, 2**8, 2**8), "compression": "gzip"}
    file.create_dataset(at, data=np.ones((2, 2, 2), "f4"), **kind)


def deflate_bomb(file, at, folder):
    import zlib

    array = file.create_dataset(at, (4, 5, 6), "f4", chunks=(4, 5, 6), compression="gzip")
    array.id.write_direct_chunk((0, 0, 0), zlib.compress(bytes(10**8)))


OUTSIDE = {
    external: "kept in another file",
    virtual: "kept in another file",
    external_link: "is a link",
    soft_link: "is a link",
    ring: "is a link",
    nested: "nested more than 32 deep",
}
WRONG = OUTSIDE | {
    lzf: "packed in a way that is not read",
    sparse: "claims to have .*10000x10000 values of float32, more than a file of its length",
    huge_chunk: "more than a file of its length can hold",
    empty_chunk: "in a chunk that is larger than itself",
    deflate_bomb: "unpacks to more than it claims",
}
MODES = pytest.mark.parametrize("libver", ["earliest", "latest"])


@MODES
@pytest.mark.parametrize("make", WRONG)
def test_a_cube_that_is_not_in_its_file_is_refused(make, libver, secret):
    path = secret / "cube.mat"
    with h5py.File(path, "w", libver=libver) as file:
        make(file, "cube", secret)
    with pytest.raises(ImageError, match=f"cube.mat cannot be read: .*{WRONG[make]}"):
        read_volume(path)


@pytest.mark.parametrize("make", WRONG)
def test_weights_that_are_not_in_their_file_are_refused(make, secret):
    network, path = zoo.SRCNN(2, variant="9-1-5"), secret / "network.weights.h5"
    network.save_weights(path)
    before = network.get_weights()
    with h5py.File(path, "a") as file:
        del file["layers/conv2d/vars/0"]
        make(file, "layers/conv2d/vars/0", secret)
    with pytest.raises(zoo.WeightsError, match="does not fit|cannot be read"):
        load_into(network, str(path))
    assert all(map(np.array_equal, before, network.get_weights()))


@pytest.mark.parametrize("make", OUTSIDE)
def test_checkpoints_that_are_not_in_their_file_are_skipped(make, secret, capsys):
    network, folder = zoo.SRCNN(2, variant="9-1-5"), secret / "checkpoints"
    network.compile("adam", "mse")
    network.optimizer.build(network.trainable_variables)
    folder.mkdir()
    for step in (1, 2):
        network.save_weights(folder / f"step-{step:09d}.weights.h5")
    with h5py.File(folder / "step-000000002.weights.h5", "a") as file:
        make(file, "more", secret)
    assert load_newest(network, secret) == 1
    assert OUTSIDE[make] in capsys.readouterr().err


def test_what_a_reference_leads_to_is_looked_at(secret):
    with h5py.File(secret / "a.h5", "w") as file:
        external(file, "hidden", secret)
        group = file.create_group("group")
        group["out"] = h5py.ExternalLink(str(secret / "secret.h5"), "/cube")
        array, group = (referred(file, item.ref) for item in (file["hidden"], group))
        with pytest.raises(ContentError, match="kept in another file"):
            read_array(array)
        with pytest.raises(ContentError, match="'out' is a link"):
            child(group, "out")
        with pytest.raises(ContentError, match="'a/../out' is a link"):
            child(group, "a/../out")
        with pytest.raises(ContentError, match="no reference"):
            referred(file, 7)


@pytest.mark.parametrize(
    "values",
    [np.array(["text"], dtype=object), np.zeros(3, [("a", "f4")]), np.zeros(3, "V7")],
    ids=str,
)
def test_other_kinds_are_refused(values, tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        if values.dtype == object:
            file.create_dataset("a", data=values, dtype=h5py.string_dtype())
        else:
            file["a"] = values
    with (
        open_hdf5(tmp_path / "a.h5") as file,
        pytest.raises(ContentError, match="/a holds values of the kind .*, not numbers"),
    ):
        read_array(file["a"])


@MODES
@pytest.mark.parametrize(
    "kind",
    [
        {},
        {"chunks": (3, 3, 3)},
        {"compression": "gzip", "shuffle": True, "fletcher32": True},
        {"maxshape": (None, None, None), "chunks": (16, 2, 2), "compression": "gzip"},
    ],
    ids=str,
)
def test_what_lies_in_the_file_is_read(kind, libver, tmp_path):
    with h5py.File(tmp_path / "a.h5", "w", libver=libver) as file:
        file.create_dataset("a", data=SECRET, **kind)
        file["ring"] = file  # a group that holds itself
    with open_hdf5(tmp_path / "a.h5") as file:
        np.testing.assert_array_equal(read_array(child(file, "a")), SECRET)
        with pytest.raises(KeyError, match="none"):
            child(file, "none")
