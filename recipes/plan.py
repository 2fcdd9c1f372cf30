"""The weights of the zoo that are trained here, and which comes next.

    python -m recipes.plan                     the next row for this machine, and its state
    python -m recipes.plan --all               every row
    python -m recipes.plan --run --data DATA   train the next one, below all other work

`recipes/TRAINING.md` says how long each takes and what was measured. What is not finished goes on:
from the newest checkpoint below `runs`, or else from the averaged weights that `recipes/unfinished`
keeps (`recipes.publish.snapshot`). A row of which the zoo has a shorter run is not begun anew by
itself. This module needs nothing but Python, so that a machine can be prepared with it before
anything is installed.
"""

import argparse
import json
import os
import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

BSD = ("bsds500/train", "bsds500/test")
BSD_T91 = (*BSD, "t91")
ALL = (*BSD_T91, "photos")


@dataclass(frozen=True)
class Row:
    """One weight."""

    name: str
    recipe: str  # module in `recipes`
    options: str  # words of its command line, apart from folders and the machine
    images: tuple[str, ...]  # folders of training images, below the folder of all data
    gpu: bool = True  # a CPU would take days


_BLIND = "--sigma 55 --sigma-min 0 --patch 50 --batch 64"
_EDSR = "--batch 32 --learning-rate 0.0004"
_JPEG = "--jpeg 5:99 --jpeg-encoder device"
_FROM_X2 = f"{_EDSR} --init edsr-baseline-x2"
_MUON = "--optimizer muon --learning-rate 0.002"

ROWS = {
    row.name: row
    for row in (
        Row("dncnn-gray-25", "dncnn", "--variant S --sigma 25", BSD),
        Row("edsr-baseline-x2", "edsr", f"--scale 2 {_EDSR}", ALL),
        Row("srcnn-955-x3", "srcnn", "--scale 3", BSD_T91, gpu=False),
        Row("srcnn-955-x2", "srcnn", "--scale 2 --patch 80 --steps 24000", BSD_T91, gpu=False),
        Row("srcnn-955-x4", "srcnn", "--scale 4 --patch 96 --steps 24000", BSD_T91, gpu=False),
        Row("dncnn-gray-blind", "dncnn", f"--variant B {_BLIND}", BSD),
        Row("dncnn-color-blind", "dncnn", f"--variant C {_BLIND}", BSD, gpu=False),
        Row("dphsir", "dphsir", "--loss mae", BSD_T91),
        Row(
            "dphsir-small",
            "dphsir",
            "--variant small --sigma 50 --loss mae --steps 18000 --batch 8 --patch 48",
            BSD_T91,
            gpu=False,
        ),
        Row("ffdnet-color", "ffdnet", "--channels 3 --sigma 75", ALL),
        Row("ffdnet-gray", "ffdnet", "--channels 1 --sigma 75 --patch 70", ALL),
        Row("edsr-baseline-x3", "edsr", f"--scale 3 --patch 144 {_FROM_X2}", ALL),
        Row("edsr-baseline-x4", "edsr", f"--scale 4 --patch 192 {_FROM_X2}", ALL),
        Row("edsr-full-x2", "edsr", f"--scale 2 --variant full {_EDSR}", ALL),
        Row("span-x2", "span", f"--scale 2 {_MUON}", ALL),
        Row("span-x3", "span", f"--scale 3 --patch 144 {_MUON} --init span-x2", ALL),
        Row("span-x4", "span", f"--scale 4 --patch 192 {_MUON} --init span-x2", ALL),
        Row("span-x2-photo", "span", f"--scale 2 --photo {_MUON} --init span-x2", ALL),
        Row("dncnn-jpeg", "dncnn", f"--variant C {_JPEG} --patch 64 --batch 64", ALL),
    )
}

ROOT = Path(__file__).parents[1]
PUBLISHED, UNFINISHED = ROOT / "zoo/published", ROOT / "recipes/unfinished"
ENDING = ".weights.h5"
_KEPT = "steps batch patch optimizer learning_rate every seed precision".split()


@dataclass(frozen=True)
class State:
    """How far a row is."""

    text: str
    again: tuple[str, ...] | None  # words of the command line to go on; None: nothing is to be done
    settings: Mapping[str, object]  # of the run that goes on; empty: those of the row


def state(row: Row, runs: Path) -> State:
    """Return how far a row is, by its folder below `runs` and by what the repository keeps."""
    workdir, kept = runs / row.name, UNFINISHED / f"{row.name}{ENDING}"
    settings = _settings(workdir / "run.json")
    newest = max(workdir.glob(f"checkpoints/step-*{ENDING}"), default=None)
    if (workdir / f"network{ENDING}").is_file():
        return State("finished, to be measured and published", None, settings)
    if newest:
        step = int(newest.name.removeprefix("step-").removesuffix(ENDING))
        text = f"step {step:,} of {settings.get('steps', '?')}, in {workdir}"
        return State(text, ("--resume",), settings)
    if kept.is_file():
        training = json.loads(kept.with_name(f"{row.name}.json").read_text())["training"]
        step = int(training["reached"].split()[0].replace(",", ""))
        step -= step % training["settings"]["every"]  # where a piece begins
        words = ("--init", str(kept), "--first-step", str(step))
        return State(f"{training['reached']}, in {UNFINISHED}", words, training["settings"])
    if (PUBLISHED / f"{row.name}.json").is_file():
        return State("published", None, {})
    return State("not begun", (), {})


def _settings(run: Path) -> Mapping[str, object]:
    try:
        found = json.loads(run.read_text())["settings"]
        return found if isinstance(found, dict) else {}
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return {}


def following(runs: Path, gpu: bool) -> Row | None:
    """Return the row to train next: what is begun first, then the order of the plan."""
    open_rows = [row for row in ROWS.values() if state(row, runs).again is not None]
    fitting = [row for row in open_rows if gpu or not row.gpu]
    begun = [row for row in fitting if state(row, runs).again]
    return next(iter([*begun, *fitting]), None)


def words(row: Row, data: str, runs: Path, bfloat16: bool) -> list[str]:
    """Return the command line that trains a row, or goes on with it."""
    found = state(row, runs)
    folders = ",".join(str(Path(data) / folder) for folder in row.images)
    line = ["-m", f"recipes.{row.recipe}", *row.options.split(), "--data", folders]
    line += ["--workdir", str(runs / row.name), *(found.again or ())]
    for name in _KEPT:
        if name in found.settings:
            line += [f"--{name.replace('_', '-')}", str(found.settings[name])]
    return line if "--precision" in line or not bfloat16 else [*line, "--precision", "bfloat16"]


def has_gpu() -> bool:
    """Return whether this machine has a GPU of NVIDIA."""
    return Path("/proc/driver/nvidia/version").exists() or Path("/dev/nvidia0").exists()


def has_bfloat16() -> bool:
    """Return whether this processor multiplies in bfloat16."""
    try:
        return "avx512_bf16" in Path("/proc/cpuinfo").read_text()
    except OSError:
        return False


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m recipes.plan",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--all", action="store_true", help="print every row and its state")
    parser.add_argument("--run", action="store_true", help="train the next row")
    parser.add_argument("--data", default="DATA", help="folder of all training images")
    text = "folder of the work folders (default: runs)"
    parser.add_argument("--runs", type=Path, default=Path("runs"), help=text)
    given = parser.parse_args(arguments)
    gpu = has_gpu()
    if given.all:
        for row in ROWS.values():
            print(f"{row.name:18} {'GPU' if row.gpu else 'CPU'}  {state(row, given.runs).text}")
        return 0
    chosen = following(given.runs, gpu)
    if chosen is None:
        print("nothing is left that this machine can train; --all shows every row")
        return 0
    line = words(chosen, given.data, given.runs, gpu or has_bfloat16())
    print(f"{chosen.name}: {state(chosen, given.runs).text}")
    print(shlex.join(["python", *line]), flush=True)
    if not given.run:
        return 0
    if not Path(given.data).is_dir():
        print(f"plan: there is no folder {given.data}; give --data", file=sys.stderr)
        return 1
    os.nice(19)
    os.execv(sys.executable, [sys.executable, *line])  # so that signals reach the run itself


if __name__ == "__main__":
    sys.exit(main())
