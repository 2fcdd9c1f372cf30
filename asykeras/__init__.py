"""asykeras: asymmetric losses, metrics and exact degradations for image restoration."""

from asykeras._version import __version__
from asykeras.errors import Charbonnier, Huber, absolute_error, squared_error
from asykeras.losses import AsyMAE, AsymmetricLoss, AsyMSE
from asykeras.weighting import Quartile, Reciprocal, Weighting

__all__ = [
    "AsyMAE",
    "AsyMSE",
    "AsymmetricLoss",
    "Charbonnier",
    "Huber",
    "Quartile",
    "Reciprocal",
    "Weighting",
    "__version__",
    "absolute_error",
    "squared_error",
]
