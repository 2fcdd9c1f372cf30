"""Restoration methods as the search of `recipes.plug_and_play` sees them: settings -> pictures.

The classical ones are of scikit-image, but for plug-and-play with total variation (the ADMM of TV
deblurring, GAP-TV of compressed sensing) and back-projection. BM3D is left out for its licence.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import cache, partial
from types import ModuleType

import numpy as np
from keras.ops import convert_to_numpy

from recipes.plug_and_play.levels import in_grey_levels, in_image_units
from recipes.plug_and_play.search import Ladders, Settings
from zoo.plug_and_play import Restored, Schedule, Solver, Task, total_variation
from zoo.plug_and_play.denoisers import Denoiser

BANDS_AT_ONCE = 31  # of a cube that go through a denoiser for any number together
Run = Callable[[Settings], np.ndarray]
Values = tuple[float, ...]  # that a setting may have


@dataclass(frozen=True)
class Problem:
    """Measurements of pictures of one size."""

    name: str  # of the task, of `recipes.plug_and_play.degraded.TASKS`
    task: Task
    measured: np.ndarray  # `(batch, ...)`, in image units
    kernel: np.ndarray  # of deblur
    noise: float  # of the measurement, in image units


@dataclass(frozen=True)
class Method:
    """A way to restore."""

    # Of a problem: returns what makes pictures `(batch, height, width, bands)` of settings.
    prepare: Callable[[Problem], Run]
    begin: Settings  # where the search begins
    ladders: Ladders  # values that each of them may have


def restore(method: Method, problem: Problem, settings: Settings | None = None) -> np.ndarray:
    """Return the pictures that a method makes, by default with the settings it begins with."""
    return method.prepare(problem)(method.begin if settings is None else settings)


def iterations(
    denoiser: Denoiser, schedule: Schedule, ladders: Ladders, *, augment: bool
) -> Method:
    """Return plug-and-play with a denoiser, whose settings are a `Schedule`'s and two more.

    `method` is that of the solver; `returns` is which of its two pictures is taken, x or v.
    """
    begin = {"returns": "v", "method": "admm", **asdict(schedule)}

    def prepare(problem: Problem) -> Run:
        @cache
        def solver(method: str) -> Solver:
            task = problem.task
            return Solver(task, denoiser, method=method, augment=augment, group=BANDS_AT_ONCE)

        @cache
        def restored(
            method: str, first: float, last: float, iterations: int, lam: float
        ) -> Restored:
            schedule = Schedule(first, last, iterations, lam, problem.noise)
            return solver(method)(problem.measured, schedule=schedule)

        def run(settings: Settings) -> np.ndarray:
            rest = {name: value for name, value in settings.items() if name != "returns"}
            found: np.ndarray = getattr(restored(**rest), settings["returns"])
            return found

        return run

    return Method(prepare, {name: begin[name] for name in ladders}, ladders)


def network(denoiser: Denoiser, task: str, schedule: Schedule) -> Method:
    """Return plug-and-play with a network, whose search begins with a schedule.

    One step for denoising, whose level is searched; for all other tasks as the authors do, with
    another turn of the pictures in each iteration.
    """
    if task == "denoise":
        grey = in_grey_levels(schedule.first)
        levels = _levels(*(round(factor * grey, 3) for factor in (0.8, 0.9, 1.0, 1.1, 1.2)))
        return Method(partial(_one_step, denoiser), {"level": schedule.first}, {"level": levels})
    return iterations(
        denoiser,
        schedule,
        {
            "returns": ("x", "v"),
            "lam": _ladder(schedule.lam, 2, 6),
            "last": _around(schedule.last, _levels(0.5, 1, 2, 3.5, 7, 10, 15, 25)),
            "first": _around(schedule.first, _levels(10, 20, 50, 80)),
            "method": ("admm", "hqs"),
            "iterations": (schedule.iterations,),
        },
        augment=True,
    )


def _one_step(denoiser: Denoiser, problem: Problem) -> Run:
    solver = Solver(problem.task, denoiser, group=BANDS_AT_ONCE)

    def run(settings: Settings) -> np.ndarray:
        level = settings["level"]
        return solver(problem.measured, schedule=Schedule(level, level, 1, noise=problem.noise)).v

    return run


def classical(task: str) -> dict[str, Method]:
    """Return the classical methods for a task of `degraded.TASKS`, by their names.

    Raises:
        ImportError: if scikit-image is not installed.
    """
    _restoration()
    return ({} if task == "denoise" else {"TV": _TV}) | _CLASSICAL.get(task, {})


def _restoration() -> ModuleType:
    try:
        from skimage import restoration
    except ImportError:
        raise ImportError("classical baselines need scikit-image: pip install it") from None
    return restoration


def _ladder(middle: float, ratio: float, steps: int) -> Values:
    """Return values that rise by a ratio, so many on either side of the middle one."""
    rungs = (middle * ratio**step for step in range(-steps, steps + 1))
    return tuple(middle if rung == middle else float(f"{rung:.3g}") for rung in rungs)


def _levels(*grey: float) -> Values:
    return tuple(in_image_units(level) for level in grey)


def _around(value: float, others: Values) -> Values:
    return tuple(sorted({value, *others}))


def _by_band(picture: np.ndarray, restore: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    bands = [restore(picture[..., band].astype(np.float64)) for band in range(picture.shape[-1])]
    return np.stack(bands, axis=-1)


def _total_variation(picture: np.ndarray, problem: Problem, settings: Settings) -> np.ndarray:
    weight = settings["weight"] * problem.noise
    found: np.ndarray = _restoration().denoise_tv_chambolle(picture, weight, channel_axis=-1)
    return found


def _non_local_means(picture: np.ndarray, problem: Problem, settings: Settings) -> np.ndarray:
    found = _restoration().denoise_nl_means(
        picture,
        settings["patch"],
        settings["distance"],
        settings["h"] * problem.noise,
        sigma=problem.noise,
        channel_axis=-1,
    )
    return np.reshape(found, picture.shape)  # which drops the axis of a single channel


def _wiener(picture: np.ndarray, problem: Problem, settings: Settings) -> np.ndarray:
    # As `Blur` has it: the kernel's middle at half its size.
    wiener, kernel = _restoration().wiener, problem.kernel
    return _by_band(picture, lambda band: wiener(band, kernel, settings["balance"], clip=False))


def _richardson_lucy(picture: np.ndarray, problem: Problem, settings: Settings) -> np.ndarray:
    # An even kernel gets a row and a column of zeros, so that its middle stays where it is.
    odd = np.pad(problem.kernel, [(0, 1 - side % 2) for side in problem.kernel.shape])
    edge = 5 * max(odd.shape)  # scikit-image's borders are black, ours wrap around

    def sharpen(band: np.ndarray) -> np.ndarray:
        wide = np.pad(np.maximum(band, 0), edge, "wrap")
        found: np.ndarray = _restoration().richardson_lucy(wide, odd, settings["iterations"])
        return found[edge:-edge, edge:-edge]

    return _by_band(picture, sharpen)


def _biharmonic(picture: np.ndarray, problem: Problem, settings: Settings) -> np.ndarray:
    known = np.broadcast_to(problem.task.mask, picture.shape)  # type: ignore[attr-defined]
    bands = [
        _restoration().inpaint_biharmonic(picture[..., band], known[..., band] == 0)
        for band in range(picture.shape[-1])
    ]
    return np.stack(bands, axis=-1)


def _back_projection(problem: Problem) -> Run:
    """Enlarge; then, step by step, add the enlarged error of what it would have been measured as.

    Reference: Irani and Peleg, "Improving resolution by image registration", CVGIP 1991.
    """
    task = problem.task

    def run(settings: Settings) -> np.ndarray:
        picture = task.start(problem.measured)
        for _ in range(settings["steps"]):
            picture = picture + task.start(problem.measured - task.forward(picture))
        return np.asarray(convert_to_numpy(picture))

    return run


def _one_by_one(
    restore: Callable[[np.ndarray, Problem, Settings], np.ndarray],
    begin: Settings,
    ladders: Ladders,
) -> Method:
    """Return a method that restores each picture of the batch."""

    def prepare(problem: Problem) -> Run:
        def run(settings: Settings) -> np.ndarray:
            pictures = [restore(each, problem, settings) for each in problem.measured]
            return np.stack(pictures).astype(np.float32)

        return run

    return Method(prepare, begin, ladders)


# Its own iterations are cheap, so that it may have more of them than a network gets.
_TV = iterations(
    total_variation(),
    Schedule(in_image_units(20), in_image_units(2), 24, 0.23),
    {
        "returns": ("x", "v"),
        "lam": _ladder(0.23, 2, 10),
        "last": _levels(0.25, 0.5, 1, 2, 4, 8, 16, 32),
        "first": _levels(2, 5, 10, 20, 40, 80, 160),
        "method": ("admm", "hqs"),
        "iterations": (24, 60, 120),
    },
    augment=False,
)
_BACK_PROJECTION = Method(
    # From the bicubic enlargement on, which it is without a step.
    _back_projection,
    {"steps": 0},
    {"steps": (0, 1, 2, 3, 5, 10, 20, 40)},
)
_BIHARMONIC = _one_by_one(_biharmonic, {}, {})
_CLASSICAL = {
    "denoise": {
        "TV": _one_by_one(
            _total_variation, {"weight": 1.0}, {"weight": (0.4, 0.5, 0.6, 0.8, 1.0, 1.3)}
        ),
        "non-local means": _one_by_one(
            _non_local_means,
            # The parameters of scikit-image's own example for a known level of the noise.
            {"h": 0.6, "patch": 5, "distance": 6},
            {
                "h": (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0),
                "patch": (3, 5, 7),
                "distance": (6, 10, 15),
            },
        ),
    },
    "deblur": {
        "Wiener": _one_by_one(_wiener, {"balance": 1e-3}, {"balance": _ladder(1e-3, 10**0.25, 16)}),
        "Richardson-Lucy": _one_by_one(
            _richardson_lucy, {"iterations": 30}, {"iterations": (5, 10, 20, 30, 50, 80, 130, 200)}
        ),
    },
    "sr": {"back-projection": _BACK_PROJECTION},
    "bicubic": {"back-projection": _BACK_PROJECTION},
    "inpaint": {"biharmonic": _BIHARMONIC},
    "stripes": {"biharmonic": _BIHARMONIC},
}
