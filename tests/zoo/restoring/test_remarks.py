"""What is said where a picture or its noise is not what a network is for; and its contrast."""

import re
from dataclasses import replace

import keras
import numpy as np
import pytest

from zoo.pictures.picture import picture_of
from zoo.restoring.contrast import contrast
from zoo.restoring.network import open_network
from zoo.restoring.remarks import colour_remark, remark_on_picture, sigma_remark
from zoo.store.card import Use

GREY = 1 / 255  # one grey level in image units


def used(*levels, **more):
    return Use(levels=tuple(level * GREY for level in levels) or None, **more)


def test_the_contrast_that_fits_the_noise():
    one = used(20, 50, level=25 * GREY)
    levels = (25, 50, 20, 10, 0)
    found = [contrast(one, level * GREY) for level in levels]
    assert found == pytest.approx([1.0, 0.5, 1.25, 1.25, 1.25])
    assert contrast(one, None) == 1.0
    assert contrast(used(0, 50, takes_sigma=True), 50 * GREY) == 1.0  # it takes the level


def test_what_is_said_about_a_kind_of_picture():
    use = Use(colours=("grey", "cmyk"))
    assert colour_remark("it", use, "grey") == colour_remark("it", Use(), "rgb") == ""
    expected = "it is for grey and cmyk pictures: on one that is rgb, expect poor results"
    assert colour_remark("it", use, "rgb") == expected


def test_a_network_of_linear_light_says_so_of_integers():
    image = keras.Input((None, None, 1))
    model = keras.Model(image, keras.layers.Identity()(image))
    network = replace(open_network(model, scale=1), name="it", use=Use(linear=True))
    said = "it is for linear light: decode the picture from sRGB and give it in floating point"
    for dtype, expected in ((np.uint8, said), (np.uint16, said), (np.float32, "")):
        assert remark_on_picture(network, picture_of(np.zeros((4, 4, 1), dtype))) == expected


@pytest.mark.parametrize(
    ("use", "level", "remark"),
    [
        (used(25, 25), 25, ""),
        (used(25, 25), None, ""),
        (used(25, 25), 50, "it is for noise of 25 grey levels of 255, not of 50$"),
        (used(0, 55), 50, ""),
        (used(0, 55), 60.5, "it is for noise from 0 to 55 .* not of 60.5"),
        (Use(), 25, "takes no noise level, and its card does not say"),
        (Use(takes_sigma=True), 25, ""),
        (used(0, 70, takes_sigma=True), 90, "from 0 to 70 .* not of 90"),
        (Use(scale=2), None, ""),
    ],
)
def test_what_is_said_about_a_level(use, level, remark):
    found = sigma_remark("it", use, None if level is None else level * GREY)
    assert re.match(remark, found) if not remark else re.search(remark, found)
    assert bool(found) == bool(remark)


@pytest.mark.parametrize(
    ("use", "sigma", "match"),
    [
        (Use(takes_sigma=True), None, "it must be given the level of the noise"),
        (Use(scale=2), 0.1, "it enlarges and takes no noise level. Received: sigma=0.1"),
        (Use(), -1.0, "sigma must be 0 or more. Received: sigma=-1"),
        (Use(), float("nan"), "sigma must be 0 or more. Received: sigma=nan"),
        (Use(), float("inf"), "sigma must be 0 or more. Received: sigma=inf"),
    ],
)
def test_levels_that_are_refused(use, sigma, match):
    with pytest.raises(ValueError, match=match):
        sigma_remark("it", use, sigma)
