"""Recompute the numbers of a card from its weights and the images of the test sets."""

from pathlib import Path
from typing import Any

import keras

from zoo.networks.families import load
from zoo.pictures.images import find_images, read_image
from zoo.scoring.evaluation import mean, score_network
from zoo.store.weight import card

SAMPLES = Path(__file__).parents[1] / "samples"
TOLERANCE = 0.01  # dB


def verify(name: str, data: str | None = None) -> list[dict[str, Any]]:
    """Recompute every number of a card whose images are at hand.

    Args:
        name: A published weight.
        data: Folder with the test sets, each a folder named as on the card (`set5` or `Set5`). The
            sample photographs come with the package.

    Returns:
        The card's tests, each with `measured` (PSNR in dB, None where the images are not at hand)
        and `passed` (None, or whether it is within 0.01 dB of the card).

    Raises:
        WeightsError: if the weights cannot be loaded.
    """
    tests = card(name)["tests"]
    network = load(name)
    rows = []
    for test in tests:
        folder = test_folder(test["data"], data)
        measured = None if folder is None else measure(network, folder, test)["psnr"]
        passed = None if measured is None else abs(measured - test["psnr"]) <= TOLERANCE
        rows.append({**test, "measured": measured, "passed": passed})
    return rows


def measure(network: keras.Model, folder: Path, test: dict[str, Any]) -> dict[str, float]:
    """Score a network on a folder of images by the protocol of a test of a card."""
    images = [read_image(path) for path in find_images(folder)]
    options = {key: test[key] for key in ("scale", "sigma", "round_luma", "window") if key in test}
    return mean(score_network(network, images, **options))


def test_folder(name: str, data: str | None) -> Path | None:
    """Return the folder of a test set, whatever the case of its name; None if it is not there."""
    if name == "samples":
        return SAMPLES / "test"
    root = Path(data) if data else None
    for part in name.split("/"):
        found = [p for p in root.iterdir() if p.name.lower() == part] if root else []
        root = next((path for path in found if path.is_dir()), None)
    return root
