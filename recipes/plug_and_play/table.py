r"""One denoiser on every task of plug-and-play, beside the classical methods, as a table.

    python -m recipes.plug_and_play.table kodak24/kodim{01,04,07,10,13,16,19,22}.png --crop 128 \
        --settings recipes/results/plug-and-play/photographs.json \
        --denoiser dphsir-small --out kodak

Every file is a truth, and is degraded in eight ways, with two levels of noise. All methods have the
settings that `recipes.plug_and_play.tune` found for them on other images. `OUT/cells.json` gets
MPSNR, MSSIM and SAM of each method on each file and task after each task, and a second start goes
on from there; `OUT/table.md` gets the means. The classical method in the table is the best of those
that `recipes.plug_and_play.classical` has for the task, by the mean over the files that are scored.
"""

import argparse
from itertools import groupby
from pathlib import Path
from typing import TypedDict

import numpy as np

from recipes.plug_and_play.classical import restore
from recipes.plug_and_play.levels import written
from recipes.plug_and_play.record import Made, Record, Tuned
from recipes.plug_and_play.restore import add_inputs, network_of
from recipes.plug_and_play.rows import OURS, ROWS, Row, methods_of, problem_of, settings_of
from recipes.plug_and_play.search import Settings
from recipes.plug_and_play.spectral_metrics import scores
from recipes.plug_and_play.truths import add_options, read_truth
from zoo.app.command import Work, command
from zoo.machine.files import make_folder, write_atomically
from zoo.plug_and_play.denoisers import Denoiser


class Cell(TypedDict):
    """The settings and the scores of each method, by its name, on one file and task."""

    settings: dict[str, Settings]
    scores: dict[str, dict[str, float]]


def restore_row(
    truths: list[np.ndarray], row: Row, denoiser: Denoiser, settings: dict[str, Settings]
) -> list[Cell]:
    """Return the cells of pictures of one shape."""
    problem, clean = problem_of(row, truths)
    pictures = {"input": np.asarray(problem.task.start(problem.measured))}
    for name, method in methods_of(row, denoiser).items():
        pictures[name] = restore(method, problem, settings[name])
    return [
        {
            "settings": {name: written(each) for name, each in settings.items()},
            "scores": {name: _rounded(scores(truth, each[k])) for name, each in pictures.items()},
        }
        for k, truth in enumerate(clean)
    ]


def _rounded(found: dict[str, float]) -> dict[str, float]:
    return {name: round(value, 5) for name, value in found.items()}


def table(cells: dict[str, Cell], denoiser: str, beside: dict[str, dict[str, Cell]]) -> str:
    """Return the means over the files as Markdown, a row for each that is finished.

    Cells are by `FILE/ROW`; `beside` are those of other denoisers on the same files, by name.
    """
    head = ["task", "files", "input", "classical, the best", f"plug-and-play, {denoiser}"]
    head += ["gain", "better on", *(f"plug-and-play, {name}" for name in beside)]
    lines = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    for row in ROWS:
        found = _of(row, cells)
        if not found:
            continue
        mean = {name: np.mean([cell[name]["mpsnr"] for cell in found]) for name in found[0]}
        best = max(set(mean) - {"input", OURS}, key=lambda name: mean[name])
        wins = sum(cell[OURS]["mpsnr"] > cell[best]["mpsnr"] for cell in found)
        line = [row.label, f"{len(found)}", f"{mean['input']:.2f}", f"{mean[best]:.2f} ({best})"]
        line += [f"{mean[OURS]:.2f}", f"{mean[OURS] - mean[best]:+.2f}", f"{wins}"]
        for theirs in beside.values():
            also = [cell[OURS]["mpsnr"] for cell in _of(row, theirs)]
            line.append(f"{np.mean(also):.2f}" if len(also) == len(found) else "")
        lines.append(f"| {' | '.join(line)} |")
    return "\n".join(lines) + "\n"


def _of(row: Row, cells: dict[str, Cell]) -> list[dict[str, dict[str, float]]]:
    """Return the scores of a row, file by file."""
    return [cell["scores"] for key, cell in cells.items() if key.endswith(f"/{row.label}")]


@command
def main(parser: argparse.ArgumentParser) -> Work:
    """Add the options; return what is done with them."""
    add_inputs(parser)
    add_options(parser)
    add = parser.add_argument
    add("--settings", metavar="FILE", help="of recipes.plug_and_play.tune; default: not tuned")
    text = "cells.json of other denoisers on the same files: their columns are added"
    add("--beside", nargs="+", metavar="FILE", default=[], help=text)
    return fill_table


def fill_table(options: argparse.Namespace) -> None:
    """Restore what no earlier start has restored with these settings, and write the table."""
    out = Path(options.out)
    denoiser = network_of(options.denoiser)
    tuned = Record[Tuned](Path(options.settings)) if options.settings else None
    searched = tuned.options.get("images", []) if tuned else []
    scored_too = {Path(path).name for path in options.inputs} & {*searched}
    if scored_too:
        raise ValueError(f"{scored_too.pop()} is scored here and was tuned on")
    wanted = {row.label: settings_of(row, denoiser, tuned.cells if tuned else {}) for row in ROWS}
    truths = {Path(path).stem: read_truth(Path(path), options) for path in options.inputs}
    beside = _others([Path(path) for path in options.beside], options, truths)
    make_folder(out)
    made = Made(denoiser=options.denoiser, crop=options.crop, bands=options.bands)
    done = Record[Cell](out / "cells.json", made)
    for row in ROWS:
        settings = wanted[row.label]
        theirs = {name: written(each) for name, each in settings.items()}
        left = [
            stem
            for stem in truths
            if (cell := done.cells.get(f"{stem}/{row.label}")) is None or cell["settings"] != theirs
        ]
        for group in _of_one_shape(left, truths):
            found = restore_row([truths[stem] for stem in group], row, denoiser, settings)
            done.add({f"{s}/{row.label}": cell for s, cell in zip(group, found, strict=True)})
            for stem, cell in zip(group, found, strict=True):
                print(f"{stem}/{row.label}: {_summary(cell)}", flush=True)
    cells = _of_files(done, truths)
    for name, others in beside.items():
        _check_inputs(cells, others, name)
    text = table(cells, Path(options.denoiser).name, beside)
    write_atomically(out / "table.md", (_heading(options, searched) + text).encode())
    print(text)


def _others(
    paths: list[Path], options: argparse.Namespace, truths: dict[str, np.ndarray]
) -> dict[str, dict[str, Cell]]:
    """Return the cells of other denoisers by their names.

    Raises:
        ValueError: if they are of other parts of the files or of none of them, or a name is twice.
    """
    found: dict[str, dict[str, Cell]] = {}
    for path in paths:
        record = Record[Cell](path)
        for option in ("crop", "bands"):
            there, here = record.options.get(option), getattr(options, option)
            if there != here:
                raise ValueError(f"{path} was made with --{option} {there}. Received: {here}")
        name = Path(record.options.get("denoiser", "")).name
        if name in (*found, "", Path(options.denoiser).name):
            raise ValueError(f"{path} is of {name or 'no denoiser'}, which has a column already")
        found[name] = _of_files(record, truths)
        if not found[name]:
            raise ValueError(f"{path} has none of these files")
    return found


def _check_inputs(cells: dict[str, Cell], theirs: dict[str, Cell], name: str) -> None:
    """Refuse cells of another denoiser that was given other measurements."""
    for key in cells.keys() & theirs.keys():
        if cells[key]["scores"]["input"] != theirs[key]["scores"]["input"]:
            raise ValueError(f"{name} restored another picture or measurement: {key}")


def _of_files(record: Record[Cell], truths: dict[str, np.ndarray]) -> dict[str, Cell]:
    return {key: cell for key, cell in record.cells.items() if key.split("/")[0] in truths}


def _of_one_shape(stems: list[str], truths: dict[str, np.ndarray]) -> list[list[str]]:
    """Return groups that have the same task, and that a network takes at once."""

    def shape(stem: str) -> tuple[int, ...]:
        return truths[stem].shape

    return [list(group) for _, group in groupby(sorted(stems, key=shape), shape)]


def _heading(options: argparse.Namespace, searched: list[str]) -> str:
    """Return what stands above the table."""
    names = ", ".join(Path(path).stem for path in options.inputs)
    part = f"the middle {options.crop} x {options.crop} pixels of " if options.crop else ""
    tuned = (
        f"all methods tuned by the same search on {', '.join(searched)}"
        if searched
        else "no method tuned"
    )
    return (
        f"# Plug-and-play with {Path(options.denoiser).name} against classical methods\n\n"
        "`python -m recipes.plug_and_play.table`; mean MPSNR in dB, borders wrap around, noise in "
        f"grey levels of 255; {part}{names}; {tuned}. Better on: the files on which plug-and-play "
        "has more than that classical method.\n\n"
    )


def _summary(cell: Cell) -> str:
    return ", ".join(f"{name} {each['mpsnr']:.2f}" for name, each in cell["scores"].items())


if __name__ == "__main__":
    raise SystemExit(main())
