"""The noise of a sensor against the moments of its distribution, and its state."""

import keras
import numpy as np
import pytest
from keras import ops
from scipy import stats

from asykeras import PoissonGaussianNoise


def drawn(level, gain, read_noise=0.0, seed=0, size=200):
    layer = PoissonGaussianNoise(gain, read_noise=read_noise, seed=seed)
    images = np.full((1, size, size, 1), level, "float32")
    return np.asarray(ops.convert_to_numpy(layer(images)), np.float64)[0, ..., 0]


@pytest.mark.parametrize("level", [0.0, 0.01, 0.3, 1.0])
@pytest.mark.parametrize(("gain", "read_noise"), [(0.1, 0.0), (0.02, 0.05), (0.001, 0.01)])
def test_mean_and_variance(level, gain, read_noise):
    noisy = drawn(level, gain, read_noise)
    variance = gain * level + read_noise**2
    assert noisy.mean() == pytest.approx(level, abs=5 * np.sqrt(variance / noisy.size) + 1e-7)
    # the variance of a sample variance has the fourth moment in it, which Poisson raises
    spread = np.sqrt((2 * variance**2 + gain**3 * level) / noisy.size)
    assert noisy.var() == pytest.approx(variance, abs=5 * spread + 1e-9)


@pytest.mark.parametrize("electrons", [0.5, 4, 30])
def test_the_counts_are_those_of_poisson(electrons):
    counts = np.rint(drawn(electrons / 50, 1 / 50) * 50).astype(int).ravel()
    bins = np.arange(int(electrons + 4 * np.sqrt(electrons)) + 2)
    found = np.array([(counts == k).sum() for k in bins] + [(counts > bins[-1]).sum()])
    expected = np.append(stats.poisson.pmf(bins, electrons), stats.poisson.sf(bins[-1], electrons))
    enough = expected * counts.size > 5
    statistic = (found - expected * counts.size) ** 2 / (expected * counts.size)
    assert statistic[enough].sum() < stats.chi2.ppf(1 - 1e-6, enough.sum())


def test_the_seed_decides_and_the_state_goes_on():
    first, again, other = (drawn(0.3, 0.05, 0.01, seed=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).mean() > 0.9
    layer = PoissonGaussianNoise(0.05, seed=1)
    images = np.full((2, 8, 8, 3), 0.5, "float32")
    one, two = (ops.convert_to_numpy(layer(images)) for _ in range(2))
    assert (one != two).any()


def test_it_is_saved_with_its_state(tmp_path):
    layer = PoissonGaussianNoise(0.05, read_noise=0.01, seed=3, name="sensor")
    stored = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(layer))
    assert stored.get_config() == layer.get_config()
    images = np.full((1, 8, 8, 1), 0.5, "float32")
    model = keras.Sequential([keras.Input((8, 8, 1)), layer])
    model(images)
    model.save(tmp_path / "model.keras")
    expected = ops.convert_to_numpy(model(images))
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(ops.convert_to_numpy(loaded(images)), expected)


def test_below_black_there_is_no_light():
    noisy = drawn(-0.2, 0.1)
    assert (noisy == 0).all()


def test_compiled_and_symbolic():
    model = keras.Sequential([keras.Input((None, None, 1)), PoissonGaussianNoise(0.1, seed=0)])
    assert model.output_shape == (None, None, None, 1)
    found = model.predict(np.full((4, 6, 5, 1), 0.5, "float32"), verbose=0)
    assert found.shape == (4, 6, 5, 1)
    assert 0.2 < found.mean() < 0.8


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"gain": 0}, "gain must be a positive number. Received: gain=0"),
        ({"gain": 1, "read_noise": -1}, "read_noise must be a number of 0 or more. Received: rea"),
        ({"gain": 1, "dtype": "float16"}, "dtype must be float32 or float64"),
    ],
)
def test_refusals(arguments, message):
    with pytest.raises(ValueError, match=message):
        PoissonGaussianNoise(**arguments)


def test_other_images_are_refused():
    layer = PoissonGaussianNoise(0.1)
    with pytest.raises(TypeError, match="floating point"):
        layer(np.zeros((1, 4, 4, 1), "uint8"))
    with pytest.raises(ValueError, match="divide 8-bit images by 255"):
        layer(np.full((1, 4, 4, 1), 200.0, "float32"))
