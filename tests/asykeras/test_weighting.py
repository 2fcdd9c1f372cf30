"""The weight maps against NumPy transcriptions of Eq. 1, Eq. 2 and Table 1."""

import keras
import numpy as np
import pytest
from keras import ops

from asykeras import Quartile, Reciprocal
from asykeras.weighting import stretched

rng = np.random.default_rng(0)
LABELS = {
    "random": rng.random((3, 9, 7, 1)),
    "black": np.zeros((2, 5, 4, 1)),
    "white": np.ones((2, 5, 4, 1)),
    "constant": np.full((2, 5, 4, 1), 0.3),
    "one pixel": np.array([[[[0.25]]]]),
    "colour": rng.random((2, 6, 5, 3)),
    "bands": rng.random((2, 6, 5, 31)),
    "volume": rng.random((2, 4, 5, 6, 1)),
    "signal": rng.random((3, 11)),
    "half black": np.concatenate([np.zeros((1, 4, 4, 1)), np.ones((1, 4, 4, 1))], axis=1),
}


def grey(label):
    if label.ndim == 2:
        return label
    if label.shape[-1] == 3:
        return (label @ [0.299, 0.587, 0.114])[..., None]
    return label.mean(axis=-1, keepdims=True)


def eq_2(label):
    return 0.5 * np.tanh(1 / (grey(label) + 1e-10)) + 0.5


def table_1(label, quantile):
    y = grey(label)
    quantiles = np.array([np.quantile(image, quantile) for image in y])
    return 0.5 * np.tanh(quantiles.reshape((-1,) + (1,) * (y.ndim - 1)) / (y + 1e-10)) + 0.5


def numpy(tensor):
    return np.asarray(ops.convert_to_numpy(tensor), np.float64)


@pytest.mark.parametrize("name", LABELS)
def test_reciprocal_equals_eq_2(name):
    label = LABELS[name].astype("float32")
    np.testing.assert_allclose(numpy(Reciprocal()(label)), eq_2(label), atol=1e-6)


@pytest.mark.parametrize("quantile", [0.25, 0.75])
@pytest.mark.parametrize("name", LABELS)
def test_quartile_equals_table_1(name, quantile):
    label = LABELS[name].astype("float32")
    np.testing.assert_allclose(
        numpy(Quartile(quantile)(label)), table_1(label, quantile), atol=1e-6
    )


@pytest.mark.parametrize("weighting", [Reciprocal(), Quartile()])
def test_float16_labels_are_weighed_in_float32(weighting):
    label = LABELS["random"].astype("float16")
    weights = weighting(ops.convert_to_tensor(label))
    assert keras.backend.standardize_dtype(weights.dtype) == "float32"
    in_float32 = weighting(label.astype("float32"))
    np.testing.assert_array_equal(numpy(weights), numpy(in_float32))


def test_worked_numbers():
    label = np.array([[[[0.0], [0.5], [1.0]]]], "float32")
    np.testing.assert_allclose(numpy(Reciprocal()(label)).ravel(), [1, 0.98201, 0.88080], atol=1e-5)
    label = np.array([[0, 0.25, 0.5, 0.75, 1]], "float32")  # the quantile 0.25 is 0.25
    expected = [1, 0.88080, 0.73106, 0.66076, 0.62246]
    np.testing.assert_allclose(numpy(Quartile()(label))[0], expected, atol=1e-5)


def test_the_weights_of_one_image_do_not_depend_on_the_batch():
    label = LABELS["random"].astype("float32")
    together, alone = Quartile()(label), Quartile()(label[1:2])
    # to rounding: vectorised code may treat the last pixels of an array apart
    np.testing.assert_allclose(numpy(together)[1:2], numpy(alone), rtol=3e-7)


def test_values_below_black_count_as_black():
    weights = numpy(Reciprocal()(np.array([[-0.5, -1e-10, 0.0]], "float32")))
    np.testing.assert_array_equal(weights, np.ones((1, 3)))


def test_normalize_is_eq_1_per_image():
    image = np.array([[[2.0], [4.0], [6.0]], [[0.5], [0.5], [0.5]]], "float32")
    expected = [[[0.0], [0.5], [1.0]], [[0.0], [0.0], [0.0]]]
    np.testing.assert_array_equal(numpy(stretched(image, image)), expected)


@pytest.mark.parametrize("weighting", [Reciprocal(1e-3), Quartile(0.75, epsilon=1e-4)])
def test_round_trip_keeps_the_arguments(weighting):
    config = keras.saving.serialize_keras_object(weighting)
    again = keras.saving.deserialize_keras_object(config)
    assert again == weighting
    assert again.get_config() == weighting.get_config()
    assert again != type(weighting)()


@pytest.mark.parametrize("epsilon", [0, -1e-3, float("nan"), float("inf")])
def test_epsilon_must_be_positive(epsilon):
    with pytest.raises(
        ValueError, match=f"epsilon must be a positive number. Received: epsilon={epsilon}"
    ):
        Reciprocal(epsilon)
    with pytest.raises(ValueError, match="epsilon must be a positive number"):
        Quartile(0.25, epsilon=epsilon)


@pytest.mark.parametrize("quantile", [-0.1, 25, float("nan")])
def test_quantile_must_be_a_share(quantile):
    with pytest.raises(ValueError, match=f"quantile must be in .0, 1.. Received: {quantile=}"):
        Quartile(quantile)
