"""The tasks of the literature: how a picture is degraded, and how what is restored is scored.

A task has a text, its `str`, which commands, cards and tables take: `parse(str(task)) == task`.
"""

import io
import math
import re
from dataclasses import dataclass, field
from typing import Protocol, Unpack

import numpy as np
from keras.ops import convert_to_numpy
from PIL import Image

from asykeras.color import rgb_to_luma
from asykeras.metrics import Preparation, nrmse, psnr, rmse, ssim
from asykeras.resize import bicubic_resize
from zoo.machine.failures import ZooError
from zoo.pictures.images import crop_to_multiple
from zoo.store.card import WHITE

METRICS = ("psnr", "ssim", "rmse", "nrmse")
WINDOWS = {"gaussian": "an 11x11 Gaussian of 1.5", "uniform": "7x7 equal weights"}
LUMA = "Y in floating point (BT.601 studio range; a greyscale file on its own values)"
NOISE_SEED = 0
Scores = dict[str, float]


class TaskError(ZooError):
    """A text that names no task."""


class Task(Protocol):
    """What is asked of a network, and by which protocol it is scored.

    Attributes:
        scale: Factor by which pictures are enlarged; 1: they keep their size.
        sigma: Level of the noise in image units, None where there is none.
    """

    @property
    def scale(self) -> int:
        """Factor."""

    @property
    def sigma(self) -> float | None:
        """Level."""

    def reference(self, image: np.ndarray) -> np.ndarray:
        """Return what is scored against, uint8, of an original `(height, width, channels)`."""

    def degrade(self, reference: np.ndarray, number: int) -> np.ndarray:
        """Return the input of image `number`, a function of both alone: uint8, or float32."""

    def baseline(self, degraded: np.ndarray) -> np.ndarray:
        """Return what is made of the input without any network."""

    def compared(self, image: np.ndarray) -> np.ndarray:
        """Return what is scored of an image: one channel or all, in [0, 1], float64."""

    def score(self, reference: np.ndarray, restored: np.ndarray) -> Scores:
        """Return PSNR in dB, SSIM, RMSE on the scale [0, 1] and NRMSE."""

    def protocol(self) -> str:
        """Return the line that stands beside every number."""


@dataclass(frozen=True)
class SuperResolution:
    """Enlargement of pictures that were shrunk by MATLAB's 8-bit bicubic rule.

    Attributes:
        scale: Factor.
        rounded_luma: Whether Y is rounded to 8 bit before it is scored, as older code does.
    """

    scale: int
    rounded_luma: bool = False
    sigma = None

    def __post_init__(self) -> None:
        if self.scale < 2:
            raise ValueError(f"scale must be 2 or more. Received: scale={self.scale}")

    def __str__(self) -> str:
        return f"x{self.scale}" + ("-rounded-luma" if self.rounded_luma else "")

    def reference(self, image: np.ndarray) -> np.ndarray:
        """Return the original, cut to a multiple of the factor."""
        return crop_to_multiple(image, self.scale)

    def degrade(self, reference: np.ndarray, number: int) -> np.ndarray:
        """Return the small picture, uint8."""
        return convert_to_numpy(bicubic_resize(reference, 1 / self.scale))

    def baseline(self, degraded: np.ndarray) -> np.ndarray:
        """Return the picture after bicubic enlargement, uint8."""
        return convert_to_numpy(bicubic_resize(degraded, self.scale))

    def compared(self, image: np.ndarray) -> np.ndarray:
        """Return Y of BT.601, of a grey picture its own values, without the border."""
        values = unit_range(image)
        luma = convert_to_numpy(rgb_to_luma(values)) if image.shape[-1] == 3 else values
        border = self.scale
        return luma[border : len(luma) - border, border : luma.shape[1] - border]

    def score(self, reference: np.ndarray, restored: np.ndarray) -> Scores:
        """Score on Y, without a border of `scale` pixels."""
        luma = reference.shape[-1] == 3
        rounded = self.rounded_luma and luma
        return _scores(
            reference, restored, "gaussian", border=self.scale, luma=luma, round_luma=rounded
        )

    def protocol(self) -> str:
        """Return the line that stands beside every number."""
        luma = LUMA.replace("in floating point", "rounded to 8 bit") if self.rounded_luma else LUMA
        return (
            f"protocol: x{self.scale}, {self._degraded()}, output rounded to "
            f"8 bit, {luma}, border of {self.scale} pixels removed, {_common('gaussian')}"
        )

    def _degraded(self) -> str:
        """Return how the small picture is made, in words."""
        return "low resolution by MATLAB's 8-bit bicubic"


@dataclass(frozen=True)
class PhotoEnlargement(SuperResolution):
    """Enlargement of what cameras and web sites leave: blurred, shrunk, noisy pictures in JPEG.

    Each picture has a blur of 0 to 1.5 pixels of the original, noise of 0 to 10 grey levels and a
    quality of 40 to 95, drawn by its number, as `asykeras.photo.PhotoDownscale` draws them.

    Attributes:
        scale: Factor.
    """

    rounded_luma: bool = field(default=False, init=False)

    def __str__(self) -> str:
        return f"x{self.scale}-photo"

    def degrade(self, reference: np.ndarray, number: int) -> np.ndarray:
        """Return the small picture as its JPEG file holds it, uint8."""
        random = np.random.default_rng([NOISE_SEED, number])
        blur, level, quality = random.uniform((0, 0, 40), (1.5, 10, 95))
        small = bicubic_resize(_blurred(unit_range(reference), blur), 1 / self.scale)
        noisy = convert_to_numpy(small) + random.normal(0, level / WHITE, small.shape)
        pixels = np.floor(np.clip(noisy, 0, 1) * WHITE + 0.5).astype(np.uint8)
        return through_jpeg(pixels, round(quality))

    def _degraded(self) -> str:
        return (
            "a Gaussian blur of 0 to 1.5 pixels, MATLAB's bicubic, noise of 0 to 10 grey levels, "
            f"JPEG of quality 40 to 95 (seed {NOISE_SEED})"
        )


class _OfOneSize:
    """What the tasks share whose pictures keep their size."""

    scale = 1
    window: str

    def reference(self, image: np.ndarray) -> np.ndarray:
        """Return the original."""
        return image

    def baseline(self, degraded: np.ndarray) -> np.ndarray:
        """Return the degraded picture, clipped to [0, 1]."""
        return np.clip(degraded, 0, 1)

    def compared(self, image: np.ndarray) -> np.ndarray:
        """Return the whole picture."""
        return unit_range(image)

    def score(self, reference: np.ndarray, restored: np.ndarray) -> Scores:
        """Score what is clipped to [0, 1] on all channels, without a border."""
        return _scores(reference, np.clip(restored, 0, 1), self.window)


@dataclass(frozen=True)
class Denoising(_OfOneSize):
    """Removal of Gaussian noise.

    Attributes:
        sigma: Standard deviation in image units, 25 / 255 for 25 grey levels; its text tells grey
            levels.
        window: Of SSIM; `"uniform"` is the one of the paper's tables.
    """

    sigma: float
    window: str = "gaussian"

    def __str__(self) -> str:
        return f"sigma{self.sigma * WHITE:g}{_suffix(self.window)}"

    def degrade(self, reference: np.ndarray, number: int) -> np.ndarray:
        """Return the picture with noise, float64, neither clipped nor rounded."""
        # One generator per image: a picture keeps its noise whatever stands before it.
        random = np.random.default_rng([NOISE_SEED, number])
        return unit_range(reference) + random.normal(0, self.sigma, reference.shape)

    def protocol(self) -> str:
        """Return the line that stands beside every number."""
        return (
            f"protocol: Gaussian noise of {self.sigma * WHITE:g}/255 (seed {NOISE_SEED}), input "
            "neither clipped nor rounded, output clipped to [0, 1], all channels, no border, "
            f"{_common(self.window)}"
        )


@dataclass(frozen=True)
class Deblocking(_OfOneSize):
    """Removal of the artefacts of JPEG.

    Attributes:
        quality: Of Pillow's encoder (libjpeg), 1 to 100; colour at half resolution.
        window: As in `Denoising`.
        luma: Whether Y is scored, as the literature does, instead of all channels.
    """

    quality: int
    window: str = "gaussian"
    luma: bool = False
    sigma = None

    def __post_init__(self) -> None:
        if not 1 <= self.quality <= 100:
            raise ValueError(f"quality must be from 1 to 100. Received: quality={self.quality}")

    def __str__(self) -> str:
        return f"jpeg{self.quality}{'-luma' if self.luma else ''}{_suffix(self.window)}"

    def degrade(self, reference: np.ndarray, number: int) -> np.ndarray:
        """Return the picture as it comes back from a JPEG file, in [0, 1]."""
        return through_jpeg(reference, self.quality) / 255

    def compared(self, image: np.ndarray) -> np.ndarray:
        """Return the whole picture, or Y of BT.601 of one in RGB."""
        values = unit_range(image)
        of_luma = self.luma and image.shape[-1] == 3
        return convert_to_numpy(rgb_to_luma(values)) if of_luma else values

    def score(self, reference: np.ndarray, restored: np.ndarray) -> Scores:
        """Score what is clipped to [0, 1] on all channels, or Y of it, without a border."""
        return _scores(reference, np.clip(restored, 0, 1), self.window, luma=self.luma)

    def protocol(self) -> str:
        """Return the line that stands beside every number."""
        luma = f"{LUMA}, output clipped to [0, 1]" if self.luma else "all channels"
        return (
            f"protocol: JPEG of quality {self.quality} (libjpeg), {luma}, no border, "
            f"{_common(self.window)}"
        )


def parse(text: str) -> Task:
    """Return the task that a text names.

    Args:
        text: `x3`, `x3-rounded-luma`, `x2-photo`, `sigma25` (grey levels of 255), `jpeg10`,
            `jpeg10-luma`, the latter three with `-uniform`.

    Raises:
        TaskError: if it names none.
    """
    enlarging = re.fullmatch(r"x(\d+)(|-rounded-luma|-photo)", text)
    others = re.fullmatch(r"(sigma|jpeg)(\d+(?:\.\d+)?)(|-luma)(|-uniform)", text)
    try:
        if enlarging:
            number, more = enlarging.groups()
            if more == "-photo":
                return PhotoEnlargement(int(number))
            return SuperResolution(int(number), more == "-rounded-luma")
        if not others:
            raise ValueError
        kind, number, luma, more = others.groups()
        window = "uniform" if more else "gaussian"
        if kind == "jpeg":
            return Deblocking(int(number), window, bool(luma))
        if luma:
            raise ValueError
        return Denoising(float(number) / WHITE, window)
    except ValueError:
        raise TaskError(
            "a task is x2, x3, x4 (x3-rounded-luma, x2-photo), sigma25 or jpeg10 "
            f"(jpeg10-luma, sigma25-uniform). Received: task={text!r}"
        ) from None


def through_jpeg(pixels: np.ndarray, quality: int) -> np.ndarray:
    """Return 8-bit pixels as a JPEG file of Pillow's holds them, colours at half resolution."""
    file = io.BytesIO()
    Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels).save(
        file, "JPEG", quality=quality
    )
    return np.asarray(Image.open(file)).reshape(pixels.shape)


def _blurred(values: np.ndarray, width: float) -> np.ndarray:
    """Return an image after a Gaussian blur of a standard deviation, its edge repeated."""
    reach = max(math.ceil(3 * width), 1)
    weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / max(width, 1e-3)) ** 2)
    weights /= weights.sum()
    for axis in (0, 1):
        around = [(reach, reach) if each == axis else (0, 0) for each in range(values.ndim)]
        padded, size = np.pad(values, around, "edge"), values.shape[axis]
        taken = (np.take(padded, range(at, at + size), axis) for at in range(2 * reach + 1))
        values = sum(weight * part for weight, part in zip(weights, taken, strict=True))
    return values


def unit_range(image: np.ndarray) -> np.ndarray:
    """Return an image, of integers or in [0, 1], as float64 in [0, 1]."""
    whole = image.dtype.kind == "u"
    return image / np.iinfo(image.dtype).max if whole else image.astype(np.float64)


def _scores(
    reference: np.ndarray, restored: np.ndarray, window: str, **options: Unpack[Preparation]
) -> Scores:
    # float64, so that the figures do not depend on the order of a sum
    true, pred = (unit_range(image)[None] for image in (reference, restored))
    options["data_format"] = "channels_last"
    values = {
        "psnr": psnr(true, pred, **options),
        "ssim": ssim(true, pred, window=window, **options),
        "rmse": rmse(true, pred, **options),
        "nrmse": nrmse(true, pred, **options),
    }
    return {name: float(convert_to_numpy(value)[0]) for name, value in values.items()}


def _common(window: str) -> str:
    return f"SSIM with {WINDOWS[window]}, RMSE on [0, 1], mean over images"


def _suffix(window: str) -> str:
    return "" if window == "gaussian" else f"-{window}"
