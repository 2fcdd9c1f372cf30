"""What the losses do to the answer itself: T1 to T5, by quadrature and with backend gradients.

The label is normal around m with deviation s, the model one number. Its best answer is where the
derivative of the loss is 0; the theory says where that is.
"""

import keras
import numpy as np
import pytest
from keras import ops
from scipy.optimize import brentq

from asykeras import (
    PQ,
    PU21,
    SRGB,
    Anscombe,
    AsymmetricLoss,
    Gamma,
    Log,
    MuLaw,
    NoiseVariance,
    Power,
    Reciprocal,
    Reinhard,
    Slope,
    Steps,
    Window,
)
from tests.asykeras.gradients import gradient, stationary

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
FLOAT64 = keras.backend.backend() != "jax"  # which computes in float32 unless it is told otherwise
FINE = [SRGB(), Gamma(2.2), MuLaw(100), Log(0.1), Reinhard(), Anscombe(0.01, read_noise=0.02)]
COARSE = [MuLaw(5000), PQ(100), PU21(100)]  # in float32 their rounding hides a shift of 2 %


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

    def derivative(f):
        predictions = s * NODES + f
        return (weight(weighting, predictions) * PROBABILITIES * (predictions - m)).sum()

    exact = brentq(derivative, m - 3 * s, m + 3 * s, xtol=1e-12)
    assert found == pytest.approx(exact, abs=3e-7)
    assert exact - m == pytest.approx(-log_slope(weighting, m) * s**2, rel=0.02)
    assert found > m


def best_after(curve, y):
    """Return the number whose value is the mean of theirs, in float64 on every backend."""
    mean = (np.array([curve.rise(float(each)) for each in y]) * PROBABILITIES).sum()
    return brentq(lambda f: curve.rise(f) - mean, y.min(), y.max(), xtol=1e-12)


@pytest.mark.parametrize("m", [0.3, 0.5, 0.9])
@pytest.mark.parametrize("curve", FINE + COARSE, ids=repr)
def test_t3_an_error_after_a_curve_moves_it_to_the_best_one_there(curve, m):
    loss = AsymmetricLoss("mse", None, domain=curve, dtype="float64" if FLOAT64 else "float32")
    low, middle, high = (curve.steepness(x) for x in (m - 1e-4, m, m + 1e-4))
    bend = (high - low) / 2e-4 / middle  # g'' / g'
    rounding = 2.0**-24 * (curve.rounding[0] * m + curve.rounding[1] / middle)
    for s in (0.01, 0.03):
        exact = best_after(curve, labels_of(m, s))
        if s == 0.01:
            assert exact - m == pytest.approx(bend / 2 * s**2, rel=0.02)
        if FLOAT64:
            tolerance = 2e-7
        else:
            tolerance = rounding if curve in COARSE else min(rounding, 2e-6)
        assert answer(loss, m, s) == pytest.approx(exact, abs=tolerance)


@pytest.mark.parametrize("m", [0.4, 0.56, 0.9])
def test_t3_a_window_moves_it_at_its_ends_alone(m):
    window = Window(0.4, width=0.3)
    places = np.interp(labels_of(m, 0.03), [-9.75, 0.25, 0.55, 10.55], [-10 / 3, 0, 1, 13 / 3])
    mean = (places * PROBABILITIES).sum()
    best = np.interp(mean, [-10 / 3, 0, 1, 13 / 3], [-9.75, 0.25, 0.55, 10.55])
    found = answer(AsymmetricLoss("mse", None, domain=window), m, 0.03)
    assert found == pytest.approx(best, abs=1e-6)
    assert (abs(found - m) < 1e-6) == (m != 0.56)


@pytest.mark.parametrize("m", [0.3, 0.5, 0.9])
@pytest.mark.parametrize("curve", [SRGB(), Gamma(2.2), Log(0.1)], ids=repr)
def test_t4_the_label_weight_of_a_curve_has_four_times_its_bias(curve, m):
    s = 0.01
    y = labels_of(m, s)
    w = np.array([curve.steepness(each) for each in y]) ** 2 * PROBABILITIES
    exact_error, exact_weight = best_after(curve, y) - m, (w * y).sum() / w.sum() - m
    assert exact_weight / exact_error == pytest.approx(4, rel=0.02)
    by_error = answer(AsymmetricLoss("mse", None, domain=curve), m, s) - m
    by_weight = answer(AsymmetricLoss("mse", Slope(curve)), m, s) - m
    assert by_error == pytest.approx(exact_error, abs=3e-7)
    assert by_weight == pytest.approx(exact_weight, abs=3e-7)
    assert by_weight / by_error == pytest.approx(4, rel=0.02)


def test_the_absolute_error_has_the_weighted_median_as_its_answer():
    m, s = 0.3, 0.03
    y = np.sort(labels_of(m, s))
    w = weight(Power(2, epsilon=0.05), y) * PROBABILITIES[np.argsort(NODES)]
    median = y[np.searchsorted(np.cumsum(w) / w.sum(), 0.5)]
    found = answer(AsymmetricLoss("mae", Power(2, epsilon=0.05)), m, s)
    assert found == pytest.approx(median, abs=1e-6)
    assert found < m


def pattern():
    """Return a pattern of grey values, the deviation of their noise and what its variance is."""
    gain, read_noise = 0.05, 0.05
    clean = np.linspace(0.02, 1, 64)
    return clean, np.sqrt(gain * clean + read_noise**2), NoiseVariance(gain, read_noise=read_noise)


@pytest.mark.parametrize("reference", ["label", "prediction", None])
def test_t5_noisy_labels_by_quadrature(reference):
    """One factor is fitted to the pattern: its mean, and its variance by the delta method.

    The derivative of the loss is a sum over the pixels, whose noise is independent: the variance of
    the factor is that of the sum over the square of its slope.
    """
    clean, deviation, weighting = pattern()
    loss = AsymmetricLoss("mse", None)
    if reference:
        loss = AsymmetricLoss("mse", weighting, reference=reference)
    labels = (clean + deviation * NODES[:, None]).astype("float32")

    def pulls(factor):
        """Return the derivative of the loss of each pixel for each node."""
        factors = np.full(labels.shape, factor)
        return labels.size * gradient(
            lambda factors: loss(labels, factors * clean.astype("float32")), factors
        )

    def pull(factor):
        return (PROBABILITIES @ pulls(factor)).sum()

    mean = brentq(pull, 0.2, 2, xtol=1e-9)
    if reference == "label":
        y = labels.astype(float)
        w = 1 / (0.05 * np.maximum(y, 0) + 0.05**2)
        w /= w.mean()
        expected = (PROBABILITIES @ (w * clean * y)).sum() / (PROBABILITIES @ (w * clean**2)).sum()
        assert mean == pytest.approx(expected, abs=2e-6)
        assert mean < 0.9  # darker
        return
    assert mean == pytest.approx(1, abs=2e-6)
    slope = (pull(1.005) - pull(0.995)) / 0.01
    variance = (PROBABILITIES @ pulls(1) ** 2).sum() / slope**2
    # Gauss and Markov: the variance of a fit with the weights 1 / variance, and that without
    best = 1 / (clean**2 / deviation**2).sum()
    ordinary = (clean**2 * deviation**2).sum() / (clean**2).sum() ** 2
    assert variance == pytest.approx(best if reference else ordinary, rel=1e-3)
    assert best < ordinary


def test_t5_noisy_labels_are_used_best_with_the_variance_of_the_prediction():
    """The same with labels that were drawn, 400 times: no limit of small noise is taken."""
    repetitions = 400
    clean, deviation, weighting = pattern()
    noise = np.random.default_rng(0).normal(size=(repetitions, len(clean)))
    labels = (clean + deviation * noise).astype("float32")

    def factors(loss):
        def of_each(theta):
            return loss(labels, theta[:, None] * clean.astype("float32"))

        ones = np.ones(repetitions)
        return stationary(of_each, 0 * ones, 2 * ones)

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
