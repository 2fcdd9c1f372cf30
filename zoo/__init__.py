"""zoo: networks for image restoration, and pretrained weights that can be verified."""

from zoo.builders import load
from zoo.choice import ChoiceError, best_weight
from zoo.dncnn import DnCNN, fold_batch_norm
from zoo.dphsir import DPHSIR
from zoo.edsr import EDSR
from zoo.exports import ExportError, export
from zoo.mdsr import MDSR, at_scale
from zoo.network import open_network
from zoo.restore import denoise, enlarge_bicubic, restore, super_resolve
from zoo.srcnn import SRCNN
from zoo.weights import WeightsError, card, list_weights

__all__ = [
    "DPHSIR",
    "EDSR",
    "MDSR",
    "SRCNN",
    "ChoiceError",
    "DnCNN",
    "ExportError",
    "WeightsError",
    "at_scale",
    "best_weight",
    "card",
    "denoise",
    "enlarge_bicubic",
    "export",
    "fold_batch_norm",
    "list_weights",
    "load",
    "open_network",
    "restore",
    "super_resolve",
]
