"""Running a study of weightings, and what its report is made of."""

import argparse
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import keras
import numpy as np
from PIL import Image

from recipes.compare import shifts
from recipes.compare.cells import (
    Outcome,
    check_same_start,
    read_json,
    run_cells,
)
from recipes.compare.grey_levels import BINS
from recipes.compare.light import LightRecord, Score, Sums, measure, night, read_scenes
from recipes.compare.plan import Configuration, Job
from recipes.compare.study import STUDIES, Part, Study, plan, shortened, specification
from zoo.machine.files import write_atomically
from zoo.pictures.images import find_images, read_image
from zoo.restoring.stabilized import sensor_of

EVERY = 2  # of the test images is used
NIGHT_SCENES = Path(__file__).parent / "night_scenes.txt"
NOT_OF_STUDIES = (
    *("recompute", "pictures", "losses", "scales", "sigma", "train", "test", "validation"),
    *("set", "ablation_seeds", "ablation"),
)


@dataclass(frozen=True)
class Finished:
    """What there is of a study.

    Attributes:
        study: As it was run.
        records: From task, configuration and seed to the records of the images.
        degraded: From the task to the records of the degraded images.
        groups: Number of groups (task, seed) whose runs began alike.
    """

    study: Study
    records: dict[tuple[str, str, int], dict[str, LightRecord]]
    degraded: dict[str, dict[str, LightRecord]]
    groups: int

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
        return np.array(
            [
                [record[key] for record in self.records[part.task, name, seed].values()]  # type: ignore[literal-required]
                for seed in self.seeds(part)
            ]
        )

    def count(self, part: Part) -> np.ndarray:
        """Return the number of pixels of each grey level, `(bins,)`."""
        return np.asarray(self.values(part, self.plain, "count")[0].sum(axis=0))

    def variance(self, part: Part) -> np.ndarray:
        """Return the squared error that MSE leaves at each grey level, `(bins,)`."""
        squared = self.values(part, self.plain, "squared").mean(axis=0).sum(axis=0)
        return np.asarray(squared / np.maximum(self.count(part), 1))

    @property
    def plain(self) -> str:
        """Name of the loss that the others are compared with."""
        return self.study.configurations[0].name

    def shift(self, part: Part, name: str, low: int, high: int) -> np.ndarray:
        """Return the shift of each seed against MSE, of the bins from `low` and below `high`."""
        plain, other = (self.values(part, each, "signed") for each in (self.plain, name))
        moved = (other - plain).sum(axis=1) * shifts.visible(part.scoring.linear)
        return shifts.mean_of_bins(moved, self.count(part), low, high)

    def theory(self, part: Part, configuration: Configuration) -> np.ndarray | None:
        """Return the shift that the theory says, `(bins,)`, of what was learned; None: unknown."""
        linear = part.scoring.linear
        noise = np.zeros(BINS)
        settings = {**part.settings, **configuration.changes}
        if text := settings.get("label_noise"):
            gain, read_noise = sensor_of(str(text))
            noise = gain * shifts.levels(linear) + read_noise**2
        return shifts.answers(configuration, linear, self.variance(part), noise)


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
    groups = check_same_start([evaluation for _, evaluation in evaluations])
    records = {
        (cell.task, cell.configuration.name, cell.seed): evaluation["images"]
        for cell, evaluation in evaluations
    }
    first = {part.task: next(iter(jobs.values())) for part in study.parts}
    degraded = {part.task: _degraded(part, first[part.task], workdir) for part in study.parts}
    return Finished(study, records, degraded, groups)


def _degraded(part: Part, job: Job, workdir: Path) -> dict[str, LightRecord]:
    """Return the records of the degraded images, which are kept in the work folder."""
    path = workdir / f"degraded-{part.task}.json"
    if not path.exists():
        scenes = read_scenes(Path(job["paths"]["test"]), job["cell"]["names"], part.scoring)
        records = measure(None, scenes, part.scoring)
        write_atomically(path, json.dumps(records).encode())
    return cast(dict[str, LightRecord], read_json(path))
