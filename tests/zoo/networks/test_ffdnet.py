"""FFDNet: the published sizes, the network written out in NumPy, maps of the level, odd sizes."""

from functools import partial

import keras
import numpy as np
import pytest

import zoo
from tests.zoo.contracts import BuilderContract, convolve, images, run
from zoo.networks.ffdnet import FFDNet
from zoo.restoring.network import open_network

rng = np.random.default_rng(0)
# JAX compiles each operation for each shape.
on_jax_slow = pytest.mark.slow if keras.backend.backend() == "jax" else lambda test: test
LEVELS = np.array([[0.1], [0.2]], np.float32)


class TestGreyFFDNet(BuilderContract):
    builder = staticmethod(partial(FFDNet, channels=1))
    parameters = 485_316

    def inputs(self, height, width):
        return [images(height, width, self.channels), LEVELS]


@on_jax_slow
class TestColourFFDNet(TestGreyFFDNet):
    builder = staticmethod(partial(FFDNet))
    channels = 3
    parameters = 852_108


@pytest.mark.slow
class TestFFDNetOfAMap(TestGreyFFDNet):
    builder = staticmethod(partial(FFDNet, channels=1, sigma_map=True))

    def inputs(self, height, width):
        return [images(height, width, 1), images(height, width, 1, seed=1)]


def written_out(model, image, level):
    """Restore an image of even sides (B, H, W, C); the level is (B, H / 2, W / 2, 1)."""
    parts = [image[:, row::2, column::2] for row in (0, 1) for column in (0, 1)]
    x = np.concatenate([*parts, level], axis=-1)
    layers = [layer for layer in model.layers if layer.name.startswith("conv")]
    for number, layer in enumerate(layers, start=1):
        assert layer.name == f"conv{number}"
        x = convolve(x, *layer.get_weights())
        x = np.maximum(x, 0) if number < len(layers) else x
    restored = np.zeros_like(image, np.float64)
    for number, part in enumerate(np.split(x, 4, axis=-1)):
        restored[:, number // 2 :: 2, number % 2 :: 2] = part
    return restored


@pytest.mark.slow_on_jax
@pytest.mark.parametrize(("channels", "size"), [(1, (6, 8)), (1, (7, 8)), (3, (5, 3))])
def test_the_network_is_the_published_one(channels, size):
    model = with_biases(FFDNet(channels=channels))
    image = images(*size, channels)
    even = np.pad(image, [(0, 0), *((0, side % 2) for side in size), (0, 0)], "edge")
    _, height, width, _ = even.shape
    level = np.broadcast_to(LEVELS[:, :, None, None], (2, height // 2, width // 2, 1))
    expected = written_out(model, even, level)[:, : size[0], : size[1]]
    np.testing.assert_allclose(run(model, [image, LEVELS])[0], expected, atol=1e-5)


def with_biases(model):
    """Give the biases values as after training: they begin with 0."""
    for layer in model.layers:
        if layer.name.startswith("conv"):
            kernel, bias = layer.get_weights()
            layer.set_weights([kernel, rng.normal(0, 0.1, bias.shape)])
    return model


def of_a_map(model):
    """Return the same network for a map of levels."""
    network = FFDNet(channels=model.inputs[0].shape[-1], sigma_map=True)
    network.set_weights(model.get_weights())
    return network


@pytest.mark.parametrize(("channels", "size"), [(1, (7, 9)), (3, (8, 6))])
def test_a_constant_map_is_the_level(channels, size):
    model = FFDNet(channels=channels)
    image = images(*size, channels)
    level_map = np.broadcast_to(LEVELS[:, :, None, None], (2, *size, 1))
    found = run(of_a_map(model), [image, level_map])[0]
    np.testing.assert_array_equal(found, run(model, [image, LEVELS])[0])


def test_a_map_is_the_mean_of_2x2_pixels():
    model = of_a_map(with_biases(FFDNet(channels=1)))
    image, levels = images(8, 6, 1), images(8, 6, 1, seed=1)
    halved = levels.reshape(2, 4, 2, 3, 2, 1).mean(axis=(2, 4))
    expected = written_out(model, image, halved)
    np.testing.assert_allclose(run(model, [image, levels])[0], expected, atol=1e-5)


def test_a_map_works_in_its_place():
    """A level that changes at one pixel changes what the convolutions see of it, and no more."""
    model, side, at = of_a_map(FFDNet(channels=1)), 72, 36
    image = images(side, side, 1)[:1]
    levels = np.full((1, side, side, 1), 0.1, np.float32)
    changed = levels.copy()
    changed[0, at, at] = 0.5
    first, second = (run(model, [image, each])[0][0, ..., 0] for each in (levels, changed))
    rows, columns = np.nonzero(first != second)
    reach = open_network(FFDNet(channels=1)).reach.margin
    assert (first != second)[at, at]
    for places in (rows, columns):
        assert at - reach <= places.min() < places.max() <= at + 1 + reach


def test_the_level_matters():
    model, image = FFDNet(channels=1), images(8, 8, 1)
    low, high = (run(model, [image, np.full((2, 1), level)])[0] for level in (0.0, 0.2))
    assert np.abs(low - high).max() > 1e-3


def test_it_has_no_shortcut():
    model = FFDNet(channels=3)
    model.set_weights([np.zeros_like(array) for array in model.get_weights()])
    assert not np.any(run(model, [images(4, 4, 3), LEVELS])[0])


def test_a_weight_serves_both_kinds_of_level(tmp_path):
    path = str(tmp_path / "ffdnet.weights.h5")
    model = FFDNet(channels=1)
    model.save_weights(path)
    again = FFDNet(channels=1, sigma_map=True, weights=path)
    for one, other in zip(model.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.slow_on_jax
@pytest.mark.parametrize("channels", [1, pytest.param(3, marks=pytest.mark.slow)])
def test_tiles_lie_on_the_even_grid_and_equal_the_whole(channels):
    keras.utils.set_random_seed(0)
    model = FFDNet(channels=channels)
    image = images(73, 85, channels)[0]
    found = [zoo.restore(model, image, sigma=0.1, tile=tile) for tile in (5, 16)]
    expected = run(model, [image[None], LEVELS[:1]])[0][0]
    for each in found:
        np.testing.assert_allclose(each, expected, atol=1e-5)
    assert open_network(model).reach.step == 2


def test_restore_refuses_a_map():
    with pytest.raises(ValueError, match=r"must take an image .*, and perhaps sigma \(batch, 1\)"):
        zoo.restore(FFDNet(sigma_map=True), images(8, 8, 3), sigma=0.1)


@pytest.mark.parametrize("channels", [2, 0, "3", None])
def test_other_channels_are_refused(channels):
    with pytest.raises(
        ValueError, match=f"channels must be 1 or 3. Received: channels={channels!r}"
    ):
        FFDNet(channels=channels)
