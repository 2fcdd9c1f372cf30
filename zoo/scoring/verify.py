"""Recompute the numbers of a card from its weights and the images of the test sets."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from zoo.pictures.images import find_images, read_image
from zoo.restoring.network import Network, open_network
from zoo.scoring.evaluate import evaluate, mean
from zoo.scoring.tasks import Scores, parse
from zoo.store.card import Test
from zoo.store.cubes import SUFFIXES, read_cube
from zoo.store.weight import find

SAMPLES = Path(__file__).parents[1] / "samples"
TOLERANCE = 0.01  # dB


@dataclass(frozen=True)
class Verified:
    """A test of a card and what was measured now.

    Attributes:
        test: Of the card.
        psnr: In dB, None where the images are not at hand.
    """

    test: Test
    psnr: float | None

    @property
    def differs(self) -> bool:
        """Whether the number is another one."""
        return self.psnr is not None and not abs(self.psnr - self.test.psnr) <= TOLERANCE


def verify(name: str, data: str | None = None, engine: str = "keras") -> list[Verified]:
    """Recompute every number of a card whose images are at hand.

    Args:
        name: A published weight, file or work folder.
        data: Folder with the test sets, each a folder named as on the card (`set5` or `Set5`), or a
            file (`hsi/cave.mat`). The sample photographs come with the package.
        engine: What runs the network, as in `open_network`.

    Raises:
        WeightsError: if the weights cannot be loaded.
    """
    tests = find(name).card.tests
    network = open_network(name, engine=engine)
    rows = []
    for test in tests:
        folder = test_folder(test.data, data)
        psnr = measure(network, folder, test.task)["psnr"] if folder else None
        rows.append(Verified(test, psnr))
    return rows


def measure(network: Network, place: Path, task: str) -> Scores:
    """Score a network on a test set, all of which is the mean."""
    return mean(evaluate(network, originals(place), parse(task)))


def originals(place: Path) -> Iterator[np.ndarray]:
    """Yield the pictures of a test set: the images of a folder, or the cube of a file.

    Raises:
        ImageError: if there is none, or one cannot be read.
    """
    yield from map(read_original, find_images(place))


def read_original(path: Path) -> np.ndarray:
    """Read a picture of a test set: an image, or a cube."""
    return read_cube(path) if _is_cube(path) else read_image(path)


def test_folder(name: str, data: str | None) -> Path | None:
    """Return the folder of a test set below another, or the file of a cube, if it is there.

    Names on the disk need not be in lower case, as those on cards are.
    """
    if name == "samples":
        return SAMPLES / "test"
    root = Path(data) if data else None
    for part in name.split("/"):
        inside = root.iterdir() if root and root.is_dir() else ()
        found = [path for path in inside if path.name.lower() == part]
        root = next((path for path in found if path.is_dir() or _is_cube(path)), None)
    return root


def _is_cube(path: Path) -> bool:
    return path.is_file() and path.suffix.lower() in SUFFIXES
