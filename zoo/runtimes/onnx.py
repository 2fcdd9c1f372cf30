"""ONNX: a file for ONNX Runtime."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import keras

from zoo.runtimes.signatures import INPUTS, Calibration, Engine, concrete_function, refuse_loops

if TYPE_CHECKING:
    from onnx import ModelProto


def write(network: keras.Model, path: Path, scale: int, calibration: Calibration) -> None:
    """Write the file by tf2onnx."""
    import onnx

    refuse_loops("onnx", network)
    with _quiet():
        model = _convert(network)
    _name_sizes(model)
    onnx.save(model, path)


def read(path: Path) -> dict[str, Engine]:
    """Return the network as ONNX Runtime computes it, on the CPU."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # what fails is raised as well
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    names = [each.name for each in session.get_inputs()]
    return {"serve": lambda inputs: session.run(None, dict(zip(names, inputs, strict=True)))[0]}


def _convert(network: keras.Model) -> "ModelProto":
    """Return the network as an ONNX model.

    Not by `keras.Model.export`, which runs all of tf2onnx's optimizers: the one for reshapes gives
    the output of a network with one channel an axis too many, for some orders in which Python
    keeps a set.
    """
    import tensorflow as tf
    from tf2onnx import optimizer
    from tf2onnx.tf_loader import from_function
    from tf2onnx.tfonnx import process_tf_graph

    function = concrete_function(network)
    inputs = [each.name for each in function.inputs if each.dtype != tf.resource]
    outputs = [each.name for each in function.outputs]
    names = {**dict(zip(inputs, INPUTS, strict=False)), outputs[0]: "restored"}
    frozen = from_function(function, inputs, outputs)
    with tf.Graph().as_default() as graph:
        tf.import_graph_def(frozen, name="")
        converted = process_tf_graph(
            graph, input_names=inputs, output_names=outputs, tensors_to_rename=names
        )
    optimizers = {
        "optimize_transpose": optimizer.TransposeOptimizer,
        "fold_constants": optimizer.ConstFoldOptimizer,
        "merge_duplication": optimizer.MergeDuplicatedNodesOptimizer,
        "remove_identity": optimizer.IdentityOptimizer,
        "remove_back_to_back": optimizer.BackToBackOptimizer,
    }
    return optimizer.optimize_graph(converted, optimizers=optimizers).make_model(network.name)


def _name_sizes(model: "ModelProto") -> None:
    """Give the free sizes of inputs and output names that say what they are."""
    for value in [*model.graph.input, *model.graph.output]:
        prefix = "restored_" if value.name == "restored" else ""
        sizes = ("batch", f"{prefix}height", f"{prefix}width")
        for dimension, name in zip(value.type.tensor_type.shape.dim, sizes, strict=False):
            if not dimension.dim_value:
                dimension.dim_param = name


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence the converter's log and warnings: what fails raises."""
    logger = logging.getLogger("tf2onnx")
    level = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
