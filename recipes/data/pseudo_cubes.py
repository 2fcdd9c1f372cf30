"""Cubes of many bands made of photographs, to train on where there are few real ones.

    python -m recipes.data.pseudo_cubes PHOTOS,MORE_PHOTOS --out DATA/pseudo-cubes --count 80

A part of each photograph, in linear light and half its size, is divided by its hues into a few
materials. Each material spreads red, green and blue over the bands by random smooth non-negative
curves and reflects by one of its own, and one more curve is the light on all of them. So
neighbouring bands are alike, as in real cubes, distant ones may be opposite, and no pixel's
spectrum is more than a sum of smooth curves. What real cubes have beside that is not here: narrow
absorption lines, blur that grows with the wavelength, dead lines.
"""

import argparse
from pathlib import Path

import numpy as np
from keras.ops import convert_to_numpy

from asykeras.curves import SRGB
from zoo.app.command import UsageError, Work, command
from zoo.machine.files import make_folder
from zoo.pictures.images import ImageError, find_images, read_image, to_channels
from zoo.store.npy import write_npy

MATERIALS = (3, 10)  # least and most in one cube
SOFTNESS = 0.3  # distance over which one material becomes another, in mean distances to the nearest
BUMPS = (1, 4)  # least and most in one curve
WIDTHS = (0.04, 0.4)  # of a bump, in parts of the range of bands
ROUNDS = 8  # of clustering
LEAST = 8  # pixels of a side, half of which must be more than there are materials
BRIGHT = 0.998  # quantile of the values that becomes white
EXPONENTS = (0.6, 1.0)  # of the values at last: cubes of sensors are more or less dark


def curves(rng: np.random.Generator, count: int, bands: int) -> np.ndarray:
    """Return random smooth non-negative curves, `(count, bands)`, each of mean 1.

    Sums of a few Gaussian bumps and a constant.
    """
    place = np.linspace(0, 1, bands)
    made = np.empty((count, bands))
    for row in made:
        bumps = int(rng.integers(*BUMPS, endpoint=True))
        centres, widths = rng.uniform(-0.1, 1.1, bumps), rng.uniform(*WIDTHS, bumps)
        heights = rng.uniform(0.2, 1, bumps)
        shape = np.exp(-0.5 * ((place - centres[:, None]) / widths[:, None]) ** 2)
        row[:] = heights @ shape + rng.uniform(0, 0.2)
    return made / made.mean(axis=1, keepdims=True)


def materials(light: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """Return how much of each pixel `(pixels, 3)`, in linear light, is of each material, by hue.

    That is `(pixels, count)`, 0 or more, with a sum of 1 for each pixel. The generator chooses the
    pixels that begin as the centres of the materials, at least 2.
    """
    hues = (light + 0.01) / (light + 0.01).sum(axis=1, keepdims=True)
    centres = hues[rng.choice(len(hues), count, replace=False)]
    for _ in range(ROUNDS):
        nearest = _distances(hues, centres).argmin(axis=1)
        for k in np.unique(nearest):
            centres[k] = hues[nearest == k].mean(axis=0)
    far = _distances(hues, centres)
    unit = max(float(far.min(axis=1).mean()), 1e-6) * SOFTNESS
    share = np.exp(-(far - far.min(axis=1, keepdims=True)) / unit)
    return np.asarray(share / share.sum(axis=1, keepdims=True))


def _distances(hues: np.ndarray, centres: np.ndarray) -> np.ndarray:
    return np.asarray(np.linalg.norm(hues[:, None] - centres, axis=2))


def spread(image: np.ndarray, bands: int, rng: np.random.Generator) -> np.ndarray:
    """Return an image `(height, width, 3)`, sRGB in [0, 1], as a cube of materials and curves.

    The cube is uint16 `(height, width, bands)`, its brightest values 65535.
    """
    height, width, _ = image.shape
    light = convert_to_numpy(SRGB().inverse(image.reshape(-1, 3))).astype(np.float64)
    count = int(rng.integers(*MATERIALS, endpoint=True))
    share = materials(light, count, rng)
    lamp = curves(rng, 1, bands)[0]
    cube = np.zeros((len(light), bands))
    for k in range(count):
        three, own = curves(rng, 3, bands), curves(rng, 1, bands)[0]
        cube += share[:, k : k + 1] * (light @ three) * own
    cube *= lamp
    cube /= max(float(np.quantile(cube, BRIGHT)), 1e-6)
    values = np.floor(np.minimum(cube, 1) ** rng.uniform(*EXPONENTS) * 65535 + 0.5)
    return values.astype(np.uint16).reshape(height, width, bands)


def part(image: np.ndarray, side: int, rng: np.random.Generator) -> np.ndarray:
    """Return a random square of an image at half its size, `(side, side, 3)`, in [0, 1].

    Halved, because the files of photographs have the noise of their compression in single pixels.
    What is smaller than the square stays whole.
    """
    height, width = (length // 2 * 2 for length in image.shape[:2])
    small = image[:height, :width].reshape(height // 2, 2, width // 2, 2, 3).mean(axis=(1, 3))
    top, left = (int(rng.integers(max(length - side, 0) + 1)) for length in small.shape[:2])
    return np.asarray(small[top : top + side, left : left + side] / 255)


def make(options: argparse.Namespace) -> None:
    """Write the cubes as `.npy`, `0000.npy` and so on, from the images in turn.

    Raises:
        UsageError: for numbers that make no cube.
        ImageError: if an image cannot be read, or has a side of less than `LEAST` pixels.
    """
    for name, least in (("count", 1), ("bands", 2), ("side", 16)):
        if (value := getattr(options, name)) < least:
            raise UsageError(f"--{name} must be {least} or more. Received: {value}")
    paths = [path for folder in options.photographs.split(",") for path in find_images(folder)]
    rng = np.random.default_rng(options.seed)
    order = rng.permutation(len(paths))
    make_folder(options.out)
    for number in range(options.count):
        path = paths[order[number % len(paths)]]
        image = to_channels(read_image(path), "rgb")
        if min(image.shape[:2]) < LEAST:
            height, width, _ = image.shape
            raise ImageError(f"{path} is too small for a cube: {width} x {height} pixels")
        cube = spread(part(image, options.side, rng), options.bands, rng)
        write_npy(options.out / f"{number:04}.npy", cube)


@command
def main(parser: argparse.ArgumentParser) -> Work:
    """Add the options; return what is done with them."""
    parser.add_argument("photographs", metavar="FOLDERS", help="with commas between")
    parser.add_argument("--out", required=True, metavar="DIR", type=Path)
    parser.add_argument("--count", type=int, default=80, help="of cubes")
    parser.add_argument("--bands", type=int, default=31)
    parser.add_argument("--side", type=int, default=160, help="of a cube in pixels, at most")
    parser.add_argument("--seed", type=int, default=0)
    return make


if __name__ == "__main__":
    raise SystemExit(main())
