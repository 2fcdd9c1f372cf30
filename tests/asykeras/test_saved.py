"""A `.keras` file of every release loads for ever. Add one with each; never change one."""

from pathlib import Path

import keras
import numpy as np
import pytest
from keras import ops

import asykeras  # noqa: F401 - registers the losses and metrics

SAVED = sorted(Path(__file__).with_name("saved").glob("*.keras"))


@pytest.mark.parametrize("path", SAVED, ids=lambda path: path.stem)
def test_models_of_earlier_releases_load_compiled(path):
    model = keras.saving.load_model(path)
    config = model.loss.get_config()
    assert type(model.loss).__name__ == "AsymmetricLoss"
    assert config["error"]["config"] == {"delta": 0.2}
    assert config["weighting"]["config"] == {"quantile": 0.75, "epsilon": 1e-6}
    assert (config["apply_to"], config["normalize"], config["balanced"]) == ("images", True, True)
    assert config["reduction"] == "mean_with_sample_weight"
    label = np.linspace(0, 1, 2 * 12 * 12, dtype="float32").reshape(2, 12, 12, 1)
    scores = model.evaluate(label * 0.9, label, verbose=0, return_dict=True)
    assert set(scores) == {"loss", "psnr", "ssim"}
    assert all(np.isfinite(value) for value in scores.values())


def test_the_weights_are_those_that_were_saved():
    model = keras.saving.load_model(SAVED[0])
    kernel = ops.convert_to_numpy(model.get_layer("convolution").kernel)[..., 0, 0]
    expected = [
        [0.01811075, -0.22047621, 0.39133304],
        [-0.45425707, -0.12132424, -0.36175254],
        [-0.00107366, 0.56202972, 0.06265229],
    ]
    np.testing.assert_allclose(kernel, expected, atol=1e-8)
