"""Scores of a study of weightings: in the light that was learned, after sRGB, and by grey value.

A picture is a grey one, `(height, width, 1)` in [0, 1], float64: the 8-bit values, or the linear
light that sRGB's curve makes of them. Where it was learned in linear light it is degraded there,
restored there, and scored after the curve of sRGB, as it would be looked at.
"""

import math
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias, TypedDict

import keras
import numpy as np
from keras.ops import convert_to_numpy

from asykeras import PU21, SRGB, psnr
from asykeras.degradations import BicubicDegrade
from recipes.compare.grey_levels import BINS, bins_of
from zoo.pictures.images import find_images, read_image, to_channels
from zoo.restoring.stabilized import sensor_of

BANDS = (0.0, 0.25), (0.25, 0.6), (0.6, 1.01)  # dark, middle, bright values of sRGB: from, below
LEAST = 0.01  # part of a picture that a band must have to be scored there
PEAK = 100.0  # cd/m^2 that white has for PU21, a plain display
EXPOSURES = (1 / 8, 8)  # by which the light of a picture is multiplied that is made high in range
STOPS, LAMP = 3, (0.6, 0.9)  # of the night, and the linear light from which a lamp stays as it is
NOISE_SEED = 0

Score: TypeAlias = Literal[
    "psnr", "psnr_dark", "psnr_middle", "psnr_bright", "psnr_pu21", "psnr_light"
]
Sums: TypeAlias = Literal["count", "squared", "signed"]


@dataclass(frozen=True)
class Scoring:
    """How pictures are degraded and scored."""

    degradation: str  # `x2`, `sigma25` or `poisson:GAIN,READ`
    linear: bool = False  # whether all happens in linear light
    night: bool = False  # score night scenes: see `night`
    exposed: bool = False  # score pictures at many exposures: see `exposed`

    @property
    def peak(self) -> float:
        """The light that 1 stands for, in cd/m^2."""
        return PEAK * (EXPOSURES[1] if self.exposed else 1)


class LightRecord(TypedDict):
    """What is kept of a restored picture: PSNR in dB, and sums by grey level after sRGB."""

    psnr: float  # after sRGB
    psnr_light: float  # of what was learned
    psnr_pu21: float  # white of the photographs at 100 cd/m^2
    psnr_dark: float  # after sRGB, of the dark pixels; NaN where there are too few
    psnr_middle: float  # likewise
    psnr_bright: float
    count: list[float]  # pixels of the label
    squared: list[float]  # their squared errors of what was learned
    signed: list[float]  # their errors, restored minus label


LightRecords: TypeAlias = dict[str, LightRecord]  # image -> record


def read_scenes(folder: Path, names: Sequence[str], scoring: Scoring) -> dict[str, np.ndarray]:
    """Return the pictures as they are learned, by name.

    Raises:
        ImageError: if one cannot be read.
    """
    paths = {path.stem: path for path in find_images(folder)}
    grey = {name: to_channels(read_image(paths[name]), "grey") for name in names}
    if scoring.night:
        grey = {name: night(image) for name, image in grey.items()}
    values = {name: image / 255.0 for name, image in grey.items()}
    if scoring.exposed:
        return {name: exposed(decoded(image), name) for name, image in values.items()}
    return {name: decoded(image) for name, image in values.items()} if scoring.linear else values


def decoded(values: np.ndarray) -> np.ndarray:
    """Return the linear light of values of sRGB."""
    return np.asarray(convert_to_numpy(SRGB().inverse(values.astype(np.float64))))


def encoded(light: np.ndarray) -> np.ndarray:
    """Return the values of sRGB of linear light."""
    return np.asarray(convert_to_numpy(SRGB()(light.astype(np.float64))))


def night(image: np.ndarray) -> np.ndarray:
    """Return a photograph, uint8, as if it were night.

    In linear light it is darkened by 3 stops; what is brighter than 0.6 is darkened less, and from
    0.9 on, as a lamp, not at all.
    """
    light = decoded(image / 255.0)
    low, high = LAMP
    part = np.clip((light.max(axis=-1, keepdims=True) - low) / (high - low), 0, 1)
    lamp = part * part * (3 - 2 * part)
    dark = light * (lamp + (1 - lamp) / 2**STOPS)
    return np.floor(encoded(dark) * 255 + 0.5).astype(np.uint8)


def exposed(light: np.ndarray, name: str) -> np.ndarray:
    """Return linear light at an exposure of 1/8 to 8, which follows from the name of the picture.

    All exposures are equally likely, in stops. 1 is the white of the highest, so that the range of
    many pictures is 64 times that of one; within a picture it stays that of a photograph.
    """
    low, high = np.log2(EXPOSURES)
    stops = np.random.default_rng(zlib.crc32(name.encode())).uniform(low, high)
    return np.asarray(light * 2.0 ** (stops - high))


def degrade(label: np.ndarray, number: int, degradation: str) -> np.ndarray:
    """Return the input of picture `number`, a function of both alone."""
    if degradation.startswith("x"):
        layer = BicubicDegrade(int(degradation[1:]), dtype="float64")
        return np.asarray(convert_to_numpy(layer(label[None])))[0]
    random = np.random.default_rng([NOISE_SEED, number])
    if degradation.startswith("sigma"):
        return np.asarray(label + random.normal(0, float(degradation[5:]) / 255, label.shape))
    return sensor_noise(label, number, *sensor_of(degradation))


def sensor_noise(label: np.ndarray, number: int, gain: float, read_noise: float) -> np.ndarray:
    """Return picture `number` as a sensor sees it, a function of its arguments alone."""
    random = np.random.default_rng([NOISE_SEED, number])
    counts = random.poisson(np.maximum(label, 0) / gain)
    return np.asarray(gain * counts + random.normal(0, read_noise, label.shape))


def restore(network: keras.Model, degraded: np.ndarray) -> np.ndarray:
    """Return what a network makes of a picture, clipped to [0, 1]."""
    image = degraded[None].astype(np.float32)
    return np.clip(convert_to_numpy(network(image, training=False))[0].astype(np.float64), 0, 1)


def measure(
    network: keras.Model | None, scenes: dict[str, np.ndarray], scoring: Scoring
) -> LightRecords:
    """Degrade, restore and score pictures; without a network score the degraded ones."""
    found = {}
    for number, (name, label) in enumerate(scenes.items()):
        degraded = degrade(label, number, scoring.degradation)
        restored = restore(network, degraded) if network else np.clip(degraded, 0, 1)
        found[name] = record(label, restored, scoring)
    return found


def record(label: np.ndarray, restored: np.ndarray, scoring: Scoring) -> LightRecord:
    """Return what is kept of a picture; see `LightRecord`."""
    label, restored = cut(label, scoring), cut(restored, scoring)
    seen, shown = (encoded(i) if scoring.linear else i for i in (label, restored))
    light, made = (i if scoring.linear else decoded(i) for i in (label, restored))
    dark, middle, bright = (_in_band(seen, shown, *band) for band in BANDS)
    bins = bins_of(seen)
    error = (restored - label).ravel()
    curve = PU21(scoring.peak)
    pu21 = psnr(light[None], made[None], curve=curve, data_format="channels_last")
    return {
        "psnr": _psnr(seen, shown),
        "psnr_light": _psnr(label, restored),
        "psnr_pu21": float(convert_to_numpy(pu21)[0]),
        "psnr_dark": dark,
        "psnr_middle": middle,
        "psnr_bright": bright,
        "count": np.bincount(bins, minlength=BINS).tolist(),
        "squared": np.bincount(bins, error**2, BINS).tolist(),
        "signed": np.bincount(bins, error, BINS).tolist(),
    }


def cut(image: np.ndarray, scoring: Scoring) -> np.ndarray:
    """Return what is scored of a picture: after enlarging without as many pixels at the border."""
    border = int(scoring.degradation[1:]) if scoring.degradation.startswith("x") else 0
    return image[border:-border, border:-border] if border else image


def _in_band(label: np.ndarray, restored: np.ndarray, low: float, high: float) -> float:
    inside = (label >= low) & (label < high)
    return _psnr(label[inside], restored[inside]) if inside.mean() >= LEAST else math.nan


def _psnr(label: np.ndarray, restored: np.ndarray) -> float:
    return float(-10 * np.log10(np.mean((restored - label) ** 2)))
