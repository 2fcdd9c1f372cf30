"""What all builders do alike: they refuse arguments, and load weights."""

from collections.abc import Collection

import keras

from zoo.store.weight import load_into

# Of the last layers, under every policy: images in half precision show steps.
OUTPUT_DTYPE = "float32"


def one_of(name: str, value: int | str, choices: Collection[int] | Collection[str]) -> None:
    """Refuse an argument that is none of some, by a ValueError that names them."""
    if value not in tuple(choices):  # also what cannot be hashed
        *others, last = map(repr, choices)
        raise ValueError(
            f"{name} must be {', '.join(others)} or {last}. Received: {name}={value!r}"
        )


def whole_number(name: str, value: int, least: int = 1) -> int:
    """Return an argument that is an int of at least so much; a ValueError where it is not."""
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise ValueError(f"{name} must be an int from {least}. Received: {name}={value!r}")
    return value


def with_weights(model: keras.Model, weights: str | None) -> keras.Model:
    """Return the model with the weights of a file or a name, or, for None, as it is."""
    if weights is not None:
        load_into(model, weights)
    return model
