"""The commands that are killed: their input, their words, and what makes a result a whole one."""

import hashlib
import importlib
import json
import os
import signal
import sys
import tempfile
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import scipy.io
from PIL import Image

from zoo.app.command import Ended
from zoo.exports.samples import photographs

MODULES = (
    *("zoo.app.cli", "recipes.srcnn", "recipes.publish.weight", "recipes.compare.__main__"),
    *("zoo.networks.importers", "zoo.exports", "tests.fuzz.kill_cases"),
)
WEIGHT = "srcnn-955-x2"
TRAIN = "--scale 2 --variant 9-1-5 --patch 36 --batch 8 --steps 40 --every 5 --ema 0.9 --resume"


def run(words: list[str], settings: dict[str, Any], folder: str, mark: str) -> None:
    """Be the process of a command."""
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # also where `nohup` has it ignored
    os.environ |= {mark: folder, "TMPDIR": f"{folder}/tmp", "TF_CPP_MIN_LOG_LEVEL": "3"}
    tempfile.tempdir = None
    sys.stdout = sys.stderr = open(f"{folder}/log.txt", "a", buffering=1)
    os.dup2(sys.stdout.fileno(), 1)
    os.dup2(sys.stdout.fileno(), 2)
    for name, value in settings.items():
        module, _, attribute = name.rpartition(".")
        setattr(importlib.import_module(module), attribute, value)
    sys.exit(importlib.import_module(words[0]).main(words[1:]))


def kept(folder: Path) -> list[Path]:
    """Return the finished results that a second start must leave as they are."""
    finished = [*folder.glob("out/**/*.*g"), *folder.glob("work/cells/*/evaluation.json")]
    return [path for path in finished if path.is_file() and ".part-" not in str(path)]


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _arrays(path: Path) -> str:
    """Return a digest of all arrays of a weights file; fails where it is not whole."""
    total = hashlib.sha256()

    def add(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset):
            total.update(name.encode() + item[()].tobytes())

    with h5py.File(path) as file:
        file.visititems(add)
    return total.hexdigest()


def _weights(path: Path) -> dict[str, Any]:
    """Return a weights file that its card describes, nothing before the card is there."""
    card_path = path.with_name(path.name.replace(".weights.h5", ".json"))
    if not card_path.exists():
        return {}
    card = json.loads(card_path.read_text())
    assert card["sha256"] == _digest(path.read_bytes()), f"{path.name} is not that of its card"
    return {path.name: _arrays(path), card_path.name: card["builder"]}


def nothing(folder: Path) -> None:
    """Make no input."""


def pictures(folder: Path) -> None:
    """Make pictures in two folders."""
    for number, name in enumerate(("a.png", "b.jpg", "sub/c.tif", "sub/d.png", "sub/e.bmp")):
        path = folder / "in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(number).integers(0, 256, (160, 120, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(path)


# ---- restore


def restore(folder: Path) -> list[str]:
    """Return the command."""
    return ["zoo.app.cli", "restore", f"{folder}/in", "-o", f"{folder}/out", "--weights", WEIGHT]


def restored(folder: Path) -> dict[str, Any]:
    """Return the pictures that are there."""
    paths = [path for path in (folder / "out").rglob("*.*") if path.is_file()]
    return {
        str(path.relative_to(folder)): _digest(path.read_bytes())
        for path in paths
        if not any(part.startswith(".") for part in path.relative_to(folder).parts)
    }


# ---- import


def foreign_weights(folder: Path) -> None:
    """Make a file of SRCNN's authors."""
    rng = np.random.default_rng(0)
    sizes = {"weights_conv1": (81, 64), "weights_conv2": (64, 25, 32), "weights_conv3": (32, 25)}
    sizes |= {"biases_conv1": (64, 1), "biases_conv2": (32, 1), "biases_conv3": (1, 1)}
    scipy.io.savemat(
        folder / "x3.mat", {name: rng.normal(size=each) for name, each in sizes.items()}
    )
    (folder / "out").mkdir(exist_ok=True)


def import_weights(folder: Path) -> list[str]:
    """Return the command."""
    words = [f"{folder}/x3.mat", "--model", "srcnn", "--out", f"{folder}/out/x.weights.h5"]
    return ["zoo.app.cli", "import-weights", *words]


def imported(folder: Path) -> dict[str, Any]:
    """Return the weights."""
    return _weights(folder / "out/x.weights.h5")


# ---- train


def train(folder: Path) -> list[str]:
    """Return the command."""
    words = ["--data", f"{folder}/in", "--workdir", f"{folder}/work", *TRAIN.split()]
    return ["recipes.srcnn", *words]


def trained(folder: Path) -> dict[str, Any]:
    """Return the network, and look at the checkpoints."""
    for path in (folder / "work/checkpoints").glob("step-*.weights.h5"):
        _arrays(path)
    return _weights(folder / "work/network.weights.h5")


# ---- export


def small_parts(part: str) -> list[np.ndarray]:
    """Return parts of the photographs that an export is measured on."""
    return [photo[100:196, 100:244] for photo in photographs(part)[:2]]


def quick_checks(folder: Path) -> dict[str, Any]:
    """Let exports look at little, so that more of the kills come while they write."""
    return {"zoo.exports.check.photographs": small_parts}


def export(folder: Path) -> list[str]:
    """Return the command."""
    return ["zoo.app.cli", "export", WEIGHT, f"{folder}/model", "--overwrite"]


def exported(folder: Path) -> dict[str, Any]:
    """Return the folder of the model, whose files the report has the checksums of."""
    report = folder / "model.json"
    if not report.exists():
        return {}
    files = json.loads(report.read_text())["files"]
    found = {
        name: _digest((folder / name).read_bytes()) if (folder / name).is_file() else None
        for name in files
    }
    assert found == {name: file["sha256"] for name, file in files.items()}
    return {"names": sorted(files)}


# ---- publish


def finished_run(folder: Path) -> None:
    """Make the work folder of a run that is finished: a published network under another name."""
    from zoo.store.weight import find, save_card

    weight = find(WEIGHT)
    (folder / "run").mkdir(exist_ok=True)
    (folder / "run/network.weights.h5").write_bytes(weight.file.read_bytes())
    save_card(folder / "run/network.weights.h5", replace(weight.card, tests=(), more={}))
    (folder / "zoo").mkdir(exist_ok=True)


def zoo_below(folder: Path) -> dict[str, Any]:
    """Let the published weights be below the folder."""
    return {"recipes.publish.weight.PUBLISHED": folder / "zoo"}


def publish(folder: Path) -> list[str]:
    """Return the command."""
    words = [f"{folder}/run", "--name", "toy", "--data", f"{folder}/none", "--half"]
    return ["recipes.publish.weight", *words]


def published(folder: Path) -> dict[str, Any]:
    """Return the weights."""
    return _weights(folder / "zoo/toy.weights.h5")


# ---- compare


def in_one_process(folder: Path) -> dict[str, Any]:
    """Let the runs of a comparison be in its process: to start TensorFlow takes longer."""
    from recipes.compare.cells import run_cells

    return {"recipes.compare.__main__.run_cells": partial(run_cells, start=run_of_cell)}


def run_of_cell(folder: Path, minutes: float) -> int:
    """Run a cell here; a signal, which then reaches the training alone, ends the command too."""
    from recipes.compare import cell
    from recipes.training.progress import Stopped

    try:
        return cell.run(folder, minutes)
    except Stopped as stop:
        raise Ended(stop.code - 128) from stop


def compare(folder: Path) -> list[str]:
    """Return the command."""
    words = ["--preset", "smoke", "--seeds", "1", "--steps", "6", "--set", "batch=2", "every=2"]
    return ["recipes.compare.__main__", *words, "--workdir", f"{folder}/work"]


def compared(folder: Path) -> dict[str, Any]:
    """Return the scores of the finished runs, and the names in the report."""
    found: dict[str, Any] = {}
    for path in (folder / "work/cells").glob("*/evaluation.json"):
        found[path.parent.name] = json.loads(path.read_text())["images"]
    report = folder / "work/report"
    if (report / "report.md").exists():
        found["report"] = sorted(path.name for path in report.iterdir())
    return found
