"""The builders by name, and `load`: from a name or a file to a network with its weights."""

from collections.abc import Callable
from typing import Any

import keras

from zoo.dncnn import DnCNN
from zoo.dphsir import DPHSIR
from zoo.edsr import EDSR
from zoo.srcnn import SRCNN
from zoo.weights import WeightsError, load_verified, locate

BUILDERS: dict[str, Callable[..., keras.Model]] = {
    "DPHSIR": DPHSIR,
    "DnCNN": DnCNN,
    "EDSR": EDSR,
    "SRCNN": SRCNN,
}


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
        raise WeightsError(f"{name}: its card names an unknown builder {card['builder']!r}")
    try:
        model = builder(**card["arguments"] | arguments)
    except (TypeError, ValueError) as error:
        whose = "these arguments do" if arguments else "its card does"
        raise WeightsError(f"{name}: {whose} not fit {card['builder']}: {error}") from None
    load_verified(model, file, card)
    return model
