"""Networks as files that run without Keras: SavedModel, ONNX, LiteRT, OpenVINO."""

from zoo.exports.errors import ExportError
from zoo.exports.export import describe, export

__all__ = ["ExportError", "describe", "export"]
