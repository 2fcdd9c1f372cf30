"""The steeper weightings against their formulas in NumPy."""

import keras
import numpy as np
import pytest
from keras import ops

from asykeras import (
    PQ,
    SRGB,
    AsyMSE,
    Density,
    MuLaw,
    NoiseVariance,
    Power,
    Slope,
    Steps,
    Window,
)
from tests.asykeras.test_weighting import LABELS, grey

WEIGHTINGS = [
    Power(1, epsilon=0.05),
    Power(2, epsilon=0.01),
    Power(0.5, epsilon=0.1),
    Slope(SRGB()),
    Slope(MuLaw(5000)),
    Slope(PQ(1000)),
    NoiseVariance(0.02, read_noise=0.01),
    Density([3.0, 1.0, 0.5]),
    Steps([0.1, 0.5], values=[4, 2, 1]),
]


def of(weighting, label):
    return np.asarray(ops.convert_to_numpy(weighting(label.astype("float32"))), np.float64)


@pytest.mark.parametrize("name", LABELS)
@pytest.mark.parametrize(
    ("weighting", "formula"),
    [
        (Power(1, epsilon=0.05), lambda y: 1 / (y + 0.05)),
        (Power(2, epsilon=0.01), lambda y: 1 / (y + 0.01) ** 2),
        (Power(0.5, epsilon=0.1), lambda y: (y + 0.1) ** -0.5),
        (NoiseVariance(0.02, read_noise=0.01), lambda y: 1 / (0.02 * y + 1e-4)),
        (Slope(MuLaw(100)), lambda y: (100 / (1 + 100 * y) / np.log(101)) ** 2),
        (Density([3.0, 1.0, 0.5]), lambda y: np.interp(y, [0, 0.5, 1], [3, 1, 0.5])),
        (Steps([0.1, 0.5], values=[4, 2, 1]), lambda y: np.select([y < 0.1, y < 0.5], [4, 2], 1)),
    ],
)
def test_formulas(weighting, formula, name):
    label = LABELS[name]
    np.testing.assert_allclose(of(weighting, label), formula(grey(label)), rtol=2e-5)


@pytest.mark.parametrize("weighting", WEIGHTINGS, ids=repr)
def test_weights_are_finite_saved_and_equal(weighting):
    label = np.array([[-5.0, -1e-6, 0, 1e-8, 1, 1.4]])
    label = np.maximum(label, -0.1) if isinstance(weighting, Density) else label
    weights = of(weighting, label)
    assert np.isfinite(weights).all()
    assert (weights > 0).all()
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(weighting))
    assert again == weighting
    assert hash(again) == hash(weighting)
    np.testing.assert_array_equal(of(again, label), weights)


def test_labels_of_any_range_may_be_weighed_but_by_density():
    hdr = np.array([[0.0, 8.0]])
    assert of(Power(1, epsilon=1), hdr).tolist() == [[1, pytest.approx(1 / 9)]]
    with pytest.raises(ValueError, match=r"Density expects labels in \[0, 1\]"):
        of(Density([1, 2]), hdr)
    ct = np.array([[-900.0, 50.0]])
    assert of(Slope(Window(40, width=100)), ct) == pytest.approx(np.array([[1e-6, 1e-4]]))
    assert of(Steps([-500], values=[1, 3]), ct).tolist() == [[1, 3]]


def test_density_is_the_inverse_of_what_is_there():
    random = np.random.default_rng(0)
    labels = [random.beta(2, 5, (40, 40, 1)) for _ in range(8)]
    weighting = Density.from_labels(labels, power=1, bins=32, smoothing=1.5)
    pixels = np.concatenate([label.ravel() for label in labels])
    assert of(weighting, pixels[:, None]).mean() == pytest.approx(1, abs=0.03)
    # against the density of the distribution itself, away from its ends
    y = np.linspace(0.1, 0.7, 25)
    density = 30 * y * (1 - y) ** 4
    ratio = of(weighting, y[:, None])[:, 0] * density
    assert ratio.std() / ratio.mean() < 0.1
    root = Density.from_labels(labels, power=0.5, bins=32, smoothing=1.5)
    ratio = of(root, y[:, None])[:, 0] * density**0.5
    assert ratio.std() / ratio.mean() < 0.06


def test_density_by_hand():
    labels = [np.array([0.0, 0.0, 0.0, 1.0]).reshape(2, 2, 1)]
    weighting = Density.from_labels(labels, bins=2, smoothing=0)
    # densities 1.5 and 0.5 -> 2/3 and 2, of which the mean over the labels is 1
    np.testing.assert_allclose(weighting.weights, [2 / 3, 2])
    colour = [np.broadcast_to([1.0, 0.0, 0.0], (4, 4, 3))]
    found = Density.from_labels(colour, bins=11, smoothing=0, least=0.1)
    assert found.weights[3] == min(found.weights)  # 0.299


def test_density_counts_the_rare_more_under_training():
    labels = [np.full((8, 8, 1), 0.9)] * 9 + [np.full((8, 8, 1), 0.1)]
    loss = AsyMSE(Density.from_labels(labels, bins=16, smoothing=1))
    bright, dark = (ops.convert_to_numpy(loss.weights(each[None])).mean() for each in labels[::9])
    assert dark > 5 * bright


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Power(0), "power must be a positive number. Received: power=0"),
        (lambda: Power(1, epsilon=0), "epsilon must be a positive number. Received: epsilon=0"),
        (lambda: Slope("srgb"), r"curve must be a curve such as SRGB\(\). Received: curve='srgb'"),
        (
            lambda: NoiseVariance(1, read_noise=0),
            "read_noise must be a positive number. Received: read_noise=0",
        ),
        (lambda: Density([1]), r"there must be two weights or more. Received: weights=\[1\]"),
        (lambda: Density([1, 0]), "weights must be a positive number. Received: weights=0.0"),
        (lambda: Density.from_labels([]), "there must be labels to count. Received: pixels=0"),
        (lambda: Density.from_labels([np.ones((1, 1, 1))], bins=1), "bins must be 2 or more"),
        (lambda: Density.from_labels([np.ones(3)], power=0), "power must be a positive number"),
        (
            lambda: Density.from_labels([np.ones(3)], smoothing=-1),
            "smoothing must be a number of",
        ),
        (lambda: Steps([0.5, 0.1], values=[1, 2, 3]), "thresholds must be finite and rise"),
        (lambda: Steps([np.nan], values=[1, 2]), "thresholds must be finite and rise"),
        (lambda: Steps([], values=[1]), "there must be a threshold or more"),
        (lambda: Steps([0.5], values=[1]), "a value more than thresholds"),
        (lambda: Steps([0.5], values=[1, -1]), "values must be a number of 0 or more"),
    ],
)
def test_refusals(make, message):
    with pytest.raises(ValueError, match=message):
        make()
