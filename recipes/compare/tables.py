"""Tables as Markdown, CSV and LaTeX."""

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from recipes.compare.paper import PaperTable
from recipes.compare.plan import NAMES
from recipes.compare.records import Records
from recipes.compare.results import Metric, Results

Rows = list[list[str]]
Bold = Callable[[str], str]


markdown_bold: Bold = "**{}**".format
latex_bold: Bold = r"\textbf{{{}}}".format


def markdown(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table in Markdown."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def latex(header: Sequence[str], rows: Rows, caption: str) -> str:
    """Return a table in LaTeX; needs the package booktabs. Cells may hold commands of LaTeX."""
    body = "\n".join(" & ".join(row) + r" \\" for row in rows)
    return "\n".join(
        [
            r"\begin{table}",
            rf"\caption{{{escaped(caption)}}}",
            rf"\begin{{tabular}}{{l{'r' * (len(header) - 1)}}}",
            r"\toprule",
            " & ".join(escaped(name) for name in header) + r" \\",
            r"\midrule",
            body,
            r"\bottomrule",
            r"\end{tabular}",
            r"\end{table}",
            "",
        ]
    )


def escaped(text: str) -> str:
    """Return text in which the special characters of LaTeX are printed."""
    return text.translate({ord(character): f"\\{character}" for character in "&%$#_{}"})


def csv_text(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Return rows as CSV."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([header, *rows])
    return text.getvalue()


def csv_rows(path: Path) -> Iterator[dict[str, str]]:
    """Yield the rows of a CSV file, by the names of its header."""
    with path.open(newline="") as file:
        yield from csv.DictReader(file)


def paper_layout(
    columns: dict[str, np.ndarray], images: Sequence[str], metrics: Sequence[Metric], bold: Bold
) -> Rows:
    """Return the rows of the paper's Tables 2 to 5: a line per image and one for the mean.

    A column has the scores `(images, metrics)` of a network, with slashes between. `bold` marks the
    best of a line, for each metric; all of them where several are equal as printed.
    """
    scores = np.stack([np.vstack([each, each.mean(axis=0)]) for each in columns.values()], axis=-1)
    rows = []
    for image, line in zip([*images, "mean"], scores, strict=True):
        cells: Rows = [[] for _ in columns]
        for metric, values in zip(metrics, line, strict=True):
            texts = [metric.text(value) for value in values]
            best = (max if metric.higher_is_better else min)(texts, key=float)
            for cell, text in zip(cells, texts, strict=True):
                cell.append(bold(text) if text == best else text)
        rows.append([image, *("/".join(cell) for cell in cells)])
    return rows


def our_columns(
    results: Results, task: str, losses: Sequence[str], metrics: Sequence[Metric]
) -> dict[str, np.ndarray]:
    """Return the scores of each loss averaged over the common seeds, `(images, metrics)`."""
    seeds = results.seeds(task, losses)
    return {
        NAMES[loss]: np.stack(
            [results.values(task, loss, m.key, seeds).mean(axis=0) for m in metrics], axis=1
        )
        for loss in losses
    }


def column(records: Records, metrics: Sequence[Metric]) -> np.ndarray:
    """Return the scores of images, `(images, metrics)`."""
    return np.array([[metric.of(record) for metric in metrics] for record in records.values()])


def papers_cells(table: PaperTable, losses: Sequence[str], images: Sequence[str]) -> Rows:
    """Return the paper's own cells, as printed, with the mean; and the authors' network."""
    rows = [[image, *(table.cells[loss][n] for loss in losses)] for n, image in enumerate(images)]
    means = [table.values(loss).mean(axis=0) for loss in losses]
    rows.append(["mean", *("/".join(f"{value:.5f}" for value in mean) for mean in means)])
    if "psnr" in table.published:
        psnr = table.published["psnr"]
        mean = next(iter(table.published["means"].values()))
        texts = [*(f"{value:.2f}" for value in psnr), f"{mean[0]:.2f}/{mean[1]:.4f}"]
        rows = [[*row, text] for row, text in zip(rows, texts, strict=True)]
    return rows
