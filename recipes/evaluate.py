"""Evaluate networks on folders of test images: per-image PSNR, SSIM and RMSE, and the protocol.

    python -m recipes.evaluate --weights bicubic srcnn-955-x3 runs/mine --task x3 --data Set5 Set14
    python -m recipes.evaluate --weights noisy runs/dncnn --task sigma25 --data BSD68

`x3`: low-resolution images are made with the exact MATLAB rule for 8-bit images, restored to 8 bit,
and scored on Y with a border of 3 pixels removed; with `x3-rounded-luma` Y is rounded to 8 bit
first, with `x2-photo` the small images are blurred, noisy and in JPEG too. `sigma25`: noise is
added, and the restored image scored whole. `jpeg10`: the same with a JPEG file of that quality in
between, `jpeg10-luma` scored on Y. In `sigma25-uniform` SSIM has the window of the paper's tables.
`--weights` takes `bicubic`, `noisy` or `jpeg` (no network), names of published weights, work
folders of recipes and `.weights.h5` files; `--data` any number of folders, or files: an image, or
a cube for networks of any number of bands. `--csv FILE` writes the same rows. Lines of a table are
images; the last is their mean.
"""

import argparse
import csv
import io
import sys
from collections.abc import Sequence
from pathlib import Path

from zoo.app.command import Work, command
from zoo.machine.failures import printable
from zoo.machine.files import write_atomically
from zoo.pictures.images import find_images
from zoo.scoring.evaluate import Evaluation, evaluate, mean
from zoo.scoring.tasks import METRICS, parse
from zoo.scoring.verify import read_original
from zoo.store.weight import SUFFIX

BASELINES = ("bicubic", "noisy", "jpeg")  # what stands for no network, by the task
Columns = dict[str, list[Evaluation]]


def table(names: Sequence[str], columns: Columns) -> str:
    """Return a table in Markdown: one line per image, one column PSNR/SSIM/RMSE per network."""
    lines = ["| image | " + " | ".join(f"{column} PSNR/SSIM/RMSE" for column in columns) + " |"]
    lines.append("|---" * (len(columns) + 1) + "|")
    for row, name in enumerate([*names, "mean"]):
        scores = [mean(s) if name == "mean" else s[row].scores for s in columns.values()]
        cells = [f"{s['psnr']:.3f} / {s['ssim']:.4f} / {s['rmse']:.5f}" for s in scores]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def csv_text(names: Sequence[str], columns: Columns, folder: str) -> str:
    """Return the rows of `table` as CSV, unrounded."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["folder", "image", "network", *METRICS])
    for column, evaluations in columns.items():
        for name, each in zip(names, evaluations, strict=True):
            writer.writerow([folder, name, column, *(each.scores[metric] for metric in METRICS)])
    return text.getvalue()


@command
def main(parser: argparse.ArgumentParser) -> Work:
    """Add the options; return what is done with them."""
    parser.add_argument("--weights", nargs="+", required=True, metavar="NAME")
    parser.add_argument("--data", nargs="+", required=True, metavar="DIR")
    parser.add_argument("--task", required=True, help="x3, sigma25, jpeg10: see above")
    parser.add_argument("--csv", metavar="FILE", help="write the rows to a CSV file")
    return tabulate


def tabulate(options: argparse.Namespace) -> None:
    """Print the table of each folder, and write them all to a file if that is asked for."""
    text, task = "", parse(options.task)
    for folder in options.data:
        place = Path(folder)
        paths = find_images(
            place, lambda text: print(f"evaluate: {printable(text)}", file=sys.stderr)
        )
        images = [read_original(path) for path in paths]
        columns: Columns = {}
        for name in options.weights:
            network = None if name in BASELINES else name
            label = Path(name).name.removesuffix(SUFFIX)
            columns[label] = list(evaluate(network, images, task))
        names = [printable(path.stem) for path in paths]
        print(f"\n{place.name}, {len(paths)} images\n\n{table(names, columns)}")
        rows = csv_text(names, columns, place.name)
        text += rows if not text else rows.split("\n", 1)[1]
    print(f"\n{task.protocol()}")
    if options.csv:
        write_atomically(options.csv, text.encode())


if __name__ == "__main__":
    raise SystemExit(main())
