"""What the report of a study keeps of its runs: a study whose work folder is lost goes on from it.

`scores.csv` has a line for each run and image, `grey-levels.csv` the sums over all images by grey
level of the label, `theory.csv` the shifts that the theory says, and `moved.csv` what the answers
of MSE gain that are moved.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

import numpy as np

from recipes.compare.cells import CompareError
from recipes.compare.grey_levels import BINS
from recipes.compare.light import Score, Sums
from recipes.compare.stored import RUN
from recipes.compare.study import Part, Study
from recipes.compare.tables import csv_rows, csv_text
from zoo.machine.files import write_atomically

SCORES: dict[Score, str] = {
    "psnr": "all",
    "psnr_dark": "dark",
    "psnr_middle": "middle",
    "psnr_bright": "bright",
    "psnr_pu21": "PU21",
    "psnr_light": "as learned",
}
SUMS: tuple[Sums, ...] = ("count", "squared", "signed")
Run: TypeAlias = tuple[str, str, int]  # as in `RUN`


@dataclass(frozen=True)
class Theory:
    """What the answers of a network tell that was trained with MSE."""

    # The shift that the theory says of a loss, `(bins,)`, in grey levels of 255, where it says one.
    shifts: dict[str, np.ndarray]
    # Shifts of dark pixels in grey levels of 255, and what they gain in dB after sRGB, of the same
    # answers moved along the shift that is best after sRGB.
    moved: list[tuple[float, float]]


@dataclass(frozen=True)
class Runs:
    """What there is of the runs of a study."""

    scores: dict[Run, dict[str, dict[Score, float]]] = field(default_factory=dict)  # of each image
    sums: dict[Run, dict[Sums, np.ndarray]] = field(default_factory=dict)  # over all, `(bins,)`
    theory: dict[str, Theory] = field(default_factory=dict)  # by task
    left_out: int = 0  # runs of a report that are not taken from it

    def seeds(self, study: Study, part: Part) -> list[int]:
        """Return the seeds of which every loss of a study is there."""
        names = [configuration.name for configuration in study.configurations]
        return [
            seed
            for seed in range(study.seeds)
            if all((part.task, name, seed) in self.scores for name in names)
        ]


def write(runs: Runs, folder: Path) -> None:
    """Write the files that the report keeps; runs of seeds that are not whole, too."""
    scores = [
        [*run, image, *(f"{values[key]:.4f}" for key in SCORES)]
        for run, images in runs.scores.items()
        for image, values in images.items()
    ]
    sums = [
        [*run, number, *(f"{of[key][number]:.8g}" for key in SUMS)]
        for run, of in runs.sums.items()
        for number in range(BINS)
    ]
    shifts = [
        [task, name, number, f"{value:.8g}"]
        for task, theory in runs.theory.items()
        for name, values in theory.shifts.items()
        for number, value in enumerate(values)
    ]
    moved = [
        [task, f"{shift:.8g}", f"{gain:.8g}"]
        for task, theory in runs.theory.items()
        for shift, gain in theory.moved
    ]
    for name, header, rows in (
        ("scores.csv", [*RUN, "image", *SCORES], scores),
        ("grey-levels.csv", [*RUN, "bin", *SUMS], sums),
        ("theory.csv", ["task", "configuration", "bin", "shift"], shifts),
        ("moved.csv", ["task", "shift", "gain"], moved),
    ):
        write_atomically(folder / name, csv_text(header, rows).encode())


def read(study: Study, folder: Path) -> Runs:
    """Return the whole seeds that a report keeps; the others are to be run again.

    Raises:
        CompareError: if the report cannot be read, or is of other runs.
    """
    try:
        _check(study, folder)
        return _whole(study, _read(folder))
    except (OSError, KeyError, ValueError) as error:
        raise CompareError(f"the runs in {folder} cannot be read: {error!r}") from None


def _check(study: Study, folder: Path) -> None:
    """Refuse a report that has no part of the study, or one with another number of steps."""
    text = (folder / "report.md").read_text()
    heads = {f"## {part.network} {part.task}\n\n": part for part in study.parts}
    there = [head for head in heads if head in text]
    for head in there or heads:
        steps = f"{heads[head].settings['steps']:,} steps"
        if f"{head}{steps}, " not in text and f"{head}No seed is finished" not in text:
            raise CompareError(
                f"{folder} is no report of {study.name} with {steps} for "
                f"{head[3:].strip()}; choose another --stored"
            )


def _read(folder: Path) -> Runs:
    runs = Runs()
    for row in csv_rows(folder / "scores.csv"):
        scores: dict[Score, float] = {key: float(row[key]) for key in SCORES}
        runs.scores.setdefault(_run(row), {})[row["image"]] = scores
    for row in csv_rows(folder / "grey-levels.csv"):
        sums = runs.sums.setdefault(_run(row), {key: np.zeros(BINS) for key in SUMS})
        for key in SUMS:
            sums[key][int(row["bin"])] = float(row[key])
    if (folder / "theory.csv").exists():  # older reports have none
        for row in csv_rows(folder / "moved.csv"):
            theory = runs.theory.setdefault(row["task"], Theory({}, []))
            theory.moved.append((float(row["shift"]), float(row["gain"])))
        for row in csv_rows(folder / "theory.csv"):
            shifts = runs.theory[row["task"]].shifts
            shift = shifts.setdefault(row["configuration"], np.zeros(BINS))
            shift[int(row["bin"])] = float(row["shift"])
    return runs


def _run(row: dict[str, str]) -> Run:
    return row["task"], row["configuration"], int(row["seed"])


def _whole(study: Study, runs: Runs) -> Runs:
    """Return the seeds of which every loss is there: a seed begins alike on one machine alone."""
    whole = [
        (part.task, configuration.name, seed)
        for part in study.parts
        for seed in runs.seeds(study, part)
        for configuration in study.configurations
    ]
    scores = {run: runs.scores[run] for run in whole}
    sums = {run: runs.sums[run] for run in whole}
    tasks = {part.task for part in study.parts}
    theory = {task: each for task, each in runs.theory.items() if task in tasks}
    return Runs(scores, sums, theory, left_out=len(runs.scores) - len(whole))
