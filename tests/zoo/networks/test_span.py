"""SPAN: the published sizes, and the whole network written out in NumPy."""

from functools import partial

import keras
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
from zoo.networks.span import SPAN
from zoo.tiling.reach import reach

MEAN = np.array([0.4488, 0.4371, 0.4040])


class TestSPAN(BuilderContract):
    builder = staticmethod(partial(SPAN, scale=2, channels=8))
    parameters = 224 + 19 * 584 + 264 + 876  # as below
    channels = 3
    scale = 2


@pytest.mark.parametrize(
    ("scale", "channels", "parameters"),
    [
        (2, 48, 410_700),
        (4, 48, 426_288),
        # 3 -> C, 19 of C -> C, 4 C -> C by 1x1, C -> 3 scale^2
        (3, 28, 28 * 28 + 19 * 28 * 253 + 28 * 113 + 27 * 253),
        (4, 52, 28 * 52 + 19 * 52 * 469 + 52 * 209 + 48 * 469),
    ],
)
@pytest.mark.once
def test_the_networks_have_the_published_number_of_parameters(scale, channels, parameters):
    assert SPAN(scale, channels=channels).count_params() == parameters


def silu(x):
    return x / (1 + np.exp(-x))


def written_out(model, image, scale, mean=MEAN):
    """After Wan et al., Fig. 3 and Eqs. 3 to 6."""

    def conv(x, name):
        return convolve(x, *model.get_layer(name).get_weights())

    head = conv(image - mean, "head")
    x, blocks = head, []
    for number in range(1, 7):
        first = silu(conv(x, f"block{number}_conv1"))
        third = conv(silu(conv(first, f"block{number}_conv2")), f"block{number}_conv3")
        x = (third + x) * (1 / (1 + np.exp(-third)) - 0.5)
        blocks.append(x)
    parts = [head, conv(x, "body_conv"), blocks[0], first]
    small = conv(conv(np.concatenate(parts, -1), "fusion"), "tail")
    batch, height, width, _ = small.shape
    pixels = small.reshape(batch, height, width, scale, scale, -1)
    return pixels.transpose(0, 1, 3, 2, 4, 5).reshape(batch, height * scale, width * scale, -1)


@pytest.mark.slow_on_jax
@pytest.mark.parametrize(("scale", "channels"), [(2, 48), (3, 28), (4, 52)])
def test_the_network_is_the_published_one(scale, channels):
    model = SPAN(scale, channels=channels)
    image = images(5, 6, 3)
    assert run(model, image)[0].shape == (2, 5 * scale, 6 * scale, 3)
    np.testing.assert_allclose(run(model, image)[0], written_out(model, image, scale), atol=1e-4)


def test_random_features_keep_their_size_from_block_to_block():
    image = np.random.default_rng(0).random((1, 24, 24, 3), "float32")
    for seed in range(4):
        keras.utils.set_random_seed(seed)
        model = zoo.SPAN(2)
        features = [model.get_layer(name).output for name in ("head", "block6")]
        first, last = (np.std(each) for each in keras.Model(model.input, features)(image))
        assert 0.3 < last / first < 3


@pytest.mark.slow_on_jax
def test_others_left_out_the_mean_and_keep_the_size():
    model = SPAN(1, channels=8, image_channels=4, centred=False)
    image = images(5, 6, 4)
    np.testing.assert_allclose(run(model, image)[0], written_out(model, image, 1, 0), atol=1e-4)


def test_features_keep_their_size_from_block_to_block():
    keras.utils.set_random_seed(0)
    model = SPAN(2)
    inner = [model.get_layer(f"block{number}").output for number in range(1, 7)]
    found = run(keras.Model(model.input, inner), images(16, 16, 3))
    assert all(0.1 < values.std() < 20 for values in found)


def test_tiles_equal_the_whole():
    model = SPAN(2)
    assert reach(model).margin == 21  # convolutions of 3x3 in a row
    image = images(70, 41, 3)[0]
    tiled = zoo.restore(model, image, tile=16)
    np.testing.assert_allclose(tiled, run(model, image[None])[0][0], atol=1e-5)


@pytest.mark.slow
@pytest.mark.once
def test_a_keras_file_opens_where_only_keras_is_imported(tmp_path):
    assert_opens_with_keras_alone(SPAN(2), images(7, 9, 3), tmp_path)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"scale": 9}, "scale must be 1, 2, 3, 4, 5, 6, 7 or 8. Received: scale=9"),
        ({"scale": 2, "channels": 0}, "channels must be an int from 1. Received: channels=0"),
        (
            {"scale": 2, "image_channels": 2, "centred": False},
            "image_channels must be 1, 3 or 4. Received: image_channels=2",
        ),
        ({"scale": 2, "image_channels": 1}, "must be 3 .* subtracted. Received: image_channels=1"),
    ],
)
def test_other_arguments_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        SPAN(**arguments)
