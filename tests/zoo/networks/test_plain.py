"""Networks of Keras' own layers: the same to the bit, and nothing of ours in their description."""

from functools import partial

import keras
import numpy as np
import pytest

import zoo
from tests.zoo.examples import small_grunet
from zoo.networks.plain import has_own_layers, plain

pytestmark = pytest.mark.once  # what is rewritten are layers, by their configs

BUILDERS = {
    "SRCNN": partial(zoo.SRCNN, 3, variant="9-1-5"),
    "DnCNN": partial(zoo.DnCNN, depth=3),
    "EDSR": partial(zoo.EDSR, 2, blocks=1, filters=8, residual_scale=0.1),
    "EDSR of luma": partial(zoo.EDSR, 3, blocks=1, filters=8, channels=1),
    "FFDNet": partial(zoo.FFDNet, channels=1),
    "SPAN": partial(zoo.SPAN, 2, channels=8),
    "Compact": partial(zoo.Compact, 2, filters=8, convolutions=1),
}
SLOW = {"DnCNN", "EDSR of luma", "SPAN", "Compact"}


def inputs(network, height, width):
    rng = np.random.default_rng(height)
    image = rng.random((2, height, width, network.inputs[0].shape[-1]), dtype=np.float32)
    return [image, np.full((2, 1), 0.1, np.float32)] if len(network.inputs) == 2 else image


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=[pytest.mark.slow] if n in SLOW else []) for n in BUILDERS]
)
def test_the_output_is_equal_to_the_bit(name):
    network = BUILDERS[name]()
    found = plain(network)
    for size in ((12, 13), (1, 4)) if name in SLOW else ((12, 13),):
        given = inputs(network, *size)
        expected = keras.ops.convert_to_numpy(network(given))
        np.testing.assert_array_equal(keras.ops.convert_to_numpy(found(given)), expected)


@pytest.mark.parametrize("name", BUILDERS)
def test_no_layer_of_ours_is_left(name):
    found = plain(BUILDERS[name]())
    assert not has_own_layers(found)
    text = found.to_json()
    assert "asykeras" not in text
    assert "zoo" not in text


def test_the_variables_are_shared():
    network = zoo.EDSR(2, blocks=1, filters=8)
    again = plain(network)
    assert all(a is b for a, b in zip(network.weights, again.weights, strict=True))
    assert has_own_layers(network)  # it is as it was


def test_the_units_of_grunet_stay():
    assert has_own_layers(plain(small_grunet(3)))


def test_a_plain_network_is_saved_and_opened(tmp_path):
    network = zoo.FFDNet(channels=1)
    plain(network).save(tmp_path / "ffdnet.keras")
    again = keras.saving.load_model(tmp_path / "ffdnet.keras")
    given = inputs(network, 7, 10)
    np.testing.assert_array_equal(again.predict_on_batch(given), network.predict_on_batch(given))
