"""The rows of the table: tasks with their options, measurements, and the methods of each."""

from dataclasses import dataclass, field, replace

import numpy as np

from recipes.plug_and_play.classical import Method, Problem, classical, network
from recipes.plug_and_play.degraded import Options, schedule_of, simulate
from recipes.plug_and_play.levels import in_image_units, read
from recipes.plug_and_play.record import Tuned
from recipes.plug_and_play.search import Settings
from zoo.plug_and_play.denoisers import Denoiser

OURS = "plug-and-play"
GREY_NOISES = (0.5, 2.0)  # of a measurement, in grey levels of 255, as labels have them


@dataclass(frozen=True)
class Row:
    """A line of the table."""

    label: str
    task: str  # of `recipes.plug_and_play.degraded.TASKS`
    options: Options = field(default_factory=Options)


TASKS = (
    Row("deblurring, Gaussian 8x8 of sigma 3", "deblur"),
    Row("super-resolution x2, the same kernel", "sr", Options(scale=2)),
    Row("super-resolution x4, the same kernel", "sr", Options(scale=4)),
    Row("inpainting, 30 % missing", "inpaint", Options(missing=0.3)),
    Row("inpainting, 70 % missing", "inpaint", Options(missing=0.7)),
    # In every band: the PSNR of a whole band would be infinite, and so would be the mean.
    Row("5 to 15 % of the columns of each band dead", "stripes", Options(striped=1)),
    Row("CASSI, one measurement of all bands", "cassi"),
)
ROWS = (
    Row("denoising, sigma 30", "denoise", Options(noise=in_image_units(30))),
    *(
        Row(
            f"{row.label}, noise {grey:g}",
            row.task,
            replace(row.options, noise=in_image_units(grey)),
        )
        for row in TASKS
        for grey in GREY_NOISES
    ),
)


def problem_of(row: Row, truths: list[np.ndarray]) -> tuple[Problem, np.ndarray]:
    """Return what is measured of pictures of one shape, and the truths `(batch, ...)`."""
    made = [simulate(row.task, truth, row.options) for truth in truths]
    measured = np.concatenate([each for _, each, _ in made])
    # The seed of the mask is that of the options: all have the same task.
    problem = Problem(row.task, made[0][0], measured, row.options.kernel, row.options.noise)
    return problem, np.stack([truth for _, _, truth in made])


def methods_of(row: Row, denoiser: Denoiser) -> dict[str, Method]:
    """Return all methods for a row: plug-and-play with the denoiser, and the classical ones."""
    schedule = schedule_of(row.task, row.options.noise)
    return {OURS: network(denoiser, row.task, schedule)} | classical(row.task)


def nearest_row(task: str, options: Options) -> Row:
    """Return the row of a task whose scale, share of missing pixels and noise are the nearest.

    Raises:
        ValueError: if the task has no row.
    """
    rows = [row for row in ROWS if row.task == task]
    if not rows:
        raise ValueError(f"{task} is not tuned: leave --settings out")

    names = [*{"sr": ["scale"], "inpaint": ["missing"]}.get(task, []), "noise"]

    def distance(row: Row) -> list[float]:
        return [abs(getattr(row.options, name) - getattr(options, name)) for name in names]

    return min(rows, key=distance)


def settings_of(row: Row, denoiser: Denoiser, tuned: dict[str, Tuned]) -> dict[str, Settings]:
    """Return the settings of each method on a row: as they were tuned, or where a search begins.

    Raises:
        ValueError: if there are tuned settings, and not of this method.
    """
    methods = methods_of(row, denoiser)
    if not tuned:
        return {name: dict(method.begin) for name, method in methods.items()}
    found = {}
    for name, method in methods.items():
        cell = tuned.get(f"{row.label}/{name}")
        if cell is None:
            raise ValueError(f"--settings has none of {name} for {row.label}")
        if set(cell["settings"]) != set(method.begin):
            raise ValueError(f"--settings has others than {name} takes, for {row.label}")
        found[name] = read(cell["settings"])
    return found
