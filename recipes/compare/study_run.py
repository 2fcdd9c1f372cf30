"""Running a study of weightings, and what its report is made of."""

import argparse
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
from PIL import Image

from recipes.compare import shifts, study_stored
from recipes.compare.cells import Outcome, check_same_start, read_json, run_cells
from recipes.compare.light import (
    LightRecords,
    Score,
    Sums,
    decoded,
    exposed,
    measure,
    night,
    read_scenes,
)
from recipes.compare.plan import Configuration, Job
from recipes.compare.study import STUDIES, Part, Study, StudyCell, plan, shortened, specification
from recipes.compare.study_stored import SCORES, SUMS, Runs, Theory
from recipes.compare.uncertain import answers_of, dark_psnr, uncertain
from zoo.machine.files import make_folder, replacing, write_atomically
from zoo.networks.families import load
from zoo.pictures.images import find_images, read_image, to_channels
from zoo.restoring.stabilized import sensor_of
from zoo.store.card import WHITE

ALONG = (-2, -1, 0, 1, 2, 3, 4, 5)  # multiples of the best shift by which answers are moved
EVERY = 2  # of the test images is used
NIGHT_SCENES = Path(__file__).parent / "night_scenes.txt"
NOT_OF_STUDIES = (
    *("recompute", "pictures", "losses", "scales", "sigma", "train", "test", "validation"),
    *("set", "ablation_seeds", "ablation", "init"),
)


@dataclass(frozen=True)
class Finished:
    """What there is of a study."""

    study: Study  # as it was run
    runs: Runs
    degraded: dict[str, LightRecords]  # of the degraded images, by task
    groups: int  # (task, seed) whose runs began alike

    def seeds(self, part: Part) -> list[int]:
        """Return the seeds of which every configuration is finished."""
        return self.runs.seeds(self.study, part)

    def scores(self, part: Part, name: str, key: Score) -> np.ndarray:
        """Return a score of each seed and image, `(seeds, images)`."""
        runs = [self.runs.scores[part.task, name, seed] for seed in self.seeds(part)]
        return np.array([[images[image][key] for image in runs[0]] for images in runs])

    def sums(self, part: Part, name: str, key: Sums) -> np.ndarray:
        """Return sums over all images of each seed, `(seeds, bins)`."""
        return np.array([self.runs.sums[part.task, name, s][key] for s in self.seeds(part)])

    def count(self, part: Part) -> np.ndarray:
        """Return the number of pixels of each grey level, `(bins,)`."""
        return np.asarray(self.sums(part, self.plain, "count")[0])

    @property
    def plain(self) -> str:
        """Name of the loss that the others are compared with."""
        return self.study.configurations[0].name

    def gains(self, part: Part, name: str, score: Score) -> np.ndarray:
        """Return what a loss changes in a score against MSE, of each seed: mean over images."""
        after, before = (self.scores(part, each, score) for each in (name, self.plain))
        return np.nanmean(after - before, axis=1)

    def shift(self, part: Part, name: str, low: int, high: int) -> np.ndarray:
        """Return the shift of each seed against MSE, of the bins from `low` and below `high`."""
        moved = self.sums(part, name, "signed") - self.sums(part, self.plain, "signed")
        moved = moved * shifts.visible(part.scoring.linear)
        return shifts.mean_of_bins(moved, self.count(part), low, high)

    def theory(self, part: Part, configuration: Configuration) -> np.ndarray | None:
        """Return the shift that the theory says, `(bins,)`, in grey levels; None: unknown."""
        known = self.runs.theory.get(part.task)
        return known.shifts.get(configuration.name) if known else None


def run_study(
    options: argparse.Namespace, workdir: Path, say: Callable[[str], None]
) -> tuple[Finished, Outcome]:
    """Run what is missing of a study.

    Raises:
        ValueError: for options that studies do not take.
        CompareError: if runs that share a seed did not begin alike, or a folder cannot be used.
        ImageError: if an image cannot be read.
    """
    for name in NOT_OF_STUDIES:
        if getattr(options, name):
            raise ValueError(f"--{name.replace('_', '-')} is not for {options.preset}")
    if not options.data:
        raise ValueError("--data must name the folder with the image folders. Received: none")
    study = shortened(STUDIES[options.preset], options.seeds, options.steps)
    kept = study_stored.read(study, Path(options.stored)) if options.stored else Runs()
    if kept.left_out:
        why = "of a task or loss that the study does not have, or of a seed that is not whole"
        say(f"{kept.left_out} runs of {options.stored} are not taken: {why}")
    jobs = jobs_of(study, Path(options.data), workdir)
    cells = missing_cells(study, kept)
    for part in {cell.task: cell.part for cell in cells}.values():
        make_images(study, part, Path(options.data), workdir)
    missing = {cell.name: jobs[cell.name] for cell in cells}
    if len(missing) < len(jobs):
        say(f"{len(jobs) - len(missing)} of {len(jobs)} runs are those of {options.stored}")
    outcome = run_cells(missing, workdir, options.minutes, say)
    return finished(study, jobs, workdir, kept), outcome


def missing_cells(study: Study, kept: Runs) -> list[StudyCell]:
    """Return the runs that a report does not keep, and those that its theory still needs."""
    return [
        cell
        for cell in plan(study)
        if (cell.task, cell.configuration.name, cell.seed) not in kept.scores
        or (_tells_theory(cell, study) and cell.task not in kept.theory)
    ]


def _tells_theory(cell: StudyCell, study: Study) -> bool:
    """Whether a run is that of MSE and the first seed."""
    return cell.configuration == study.configurations[0] and cell.seed == 0


def jobs_of(study: Study, data: Path, workdir: Path) -> dict[str, Job]:
    """Return the content of `cell.json` for every run."""
    test = data / study.test
    names = [path.stem for path in find_images(test)][::EVERY]
    paths = {"test": str(test.resolve()), "validation": ""}
    train = {part.task: trained_on(study, part, data, workdir) for part in study.parts}
    backend = keras.backend.backend()
    return {
        cell.name: {
            "cell": specification(cell, study, names, backend),
            "paths": paths | {"train": str(train[cell.task].resolve())},
        }
        for cell in plan(study)
    }


def trained_on(study: Study, part: Part, data: Path, workdir: Path) -> Path:
    """Return the folder of the training images of a part; `make_images` makes what is made."""
    if study.rare:
        return workdir / "night"
    return workdir / "exposed" if part.scoring.exposed else data / study.train


def make_images(study: Study, part: Part, data: Path, workdir: Path) -> None:
    """Make the training images of a part, where they are not photographs as they are."""
    folder = trained_on(study, part, data, workdir)
    if study.rare:
        darken(data / study.train, folder)
    elif part.scoring.exposed:
        brighten(data / study.train, folder)


def brighten(source: Path, folder: Path) -> None:
    """Make a folder of grey photographs at many exposures, as linear light in float32.

    They are made, not taken: the light is that of an 8-bit photograph. See `light.exposed`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for path in find_images(source):
        copy = folder / f"{path.stem}.tif"
        if not copy.exists():
            grey = to_channels(read_image(path), "grey") / WHITE
            light = exposed(decoded(grey), path.stem)[..., 0].astype(np.float32)
            with replacing(copy) as part:
                Image.fromarray(light).save(part, format="TIFF")


def darken(source: Path, folder: Path) -> None:
    """Make a folder of photographs of which those of `night_scenes.txt` are night scenes."""
    dark = set(NIGHT_SCENES.read_text().split())
    folder.mkdir(parents=True, exist_ok=True)
    for path in find_images(source):
        copy = folder / (f"{path.stem}.png" if path.stem in dark else path.name)
        if copy.exists():
            continue
        if path.stem in dark:
            with replacing(copy) as part:
                Image.fromarray(night(read_image(path))).save(part)
        else:
            write_atomically(copy, path.read_bytes())


def finished(study: Study, jobs: dict[str, Job], workdir: Path, kept: Runs) -> Finished:
    """Read what is finished; score the degraded images where that was not done yet.

    The runs that a report keeps stand for those of the work folder.
    """
    evaluations = [
        (cell, read_json(path))
        for cell in plan(study)
        if (path := workdir / "cells" / cell.name / "evaluation.json").exists()
    ]
    check_same_start(evaluation for _, evaluation in evaluations)
    scores, sums = {**kept.scores}, {**kept.sums}
    for cell, evaluation in evaluations:
        run, images = (cell.task, cell.configuration.name, cell.seed), evaluation["images"]
        if run in kept.scores:
            continue
        scores[run] = {name: {key: each[key] for key in SCORES} for name, each in images.items()}
        sums[run] = {key: np.sum([each[key] for each in images.values()], axis=0) for key in SUMS}
    job = next(iter(jobs.values()))  # all have the same test images
    degraded = {part.task: _degraded(part, job, workdir) for part in study.parts}
    theory = {
        cell.task: _theory(study, cell.part, job, workdir / "cells" / cell.name)
        for cell, _ in evaluations
        if _tells_theory(cell, study) and cell.task not in kept.theory
    }
    groups = len({(task, seed) for task, _, seed in scores})
    return Finished(study, Runs(scores, sums, theory | kept.theory), degraded, groups)


def _theory(study: Study, part: Part, job: Job, folder: Path) -> Theory:
    """Return what the theory says, with the uncertainty that answers of MSE leave."""
    scoring = part.scoring
    scenes = read_scenes(Path(job["paths"]["test"]), job["cell"]["names"], scoring)
    made = answers_of(load(folder), scenes, scoring)
    pixels = uncertain(made, scenes, scoring)
    visible = shifts.visible(scoring.linear)
    said = {}
    for configuration in study.configurations[1:]:
        noise = np.zeros_like(pixels.mean)
        if text := {**part.settings, **configuration.changes}.get("label_noise"):
            gain, read_noise = sensor_of(str(text))
            noise = gain * pixels.mean + read_noise**2
        moved = shifts.answers(configuration, pixels.mean, pixels.variance, noise)
        if moved is not None:
            said[configuration.name] = pixels.by_level(moved) * visible
    along = shifts.best(scoring.linear, pixels.mean, pixels.variance)
    count = pixels.count.sum(axis=1)
    dark = shifts.mean_of_bins(
        pixels.by_level(along) * visible * count, count, *shifts.BANDS["dark"]
    )
    psnr = [dark_psnr(made, scenes, scoring, times * along) for times in ALONG]
    still = psnr[ALONG.index(0)]
    gains = [(times * float(dark), each - still) for times, each in zip(ALONG, psnr, strict=True)]
    return Theory(said, gains)


def _degraded(part: Part, job: Job, workdir: Path) -> LightRecords:
    """Return the records of the degraded images, which are kept in the work folder."""
    path = workdir / f"degraded-{part.task}.json"
    if not path.exists():
        scenes = read_scenes(Path(job["paths"]["test"]), job["cell"]["names"], part.scoring)
        records = measure(None, scenes, part.scoring)
        make_folder(workdir)  # no run made it where a report keeps them all
        write_atomically(path, json.dumps(records).encode())
    return read_json(path)
