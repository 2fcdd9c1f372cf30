"""What is minimised and by which steps: the loss, the learning rate and the optimizer."""

from collections.abc import Sequence
from typing import Any, TypeAlias

import keras
import numpy as np
from keras import ops

from asykeras import AsyMAE, AsymmetricLoss, AsyMSE, Quartile
from asykeras.types import Config, LabelWeights, Tensor
from recipes.training.settings import LOSSES, Descent, Objective
from recipes.training.weightings import Labels, curve_of, weighting_of

PLAIN = {"mse": keras.losses.MeanSquaredError, "mae": keras.losses.MeanAbsoluteError}
ASYMMETRIC = {"mse": AsyMSE, "mae": AsyMAE}
Rate: TypeAlias = float | keras.optimizers.schedules.LearningRateSchedule


def make_loss(objective: Objective, labels: Labels = tuple) -> keras.losses.Loss:
    """Return the loss that is named.

    Args:
        objective: What is set.
        labels: Gives the training labels, to weightings that count them. Without any, such a
            weighting is replaced by one of the same range: enough to check the other settings.

    Raises:
        ValueError: for names that are none, and for settings that do not go together.
    """
    if objective.loss not in LOSSES:
        raise ValueError(f"loss must be one of {LOSSES}. Received: {objective.loss!r}")
    asymmetric = objective.loss.startswith("asy_")
    error = objective.loss.removeprefix("asy_")
    domain = curve_of(objective.domain) if objective.domain else None
    if not asymmetric:
        if objective.reference != "label":
            raise ValueError(
                "--reference says where the weights of asy_mse and asy_mae are read. "
                f"Received: --loss {objective.loss}"
            )
        if domain:
            return AsymmetricLoss(error, None, domain=domain, data_format="channels_last")
        return PLAIN[error]()
    return ASYMMETRIC[error](
        _weighting(objective, labels),
        reference=objective.reference,
        domain=domain,
        apply_to=objective.apply_to,
        normalize=objective.normalize,
        balanced=objective.balanced,
        data_format="channels_last",
    )


def _weighting(objective: Objective, labels: Labels) -> LabelWeights:
    if objective.weighting == "quartile":
        return Quartile(objective.quantile)
    if "density" in objective.weighting and labels is tuple:
        return weighting_of(objective.weighting, lambda: [np.linspace(0, 1, 256)])
    return weighting_of(objective.weighting, labels)


def schedule(descent: Descent) -> Rate:
    """Return the learning rate: a number or a schedule of Keras.

    Raises:
        ValueError: for milestones that are no rising list of STEP:FACTOR.
    """
    rate = _planned(descent)
    return Again(rate, descent.first_step) if descent.first_step else rate


class Again(keras.optimizers.schedules.LearningRateSchedule):
    """The rest of a schedule from a step on, after a warm-up for new moments of the optimizer.

    Adam's moments begin at zero, and what it corrects for that by the number of the step is gone:
    its first steps would be three times too long.
    """

    WARM_UP = 200  # steps

    def __init__(self, rate: Rate, first: int):
        self.rate, self.first = rate, first

    def __call__(self, step: Tensor) -> Tensor:
        """Return the rate of a step."""
        rate = self.rate(step) if callable(self.rate) else self.rate
        done = ops.cast(step, "float32") - float(self.first)
        return rate * ops.clip((done + 1.0) / self.WARM_UP, 0.0, 1.0)

    def get_config(self) -> Config:
        """Return the arguments."""
        return {"rate": keras.saving.serialize_keras_object(self.rate), "first": self.first}


def _planned(descent: Descent) -> Rate:
    if descent.milestones:
        steps, factors = _milestones(descent.milestones)
        rates = [descent.learning_rate * factor for factor in (1.0, *factors)]
        return keras.optimizers.schedules.PiecewiseConstantDecay(steps, rates)
    if descent.schedule == "constant":
        return descent.learning_rate
    warmup = max(1, descent.steps // 50)
    return keras.optimizers.schedules.CosineDecay(
        descent.learning_rate / 100,
        max(1, descent.steps - warmup),
        alpha=0.01,
        warmup_target=descent.learning_rate,
        warmup_steps=warmup,
    )


def _milestones(text: str) -> tuple[list[int], list[float]]:
    try:
        pairs = [item.split(":") for item in text.split(",")]
        steps, factors = [int(step) for step, _ in pairs], [float(factor) for _, factor in pairs]
        if steps != sorted(set(steps)) or steps[0] < 1:
            raise ValueError
    except ValueError:
        raise ValueError(
            f"--milestones must be STEP:FACTOR,... with rising steps. Received: {text!r}"
        ) from None
    return steps, factors


def ema_momentum(descent: Descent) -> float:
    """Return the momentum of the average of the weights: as it is set, less in short runs.

    At most 1 - 25 / steps, so that the average spans the last 4 % of the steps. A longer one holds
    weights from before, which do not fit the moving statistics of batch normalisation: after 4,000
    steps with a momentum of 0.999 DnCNN lost 2.3 dB by it (BSD68, sigma 25).
    """
    return min(descent.ema, max(0.5, 1 - 25 / descent.steps))


def optimizer(descent: Descent, slow_layers: Sequence[str] = ()) -> keras.optimizers.Optimizer:
    """Return the optimizer, with its gradient clipping and the average of the weights.

    Args:
        descent: What is set.
        slow_layers: See `LayerwiseSGD`.
    """
    shared = {
        "global_clipnorm": descent.clip or None,
        "use_ema": descent.ema > 0,
        "ema_momentum": ema_momentum(descent) or 0.99,
    }
    if descent.optimizer == "sgd":
        return LayerwiseSGD(schedule(descent), momentum=0.9, slow_layers=slow_layers, **shared)
    return keras.optimizers.Adam(schedule(descent), **shared)


class LayerwiseSGD(keras.optimizers.SGD):
    """Gradient descent in which the kernels of some layers, and then all biases, learn slower.

    SRCNN was published so: the kernel of its last layer and every bias at a tenth of the rate.

    Args:
        *arguments: Those of `keras.optimizers.SGD`.
        slow_layers: Names of the layers whose kernels learn slower. Empty: all learn alike.
        **options: Those of `keras.optimizers.SGD`.
    """

    FACTOR = 0.1

    def __init__(self, *arguments: Any, slow_layers: Sequence[str] = (), **options: Any):
        super().__init__(*arguments, **options)
        self.slow_layers = slow_layers

    def build(self, variables: list[keras.Variable]) -> None:
        """Note which variables learn slower."""
        super().build(variables)
        slow = [v for v in variables if self.slow_layers and self._is_slow(v)]
        self.slow = [self._var_key(variable) for variable in slow]

    def update_step(
        self, gradient: Tensor, variable: keras.Variable, learning_rate: Tensor
    ) -> None:
        """Update one variable; the momentum holds steps, so the factor belongs into the rate."""
        factor = self.FACTOR if self._var_key(variable) in self.slow else 1.0
        super().update_step(gradient, variable, learning_rate * factor)

    def _is_slow(self, variable: keras.Variable) -> bool:
        *_, layer, name = variable.path.split("/")
        return name == "bias" or layer in self.slow_layers
