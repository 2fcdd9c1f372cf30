"""Evaluate networks on folders of test images: per-image PSNR, SSIM and RMSE, and the protocol.

    python -m recipes.evaluate --weights bicubic srcnn-955-x3 runs/mine --scale 3 --data Set5 Set14
    python -m recipes.evaluate --weights noisy runs/dncnn --sigma 25 --data BSD68

`--scale`: low-resolution images are made with the exact MATLAB rule for 8-bit images, restored to 8
bit, and scored on Y with a border of `scale` pixels removed. `--sigma`: noise is added, and the
restored image scored whole. `--jpeg`: the same with a JPEG file of that quality in between.
`--weights` takes `bicubic`, `noisy` or `jpeg` (no network), names of published weights, work
folders of recipes and `.weights.h5` files; `--data` any number of folders. `--csv FILE` writes the
same rows. Lines of a table are images; the last is their mean.
"""

import argparse
import csv
import io
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np

import zoo
from zoo.app.command import run
from zoo.machine.failures import printable
from zoo.machine.files import write_atomically
from zoo.pictures.images import find_images, read_image
from zoo.restoring.restore import enlarge_bicubic
from zoo.scoring.evaluation import (
    METRICS,
    Scores,
    deblocking,
    denoising,
    mean,
    protocol,
    score_network,
    super_resolution,
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


def evaluate(
    weights: str, images: Sequence[np.ndarray], options: argparse.Namespace
) -> list[Scores]:
    """Score one network, or none, on images by the protocol of the command line."""
    if weights == "bicubic" and options.scale:
        enlarge = partial(enlarge_bicubic, scale=options.scale)
        return super_resolution(enlarge, images, options.scale, options.round_luma)
    if weights == "noisy" and options.sigma is not None:
        clip = partial(np.clip, a_min=0, a_max=1)
        return denoising(clip, images, options.sigma, options.window)
    if weights == "jpeg" and options.jpeg:
        return deblocking(lambda image: image, images, options.jpeg, options.window)
    return score_network(
        zoo.load(weights),
        images,
        scale=options.scale,
        sigma=options.sigma,
        round_luma=options.round_luma,
        window=options.window,
        quality=options.jpeg,
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    return run(_parser(), tabulate, arguments)


def tabulate(options: argparse.Namespace) -> None:
    """Print the table of each folder, and write them all to a file if that is asked for."""
    text = ""
    for folder in options.data:
        paths = find_images(folder, _remark)
        images = [read_image(path) for path in paths]
        columns = {_label(name): evaluate(name, images, options) for name in options.weights}
        names = [printable(path.stem) for path in paths]
        print(f"\n{Path(folder).name}, {len(paths)} images\n\n{table(names, columns)}")
        rows = csv_text(names, columns, Path(folder).name)
        text += rows if not text else rows.split("\n", 1)[1]
    test = (options.scale, options.round_luma, options.sigma, options.window, options.jpeg)
    print(f"\n{protocol(*test)}")
    if options.csv:
        write_atomically(options.csv, text.encode())


def _remark(text: str) -> None:
    print(f"evaluate: {printable(text)}", file=sys.stderr)


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
    task = parser.add_mutually_exclusive_group(required=True)
    task.add_argument(
        "--scale", type=int, choices=(2, 3, 4), help="super-resolution by this factor"
    )
    task.add_argument("--sigma", type=float, help="denoising at this level, in grey levels of 255")
    task.add_argument("--jpeg", type=int, metavar="QUALITY", help="removal of JPEG artefacts")
    parser.add_argument(
        "--window",
        choices=("gaussian", "uniform"),
        default="gaussian",
        help="of SSIM when denoising; uniform is the one of the paper's tables",
    )
    parser.add_argument("--round-luma", action="store_true", help="round Y to 8 bit before scoring")
    parser.add_argument("--csv", metavar="FILE", help="write the rows to a CSV file")
    return parser


if __name__ == "__main__":
    sys.exit(main())
