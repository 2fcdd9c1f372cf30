"""A JSON file that grows cell by cell, and from which a command that was stopped goes on."""

import json
from pathlib import Path
from typing import Any

from zoo.machine.files import write_atomically


class Record:
    """Cells by their keys, beside the options that they were made with.

    Args:
        path: Of the file; what it holds already is taken over.
        options: Of the command.

    Raises:
        ValueError: if the file was made with other options, or is no such record.
    """

    def __init__(self, path: Path, options: dict[str, Any]) -> None:
        self.path, self.options = path, options
        self.cells: dict[str, Any] = {}
        if path.exists():
            earlier, self.cells = read_record(path)
            if earlier != options:
                raise ValueError(
                    f"{path} was made with {earlier}, not {options}: take another --out"
                )

    def add(self, cells: dict[str, Any]) -> None:
        """Add cells and write the file."""
        self.cells |= cells
        content = {"options": self.options, "cells": self.cells}
        write_atomically(self.path, (json.dumps(content, indent=1) + "\n").encode())


def read_record(path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the options and the cells of a file.

    Raises:
        ValueError: if it is no such record.
    """
    try:
        content = json.loads(path.read_text())
        options, cells = content["options"], content["cells"]
    except (ValueError, KeyError, TypeError):
        raise ValueError(f"{path} is not a record of this command") from None
    if not (isinstance(options, dict) and isinstance(cells, dict)):
        raise ValueError(f"{path} is not a record of this command")
    return options, cells
