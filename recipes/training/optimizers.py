"""By which rule a step follows from the gradients, and the average of the weights.

Adam, as all these networks were published with; gradient descent, for SRCNN as published; and Lion,
Lamb and Muon, to be compared with (see "What makes a minute worth more" in recipes/TRAINING.md).
None decays the weights.
"""

import math
from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from asykeras.types import Tensor
from recipes.training.objective import schedule
from recipes.training.settings import Descent


def ema_momentum(descent: Descent) -> float:
    """Return the momentum of the average of the weights: as it is set, less in short runs.

    At most 1 - 25 / steps, so that the average spans the last 4 % of the steps. A longer one holds
    weights from before, which do not fit the moving statistics of batch normalisation: after 4,000
    steps with a momentum of 0.999 DnCNN lost 2.3 dB by it (BSD68, sigma 25).
    """
    return min(descent.ema, max(0.5, 1 - 25 / descent.steps))


def optimizer(descent: Descent, slow_layers: Sequence[str] = ()) -> keras.optimizers.Optimizer:
    """Return the optimizer, with its gradient clipping and the average of the weights."""
    shared = {
        "global_clipnorm": descent.clip or None,
        "use_ema": descent.ema > 0,
        "ema_momentum": ema_momentum(descent) or 0.99,
    }
    if descent.optimizer == "sgd":
        return LayerwiseSGD(schedule(descent), momentum=0.9, slow_layers=slow_layers, **shared)
    kind = {
        "adam": keras.optimizers.Adam,
        "lion": keras.optimizers.Lion,
        "lamb": keras.optimizers.Lamb,
        "muon": KernelMuon,
    }[descent.optimizer]
    return kind(schedule(descent), **shared)


class LayerwiseSGD(keras.optimizers.SGD):
    """Gradient descent in which the kernels of some layers, and then all biases, learn slower.

    SRCNN was published so: the kernel of its last layer and every bias at a tenth of the rate.
    Without `slow_layers`, names of layers, all learn alike.
    """

    FACTOR = 0.1

    def __init__(self, *arguments: Any, slow_layers: Sequence[str] = (), **options: Any):
        super().__init__(*arguments, **options)
        self.slow_layers = slow_layers

    def build(self, variables: list[keras.Variable]) -> None:
        """Note which variables learn slower."""
        super().build(variables)
        self.slow = [self._var_key(v) for v in variables if self.slow_layers and self._is_slow(v)]

    def update_step(
        self, gradient: Tensor, variable: keras.Variable, learning_rate: Tensor
    ) -> None:
        """Update one variable; the momentum holds steps, so the factor belongs into the rate."""
        factor = self.FACTOR if self._var_key(variable) in self.slow else 1.0
        super().update_step(gradient, variable, learning_rate * factor)

    def _is_slow(self, variable: keras.Variable) -> bool:
        *_, layer, name = variable.path.split("/")
        return name == "bias" or layer in self.slow_layers


class KernelMuon(keras.optimizers.Muon):
    """Muon for convolutions: a kernel (kh, kw, cin, cout) is a matrix (kh kw cin) x cout.

    `keras.optimizers.Muon` leaves all but matrices to Adam, so every layer here. Here too, Adam
    takes vectors, and kernels from or to fewer than `LEAST` channels: the layers from and to an
    image, which Muon is not for (https://kellerjordan.github.io/posts/muon). One rate fits both: an
    entry of a kernel moves by 0.2 of it, as Adam's do on average (Liu et al. 2025, arXiv
    2502.16982).
    """

    LEAST = 16

    def __init__(self, *arguments: Any, **options: Any):
        decay = {"weight_decay": None, "adam_weight_decay": None}
        super().__init__(*arguments, **(decay | options))

    def _should_use_adamw(self, variable: keras.Variable) -> bool:
        return len(variable.shape) < 2 or min(variable.shape[-2:]) < self.LEAST

    def zeropower_via_newtonschulz5(self, x: Tensor, steps: int) -> Tensor:
        """Return the update of a kernel or matrix, orthogonal as a matrix."""
        matrix = ops.reshape(x, _matrix(x.shape))
        return ops.reshape(super().zeropower_via_newtonschulz5(matrix, steps), x.shape)

    def lr_adjust(self, x: Tensor) -> Tensor:
        """Return a step whose entries are as large as those of Adam."""
        return x * math.sqrt(max(_matrix(x.shape))) * self.rms_rate


def _matrix(shape: Sequence[int]) -> tuple[int, int]:
    return math.prod(shape[:-1]), shape[-1]
