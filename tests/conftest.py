"""Where the images of the literature are, and settings of Keras that no test leaks."""

import os
from pathlib import Path

import keras
import pytest


@pytest.fixture
def data() -> Path:
    """Folder with set5, set14, set14_pairs, ...; named by the variable ASYKERAS_DATA."""
    folder = Path(os.environ.get("ASYKERAS_DATA") or "no folder named")
    if not folder.is_dir():
        pytest.skip("set ASYKERAS_DATA to the folder with set5, set14, ...")
    return folder


@pytest.fixture(autouse=True)
def _settings_of_keras():
    yield
    keras.config.set_dtype_policy("float32")
    keras.config.set_image_data_format("channels_last")
