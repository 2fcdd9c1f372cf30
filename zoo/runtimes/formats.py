"""The formats, and the packages that write and read each."""

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import keras

from zoo.runtimes import litert, onnx, openvino, savedmodel
from zoo.runtimes.signatures import Calibration, Engine


@dataclass(frozen=True)
class Format:
    """A format.

    Attributes:
        name: As users give it, and the extra with its packages.
        ending: Of the file; `""` is a folder.
        write: Writes a network to a path, given its scale and, for int8, what it is calibrated on.
        read: Returns the functions of a file by name. All formats have `serve`, the network on
            float32; each takes a list of arrays, image and perhaps sigma.
        packages: Names to import; those to install have hyphens for underscores.
        companions: Endings of more files beside it.
        quantizes: Whether it has int8.
        mark: Of a folder, the file that shows that an export wrote it.
        needs_tensorflow: Whether it is written from Keras on TensorFlow alone.
    """

    name: str
    ending: str
    write: Callable[[keras.Model, Path, int, Calibration], None]
    read: Callable[[Path], dict[str, Engine]]
    packages: tuple[str, ...] = ()
    companions: tuple[str, ...] = ()
    quantizes: bool = False
    mark: str = ""
    needs_tensorflow: bool = True

    def missing(self) -> str:
        """Return which packages are not installed and how to install them, or nothing."""
        names = [name for name in self.packages if not importlib.util.find_spec(name)]
        listed = ", ".join(names).replace("_", "-")
        return f"{listed}: pip install 'asykeras[{self.name}]'" if names else ""


_ALL = (
    Format("savedmodel", "", savedmodel.write, savedmodel.read, mark="saved_model.pb"),
    Format("onnx", ".onnx", onnx.write, onnx.read, ("tf2onnx", "onnx", "onnxruntime")),
    Format("litert", ".tflite", litert.write, litert.read, ("ai_edge_litert",), quantizes=True),
    Format("openvino", ".xml", openvino.write, openvino.read, ("openvino",), (".bin",)),
)
FORMATS = {each.name: each for each in _ALL}
