"""EDSR: the published sizes, and the whole network written out in NumPy."""

from functools import partial

import numpy as np
import pytest

from tests.zoo.contracts import BuilderContract, convolve, images, run
from zoo.networks.edsr import EDSR

MEAN = np.array([0.4488, 0.4371, 0.4040])


class TestEDSR(BuilderContract):
    builder = staticmethod(partial(EDSR, scale=2, blocks=2, filters=16))
    parameters = 448 + 5 * 2320 + 9280 + 435  # head, body, upsampler 16 -> 64, tail
    channels = 3
    scale = 2


class TestSmallEDSR(BuilderContract):
    builder = staticmethod(
        partial(EDSR, scale=3, blocks=2, filters=8, residual_scale=0.5, channels=1)
    )
    parameters = 80 + 5 * 584 + 72 * 73 + 73  # head, body, upsampler 8 -> 72, tail
    scale = 3


@pytest.mark.parametrize(
    ("variant", "scale", "parameters"),
    [
        ("baseline", 2, 1_369_859),
        ("baseline", 3, 1_554_499),
        ("baseline", 4, 1_517_571),
        ("full", 2, 40_729_603),
        ("full", 3, 43_680_003),
        ("full", 4, 43_089_923),
    ],
)
@pytest.mark.once
def test_the_networks_have_the_published_number_of_parameters(variant, scale, parameters):
    assert EDSR(scale, variant=variant).count_params() == parameters


def shuffle(x, factor):
    """Channel (row, column, c) of each pixel becomes pixel (row, column) of a block."""
    batch, height, width, channels = x.shape
    large = np.empty((batch, height * factor, width * factor, channels // factor**2))
    for row, column in np.ndindex(factor, factor):
        begin = (row * factor + column) * large.shape[-1]
        large[:, row::factor, column::factor] = x[..., begin : begin + large.shape[-1]]
    return large


def written_out(model, image, scale, residual_scale):
    """Two blocks, after Lim et al., Figs. 2, 3."""

    def conv(x, name):
        return convolve(x, *model.get_layer(name).get_weights())

    head = conv(image - MEAN, "head")
    x = head
    for block in ("block1", "block2"):
        x = x + residual_scale * conv(np.maximum(conv(x, f"{block}_conv1"), 0), f"{block}_conv2")
    x = head + conv(x, "body_conv")
    for step, factor in enumerate({2: [2], 3: [3], 4: [2, 2]}[scale], start=1):
        x = shuffle(conv(x, f"upsample{step}_conv"), factor)
    return conv(x, "tail") + MEAN


@pytest.mark.parametrize(("scale", "residual_scale"), [(2, 1.0), (3, 0.1), (4, 2.0)])
def test_the_network_is_the_published_one(scale, residual_scale):
    model = EDSR(scale, blocks=2, filters=8, residual_scale=residual_scale)
    image = images(5, 6, 3)
    expected = written_out(model, image, scale, residual_scale)
    np.testing.assert_allclose(run(model, image)[0], expected, atol=1e-5)


@pytest.mark.once
def test_the_full_network_scales_its_branches_by_a_tenth():
    assert EDSR(2, variant="full", blocks=1, filters=4).get_layer("block1_scale").scale == 0.1


@pytest.mark.slow_on_jax
@pytest.mark.parametrize(("channels", "mean"), [(3, MEAN), (1, [0.4379])])
def test_without_weights_the_mean_remains(channels, mean):
    model = EDSR(2, blocks=1, filters=4, channels=channels)
    model.set_weights([np.zeros_like(array) for array in model.get_weights()])
    restored = run(model, images(3, 3, channels))[0]
    np.testing.assert_allclose(restored, np.broadcast_to(mean, restored.shape), atol=1e-7)


def test_the_mean_of_one_channel_is_the_luma_of_the_mean():
    luma = (16 + MEAN @ [65.481, 128.553, 24.966]) / 255
    assert luma == pytest.approx(0.4379, abs=5e-5)


@pytest.mark.slow_on_jax
@pytest.mark.parametrize(("name", "fan_in"), [("head", 27), ("block7_conv1", 576)])
def test_kernels_and_biases_begin_uniform_within_the_root_of_the_fan_in(name, fan_in):
    kernel, bias = EDSR(2).get_layer(name).get_weights()
    assert kernel.std() == pytest.approx(1 / np.sqrt(3 * fan_in), rel=0.05)
    assert bias.std() == pytest.approx(1 / np.sqrt(3 * fan_in), rel=0.5)
    assert max(np.abs(kernel).max(), np.abs(bias).max()) <= 1 / np.sqrt(fan_in)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"scale": 8}, "scale must be 2, 3 or 4. Received: scale=8"),
        (
            {"scale": 2, "variant": "large"},
            "variant must be 'baseline' or 'full'. Received: variant='large'",
        ),
        ({"scale": 2, "channels": 2}, "channels must be 1 or 3. Received: channels=2"),
        ({"scale": 2, "blocks": 0}, "blocks must be an int from 1. Received: blocks=0"),
        ({"scale": 2, "filters": 6.5}, "filters must be an int from 1. Received: filters=6.5"),
        (
            {"scale": 2, "residual_scale": 0},
            "residual_scale must be positive .* Received: residual_scale=0",
        ),
        (
            {"scale": 2, "residual_scale": float("nan")},
            "residual_scale must be .* Received: residual_scale=nan",
        ),
    ],
)
def test_other_arguments_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        EDSR(**arguments)
