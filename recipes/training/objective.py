"""What is minimised and by which steps: the loss, the learning rate and the optimizer."""

from typing import Any

import keras

from asykeras import AsyMAE, AsymmetricLoss, AsyMSE, Quartile
from asykeras.types import Tensor
from recipes.training.settings import LOSSES, Settings


def make_loss(settings: Settings) -> keras.losses.Loss:
    """Return the loss that the settings name.

    Raises:
        ValueError: for another name.
    """
    if settings.loss == "mse":
        return keras.losses.MeanSquaredError()
    if settings.loss == "mae":
        return keras.losses.MeanAbsoluteError()
    asymmetric = {"asy_mse": AsyMSE, "asy_mae": AsyMAE}.get(settings.loss)
    if asymmetric is None:
        raise ValueError(f"loss must be one of {LOSSES}. Received: {settings.loss!r}")
    loss: AsymmetricLoss = asymmetric(
        Quartile(settings.quantile) if settings.weighting == "quartile" else settings.weighting,
        apply_to=settings.apply_to,
        normalize=settings.normalize,
        balanced=settings.balanced,
        data_format="channels_last",
    )
    return loss


def schedule(settings: Settings) -> Any:
    """Return the learning rate: a number or a schedule of Keras.

    Raises:
        ValueError: for milestones that are no rising list of STEP:FACTOR.
    """
    if settings.milestones:
        steps, factors = _milestones(settings.milestones)
        rates = [settings.learning_rate * factor for factor in (1.0, *factors)]
        return keras.optimizers.schedules.PiecewiseConstantDecay(steps, rates)
    if settings.schedule == "constant":
        return settings.learning_rate
    warmup = max(1, settings.steps // 50)
    return keras.optimizers.schedules.CosineDecay(
        settings.learning_rate / 100,
        max(1, settings.steps - warmup),
        alpha=0.01,
        warmup_target=settings.learning_rate,
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


def ema_momentum(settings: Settings) -> float:
    """Return the momentum of the average of the weights: that of the settings, less in short runs.

    At most 1 - 25 / steps, so that the average spans the last 4 % of the steps. A longer one holds
    weights from before, which do not fit the moving statistics of batch normalisation: after 4,000
    steps with a momentum of 0.999 DnCNN lost 2.3 dB by it (BSD68, sigma 25).
    """
    return min(settings.ema, max(0.5, 1 - 25 / settings.steps))


def optimizer(settings: Settings) -> keras.optimizers.Optimizer:
    """Return the optimizer, with the gradient clipping and the average of the settings."""
    shared = {
        "global_clipnorm": settings.clip or None,
        "use_ema": settings.ema > 0,
        "ema_momentum": ema_momentum(settings) or 0.99,
    }
    if settings.optimizer == "sgd":
        slow = tuple(name for name in settings.slow_layers.split(",") if name)
        return LayerwiseSGD(schedule(settings), momentum=0.9, slow_layers=slow, **shared)
    return keras.optimizers.Adam(schedule(settings), **shared)


class LayerwiseSGD(keras.optimizers.SGD):
    """Gradient descent in which the kernels of some layers, and then all biases, learn slower.

    SRCNN was published so: the kernel of its last layer and every bias at a tenth of the rate.

    Args:
        *arguments: Those of `keras.optimizers.SGD`.
        slow_layers: Names of the layers whose kernels learn slower. Empty: all learn alike.
        **options: Those of `keras.optimizers.SGD`.
    """

    FACTOR = 0.1

    def __init__(self, *arguments: Any, slow_layers: tuple[str, ...] = (), **options: Any):
        super().__init__(*arguments, **options)
        self.slow_layers = slow_layers

    def build(self, variables: list[keras.Variable]) -> None:
        """Note which variables learn slower."""
        super().build(variables)
        slow = [v for v in variables if self.slow_layers and self._is_slow(v)]
        self.slow = [self._var_key(variable) for variable in slow]

    def update_step(self, gradient: Tensor, variable: keras.Variable, learning_rate: Any) -> None:
        """Update one variable; the momentum holds steps, so the factor belongs into the rate."""
        factor = self.FACTOR if self._var_key(variable) in self.slow else 1.0
        super().update_step(gradient, variable, learning_rate * factor)

    def _is_slow(self, variable: keras.Variable) -> bool:
        *_, layer, name = variable.path.split("/")
        return name == "bias" or layer in self.slow_layers
