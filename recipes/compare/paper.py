"""The paper's own Tables 2 to 5, transcribed digit by digit, and what can be said about them.

Source: Zhu et al., "Asymmetric Loss Based on Image Properties for Deep Learning-Based Image
Restoration", 2023. The column that the paper names RMSE holds the error relative to the reference,
which is `asykeras.nrmse`.
"""

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import NotRequired, TypedDict

import numpy as np

PAPER = Path(__file__).with_name("paper.json")
METRICS = ("psnr", "ssim", "nrmse")  # in the order in which the paper's cells hold them


class Published(TypedDict):
    """The authors' own network."""

    name: str
    means: dict[str, tuple[float, float]]  # PSNR and SSIM, by task
    psnr: NotRequired[list[float]]  # of each of the ten images, where it is known


@dataclass(frozen=True)
class PaperTable:
    """One of the tables."""

    number: int  # 2 to 5
    network: str  # as the paper prints it
    cells: dict[str, list[str]]  # from a loss to its ten cells as printed, "PSNR/SSIM/RMSE"
    remarks: list[str]  # what does not fit together, in neutral words
    published: Published

    def values(self, loss: str) -> np.ndarray:
        """Return the cells of a loss as numbers, `(10 images, 3 metrics)`."""
        return np.array([[float(part) for part in cell.split("/")] for cell in self.cells[loss]])

    def differences(self, plain: str) -> np.ndarray:
        """Return asymmetric minus plain, `(10 images, 3 metrics)`; `plain` is "mae" or "mse"."""
        return self.values(f"asy_{plain}") - self.values(plain)


@cache
def paper_table(number: int) -> PaperTable:
    """Return one of the Tables 2 to 5.

    Raises:
        ValueError: for another number.
    """
    content = json.loads(PAPER.read_text())
    if str(number) not in content["tables"]:
        raise ValueError(f"the paper's tables are 2 to 5. Received: {number}")
    table = content["tables"][str(number)]
    table["remarks"] += content["remarks"]
    return PaperTable(number, **table)
