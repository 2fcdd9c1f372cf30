"""Times of sides that take turns, and the ratios of neighbours."""

import time
from collections.abc import Callable

import numpy as np


def ratio(first: Callable[[], object], second: Callable[[], object], rounds: int) -> np.ndarray:
    """Return the ratios of the times of two functions that take turns, one per round."""
    ratios = []
    for number in range(rounds):
        # every other round in the other order, so that a drift of the machine cancels
        order = (first, second) if number % 2 else (second, first)
        times = {function: seconds(function) for function in order}
        ratios.append(times[first] / times[second])
    return np.array(ratios)


def seconds(function: Callable[[], object]) -> float:
    """Return how long one call takes."""
    begun = time.perf_counter()
    function()
    return time.perf_counter() - begun


def quartiles(values: np.ndarray) -> str:
    """Return the median and the middle half as text."""
    low, middle, high = np.percentile(values, (25, 50, 75))
    return f"{middle:.3f} ({low:.3f} to {high:.3f})"
