"""LiteRT: a file for phones and small devices, in float32 or in 8-bit integers."""

import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path

import keras
import numpy as np

from zoo.runtimes.errors import ExportError
from zoo.runtimes.signatures import Calibration, Engine, keras_signature, named, refuse_loops

# Pixels a side of the parts that int8 is calibrated on.
PART = 128


def write(network: keras.Model, path: Path, scale: int, calibration: Calibration) -> None:
    """Write the file, with LiteRT's own operators alone and none of TensorFlow's.

    With inputs to be calibrated on, two parts of each, weights and activations are in 8 bit.
    """
    import tensorflow as tf

    refuse_loops("litert", network)
    int8 = calibration is not None
    operators = tf.lite.OpsSet.TFLITE_BUILTINS_INT8 if int8 else tf.lite.OpsSet.TFLITE_BUILTINS
    integers = {
        "optimizations": [tf.lite.Optimize.DEFAULT],
        "representative_dataset": lambda: _parts(calibration or ()),
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # TensorFlow warns of its own interpreter, of no one's use
        network.export(
            str(path),
            format="litert",
            verbose=False,
            input_signature=keras_signature(network),
            target_spec={"supported_ops": [operators]},
            **(integers if int8 else {}),
        )
    if int8:
        _check_integers(network, path)


def read(path: Path) -> dict[str, Engine]:
    """Return the network as LiteRT computes it; every call resizes the input tensors."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(str(path))
    runner = interpreter.get_signature_runner("serving_default")
    return {"serve": lambda inputs: runner(**named(inputs))["output_0"]}


def _parts(calibration: Iterable[list[np.ndarray]]) -> Iterator[dict[str, np.ndarray]]:
    """Yield two parts of each of the inputs."""
    for image, *others in calibration:
        for part in (image[:, :PART, :PART], image[:, -PART:, -PART:]):
            yield named([part, *others])


def _check_integers(network: keras.Model, path: Path) -> None:
    """Refuse a file with weights or images in floating point, but for its inputs and its output.

    The converter leaves what it cannot convert as it is, even where only integers are allowed.
    Scalars and vectors may stay, such as the places between which GRUNet interpolates.
    """
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    interpreter = Interpreter(
        str(path), experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    )
    ends = [*interpreter.get_input_details(), *interpreter.get_output_details()]
    known = {each["index"] for each in ends}
    floats = [
        each["name"]
        for each in interpreter.get_tensor_details()
        if each["dtype"] is np.float32 and len(each["shape"]) > 1 and each["index"] not in known
    ]
    if floats:
        raise ExportError(
            f"{network.name} has {len(floats)} weights or images that LiteRT does not compute in "
            f"int8. Received: tensor={floats[0]!r}"
        )
