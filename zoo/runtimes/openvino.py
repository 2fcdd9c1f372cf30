"""OpenVINO: two files, the graph and its weights."""

from pathlib import Path

import keras

from zoo.machine.parts import temporary_folder
from zoo.runtimes import savedmodel
from zoo.runtimes.signatures import Calibration, Engine, named, refuse_loops

HINTS = {"float32": "f32", "bfloat16": "bf16"}  # OpenVINO's names


def write(network: keras.Model, path: Path, scale: int, calibration: Calibration) -> None:
    """Write the `.xml` file and the `.bin` file beside it, with weights in float32."""
    import openvino

    refuse_loops("openvino", network)
    with temporary_folder() as folder:
        # Read from files: OpenVINO's `convert_model` reports its use over the network.
        savedmodel.write(network, folder / "network", 1, None)
        model = openvino.Core().read_model(str(folder / "network"))
        openvino.save_model(model, str(path), compress_to_fp16=False)


def read(path: Path, precision: str = "float32") -> dict[str, Engine]:
    """Return the network as OpenVINO computes it on the CPU, in float32 or bfloat16.

    Without the hint it takes bfloat16 where the processor has it.
    """
    import openvino

    hint = {"INFERENCE_PRECISION_HINT": HINTS[precision]}
    compiled = openvino.Core().compile_model(str(path), "CPU", hint)
    # A copy: the array is overwritten by the next call.
    return {"serve": lambda inputs: compiled(named(inputs))[0].copy()}
