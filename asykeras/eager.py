"""What can be checked of the values of a tensor: only those that are there, not those being traced.

A compiled step holds no values while it is traced. So these checks see what runs eagerly, and
nothing in compiled code, which has no error to raise either: there `alarm` makes a number NaN.
"""

import keras
import numpy as np

from asykeras.types import Tensor

# What noise and overshoot add to a range stays within half of it; another unit does not.
MARGIN = 0.5


def eager_values(tensor: Tensor) -> np.ndarray | None:
    """Return the values of an eager tensor in float32, None for one that is being traced."""
    if isinstance(tensor, keras.KerasTensor):
        return None
    try:
        return np.asarray(keras.ops.convert_to_numpy(tensor), dtype="float32")
    except Exception:  # each backend refuses a traced tensor with an exception of its own
        return None


def check_range(values: Tensor, low: float, high: float, expected: str) -> None:
    """Refuse eager values far outside a range, as those of 8-bit images where [0, 1] is meant.

    `MARGIN` of the range is allowed for beyond both ends. The message begins with what is expected
    and what to do.
    """
    found = eager_values(values)
    if found is None:
        return
    numbers = ~np.isnan(found)
    least = found.min(where=numbers, initial=np.inf)
    most = found.max(where=numbers, initial=-np.inf)
    margin = MARGIN * (high - low)
    if least < low - margin or most > high + margin:
        raise ValueError(f"{expected}. Received: {least=:g}, {most=:g}")


def alarm(values: Tensor, low: float, high: float) -> Tensor:
    """Return NaN for each value that `check_range` would refuse, else 0; constant for gradients.

    Added to a loss it lets the loss be seen to fail where nothing can be raised, in compiled code,
    and leaves the gradient, and so the network, as they are.
    """
    middle, reach = (low + high) / 2, (0.5 + MARGIN) * (high - low)
    outside = keras.ops.abs(values - middle) > reach
    return keras.ops.stop_gradient(keras.ops.where(outside, float("nan"), 0.0))
