"""The exact unbiased inverse against drawn noise, and denoisers between the two curves."""

import keras
import numpy as np
import pytest
from keras import ops

import zoo
from asykeras import Anscombe
from zoo.restoring.stabilized import sensor_of, unbiased_inverse

rng = np.random.default_rng(0)


def numpy_of(curve, values):
    return np.asarray(ops.convert_to_numpy(curve(values)), np.float64)


def identity():
    """A denoiser that removes nothing."""
    image = keras.Input((None, None, 1))
    return keras.Model(image, keras.layers.Identity()(image), name="identity")


@pytest.mark.parametrize("read", [0.0, 0.5, 3.0])
@pytest.mark.parametrize("electrons", [0.3, 2, 30, 150, 800])
def test_the_inverse_of_the_mean_is_the_mean(read, electrons):
    gain = 0.02
    curve = Anscombe(gain, read_noise=read * gain)
    drawn = gain * rng.poisson(electrons, 400_000) + read * gain * rng.normal(size=400_000)
    stable = numpy_of(curve, drawn)
    found = unbiased_inverse(curve)(np.array(stable.mean())) / gain
    error = stable.std() / np.sqrt(len(stable)) * np.sqrt(electrons + 3 / 8 + read**2)
    assert found == pytest.approx(electrons, abs=5 * error + 0.004 * np.sqrt(electrons))
    if electrons >= 2:
        assert stable.std() == pytest.approx(1, abs=0.06)  # what the curve is for
        algebraic = numpy_of(curve.inverse, np.array(stable.mean())) / gain
        assert algebraic < electrons - 0.15


def test_the_inverse_is_that_of_the_closed_form_where_it_holds():
    curve = Anscombe(1.0, read_noise=2.0)
    values = np.linspace(12, 80, 30)
    root = np.sqrt(1.5)
    closed = (
        values**2 / 4 + root / 4 / values - 11 / 8 / values**2 + 5 / 8 * root / values**3
        - 1 / 8 - 4
    )  # fmt: skip
    np.testing.assert_allclose(unbiased_inverse(curve)(values), closed, atol=0.02)


def test_the_inverse_rises_and_black_is_black():
    inverse = unbiased_inverse(Anscombe(0.1, read_noise=0.05))
    values = np.linspace(-5, 100, 5000)
    found = inverse(values)
    assert (np.diff(found) >= 0).all()
    assert found[0] == 0
    assert np.diff(found).max() < 0.3  # no step where the table ends


def test_a_denoiser_of_nothing_gives_back_nearly_what_was_given():
    network = zoo.stabilized(identity(), gain=0.01)
    image = rng.uniform(0.2, 1, (20, 24, 1))
    found = zoo.restore(network, image)
    # the unbiased inverse is about a quarter of an electron brighter than the algebraic one
    np.testing.assert_allclose(found, image + 0.25 * 0.01, atol=1e-4)
    assert zoo.restore(network, (image * 255).astype("uint8")).dtype == np.uint8


@pytest.mark.slow
def test_it_beats_the_same_denoiser_told_one_level():
    grey = np.linspace(0.02, 1, 64)[None, :, None] * np.ones((48, 1, 1))
    noisy = 0.02 * rng.poisson(grey / 0.02) + rng.normal(0, 2 / 255, grey.shape)
    level = float(np.sqrt((0.02 * grey + (2 / 255) ** 2).mean()))
    plain = zoo.restore("dncnn-gray-25", noisy, sigma=max(level, 20 / 255))
    stable = zoo.restore(zoo.stabilized("dncnn-gray-25", gain=0.02, read_noise=2 / 255), noisy)
    errors = [((image - grey) ** 2).mean() for image in (noisy, plain, stable)]
    assert errors[2] < errors[1] < errors[0]


@pytest.mark.slow
def test_a_network_that_takes_the_level_is_told_it():
    noisy = 0.1 * rng.poisson(0.5 / 0.1, (24, 24, 3)).astype(float)
    for gain in (0.1, 0.002):  # above the levels of the network, and within
        found = zoo.restore(zoo.stabilized("dphsir-small", gain=gain), noisy)
        assert found.shape == noisy.shape
        assert np.isfinite(found).all()
    assert abs(zoo.restore(zoo.stabilized("dphsir-small", gain=0.1), noisy).mean() - 0.5) < 0.05


def test_networks_that_enlarge_are_refused():
    with pytest.raises(ValueError, match="has the scale 3. Received: scale=1"):
        zoo.stabilized("srcnn-955-x3", gain=0.1)
    with pytest.raises(ValueError, match="gain must be a positive number. Received: gain=0"):
        zoo.stabilized("dncnn-gray-25", gain=0)


def test_the_text_of_a_sensor():
    assert sensor_of("poisson:2.55,5.1") == pytest.approx((0.01, 0.02))
    assert sensor_of("poisson:1,0") == pytest.approx((1 / 255, 0))


@pytest.mark.parametrize(
    "text",
    ["", "poisson", "poisson:1", "poisson:0,1", "poisson:-1,1", "poisson:1,-1", "poisson:nan,1",
     "poisson:1,inf", "poisson:1,2,3", "gauss:1,2", "poisson:a,b"],
)  # fmt: skip
def test_texts_that_name_none(text):
    with pytest.raises(ValueError, match="a noise model is poisson:GAIN,READ"):
        sensor_of(text)
