"""How a network is used: what it enlarges by, what it wants as input, which noise it is for.

Its card says so under `use`; nothing is guessed from the weights.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from zoo.weights import WeightsError

LARGEST_SCALE = 64  # of what a network may enlarge by: a picture of more would fit nowhere
COLOURS = ("grey", "rgb", "cmyk", "bands")


@dataclass(frozen=True)
class Usage:
    """What stands around a network.

    Attributes:
        scale: Factor by which image and network together enlarge; 1 for a denoiser.
        enlarge_first: Whether the network takes the image after bicubic enlargement by `scale`.
        takes_sigma: Whether the network's second input is the level of the noise.
        levels: Lowest and highest level of the noise that it is for, in grey levels of 255.
        level: The one level that it was trained for, in grey levels of 255: for another one the
            contrast of the picture is changed meanwhile, see `contrast`.
        colours: The pictures that it is for, of `COLOURS`; None where nothing is known.
    """

    scale: int = 1
    enlarge_first: bool = False
    takes_sigma: bool = False
    levels: tuple[float, float] | None = None
    level: float | None = None
    colours: tuple[str, ...] | None = None


def usage(card: Mapping[str, Any], name: str = "") -> Usage:
    """Return how the network of a card is used.

    Args:
        card: The card.
        name: Of the weights, for messages.

    Raises:
        WeightsError: if the card does not say so, or says what cannot be.
    """
    use, whose = card.get("use"), f"{name}: its card" if name else "the card"
    if not isinstance(use, dict):
        raise WeightsError(f'{whose} lacks "use": {{"scale": 2}} or {{"levels": [0, 50]}}, say')
    unread = WeightsError(f"{whose}'s use cannot be read. Received: {str(use)[:80]}")
    try:
        found = Usage(
            scale=use.get("scale", 1),
            enlarge_first=use.get("enlarge_first", False),
            takes_sigma=use.get("takes_sigma", False),
            levels=_levels(use["levels"]) if "levels" in use else None,
            level=float(use["level"]) if "level" in use else None,
            colours=tuple(use["colours"]) if "colours" in use else None,
        )
    except (TypeError, ValueError, OverflowError):
        raise unread from None
    if (
        type(found.scale) is not int
        or not 1 <= found.scale <= LARGEST_SCALE
        or (found.level is not None and not _within(found.level, found.levels))
        or type(found.enlarge_first) is not bool
        or type(found.takes_sigma) is not bool
        or any(colour not in COLOURS for colour in found.colours or ())
    ):
        raise unread
    return found


def check_sigma(name: str, usage: Usage, sigma: float | None) -> str | None:
    """Return what a user should know about the level of the noise, or None.

    Args:
        name: Of the network.
        usage: Of the network.
        sigma: Level that is asked for, in grey levels of 255, or None.

    Returns:
        One sentence where the network was made for noise of another level or takes no level.

    Raises:
        ValueError: if a level is missing, is given to a network that enlarges, or is no level.
    """
    if sigma is None:
        if usage.takes_sigma:
            raise ValueError(f"{name} must be given the level of the noise, sigma")
        return None
    if not 0 <= sigma < math.inf:
        raise ValueError(f"sigma must be 0 or more. Received: {sigma:g}")
    if usage.scale > 1:
        raise ValueError(f"{name} enlarges and takes no noise level. Received: sigma {sigma:g}")
    if usage.levels is None:
        known = f"{name} takes no noise level, and its card does not say which it is for"
        return None if usage.takes_sigma else known
    low, high = usage.levels
    if low <= sigma <= high:
        return None
    levels = f"from {low:g} to {high:g}" if low < high else f"of {high:g}"
    return f"{name} is for noise {levels} grey levels of 255, not of {sigma:g}"


def check_colour(name: str, usage: Usage, colour: str) -> str:
    """Return what a user should know about pictures of a kind, or nothing.

    Args:
        name: Of the network.
        usage: Of the network.
        colour: Of the picture, one of `COLOURS`.
    """
    if usage.colours is None or colour in usage.colours:
        return ""
    made_for = " and ".join(usage.colours)
    return f"{name} is for {made_for} pictures: on one that is {colour}, expect poor results"


def contrast(usage: Usage, sigma: float | None) -> float:
    """Return what the contrast of a picture is multiplied by, so that its noise fits a network.

    A network that was trained for one level alone removes another one where the contrast is changed
    so that the noise has that level (`zoo.contrast`). For levels below those that it is for it is
    not changed further: the picture would leave the range that the network knows.

    Args:
        usage: Of the network.
        sigma: Level of the noise in grey levels of 255, or None.
    """
    if usage.level is None or usage.levels is None or sigma is None:
        return 1.0
    return usage.level / max(sigma, usage.levels[0])


def _within(level: float, levels: tuple[float, float] | None) -> bool:
    """Return whether contrast can be changed for each of the levels: none of them is 0."""
    return levels is not None and 0 < levels[0] and level > 0 and level <= levels[1]


def _levels(pair: Any) -> tuple[float, float]:
    low, high = (float(level) for level in pair)
    if not 0 <= low <= high < math.inf:
        raise ValueError
    return low, high
