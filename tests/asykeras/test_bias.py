"""What the losses do to the answer itself: T1 to T5, by quadrature and with backend gradients.

The label is normal around m with deviation s, the model one number. Its best answer is where the
derivative of the loss is 0; the theory says where that is.
"""

import numpy as np
import pytest
from keras import ops

from asykeras import (
    SRGB,
    AsymmetricLoss,
    Gamma,
    Log,
    MuLaw,
    NoiseVariance,
    Power,
    Reciprocal,
    Slope,
    Steps,
)
from tests.asykeras.gradients import stationary

NODES, PROBABILITIES = np.polynomial.hermite_e.hermegauss(31)
PROBABILITIES = PROBABILITIES / PROBABILITIES.sum()
WEIGHTINGS = [
    Reciprocal(),
    Power(1, epsilon=0.05),
    Power(2, epsilon=0.05),
    Slope(Gamma(2.2)),
    Slope(SRGB()),
    NoiseVariance(0.1, read_noise=0.1),
]


def weight(weighting, y):
    return np.asarray(ops.convert_to_numpy(weighting(y[:, None].astype("float32"))))[:, 0]


def answer(loss, m, s):
    """Return the number that minimises the expected loss."""
    labels = (m + s * NODES)[:, None].astype("float32")
    probabilities = (PROBABILITIES * len(NODES)).astype("float32")
    # 1000 times, so that the derivative is far from the smallest float32
    return stationary(
        lambda f: 1000 * loss(labels, ops.zeros_like(labels) + f, probabilities), m - s, m + s
    )


def labels_of(m, s):
    return (m + s * NODES).astype("float32").astype(float)


def log_slope(weighting, m):
    """Return w' / w at m."""
    step = 1e-3
    low, middle, high = weight(weighting, np.array([m - step, m, m + step])).astype(float)
    return (high - low) / (2 * step) / middle


@pytest.mark.parametrize("m", [0.3, 0.5, 0.9])
@pytest.mark.parametrize("weighting", WEIGHTINGS, ids=repr)
def test_t1_a_label_weight_moves_the_answer_as_the_formula_says(weighting, m):
    if isinstance(weighting, Reciprocal) and m < 0.5:
        pytest.skip("Eq. 2 moves nothing there")
    s = 0.01
    shift = answer(AsymmetricLoss("mse", weighting), m, s) - m
    predicted = log_slope(weighting, m) * s**2
    assert shift == pytest.approx(predicted, rel=0.02, abs=4e-8)
    assert shift < 0


@pytest.mark.parametrize("m", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("weighting", WEIGHTINGS, ids=repr)
def test_t1_exactly_where_the_noise_is_larger(weighting, m):
    s = 0.03
    y = labels_of(m, s)
    w = weight(weighting, y) * PROBABILITIES
    found = answer(AsymmetricLoss("mse", weighting), m, s)
    assert found == pytest.approx((w * y).sum() / w.sum(), abs=2e-6)


@pytest.mark.parametrize("balanced", [False, True])
@pytest.mark.parametrize("m", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("weighting", [*WEIGHTINGS, Steps([0.5], values=[9, 1])], ids=repr)
def test_t2_a_prediction_weight_moves_nothing(weighting, m, balanced):
    loss = AsymmetricLoss("mse", weighting, reference="prediction", balanced=balanced)
    s = 0.03
    expected = (labels_of(m, s) * PROBABILITIES).sum()
    assert answer(loss, m, s) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("m", [0.3, 0.5, 0.9])
@pytest.mark.parametrize("weighting", WEIGHTINGS, ids=repr)
def test_t2_holds_for_a_model_that_can_reach_the_mean(weighting, m):
    """One that misses it by e, here as large as s, is moved by -(w' / w) s^2, against T1."""
    if isinstance(weighting, Reciprocal) and m < 0.5:
        pytest.skip("Eq. 2 moves nothing there")
    loss = AsymmetricLoss("mse", weighting, reference="prediction")
    s = 0.01
    misses = (s * NODES)[:, None].astype("float32")
    labels = np.full_like(misses, m)
    probabilities = (PROBABILITIES * len(NODES)).astype("float32")
    found = stationary(
        lambda f: 1000 * loss(labels, ops.convert_to_tensor(misses) + f, probabilities),
        m - 3 * s,
        m + 3 * s,
    )
    assert found - m == pytest.approx(-log_slope(weighting, m) * s**2, rel=0.03, abs=1e-7)
    assert found > m


@pytest.mark.parametrize("m", [0.3, 0.5, 0.9])
@pytest.mark.parametrize("curve", [SRGB(), Gamma(2.2), MuLaw(100), Log(0.1)], ids=repr)
def test_t3_an_error_after_a_curve_moves_it_to_the_best_one_there(curve, m):
    def shift(s):
        return answer(AsymmetricLoss("mse", None, domain=curve), m, s) - m

    low, middle, high = (
        float(ops.convert_to_numpy(curve.slope(np.float32(x)))) for x in (m - 1e-3, m, m + 1e-3)
    )
    bend = (high - low) / 2e-3 / middle  # g'' / g'
    assert shift(0.01) == pytest.approx(bend / 2 * 0.01**2, rel=0.02)
    y = labels_of(m, 0.03)
    mean = (np.asarray(ops.convert_to_numpy(curve(y.astype("float32")))) * PROBABILITIES).sum()
    best = ops.convert_to_numpy(curve.inverse(np.float32(mean)))
    assert m + shift(0.03) == pytest.approx(float(best), abs=2e-6)


@pytest.mark.parametrize("curve", [SRGB(), Gamma(2.2), Log(0.1)], ids=repr)
def test_t4_the_label_weight_of_a_curve_has_four_times_its_bias(curve):
    m, s = 0.5, 0.01
    by_error = answer(AsymmetricLoss("mse", None, domain=curve), m, s) - m
    by_weight = answer(AsymmetricLoss("mse", Slope(curve)), m, s) - m
    assert by_weight / by_error == pytest.approx(4, rel=0.03)


def test_the_absolute_error_has_the_weighted_median_as_its_answer():
    m, s = 0.3, 0.03
    y = np.sort(labels_of(m, s))
    w = weight(Power(2, epsilon=0.05), y) * PROBABILITIES[np.argsort(NODES)]
    median = y[np.searchsorted(np.cumsum(w) / w.sum(), 0.5)]
    found = answer(AsymmetricLoss("mae", Power(2, epsilon=0.05)), m, s)
    assert found == pytest.approx(median, abs=1e-6)
    assert found < m


def test_t5_noisy_labels_are_used_best_with_the_variance_of_the_prediction():
    """Fit one factor to a pattern of grey values, of which every label has its own noise."""
    gain, read_noise, repetitions, pixels = 0.05, 0.05, 400, 64
    random = np.random.default_rng(0)
    clean = np.linspace(0.02, 1, pixels)
    deviation = np.sqrt(gain * clean + read_noise**2)
    noise = random.normal(size=(repetitions, pixels))
    labels = (clean + deviation * noise).astype("float32")

    def factors(loss):
        def of_each(theta):
            return loss(labels, theta[:, None] * clean.astype("float32"))

        ones = np.ones(repetitions)
        return stationary(of_each, 0 * ones, 2 * ones)

    weighting = NoiseVariance(gain, read_noise=read_noise)
    plain = factors(AsymmetricLoss("mse", None))
    by_prediction = factors(AsymmetricLoss("mse", weighting, reference="prediction"))
    by_label = factors(AsymmetricLoss("mse", weighting))

    # Gauss and Markov: the variance of a fit with the weights 1 / variance, and that without
    best = 1 / (clean**2 / deviation**2).sum()
    ordinary = (clean**2 * deviation**2).sum() / (clean**2).sum() ** 2
    assert by_prediction.var() == pytest.approx(best, rel=0.2)
    assert plain.var() == pytest.approx(ordinary, rel=0.2)
    assert by_prediction.var() < plain.var()
    error = np.sqrt(best / repetitions)
    assert abs(by_prediction.mean() - 1) < 4 * error
    assert by_label.mean() < 1 - 10 * error  # darker
