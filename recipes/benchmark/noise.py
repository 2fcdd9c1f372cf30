"""The estimator of noise: the levels that it finds in pictures to which noise was added."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from asykeras.noise_level import estimate_noise
from zoo.pictures.images import find_images, read_image, to_uint8

LEVELS = (0, 2, 5, 10, 15, 25, 35, 50)  # grey levels of 255
HEADER = (
    f"{'pictures':28}{'sigma':>6}{'mean':>8}{'lowest':>8}{'highest':>8}{'within':>8}"
    f"{'8 bit: mean':>13}{'lowest':>8}{'highest':>8}"
)
LEGEND = """\
Grey levels found where white Gaussian noise of sigma was added, neither clipped nor rounded; and in
8 bit, clipped and rounded as a file holds it, which leaves less noise in dark and bright places.
within: pictures in which what was found is less than 10 % off, or below 15 less than 1.5 levels;
without noise, less than 2 levels."""


def benchmark_noise(folders: Sequence[str], levels: Sequence[float] = LEVELS) -> None:
    """Print a table of the levels that are found, a line for each folder and level."""
    print(HEADER)
    for folder in folders:
        paths = find_images(folder)
        for level in levels:
            pairs = np.array(list(found(map(read_image, paths), level)))
            print(row(Path(folder).name, level, *pairs.T), flush=True)
    print(LEGEND)


def found(images: Iterable[np.ndarray], level: float) -> Iterator[tuple[float, float]]:
    """Yield the grey levels found in each image with noise, in floating point and in 8 bit.

    The noise of an image is drawn from its number.
    """
    for number, image in enumerate(images):
        noise = np.random.default_rng(number).normal(0, level, image.shape)
        noisy = (image + noise) / 255
        yield 255 * estimate_noise(noisy), 255 * estimate_noise(to_uint8(noisy))


def row(name: str, level: float, exact: np.ndarray, in_8_bit: np.ndarray) -> str:
    """Return a line of the table."""
    well = int(np.count_nonzero(np.abs(exact - level) < allowed(level)))
    numbers = [f"{part:8.2f}" for part in (exact.mean(), exact.min(), exact.max())]
    clipped = f"{in_8_bit.mean():13.2f}{in_8_bit.min():8.2f}{in_8_bit.max():8.2f}"
    return f"{name:28}{level:6g}{''.join(numbers)}{f'{well}/{len(exact)}':>8}{clipped}"


def allowed(level: float) -> float:
    """Return how far a level that is found may be off, in grey levels."""
    if level == 0:
        return 2.0
    return 1.5 if level < 15 else level / 10
