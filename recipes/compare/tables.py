"""Tables as Markdown, CSV and LaTeX."""

import csv
import io
from collections.abc import Callable, Sequence

import numpy as np

from recipes.compare.paper import PaperTable
from recipes.compare.plan import NAMES
from recipes.compare.results import Metric, Results

Rows = list[list[str]]
Bold = Callable[[str], str]


markdown_bold: Bold = "**{}**".format
latex_bold: Bold = r"\textbf{{{}}}".format


def markdown(header: Sequence[str], rows: Rows) -> str:
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
    for character in "&%$#_{}":
        text = text.replace(character, "\\" + character)
    return text


def csv_text(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Return rows as CSV."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([header, *rows])
    return text.getvalue()


def paper_layout(
    columns: dict[str, np.ndarray], images: Sequence[str], metrics: Sequence[Metric], bold: Bold
) -> Rows:
    """Return the rows of the paper's Tables 2 to 5: a line per image and one for the mean.

    A column has the scores `(images, metrics)` of a network, with slashes between. `bold` marks the
    best of a line, for each metric; all of them where several are equal as printed.
    """
    everything = {name: np.vstack([v, v.mean(axis=0)]) for name, v in columns.items()}
    rows = []
    for line, image in enumerate([*images, "mean"]):
        best = [
            (max if m.higher_is_better else min)(
                (m.text(values[line, k]) for values in everything.values()), key=float
            )
            for k, m in enumerate(metrics)
        ]
        row = [image]
        for values in everything.values():
            texts = [m.text(values[line, k]) for k, m in enumerate(metrics)]
            marked = [bold(t) if t == b else t for t, b in zip(texts, best, strict=True)]
            row.append("/".join(marked))
        rows.append(row)
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


def baseline_column(results: Results, task: str, metrics: Sequence[Metric]) -> np.ndarray:
    """Return the scores of the degraded images, `(images, metrics)`."""
    records = results.baselines[task].values()
    return np.array([[m.of(record) for m in metrics] for record in records])


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
