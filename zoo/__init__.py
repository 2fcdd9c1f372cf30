"""zoo: networks for image restoration, and pretrained weights that can be verified."""

import asykeras  # noqa: F401  says in one sentence where Keras has no backend
from zoo.exports.export import export
from zoo.machine.failures import ZooError
from zoo.networks.compact import Compact
from zoo.networks.dncnn import DnCNN
from zoo.networks.dphsir import DPHSIR
from zoo.networks.edsr import EDSR
from zoo.networks.families import load
from zoo.networks.ffdnet import FFDNet
from zoo.networks.importers import import_weights
from zoo.networks.mdsr import MDSR
from zoo.networks.span import SPAN
from zoo.networks.srcnn import SRCNN
from zoo.pictures.errors import ImageError
from zoo.pictures.images import find_images, read_image
from zoo.restoring.network import open_network
from zoo.restoring.restore import restore
from zoo.restoring.stabilized import stabilized
from zoo.runtimes.errors import ExportError
from zoo.scoring.evaluate import evaluate
from zoo.scoring.tasks import Deblocking, Denoising, PhotoEnlargement, SuperResolution, parse
from zoo.store.card import WeightsError
from zoo.store.choice import ChoiceError, best_weight
from zoo.store.weight import find, list_weights

__all__ = [
    "DPHSIR",
    "EDSR",
    "MDSR",
    "SPAN",
    "SRCNN",
    "ChoiceError",
    "Compact",
    "Deblocking",
    "Denoising",
    "DnCNN",
    "ExportError",
    "FFDNet",
    "ImageError",
    "PhotoEnlargement",
    "SuperResolution",
    "WeightsError",
    "ZooError",
    "best_weight",
    "evaluate",
    "export",
    "find",
    "find_images",
    "import_weights",
    "list_weights",
    "load",
    "open_network",
    "parse",
    "read_image",
    "restore",
    "stabilized",
]
