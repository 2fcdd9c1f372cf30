r"""Score trained networks on the images of a report, and put them beside the paper's numbers.

    python -m recipes.compare.trained dncnn-gray-25 --preset paper-table-4 --data DATA \
        --report recipes/results/paper-table-4

The networks that compare losses are trained shortly; this says where longer trained ones are. A
weight is a name of the zoo, a file, or the work folder of a run.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from recipes.compare import tables
from recipes.compare.measure import measure, read_tests
from recipes.compare.paper import PaperTable, paper_table
from recipes.compare.plan import NAMES
from recipes.compare.presets import PRESETS, Preset
from recipes.compare.report import REPORT, split
from recipes.compare.results import Metric, metrics
from recipes.compare.sections import METRIC_LABEL, TRAINED
from zoo.app.command import Work, command
from zoo.machine.files import write_atomically
from zoo.pictures.images import ImageError
from zoo.scoring.tasks import parse
from zoo.store.weight import find

UNKNOWN = (
    "The paper does not say which images and which scale its table is of, so none of its numbers "
    "stand beside these; its means are above."
)
KNOWN = (
    "The paper's images, with noise of the level that fits its numbers; another noise, as every "
    "measurement has its own."
)


def columns(
    weights: Sequence[str], preset: Preset, images: dict[str, np.ndarray], found: Sequence[Metric]
) -> dict[str, np.ndarray]:
    """Return what each network scores, and for super-resolution bicubic: `(images, metrics)`.

    Raises:
        WeightsError: if a weight cannot be loaded.
    """
    scores = {}
    for weight in weights:
        scale = find(weight).card.use.scale
        task = parse(f"x{scale}" if scale > 1 else preset.tasks[0])
        models: dict[str, str | None] = {f"bicubic {task}": None} if scale > 1 else {}
        for name, model in (models | {Path(weight).name: weight}).items():
            scores[name] = tables.column(measure(model, images, task), found)
    return scores


def section(table: PaperTable, ours: dict[str, np.ndarray], images: Sequence[str]) -> str:
    """Return the section of a report."""
    known = table.number in (4, 5)
    rows = tables.paper_layout(ours, images, metrics("uniform"), str)
    header = ["image", *ours]
    if known:
        theirs = tables.papers_cells(table, list(NAMES), images)
        header = ["image", *(f"paper, {name}" for name in NAMES.values()), *ours]
        header += [f"{table.published['name']}, PSNR"]
        rows = [[*paper[:-1], *row[1:], paper[-1]] for paper, row in zip(theirs, rows, strict=True)]
    return (
        f"## {TRAINED}\n\n{METRIC_LABEL} (the paper's column RMSE). {KNOWN if known else UNKNOWN}"
        f"\n\n{tables.markdown(header, rows)}"
    )


def put(section: str, report: Path) -> None:
    """Put a section into a report, before its protocol or in the place of the one that is there."""
    there = split(report.read_text())
    protocol = there.pop("Protocol", "")
    there[TRAINED] = section + "\n"
    write_atomically(report, ("".join(there.values()) + protocol).encode())


@command
def main(parser: argparse.ArgumentParser) -> Work:
    """Add the options; return what is done with them."""
    parser.add_argument("weights", nargs="+", metavar="WEIGHT", help="name, file or work folder")
    parser.add_argument("--preset", required=True, choices=list(PRESETS), help="a protocol")
    parser.add_argument("--data", required=True, metavar="DATA", help="holds the test images")
    parser.add_argument("--report", required=True, metavar="DIR", help="of recipes.compare")
    return put_trained


def put_trained(options: argparse.Namespace) -> None:
    """Score the networks and put them into the report."""
    preset, report = PRESETS[options.preset], Path(options.report) / REPORT
    if not report.exists():
        raise ImageError(f"{options.report} holds no {REPORT}")
    images = read_tests(Path(options.data) / preset.test, preset.names)
    ours = columns(options.weights, preset, images, metrics("uniform"))
    put(section(paper_table(preset.table), ours, list(images)), report)
    print(f"wrote {report}")


if __name__ == "__main__":
    raise SystemExit(main())
