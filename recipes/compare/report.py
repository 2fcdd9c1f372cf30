"""What a report is about, and the helpers that its sections share."""

import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from asykeras import plots
from recipes.compare import figures, findings
from recipes.compare.findings import Difference
from recipes.compare.paper import PaperTable, paper_table
from recipes.compare.plan import pairs
from recipes.compare.presets import PRESETS, Preset
from recipes.compare.results import Metric, Results, metrics
from zoo.machine.files import write_atomically

REPORT = "report.md"


def split(text: str) -> dict[str, str]:
    """Return the sections of a report by their heading; the part above the first has none."""
    parts = re.split(r"^(?=## )", text, flags=re.MULTILINE)
    return {
        part.partition("\n")[0].removeprefix("## ") if part.startswith("## ") else "": part
        for part in parts
    }


@dataclass(frozen=True)
class Report:
    """What is reported.

    A report that is computed again from the scores that it keeps has neither images nor notes; what
    needs them stays as it is.
    """

    preset: Preset  # as it was run
    results: Results
    images: dict[str, np.ndarray]  # for tests, by name, uint8
    shown: dict[str, np.ndarray]  # in enlarged regions and weight maps: `images`, or others
    folder: Path  # where the report goes
    window: str  # of SSIM in the tables, "uniform" or "gaussian"
    command: str  # for the reader to repeat
    notes: tuple[str, ...]  # for the top: what is missing, what was checked

    @property
    def metrics(self) -> tuple[Metric, Metric, Metric]:
        """The paper's three columns."""
        return metrics(self.window)

    @property
    def losses(self) -> tuple[str, ...]:
        """The columns of the table."""
        return self.preset.losses

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """The asymmetric losses, each with its plain one."""
        return pairs(self.losses)

    @cached_property
    def tasks(self) -> list[str]:
        """The tasks of which at least one seed is finished for every loss."""
        return [task for task in self.preset.tasks if self.seeds(task)]

    @property
    def paper(self) -> PaperTable:
        """The table of the paper that is answered."""
        return paper_table(self.preset.table)

    @property
    def network(self) -> str:
        """Name of the network as the paper prints it."""
        return self.paper.network

    @property
    def has_the_papers_images(self) -> bool:
        """Whether the paper's cells are of the same images and task."""
        own = PRESETS[f"paper-table-{self.preset.table}"]
        same = (self.preset.test, self.preset.names, self.preset.tasks)
        return self.preset.table in (4, 5) and same == (own.test, own.names, own.tasks)

    def seeds(self, task: str) -> list[int]:
        """Return the seeds that are finished for every loss."""
        return self.results.seeds(task, self.losses)

    def subject(self, task: str) -> str:
        """Return what a table or a figure shows, for its caption."""
        seeds = len(self.seeds(task))
        steps = self.preset.settings["steps"]
        return f"{self.network} {task}, {steps:,} steps, mean of {seeds} seed{'s' * (seeds > 1)}"

    @cached_property
    def differences(self) -> list[Difference]:
        """What each asymmetric loss changes, by task, pair and metric."""
        return findings.together(
            findings.difference(self.results, task, asymmetric, plain, metric)
            for task in self.tasks
            for asymmetric, plain in self.pairs
            for metric in self.metrics
        )

    @cached_property
    def band_differences(self) -> list[Difference]:
        """The same of the squared error, by task, pair and band; empty where no sums were kept."""
        if not self.results.has_sums:
            return []
        return findings.together(
            each
            for task in self.tasks
            for asymmetric, plain in self.pairs
            for each in findings.band_differences(self.results, task, asymmetric, plain)
        )

    @cached_property
    def there(self) -> dict[str, str]:
        """The sections of the report that is in the folder already."""
        path = self.folder / REPORT
        return split(path.read_text()) if path.exists() else {}

    def text(self, name: str, text: str) -> None:
        """Write a text file of the report."""
        write_atomically(self.folder / name, text.encode())

    def figure(self, name: str, figure: plots.Figure, alt: str, dpi: int = figures.DPI) -> str:
        """Write a figure; return the line of Markdown that shows it."""
        figures.save(figure, self.folder / "figures" / f"{name}.png", dpi)
        return f"![{alt}](figures/{name}.png)\n"
