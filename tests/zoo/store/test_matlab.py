"""MATLAB files of version 5 to 7, against SciPy; and what they claim without holding it."""

import struct
import zlib

import numpy as np
import pytest
from scipy import io

from recipes.data.volumes import read_volume, write_volume
from zoo.pictures.images import ImageError
from zoo.store.claims import ContentError
from zoo.store.matlab import mat_variables, read_mat, write_mat

rng = np.random.default_rng(0)
KINDS = ("f8", "f4", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8")


def values(path):
    return {each.name: read_mat(path, each) for each in mat_variables(path)}


@pytest.mark.parametrize("packed", [False, True])
def test_numbers_text_cells_and_structs_are_what_scipy_wrote(packed, tmp_path):
    arrays = {f"x{kind}": (100 * rng.random((3, 4, 5))).astype(kind) for kind in KINDS}
    cell = np.empty((1, 2), object)
    cell[0, 0], cell[0, 1] = np.arange(3.0), "word"
    content = arrays | {
        "text": "grün",
        "cell": cell,
        "empty": np.zeros((0, 3)),
        "one": np.array(7),
        "flag": np.array([[True]]),
    }
    content |= {"struct": {"a": np.eye(2), "b": {"c": "deep"}}}
    io.savemat(tmp_path / "a.mat", content, do_compression=packed)
    found, theirs = values(tmp_path / "a.mat"), io.loadmat(tmp_path / "a.mat", mat_dtype=True)
    for name in (*arrays, "empty", "one", "flag"):
        np.testing.assert_array_equal(found[name], theirs[name])
        assert found[name].dtype == content[name].dtype, name
    assert found["text"] == "grün"
    assert found["cell"][1] == "word"
    np.testing.assert_array_equal(found["cell"][0], [[0, 1, 2]])
    np.testing.assert_array_equal(found["struct"]["a"], np.eye(2))
    assert found["struct"]["b"] == {"c": "deep"}
    listed = {each.name: each.shape for each in mat_variables(tmp_path / "a.mat") if each.dtype}
    assert set(listed) == {*arrays, "empty", "one"}
    assert listed["xu2"] == (3, 4, 5)


def element(kind, data, order="<"):
    return struct.pack(order + "II", kind, len(data)) + data + bytes(-len(data) % 8)


def matrix(shape, data, kind=6, stored=2, order="<", name=b"cube"):
    body = element(6, struct.pack(order + "II", kind, 0), order)
    body += element(5, struct.pack(f"{order}{len(shape)}i", *shape), order)
    return element(14, body + element(1, name, order) + element(stored, data, order), order)


def mat(*elements, order="<"):
    mark = b"IM" if order == "<" else b"MI"
    return (
        b"MATLAB 5.0 MAT-file".ljust(124, b"\0")
        + struct.pack(order + "H", 0x100)
        + mark
        + b"".join(elements)
    )


def packed(data):
    return struct.pack("<II", 15, len(zlib.compress(data))) + zlib.compress(data)


def test_small_values_of_doubles_and_the_other_order_of_bytes(tmp_path):
    (tmp_path / "a.mat").write_bytes(mat(matrix((1, 2, 3), bytes(range(6)), order=">"), order=">"))
    found = values(tmp_path / "a.mat")["cube"]
    assert found.dtype == np.float64
    np.testing.assert_array_equal(found, io.loadmat(tmp_path / "a.mat")["cube"])


def nested(depth):
    inner = b""
    for _ in range(depth):
        head = element(6, struct.pack("<II", 1, 0)) + element(5, struct.pack("<2i", 1, 1))
        inner = element(14, head + element(1, b"") + inner)
    return inner


DIMS = (1000, 1000, 3000)
BOMBS = {
    "declares 3 GB": mat(matrix(DIMS, bytes(1900))),
    "declares 3 GB, packed": mat(packed(matrix(DIMS, bytes(10**6)))),
    "tag of 3 GB, packed": mat(packed(struct.pack("<II", 14, 3 * 10**9) + matrix(DIMS, b"")[8:])),
    "negative": mat(matrix((-1, 2, 3), bytes(6))),
    "too few": mat(matrix((2, 2, 3), bytes(6))),
    "beyond its end": mat(struct.pack("<II", 14, 10**6) + bytes(100)),
    "doubles of class uint8": mat(matrix((1, 1, 2), np.array([7, 5000.0]).tobytes(), 9, 9)),
    "unknown": mat(element(99, bytes(16))),
    "no header": b"no matlab",
    "cut": mat(packed(matrix((2, 2, 3), bytes(12)))[:-9]),
    "empty": b"",
}


@pytest.mark.parametrize("name", BOMBS)
def test_claims_are_not_believed(name, tmp_path):
    (tmp_path / "a.mat").write_bytes(BOMBS[name])
    with pytest.raises(ImageError, match="a.mat cannot be read: |holds no|no array of three"):
        read_volume(tmp_path / "a.mat")


def test_cells_within_cells_end_somewhere(tmp_path):
    (tmp_path / "a.mat").write_bytes(mat(nested(20000)))
    with pytest.raises(ContentError, match="nested more than 32 deep"):
        values(tmp_path / "a.mat")


def test_a_file_is_written_again_with_all_else_as_it_is(tmp_path):
    content = {"before": "text", "x": np.arange(6.0).reshape(1, 2, 3), "gone": 1, "after": {"a": 2}}
    io.savemat(tmp_path / "a.mat", content, do_compression=True)
    write_mat(tmp_path / "a.mat", tmp_path / "b.mat", {"x": np.ones((2, 2, 3), "u2"), "gone": None})
    found = io.loadmat(tmp_path / "b.mat")
    assert [each for each in found if each[0] != "_"] == ["before", "x", "after"]
    assert found["x"].dtype == np.uint16
    np.testing.assert_array_equal(found["x"], np.ones((2, 2, 3)))
    assert found["before"] == "text"
    assert found["after"]["a"][0, 0] == 2


def test_where_matlab_keeps_its_objects_moves_with_them(tmp_path):
    first = matrix((1, 1, 1), b"\7")
    content = bytearray(mat(first, matrix((1, 2), bytes(2), kind=9, name=b"")))
    content[116:124] = struct.pack("<Q", 128 + len(first))
    (tmp_path / "a.mat").write_bytes(content)
    write_mat(tmp_path / "a.mat", tmp_path / "b.mat", {"cube": np.ones((9, 9, 9))})
    new = (tmp_path / "b.mat").read_bytes()
    moved = struct.unpack_from("<Q", new, 116)[0]
    assert new[moved:] == content[128 + len(first) :]


@pytest.mark.parametrize("scale", [1, 2])
def test_a_flat_cube_is_written_flat_with_its_layout(scale, tmp_path):
    cube = rng.random((4, 5, 3))
    content = {
        "Y": cube.reshape(-1, 3, order="F").T,
        "nRow": 4,
        "nCol": 5,
        "nBand": 3,
        "label": "a",
    }
    io.savemat(tmp_path / "a.mat", content)
    volume = read_volume(tmp_path / "a.mat")
    large = volume.values.repeat(scale, axis=0).repeat(scale, axis=1)
    found = io.loadmat(write_volume(volume, large, tmp_path / "b", scale))
    assert found["nRow"][0, 0] == 4 * scale
    assert found["label"] == "a"
    rows = found["Y"].T.reshape(4 * scale, 5 * scale, 3, order="F")
    np.testing.assert_allclose(rows[::scale, ::scale], cube, atol=1e-6)
