"""Networks as files that run without Keras: SavedModel, ONNX, LiteRT, OpenVINO."""

from zoo.exports.export import describe, export
from zoo.runtimes.errors import ExportError

__all__ = ["ExportError", "describe", "export"]
