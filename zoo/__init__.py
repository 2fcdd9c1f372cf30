"""zoo: networks for image restoration, and pretrained weights that can be verified."""

from zoo.exports import ExportError, export
from zoo.networks.dncnn import DnCNN, fold_batch_norm
from zoo.networks.dphsir import DPHSIR
from zoo.networks.edsr import EDSR
from zoo.networks.families import load
from zoo.networks.mdsr import MDSR, at_scale
from zoo.networks.srcnn import SRCNN
from zoo.restoring.network import open_network
from zoo.restoring.restore import denoise, enlarge_bicubic, restore, super_resolve
from zoo.store.choice import ChoiceError, best_weight
from zoo.store.weight import WeightsError, card, list_weights

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
