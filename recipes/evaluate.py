"""Evaluate networks on folders of test images: per-image PSNR, SSIM and RMSE, and the protocol.

    python -m recipes.evaluate --weights bicubic srcnn-955-x3 runs/mine --scale 3 --data DIR

Low-resolution images are made with the exact MATLAB rule for 8-bit images, restored to 8 bit, and
scored on Y with a border of `scale` pixels removed. `--weights` takes `bicubic` (no network), names
of published weights, work folders of recipes and `.weights.h5` files; `--data` any number of
folders. `--csv FILE` writes the same rows. Lines of a table are images; the last is their mean.
"""

import argparse
import csv
import io
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

import zoo
from asykeras.metrics import nrmse, psnr, rmse, ssim
from asykeras.resize import bicubic_resize
from recipes.images import ImageError, crop_to_multiple, find_images, read_image
from zoo.files import write_atomically
from zoo.restore import enlarge_bicubic, super_resolve, to_numpy

METRICS = {"psnr": psnr, "ssim": ssim, "rmse": rmse, "nrmse": nrmse}
Restore = Callable[[np.ndarray], np.ndarray]
Scores = dict[str, float]


def score(clean: np.ndarray, restored: np.ndarray, border: int, round_luma: bool) -> Scores:
    """Score one 8-bit image against its original by the protocol of super-resolution.

    Args:
        clean: uint8, `(height, width, 1 or 3)`.
        restored: uint8, same shape.
        border: Pixels left out on every side.
        round_luma: Round Y to 8 bit, as the older MATLAB scripts do.

    Returns:
        PSNR in dB, SSIM, RMSE on the scale [0, 1] and NRMSE.
    """
    colour = clean.shape[-1] == 3
    options: dict[str, Any] = {"border": border, "luma": colour}
    options["round_luma"] = round_luma and colour
    # float64, so that the figures do not depend on the order of a sum
    y_true, y_pred = (image[None].astype(np.float64) / 255 for image in (clean, restored))
    return {
        name: float(to_numpy(metric(y_true, y_pred, **options))[0])
        for name, metric in METRICS.items()
    }


def super_resolution(
    restore: Restore, images: Sequence[np.ndarray], scale: int, round_luma: bool = False
) -> list[Scores]:
    """Shrink each image, restore it, and score the result.

    Args:
        restore: Function from the small uint8 image to the one that is `scale` times larger.
        images: Originals, uint8; cropped to a multiple of `scale`.
        scale: Factor.
        round_luma: See `score`.
    """
    scores = []
    for image in images:
        clean = crop_to_multiple(image, scale)
        small = to_numpy(bicubic_resize(clean, 1 / scale))
        scores.append(score(clean, restore(small), border=scale, round_luma=round_luma))
    return scores


def mean(scores: Sequence[Scores]) -> Scores:
    """Return the mean of each metric over the images."""
    return {name: float(np.mean([each[name] for each in scores])) for name in METRICS}


def protocol(scale: int, round_luma: bool) -> str:
    """Return the line that stands beside every number."""
    luma = "Y rounded to 8 bit" if round_luma else "Y in floating point"
    return (
        f"protocol: x{scale}, low resolution by MATLAB's 8-bit bicubic, output rounded to 8 bit, "
        f"{luma} (BT.601 studio range; a greyscale file on its own values), border of {scale} "
        "pixels removed, SSIM with an 11x11 Gaussian of 1.5, RMSE on [0, 1], mean over images"
    )


def table(names: Sequence[str], columns: dict[str, list[Scores]]) -> str:
    """Return a table in Markdown: one line per image, one column PSNR/SSIM/RMSE per network."""
    lines = ["| image | " + " | ".join(f"{column} PSNR/SSIM/RMSE" for column in columns) + " |"]
    lines.append("|---" * (len(columns) + 1) + "|")
    for row, name in enumerate([*names, "mean"]):
        scores = [mean(s) if name == "mean" else s[row] for s in columns.values()]
        cells = [f"{s['psnr']:.3f} / {s['ssim']:.4f} / {s['rmse']:.5f}" for s in scores]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def csv_text(names: Sequence[str], columns: dict[str, list[Scores]], folder: str) -> str:
    """Return the rows of `table` as CSV, unrounded."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["folder", "image", "network", *METRICS])
    for column, scores in columns.items():
        for name, each in zip(names, scores, strict=True):
            writer.writerow([folder, name, column, *(each[metric] for metric in METRICS)])
    return text.getvalue()


def restorer(weights: str, scale: int) -> Restore:
    """Return the function that enlarges an image with the named weights (or `bicubic`)."""
    if weights == "bicubic":
        return lambda image: enlarge_bicubic(image, scale)
    network = zoo.load(weights)
    return lambda image: super_resolve(network, image, scale)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    options = _parser().parse_args(arguments)
    text = ""
    try:
        restorers = {_label(name): restorer(name, options.scale) for name in options.weights}
        for folder in options.data:
            paths = find_images(folder)
            images = [read_image(path) for path in paths]
            columns = {
                name: super_resolution(restore, images, options.scale, options.round_luma)
                for name, restore in restorers.items()
            }
            names = [path.stem for path in paths]
            print(f"\n{Path(folder).name}, {len(paths)} images\n\n{table(names, columns)}")
            rows = csv_text(names, columns, Path(folder).name)
            text += rows if not text else rows.split("\n", 1)[1]
        print(f"\n{protocol(options.scale, options.round_luma)}")
        if options.csv:
            write_atomically(options.csv, text.encode())
    except (ImageError, zoo.WeightsError, ValueError, OSError) as error:
        print(f"evaluate: {error}", file=sys.stderr)
        return 1
    return 0


def _label(weights: str) -> str:
    return Path(weights.rstrip("/")).name.removesuffix(".weights.h5")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m recipes.evaluate",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--weights", nargs="+", required=True, metavar="NAME")
    parser.add_argument("--data", nargs="+", required=True, metavar="DIR")
    parser.add_argument("--scale", type=int, required=True, choices=(2, 3, 4))
    parser.add_argument("--round-luma", action="store_true", help="round Y to 8 bit before scoring")
    parser.add_argument("--csv", metavar="FILE", help="write the rows to a CSV file")
    return parser


if __name__ == "__main__":
    sys.exit(main())
