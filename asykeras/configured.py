"""What is neither a layer nor a loss and is saved by Keras nevertheless: by its arguments."""

from typing import Self

from asykeras.types import Config


class Configured:
    """An object that is saved as the arguments of its constructor, and equal where they are.

    Subclasses implement `get_config` and are registered with
    `keras.saving.register_keras_serializable`.
    """

    def get_config(self) -> Config:
        """Return the constructor's arguments."""
        raise NotImplementedError

    @classmethod
    def from_config(cls, config: Config) -> Self:
        """Build the object from the arguments that `get_config` returned."""
        return cls(**config)

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self.get_config() == other.get_config()

    def __hash__(self) -> int:
        return hash((type(self), repr(sorted(self.get_config().items()))))

    def __repr__(self) -> str:
        arguments = ", ".join(f"{key}={value!r}" for key, value in self.get_config().items())
        return f"{type(self).__name__}({arguments})"


def positive(name: str, value: float) -> float:
    """Return an argument as a float; refuse what is not above 0 and finite."""
    if not 0 < value < float("inf"):
        raise ValueError(f"{name} must be a positive number. Received: {name}={value!r}")
    return float(value)


def not_negative(name: str, value: float) -> float:
    """Return an argument as a float; refuse what is below 0 or not finite."""
    if not 0 <= value < float("inf"):
        raise ValueError(f"{name} must be a number of 0 or more. Received: {name}={value!r}")
    return float(value)
