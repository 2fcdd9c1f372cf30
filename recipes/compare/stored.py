"""What a report keeps of its runs: enough to compute it again without training or images.

`scores.csv` has a line for each run and image. `grey-level-sums.csv` has the sums of squared errors
by grey level of the label (see `grey_levels`), and the number of pixels once for each image.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

from recipes.compare.cells import CompareError
from recipes.compare.grey_levels import BINS
from recipes.compare.plan import Cell
from recipes.compare.records import KINDS, CellResult, Records
from recipes.compare.results import Results
from recipes.compare.tables import csv_rows, csv_text

SCORES, SUMS = "scores.csv", "grey-level-sums.csv"
RUN = ("task", "configuration", "seed")
BIN_NAMES = tuple(f"bin{number}" for number in range(BINS))
Run = tuple[str, str, str]


def scores_csv(results: Results) -> str:
    """Return every score of every finished run and of the degraded images, unrounded."""
    rows = [
        [*run, image, *(record[kind] for kind in KINDS), factor]
        for run, records, factor in _runs(results)
        for image, record in records.items()
    ]
    return csv_text([*RUN, "image", *KINDS, "rate_factor"], rows)


def sums_csv(results: Results) -> str:
    """Return the sums by grey level of every run, to nine digits."""
    rows = []
    for run, records, _ in _runs(results):
        for image, record in records.items():
            sums = record["grey_levels"]
            if run[1] == "none":
                rows.append([*run, image, "count", *sums["count"]])
            rows.append([*run, image, "squared", *(f"{value:.9g}" for value in sums["squared"])])
    return csv_text([*RUN, "image", "kind", *BIN_NAMES], rows)


def _runs(results: Results) -> Iterator[tuple[Run, Records, float]]:
    for task, records in results.baselines.items():
        yield (task, "none", ""), records, 1.0
    for cell in results.plan:
        if cell.name in results.cells:
            content = results.cells[cell.name]
            run = cell.task, cell.configuration.name, str(cell.seed)
            yield run, content["images"], content["witness"]["rate_factor"]


def read(plan: Sequence[Cell], report: Path) -> Results:
    """Return the results that a report keeps.

    Raises:
        CompareError: if they cannot be read, or are of runs that are not in the plan.
    """
    planned = {(cell.task, cell.configuration.name, str(cell.seed)): cell for cell in plan}
    results = Results({}, plan, {}, report, stored=True)
    try:
        _read_scores(results, planned, report / SCORES)
        if (report / SUMS).exists():
            _read_sums(results, planned, report / SUMS)
    except (OSError, KeyError, ValueError, TypeError) as error:
        raise CompareError(f"the scores in {report} cannot be read: {error!r}") from None
    return results


def _read_scores(results: Results, planned: dict[Run, Cell], path: Path) -> None:
    for run, image, row in _rows(path):
        if run[1] == "none":
            records = results.baselines.setdefault(run[0], {})
        elif run in planned:
            factor = float(row.get("rate_factor") or 1)
            new: CellResult = {"images": {}, "witness": {"rate_factor": factor}}
            records = results.cells.setdefault(planned[run].name, new)["images"]
        else:
            raise CompareError(
                f"{path} has the run {' '.join(run)}, which these options do not plan: give those "
                "that the report was made with"
            )
        records[image] = {}
        for kind in KINDS:
            records[image][kind] = float(row[kind])


def _read_sums(results: Results, planned: dict[Run, Cell], path: Path) -> None:
    """Add the sums to the records; the number of pixels is that of the degraded image."""
    for run, image, row in _rows(path):
        records = (
            results.baselines[run[0]]
            if run[1] == "none"
            else results.cells[planned[run].name]["images"]
        )
        counts = results.baselines[run[0]][image].get("grey_levels", {})
        sums = {row["kind"]: [float(row[name]) for name in BIN_NAMES]}
        records[image]["grey_levels"] = {**counts, **sums}


def _rows(path: Path) -> Iterator[tuple[Run, str, dict[str, str]]]:
    """Give run, image and line."""
    for row in csv_rows(path):
        yield (row["task"], row["configuration"], row["seed"]), row["image"], row
