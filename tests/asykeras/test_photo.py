"""Small photographs: each step against the same step by others."""

from itertools import pairwise

import numpy as np
import pytest
from keras import ops
from scipy import ndimage

from asykeras.jpeg import JpegCompression
from asykeras.photo import PhotoDownscale
from asykeras.resize import bicubic_resize

rng = np.random.default_rng(0)
NO_NOISE = {"noise": (0.0, 0.0)}


def smooth(count=1, side=48):
    noise = rng.random((count, side, side, 3))
    blurred = ndimage.gaussian_filter(noise, (0, 3, 3, 0), mode="wrap")
    low, high = blurred.min(), blurred.max()
    return ((blurred - low) / (high - low)).astype("float32")


def numpy_of(tensor):
    return ops.convert_to_numpy(tensor)


@pytest.mark.parametrize("sigma", [0.0, 0.4, 1.5])
def test_blur_and_scale_are_those_of_scipy_and_matlab(sigma):
    """At quality 100 what remains is the rounding of the file: a few levels."""
    images = smooth()
    blurred = ndimage.gaussian_filter(images, (0, sigma, sigma, 0), mode="reflect", truncate=4.0)
    small = np.clip(bicubic_resize(blurred, 0.5), 0, 1).astype("float32")
    expected = numpy_of(JpegCompression(100)(small))
    layer = PhotoDownscale(2, blur=(sigma, sigma), quality=(100, 100), **NO_NOISE)
    assert np.abs(numpy_of(layer(images)) - expected).mean() < 0.5 / 255


def test_noise_has_its_level():
    flat = np.full((4, 64, 64, 1), 0.5, "float32")
    layer = PhotoDownscale(1, blur=(0, 0), noise=(0.1, 0.1), quality=(100, 100), seed=0)
    noise = numpy_of(layer(flat)) - 0.5
    assert abs(noise.std() / 0.1 - 1) < 4 / np.sqrt(2 * noise.size)  # standard error of sigma


def test_blur_noise_and_quality_are_drawn_apart():
    """What one seed draws for the three is no function of one another."""
    blurs, others = [], []
    flat = np.full((1, 32, 32, 1), 0.5, "float32")
    for seed in range(40):
        layer = PhotoDownscale(1, seed=seed)
        blurs.append(float(numpy_of(layer._draw(flat, 0.0, 1.0)).item()))
        others.append(float(numpy_of(layer.compress._drawn_quality(flat)).item()))
    correlation = np.corrcoef(blurs, others)[0, 1]
    assert abs(correlation) < 4 / np.sqrt(40)


@pytest.mark.slow
def test_another_call_draws_anew_and_a_seed_draws_the_same():
    images = smooth()
    layers = [PhotoDownscale(2, seed=1) for _ in range(2)]
    first, second = ([numpy_of(layer(images)) for _ in range(3)] for layer in layers)
    np.testing.assert_array_equal(first, second)
    assert all((one != other).any() for one, other in pairwise(first))


def test_its_config_is_whole():
    layer = PhotoDownscale(
        3, blur=(0.1, 0.2), noise=(0.01, 0.02), quality=(20, 30), seed=4, name="photo"
    )
    again = PhotoDownscale.from_config(layer.get_config())
    assert again.get_config() == layer.get_config()
    assert again.compress.quality == [20, 30]
    assert layer.compute_output_shape((None, 97, None, 3)) == (None, 33, None, 3)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"scale": 0}, "scale must be a whole number from 1 up. Received: scale=0"),
        ({"scale": 2, "blur": (2.0, 1.0)}, "blur must be >= 0, or a pair .* Received: blur="),
        ({"scale": 2, "noise": (-0.1, 1.0)}, "noise must be >= 0, or a pair .* Received: noise="),
        ({"scale": 2, "quality": (0, 10)}, "quality must be a whole number from 1 to 100"),
    ],
)
def test_wrong_arguments_are_refused(options, said):
    with pytest.raises(ValueError, match=said):
        PhotoDownscale(**options)
