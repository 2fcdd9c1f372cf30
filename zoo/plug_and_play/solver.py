"""Plug-and-play restoration: a denoiser as the prior of any linear task."""

from dataclasses import dataclass
from typing import TypedDict, Unpack

import keras
import numpy as np
from keras import ops

from asykeras.types import Tensor
from zoo.plug_and_play.denoisers import Denoiser, denoiser_of, turned
from zoo.plug_and_play.task import Task, checked

METHODS = ("admm", "hqs")
LEAST_NOISE = 0.001  # of a measurement: the authors' value
AXES = "batch, height, width, channels"


@dataclass(frozen=True)
class Schedule:
    """What the iterations go through: levels of the denoiser and weights of the step to the data.

    The levels fall from `first` to `last` in equal steps of their logarithm, and
    rho_k = lam sigma^2 / sigma_k^2. All levels are in image units, white at 1. In code:
    `zoo.plug_and_play.Schedule(35 / 255, 10 / 255)`.

    This is the rho of every task. The authors' code halves it in deblurring and super-resolution
    and nowhere else, so their lam of 0.23 is 0.115 here in these two.

    Attributes:
        first: Level of the first iteration.
        last: Level of the last.
        iterations: Their number.
        lam: Weight of the prior.
        noise: Level of the measurement's noise; 0.001, the authors' value, where it is less.

    Raises:
        ValueError: for a level, number or weight that is not above 0, or noise below it.
    """

    first: float = 35 / 255
    last: float = 10 / 255
    iterations: int = 24
    lam: float = 0.23
    noise: float = 0.0

    def __post_init__(self) -> None:
        """Refuse what makes no schedule."""
        for name in ("first", "last", "iterations", "lam"):
            value = getattr(self, name)
            if not (np.isfinite(value) and value > 0):
                raise ValueError(f"{name} must be above 0. Received: {name}={value!r}")
        if not (np.isfinite(self.noise) and self.noise >= 0):
            raise ValueError(f"noise must be 0 or more. Received: noise={self.noise!r}")

    def levels(self) -> np.ndarray:
        """Return sigma_k."""
        return np.geomspace(self.first, self.last, self.iterations).astype(np.float32)

    def weights(self) -> np.ndarray:
        """Return rho_k."""
        noise = max(self.noise, LEAST_NOISE)
        return (self.lam * noise**2 / self.levels().astype(np.float64) ** 2).astype(np.float32)


@dataclass(frozen=True)
class Restored:
    """What a `Solver` returns.

    Attributes:
        x: Of the last iteration (see `Solver`), float32, unclipped: nearest to what was measured.
        v: What the denoiser made of it.
        pictures: The one of the two that suits the noise.
        changes: Root mean square change of v in each iteration that was made.
        psnr: PSNR of x or v in each iteration, in dB with white at 1; empty where the truth is
            unknown.
    """

    x: np.ndarray
    v: np.ndarray
    pictures: np.ndarray
    changes: np.ndarray
    psnr: np.ndarray


class SolverOptions(TypedDict, total=False):
    """What a `Solver` takes by keyword."""

    method: str
    augment: bool
    tolerance: float
    group: int | None
    level: float | None


class Solver:
    """Restores pictures by alternating between the measurement and a denoiser.

    From v = start and u = 0, for each k:

        x = prox(v - u, rho_k)        the x with the least |A x - y|^2 + rho_k |x - (v - u)|^2
        v = denoise(x + u, sigma_k)
        u = u + x - v                 ADMM; with HQS u stays 0

    `Restored.pictures` is x with ADMM where the measurement has no noise (`Schedule.noise` of at
    most 0.001): what was measured stays as it is, such as the known pixels of inpainting. Else it
    is v, for x brings the noise back; with little noise x can be the better one all the same. The
    authors' ADMM always returns x, their HQS v.

    The loop is compiled as a whole, on every backend, once for each size of pictures and number of
    iterations.

    Args:
        task: What the pictures went through.
        denoiser: See `denoiser_of`.
        schedule: Levels and weights; by default those of the authors for super-resolution.
        method: `"admm"` or `"hqs"` (half-quadratic splitting).
        augment: Whether the denoiser sees the pictures turned and mirrored, another of the eight
            ways in each iteration, as the authors do ("periodic geometric self-ensemble").
        tolerance: Stop when the root mean square change of v falls below it; 0 never stops.
        group: See `denoiser_of`.
        level: See `denoiser_of`; in image units.

    Raises:
        ValueError: for an unknown method, or what `denoiser_of` refuses.

    Example:
        >>> solver = Solver(Blur(kernel), zoo.load(NAME), Schedule(35 / 255, 10 / 255))
        >>> restored = solver(blurred)  # (batch, height, width, bands), white at 1
        >>> restored.pictures

    Reference: Lai et al., "Deep plug-and-play prior for hyperspectral image restoration",
    Neurocomputing 2022, arXiv:2209.08240, Sec. 3; HQS: Zhang et al., "Plug-and-play image
    restoration with deep denoiser prior", TPAMI 2021.
    """

    def __init__(
        self,
        task: Task,
        denoiser: keras.Model | Denoiser,
        schedule: Schedule | None = None,
        *,
        method: str = "admm",
        augment: bool = False,
        tolerance: float = 0.0,
        group: int | None = None,
        level: float | None = None,
    ) -> None:
        if method not in METHODS:
            raise ValueError(
                f"method must be one of {', '.join(METHODS)}. Received: method={method!r}"
            )
        self.task = task
        run = denoiser_of(denoiser, group=group, level=level)
        self.schedule = Schedule() if schedule is None else schedule
        self._loop = _Loop(task, run, method, augment, tolerance)
        if isinstance(denoiser, keras.Model):
            self._loop.network = denoiser  # so that its variables belong to what is compiled

    def __call__(
        self,
        measurement: Tensor,
        start: Tensor | None = None,
        truth: Tensor | None = None,
        schedule: Schedule | None = None,
    ) -> Restored:
        """Restore pictures.

        Args:
            measurement: y, of the shape that the task makes, in image units (white at 1).
            start: First v; by default what the task makes of the measurement. A result of an
                earlier call goes on from there.
            truth: The pictures without degradation, to follow the PSNR; it changes nothing else.
            schedule: Of this call; by default the solver's.

        Raises:
            ValueError: for values that are not finite, or shapes that do not fit.
        """
        y = checked("measurement", measurement, AXES)
        shape = self.task.picture_shape(y.shape)
        v = checked("start", self.task.start(y) if start is None else start, AXES, shape)
        known = v if truth is None else checked("truth", truth, AXES, shape)
        schedule = self.schedule if schedule is None else schedule
        levels = np.stack([schedule.levels(), schedule.weights()])
        outputs = self._loop.predict_on_batch([y, v, known, levels])
        x, v, changes, made, *errors = (np.asarray(each) for each in outputs)
        gives_x = self._loop.keeps_u and schedule.noise <= LEAST_NOISE
        error = errors[0 if gives_x else 1][0, : made[0]]
        psnr = -10 * np.log10(np.maximum(error, 1e-20)) if truth is not None else error[:0]
        return Restored(x, v, x if gives_x else v, changes[0, : made[0]], psnr)


def plug_and_play(
    task: Task,
    measurement: Tensor,
    denoiser: keras.Model | Denoiser,
    schedule: Schedule | None = None,
    *,
    start: Tensor | None = None,
    truth: Tensor | None = None,
    **options: Unpack[SolverOptions],
) -> Restored:
    """Restore pictures once: `Solver(task, denoiser, schedule, **options)(measurement, ...)`.

    Arguments, and what is raised: see `Solver`.

    Example:
        >>> restored = plug_and_play(Blur(kernel), blurred, zoo.load(NAME), Schedule(noise=0.01))
    """
    return Solver(task, denoiser, schedule, **options)(measurement, start, truth)


class _Loop(keras.Model):
    """All iterations: `[measurement, start, truth, levels and weights]` -> x, v and what happened.

    What happened is, by iteration, the change of v, and after their number the errors of x and v.
    """

    def __init__(
        self, task: Task, denoiser: Denoiser, method: str, augment: bool, tolerance: float
    ) -> None:
        super().__init__(name="plug_and_play", dtype="float32")
        self.task = task
        self.denoise = denoiser
        self.keeps_u = method == "admm"
        self.augment = augment
        self.tolerance = tolerance

    def call(self, inputs: list[Tensor]) -> tuple[Tensor, ...]:
        """Run the loop."""
        y, start, truth, schedule = inputs
        levels, weights = ops.unstack(schedule, num=2)
        count = ops.shape(levels)[0]
        numbers = ops.arange(count)

        def goes_on(k: Tensor, x: Tensor, v: Tensor, u: Tensor, *traces: Tensor) -> Tensor:
            last = ops.sum(ops.where(numbers == k - 1, traces[0], 0.0))
            return ops.logical_and(k < count, ops.logical_or(k == 0, last >= self.tolerance))

        def step(k: Tensor, x: Tensor, v: Tensor, u: Tensor, *traces: Tensor) -> tuple[Tensor, ...]:
            level, weight = (ops.take(each, k, axis=0) for each in (levels, weights))
            denoise = turned(self.denoise, k % 8) if self.augment else self.denoise
            x = self.task.prox(y, v - u, weight)
            new = ops.reshape(ops.cast(denoise(x + u, level), "float32"), ops.shape(v))
            u = u + x - new if self.keeps_u else u
            squares = [ops.mean(each**2) for each in (new - v, x - truth, new - truth)]
            squares[0] = ops.sqrt(squares[0])
            noted = (
                ops.where(numbers == k, value, trace)
                for value, trace in zip(squares, traces, strict=True)
            )
            return k + 1, x, new, u, *noted

        nothing = ops.zeros((count,))
        zero, u = ops.convert_to_tensor(0, "int32"), ops.zeros_like(start)
        begin = (zero, start, start, u, nothing, nothing, nothing)
        made, x, v, _, changes, *errors = ops.while_loop(goes_on, step, begin)
        # An axis for the batch, which `predict` wants of every output.
        return x, v, *(ops.expand_dims(each, 0) for each in (changes, made, *errors))
