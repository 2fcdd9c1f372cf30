"""Compact: the published sizes, and the whole network written out in NumPy."""

from functools import partial

import numpy as np
import pytest

import zoo
from tests.zoo.contracts import (
    BuilderContract,
    assert_opens_with_keras_alone,
    convolve,
    images,
    run,
)
from zoo.networks.compact import Compact
from zoo.tiling.reach import reach


class TestCompact(BuilderContract):
    builder = staticmethod(partial(Compact, scale=2, filters=8, convolutions=2))
    parameters = 232 + 2 * 592 + 876  # 3 -> 8 with slopes, 8 -> 8 with slopes, 8 -> 12
    channels = 3
    scale = 2


@pytest.mark.parametrize(("convolutions", "parameters"), [(16, 621_424), (32, 1_213_296)])
def test_real_esrgans_networks_have_their_number_of_parameters(convolutions, parameters):
    assert Compact(4, convolutions=convolutions).count_params() == parameters


def written_out(model, image, scale):
    """After the authors' description: the last step is the pixel shuffle, then the enlarged."""
    x = image
    for number in range(1, len(model.layers)):
        if f"conv{number}" not in [layer.name for layer in model.layers]:
            break
        x = convolve(x, *model.get_layer(f"conv{number}").get_weights())
        (slopes,) = model.get_layer(f"prelu{number}").get_weights()
        x = np.where(x < 0, slopes * x, x)
    x = convolve(x, *model.get_layer("tail").get_weights())
    batch, height, width, _ = x.shape
    pixels = x.reshape(batch, height, width, scale, scale, -1).transpose(0, 1, 3, 2, 4, 5)
    large = pixels.reshape(batch, height * scale, width * scale, -1)
    return large + image.repeat(scale, axis=1).repeat(scale, axis=2)


@pytest.mark.slow_on_jax
@pytest.mark.parametrize(("scale", "channels"), [(1, 3), (2, 3), (3, 1), (4, 4)])
def test_the_network_is_the_published_one(scale, channels):
    model = Compact(scale, filters=12, convolutions=3, channels=channels)
    for number in range(1, 5):
        layer = model.get_layer(f"prelu{number}")
        layer.set_weights([np.random.default_rng(number).uniform(-0.5, 0.5, (1, 1, 12))])
    image = images(5, 6, channels)
    np.testing.assert_allclose(run(model, image)[0], written_out(model, image, scale), atol=1e-5)


def test_tiles_equal_the_whole():
    model = Compact(2, filters=8, convolutions=3)
    assert reach(model).margin == 5  # convolutions of 3x3 in a row
    image = images(40, 37, 3)[0]
    tiled = zoo.restore(model, image, tile=16)
    np.testing.assert_allclose(tiled, run(model, image[None])[0][0], atol=1e-5)


@pytest.mark.slow
@pytest.mark.once
def test_a_keras_file_opens_where_only_keras_is_imported(tmp_path):
    model = Compact(3, filters=8, convolutions=1)
    assert_opens_with_keras_alone(model, images(7, 9, 3), tmp_path)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"scale": 0}, "scale must be 1, 2, 3, 4, 5, 6, 7 or 8. Received: scale=0"),
        ({"scale": 2, "channels": 2}, "channels must be 1, 3 or 4. Received: channels=2"),
        ({"scale": 2, "filters": 0}, "filters must be an int from 1. Received: filters=0"),
        (
            {"scale": 2, "convolutions": -1},
            "convolutions must be an int from 0. Received: convolutions=-1",
        ),
    ],
)
def test_other_arguments_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        Compact(**arguments)
