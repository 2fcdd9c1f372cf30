"""Running a study of weightings, and what its report is made of."""

import argparse
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
from PIL import Image

from recipes.compare import shifts
from recipes.compare.cells import Outcome, check_same_start, read_json, run_cells
from recipes.compare.light import LightRecords, Score, Sums, measure, night, read_scenes
from recipes.compare.plan import Configuration, Job
from recipes.compare.study import STUDIES, Part, Study, plan, shortened, specification
from recipes.compare.uncertain import Uncertain, answers_of, dark_psnr, uncertain
from zoo.machine.files import write_atomically
from zoo.networks.families import load
from zoo.pictures.images import find_images, read_image
from zoo.restoring.stabilized import sensor_of

ALONG = (-2, -1, 0, 1, 2, 3, 4, 5)  # multiples of the best shift by which answers are moved
EVERY = 2  # of the test images is used
NIGHT_SCENES = Path(__file__).parent / "night_scenes.txt"
NOT_OF_STUDIES = (
    *("recompute", "pictures", "losses", "scales", "sigma", "train", "test", "validation"),
    *("set", "ablation_seeds", "ablation", "init"),
)


@dataclass(frozen=True)
class Answers:
    """What the answers of a network tell that was trained with MSE."""

    pixels: Uncertain
    # Shifts of dark pixels in grey levels of 255, and what they gain in dB after sRGB, of the same
    # answers moved along the shift that is best after sRGB.
    moved: list[tuple[float, float]]


@dataclass(frozen=True)
class Finished:
    """What there is of a study."""

    study: Study  # as it was run
    records: dict[tuple[str, str, int], LightRecords]  # by task, configuration and seed
    degraded: dict[str, LightRecords]  # of the degraded images, by task
    answers: dict[str, Answers]  # by task, where MSE and the first seed are finished
    groups: int  # (task, seed) whose runs began alike

    def seeds(self, part: Part) -> list[int]:
        """Return the seeds of which every configuration is finished."""
        names = [configuration.name for configuration in self.study.configurations]
        return [
            seed
            for seed in range(self.study.seeds)
            if all((part.task, name, seed) in self.records for name in names)
        ]

    def values(self, part: Part, name: str, key: Score | Sums) -> np.ndarray:
        """Return a number of each seed and image, `(seeds, images)`; sums `(..., bins)`."""
        found = [self.records[part.task, name, seed].values() for seed in self.seeds(part)]
        return np.array([[record[key] for record in records] for records in found])  # type: ignore[literal-required]

    def count(self, part: Part) -> np.ndarray:
        """Return the number of pixels of each grey level, `(bins,)`."""
        return np.asarray(self.values(part, self.plain, "count")[0].sum(axis=0))

    @property
    def plain(self) -> str:
        """Name of the loss that the others are compared with."""
        return self.study.configurations[0].name

    def gains(self, part: Part, name: str, score: Score) -> np.ndarray:
        """Return what a loss changes in a score against MSE, of each seed: mean over images."""
        after, before = (self.values(part, each, score) for each in (name, self.plain))
        return np.nanmean(after - before, axis=1)

    def shift(self, part: Part, name: str, low: int, high: int) -> np.ndarray:
        """Return the shift of each seed against MSE, of the bins from `low` and below `high`."""
        plain, other = (self.values(part, each, "signed") for each in (self.plain, name))
        moved = (other - plain).sum(axis=1) * shifts.visible(part.scoring.linear)
        return shifts.mean_of_bins(moved, self.count(part), low, high)

    def theory(self, part: Part, configuration: Configuration) -> np.ndarray | None:
        """Return the shift that the theory says, `(bins,)`, in grey levels; None: unknown."""
        known = self.answers[part.task].pixels
        noise = np.zeros_like(known.mean)
        settings = {**part.settings, **configuration.changes}
        if text := settings.get("label_noise"):
            gain, read_noise = sensor_of(str(text))
            noise = gain * known.mean + read_noise**2
        moved = shifts.answers(configuration, known.mean, known.variance, noise)
        if moved is None:
            return None
        return known.by_level(moved) * shifts.visible(part.scoring.linear)


def run_study(options: argparse.Namespace, say: Callable[[str], None]) -> tuple[Finished, Outcome]:
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
    workdir = Path(options.workdir or f"runs/compare/{study.name}")
    jobs = jobs_of(study, Path(options.data), workdir)
    outcome = run_cells(jobs, workdir, options.minutes, say)
    return finished(study, jobs, workdir), outcome


def jobs_of(study: Study, data: Path, workdir: Path) -> dict[str, Job]:
    """Return the content of `cell.json` for every run."""
    test = data / study.test
    names = [path.stem for path in find_images(test)][::EVERY]
    train = darkened(data / study.train, workdir) if study.rare else data / study.train
    paths = {"train": str(train.resolve()), "test": str(test.resolve()), "validation": ""}
    backend = keras.backend.backend()
    return {
        cell.name: {"cell": specification(cell, study, names, backend), "paths": paths}
        for cell in plan(study)
    }


def darkened(source: Path, workdir: Path) -> Path:
    """Return a folder of photographs of which those of `night_scenes.txt` are night scenes."""
    dark = set(NIGHT_SCENES.read_text().split())
    folder = workdir / "night"
    folder.mkdir(parents=True, exist_ok=True)
    for path in find_images(source):
        copy = folder / (f"{path.stem}.png" if path.stem in dark else path.name)
        if copy.exists():
            continue
        if path.stem in dark:
            Image.fromarray(night(read_image(path))).save(copy)
        else:
            write_atomically(copy, path.read_bytes())
    return folder


def finished(study: Study, jobs: dict[str, Job], workdir: Path) -> Finished:
    """Read what is finished; score the degraded images where that was not done yet."""
    evaluations = [
        (cell, read_json(path))
        for cell in plan(study)
        if (path := workdir / "cells" / cell.name / "evaluation.json").exists()
    ]
    groups = check_same_start(evaluation for _, evaluation in evaluations)
    records = {
        (cell.task, cell.configuration.name, cell.seed): evaluation["images"]
        for cell, evaluation in evaluations
    }
    job = next(iter(jobs.values()))  # all have the same test images
    degraded = {part.task: _degraded(part, job, workdir) for part in study.parts}
    mse = study.configurations[0].name
    answers = {
        cell.task: _answers(cell.part, job, workdir / "cells" / cell.name)
        for cell, _ in evaluations
        if (cell.configuration.name, cell.seed) == (mse, 0)
    }
    return Finished(study, records, degraded, answers, groups)


def _answers(part: Part, job: Job, folder: Path) -> Answers:
    scoring = part.scoring
    scenes = read_scenes(Path(job["paths"]["test"]), job["cell"]["names"], scoring)
    made = answers_of(load(folder), scenes, scoring)
    pixels = uncertain(made, scenes, scoring)
    along = shifts.best(scoring.linear, pixels.mean, pixels.variance)
    visible = pixels.by_level(along) * shifts.visible(scoring.linear)
    count = pixels.count.sum(axis=1)
    dark = float(shifts.mean_of_bins(visible * count, count, *shifts.BANDS["dark"]))
    scores = [dark_psnr(made, scenes, scoring, times * along) for times in ALONG]
    still = scores[ALONG.index(0)]
    moved = [(times * dark, score - still) for times, score in zip(ALONG, scores, strict=True)]
    return Answers(pixels, moved)


def _degraded(part: Part, job: Job, workdir: Path) -> LightRecords:
    """Return the records of the degraded images, which are kept in the work folder."""
    path = workdir / f"degraded-{part.task}.json"
    if not path.exists():
        scenes = read_scenes(Path(job["paths"]["test"]), job["cell"]["names"], part.scoring)
        records = measure(None, scenes, part.scoring)
        write_atomically(path, json.dumps(records).encode())
    return read_json(path)
