"""The work folder of a run: which run it holds, and its checkpoints.

A checkpoint is two files: `step-N.weights.h5` with the weights, the optimizer with its moving
average and the state of the random degradations; and `step-N.json` with the settings, the seed, the
versions and the SHA-256 of the first. Both are written whole or not at all. Samples and learning
rate follow from the settings and the number of the step, so that nothing else has to be kept.
"""

import json
import platform
import sys
from pathlib import Path

import keras

from asykeras._version import __version__
from recipes.data.sources import folder_name
from recipes.training.devices import alone
from recipes.training.initial import origin
from recipes.training.settings import Run, Settings, TrainingError, Value
from zoo.machine.failures import printable, reason
from zoo.machine.files import check_room, replacing, sha256, write_atomically
from zoo.store.card import Json
from zoo.store.weight import SUFFIX, check_file, file_size, json_beside, load_whole

KEPT = 2  # checkpoints that are kept, the newest ones
FOLDER = "checkpoints"


def identity(settings: Settings) -> dict[str, Value]:
    """Return the settings that a run and its continuation share; of folders the names alone."""
    samples = settings.samples
    return settings.identity() | {
        "data": folder_name(samples.data),
        "degraded": folder_name(samples.degraded),
        "init": origin(settings.start.init),
    }


def versions() -> dict[str, str]:
    """Return the versions that a run depends on."""
    return {
        "asykeras": __version__,
        "keras": keras.__version__,
        "backend": keras.backend.backend(),
        "python": platform.python_version(),
    }


def open_workdir(settings: Settings, writes: bool = True) -> Path:
    """Make the work folder, where this process `writes`, or check that it holds this very run.

    Raises:
        TrainingError: if it holds another run, holds this one without `--resume`, or cannot be
            written.
    """
    workdir = Path(settings.run.workdir)
    run = workdir / "run.json"
    try:
        if run.exists():
            _check_same_run(workdir, settings)
        elif writes:
            (workdir / FOLDER).mkdir(parents=True, exist_ok=True)
            text = json.dumps({"settings": identity(settings), "versions": versions()}, indent=2)
            write_atomically(run, text.encode())
    except OSError as error:
        raise TrainingError(f"the work folder {workdir} cannot be used: {error.strerror}") from None
    return workdir


def _check_same_run(workdir: Path, settings: Settings) -> None:
    this, there = identity(settings), _settings_there(workdir, settings.run)
    # A run of an earlier version lacks the options that came later: they had their defaults.
    defaults = type(settings)().flat()
    differing = [key for key in this if there.get(key, defaults[key]) != this[key]]
    if differing:
        key = differing[0]
        raise TrainingError(
            f"{workdir} holds another run: its {key} is {repr(there.get(key))[:80]}, not "
            f"{this[key]!r}"
        )


def _settings_there(workdir: Path, run: Run) -> dict[str, Json]:
    if not run.resume:
        raise TrainingError(
            f"{workdir} already holds a run; go on with --resume or choose another --workdir"
        )
    try:
        return dict(json.loads((workdir / "run.json").read_text())["settings"])
    except (ValueError, KeyError, TypeError, RecursionError):
        raise TrainingError(f"{workdir / 'run.json'} is damaged, so its run is unknown") from None


def steps_there(run: Run) -> int:
    """Return the steps of the run that the work folder holds, 0 where it holds none.

    Raises:
        TrainingError: if it holds a run and this is not `--resume`, or `run.json` is damaged.
    """
    workdir = Path(run.workdir)
    if not (workdir / "run.json").exists():
        return 0
    steps = _settings_there(workdir, run).get("steps")
    if not isinstance(steps, int):
        raise TrainingError(f"{workdir / 'run.json'} is damaged, so its steps are unknown")
    return steps


def save_checkpoint(model: keras.Model, workdir: Path, step: int, settings: Settings) -> None:
    """Write a checkpoint and remove the oldest.

    Raises:
        TrainingError: if the disk is full or the folder cannot be written; the checkpoints that
            were there are kept.
    """
    path = workdir / FOLDER / f"step-{step:09d}{SUFFIX}"
    # Images that lie on the device are variables of integers, which are not saved.
    floats = [each for each in model.variables if "float" in each.dtype]
    try:
        check_room(path.parent, file_size([*floats, *model.optimizer.variables]))
        with replacing(path) as part, alone():  # Keras makes an optimizer of its own meanwhile
            model.save_weights(part)
            digest = sha256(part)
        facts = {
            "step": step,
            "seed": settings.start.seed,
            "sha256": digest,
            "settings": identity(settings),
            "versions": versions(),
        }
        write_atomically(json_beside(path), json.dumps(facts, indent=2).encode())
    except OSError as error:
        raise TrainingError(
            f"the checkpoint of step {step} cannot be written ({error.strerror}); the one before "
            "it is kept: make room and go on with --resume"
        ) from None
    for old in newest_first(workdir)[KEPT:]:
        json_beside(old).unlink(missing_ok=True)
        old.unlink()


def load_newest(model: keras.Model, workdir: Path) -> int:
    """Load the newest checkpoint that is whole; return its step, 0 where there is none.

    A damaged one is skipped with a warning, and so is news of other versions told: they may round
    differently.

    Raises:
        TrainingError: if there are checkpoints and none of them is whole.
    """
    found = newest_first(workdir)
    for path in found:
        try:
            step = int(path.name.removeprefix("step-").removesuffix(SUFFIX))
            facts = _read_facts(path)
            check_file(path)
            load_whole(model, path)
        except Exception as error:  # h5py and Keras raise many kinds for a damaged file
            _say(f"skipped the damaged checkpoint {path.name}: {reason(error)}")
            continue
        written_by = facts.get("versions", versions())
        if written_by != versions():
            _say(
                f"{path.name} was written by {str(written_by)[:200]}, this is {versions()}: the "
                "run goes on, not to the same bits"
            )
        return step
    if found:
        raise TrainingError(
            f"no checkpoint in {workdir / FOLDER} is whole; remove them to start anew"
        )
    return 0


def _say(line: str) -> None:
    print(printable(line), file=sys.stderr)


def _read_facts(path: Path) -> dict[str, Json]:
    """Return what stands beside a checkpoint, having checked its SHA-256.

    Nothing where a kill came between the two files: the weights are whole, by their atomic name.
    """
    if not json_beside(path).exists():
        return {}
    facts: dict[str, Json] = json.loads(json_beside(path).read_text())
    if not isinstance(facts, dict):
        raise ValueError("what stands beside it is damaged")
    if facts.get("sha256") != sha256(path):
        raise ValueError("its SHA-256 is not the one that was written down")
    return facts


def newest_first(workdir: Path) -> list[Path]:
    """Return the checkpoints of a work folder, whole or damaged."""
    return sorted((workdir / FOLDER).glob(f"step-*{SUFFIX}"), reverse=True)
