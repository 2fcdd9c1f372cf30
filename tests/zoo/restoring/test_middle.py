"""The middle of a picture alone: to the pixel what it is in the whole picture restored."""

import dataclasses

import keras
import numpy as np
import pytest

import zoo
from tests.zoo.examples import small_grunet
from zoo.pictures.picture import picture_of
from zoo.restoring.bands import Settings, middle, plan, restore_bands, restore_whole
from zoo.restoring.network import chain, open_network

PHOTO = np.random.default_rng(0).uniform(0.2, 0.8, (61, 50, 3)).astype(np.float32)


def edsr():
    return open_network(zoo.EDSR(2, blocks=1, filters=8))


def of_two():
    """A chain; its second part works in steps of 4, and must know where it is."""
    return chain([edsr(), open_network(small_grunet(3))])


def denoiser():
    return open_network(zoo.DnCNN(variant="S", depth=3, channels=1), scale=1)


def srcnn():
    return open_network(zoo.SRCNN(3, variant="9-1-5"), scale=3)


@pytest.mark.slow
@pytest.mark.parametrize("make", [denoiser, srcnn, edsr, of_two])
@pytest.mark.parametrize("alpha", [False, True])
def test_the_middle_is_that_of_the_whole(make, alpha):
    keras.utils.set_random_seed(0)
    network = make()
    opaque = np.random.default_rng(1).uniform(0, 1, (61, 50, 1)).round(0)
    image = np.concatenate([PHOTO, opaque.astype(np.float32)], axis=-1) if alpha else PHOTO
    sigma = 0.1 if network.use.takes_sigma else None
    whole = plan(network, picture_of(image, alpha), Settings(sigma))
    asked = []

    def rows(top, end):
        asked.append((top, end))
        return image[top:end]

    (found,) = restore_bands(middle(whole, 6), rows)
    scale = network.use.scale
    expected = restore_whole(whole, image)[27 * scale : 33 * scale, 22 * scale : 28 * scale]
    np.testing.assert_allclose(found, expected, atol=1e-5)
    (row,) = middle(whole, 6).rows
    assert asked == [(row.start, min(row.stop, 61))]  # no more is read than the network looks at


def test_a_picture_that_is_smaller_than_its_middle():
    network = edsr()
    whole = plan(network, picture_of(PHOTO), Settings())
    found = restore_whole(middle(whole, 55), PHOTO)
    np.testing.assert_allclose(found, restore_whole(whole, PHOTO)[6:116], atol=1e-5)
    assert found.shape == (110, 100, 3)


def test_whole_pictures_alone_are_refused():
    network = dataclasses.replace(denoiser(), reach=None)
    whole = plan(network, picture_of(PHOTO), Settings())
    with pytest.raises(ValueError, match="dncnn_s takes whole pictures, so it cannot show"):
        middle(whole, 6)
