"""Curves, weightings and noise as the command line names them.

A text is a name, or `NAME:NUMBER,...`:

    curve       gamma:2.2  srgb  mulaw:5000  log:0.01  reinhard  pq:PEAK  pu21:PEAK
                anscombe:GAIN,READ  window:CENTRE,WIDTH
    weighting   reciprocal  quartile:0.25  power:1,0.05  slope:CURVE  noise:GAIN,READ
                density:POWER  steps:0.1=4,0.5=2,1 (weights up to each threshold, then the last)
                annealed:STEPS:WEIGHTING
    noise       poisson:GAIN,READ

GAIN and READ are in grey levels of 255: the variance at the grey level y is GAIN y + READ^2. All
else is in the units of the labels, which are in [0, 1].
"""

from collections.abc import Callable, Iterable

import numpy as np

import asykeras
from asykeras.types import LabelWeights

WHITE = 255.0
Labels = Callable[[], Iterable[np.ndarray]]  # makes the training labels, where they are asked for

CURVES: dict[str, tuple[int, int, Callable[..., asykeras.Curve]]] = {  # numbers, what makes it
    "gamma": (0, 1, asykeras.Gamma),
    "srgb": (0, 0, asykeras.SRGB),
    "mulaw": (0, 1, asykeras.MuLaw),
    "log": (0, 1, asykeras.Log),
    "reinhard": (0, 0, asykeras.Reinhard),
    "pq": (0, 1, asykeras.PQ),
    "pu21": (0, 1, asykeras.PU21),
    "anscombe": (2, 2, lambda gain, read: asykeras.Anscombe(gain / WHITE, read_noise=read / WHITE)),
    "window": (2, 2, lambda centre, width: asykeras.Window(centre, width=width)),
}
WEIGHTINGS: dict[str, tuple[int, int, Callable[..., LabelWeights]]] = {
    "reciprocal": (0, 1, asykeras.Reciprocal),
    "quartile": (0, 1, asykeras.Quartile),
    "power": (0, 2, lambda power=1.0, epsilon=0.05: asykeras.Power(power, epsilon=epsilon)),
    "noise": (
        2,
        2,
        lambda gain, read: asykeras.NoiseVariance(gain / WHITE, read_noise=read / WHITE),
    ),
}


def curve_of(text: str) -> asykeras.Curve:
    """Return the curve that a text names.

    Raises:
        ValueError: if it names none, or numbers are missing, too many or out of range.

    Example:
        >>> curve_of("mulaw:5000")
        MuLaw(mu=5000.0)
    """
    name, _, numbers = text.partition(":")
    if name not in CURVES:
        raise ValueError(f"--domain knows {', '.join(CURVES)}. Received: {text!r}")
    least, most, make = CURVES[name]
    return make(*_numbers(text, numbers, least, most))


def weighting_of(text: str, labels: Labels) -> LabelWeights:
    """Return the weighting that a text names.

    Args:
        text: See the top of this file.
        labels: Gives the training labels, from which `density` counts.

    Raises:
        ValueError: if it names none, or numbers are missing, too many or out of range.

    Example:
        >>> weighting_of("power:1,0.05", list)
        Power(power=1.0, epsilon=0.05)
    """
    name, _, rest = text.partition(":")
    if name in WEIGHTINGS:
        least, most, make = WEIGHTINGS[name]
        return make(*_numbers(text, rest, least, most))
    if name == "slope":
        return asykeras.Slope(curve_of(rest))
    if name == "density":
        return asykeras.Density.from_labels(labels(), power=_numbers(text, rest, 1, 1)[0])
    if name == "steps":
        *ranges, last = rest.split(",")
        pairs = [_numbers(text, pair.replace("=", ","), 2, 2) for pair in ranges]
        values = [value for _, value in pairs] + _numbers(text, last, 1, 1)
        return asykeras.Steps([threshold for threshold, _ in pairs], values=values)
    if name == "annealed":
        steps, _, inner = rest.partition(":")
        if not steps.isdecimal():
            raise ValueError(f"--weighting annealed:STEPS:WEIGHTING. Received: {text!r}")
        return asykeras.Annealed(weighting_of(inner, labels), steps=int(steps))
    known = [*WEIGHTINGS, "slope", "density", "steps", "annealed"]
    raise ValueError(f"--weighting knows {', '.join(known)}. Received: {text!r}")


def _numbers(text: str, numbers: str, least: int, most: int) -> list[float]:
    """Return the numbers of a text, separated by commas."""
    parts = numbers.split(",") if numbers else []
    try:
        found = [float(part) for part in parts]
    except ValueError:
        raise ValueError(f"{text.partition(':')[0]} takes numbers. Received: {text!r}") from None
    if not least <= len(found) <= most:
        wanted = str(most) if least == most else f"{least} to {most}"
        raise ValueError(f"{text.partition(':')[0]} takes {wanted} numbers. Received: {text!r}")
    return found
