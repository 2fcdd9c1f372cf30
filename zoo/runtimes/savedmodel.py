"""SavedModel: a folder for TensorFlow and TensorFlow Serving."""

from functools import partial
from pathlib import Path

import keras
import numpy as np

from zoo.runtimes.signatures import Calibration, Engine, named, signatures


def write(network: keras.Model, path: Path, scale: int, calibration: Calibration) -> None:
    """Write the folder, with all signatures."""
    # Not `track(network)`: each variable would be stored twice.
    archive = keras.export.ExportArchive()
    for name, (function, specs) in signatures(network, scale).items():
        archive.add_endpoint(name, function, input_signature=specs)
    archive.write_out(str(path), verbose=False)


def read(path: Path) -> dict[str, Engine]:
    """Return the signatures."""
    import tensorflow as tf

    loaded = tf.saved_model.load(str(path))

    def run(name: str, inputs: list[np.ndarray]) -> np.ndarray:
        tensors = {key: tf.constant(each) for key, each in named(inputs).items()}
        return loaded.signatures[name](**tensors)["output_0"].numpy()

    return {name: partial(run, name) for name in loaded.signatures if name != "serving_default"}
