r"""Draw what the published weights make of photographs, beside simpler methods and the original.

    python -m recipes.publish.showcase --out recipes/results/showcase.jpg

Each row is one of the sample photographs, which no weight was trained on: enlarged by 4 (bicubic
interpolation, EDSR, the original), and with noise of 25 grey levels (the noisy picture, FFDNet, the
original). Below every picture stands a part of it, enlarged, and above it PSNR and SSIM by the
protocols of the tables.
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from asykeras import plots
from zoo.app.command import Work, command
from zoo.pictures.images import read_image, to_uint8
from zoo.scoring.evaluate import evaluate
from zoo.scoring.tasks import Denoising, Scores, SuperResolution, Task
from zoo.scoring.verify import SAMPLES

NOISE = Denoising(25 / 255)


@dataclass(frozen=True)
class Row:
    """One row of the page."""

    photograph: str  # name of a sample
    region: tuple[int, int, int, int]  # shown enlarged: top, left, height and width in pixels
    weights: dict[str, str]  # from a title to a published weight
    task: Task  # what the photograph is degraded for


ROWS = (
    Row("roman-colosseum", (60, 60, 90, 150), {"EDSR": "edsr-baseline-x4"}, SuperResolution(4)),
    Row("perched-osprey", (55, 130, 72, 128), {"FFDNet": "ffdnet-color"}, NOISE),
)

Versions = tuple[dict[str, np.ndarray], dict[str, Scores]]


def draw(rows: Sequence[Row] = ROWS) -> plots.Figure:
    """Return the page.

    Raises:
        WeightsError: if a weight cannot be loaded.
        ImportError: if matplotlib is not installed.
    """
    page = plots.page(11, 3.9 * len(rows))
    figures = page.subfigures(len(rows), 1, squeeze=False).ravel()
    for row, figure in zip(rows, figures, strict=True):
        image = read_image(SAMPLES / "test" / f"{row.photograph}.jpg")
        pictures, scores = versions(row, image)
        enlarged = f"enlarged x{row.task.scale}"
        title = enlarged if row.task.scale > 1 else "noise of 25 grey levels"
        figure.supylabel(title, fontsize=plots.TEXT)
        plots.comparison(pictures, row.region, scores=scores, figure=figure)
    return page


def versions(row: Row, image: np.ndarray) -> Versions:
    """Return what is made of an image without a network and by each one, and the original."""
    models = {"bicubic" if row.task.scale > 1 else "noisy": None, **row.weights}
    pictures, scores = {}, {}
    for title, model in models.items():
        (found,) = evaluate(model, [image], row.task)
        restored = found.restored
        pictures[title] = restored if restored.dtype == np.uint8 else to_uint8(restored)
        scores[title] = found.scores
    return {**pictures, "original": row.task.reference(image)}, scores


@command
def main(parser: argparse.ArgumentParser) -> Work:
    """Add the options; return what is done with them."""
    parser.add_argument("--out", required=True, metavar="FILE", help=".png, .jpg, .pdf or .svg")
    return write


def write(options: argparse.Namespace) -> None:
    """Draw the figure and write it."""
    plots.save(draw(), options.out, dpi=110)
    print(f"wrote {options.out}")


if __name__ == "__main__":
    raise SystemExit(main())
