"""What the finished cells say: differences with their intervals, the noise between seeds, time."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from recipes.compare import statistics
from recipes.compare.grey_levels import BANDS, band_change, band_sums
from recipes.compare.paper import METRICS, PaperTable
from recipes.compare.plan import NAMES, PLAIN, Configuration
from recipes.compare.results import Metric, Results


@dataclass(frozen=True)
class Difference:
    """Asymmetric minus plain, for one task, pair of losses and metric.

    What differs are the means over the images, or a band of grey levels, all pixels pooled.
    """

    task: str  # "x3", "sigma25", ...
    asymmetric: str  # name of the configuration
    plain: str  # "mae" or "mse"
    metric: Metric
    per_seed: tuple[float, ...]
    interval: statistics.Interval  # of the mean over seeds
    per_cent: float  # the mean, of the plain loss' mean
    improved: int  # cells (seed x image) that are better
    cells: int  # of how many
    spread: float = float("nan")  # sd between seeds of the plain loss' mean; NaN for one seed
    asymmetric_spread: float = float("nan")  # the same of the asymmetric loss
    corrected: float = float("nan")  # p after Holm's correction; see `together`

    @property
    def verdict(self) -> str:
        """What the seeds say."""
        seeds = len(self.per_seed)
        if seeds < statistics.LEAST_SEEDS:
            return f"undecided ({seeds} seed{'s' * (seeds > 1)})"
        if not self.corrected < statistics.LEVEL:
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
        statistics.student(per_seed),
        float(100 * per_seed.mean() / before.mean()),
        statistics.improved(after - before, metric.higher_is_better),
        before.size,
        statistics.seed_spread(before),
        statistics.seed_spread(after),
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
        interval = statistics.student(per_seed)
        metric = Metric(band, f"squared error, {band}", "%", 2, False)
        found.append(
            Difference(
                task, asymmetric, plain, metric, tuple(per_seed.tolist()), interval,
                interval.mean, statistics.improved(change, higher_is_better=False), change.size,
            )
        )  # fmt: skip
    return found


def together(found: Iterable[Difference]) -> list[Difference]:
    """Return the comparisons of one table, each with its p corrected for the number of them.

    Those with too few seeds for a verdict are not tested, and not counted.
    """
    found = list(found)
    tested = [n for n, each in enumerate(found) if len(each.per_seed) >= statistics.LEAST_SEEDS]
    for n, p in zip(tested, statistics.holm([found[n].interval.p for n in tested]), strict=True):
        found[n] = replace(found[n], corrected=p)
    return found


def luck(
    results: Results, task: str, losses: Sequence[str], metrics: Sequence[Metric]
) -> tuple[int, int] | None:
    """Return the largest number of cells that "improve" between two seeds of one plain loss."""
    seeds = results.seeds(task, losses)
    signs = np.array([1 if m.higher_is_better else -1 for m in metrics])
    found = [
        statistics.luckiest_seed(
            np.stack([results.values(task, loss, m.key, seeds) for m in metrics]), signs
        )
        for loss in losses
        if loss not in PLAIN
    ]
    return max(filter(None, found), default=None)


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
    seeds, time = results.seeds(task, (asymmetric, plain)), results.milliseconds_per_step
    return np.array([time(task, asymmetric, seed) / time(task, plain, seed) for seed in seeds])


def papers_difference(table: PaperTable, plain: str, metric: Metric) -> tuple[float, float, int]:
    """Return the paper's mean difference, in per cent of the plain mean, and cells that improve."""
    index = METRICS.index(metric.name.lower())
    change = table.differences(plain)[:, index]
    before = table.values(plain)[:, index].mean()
    wins = statistics.improved(change, metric.higher_is_better)
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
    return found.interval.text(found.metric.digits)
