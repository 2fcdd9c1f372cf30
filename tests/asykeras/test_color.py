"""Colour conversions against scikit-image, the constants of BT.601 and hand-worked pixels."""

import keras
import numpy as np
import pytest
from keras import ops
from skimage.color import rgb2ycbcr

from asykeras.color import grey, rgb_to_luma, rgb_to_ycbcr, ycbcr_to_rgb


def random_image(*shape, seed=0):
    return np.random.default_rng(seed).random(shape)


def test_luma_of_black_white_and_red():
    image = np.array([[0.0, 0, 0], [1, 1, 1], [1, 0, 0]], "float32")
    luma = ops.convert_to_numpy(rgb_to_luma(image))
    np.testing.assert_allclose(luma[:, 0] * 255, [16, 235, 16 + 65.481], atol=2e-5)


def test_luma_keeps_the_channel_axis():
    assert tuple(rgb_to_luma(random_image(2, 5, 7, 3)).shape) == (2, 5, 7, 1)


def test_ycbcr_equals_scikit_image():
    image = random_image(9, 8, 3)
    converted = ops.convert_to_numpy(rgb_to_ycbcr(image))
    np.testing.assert_allclose(converted, rgb2ycbcr(image) / 255, atol=2e-7)


def test_greys_have_neutral_chroma_and_full_studio_range():
    black, white = np.zeros((1, 3)), np.ones((1, 3))
    np.testing.assert_allclose(rgb_to_ycbcr(black) * 255.0, [[16, 128, 128]], atol=4e-5)
    np.testing.assert_allclose(rgb_to_ycbcr(white) * 255.0, [[235, 128, 128]], atol=4e-5)


def test_luma_is_the_first_channel_of_ycbcr():
    image = random_image(2, 6, 5, 3)
    first = ops.convert_to_numpy(rgb_to_ycbcr(image))[..., :1]
    np.testing.assert_array_equal(ops.convert_to_numpy(rgb_to_luma(image)), first)


def test_rgb_survives_the_round_trip_in_float32():
    image = random_image(2, 6, 5, 3).astype("float32")
    back = ops.convert_to_numpy(ycbcr_to_rgb(rgb_to_ycbcr(image)))
    np.testing.assert_allclose(back, image, atol=1e-6)


def test_inverse_is_exact_in_float64():
    if keras.backend.backend() != "tensorflow":
        pytest.skip("this backend computes float64 input in float32")
    image = random_image(2, 6, 5, 3)
    back = ycbcr_to_rgb(rgb_to_ycbcr(image))
    assert keras.backend.standardize_dtype(back.dtype) == "float64"
    np.testing.assert_allclose(ops.convert_to_numpy(back), image, atol=1e-14)


def test_grey_of_three_channels_is_full_range_luma():
    image = np.array([[1.0, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 1]], "float32")
    np.testing.assert_allclose(grey(image), [[0.299], [0.587], [0.114], [1.0]], atol=1e-7)


@pytest.mark.parametrize("channels", [2, 4, 31])
def test_grey_of_other_channel_counts_is_the_mean(channels):
    image = random_image(2, 3, 4, channels)
    expected = image.mean(axis=-1, keepdims=True)
    np.testing.assert_allclose(grey(image), expected, atol=1e-6)


def test_grey_of_one_channel_is_the_image():
    image = random_image(2, 3, 4, 1).astype("float32")
    np.testing.assert_array_equal(grey(image), image)


def test_grey_of_8_bit_keeps_its_range():
    value = grey(np.array([[255, 0, 0]], "uint8"))
    assert keras.backend.standardize_dtype(value.dtype) == "float32"
    np.testing.assert_allclose(value, [[0.299 * 255]], rtol=1e-6)


def test_half_precision_is_computed_in_float32():
    image = ops.cast(random_image(3, 3, 3), "bfloat16")
    expected = rgb_to_luma(ops.cast(image, "float32"))
    np.testing.assert_array_equal(rgb_to_luma(image), expected)


@pytest.mark.parametrize("function", [rgb_to_luma, rgb_to_ycbcr, ycbcr_to_rgb, grey])
def test_conversion_works_inside_a_functional_model(function):
    inputs = keras.Input((None, None, 3))
    model = keras.Model(inputs, function(inputs))
    image = random_image(1, 5, 4, 3).astype("float32")
    np.testing.assert_allclose(model(image), function(image), atol=1e-6)


def test_nan_stays_in_its_pixel():
    image = random_image(2, 3, 3)
    image[0, 1, 2] = np.nan
    missing = np.isnan(ops.convert_to_numpy(rgb_to_ycbcr(image)))
    assert missing[0, 1].any()
    assert missing.sum() == missing[0, 1].sum()


@pytest.mark.parametrize("function", [rgb_to_luma, rgb_to_ycbcr, ycbcr_to_rgb])
@pytest.mark.parametrize("shape", [(4, 4, 1), (4, 4), (3, 4, 4), ()])
def test_other_than_three_channels_is_refused(function, shape):
    with pytest.raises(ValueError, match=r"3 channels on its last axis. Received: shape=\("):
        function(np.zeros(shape))


@pytest.mark.parametrize("function", [rgb_to_luma, rgb_to_ycbcr, ycbcr_to_rgb])
def test_8_bit_values_are_refused(function):
    with pytest.raises(
        TypeError, match=r"divide 8-bit values by 255 first\. Received: dtype='uint8'"
    ):
        function(np.zeros((2, 2, 3), "uint8"))


@pytest.mark.parametrize("shape", [(), (4, 4, 0)])
def test_grey_needs_a_channel(shape):
    with pytest.raises(ValueError, match=r"known number of channels. Received: shape=\("):
        grey(np.zeros(shape))


def test_grey_needs_a_known_number_of_channels():
    with pytest.raises(ValueError, match=r"Received: shape=.*None"):
        grey(keras.Input((8, 8, None)))
