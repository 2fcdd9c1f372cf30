"""What runs a network: Keras itself, or another runtime on the exported network."""

from contextlib import AbstractContextManager, nullcontext

import keras
import numpy as np

from zoo.machine.dtype import PRECISIONS
from zoo.machine.failures import first_line
from zoo.machine.parts import temporary_folder
from zoo.runtimes import openvino
from zoo.runtimes.errors import ExportError, in_one_sentence
from zoo.runtimes.formats import FORMATS
from zoo.runtimes.precision import in_float32
from zoo.runtimes.signatures import Engine

# Engines by the names that users give -> the format that they read.
ENGINES = {"keras": "", "onnxruntime": "onnx", "openvino": "openvino"}


def keras_engine(network: keras.Model, device: str | None = None) -> Engine:
    """Return what runs a model on arrays: compiled once per shape, without training's traces.

    It raises ValueError, in one sentence, where the model fails.
    """
    # A model of its own, so that nothing that `fit` or `compile` left on the user's is in the way.
    runner = keras.Model(network.inputs, network.outputs[0])

    def run(inputs: list[np.ndarray]) -> np.ndarray:
        try:
            with on_device(device):
                return keras.ops.convert_to_numpy(
                    runner.predict_on_batch(inputs if len(inputs) > 1 else inputs[0])
                )
        except MemoryError:
            raise
        except Exception as error:  # each backend has its own kinds
            what = f"{network.name} fails on images of {inputs[0].shape}"
            raise ValueError(f"{what}: {first_line(error)}") from error

    return run


def exported_engine(network: keras.Model, engine: str, dtype: str | None = None) -> Engine:
    """Return what runs a network in another runtime, on the CPU.

    The network is exported into a temporary folder and read from there, which takes seconds.

    Args:
        network: Of any policy; the runtimes get it in float32.
        engine: `"onnxruntime"` or `"openvino"`.
        dtype: `"float32"`, the default, or `"bfloat16"`, which OpenVINO alone computes in.

    Raises:
        ValueError: if the engine is unknown, is not installed, lacks the dtype, or cannot run the
            network; or if Keras is not on TensorFlow, which the exports are made from.
    """
    _check_engine(engine, dtype)
    with temporary_folder() as folder:
        try:
            with in_one_sentence(f"{network.name} cannot be run by {engine}"):
                chosen = FORMATS[ENGINES[engine]]
                path = folder / f"network{chosen.ending}"
                chosen.write(in_float32(network), path, 1, None)
                if dtype == "bfloat16":
                    return openvino.read(path, dtype)["serve"]
                return chosen.read(path)["serve"]
        except ExportError as error:
            raise ValueError(str(error)) from None


def on_device(device: str | None) -> AbstractContextManager[None]:
    """Return a block in which Keras computes on a device; None leaves the choice to it."""
    return nullcontext() if device is None else keras.device(device)


def _check_engine(engine: str, dtype: str | None) -> None:
    if engine not in ENGINES or engine == "keras":
        raise ValueError(f"engine must be one of {', '.join(ENGINES)}. Received: engine={engine!r}")
    if keras.backend.backend() != "tensorflow":
        raise ValueError(
            f"the engine {engine} needs Keras on TensorFlow (KERAS_BACKEND=tensorflow), which "
            f"exports the network. Received: KERAS_BACKEND={keras.backend.backend()}"
        )
    if lacking := FORMATS[ENGINES[engine]].missing():
        raise ValueError(f"the engine {engine} needs {lacking}")
    if dtype not in (None, *PRECISIONS):
        raise ValueError(f"dtype must be one of {sorted(PRECISIONS)}. Received: dtype={dtype!r}")
    if dtype == "bfloat16" and engine == "onnxruntime":
        raise ValueError("onnxruntime computes in float32 here. Received: dtype='bfloat16'")
