"""What is written of a cell: its scores, and what the runs of one seed must have in common."""

from typing import Literal, TypedDict, get_args

from recipes.compare.plan import Specification

Kind = Literal["psnr", "ssim_uniform", "ssim_gaussian", "rmse", "nrmse"]
KINDS: tuple[Kind, ...] = get_args(Kind)


class Record(TypedDict, total=False):
    """What is kept of a restored image, all of it of what the protocol scores."""

    psnr: float
    ssim_gaussian: float
    ssim_uniform: float
    rmse: float
    nrmse: float
    grey_levels: dict[str, list[float]]


def scores_of(record: Record) -> dict[str, float]:
    """Return the scores by their names, without the sums by grey level."""
    return {kind: record[kind] for kind in KINDS}


Records = dict[str, Record]  # image -> record


class Witness(TypedDict, total=False):
    """What the runs of one seed must have in common, and how the learning rate was changed."""

    rate_factor: float
    initial_weights: str
    first_batch: str
    first_input: list[float]


class CellResult(TypedDict, total=False):
    """The content of `evaluation.json`, or as much of it as a report keeps."""

    cell: Specification
    witness: Witness
    versions: dict[str, str]
    images: Records
