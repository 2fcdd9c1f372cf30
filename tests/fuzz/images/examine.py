"""One file through `restore` and `read_image`: what came of it, and what is wrong with that."""

import traceback
import warnings
from pathlib import Path

import numpy as np
import pyvips
import tifffile
from PIL import Image

from tests.fuzz.images.readers import opinion
from tests.fuzz.workers import Meter, Outcome
from zoo.app.folder import Job, restore_file
from zoo.pictures.errors import ImageError
from zoo.pictures.images import read_image
from zoo.pictures.photos import read_header
from zoo.pictures.rows import open_rows
from zoo.restoring.bands import Settings
from zoo.restoring.network import Network

LOSSLESS = ("PNG", "TIFF", "BMP")


def examine(path: Path, network: Network, settings: Settings, compare: bool) -> Outcome:
    """Restore a file, read it, and look for faults.

    Args:
        path: The file; its result goes into the folder `new` beside it.
        network: One that returns its input, where pixels are compared.
        settings: How it is restored.
        compare: Whether to compare pixels.
    """
    outcome = Outcome("restored")
    target = path.parent / "new" / path.name
    meter = Meter()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        outcome.sentence = _restored(path, target, network, settings, outcome)
        refusal = _read(path, outcome)
    if outcome.done == "refused":
        if list(target.parent.glob("*")):
            outcome.faults.append("left something of a result")
        if not refusal and "can hold" not in outcome.sentence:  # which writers say
            outcome.faults.append(f"only one of two readers refuses it: {outcome.sentence}")
    outcome.faults += [f"warns: {each.message}" for each in caught]
    meter.read(outcome)
    if compare and outcome.done == "restored" and not outcome.faults:
        _compare(path, target, outcome)
    target.unlink(missing_ok=True)
    return outcome


def _restored(
    path: Path, target: Path, network: Network, settings: Settings, outcome: Outcome
) -> str:
    try:
        return restore_file(Job(path, target), lambda colour: network, settings)
    except ImageError as error:
        outcome.done = "refused"
        _check_sentence(path, str(error), outcome)
        return str(error)
    except Exception:
        outcome.done = "failed"
        outcome.faults.append(traceback.format_exc())
        return ""


def _read(path: Path, outcome: Outcome) -> str:
    try:
        read_image(path, "file")
    except ImageError as error:
        _check_sentence(path, str(error), outcome)
        return str(error)
    except Exception:
        outcome.faults.append(traceback.format_exc())
    return ""


def _check_sentence(path: Path, sentence: str, outcome: Outcome) -> None:
    if len(sentence.splitlines()) != 1 or str(path) not in sentence:
        outcome.faults.append(f"no sentence on the file: {sentence!r}")


def _compare(path: Path, target: Path, outcome: Outcome) -> None:
    """Compare what was read with another program, and what was written with what was read."""
    photo = read_header(path)
    with open_rows(photo) as rows:
        ours = rows(0, photo.picture.height)
    other = opinion(photo)
    if other is not None:
        outcome.compared = True
        _check_equal("another program reads", photo.format, ours, other, outcome)
    try:
        new = _written(target)
    except Exception as error:
        outcome.faults.append(f"the result cannot be read: {error!r}")
        return
    new = new.reshape(*new.shape[:2], -1)
    if new.shape[:2] != ours.shape[:2]:
        outcome.faults.append(f"the result has the size {new.shape[:2]}, not {ours.shape[:2]}")
    elif photo.format in LOSSLESS and photo.stored != "palette":
        _check_equal("the result holds", photo.format, ours, new, outcome)


def _written(target: Path) -> np.ndarray:
    if target.read_bytes()[:4] == b"II*\0":
        return tifffile.imread(target)
    if target.read_bytes()[24:26] in (b"\x10\x02", b"\x10\x04", b"\x10\x06"):  # deep PNG
        return pyvips.Image.new_from_buffer(target.read_bytes(), "").numpy()
    with Image.open(target) as image:
        image.load()
        if image.mode == "1":
            image = image.convert("L")
        return np.asarray(image)


def _check_equal(
    what: str, kind: str, ours: np.ndarray, other: np.ndarray, outcome: Outcome
) -> None:
    if other.dtype == bool:
        other = other.astype(np.uint8) * 255
    if ours.shape != other.shape or ours.dtype != other.dtype:
        found = f"{other.shape} {other.dtype}, not {ours.shape} {ours.dtype}"
        outcome.faults.append(f"{what} another kind: {found}")
        return
    # what lies under alpha of 0 is nobody's business
    apart = np.abs(ours.astype(np.float64) - other.astype(np.float64))
    if kind in ("JPEG", "WEBP"):
        apart = np.maximum(apart - 2, 0)  # decoders round as they like
    if np.nan_to_num(apart, nan=1.0).any():
        outcome.faults.append(
            f"{what} other pixels: {np.count_nonzero(apart)} of {apart.size}, by {apart.max():.5g}"
        )
