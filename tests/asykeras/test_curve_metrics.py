"""PSNR after a curve, and of a band of grey values, against NumPy."""

import keras
import numpy as np
import pytest
from keras import ops

from asykeras import PSNR, PU21, SRGB, MuLaw, psnr

rng = np.random.default_rng(5)
TRUE = rng.random((3, 8, 9, 3)) ** 3
PRED = np.clip(TRUE + rng.normal(0, 0.05, TRUE.shape), 0, 1)


def of(*images, **options):
    return np.asarray(ops.convert_to_numpy(psnr(*images, **options)), np.float64)


def decibels(error):
    return -10 * np.log10((error**2).mean(axis=(1, 2, 3)))


def test_psnr_mu():
    mu = [np.log(1 + 5000 * image) / np.log(5001) for image in (TRUE, PRED)]
    np.testing.assert_allclose(
        of(TRUE, PRED, curve=MuLaw(5000)), decibels(mu[1] - mu[0]), rtol=1e-5
    )


def test_pu21_psnr_has_the_peak_of_its_authors():
    encoded = [
        ops.convert_to_numpy(PU21(1000)(image.astype("float32"))).astype(float) / 256
        for image in (TRUE, PRED)
    ]
    np.testing.assert_allclose(
        of(TRUE, PRED, curve=PU21(1000)), decibels(encoded[1] - encoded[0]), rtol=1e-4
    )


def test_max_val_is_what_is_one_for_the_curve():
    np.testing.assert_allclose(
        of(8 * TRUE, 8 * PRED, max_val=8, curve=SRGB()), of(TRUE, PRED, curve=SRGB()), rtol=1e-5
    )


@pytest.mark.parametrize("band", [(0, 0.1), (0.1, 0.5), (0.5, 2)])
def test_a_band_by_its_pixels(band):
    grey = TRUE @ [0.299, 0.587, 0.114]
    inside = (grey >= band[0]) & (grey < band[1])
    expected = [
        -10 * np.log10(((p - t)[i] ** 2).mean()) for t, p, i in zip(TRUE, PRED, inside, strict=True)
    ]
    np.testing.assert_allclose(of(TRUE, PRED, band=band), expected, rtol=1e-5)
    levels = tuple(255 * limit for limit in band)
    np.testing.assert_allclose(
        of(255 * TRUE, 255 * PRED, max_val=255, band=levels), expected, rtol=1e-4
    )


def test_bands_and_borders_and_luma_go_together():
    border = {"border": 2, "luma": True}
    whole = of(TRUE, PRED, **border)
    np.testing.assert_allclose(of(TRUE, PRED, band=(0, 2), **border), whole, rtol=1e-5)


def test_an_image_without_such_pixels_is_left_out_of_the_mean():
    true, pred = TRUE.copy(), PRED.copy()
    true[1] = 0.9
    values = of(true, pred, band=(0, 0.5))
    assert np.isnan(values).tolist() == [False, True, False]
    metric = PSNR(band=(0, 0.5))
    metric.update_state(true, pred)
    assert float(metric.result()) == pytest.approx(np.nanmean(values), rel=1e-5)
    metric.update_state(true, pred, np.array([1.0, 5.0, 0.0]))
    expected = (values[0] * 2 + values[2]) / 3
    assert float(metric.result()) == pytest.approx(expected, rel=1e-5)


def test_bad_pixels_outside_the_band_do_not_count():
    pred = PRED.copy()
    bright = np.argwhere(TRUE[0] @ [0.299, 0.587, 0.114] > 0.4)[0]
    pred[(0, *bright, 0)] = np.nan
    assert np.isfinite(of(TRUE, pred, band=(0, 0.4))).all()
    assert np.isnan(of(TRUE, pred)[0])


def test_the_metric_is_saved_with_curve_and_band():
    metric = PSNR(curve=MuLaw(100), band=(0, 0.5), border=1)
    stored = keras.saving.serialize_keras_object(metric)
    again = keras.saving.deserialize_keras_object(stored)
    for each in (metric, again):
        each.update_state(TRUE, PRED)
    assert float(again.result()) == float(metric.result())
    assert again.get_config() == metric.get_config()
    expected = of(TRUE, PRED, curve=MuLaw(100), band=(0, 0.5), border=1).mean()
    assert float(metric.result()) == pytest.approx(expected, rel=1e-5)


def test_in_a_compiled_model(tmp_path):
    model = keras.Sequential([keras.Input((8, 9, 3)), keras.layers.Conv2D(3, 1)])
    model.compile("sgd", "mse", metrics=[PSNR(curve=SRGB(), band=(0, 0.3))])
    model.fit(TRUE.astype("float32"), TRUE.astype("float32"), verbose=0)
    model.save(tmp_path / "model.keras")
    assert keras.saving.load_model(tmp_path / "model.keras").metrics


@pytest.mark.parametrize("band", [(0.5, 0.5), (1, 0), (0, float("nan"))])
def test_bands_that_are_none(band):
    with pytest.raises(ValueError, match="band must be two rising grey values. Received: band="):
        PSNR(band=band)
