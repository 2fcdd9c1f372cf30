"""The report of a study of weightings: scores, differences to MSE, and shifts."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from recipes.compare import figures, shifts, study_stored
from recipes.compare.statistics import student
from recipes.compare.study import STUDIES, Part
from recipes.compare.study_figures import bias_figure
from recipes.compare.study_run import Finished
from recipes.compare.study_stored import SCORES
from recipes.compare.tables import markdown
from zoo.machine.files import write_atomically

HOW = """PSNR in dB, mean over images and seeds: after sRGB of all pixels, and of those whose label
is dark (below 0.25), middle, or bright (from 0.6); after PU21 with white at 100 cd/m^2; and of what
was learned. A band counts in images of which it is 1 % or more."""
BRACKETS = """Minus MSE of the same seed, in dB, with the 95 % interval of Student's t over seeds,
bold where it excludes 0. The intervals are each for one comparison alone."""
SHIFTS = """By how many grey levels of 255 (after sRGB, to first order) the answers are brighter
than those of MSE, with the interval over seeds; after the slash what the theory says of normal
labels, with the mean and variance that they have where MSE's answer (seed 0) is as bright and as
busy."""

MADE = """The high range is made: the light of 8-bit photographs, decoded from sRGB, each at an
exposure of 1/8 to 8 that follows from its name; 1 is the white of the highest. Learned from files
in floating point. "After sRGB" is after its curve, with white at 1."""

CAPTION = """Left: shift by grey level; lines are the theory, points the mean of the seeds, bars
their interval. Right: what dark pixels gain over their shift; the line is MSE's
answers moved along the shift that is best after sRGB, the points are what was measured.
"""


def write(found: Finished, folder: Path, left: Sequence[str]) -> Path:
    """Write the report, which names what is left, with figures and CSV files; return its path."""
    folder.mkdir(parents=True, exist_ok=True)
    sections = [_head(found, left)]
    for part in found.study.parts:
        if not found.seeds(part):
            sections.append(f"## {part.network} {part.task}\n\nNo seed is finished.\n")
            continue
        figures.save(bias_figure(found, part), folder / f"bias-{part.task}.png")
        sections.append(_section(found, part))
    study_stored.write(found.runs, folder)
    path = folder / "report.md"
    write_atomically(path, "\n".join(sections).encode())
    return path


def _head(found: Finished, left: Sequence[str]) -> str:
    study = found.study
    whole = STUDIES[study.name]
    command = f"python -m recipes.compare --preset {study.name}"
    if study.seeds != whole.seeds:
        command += f" --seeds {study.seeds}"
    if (steps := study.parts[0].settings["steps"]) != whole.parts[0].settings["steps"]:
        command += f" --steps {steps}"
    lines = [
        f"# {study.title}\n",
        f"    {command} --data DATA --workdir WORKDIR\n",
        f"Trained on `{study.train}`{', a tenth made night scenes' if study.rare else ''}; scored "
        f"on every second image of `{study.test}`. The runs of one seed began with the same "
        f"weights, first batch and noise: this holds in {found.groups} of {found.groups} groups. "
        "What was expected: [PREDICTIONS.md](../PREDICTIONS.md).",
    ]
    if left:
        lines.append(f"Not finished: {len(left)} runs; only whole seeds are reported.")
    return "\n".join(lines) + "\n"


def _section(found: Finished, part: Part) -> str:
    seeds, steps = found.seeds(part), part.settings["steps"]
    images = len(found.degraded[part.task])
    made = f"{MADE}\n\n" if part.scoring.exposed else ""
    return (
        f"## {part.network} {part.task}\n\n"
        f"{steps:,} steps, {len(seeds)} seeds, {images} images.\n\n{made}"
        f"{HOW}\n\n{markdown(['loss', *SCORES.values()], _means(found, part))}\n"
        f"{BRACKETS}\n\n{markdown(['loss', *SCORES.values()], _differences(found, part))}\n"
        f"{SHIFTS}\n\n{markdown(['loss', *shifts.BANDS], _shifts(found, part))}\n"
        f"![shifts by grey level, and gain over shift](bias-{part.task}.png)\n\n{CAPTION}"
    )


def _means(found: Finished, part: Part) -> list[list[str]]:
    degraded = found.degraded[part.task].values()
    rows = [["degraded", *(_decibels([r[key] for r in degraded]) for key in SCORES)]]
    for configuration in found.study.configurations:
        scores = (_decibels(found.scores(part, configuration.name, key)) for key in SCORES)
        rows.append([configuration.label, *scores])
    return rows


def _decibels(values: Sequence[float] | np.ndarray) -> str:
    return f"{np.nanmean(values):.2f}"


def _differences(found: Finished, part: Part) -> list[list[str]]:
    return [
        [each.label, *(_bracketed(found.gains(part, each.name, key), 3) for key in SCORES)]
        for each in found.study.configurations[1:]
    ]


def _bracketed(seeds: np.ndarray, digits: int) -> str:
    interval = student(seeds)
    text = interval.text(digits)
    return f"**{text}**" if interval.low > 0 or interval.high < 0 else text


def _shifts(found: Finished, part: Part) -> list[list[str]]:
    rows = []
    for configuration in found.study.configurations[1:]:
        theory = found.theory(part, configuration)
        row = [configuration.label]
        for bins in shifts.BANDS.values():
            cell = _bracketed(found.shift(part, configuration.name, *bins), 2)
            if theory is not None:
                count = found.count(part)
                cell += f" / {shifts.mean_of_bins(theory * count, count, *bins):+.2f}"
            row.append(cell)
        rows.append(row)
    return rows
