"""Where the images of the literature are, and settings of Keras that no test leaks."""

import os
import shutil
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import keras
import pytest


def pytest_configure(config):
    """Let signals end what the tests start, also where the suite itself runs under `nohup`."""
    if hasattr(signal, "SIGHUP"):
        signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest.hookimpl(tryfirst=True)  # before `-m` looks at the marks
def pytest_collection_modifyitems(items):
    """Run on TensorFlow alone what both backends would only repeat; see the marks."""
    if keras.backend.backend() == "jax":
        skip = pytest.mark.skip(reason="tested on TensorFlow: it does not depend on the backend")
        for item in items:
            if item.get_closest_marker("once"):
                item.add_marker(skip)
            if item.get_closest_marker("slow_on_jax"):
                item.add_marker(pytest.mark.slow)


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


@pytest.fixture
def deep_path(tmp_path) -> Iterator[Path]:
    """Folder for trees that are too deep for pytest to remove."""
    yield tmp_path
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(10_000)
    try:
        shutil.rmtree(tmp_path)
    finally:
        sys.setrecursionlimit(before)
