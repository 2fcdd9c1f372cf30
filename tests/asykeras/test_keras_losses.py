"""Keras' own tests of its mean squared and absolute error, run on ours with weights of one."""

import importlib.util
import types
from pathlib import Path

import keras
import pytest
from keras import ops

from asykeras import AsymmetricLoss

FILE = Path(keras.__file__).parent / "src/losses/losses_test.py"
CLASSES = {"MeanSquaredErrorTest": "mse", "MeanAbsoluteErrorTest": "mae"}


@keras.saving.register_keras_serializable(package="tests")
class Ones:
    def __call__(self, y_true):
        return ops.ones_like(y_true)

    def get_config(self):
        return {}


def loss_of(error):
    return lambda **options: AsymmetricLoss(error, Ones(), **options)


def cases():
    """Return Keras' test cases by name, with our losses in place of those of Keras."""
    if not FILE.exists():
        return {}
    spec = importlib.util.spec_from_file_location("keras_losses_test", FILE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.losses = types.SimpleNamespace(
        MeanSquaredError=loss_of("mse"),
        MeanAbsoluteError=loss_of("mae"),
        mean_squared_error=keras.losses.mean_squared_error,
    )
    found = [(name, getattr(module, name)) for name in CLASSES]
    return {
        f"{name}.{method}": (case, method)
        for name, case in found
        for method in dir(case)
        if method.startswith("test_") and method != "test_session"
    }


CASES = cases()


@pytest.mark.skipif(not CASES, reason=f"this Keras is installed without {FILE.name}")
@pytest.mark.parametrize("name", CASES)
def test_of_keras(name):
    case, method = CASES[name]
    case(method).debug()


@pytest.mark.skipif(not CASES, reason=f"this Keras is installed without {FILE.name}")
def test_the_tests_of_keras_were_found():
    assert len(CASES) >= 20
