"""Channels: what goes into the network, and that what comes back is put where it belongs."""

import numpy as np
import pytest

from asykeras.color import rgb_to_luma
from asykeras.resize import bicubic_resize
from tests.zoo.examples import network
from zoo.pictures.picture import Picture
from zoo.restoring.channels import channels_for
from zoo.restoring.restore import restore

rng = np.random.default_rng(0)
RGB = rng.uniform(size=(2, 5, 7, 3))
CMYK = rng.uniform(size=(2, 5, 7, 4))


def test_a_picture_that_fits_goes_as_it_is():
    for count in (3, None):
        way = channels_for("rgb", 3, count, 2)
        images, aside = way.apart(RGB)
        np.testing.assert_array_equal(images, RGB)
        np.testing.assert_array_equal(way.together(images, aside), RGB)
        assert way.images == 1


def test_a_grey_picture_through_a_colour_network_comes_back_as_the_mean():
    way = channels_for("grey", 1, 3, 2)
    images, aside = way.apart(RGB[..., :1])
    np.testing.assert_array_equal(images, RGB[..., [0, 0, 0]])
    np.testing.assert_allclose(way.together(RGB, aside)[..., 0], RGB.mean(-1))


def test_enlarging_colour_takes_luma_through_the_network():
    way = channels_for("rgb", 3, 1, 2)
    images, aside = way.apart(RGB)
    np.testing.assert_allclose(images, np.asarray(rgb_to_luma(RGB)), atol=1e-6)
    # with the luma of the bicubic enlargement, the whole is the bicubic enlargement
    large = bicubic_resize(RGB, 2)
    restored = way.together(np.asarray(rgb_to_luma(large)), aside)
    np.testing.assert_allclose(restored, large, atol=1e-5)


def test_denoising_colour_takes_every_channel_through_the_network():
    way = channels_for("rgb", 3, 1, 1)
    images, aside = way.apart(RGB)
    assert images.shape == (6, 5, 7, 1)
    np.testing.assert_array_equal(images[4, ..., 0], RGB[1, ..., 1])
    np.testing.assert_array_equal(way.together(images, aside), RGB)
    assert way.owners(2).tolist() == [0, 0, 0, 1, 1, 1]


@pytest.mark.parametrize(
    ("count", "scale", "owners"), [(3, 1, [0, 1, 0, 1]), (1, 1, [0, 0, 0, 1, 1, 1, 0, 1])]
)
def test_inks_keep_their_separation(count, scale, owners):
    way = channels_for("cmyk", 4, count, scale)
    images, aside = way.apart(CMYK)
    assert images.shape == (len(owners), 5, 7, count)
    np.testing.assert_allclose(images[-1, ..., 0], 1 - CMYK[1, ..., 3])
    np.testing.assert_allclose(way.together(images, aside), CMYK, atol=1e-12)
    assert way.owners(2).tolist() == owners


def test_inks_are_enlarged_by_a_luma_network():
    way = channels_for("cmyk", 4, 1, 2)
    images, aside = way.apart(CMYK)
    large = bicubic_resize(images, 2)
    np.testing.assert_allclose(way.together(large, aside), bicubic_resize(CMYK, 2), atol=1e-5)
    assert way.owners(2).tolist() == [0, 1, 0, 1]


@pytest.mark.parametrize(
    ("colour", "count", "network", "scale"),
    [("bands", 31, 3, 1), ("bands", 2, 1, 2), ("rgb", 3, 31, 1), ("bands", 4, 3, 2)],
)
def test_channels_that_find_no_way(colour, count, network, scale):
    match = f"takes images with {network} channels. Received: channels={count}"
    with pytest.raises(ValueError, match=match):
        channels_for(colour, count, network, scale)


def test_the_places_of_tiles_go_with_their_images():
    for colour, count, values in (("cmyk", 4, CMYK), ("rgb", 3, RGB)):
        way = channels_for(colour, count, 1, 1)
        images, _ = way.apart(values)
        for image, owner in zip(images, way.owners(2), strict=True):
            planes = np.moveaxis(np.concatenate([values[owner], 1 - values[owner]], -1), -1, 0)
            assert any(np.allclose(image[..., 0], plane) for plane in planes)


def test_white_is_the_largest_integer_and_one():
    for dtype, white in ((np.uint8, 255), (np.uint16, 65535), (np.float32, 1)):
        assert Picture(1, 1, 1, np.dtype(dtype), "grey").white == white
    values = np.array([[[-0.1], [0.5], [1.1]]])
    grey = Picture(1, 3, 1, np.dtype(np.uint16), "grey")
    assert grey.quantize(values).ravel().tolist() == [0, 32768, 65535]
    kept = Picture(1, 3, 1, np.dtype(np.float16), "grey").quantize(values)
    np.testing.assert_array_equal(kept, values.astype(np.float16))


def test_inks_through_restore():
    # An array of four channels says nothing of inks: it is bands.
    values = rng.integers(0, 256, (5, 7, 4), dtype=np.uint8)
    np.testing.assert_array_equal(restore(network(), values), values)
