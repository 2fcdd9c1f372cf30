"""Packing a weights file loses nothing, and Keras alone reads what comes out."""

import time

import h5py
import keras
import numpy as np
import pytest

import zoo
from recipes.publish.packing import packed
from zoo.store.card import WeightsError
from zoo.store.weight import load_into


@pytest.fixture
def file(tmp_path):
    """Weights with batch normalisation, whose small arrays are not packed."""
    keras.utils.set_random_seed(3)
    network = zoo.DnCNN(variant="C", depth=4, filters=16)
    path = tmp_path / "network.weights.h5"
    network.save_weights(path)
    return path, network


def entries(path):
    found = {}
    with h5py.File(path) as content:

        def note(name, item):
            array = isinstance(item, h5py.Dataset)
            found[name] = (item[()] if array else None, dict(item.attrs))

        content.visititems(note)
        found[""] = (None, dict(content.attrs))
    return found


def test_every_entry_stays_bit_for_bit(file, tmp_path):
    path, _ = file
    content = packed(path)
    (tmp_path / "small.h5").write_bytes(content)
    before, after = entries(path), entries(tmp_path / "small.h5")
    assert before.keys() == after.keys()
    arrays = 0
    for name, (values, attributes) in before.items():
        assert attributes == after[name][1], name
        if values is not None:
            assert values.dtype == after[name][0].dtype
            np.testing.assert_array_equal(values, after[name][0])
            arrays += 1
    assert arrays == 14  # 4 kernels, biases of the first and last, 2 x 4 of normalisation
    assert len(content) < 0.95 * path.stat().st_size


def test_the_bytes_are_the_same_at_any_time(file):
    first = packed(file[0])
    time.sleep(1.1)  # HDF5 counts in seconds
    assert packed(file[0]) == first


def test_keras_reads_it_and_so_does_the_zoo(file, tmp_path):
    path, network = file
    small = tmp_path / "small.weights.h5"
    small.write_bytes(packed(path, half=True))
    for load in (lambda model: model.load_weights(small), lambda model: load_into(model, small)):
        again = zoo.DnCNN(variant="C", depth=4, filters=16)
        load(again)
        for found, wanted in zip(again.get_weights(), network.get_weights(), strict=True):
            np.testing.assert_array_equal(found, wanted.astype("float16").astype("float32"))


def test_a_packed_file_that_is_damaged_is_refused(file, tmp_path):
    path, network = file
    content = bytearray(packed(path))
    with h5py.File(path) as whole:
        length = whole["layers/conv2d_1/vars/0"].nbytes
    with h5py.File(_written(tmp_path / "whole.h5", content)) as small:
        chunk = small["layers/conv2d_1/vars/0"].id.get_chunk_info(0)
    assert chunk.size < length
    middle = chunk.byte_offset + chunk.size // 2
    content[middle : middle + 64] = bytes(64)
    before = network.get_weights()
    with pytest.raises(WeightsError, match="cannot be read"):
        load_into(network, _written(tmp_path / "damaged.weights.h5", content))
    for found, wanted in zip(network.get_weights(), before, strict=True):
        np.testing.assert_array_equal(found, wanted)


def _written(path, content):
    path.write_bytes(content)
    return path
