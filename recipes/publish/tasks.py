"""Draw one picture for each task of plug-and-play: what was measured, what came out, the truth.

    python -m recipes.publish.tasks --out docs/images

Middles of 160 x 160 pixels of sample photographs that no weight was trained on, restored by
`dphsir-small` with the settings of `recipes/results/plug-and-play/photographs.json` where the task
was tuned, else those of the authors. About a minute on 2 CPU cores.
"""

import argparse
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

import zoo
from asykeras import plots
from recipes.data.middle import middle
from recipes.plug_and_play.classical import restore
from recipes.plug_and_play.degraded import Options, schedule_of, simulate
from recipes.plug_and_play.record import Record, Tuned
from recipes.plug_and_play.rows import OURS, methods_of, nearest_row, problem_of, settings_of
from zoo.app.command import Work, command
from zoo.machine.files import replacing
from zoo.plug_and_play import Schedule, SpectralResponse, Task, plug_and_play
from zoo.scoring.verify import SAMPLES

DENOISER = "dphsir-small"
SETTINGS = Path(__file__).parents[1] / "results/plug-and-play/photographs.json"
SIDE = 160
# Filters of a camera that overlap: each channel sees the two others too.
OVERLAPPING = np.array([[0.5, 0.25, 0.2], [0.3, 0.5, 0.3], [0.2, 0.25, 0.5]])


@dataclass(frozen=True)
class Strip:
    """A picture: a task, and the photograph that it is shown on."""

    name: str  # of the file
    task: str  # of `recipes.plug_and_play.degraded.TASKS`
    photograph: str  # name of a sample
    options: Options


STRIPS = (
    Strip("denoise", "denoise", "perched-osprey", Options(noise=30 / 255)),
    Strip("deblur", "deblur", "roman-colosseum", Options(noise=0.5 / 255)),
    Strip("super-resolution", "sr", "perched-osprey", Options(scale=2, noise=0.5 / 255)),
    Strip("bicubic", "bicubic", "casa-mila", Options(scale=2)),
    Strip("inpaint", "inpaint", "oakland-zoo-otters", Options(missing=0.7, noise=0.5 / 255)),
    Strip("stripes", "stripes", "casa-mila", Options(striped=1, noise=0.5 / 255)),
    Strip("cassi", "cassi", "oakland-zoo-otters", Options(noise=0.5 / 255)),
    Strip("spectral", "spectral", "perched-osprey", Options(noise=0.5 / 255)),
)


def crop(photograph: str) -> np.ndarray:
    """Return the middle of a sample, float32 in [0, 1]."""
    image = zoo.read_image(SAMPLES / "test" / f"{photograph}.jpg")
    return middle(image, SIDE).astype(np.float32) / 255


def restored(strip: Strip) -> tuple[Task, np.ndarray, np.ndarray, np.ndarray]:
    """Return the task, the measurement, what came out and the truth, without a batch axis."""
    truth, network = crop(strip.photograph), zoo.load(DENOISER)
    if strip.task not in ("bicubic", "spectral"):
        nearest = nearest_row(strip.task, strip.options)
        row = replace(nearest, options=strip.options)
        problem, truths = problem_of(row, [truth])
        tuned = settings_of(nearest, network, Record[Tuned](SETTINGS).cells)
        found = restore(methods_of(row, network)[OURS], problem, tuned[OURS])
        return problem.task, problem.measured[0], found[0], truths[0]
    if strip.task == "spectral":
        task: Task = SpectralResponse(OVERLAPPING)
        noise = np.random.default_rng(0).standard_normal(truth.shape) * strip.options.noise
        measured = (np.asarray(task.forward(truth[None])) + noise).astype(np.float32)
        schedule = Schedule(10 / 255, 2 / 255, 24, noise=strip.options.noise)
    else:
        task, measured, truth = simulate(strip.task, truth, strip.options)
        schedule = schedule_of(strip.task, strip.options.noise)
    return task, measured[0], plug_and_play(task, measured, network, schedule).pictures[0], truth


def draw(strip: Strip) -> plots.Figure:
    """Return the picture of a task."""
    task, measured, found, truth = restored(strip)
    start = np.asarray(task.start(measured[None]))[0]
    page = plots.page(9, 3.3)
    axes = page.subplots(1, 3)
    shown = {
        f"measured, {_decibels(start, truth)}": measured,
        f"restored, {_decibels(found, truth)}": found,
        "truth": truth,
    }
    for place, (title, picture) in zip(axes, shown.items(), strict=True):
        values = np.clip(picture / max(1.0, picture.max() if strip.task == "cassi" else 1.0), 0, 1)
        place.imshow(values, cmap="gray", vmin=0, vmax=1, interpolation="nearest")
        place.set_title(title, fontsize=plots.TEXT)
        place.set_axis_off()
    return page


def _decibels(picture: np.ndarray, truth: np.ndarray) -> str:
    """Return the PSNR of a picture."""
    return f"{-10 * np.log10(np.mean((picture - truth) ** 2)):.1f} dB"


@command
def main(parser: argparse.ArgumentParser) -> Work:
    """Add the options; return what is done with them."""
    parser.add_argument("--out", required=True, type=Path, metavar="DIR")
    names = [strip.name for strip in STRIPS]
    parser.add_argument("--tasks", nargs="+", choices=names, default=names, metavar="NAME")
    return write


def write(options: argparse.Namespace) -> None:
    """Draw the pictures and write them."""
    for strip in STRIPS:
        if strip.name in options.tasks:
            with replacing(options.out / f"task-{strip.name}.jpg") as part:
                plots.save(draw(strip), part, dpi=80)
            print(f"wrote {options.out / f'task-{strip.name}.jpg'}", flush=True)


if __name__ == "__main__":
    raise SystemExit(main())
