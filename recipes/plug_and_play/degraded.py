"""The tasks of plug-and-play by name: kernels, masks, their schedules, and simulated measurements.

denoise     noise alone
deblur      a kernel, circular borders
sr          a kernel, then every s-th pixel (`--scale`)
bicubic     MATLAB's imresize by 1 / s
inpaint     a share of the pixels of each band is missing (`--missing`)
stripes     columns of some bands are missing
cassi       all bands behind a coded aperture on one sensor
spectral    RGB of all bands
"""

from dataclasses import dataclass, field

import numpy as np
from keras.ops import convert_to_numpy

from zoo import plug_and_play as tasks
from zoo.pictures.images import ImageError
from zoo.plug_and_play import Schedule, Task

# First and last level, and lam: those of the authors (their playground for deblur
# and sr, with the eight turns) where they have the task; `bicubic` and `spectral` are as `sr`.
SCHEDULES: dict[str, tuple[float, float, float]] = {
    "deblur": (35 / 255, 10 / 255, 0.23),
    "sr": (35 / 255, 10 / 255, 0.23),
    "bicubic": (35 / 255, 10 / 255, 0.23),
    "inpaint": (35 / 255, 5 / 255, 0.6),
    "stripes": (5 / 255, 4 / 255, 0.6),
    "cassi": (50 / 255, 45 / 255, 0.23),
    "spectral": (35 / 255, 10 / 255, 0.23),
}
TASKS = ("denoise", *SCHEDULES)
ITERATIONS = 24


def gaussian_kernel(size: int = 8, sigma: float = 3.0) -> np.ndarray:
    """Return a Gaussian that sums to one: by default the authors' of deblurring and sr."""
    places = np.arange(size) - (size - 1) / 2
    line = np.exp(-(places**2) / (2 * sigma**2))
    return np.outer(line, line) / line.sum() ** 2


@dataclass(frozen=True, eq=False)  # arrays have no one equality
class Options:
    """What a task leaves open."""

    scale: int = 2  # of sr and bicubic
    missing: float = 0.3  # share of the pixels that inpaint misses
    striped: float = 0.5  # share of the bands in which stripes miss columns
    noise: float = 0.0  # of the measurement, in image units
    kernel: np.ndarray = field(default_factory=gaussian_kernel)  # of deblur and sr
    mask: np.ndarray | None = None  # of inpaint, stripes and cassi, instead of a random one
    seed: int = 0  # of masks and noise
    step: int = 2  # columns between bands on the sensor of cassi
    bands: int = 0  # of the picture, for cassi and spectral


def make_task(name: str, shape: tuple[int, int, int], options: Options) -> Task:
    """Return the task for a picture of a shape (height, width, bands).

    Raises:
        ValueError: for an unknown name or options that the task refuses.
    """
    rng = np.random.default_rng(options.seed)
    if name == "denoise":
        return tasks.Denoising()
    if name == "deblur":
        return tasks.Blur(options.kernel)
    if name == "sr":
        return tasks.SuperResolution(options.kernel, options.scale)
    if name == "bicubic":
        return tasks.BicubicSuperResolution(shape[:2], options.scale)
    if name in ("inpaint", "stripes"):
        known = _random_mask(name, shape, options, rng) if options.mask is None else options.mask
        return tasks.Inpainting(known)
    if name == "cassi":
        aperture = rng.random(shape[:2]) < 0.5 if options.mask is None else options.mask
        return tasks.CompressedSensing(aperture, shape[2], options.step)
    if name == "spectral":
        return tasks.SpectralResponse(rgb_response(shape[2]))
    raise ValueError(f"task must be one of {', '.join(TASKS)}. Received: {name!r}")


def picture_shape(name: str, measured: tuple[int, ...], options: Options) -> tuple[int, int, int]:
    """Return the shape of the picture that a measurement (height, width, bands) is of.

    Raises:
        ImageError: if the task has to be told the number of bands and is not.
    """
    height, width, bands = measured
    if name in ("sr", "bicubic"):
        return height * options.scale, width * options.scale, bands
    if name in ("cassi", "spectral"):
        if options.bands < 1:
            raise ImageError(f"{name} must be told the number of bands by --bands")
        wide = options.step * (options.bands - 1) if name == "cassi" else 0
        return height, width - wide, options.bands
    return height, width, bands


def schedule_of(name: str, noise: float) -> Schedule:
    """Return the schedule of a task; denoising is one step at the level of the noise.

    Raises:
        ValueError: if denoising is not told the level.
    """
    if name == "denoise":
        if noise <= 0:
            raise ValueError("denoise must be told the level of the noise by --noise")
        return Schedule(noise, noise, 1, noise=noise)
    first, last, lam = SCHEDULES[name]
    return Schedule(first, last, ITERATIONS, lam, noise)


def simulate(name: str, truth: np.ndarray, options: Options) -> tuple[Task, np.ndarray, np.ndarray]:
    """Return a task, its measurement of a picture with an axis for the batch, and the truth.

    Super-resolution drops the rows and columns that exceed a multiple of the scale.

    Raises:
        ValueError: as `make_task`.
    """
    if name in ("sr", "bicubic"):
        height, width = (side - side % options.scale for side in truth.shape[:2])
        truth = truth[:height, :width]
    task = make_task(name, (truth.shape[0], truth.shape[1], truth.shape[2]), options)
    return task, measure(task, truth, options), truth


def measure(task: Task, truth: np.ndarray, options: Options) -> np.ndarray:
    """Return what a picture (height, width, bands) becomes, with Gaussian noise, unclipped."""
    measured = np.asarray(convert_to_numpy(task.forward(truth[None])), np.float32)
    noise = np.random.default_rng(options.seed + 1).standard_normal(measured.shape)
    return (measured + options.noise * noise).astype(np.float32)


def rgb_response(bands: int) -> np.ndarray:
    """Return three bell curves over the bands, red at the last: a plain camera of a cube."""
    places = np.linspace(0, 1, bands)[:, None]
    curves = np.exp(-((places - np.array([0.8, 0.5, 0.2])) ** 2) / (2 * 0.12**2))
    return curves / curves.sum(axis=0)


def _random_mask(
    name: str, shape: tuple[int, int, int], options: Options, rng: np.random.Generator
) -> np.ndarray:
    if name == "inpaint":
        if not 0 <= options.missing < 1:
            raise ValueError(f"missing must be in [0, 1). Received: {options.missing:g}")
        return rng.random(shape) >= options.missing
    mask = np.ones(shape, bool)
    _, width, bands = shape
    # 5 to 15 % of the columns of a band are dead, as in the "deadline" noise of QRNN3D.
    for band in rng.permutation(bands)[: max(1, int(options.striped * bands))]:
        count = max(1, round(width * rng.uniform(0.05, 0.15)))
        mask[:, rng.permutation(width)[:count], band] = False
    return mask
