"""What stands around a network: colour, enlargement, rounding."""

import keras
import numpy as np
import pytest
from keras import layers, ops

from asykeras.resize import bicubic_resize
from zoo.restore import enlarge_bicubic, super_resolve, to_uint8

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
    restored = super_resolve(identity(channels), SMALL, 3)
    difference = np.abs(restored.astype(int) - bicubic_in_floats(SMALL, 3))
    # The float32 network may tip a value that lies on the edge between two levels.
    assert difference.max() <= 1
    assert (difference > 0).mean() < 0.001


def test_a_luma_network_leaves_the_colour_alone():
    image = keras.Input((None, None, 1))
    darker = keras.Model(image, layers.Rescaling(1.0, offset=-0.1)(image))
    grey = np.full((4, 4, 3), 128, np.uint8)
    restored = super_resolve(darker, grey, 2)
    # Y falls by 0.1 * 255; one step of Y in studio range is 255 / 219 of RGB
    np.testing.assert_array_equal(restored, round(128 - 25.5 * 255 / 219))


def test_a_grey_image_goes_through_a_luma_network_as_it_is():
    restored = super_resolve(identity(1), SMALL[..., :1], 2)
    assert restored.shape == (18, 22, 1)
    assert np.abs(restored.astype(int) - bicubic_in_floats(SMALL[..., :1], 2)).max() <= 1


def test_a_grey_image_through_a_colour_network_comes_back_grey():
    restored = super_resolve(enlarger(3, 2), SMALL[..., :1], 2)
    np.testing.assert_array_equal(restored[::2, ::2], SMALL[..., :1])


def test_a_network_that_enlarges_gets_the_small_image():
    restored = super_resolve(enlarger(3, 2), SMALL, 2)
    np.testing.assert_array_equal(restored, SMALL.repeat(2, 0).repeat(2, 1))


def test_a_network_of_another_scale_is_refused():
    with pytest.raises(ValueError, match="enlarges by 2, so it cannot restore at scale 3"):
        super_resolve(enlarger(3, 2), SMALL, 3)


def test_to_uint8_clips_and_rounds_half_up():
    values = np.array([-0.1, 0.0, 0.5 / 255, 1.49 / 255, 1.0, 1.2])
    np.testing.assert_array_equal(to_uint8(values), [0, 0, 1, 1, 255, 255])


def test_enlarge_bicubic_is_the_8_bit_rule():
    np.testing.assert_array_equal(enlarge_bicubic(SMALL, 2), bicubic_resize(SMALL, 2))
