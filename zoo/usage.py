"""How a network is used: what it enlarges by, what it wants as input, which noise it was made for.

Its card says so, through the builder and its arguments; nothing is guessed from the weights.
"""

import math
from dataclasses import dataclass
from typing import Any

from zoo.weights import WeightsError


@dataclass(frozen=True)
class Usage:
    """What stands around a network.

    Attributes:
        scale: Factor by which image and network together enlarge; 1 for a denoiser.
        enlarge_first: Whether the network takes the image after bicubic enlargement by `scale`.
        takes_sigma: Whether the network's second input is the level of the noise.
        levels: Lowest and highest level of the noise in training, in grey levels of 255, where the
            card tells.
    """

    scale: int = 1
    enlarge_first: bool = False
    takes_sigma: bool = False
    levels: tuple[float, float] | None = None


def usage(card: dict[str, Any]) -> Usage:
    """Return how the network of a card is used.

    Raises:
        WeightsError: if the builder is not one of the zoo.
    """
    builder, arguments = card["builder"], card["arguments"]
    if builder == "SRCNN":
        return Usage(scale=arguments["scale"], enlarge_first=True)
    if builder == "EDSR":
        return Usage(scale=arguments["scale"])
    if builder == "DnCNN":
        return Usage(levels=_levels(card, lowest=None))
    if builder == "DPHSIR":
        return Usage(takes_sigma=True, levels=_levels(card, lowest=0.0))
    raise WeightsError(f"it is not known how networks of {builder} are used")


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
        known = f"{name} takes no noise level, and its card does not say which it was trained for"
        return None if usage.takes_sigma else known
    low, high = usage.levels
    if low <= sigma <= high:
        return None
    levels = f"from {low:g} to {high:g}" if low < high else f"of {high:g}"
    return f"{name} was trained for noise {levels} grey levels of 255, not for {sigma:g}"


def _levels(card: dict[str, Any], lowest: float | None) -> tuple[float, float] | None:
    """Return the levels in training; a network for one level has no `sigma_min`, or -1."""
    settings = card.get("training", {}).get("settings", {})
    if "sigma" not in settings:
        return None
    high = float(settings["sigma"])
    low = float(settings.get("sigma_min", -1.0)) if lowest is None else lowest
    return (high if low < 0 else low), high
