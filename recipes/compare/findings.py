"""What the finished cells say: differences with their intervals, the noise between seeds, time."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from recipes.compare.grey_levels import BANDS, band_change
from recipes.compare.paper import PaperTable
from recipes.compare.plan import NAMES, PLAIN, Configuration
from recipes.compare.results import Metric, Results
from recipes.compare.statistics import (
    Interval,
    improved,
    luckiest_seed,
    paired_bootstrap,
    seed_spread,
    wilcoxon,
)
from recipes.compare.tables import paper_index


@dataclass(frozen=True)
class Difference:
    """Asymmetric minus plain, for one task, pair of losses and metric.

    Attributes:
        task: `"x3"`, `"sigma25"`, ...
        asymmetric: Name of the configuration.
        plain: `"mae"` or `"mse"`.
        metric: What is compared.
        interval: Mean over seeds and images with its 95 % interval.
        per_cent: The mean in per cent of the plain loss' mean.
        p: Of Wilcoxon's test over images.
        improved: Cells (seed x image) that are better.
        cells: Of how many.
        per_seed: Mean difference over the images, for each seed.
        spread: Standard deviation between seeds of the plain loss' mean; NaN for one seed.
        asymmetric_spread: The same of the asymmetric loss.
    """

    task: str
    asymmetric: str
    plain: str
    metric: Metric
    interval: Interval
    per_cent: float
    p: float
    improved: int
    cells: int
    per_seed: tuple[float, ...]
    spread: float
    asymmetric_spread: float

    @property
    def verdict(self) -> str:
        """What the interval says."""
        if self.interval.holds_zero:
            return "no difference shown"
        better = (self.interval.mean > 0) == self.metric.higher_is_better
        return "better" if better else "worse"


def difference(
    results: Results, task: str, asymmetric: str, plain: str, metric: Metric
) -> Difference:
    """Return what one loss changes against another, on the seeds that both have."""
    seeds = results.seeds(task, (asymmetric, plain))
    before = results.values(task, plain, metric.key, seeds)
    after = results.values(task, asymmetric, metric.key, seeds)
    change = after - before
    return Difference(
        task,
        asymmetric,
        plain,
        metric,
        paired_bootstrap(change),
        float(100 * change.mean() / before.mean()),
        wilcoxon(change),
        improved(change, metric.higher_is_better),
        change.size,
        tuple(change.mean(axis=1).tolist()),
        seed_spread(before),
        seed_spread(after),
    )


def pairs(losses: Sequence[str]) -> list[tuple[str, str]]:
    """Return the asymmetric losses among some with the plain loss that each belongs to."""
    return [(asy, plain) for asy, plain in PLAIN.items() if {asy, plain} <= {*losses}]


def luck(
    results: Results, task: str, losses: Sequence[str], metrics: Sequence[Metric]
) -> tuple[int, int] | None:
    """Return the largest number of cells that "improve" between two seeds of one plain loss."""
    seeds = results.seeds(task, losses)
    signs = np.array([1 if m.higher_is_better else -1 for m in metrics])
    found = [
        luckiest_seed(np.stack([results.values(task, loss, m.key, seeds) for m in metrics]), signs)
        for loss in losses
        if loss not in PLAIN
    ]
    known = [pair for pair in found if pair]
    return max(known) if known else None


@dataclass(frozen=True)
class AblationRow:
    """What a configuration changes against the plain loss, in the metrics of the table."""

    configuration: Configuration
    seeds: int
    differences: tuple[Difference, ...]
    rate_factor: float


def ablation(
    results: Results, task: str, configurations: Sequence[Configuration], metrics: Sequence[Metric]
) -> list[AblationRow]:
    """Return a row for each configuration of which a seed is finished."""
    rows = []
    for configuration in configurations:
        name, plain = configuration.name, configuration.plain
        seeds = results.seeds(task, (name, plain))
        if not seeds or name == plain:
            continue
        found = tuple(difference(results, task, name, plain, metric) for metric in metrics)
        cell = results.cells[results.cell(task, name, seeds[0]).name]
        rows.append(AblationRow(configuration, len(seeds), found, cell["witness"]["rate_factor"]))
    return rows


def grey_level_changes(
    results: Results, task: str, asymmetric: str, plain: str
) -> dict[str, Interval]:
    """Return by how many per cent the squared error changes on dark, middle and bright pixels."""
    seeds = results.seeds(task, (asymmetric, plain))
    before, after = (
        results.grey_levels(task, name, "squared", seeds) for name in (plain, asymmetric)
    )
    return {band: band_change(before, after, band) for band in BANDS}


def step_time_ratios(results: Results, task: str, asymmetric: str, plain: str) -> np.ndarray:
    """Return the time of a step over that of the plain loss, one ratio per seed."""
    times = [
        [results.milliseconds_per_step(task, name, seed) for name in (asymmetric, plain)]
        for seed in results.seeds(task, (asymmetric, plain))
    ]
    return np.array([after / before for after, before in times])


def papers_difference(table: PaperTable, plain: str, metric: Metric) -> tuple[float, float, int]:
    """Return the paper's mean difference, in per cent of the plain mean, and cells that improve."""
    index = paper_index(metric)
    change = table.differences(plain)[:, index]
    before = table.values(plain)[:, index].mean()
    wins = improved(change, metric.higher_is_better)
    return float(change.mean()), float(100 * change.mean() / before), wins


def sentence(found: Difference) -> str:
    """Return one difference in words."""
    metric, interval = found.metric, found.interval
    unit = f" {metric.unit}" if metric.unit else ""
    low, high = (metric.text(value, sign=True) for value in (interval.low, interval.high))
    noise = ""
    if np.isfinite(found.spread):
        noise = f"; sd between seeds of {NAMES[found.plain]} {metric.text(found.spread)}{unit}"
    return (
        f"{found.task}, {NAMES.get(found.asymmetric, found.asymmetric)} minus "
        f"{NAMES[found.plain]}: {metric.name} {metric.text(interval.mean, sign=True)}{unit} "
        f"[{low}, {high}], better in {found.improved} of {found.cells} cells, "
        f"{found.verdict}{noise}"
    )
