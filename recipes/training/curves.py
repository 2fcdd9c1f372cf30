r"""Draw the curves of one run or of several: loss and PSNR over the steps.

    python -m recipes.training.curves runs/srcnn-955-x2 runs/srcnn-955-x3 --out curves.png

Reads the `training.csv` of the work folders. Every finished run draws its own `curves.png`.
"""

import argparse
import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from asykeras import plots
from zoo.app.command import Work, command
from zoo.machine.files import replacing

STYLES = ("-", "--", "-.", ":")  # runs differ in dashes, so that grey prints can be read
COLOURS = ("#1f4e79", "#c1121f", "#1b7837", "#5c4033")


def read_log(workdir: Path) -> dict[str, np.ndarray]:
    """Return the columns of training.csv; of lines with the same step the last counts.

    Raises:
        ValueError: if there is no such file, or it is no log of a run.
    """
    path = workdir / "training.csv"
    try:
        with path.open(newline="") as file:
            rows = {float(row["step"]): row for row in csv.DictReader(file)}
        columns = {
            key: np.array([float(row.get(key) or "nan") for row in rows.values()])
            for key in ("step", "loss", "psnr", "validation_psnr", "images_per_second")
        }
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path} is not the log of a run: {error}") from None
    if not rows:
        raise ValueError(f"{path} holds no line yet")
    return columns


def draw_curves(workdirs: Sequence[Path], out: Path, quiet: bool = False) -> None:
    """Draw loss, training PSNR and validation PSNR of runs into one figure.

    Without matplotlib nothing is drawn, and unless `quiet` a line says so.

    Raises:
        ValueError: if a folder holds no log.
    """
    logs = {workdir.name: read_log(workdir) for workdir in workdirs}
    try:
        figure = plots.page(10, 3.6)
    except ImportError as error:
        if not quiet:
            print(f"no figure of the curves: {error}")
        return
    panels = {
        "loss": "training loss",
        "psnr": "training PSNR in dB",
        "validation_psnr": "validation PSNR in dB",
    }
    for axes, (column, label) in zip(figure.subplots(1, 3), panels.items(), strict=True):
        for number, (name, log) in enumerate(logs.items()):
            style = {"linestyle": STYLES[number % 4], "color": COLOURS[number % 4]}
            marker = "o" if len(log["step"]) < 8 else None
            axes.plot(log["step"], log[column], label=name, marker=marker, **style)
        axes.set_xlabel("step")
        axes.set_ylabel(label)
        axes.grid(alpha=0.3)
        if column == "loss":
            axes.set_yscale("log")
            axes.legend(frameon=False)
    with replacing(out) as part:
        plots.save(figure, part)


@command
def main(parser: argparse.ArgumentParser) -> Work:
    """Add the options; return what is done with them."""
    parser.add_argument("workdirs", nargs="+", type=Path, metavar="WORKDIR", help="of a run")
    parser.add_argument("--out", required=True, type=Path, help="figure to write, .png or .pdf")
    return lambda options: draw_curves(options.workdirs, options.out)


if __name__ == "__main__":
    raise SystemExit(main())
