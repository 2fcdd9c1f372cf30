"""Weights: from a name or a file to a model, and never a model with random weights.

A weight is a `.weights.h5` file and a card beside it, a JSON file of the same name that says which
builder makes the network, with which arguments, and what the file's SHA-256 is. Published cards and
files lie in `zoo/cards` and `zoo/weights`; a recipe writes the same pair into its work folder.
"""

import json
import os
from pathlib import Path
from typing import Any

import keras

from zoo.files import replacing, sha256, write_atomically

CARDS = Path(__file__).with_name("cards")
FILES = Path(__file__).with_name("weights")
SUFFIX = ".weights.h5"


class WeightsError(ValueError):
    """Weights that cannot be found, trusted or fitted, with the reason in one sentence."""


def list_weights() -> list[str]:
    """Return the names of the published weights, sorted.

    Example:
        >>> zoo.list_weights()
        ['srcnn-955-x3']
    """
    return sorted(path.stem for path in CARDS.glob("*.json"))


def card(name: str) -> dict[str, Any]:
    """Return the card of a published weight.

    Args:
        name: One of `list_weights()`.

    Raises:
        WeightsError: if there is no such weight.
    """
    path = CARDS / f"{name}.json"
    if name not in list_weights():
        raise WeightsError(f"there is no weight named {name!r}; there are {list_weights()}")
    return read_card(path)


def load_into(model: keras.Model, name: str) -> None:
    """Load weights into a model of the same architecture.

    Args:
        model: Built model; unchanged if the weights are refused before they are read.
        name: A published weight or the work folder of a recipe, whose SHA-256 is then checked, or
            any `.weights.h5` file.

    Raises:
        WeightsError: as `load`.
    """
    if Path(name).is_file() and name.endswith(SUFFIX):
        _load_file(model, Path(name))
    else:
        load_verified(model, *locate(name))


def locate(name: str) -> tuple[Path, dict[str, Any]]:
    """Return the weights file and the card of a name, a file or a work folder.

    Raises:
        WeightsError: if there is no such thing, or its card cannot be read.
    """
    if name in list_weights():
        its_card = card(name)
        return FILES / its_card["file"], its_card
    path = Path(name)
    if path.is_dir():
        path = path / f"network{SUFFIX}"
    if not path.is_file() or not path.name.endswith(SUFFIX):
        raise WeightsError(
            f"{name!r} is neither a published weight ({', '.join(list_weights())}), nor a "
            f"{SUFFIX} file, nor the work folder of a finished recipe"
        )
    return path, read_card(_card_path(path))


def load_verified(model: keras.Model, file: Path, its_card: dict[str, Any]) -> None:
    """Load a weights file into a model if its SHA-256 is the one of the card.

    Raises:
        WeightsError: if it is not, or if the file does not fit.
    """
    found = sha256(file) if file.is_file() else "no file"
    if found != its_card["sha256"]:
        raise WeightsError(
            f"{file} is not the file of its card: SHA-256 {its_card['sha256']} expected, {found} "
            "found"
        )
    _load_file(model, file)


def save(model: keras.Model, path: str | os.PathLike[str], its_card: dict[str, Any]) -> None:
    """Write a weights file and the card beside it, each whole or not at all.

    Args:
        model: Network whose weights are written.
        path: Ends with `.weights.h5`.
        its_card: At least `builder` and `arguments`; size, parameters and SHA-256 are added.
    """
    target = Path(path)
    with replacing(target) as part:
        model.save_weights(part)
    its_card = {
        **its_card,
        "file": target.name,
        "sha256": sha256(target),
        "bytes": target.stat().st_size,
        "parameters": model.count_params(),
    }
    write_atomically(_card_path(target), (json.dumps(its_card, indent=2) + "\n").encode())


def read_card(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Read a card and check that it names a builder, its arguments and a SHA-256."""
    try:
        its_card = json.loads(Path(path).read_text())
    except (OSError, ValueError) as error:
        raise WeightsError(f"the card {path} cannot be read: {error}") from None
    missing = {"builder", "arguments", "sha256"} - set(
        its_card if isinstance(its_card, dict) else ()
    )
    if missing:
        raise WeightsError(f"the card {path} lacks {', '.join(sorted(missing))}")
    return dict(its_card)


def _card_path(weights: Path) -> Path:
    return weights.with_name(weights.name.removesuffix(SUFFIX) + ".json")


def _load_file(model: keras.Model, file: Path) -> None:
    if not file.is_file():
        raise WeightsError(f"there is no weights file {file}")
    try:
        model.load_weights(file)
    except Exception as error:  # h5py and Keras raise many kinds
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise WeightsError(f"{file} does not fit {model.name}: {reason}") from None
