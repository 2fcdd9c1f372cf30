"""The dtype policy of Keras: what networks that are built compute in."""

from collections.abc import Iterator
from contextlib import contextmanager

import keras

# Compute types by the names that users give, and the policies of Keras.
PRECISIONS = {"float32": "float32", "bfloat16": "mixed_bfloat16"}


@contextmanager
def computing_in(precision: str) -> Iterator[None]:
    """Build the networks of the block so that they compute in one of `PRECISIONS`.

    Weights, inputs and outputs are float32 in any case.

    Raises:
        ValueError: for another precision.
    """
    if precision not in PRECISIONS:
        raise ValueError(
            f"dtype must be one of {sorted(PRECISIONS)}. Received: dtype={precision!r}"
        )
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(PRECISIONS[precision])
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)
