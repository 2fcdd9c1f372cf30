"""asykeras: asymmetric losses, metrics and exact degradations for image restoration."""

from asykeras import _backend as _backend
from asykeras._version import __version__
from asykeras.color import grey, rgb_to_luma, rgb_to_ycbcr, ycbcr_to_rgb
from asykeras.degradations import BicubicDegrade, BicubicDownscale, Blur, GaussianNoise, Mask
from asykeras.errors import absolute_error, squared_error
from asykeras.losses import AsyMAE, AsymmetricLoss, AsyMSE
from asykeras.metrics import NRMSE, PSNR, RMSE, SSIM, nrmse, psnr, rmse, ssim
from asykeras.resize import BicubicResize, bicubic_resize
from asykeras.weighting import Quartile, Reciprocal, Weighting

__all__ = [
    "NRMSE",
    "PSNR",
    "RMSE",
    "SSIM",
    "AsyMAE",
    "AsyMSE",
    "AsymmetricLoss",
    "BicubicDegrade",
    "BicubicDownscale",
    "BicubicResize",
    "Blur",
    "GaussianNoise",
    "Mask",
    "Quartile",
    "Reciprocal",
    "Weighting",
    "__version__",
    "absolute_error",
    "bicubic_resize",
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
