"""zoo: networks for image restoration, and pretrained weights that can be verified."""

from zoo.builders import load
from zoo.restore import enlarge_bicubic, super_resolve
from zoo.srcnn import SRCNN
from zoo.weights import WeightsError, card, list_weights

__all__ = [
    "SRCNN",
    "WeightsError",
    "card",
    "enlarge_bicubic",
    "list_weights",
    "load",
    "super_resolve",
]
