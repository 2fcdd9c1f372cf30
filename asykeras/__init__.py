"""asykeras: asymmetric losses, metrics and exact degradations for image restoration."""

from asykeras import _backend as _backend
from asykeras._version import __version__
from asykeras.annealed import Annealed, StepCounter
from asykeras.color import grey, rgb_to_luma, rgb_to_ycbcr, ycbcr_to_rgb
from asykeras.curves import PQ, PU21, SRGB, Anscombe, Curve, Gamma, Log, MuLaw, Reinhard, Window
from asykeras.degradations import (
    BicubicDegrade,
    BicubicDownscale,
    Blur,
    GaussianNoise,
    Mask,
    PoissonGaussianNoise,
)
from asykeras.errors import absolute_error, squared_error
from asykeras.jpeg import JpegCompression
from asykeras.losses import AsyMAE, AsymmetricLoss, AsyMSE
from asykeras.metrics import NRMSE, PSNR, RMSE, SSIM, nrmse, psnr, rmse, ssim
from asykeras.noise_level import estimate_noise
from asykeras.photo import PhotoDownscale
from asykeras.resize import BicubicResize, bicubic_resize
from asykeras.weighting import (
    Density,
    NoiseVariance,
    Power,
    Quartile,
    Reciprocal,
    Slope,
    Steps,
    Weighting,
)

__all__ = [
    "NRMSE",
    "PQ",
    "PSNR",
    "PU21",
    "RMSE",
    "SRGB",
    "SSIM",
    "Annealed",
    "Anscombe",
    "AsyMAE",
    "AsyMSE",
    "AsymmetricLoss",
    "BicubicDegrade",
    "BicubicDownscale",
    "BicubicResize",
    "Blur",
    "Curve",
    "Density",
    "Gamma",
    "GaussianNoise",
    "JpegCompression",
    "Log",
    "Mask",
    "MuLaw",
    "NoiseVariance",
    "PhotoDownscale",
    "PoissonGaussianNoise",
    "Power",
    "Quartile",
    "Reciprocal",
    "Reinhard",
    "Slope",
    "StepCounter",
    "Steps",
    "Weighting",
    "Window",
    "__version__",
    "absolute_error",
    "bicubic_resize",
    "estimate_noise",
    "grey",
    "nrmse",
    "psnr",
    "rgb_to_luma",
    "rgb_to_ycbcr",
    "rmse",
    "squared_error",
    "ssim",
    "ycbcr_to_rgb",
]
