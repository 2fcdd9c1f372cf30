"""What the finished cells say: differences with their intervals, the noise between seeds, time."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from recipes.compare.grey_levels import BANDS, band_change, band_sums
from recipes.compare.paper import PaperTable
from recipes.compare.plan import NAMES, PLAIN, Configuration
from recipes.compare.results import Metric, Results
from recipes.compare.statistics import (
    LEAST_SEEDS,
    LEVEL,
    Interval,
    holm,
    improved,
    luckiest_seed,
    seed_spread,
    student,
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
        per_seed: Difference of each seed: of the means over the images, or of a band of grey
            levels, all pixels pooled.
        interval: Mean over seeds with its 95 % interval and p.
        per_cent: The mean in per cent of the plain loss' mean.
        improved: Cells (seed x image) that are better.
        cells: Of how many.
        spread: Standard deviation between seeds of the plain loss' mean; NaN for one seed.
        asymmetric_spread: The same of the asymmetric loss.
        corrected: p after Holm's correction for the comparisons of one table; see `together`.
    """

    task: str
    asymmetric: str
    plain: str
    metric: Metric
    per_seed: tuple[float, ...]
    interval: Interval
    per_cent: float
    improved: int
    cells: int
    spread: float = float("nan")
    asymmetric_spread: float = float("nan")
    corrected: float = float("nan")

    @property
    def verdict(self) -> str:
        """What the seeds say."""
        seeds = len(self.per_seed)
        if seeds < LEAST_SEEDS:
            return f"undecided ({seeds} seed{'s' * (seeds > 1)})"
        if not self.corrected < LEVEL:
            return "undecided"
        better = (self.interval.mean > 0) == self.metric.higher_is_better
        return "better" if better else "worse"


def difference(
    results: Results, task: str, asymmetric: str, plain: str, metric: Metric
) -> Difference:
    """Return what one loss changes against another, on the seeds that both have."""
    seeds = results.seeds(task, (asymmetric, plain))
    before = results.values(task, plain, metric.key, seeds)
    after = results.values(task, asymmetric, metric.key, seeds)
    per_seed = (after - before).mean(axis=1)
    return Difference(
        task,
        asymmetric,
        plain,
        metric,
        tuple(per_seed.tolist()),
        student(per_seed),
        float(100 * per_seed.mean() / before.mean()),
        improved(after - before, metric.higher_is_better),
        before.size,
        seed_spread(before),
        seed_spread(after),
    )


def band_differences(results: Results, task: str, asymmetric: str, plain: str) -> list[Difference]:
    """Return by how many per cent the squared error changes on dark, middle and bright pixels."""
    seeds = results.seeds(task, (asymmetric, plain))
    before, after = (
        results.grey_levels(task, name, "squared", seeds) for name in (plain, asymmetric)
    )
    found = []
    for band in BANDS:
        per_seed = band_change(before, after, band)
        change = band_sums(after, band) - band_sums(before, band)
        interval = student(per_seed)
        metric = Metric(band, f"squared error, {band}", "%", 2, False)
        found.append(
            Difference(
                task, asymmetric, plain, metric, tuple(per_seed.tolist()), interval,
                interval.mean, improved(change, higher_is_better=False), change.size,
            )
        )  # fmt: skip
    return found


def together(found: Iterable[Difference]) -> list[Difference]:
    """Return the comparisons of one table, each with its p corrected for the number of them.

    Those with too few seeds for a verdict are not tested, and not counted.
    """
    found = list(found)
    tested = [n for n, each in enumerate(found) if len(each.per_seed) >= LEAST_SEEDS]
    for n, p in zip(tested, holm([found[n].interval.p for n in tested]), strict=True):
        found[n] = replace(found[n], corrected=p)
    return found


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
    there = [
        (configuration, seeds)
        for configuration in configurations
        if configuration.name != configuration.plain
        and (seeds := results.seeds(task, (configuration.name, configuration.plain)))
    ]
    found = iter(
        together(
            difference(results, task, configuration.name, configuration.plain, metric)
            for configuration, _ in there
            for metric in metrics
        )
    )
    return [
        AblationRow(
            configuration,
            len(seeds),
            tuple(next(found) for _ in metrics),
            results.rate_factor(task, configuration.name, seeds[0]),
        )
        for configuration, seeds in there
    ]


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
    metric = found.metric
    unit = f" {metric.unit}" if metric.unit else ""
    text = (
        f"{found.task}, {NAMES.get(found.asymmetric, found.asymmetric)} minus "
        f"{NAMES[found.plain]}: {metric.name} {with_interval(found)}{unit}, better in "
        f"{found.improved} of {found.cells} cells, {found.verdict}"
    )
    if np.isfinite(found.corrected):
        text += f" (p {found.corrected:.3f})"
    if np.isfinite(found.spread):
        text += f"; sd between seeds of {NAMES[found.plain]} {metric.text(found.spread)}{unit}"
    return text


def with_interval(found: Difference) -> str:
    """Return a mean difference with its interval, which one seed has not."""
    mean, low, high = (
        found.metric.text(value, sign=True)
        for value in (found.interval.mean, found.interval.low, found.interval.high)
    )
    return f"{mean} [{low}, {high}]" if np.isfinite(found.interval.low) else mean
