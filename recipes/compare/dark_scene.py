r"""Draw the darkest test image as three losses of the study in linear light restore it.

    python -m recipes.compare.dark_scene --data DATA --workdir WORKDIR \
        --out recipes/results/weightings/dark-scene.png

WORKDIR is that of `recipes.compare --preset weightings-linear`; its networks of the first seed are
shown. Above stands the image after sRGB; below, the part in which the first and the third differ
most, in light that is made eight times brighter, as if the shadows were lifted.
"""

import argparse
from pathlib import Path

import numpy as np

from asykeras import plots
from recipes.compare.cells import read_json
from recipes.compare.figures import most_differing, save
from recipes.compare.light import Scoring, degrade, encoded, read_scenes, record, restore
from recipes.compare.study import STUDIES
from zoo.app.command import Work, command
from zoo.networks.families import load

SHOWN = {
    "MSE": "mse",
    "AsyMSE of the paper": "paper",
    "1 / (f + 0.05)^2 of the prediction": "prediction_power",
}
LIFTED = 8.0  # times the light: 3 stops
SCENE = Scoring("x2", linear=True)


def draw(scenes: dict[str, np.ndarray], cells: Path) -> plots.Figure:
    """Return the page, of test images in linear light and the folder of the finished runs.

    Raises:
        WeightsError: if a network is missing.
        ImportError: if matplotlib is not installed.
    """
    name = min(scenes, key=lambda name: float(np.median(scenes[name])))
    degraded = degrade(scenes[name], 0, SCENE.degradation)
    light = {
        title: restore(load(cells / f"srcnn-x2-{loss}-seed0"), degraded)
        for title, loss in SHOWN.items()
    }
    light["truth"] = scenes[name]
    first, _, third, _ = (_shown(LIFTED * image) for image in light.values())
    top, left, height, width = most_differing(first, third)
    page = plots.page(12, 6)
    page.suptitle(f"{name}: PSNR of dark pixels after sRGB; below, light x 8", fontsize=plots.TEXT)
    rows = page.subplots(2, len(light), height_ratios=(2, 3))
    for column, (title, image) in zip(rows.T, light.items(), strict=True):
        if title != "truth":
            title += f"\n{record(scenes[name], image, SCENE)['psnr_dark']:.2f} dB"
        column[0].set_title(title, fontsize=plots.TEXT)
        column[0].imshow(_shown(image)[..., 0], cmap="gray", vmin=0, vmax=255)
        part = _shown(LIFTED * image)[top : top + height, left : left + width, 0]
        column[1].imshow(part, cmap="gray", vmin=0, vmax=255, interpolation="nearest")
        for axes in column:
            axes.set(xticks=[], yticks=[])
    return page


def _shown(light: np.ndarray) -> np.ndarray:
    return np.floor(encoded(np.clip(light, 0, 1)) * 255 + 0.5).astype(np.uint8)


def run(options: argparse.Namespace) -> None:
    """Draw the page and write it."""
    cells = Path(options.workdir) / "cells"
    study = STUDIES["weightings-linear"]
    names = read_json(cells / "srcnn-x2-mse-seed0" / "cell.json")["cell"]["names"]
    scenes = read_scenes(Path(options.data) / study.test, names, SCENE)
    save(draw(scenes, cells), Path(options.out))
    print(f"wrote {options.out}")


@command
def main(parser: argparse.ArgumentParser) -> Work:
    """Add the options; return what is done with them."""
    parser.add_argument("--data", required=True, metavar="DATA", help="holds the image folders")
    parser.add_argument("--workdir", required=True, metavar="DIR", help="of the finished study")
    parser.add_argument("--out", required=True, metavar="FILE", help="a PNG")
    return run


if __name__ == "__main__":
    raise SystemExit(main())
