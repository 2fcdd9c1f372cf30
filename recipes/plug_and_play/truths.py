"""The files of which measurements are simulated: their middle, and some of their bands."""

import argparse
from pathlib import Path

import numpy as np

from recipes.data.middle import middle
from recipes.data.volumes import read_volume


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add what `read_truth` takes beside those of every command."""
    add = parser.add_argument
    add("--crop", type=int, default=0, help="side of the middle part that is taken; 0: all")
    add("--bands", type=int, default=0, help="of a cube that are taken, evenly spread; 0: all")


def read_truth(path: Path, options: argparse.Namespace) -> np.ndarray:
    """Return a file in [0, 1], `(height, width, bands)`, cut as the options say."""
    values = read_volume(path, options.bands_axis, options.variable).values
    if options.crop:
        values = middle(values, options.crop)
    if 0 < options.bands < values.shape[2]:
        spread = np.linspace(0, values.shape[2] - 1, options.bands).round().astype(int)
        values = values[..., spread]
    return values
