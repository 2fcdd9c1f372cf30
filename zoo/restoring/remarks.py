"""What a user should know where a picture or its noise is not what a network is for."""

import math

from zoo.pictures.picture import Picture
from zoo.restoring.network import Network
from zoo.store.card import WHITE, Use


def sigma_remark(name: str, use: Use, sigma: float | None) -> str:
    """Return one sentence where a network is for noise of another level or takes none, or nothing.

    A level, in image units, that is missing, is given to a network that enlarges, or is none,
    raises `ValueError`.
    """
    if sigma is None:
        if use.takes_sigma:
            raise ValueError(f"{name} must be given the level of the noise. Received: sigma=None")
        return ""
    if not 0 <= sigma < math.inf:
        raise ValueError(f"sigma must be 0 or more. Received: sigma={sigma:g}")
    if use.scale > 1:
        raise ValueError(f"{name} enlarges and takes no noise level. Received: sigma={sigma:g}")
    if use.levels is None:
        unknown = f"{name} takes no noise level, and its card does not say which it is for"
        return "" if use.takes_sigma else unknown
    low, high = use.levels
    if low <= sigma <= high:
        return ""
    grey = [f"{level * WHITE:g}" for level in (low, high, sigma)]
    levels = f"from {grey[0]} to {grey[1]}" if low < high else f"of {grey[1]}"
    return f"{name} is for noise {levels} grey levels of 255, not of {grey[2]}"


def remark_on_level(network: Network, sigma: float | None) -> str:
    """Return what `sigma_remark` says of a network, or of what denoises in a chain."""
    denoisers = [each for each in network.stages if each.use.scale == 1] or [network]
    said = (sigma_remark(each.name, each.use, sigma) for each in denoisers)
    return "; ".join(filter(None, said))


def remark_on_picture(network: Network, picture: Picture) -> str:
    """Return where a picture is not what a network or a part of a chain is for, or nothing."""
    said = [colour_remark(each.name, each.use, picture.colour) for each in network.stages]
    if picture.dtype.kind == "u":
        said += [light_remark(each.name, each.use) for each in network.stages]
    return "; ".join(filter(None, said))


def colour_remark(name: str, use: Use, colour: str) -> str:
    """Return one sentence where a network is not for pictures of a kind, or nothing."""
    if use.colours is None or colour in use.colours:
        return ""
    made_for = " and ".join(use.colours)
    return f"{name} is for {made_for} pictures: on one that is {colour}, expect poor results"


def light_remark(name: str, use: Use) -> str:
    """Return one sentence where a network takes no values of sRGB, as integers are, or nothing."""
    if not use.linear:
        return ""
    return f"{name} is for linear light: decode the picture from sRGB and give it in floating point"
