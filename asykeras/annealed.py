"""A weighting that fades to 1 while a network is trained, and the layer that counts its steps."""

from collections.abc import Mapping
from typing import Any, Self, Unpack
from uuid import uuid4
from weakref import WeakValueDictionary

import keras
from keras import ops

from asykeras.configured import Configured, ConfiguredLayer
from asykeras.eager import eager_values
from asykeras.types import Config, LabelWeights, LayerOptions, Shape, Tensor


@keras.saving.register_keras_serializable(package="asykeras")
class StepCounter(ConfiguredLayer):
    """Layer that passes images through and counts the training steps: see `Annealed`.

    The count is a weight of the layer: it is saved and restored with the model that has it, and a
    compiled step that holds several (`steps_per_execution`) counts each.

    Args:
        key: What a loaded model and its loss know the same counter by; by default a new one.
        **options: `name`, `dtype` and `trainable`, as in `keras.Layer`.

    Call: any images -> the same images.
    """

    def __init__(self, *, key: str | None = None, **options: Unpack[LayerOptions]):
        super().__init__(**options)
        self.supports_masking = True
        self.key = uuid4().hex if key is None else key
        self.called = False
        self.steps = self.add_weight(
            shape=(), initializer="zeros", dtype="int32", trainable=False, name="steps",
            aggregation="only_first_replica",
        )  # fmt: skip

    def call(self, images: Tensor, training: bool = False) -> Tensor:
        """Return the images; count, while training."""
        self.called = True
        if training:
            self.steps.assign(self.steps + 1)
        return images

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Return the shape of the images unchanged."""
        return tuple(input_shape)

    @classmethod
    def from_config(cls, config: Config) -> Self:
        """Build the layer from the arguments that `get_config` returned."""
        counter = super().from_config(config)
        LATEST[counter.key] = counter
        return counter


# A file holds a counter twice, as a layer and in the loss, and Keras builds the layer first.
LATEST: WeakValueDictionary[str, StepCounter] = WeakValueDictionary()


@keras.saving.register_keras_serializable(package="asykeras")
class Annealed(Configured):
    """A weighting that fades to 1: at the end of the training there is none.

    In step n, `1 + (1 - min(n / steps, 1)) (M - 1)`. Weights that are read from the label bias what
    is learned; fading them removes the bias at the end.

    A loss does not know in which step it is called. The model counts: put `counter` behind the
    network that is trained. The step is then part of the model, saved and restored with it, and is
    the same on every backend. A weighting whose counter no model holds refuses to be compiled.

    Args:
        weighting: What fades: any weighting.
        steps: Training steps after which every weight is 1; a whole number above 0.
        counter: Of another `Annealed` that counts for this one too; by default one of its own.

    Attributes:
        counter: The layer that counts.

    Raises:
        ValueError: if `weighting` cannot be called or `steps` is no whole number above 0; while a
            step is compiled, if no model holds the counter.

    Example:
        >>> weighting = Annealed(Power(1, epsilon=0.05), steps=2000)
        >>> trainer = keras.Sequential([network, weighting.counter])
        >>> trainer.compile("adam", loss=AsyMSE(weighting))

    Reference: CSBDeep lets the threshold of its weights fade likewise.
    """

    def __init__(self, weighting: LabelWeights, *, steps: int, counter: StepCounter | None = None):
        if not callable(weighting):
            raise ValueError(f"weighting must be one such as Power(). Received: {weighting=}")
        if isinstance(steps, bool) or steps != int(steps) or steps < 1:
            raise ValueError(f"steps must be a whole number above 0. Received: {steps=}")
        self.weighting = weighting
        self.steps = int(steps)
        self.counter = StepCounter() if counter is None else counter
        self.label_range = getattr(weighting, "label_range", None)

    def __call__(self, images: Tensor) -> Tensor:
        """Return the weights of this step: shape and range as those of the weighting."""
        if not self.counter.called and eager_values(images) is None:
            raise ValueError(
                "Annealed needs a model that counts its steps: put annealed.counter behind the "
                f"network, in a keras.Sequential. Received: counter.called={self.counter.called}"
            )
        weights = self.weighting(images)
        step = ops.cast(self.counter.steps.value, "float32")
        left = 1.0 - ops.minimum(step / self.steps, 1.0)
        return 1.0 + left * (weights - 1.0)

    def get_config(self) -> Config:
        """Return the constructor's arguments."""
        return {
            "weighting": keras.saving.serialize_keras_object(self.weighting),
            "steps": self.steps,
            "counter": self.counter.key,
        }

    @classmethod
    def from_config(cls, config: Config) -> Self:
        """Build the weighting from the arguments that `get_config` returned."""
        arguments: Mapping[str, Any] = {**config}
        key = arguments["counter"]
        return cls(
            keras.saving.deserialize_keras_object(arguments["weighting"]),
            steps=arguments["steps"],
            counter=LATEST.get(key) or StepCounter(key=key),
        )
