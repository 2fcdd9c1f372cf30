"""The evaluations of finished cells as arrays `(seeds, images)`."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from recipes.compare.cells import read_json
from recipes.compare.plan import Cell
from recipes.compare.records import CellResult, Record, Records, scores_of
from recipes.training.curves import read_log


@dataclass(frozen=True)
class Metric:
    """A column: where it is found, how it is printed, and which direction is better."""

    key: str
    name: str
    unit: str
    digits: int
    higher_is_better: bool

    @property
    def label(self) -> str:
        """Name with the unit."""
        return f"{self.name} in {self.unit}" if self.unit else self.name

    def of(self, record: Record) -> float:
        """Return the value in a record."""
        return scores_of(record)[self.key]

    def text(self, value: float, sign: bool = False) -> str:
        """Return a value with the digits of this metric."""
        return f"{value:{'+' if sign else ''}.{self.digits}f}"


def metrics(window: str) -> tuple[Metric, Metric, Metric]:
    """Return the paper's three columns, SSIM with a `"uniform"` or a `"gaussian"` window."""
    return (
        Metric("psnr", "PSNR", "dB", 3, True),
        Metric(f"ssim_{window}", "SSIM", "", 5, True),
        Metric("nrmse", "NRMSE", "", 5, False),
    )


@dataclass(frozen=True)
class Results:
    """All finished cells: by their names what they have in `evaluation.json`."""

    cells: dict[str, CellResult]
    plan: Sequence[Cell]  # the cells that there are to be
    baselines: dict[str, Records]  # of the degraded images without a network, by task
    workdir: Path  # where the cells lie
    stored: bool = False  # whether this is what a report keeps, without cells

    @classmethod
    def load(cls, plan: Sequence[Cell], workdir: Path, baselines: dict[str, Records]) -> "Results":
        """Read the evaluations of the cells that are finished."""
        paths = {cell.name: workdir / "cells" / cell.name / "evaluation.json" for cell in plan}
        read = {name: read_json(path) for name, path in paths.items() if path.exists()}
        return cls(read, plan, baselines, workdir)

    @property
    def images(self) -> list[str]:
        """Names of the test images."""
        return list(next(iter(self.baselines.values())))

    @property
    def has_sums(self) -> bool:
        """Whether the sums by grey level are there: reports of older runs have none."""
        return all(
            "grey_levels" in record
            for cell in self.cells.values()
            for record in cell["images"].values()
        )

    def seeds(self, task: str, names: Iterable[str]) -> list[int]:
        """Return the seeds of which all the configurations are finished."""
        there = [
            {run.seed for run in self._runs(task, name) if run.name in self.cells} for name in names
        ]
        return sorted(set.intersection(*there))

    def _runs(self, task: str, name: str) -> list[Cell]:
        """Return the planned cells of a configuration."""
        return [run for run in self.plan if (run.task, run.configuration.name) == (task, name)]

    def _name(self, task: str, name: str, seed: int) -> str:
        """Return the name of a planned cell."""
        return next(run.name for run in self._runs(task, name) if run.seed == seed)

    def folder(self, task: str, name: str, seed: int) -> Path:
        """Return the work folder of a cell."""
        return self.workdir / "cells" / self._name(task, name, seed)

    def finished(self, task: str, name: str, seed: int) -> CellResult:
        """Return what a finished cell has in `evaluation.json`."""
        return self.cells[self._name(task, name, seed)]

    def values(self, task: str, name: str, metric: str, seeds: Sequence[int]) -> np.ndarray:
        """Return a metric, `(seeds, images)`."""
        found = [self.finished(task, name, seed)["images"].values() for seed in seeds]
        return np.array([[scores_of(each)[metric] for each in records] for records in found])

    def grey_levels(self, task: str, name: str, kind: str, seeds: Sequence[int]) -> np.ndarray:
        """Return sums by grey level, `(seeds, images, bins)`; see `grey_levels`."""
        found = [self.finished(task, name, seed)["images"].values() for seed in seeds]
        return np.array([[each["grey_levels"][kind] for each in records] for records in found])

    def rate_factor(self, task: str, name: str, seed: int) -> float:
        """Return by what the learning rate of a run was multiplied."""
        return float(self.finished(task, name, seed)["witness"]["rate_factor"])

    def log(self, task: str, name: str, seed: int) -> dict[str, np.ndarray]:
        """Return the columns of the `training.csv` of a cell."""
        return read_log(self.folder(task, name, seed))

    def milliseconds_per_step(self, task: str, name: str, seed: int) -> float:
        """Return the median over the pieces of a run; the first, which compiles, is left out."""
        cell = self.finished(task, name, seed)["cell"]
        speeds = self.log(task, name, seed)["images_per_second"]
        speeds = speeds[1:] if len(speeds) > 1 else speeds
        return float(1000 * cell["settings"]["batch"] / np.median(speeds))
