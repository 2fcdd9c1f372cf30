r"""Compare plain and asymmetric losses: the paper's tables, beside the noise between seeds.

    python -m recipes.compare --preset paper-table-2 --data DATA --workdir runs/table-2
    python -m recipes.compare --network srcnn --losses mse asy_mse --seeds 5 --data DATA
    python -m recipes.compare --preset smoke --workdir /tmp/smoke      # generated images, a minute

Trains each loss with the same seeds, initial weights, samples and noise, each run in a process of
its own; scores ten test images; and writes a folder with tables (Markdown, CSV, LaTeX), intervals
and tests, an ablation, errors by grey level, and figures. The same command goes on where it was cut
(`--minutes`) or killed; a finished run is never made again, and more `--seeds` add runs. The report
is written from what is finished. Exit code 3: runs are left, give the same command again. A report
keeps the scores and sums of its runs: `--recompute REPORT` with the same options writes it again
without training, and a study of weightings goes on from it with `--stored REPORT`.
`recipes.compare.trained` adds what a trained network reaches on its images.

The presets hold the protocol that the paper states for its Tables 2 (SRCNN), 3 (EDSR), 4 (DnCNN)
and 5 (DPHSIR), with every choice that it leaves open written out; the options below change them.
DATA holds the folders of images: bsds500/train, set14, set12, bsd68, div2k_valid_256crop.
"""

import argparse
import json
import shlex
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np

from asykeras import plots
from recipes.compare import stored
from recipes.compare.cell import CUT, RECIPES
from recipes.compare.cells import Outcome, check_same_start, read_json, run_cells, validation_folder
from recipes.compare.measure import measure, read_tests
from recipes.compare.plan import Job, plan, specification
from recipes.compare.presets import LOSSES, PRESETS, Preset, Setting
from recipes.compare.records import Records
from recipes.compare.report import Report
from recipes.compare.results import Results
from recipes.compare.sections import write
from recipes.compare.smoke import generate, smoke_preset
from recipes.compare.statistics import student
from recipes.compare.study import STUDIES
from recipes.compare.study import plan as study_plan
from recipes.compare.study_report import write as write_study
from recipes.compare.study_run import run_study
from recipes.training.initial import origin, start_from
from zoo.app.command import Work, command
from zoo.machine.files import write_atomically
from zoo.scoring.tasks import parse
from zoo.store.weight import list_weights

WINDOW = "uniform"  # of SSIM, where no other is asked for
NETWORKS = {preset.network: name for name, preset in PRESETS.items()}
# What a cell decides itself, or this command does for all cells.
NOT_SETTABLE = (
    *("data", "degraded", "workdir", "loss", "weighting", "quantile", "apply_to", "normalize"),
    *("balanced", "seed", "scale", "validation", "minutes", "resume", "quiet", "init"),
)


def describe(parser: argparse.ArgumentParser) -> Work:
    """Add the options; return what is done with them."""
    add = parser.add_argument
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--preset", choices=[*PRESETS, *STUDIES, "smoke"], help="a protocol")
    which.add_argument("--network", choices=list(NETWORKS), help="the protocol of its table")
    add("--data", metavar="DATA", help="holds the folders of images")
    add("--workdir", metavar="DIR", help="default: runs/compare/PRESET")
    add("--report", metavar="DIR", help="default: WORKDIR/report")
    add("--recompute", metavar="DIR", help="write the report DIR again from the scores that it has")
    add("--stored", metavar="DIR", help="a report of the study, whose runs are not made again")
    add("--pictures", metavar="DIR", help="show these in the report, whatever it is scored on")
    add("--losses", nargs="+", choices=LOSSES, help="default: all four")
    add("--seeds", type=int, metavar="N", help="of each loss: 0 to N - 1")
    add("--scales", type=int, nargs="+", choices=(2, 3, 4), metavar="S")
    add("--sigma", type=float, help="level of the noise, in grey levels of 255")
    add("--train", metavar="DIRS", help="below DATA, with commas, or tfds:...")
    add("--test", metavar="DIR[:NAME,...]", help="below DATA; default: ten images")
    add("--validation", metavar="DIR", help="for the curves alone; '': none")
    add("--steps", type=int, metavar="N", help="of each training")
    add("--init", metavar="NAME", help="weights that all begin with: a name, file or work folder")
    add(
        "--set", nargs="+", default=[], metavar="NAME=VALUE", help="any other setting of the recipe"
    )
    add("--ablation-seeds", type=int, metavar="N", help="seeds of each row; 0: no ablation")
    add("--ablation", nargs="+", metavar="NAME", help="rows; default: all")
    window = "of SSIM in the tables (default: uniform, the paper's)"
    add("--window", choices=("uniform", "gaussian"), default=WINDOW, help=window)
    add("--minutes", type=float, default=0.0, help="stop after this time; 0: never")
    add("--list", action="store_true", help="print the names of the runs and stop")
    add("--quiet", action="store_true", help="print nothing but errors")
    return compare


def compare(options: argparse.Namespace) -> int:
    """Run what is missing and write the report; return the exit code."""
    study = STUDIES.get(options.preset)
    if options.list:
        cells = study_plan(study) if study else plan(chosen_preset(options))
        print("\n".join(cell.name for cell in cells))
        return 0
    check_libraries()
    outcome = study_weightings(options) if study else compare_losses(options)
    for name, reason in outcome.failed.items():
        print(f"compare: {name} failed: {reason}", file=sys.stderr)
    if outcome.failed:
        return 1
    return CUT if outcome.left else 0


def compare_losses(options: argparse.Namespace) -> Outcome:
    """Compare the losses of a protocol."""
    if options.stored:
        raise ValueError(f"--stored is for the studies of weightings. Received: {options.stored}")
    preset, say = chosen_preset(options), _say(options.quiet)
    if options.recompute:
        folder = Path(options.recompute)
        results = stored.read(plan(preset), folder)
        say(f"wrote {write(Report(preset, results, {}, {}, folder, options.window, '', ()))}")
        return Outcome()
    workdir = _workdir(options)
    data = _data_folder(options, workdir)
    images = read_tests(data / preset.test, preset.names)
    jobs = _jobs(preset, data, workdir, options.init or "")
    outcome = run_cells(jobs, workdir, options.minutes, say)
    baselines = {task: _baseline(task, images, workdir, preset) for task in preset.tasks}
    results = Results.load(plan(preset), workdir, baselines)
    notes, command = _notes(results, outcome), _command(options)
    shown = read_tests(Path(options.pictures), ()) if options.pictures else images
    folder = Path(options.report or workdir / "report")
    path = write(Report(preset, results, images, shown, folder, options.window, command, notes))
    say("\n".join([*notes, f"wrote {path}"]))
    return outcome


def study_weightings(options: argparse.Namespace) -> Outcome:
    """Study weightings."""
    say = _say(options.quiet)
    workdir = _workdir(options)
    found, outcome = run_study(options, workdir, say)
    report = Path(options.report or workdir / "report")
    say(f"wrote {write_study(found, report, outcome.left)}")
    return outcome


def _workdir(options: argparse.Namespace) -> Path:
    name = options.preset or NETWORKS[options.network]
    return Path(options.workdir or f"runs/compare/{name}")


def check_libraries() -> None:
    """Fail now and not after hours of training where the report could not be written.

    Raises:
        ImportError: without matplotlib or SciPy.
    """
    plots.page(1, 1)
    student([0.0, 1.0])


def _say(quiet: bool) -> Callable[[str], None]:
    return (lambda line: None) if quiet else (lambda line: print(line, flush=True))


def chosen_preset(options: argparse.Namespace) -> Preset:
    """Return the protocol that the command line asks for.

    Raises:
        ValueError: if options do not go together.
    """
    name = options.preset or NETWORKS[options.network]
    preset = smoke_preset() if name == "smoke" else PRESETS[name]
    keys = ("train", "validation", "seeds", "ablation_seeds")
    changes = {key: value for key in keys if (value := getattr(options, key)) is not None}
    if options.ablation:
        changes["ablation"] = tuple(options.ablation)
    if options.losses:
        changes["losses"] = tuple(loss for loss in LOSSES if loss in options.losses)
    if options.test:
        folder, _, names = options.test.partition(":")
        changes |= {"test": folder, "names": tuple(name for name in names.split(",") if name)}
    changes["tasks"] = _tasks(options, preset)
    settings = {**preset.settings, **_settings(options.set, preset.network)}
    if options.steps:
        settings["steps"] = options.steps
    preset = replace(preset, **changes, settings=settings)
    if preset.seeds < 1 or settings["steps"] < 1:
        raise ValueError(
            "--seeds and --steps must be at least 1. "
            f"Received: {preset.seeds} and {settings['steps']}"
        )
    return _warm(preset, options.init) if options.init else preset


def _warm(preset: Preset, init: str) -> Preset:
    """Return a protocol whose trainings all begin with given weights.

    Raises:
        WeightsError: if they cannot be found or do not fit the network of a task.
    """
    kind, make = RECIPES[preset.network]
    said = []
    for cell in {cell.task: cell for cell in plan(preset)}.values():
        recipe = make(kind.of(**specification(cell, preset, keras.backend.backend())["settings"]))
        said.append(f"{cell.task} {start_from(recipe.build(), init, recipe.card)}")
    text = f"those of {origin(init)} for every loss and seed: {'; '.join(said)}. A seed decides on "
    text += "samples, noise and what is new. What the weights were trained on is on their card."
    settings = {**preset.settings, "init": origin(init)}
    return replace(preset, settings=settings, choices=preset.choices | {"initial weights": text})


def _tasks(options: argparse.Namespace, preset: Preset) -> tuple[str, ...]:
    denoising = preset.tasks[0].startswith("sigma")
    if (options.scales and denoising) or (options.sigma is not None and not denoising):
        wrong = "--scales" if denoising else "--sigma"
        raise ValueError(f"{wrong} is not for this network. Received: {preset.network}")
    if options.scales:
        return tuple(f"x{scale}" for scale in options.scales)
    return (f"sigma{options.sigma:g}",) if options.sigma is not None else preset.tasks


def _settings(pairs: Sequence[str], network: str) -> dict[str, Setting]:
    """Return the settings of `--set NAME=VALUE`, with the types of the recipe's."""
    given = RECIPES[network][0]().flat()
    defaults = {name: value for name, value in given.items() if name not in NOT_SETTABLE}
    chosen: dict[str, Setting] = {}
    for pair in pairs:
        name, _, value = pair.partition("=")
        if name not in defaults:
            raise ValueError(f"--set knows {', '.join(sorted(defaults))}. Received: {pair!r}")
        kind = type(defaults[name])
        try:
            chosen[name] = {"True": True, "False": False}[value] if kind is bool else kind(value)
        except (ValueError, KeyError):
            raise ValueError(
                f"{name} must be of type {kind.__name__}. Received: {pair!r}"
            ) from None
    return chosen


def _data_folder(options: argparse.Namespace, workdir: Path) -> Path:
    if options.preset == "smoke":
        generate(workdir / "generated")
        return workdir / "generated"
    if not options.data:
        raise ValueError("--data must name the folder with the image folders. Received: none")
    return Path(options.data)


def _jobs(preset: Preset, data: Path, workdir: Path, init: str = "") -> dict[str, Job]:
    """Return the content of `cell.json` for every cell."""
    validation = data / preset.validation if preset.validation else None
    sources = [
        source if source.startswith("tfds:") else str((data / source).resolve())
        for source in preset.train.split(",")
    ]
    paths = {
        "train": ",".join(sources),
        "test": str((data / preset.test).resolve()),
        "validation": validation_folder(validation, workdir),
        "init": _absolute(init),
    }
    backend = keras.backend.backend()
    return {
        cell.name: {"cell": specification(cell, preset, backend), "paths": paths}
        for cell in plan(preset)
    }


def _absolute(init: str) -> str:
    """Return weights as a cell finds them from any folder: names and addresses as they are."""
    local = init and init not in list_weights() and Path(init).exists()
    return str(Path(init).resolve()) if local else init


def _notes(results: Results, outcome: Outcome) -> tuple[str, ...]:
    """Return what was checked and what is missing."""
    groups = check_same_start(results.cells.values())
    notes = [
        "The runs of one seed began with the same initial weights, first batch and noise: this "
        f"holds in {groups} of {groups} groups (task x seed)."
    ]
    if outcome.failed:
        notes.append(f"Failed: {', '.join(outcome.failed)}.")
    if outcome.left:
        notes.append(f"Not finished yet: {len(outcome.left)} runs; the same command goes on.")
    return tuple(notes)


def _baseline(task: str, images: dict[str, np.ndarray], workdir: Path, preset: Preset) -> Records:
    """Return the records of the degraded images; they are kept in the work folder."""
    path = workdir / f"baseline-{task}.json"
    of = f"{Path(preset.test).name}: {', '.join(images)}"
    if path.exists() and (there := read_json(path)).get("of") == of:
        return dict(there["images"])
    records = measure(None, images, parse(task))
    write_atomically(path, json.dumps({"of": of, "images": records}, indent=1).encode())
    return records


def _command(options: argparse.Namespace) -> str:
    """Return the command for others to repeat: without the paths of this machine."""
    name = options.preset or NETWORKS[options.network]
    words = ["python", "-m", "recipes.compare", "--preset", name]
    words += [] if name == "smoke" else ["--data", "DATA"]
    words += ["--workdir", "WORKDIR"]
    names = ("losses", "seeds", "scales", "sigma", "steps", "ablation_seeds", "ablation", "set")
    for key in (*names, "window"):
        value = getattr(options, key)
        if value not in (None, [], WINDOW):
            words.append("--" + key.replace("_", "-"))
            words += [str(item) for item in (value if isinstance(value, list) else [value])]
    for key in ("train", "test", "validation", "init"):
        value = getattr(options, key)
        if value is not None:
            parts = ["/".join(Path(part).parts[-2:]) for part in value.split(",")]
            words += [f"--{key}", ",".join(parts)]
    return shlex.join(words)


main = command(describe, "stopped; the same command goes on")

if __name__ == "__main__":
    raise SystemExit(main())
