"""What is minimised and how the learning rate goes."""

from typing import TypeAlias

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

    `labels` gives the training labels to weightings that count them. Without it, such a weighting
    is replaced by one of the same range: enough to check the other settings.

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
