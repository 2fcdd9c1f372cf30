"""What stands around a network: colour, enlargement, rounding."""

import dataclasses

import keras
import numpy as np
import pytest
from keras import layers, ops
from keras.ops import convert_to_numpy

import zoo
from asykeras.color import rgb_to_ycbcr, ycbcr_to_rgb
from asykeras.resize import bicubic_resize
from zoo.pictures.images import to_uint8
from zoo.restoring.network import open_network
from zoo.restoring.restore import restore
from zoo.store.card import Use

rng = np.random.default_rng(0)
SMALL = rng.integers(0, 256, (9, 11, 3), dtype=np.uint8)


def identity(channels):
    image = keras.Input((None, None, channels))
    return keras.Model(image, layers.Rescaling(1.0)(image))


def enlarger(channels, scale):
    image = keras.Input((None, None, channels))
    return keras.Model(image, ops.repeat(ops.repeat(image, scale, axis=1), scale, axis=2))


def bicubic_in_floats(image, scale):
    large = bicubic_resize(image.astype(np.float64) / 255, scale)
    return np.floor(np.clip(large, 0, 1) * 255 + 0.5).astype(np.uint8)


@pytest.mark.parametrize("channels", [1, 3])
def test_a_network_that_does_nothing_gives_bicubic(channels):
    restored = restore(identity(channels), SMALL, scale=3)
    difference = np.abs(restored.astype(int) - bicubic_in_floats(SMALL, 3))
    # The float32 network may tip a value that lies on the edge between two levels.
    assert difference.max() <= 1
    assert (difference > 0).mean() < 0.001


def test_a_luma_network_leaves_the_colour_alone():
    image = keras.Input((None, None, 1))
    darker = keras.Model(image, layers.Rescaling(1.0, offset=-0.1)(image))
    grey = np.full((4, 4, 3), 128, np.uint8)
    restored = restore(darker, grey, scale=2)
    # Y falls by 0.1 * 255; one step of Y in studio range is 255 / 219 of RGB
    np.testing.assert_array_equal(restored, round(128 - 25.5 * 255 / 219))


def test_a_grey_image_goes_through_a_luma_network_as_it_is():
    restored = restore(identity(1), SMALL[..., :1], scale=2)
    assert restored.shape == (18, 22, 1)
    assert np.abs(restored.astype(int) - bicubic_in_floats(SMALL[..., :1], 2)).max() <= 1


def test_a_grey_image_through_a_colour_network_comes_back_grey():
    restored = restore(enlarger(3, 2), SMALL[..., :1], scale=2)
    np.testing.assert_array_equal(restored[::2, ::2], SMALL[..., :1])


def test_a_network_that_enlarges_gets_the_small_image():
    restored = restore(enlarger(3, 2), SMALL, scale=2)
    np.testing.assert_array_equal(restored, SMALL.repeat(2, 0).repeat(2, 1))


def test_a_network_of_another_scale_is_refused():
    with pytest.raises(ValueError, match="enlarges by 2. Received: scale=3"):
        restore(enlarger(3, 2), SMALL, scale=3)


def test_to_uint8_clips_and_rounds_half_up():
    values = np.array([-0.1, 0.0, 0.5 / 255, 1.49 / 255, 1.0, 1.2])
    np.testing.assert_array_equal(to_uint8(values), [0, 0, 1, 1, 255, 255])


# ---- restore

DTYPES = [np.uint8, np.uint16, np.float16, np.float32, np.float64]


def picture(shape, dtype):
    values = np.random.default_rng(1).uniform(size=shape)
    return (values * white(dtype)).astype(dtype)


def white(dtype):
    return np.iinfo(dtype).max if np.dtype(dtype).kind == "u" else 1


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (6, 7), (6, 7, 1), (6, 7, 3), (2, 6, 7, 3)])
def test_what_was_given_comes_back_in_its_own_dtype(dtype, shape):
    images = picture(shape, dtype)
    channels = 1 if len(shape) == 2 else shape[-1]
    restored = restore(identity(channels), images, scale=1)
    assert restored.dtype == dtype
    np.testing.assert_allclose(restored, images, atol=1e-6)  # floats pass through float32
    axis = len(shape) - (2 if len(shape) == 2 else 3)
    large = restore(enlarger(channels, 2), images)
    np.testing.assert_allclose(large, images.repeat(2, axis).repeat(2, axis + 1), atol=1e-6)


def test_a_list_holds_images_of_any_size():
    images = [SMALL, SMALL[:4], SMALL.astype(np.float32) / 255]
    restored = restore(identity(3), images, scale=1)
    assert [each.shape for each in restored] == [image.shape for image in images]
    np.testing.assert_array_equal(restored[1], SMALL[:4])


def whole_luma(network, image, scale):
    """Return what a network of luma makes of a picture as a whole, from the formula."""
    ycbcr = convert_to_numpy(rgb_to_ycbcr(image / 255)) if image.shape[-1] == 3 else image / 255
    large = np.array(bicubic_resize(ycbcr, scale))
    luma = network(large[None, ..., :1].astype("float32"), training=False)
    large[..., :1] = convert_to_numpy(luma)[0]
    return to_uint8(convert_to_numpy(ycbcr_to_rgb(large)) if image.shape[-1] == 3 else large)


def test_tiles_are_what_the_network_makes_of_the_whole():
    network = zoo.load("srcnn-955-x3")
    for image in (SMALL, SMALL[..., :1]):
        whole = whole_luma(network, image, 3)
        restored = restore("srcnn-955-x3", image, tile=4)
        # Tiles may tip a value that lies on the edge between two levels.
        assert np.abs(restored.astype(int) - whole).max() <= 1
        assert (restored != whole).mean() < 0.01


def test_a_denoiser_takes_its_level_in_image_units():
    image, sigma = keras.Input((None, None, 1)), keras.Input((1,))
    shifted = keras.Model([image, sigma], image + ops.reshape(sigma, (-1, 1, 1, 1)))
    found = restore(open_with(shifted), np.full((3, 3), 100, np.uint8), sigma=25 / 255)
    np.testing.assert_array_equal(found, 125)


def open_with(model):
    network = open_network(model)
    assert network.use.takes_sigma
    return network


def test_a_colour_picture_through_a_grey_denoiser_goes_channel_by_channel():
    image = keras.Input((None, None, 1))
    darker = keras.Model(image, layers.Rescaling(0.5)(image))
    found = restore(darker, SMALL, scale=1)
    np.testing.assert_array_equal(found, np.floor(SMALL / 2 + 0.5))


@pytest.mark.parametrize("channels", [2, 4])
def test_alpha_is_not_restored(channels):
    values = np.random.default_rng(2).integers(0, 256, (6, 7, channels), dtype=np.uint8)
    image = keras.Input((None, None, channels - 1))
    black = keras.Model(image, layers.Rescaling(0.0)(image))
    restored = restore(black, values, scale=1, alpha=True)
    np.testing.assert_array_equal(restored[..., :-1], 0)
    np.testing.assert_array_equal(restored[..., -1], values[..., -1])
    large = restore(enlarger(channels - 1, 2), values, alpha=True, tile=3)
    np.testing.assert_array_equal(large[..., -1:], bicubic_in_floats(values[..., -1:], 2))


def test_floating_point_is_not_clipped():
    values = np.array([[[-0.5], [1.5]]], np.float32)
    np.testing.assert_array_equal(restore(identity(1), values, scale=1), values)


def test_nan_goes_no_further_than_the_network_looks():
    values = np.zeros((40, 40, 1), np.float32)
    values[0, 0] = np.nan
    restored = restore(zoo.DnCNN(variant="S", depth=3, batch_norm=False), values, scale=1, tile=8)
    assert np.isnan(restored[0, 0])
    restored[:4, :4] = 0  # where it may be NaN: some engines' ReLU makes it 0
    assert np.isfinite(restored).all()


@pytest.mark.parametrize(
    ("images", "error", "match"),
    [
        (
            np.zeros((3, 3), np.int32),
            TypeError,
            "uint8, uint16 or floating point. Received: dtype=int32",
        ),
        (np.zeros((3, 3), bool), TypeError, "Received: dtype=bool"),
        (np.zeros(3, np.uint8), ValueError, r"must have the shape .* Received: shape=\(3,\)"),
        (np.zeros((0, 3, 3), np.uint8), ValueError, r"Received: shape=\(0, 3, 3\)"),
        (
            np.zeros((3, 3, 5), np.uint8),
            ValueError,
            "takes images with 3 channels. Received: channels=5",
        ),
        (
            np.zeros((3, 3, 4), np.uint8),
            ValueError,
            "takes images with 3 channels. Received: channels=4",
        ),
    ],
)
def test_images_that_are_refused(images, error, match):
    with pytest.raises(error, match=match):
        restore(identity(3), images, scale=1)


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({}, "scale must be 1 for a denoiser, or the factor .* Received: scale=None"),
        ({"scale": 1, "tile": 0}, "tile must be 1 or more. Received: tile=0"),
        (
            {"scale": 1, "dtype": "bfloat16"},
            "dtype is for weights by name; .* Received: dtype='bfloat16'",
        ),
        ({"scale": 1, "device": "abacus:0"}, "device 'abacus:0' cannot be used"),
        ({"scale": 1, "sigma": -1.0}, "sigma must be 0 or more. Received: sigma=-1"),
        ({"scale": 1, "alpha": True}, "takes images with 3 channels. Received: channels=2"),
    ],
)
def test_options_that_are_refused(options, match):
    with pytest.raises(ValueError, match=match):
        restore(identity(3), SMALL, **options)


@pytest.mark.parametrize(
    ("model", "options", "match"),
    [
        ("srcnn-955-x3", {"scale": 2}, "srcnn-955-x3 has the scale 3. Received: scale=2"),
        ("srcnn-955-x3", {"dtype": "int8"}, "dtype must be one of .* Received: dtype='int8'"),
        ("srcnn-955-x3", {"sigma": 0.1}, "srcnn-955-x3 enlarges and takes no noise level"),
        ("nothing", {}, "'nothing' is neither a published weight"),
        (enlarger(3, 2), {"scale": 3}, "enlarges by 2. Received: scale=3"),
    ],
)
def test_networks_that_do_not_fit(model, options, match):
    with pytest.raises(ValueError, match=match):
        restore(model, SMALL, **options)


def test_half_precision_is_near_and_leaves_the_policy_alone():
    exact = restore("srcnn-955-x2", SMALL)
    half = restore("srcnn-955-x2", SMALL, dtype="bfloat16")
    assert 1 <= np.abs(half.astype(int) - exact).max() <= 8
    assert keras.config.dtype_policy().name == "float32"


def test_a_device_is_used():
    np.testing.assert_array_equal(restore(identity(3), SMALL, scale=1, device="cpu:0"), SMALL)


def test_a_level_that_does_not_fit_is_said(recwarn):
    network = dataclasses.replace(
        open_network(identity(3), scale=1), use=Use(levels=(25 / 255, 25 / 255))
    )
    restore(network, SMALL, sigma=25 / 255)
    assert not recwarn
    with pytest.warns(UserWarning, match="of 25 grey levels of 255, not of 50"):
        restore(network, SMALL, sigma=50 / 255)
