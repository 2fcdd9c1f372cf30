"""The figure of a study: shifts by grey level, and what dark pixels gain over their shift."""

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np

from asykeras import plots
from recipes.compare import shifts
from recipes.compare.grey_levels import BINS
from recipes.compare.statistics import student
from recipes.compare.study import Part
from recipes.compare.study_run import Finished
from zoo.store.card import WHITE

# Of Okabe and Ito's palette: colour, dashes, marker.
Style: TypeAlias = tuple[str, str, str]
STYLES: tuple[Style, ...] = (
    ("#009E73", "-", "s"),
    ("#0072B2", "--", "^"),
    ("#D55E00", "-.", "D"),
    ("#CC79A7", ":", "v"),
    ("#E69F00", "--", "P"),
)
LEAST = 0.001  # part of the pixels that a grey level must have for a point


def bias_figure(found: Finished, part: Part) -> plots.Figure:
    """Draw the shifts of a part, theory as lines and measurements as points; two panels."""
    page = plots.page(12, 5.5)
    page.suptitle(f"{found.study.title}: {part.network} {part.task}", fontsize=plots.TEXT + 1)
    left, right = page.subplots(1, 2)
    shown = found.count(part) >= LEAST * found.count(part).sum()
    places = WHITE * shifts.CENTRES[shown]
    for configuration, style in zip(found.study.configurations[1:], STYLES, strict=False):
        name, label = configuration.name, configuration.label
        if (theory := found.theory(part, configuration)) is not None:
            left.plot(places, theory[shown], color=style[0], linestyle=style[1])
        by_level = [found.shift(part, name, n, n + 1) for n in range(BINS) if shown[n]]
        _points(left, places, by_level, style, label)
        moved = found.shift(part, name, *shifts.BANDS["dark"]).mean()
        _points(right, np.array([moved]), [found.gains(part, name, "psnr_dark")], style, label)
    if part.task in found.runs.theory:
        x, y = zip(*found.runs.theory[part.task].moved, strict=True)
        right.plot(x, y, color="#606060", label="MSE's answers, moved")
    left.set_xlabel("grey level of the label after sRGB", fontsize=plots.TEXT)
    left.set_ylabel("brighter than MSE, in grey levels after sRGB", fontsize=plots.TEXT)
    right.set_xlabel("dark pixels brighter than MSE's, in grey levels", fontsize=plots.TEXT)
    right.set_ylabel("gain of dark pixels in dB after sRGB", fontsize=plots.TEXT)
    right.axvline(0, color="black", linewidth=0.8)
    for axes in (left, right):
        axes.axhline(0, color="black", linewidth=0.8)
        axes.grid(alpha=0.3)
    # Below both, where no point can lie; the right panel has what the left has, and one more.
    handles, labels = right.get_legend_handles_labels()
    small = plots.TEXT - 2
    page.legend(handles, labels, loc="outside lower center", ncols=3, frameon=False, fontsize=small)
    return page


def _points(
    axes: plots.Axes, places: np.ndarray, seeds: Sequence[np.ndarray], style: Style, label: str
) -> None:
    """Draw the means over seeds, with their interval where there are several seeds."""
    means = [float(values.mean()) for values in seeds]
    lengths = [student(values).high - values.mean() for values in seeds]
    bars = None if np.isnan(lengths).any() else lengths
    colour, _, marker = style
    axes.errorbar(
        places, means, bars, fmt=marker, color=colour, label=label, markersize=5, linewidth=1
    )
