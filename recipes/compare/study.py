"""The study of weightings: which runs there are for each question, and how they are scored.

Each study asks whether a weighting helps on one kind of data. What was expected of it was written
down before the first run: recipes/results/weightings/PREDICTIONS.md.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace

from recipes.compare.light import Scoring
from recipes.compare.plan import Cell, Configuration, Specification, specified
from recipes.compare.presets import BFLOAT16, Setting

SRCNN = {"scale": 2, "variant": "9-1-5", "steps": 2500, "batch": 32, "patch": 49}
SRCNN |= {"learning_rate": 3e-3} | BFLOAT16
# DnCNN in the form that is published: with a bias in place of the batch normalisation.
MERGED = {"depth": 7, "filters": 32, "folded": True}
DENOISER = MERGED | {"steps": 4000, "batch": 32, "patch": 48} | BFLOAT16
# At most 50 electrons, read with a deviation of 2 grey levels of 255.
GAIN, READ = 5.1, 2.0
SENSOR, VARIANCE, ANSCOMBE = (f"{of}:{GAIN:g},{READ:g}" for of in ("poisson", "noise", "anscombe"))
# An answer is 28.9 dB from its label in linear light (MSE, after the first runs), 9.2 grey levels:
# a label scatters about it by that and its own noise.
SCATTER = f"noise:{GAIN:g},{(READ**2 + 9.2**2) ** 0.5:.1f}"


@dataclass(frozen=True)
class Part:
    """One network on one task."""

    network: str  # name of its recipe
    task: str  # name in folders and tables
    scoring: Scoring
    settings: dict[str, Setting]  # of the recipe


@dataclass(frozen=True)
class Study:
    """One question."""

    name: str  # of the preset
    title: str  # of the report
    parts: tuple[Part, ...]  # what is trained
    configurations: tuple[Configuration, ...]  # the first is what the others are compared with
    train: str = "bsds500/train"  # below the data folder
    test: str = "bsds500/val"  # likewise; every second image is used
    seeds: int = 5
    rare: bool = False  # darken a tenth of the training images, see `recipes.compare.light.night`


def _loss(name: str, label: str, loss: str = "asy_mse", **changes: Setting) -> Configuration:
    return Configuration(name, label, "mse", loss, changes)


def _prediction(name: str, label: str, weighting: str) -> Configuration:
    label = f"{label} of the prediction"
    return _loss(name, label, weighting=weighting, reference="prediction")


MSE = _loss("mse", "MSE", "mse")
PAPER = _loss("paper", "AsyMSE of the paper (Eq. 2)")
ON_LIGHT = {"linear": True}
EXPOSED = Scoring("x2", linear=True, exposed=True)
ON_SENSOR = Scoring(SENSOR, linear=True)
SENSED = ON_LIGHT | {"noise_model": SENSOR}


def _denoiser(task: str, scoring: Scoring, settings: dict[str, Setting]) -> Part:
    """Return a task for DnCNN in its merged form."""
    return Part("dncnn", f"{task}-folded", scoring, DENOISER | settings)


STUDIES = {
    study.name: study
    for study in (
        Study(
            "weightings-linear",
            "Linear light",
            (
                Part("srcnn", "x2", Scoring("x2", linear=True), SRCNN | ON_LIGHT),
                Part("srcnn", "x2-exposed", EXPOSED, SRCNN | ON_LIGHT),
            ),
            (
                MSE,
                _loss("domain_srgb", "error after the curve of sRGB", "mse", domain="srgb"),
                _prediction("prediction_slope", "squared slope of sRGB", "slope:srgb"),
                _loss("label_slope", "squared slope of sRGB of the label", weighting="slope:srgb"),
                PAPER,
                _prediction("prediction_power", "1 / (f + 0.05)^2", "power:2,0.05"),
            ),
        ),
        Study(
            "weightings-noisy-labels",
            "Noisy labels",
            (_denoiser("noise2noise", ON_SENSOR, SENSED | {"label_noise": SENSOR}),),
            (
                MSE,
                _prediction("prediction_variance", "1 / variance", VARIANCE),
                _loss("label_variance", "1 / variance of the noisy label", weighting=VARIANCE),
                _loss("mse_clean", "MSE on clean labels", "mse", label_noise=""),
                _prediction("prediction_scatter", "1 / (variance + error^2)", SCATTER),
            ),
        ),
        Study(
            "weightings-poisson",
            "Noise of a sensor, clean labels",
            (_denoiser("poisson", ON_SENSOR, SENSED),),
            (
                MSE,
                _prediction("prediction_variance", "1 / variance", VARIANCE),
                _loss("label_variance", "1 / variance of the label", weighting=VARIANCE),
                _loss("domain_anscombe", "error after Anscombe's curve", "mse", domain=ANSCOMBE),
            ),
        ),
        Study(
            "weightings-rare",
            "Rare night scenes",
            (Part("srcnn", "x2", Scoring("x2", night=True), SRCNN),),
            (
                MSE,
                _prediction("prediction_density", "1 / density", "density:1"),
                _loss("label_density", "1 / density of the label", weighting="density:1"),
                PAPER,
            ),
            rare=True,
        ),
        Study(
            "weightings-photographs",
            "Photographs as they are",
            (
                Part("srcnn", "x2", Scoring("x2"), SRCNN),
                _denoiser("sigma25", Scoring("sigma25"), {"sigma": 25.0}),
            ),
            (
                MSE,
                _prediction("prediction_power", "1 / (f + 0.1)^2", "power:2,0.1"),
                _loss("label_power", "1 / (y + 0.1)^2 of the label", weighting="power:2,0.1"),
                PAPER,
            ),
        ),
    )
}


@dataclass(frozen=True, eq=False)
class StudyCell(Cell):
    """One run of a study: its part says what `network` and `task` alone do not."""

    part: Part = field(kw_only=True)


def plan(study: Study) -> list[StudyCell]:
    """Return all runs, part by part; in each whole seeds come first: one that is cut has some."""
    return [
        StudyCell(part.network, part.task, configuration, seed, part=part)
        for part in study.parts
        for seed in range(study.seeds)
        for configuration in study.configurations
    ]


def specification(
    cell: StudyCell, study: Study, names: Sequence[str], backend: str
) -> Specification:
    """Return all that decides the numbers of a cell, for its `cell.json`; no paths."""
    settings = {**cell.part.settings, **cell.configuration.changes}
    settings |= {"loss": cell.configuration.loss, "seed": cell.seed}
    settings.setdefault("every", settings["steps"])
    found = specified(cell, settings, study.train, study.test, names, backend)
    found["train"] += ", a tenth darkened" if study.rare else ""
    found["train"] += ", at exposures of 1/8 to 8" if cell.part.scoring.exposed else ""
    found["scoring"] = asdict(cell.part.scoring)
    return found


def shortened(study: Study, seeds: int | None, steps: int | None) -> Study:
    """Return a study with other numbers of seeds and steps, where they are given."""
    if (seeds is not None and seeds < 1) or (steps is not None and steps < 1):
        raise ValueError(f"--seeds and --steps must be at least 1. Received: {seeds}, {steps}")
    if steps:
        parts = tuple(replace(p, settings={**p.settings, "steps": steps}) for p in study.parts)
        study = replace(study, parts=parts)
    return replace(study, seeds=seeds or study.seeds)
