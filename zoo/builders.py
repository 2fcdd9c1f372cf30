"""The builders by name, and `load`: from a name or a file to a network with its weights."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras

from zoo.dncnn import FILTERS, DnCNN
from zoo.dphsir import DPHSIR
from zoo.edsr import EDSR
from zoo.edsr import VARIANTS as EDSR_VARIANTS
from zoo.pictures.errors import reason
from zoo.srcnn import SRCNN
from zoo.weights import WeightsError, load_verified, locate

BUILDERS: dict[str, Callable[..., keras.Model]] = {
    "DPHSIR": DPHSIR,
    "DnCNN": DnCNN,
    "EDSR": EDSR,
    "SRCNN": SRCNN,
}
# Of builders, but none that a file of a stranger may give: it would name another file.
NOT_OF_CARDS = {"weights", "normalization"}


def load(name: str, **arguments: Any) -> keras.Model:
    """Return a network with its weights.

    Args:
        name: A published weight, a `.weights.h5` file with its card beside it, or the work folder
            of a finished recipe.
        **arguments: Of the builder, instead of those of the card, where the same weights serve:
            `padding="valid"` of SRCNN.

    Raises:
        WeightsError: if it cannot be found, its SHA-256 is not the card's, or it does not fit
            the builder with these arguments.

    Example:
        >>> network = zoo.load("srcnn-955-x3")
        >>> without_border = zoo.load("srcnn-955-x3", padding="valid")
    """
    file, card = locate(name)
    builder = BUILDERS.get(card["builder"])
    if builder is None:
        raise WeightsError(f"{name}: its card names an unknown builder {card['builder'][:80]!r}")
    try:
        if forbidden := NOT_OF_CARDS & set(card["arguments"]):
            raise ValueError(f"{min(forbidden)} is no argument of a card")
        _check_size(card["builder"], card["arguments"], file)
        model = builder(**card["arguments"] | arguments)
    except Exception as error:  # arguments may be of any kind
        whose = "these arguments do" if arguments else "its card does"
        raise WeightsError(f"{name}: {whose} not fit {card['builder']}: {reason(error)}") from None
    load_verified(model, file, card)
    return model


def _check_size(builder: str, arguments: dict[str, Any], file: Path) -> None:
    """Refuse a network whose weights its file cannot hold, before it is built.

    Raises:
        ValueError: if it has too many layers, or too large ones.
    """
    if builder == "EDSR":
        blocks, filters, _ = EDSR_VARIANTS.get(arguments.get("variant", "baseline"), (0, 0, 0))
        layers = 2 * (arguments.get("blocks") or blocks)
        parameters = 9 * (arguments.get("filters") or filters) ** 2
    elif builder == "DnCNN":
        layers, parameters = (arguments.get("depth") or 2) - 2, 9 * FILTERS**2
    else:
        return  # nothing makes the others large
    # 2 bytes a parameter in float16, and what HDF5 needs at least for a layer with its names
    length = file.stat().st_size if file.is_file() else 0
    if length and layers * (2 * parameters + 200) > length:
        raise ValueError(f"its file of {length} bytes cannot hold the weights of so many layers")
