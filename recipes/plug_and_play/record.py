"""A JSON file that grows cell by cell, and from which a command that was stopped goes on."""

import json
from contextlib import suppress
from pathlib import Path
from typing import Generic, TypedDict, TypeVar

from recipes.plug_and_play.search import Settings
from zoo.machine.files import write_atomically

Cell = TypeVar("Cell")


class Made(TypedDict, total=False):
    """The options of a command that decide its cells."""

    denoiser: str
    crop: int
    bands: int
    images: list[str]


class Tuned(TypedDict):
    """What `recipes.plug_and_play.tune` found for one method; levels in grey levels."""

    task: str
    noise: float
    method: str
    settings: Settings
    mpsnr: float
    tried: int


class Record(Generic[Cell]):
    """Cells by their keys, beside the options of the command that they were made with.

    What the file holds already is taken over; without options it must be there, and has them.

    Raises:
        ValueError: if the file was made with other options, or is no such record.
    """

    def __init__(self, path: Path, options: Made | None = None) -> None:
        self.path = path
        self.cells: dict[str, Cell] = {}
        if options is None or path.exists():
            earlier = self._read()
            if earlier != (earlier if options is None else options):
                raise ValueError(
                    f"{path} was made with {earlier}, not {options}: take another --out"
                )
            options = earlier
        self.options = options

    def add(self, cells: dict[str, Cell]) -> None:
        """Add cells and write the file."""
        self.cells |= cells
        content = {"options": self.options, "cells": self.cells}
        write_atomically(self.path, (json.dumps(content, indent=1) + "\n").encode())

    def _read(self) -> Made:
        """Take over the cells of the file; return its options."""
        with suppress(ValueError, KeyError, TypeError):
            content = json.loads(self.path.read_text())
            options: Made = content["options"]
            self.cells = content["cells"]
            if isinstance(options, dict) and isinstance(self.cells, dict):
                return options
        raise ValueError(f"{self.path} is not a record of this command")
