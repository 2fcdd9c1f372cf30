"""Errors by grey level: sums by hand, and changes with their intervals."""

import numpy as np
import pytest

from recipes.compare.grey_levels import BINS, band_change, change, errors_by_grey_level

rng = np.random.default_rng(0)


def test_black_is_in_the_first_bin_and_white_in_the_last():
    found = errors_by_grey_level(np.array([0.0, 1.0]), np.array([0.1, 0.8]))
    assert found["count"] == [1] + [0] * 14 + [1]
    assert found["squared"] == pytest.approx([0.01] + [0] * 14 + [0.04])


def test_every_8_bit_level_is_in_the_bin_of_its_sixteen():
    levels = np.arange(256) / 255
    assert errors_by_grey_level(levels, levels)["count"] == [16] * 16


def test_the_sums_make_up_the_error_of_the_whole_image():
    label, restored = rng.random((2, 9, 7, 1))
    found = errors_by_grey_level(label, restored)
    assert sum(found["squared"]) == pytest.approx(((label - restored) ** 2).sum())
    assert sum(found["count"]) == 63


def test_the_change_is_that_of_pooled_pixels_in_per_cent():
    plain, asymmetric = np.zeros((2, BINS)), np.zeros((2, BINS))  # two images
    plain[:, 0], asymmetric[:, 0] = (1.0, 3.0), (1.0, 2.0)  # 4 -> 3
    found = change(plain, asymmetric)
    assert found[0] == pytest.approx(-25)
    assert np.isnan(found[1:]).all()  # no error there


def test_a_band_holds_its_bins_alone_and_each_seed_has_its_change():
    plain, asymmetric = np.ones((2, 3, BINS)), np.ones((2, 3, BINS))
    asymmetric[0, :, :5] = 0.9
    asymmetric[..., 11:] = 1.2
    dark, middle, bright = (
        band_change(plain, asymmetric, band) for band in ("dark", "middle", "bright")
    )
    assert dark == pytest.approx([-10, 0])
    assert middle == pytest.approx([0, 0])
    assert bright == pytest.approx([20, 20])


def test_the_images_of_a_band_are_pooled():
    plain, asymmetric = np.zeros((1, 2, BINS)), np.zeros((1, 2, BINS))
    plain[0, :, 1], asymmetric[0, :, 2] = (1.0, 9.0), (2.0, 9.0)
    assert band_change(plain, asymmetric, "dark") == pytest.approx([10])  # 10 -> 11, not +50 %
    assert np.isnan(band_change(plain, asymmetric, "bright")).all()
