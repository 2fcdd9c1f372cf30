"""Coordinate search: one parameter at a time goes up and down its ladder while the score rises."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

Settings = dict[str, Any]  # values of a method's parameters, by their names
Ladders = Mapping[str, tuple[Any, ...]]  # of each parameter, the values that it may have, in order


@dataclass(frozen=True)
class Found:
    """What a search ends with."""

    settings: Settings  # the best that it saw
    score: float  # theirs
    tried: int  # settings that were scored


def search(
    score: Callable[[Settings], float],
    ladders: Ladders,
    begin: Settings,
    *,
    least: float = 0.02,
    tries: int = 40,
) -> Found:
    """Return the settings from which no step to a neighbour raises the score.

    Gains smaller than `least` are none; no new settings are scored after so many tries.

    Raises:
        ValueError: if `begin` is not on the ladders.

    Example:
        >>> search(lambda s: -((s["x"] - 3) ** 2), {"x": (1, 2, 3, 4)}, {"x": 1}).settings
        {'x': 3}
    """
    for name, ladder in ladders.items():
        if begin.get(name) not in ladder:
            raise ValueError(f"{name} must be one of {ladder}. Received: {begin.get(name)!r}")
    best = {name: begin[name] for name in ladders}
    seen = {tuple(best.values()): score(best)}
    reached = seen[tuple(best.values())]

    def climbs(name: str, step: int) -> bool:
        """Go one step, and tell whether it was worth it."""
        nonlocal best, reached
        place = ladders[name].index(best[name]) + step
        if not 0 <= place < len(ladders[name]):
            return False
        there = best | {name: ladders[name][place]}
        key = tuple(there.values())
        if key not in seen:
            if len(seen) >= tries:
                return False
            seen[key] = score(there)
        if not seen[key] > reached + least:
            return False
        best, reached = there, seen[key]
        return True

    rising = True
    while rising:
        rising = False
        for name in ladders:
            for step in (1, -1):
                while climbs(name, step):
                    rising = True
    return Found(best, reached, len(seen))
