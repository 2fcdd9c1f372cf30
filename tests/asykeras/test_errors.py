"""The errors against hand-worked numbers and Keras' own losses."""

import keras
import numpy as np
import pytest
from keras import ops

from asykeras.errors import Charbonnier, Huber, absolute_error, squared_error

PAIR = np.zeros((1, 2), "float32"), np.array([[0.05, -0.3]], "float32")


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (squared_error, [0.0025, 0.09]),
        (absolute_error, [0.05, 0.3]),
        (Huber(0.1), [0.05**2 / 2, 0.1 * 0.3 - 0.1**2 / 2]),
        (Charbonnier(0.12), [np.hypot(0.05, 0.12), np.hypot(0.3, 0.12)]),
    ],
)
def test_worked_numbers(error, expected):
    values = ops.convert_to_numpy(error(*map(ops.convert_to_tensor, PAIR)))
    np.testing.assert_allclose(values, [expected], rtol=1e-6)


def test_huber_equals_keras():
    rng = np.random.default_rng(1)
    y_true, y_pred = rng.random((2, 5, 8)).astype("float32")
    ours = ops.mean(Huber(0.2)(y_true, y_pred), axis=-1)
    theirs = keras.losses.huber(y_true, y_pred, delta=0.2)
    np.testing.assert_allclose(*map(ops.convert_to_numpy, (ours, theirs)), rtol=1e-6)


@pytest.mark.parametrize("error", [Huber(0.25), Charbonnier(0.5), squared_error, absolute_error])
def test_round_trip_keeps_the_arguments(error):
    config = keras.saving.serialize_keras_object(error)
    again = keras.saving.deserialize_keras_object(config)
    values = [
        ops.convert_to_numpy(each(*map(ops.convert_to_tensor, PAIR))) for each in (error, again)
    ]
    np.testing.assert_array_equal(*values)


@pytest.mark.parametrize("value", [0, -1, float("nan")])
def test_widths_must_be_positive(value):
    with pytest.raises(
        ValueError, match=f"delta must be a positive number. Received: delta={value}"
    ):
        Huber(value)
    with pytest.raises(
        ValueError, match=f"epsilon must be a positive number. Received: epsilon={value}"
    ):
        Charbonnier(value)
