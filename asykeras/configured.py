"""What is saved by Keras as the arguments of its constructor, each of them kept under its name."""

import inspect
from typing import Self

import keras

from asykeras.types import Config


class ConfiguredLayer(keras.Layer):
    """A layer whose attributes hold the arguments of its constructor; others it adds itself."""

    def get_config(self) -> Config:
        """Return the arguments."""
        return {**super().get_config(), **_arguments(self)}


class Configured:
    """What is neither a layer nor a loss, and equal where the arguments of its constructor are.

    Subclasses implement `get_config` where their attributes do not hold the arguments, and are
    registered with `keras.saving.register_keras_serializable`.
    """

    def get_config(self) -> Config:
        """Return the constructor's arguments."""
        return _arguments(self)

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


def _arguments(instance: Configured | ConfiguredLayer) -> Config:
    """Return the arguments of a constructor, and of those that it hands its keywords on to.

    A class with a `get_config` of its own may keep some under other names, and adds them there.
    """
    found: Config = {}
    for kind in type(instance).__mro__:
        if "__init__" not in vars(kind) or not issubclass(kind, Configured | ConfiguredLayer):
            continue
        named = inspect.getfullargspec(vars(kind)["__init__"])
        for name in (*named.args[1:], *named.kwonlyargs):
            if "get_config" not in vars(kind) or hasattr(instance, name):
                found[name] = getattr(instance, name)
        if not named.varkw:
            break
    return found


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
