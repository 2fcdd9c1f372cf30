"""Plug-and-play restoration: any linear task, with a denoiser as what is known of pictures."""

from zoo.plug_and_play.blur import BicubicSuperResolution, Blur, SuperResolution, pad_borders
from zoo.plug_and_play.denoisers import denoiser_of
from zoo.plug_and_play.pixelwise import CompressedSensing, Denoising, Inpainting, SpectralResponse
from zoo.plug_and_play.solver import Restored, Schedule, Solver, plug_and_play
from zoo.plug_and_play.task import LinearTask, Task
from zoo.plug_and_play.variation import total_variation

__all__ = [
    "BicubicSuperResolution",
    "Blur",
    "CompressedSensing",
    "Denoising",
    "Inpainting",
    "LinearTask",
    "Restored",
    "Schedule",
    "Solver",
    "SpectralResponse",
    "SuperResolution",
    "Task",
    "denoiser_of",
    "pad_borders",
    "plug_and_play",
    "total_variation",
]
