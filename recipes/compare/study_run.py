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

from recipes.compare.cells import (
    Outcome,
    check_same_start,
    read_json,
    run_cells,
)
from recipes.compare.light import LightRecord, measure, night, read_scenes
from recipes.compare.plan import Job
from recipes.compare.study import STUDIES, Part, Study, plan, shortened, specification
from zoo.machine.files import write_atomically
from zoo.pictures.images import find_images, read_image

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
        seconds: From task and configuration to the seconds that its trainings took.
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

    def values(self, part: Part, name: str, key: str) -> np.ndarray:
        """Return a number of each seed and image, `(seeds, images)`; of a list `(..., bins)`."""
        return np.array(
            [
                [record[key] for record in self.records[part.task, name, seed].values()]  # type: ignore[literal-required]
                for seed in self.seeds(part)
            ]
        )


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
    evaluations = {
        cell: read_json(workdir / "cells" / cell.name / "evaluation.json")
        for cell in plan(study)
        if (workdir / "cells" / cell.name / "evaluation.json").exists()
    }
    groups = check_same_start(list(evaluations.values()))
    records = {
        (cell.task, cell.configuration.name, cell.seed): evaluation["images"]
        for cell, evaluation in evaluations.items()
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
