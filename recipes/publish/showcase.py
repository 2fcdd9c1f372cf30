r"""Draw what the published weights make of photographs, beside simpler methods and the original.

    python -m recipes.publish.showcase --out recipes/results/showcase.jpg

Each row is one of the sample photographs, which no weight was trained on: enlarged by 4 and by 2
(bicubic interpolation, SRCNN, EDSR, the original), and in grey with noise of 25 grey levels (the
noisy picture, DnCNN, the original). Below every picture stands a part of it, enlarged, and above
it PSNR and SSIM by the protocols of the tables.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

import zoo
from asykeras import plots
from asykeras.resize import bicubic_resize
from zoo.pictures.images import crop_to_multiple, read_image, to_channels
from zoo.restoring.restore import denoise, enlarge_bicubic, super_resolve, to_numpy, to_uint8
from zoo.scoring.evaluation import Restore, Scores, denoising, super_resolution
from zoo.scoring.verify import SAMPLES

SIGMA = 25.0  # grey levels


@dataclass(frozen=True)
class Row:
    """One row of the page.

    Attributes:
        photograph: Name of a sample.
        region: Top, left, height and width of the part that is shown enlarged, in pixels.
        weights: From a title to a published weight.
        scale: Factor; None for noise.
    """

    photograph: str
    region: tuple[int, int, int, int]
    weights: dict[str, str]
    scale: int | None


ROWS = (
    Row(
        "roman-colosseum",
        (60, 60, 90, 150),
        {"SRCNN": "srcnn-955-x4", "EDSR": "edsr-baseline-x4"},
        4,
    ),
    Row(
        "perched-osprey",
        (55, 130, 72, 128),
        {"SRCNN": "srcnn-955-x2", "EDSR": "edsr-baseline-x2"},
        2,
    ),
    Row("casa-mila", (130, 150, 96, 144), {"DnCNN": "dncnn-gray-25"}, None),
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
        if row.scale is None:
            pictures, scores = _without_noise(row, image)
            figure.supylabel(f"noise of {SIGMA:g} grey levels", fontsize=plots.TEXT)
        else:
            pictures, scores = _enlarged(row, image, row.scale)
            figure.supylabel(f"enlarged x{row.scale}", fontsize=plots.TEXT)
        plots.comparison(pictures, row.region, scores=scores, figure=figure)
    return page


def _enlarged(row: Row, image: np.ndarray, scale: int) -> Versions:
    clean = crop_to_multiple(image, scale)
    small = to_numpy(bicubic_resize(clean, 1 / scale))
    pictures = {"bicubic": enlarge_bicubic(small, scale)}
    for title, name in row.weights.items():
        pictures[title] = super_resolve(zoo.load(name), small, scale)
    scores = {
        title: super_resolution(_given(large), [clean], scale)[0]
        for title, large in pictures.items()
    }
    return {**pictures, "original": clean}, scores


def _given(picture: np.ndarray) -> Restore:
    """Return a restoration that was made already, to be scored."""
    return lambda _: picture


def _without_noise(row: Row, image: np.ndarray) -> Versions:
    clean = to_channels(image, "grey")
    seen: dict[str, np.ndarray] = {}

    def keep(noisy: np.ndarray) -> np.ndarray:
        seen["noisy"] = noisy
        return noisy

    scores = {"noisy": denoising(keep, [clean], SIGMA)[0]}
    for title, name in row.weights.items():
        seen[title] = denoise(zoo.load(name), seen["noisy"], SIGMA / 255)
        scores[title] = denoising(_given(seen[title]), [clean], SIGMA)[0]
    pictures = {title: to_uint8(picture) for title, picture in seen.items()}
    return {**pictures, "original": clean}, scores


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m recipes.publish.showcase",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--out", required=True, metavar="FILE", help=".png, .jpg, .pdf or .svg")
    options = parser.parse_args(arguments)
    try:
        plots.save(draw(), options.out, dpi=110)
    except (ValueError, ImportError, OSError) as error:
        print(f"showcase: {error}", file=sys.stderr)
        return 1
    print(f"wrote {options.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
