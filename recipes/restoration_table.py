r"""One denoiser on every task of plug-and-play, beside the classical methods, as a table.

    python -m recipes.restoration_table kodak24/*.png --crop 256 --denoiser dphsir-small \
        --out results/kodak24
    python -m recipes.restoration_table cave_balloons.mat --denoiser dphsir-small --out results/cave

Every file is a truth, and is degraded in eight ways. `OUT/cells.json` gets MPSNR, MSSIM and SAM of
each method on each file and task after each of them, and a second start goes on from there;
`OUT/table.md` gets the means. The classical method in the table is the best of those that
`recipes.classical` has for the task, by the mean over the files.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from recipes.classical import baselines
from recipes.degraded import Options, gaussian_kernel, schedule_of, simulate
from recipes.dphsir_restore import BANDS_AT_ONCE, network_of, parser_of
from recipes.spectral_metrics import scores
from recipes.volumes import read_volume
from zoo.app.command import run
from zoo.files import write_atomically
from zoo.plug_and_play import plug_and_play
from zoo.plug_and_play.denoisers import Denoiser

Scores = dict[str, dict[str, float]]  # from the name of a method


@dataclass(frozen=True)
class Row:
    """A line of the table.

    Attributes:
        label: What is printed.
        task: Of `recipes.degraded.TASKS`.
        options: Of the task.
        published: MPSNR in dB of the authors of DPHSIR on their own data, None where there is none.
    """

    label: str
    task: str
    options: Options = field(default_factory=Options)
    published: float | None = None


# Published: of one scene (Lehavim_0910-1717 of ICVL, the authors' demonstrations), and for
# denoising of their 50 test scenes. CASSI and stripes are those tasks with other masks.
ROWS = (
    Row("denoising, sigma 30", "denoise", Options(noise=30), 42.84),
    Row("deblurring, Gaussian 8x8 of sigma 3", "deblur", published=55.10),
    Row("super-resolution x2, the same kernel", "sr", Options(scale=2), 47.55),
    Row("super-resolution x4, the same kernel", "sr", Options(scale=4)),
    Row("inpainting, 30 % missing", "inpaint", Options(missing=0.3)),
    Row("inpainting, 70 % missing", "inpaint", Options(missing=0.7)),
    # In every band: the PSNR of a whole band would be infinite, and so would be the mean.
    Row("5 to 15 % of the columns of each band dead", "stripes", Options(striped=1), 74.88),
    Row("CASSI, one measurement of all bands", "cassi", published=39.18),
)


def restore_row(truth: np.ndarray, row: Row, network: Denoiser) -> Scores:
    """Return the scores of the input, of plug-and-play (`"ours"`) and of the classical methods."""
    task, measured, truth = simulate(row.task, truth, row.options)
    schedule = schedule_of(row.task, row.options.noise)
    # As the authors' demonstrations: another turn in each iteration, where there are several.
    found = plug_and_play(
        task, measured, network, schedule, augment=row.task != "denoise", group=BANDS_AT_ONCE
    )
    classical = baselines(row.task, task, measured, gaussian_kernel(), row.options.noise / 255)
    pictures = {"input": np.asarray(task.start(measured))[0], "ours": found.pictures[0]} | classical
    return {name: scores(truth, each) for name, each in pictures.items()}


def table(cells: dict[str, Scores], denoiser: str) -> str:
    """Return the means over the files as Markdown, a row for each that is finished."""
    lines = [
        f"| task | files | input | classical, the best | plug-and-play, {denoiser} | gain | "
        "published DPHSIR, other data |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in ROWS:
        found = [cell for key, cell in cells.items() if key.endswith(f"/{row.label}")]
        if not found:
            continue
        mean = {name: np.mean([cell[name]["mpsnr"] for cell in found]) for name in found[0]}
        best = max(set(mean) - {"input", "ours"}, key=lambda name: mean[name])
        lines.append(
            f"| {row.label} | {len(found)} | {mean['input']:.2f} | {mean[best]:.2f} ({best}) | "
            f"{mean['ours']:.2f} | {mean['ours'] - mean[best]:+.2f} | "
            f"{'' if row.published is None else f'{row.published:.2f}'} |"
        )
    return "\n".join(lines) + "\n"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    parser = parser_of("restoration_table", __doc__)
    parser.add_argument(
        "--crop", type=int, default=0, help="side of the middle part that is taken; 0: all"
    )
    return run(parser, fill_table, arguments)


def fill_table(options: argparse.Namespace) -> None:
    """Restore what no earlier start has restored, and write the table."""
    out = Path(options.out)
    network = network_of(options.denoiser)
    truths = {path: _truth(Path(path), options) for path in options.inputs}
    out.mkdir(parents=True, exist_ok=True)
    record = {name: getattr(options, name) for name in ("denoiser", "crop")}
    cells = _begun(out / "cells.json", record)
    for path, truth in truths.items():
        for row in ROWS:
            key = f"{Path(path).stem}/{row.label}"
            if key in cells:
                continue
            cells[key] = restore_row(truth, row, network)
            content = {"options": record, "cells": cells}
            write_atomically(out / "cells.json", json.dumps(content, indent=1).encode())
            print(f"{key}: {_summary(cells[key])}", flush=True)
    text = table(cells, Path(options.denoiser).name)
    write_atomically(out / "table.md", (_heading(options) + text).encode())
    print(text)


def _heading(options: argparse.Namespace) -> str:
    """Return what stands above the table."""
    names = ", ".join(Path(path).stem for path in options.inputs)
    part = f"the middle {options.crop} x {options.crop} pixels of " if options.crop else ""
    return (
        f"# Plug-and-play with {Path(options.denoiser).name} against classical methods\n\n"
        "`python -m recipes.restoration_table`; mean MPSNR in dB, borders wrap around, no noise "
        f"but in denoising; {part}{names}. Published: the authors' demonstrations on a scene of "
        "ICVL (denoising: the mean of 50), which are other data and no figures to compare with.\n\n"
    )


def _truth(path: Path, options: argparse.Namespace) -> np.ndarray:
    """Return a file in [0, 1], cut to its middle where that is asked for."""
    values = read_volume(path, options.bands_axis, options.variable).values
    for axis in (0, 1) if options.crop else ():
        start = max(0, (values.shape[axis] - options.crop) // 2)
        values = np.take(
            values, range(start, min(start + options.crop, values.shape[axis])), axis=axis
        )
    return values


def _begun(path: Path, record: dict[str, Any]) -> dict[str, Scores]:
    """Return the cells of an earlier start.

    Raises:
        ValueError: if it had other options, or the file is no such record.
    """
    if not path.exists():
        return {}
    try:
        earlier = json.loads(path.read_text())
        options, cells = earlier["options"], earlier["cells"]
    except (ValueError, KeyError, TypeError):
        raise ValueError(f"{path} is not a record of this command") from None
    if options != record:
        raise ValueError(f"{path} was made with {options}, not {record}: take another --out")
    found: dict[str, Scores] = cells
    return found


def _summary(cell: Scores) -> str:
    return ", ".join(f"{name} {each['mpsnr']:.2f}" for name, each in cell.items())


if __name__ == "__main__":
    sys.exit(main())
