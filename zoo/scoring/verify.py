"""Recompute the numbers of a card from its weights and the images of the test sets."""

from dataclasses import dataclass
from pathlib import Path

from zoo.pictures.images import find_images, read_image
from zoo.restoring.network import Network, open_network
from zoo.scoring.evaluate import evaluate, mean
from zoo.scoring.tasks import Scores, parse
from zoo.store.card import Test
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
        data: Folder with the test sets, each a folder named as on the card (`set5` or `Set5`). The
            sample photographs come with the package.
        engine: What runs the network, as in `open_network`.

    Raises:
        WeightsError: if the weights cannot be loaded.
    """
    tests = find(name).card.tests
    network = open_network(name, engine=engine)
    rows = []
    for test in tests:
        folder = test_folder(test.data, data)
        psnr = None if folder is None else measure(network, folder, test.task)["psnr"]
        rows.append(Verified(test, psnr))
    return rows


def measure(network: Network, folder: Path, task: str) -> Scores:
    """Score a network on a folder of images, all of which are the mean."""
    images = (read_image(path) for path in find_images(folder))
    return mean(evaluate(network, images, parse(task)))


def test_folder(name: str, data: str | None) -> Path | None:
    """Return the folder of a test set, whatever the case of its name; None if it is not there."""
    if name == "samples":
        return SAMPLES / "test"
    root = Path(data) if data else None
    for part in name.split("/"):
        found = [p for p in root.iterdir() if p.name.lower() == part] if root else []
        root = next((path for path in found if path.is_dir()), None)
    return root
