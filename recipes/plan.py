"""The weights of the zoo that are trained here, and which comes next.

    python -m recipes.plan                     the next row for this machine, and its state
    python -m recipes.plan --all               every row
    python -m recipes.plan --run --data DATA   train the next one, below all other work

`recipes/TRAINING.md` says how long each takes and what was measured. What is not finished goes on:
the run below `runs` with the settings of its `run.json`, or else one from the averaged weights that
`recipes/unfinished` keeps (`recipes.publish.snapshot`). A row of which the zoo has a shorter run is
not begun anew by itself. This module needs nothing but Python, so that a
machine can be prepared with it before anything is installed.
"""

import argparse
import hashlib
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
    floor: str = ""  # measured of what is asked for, in dB, where that is not reached
    tried: str = ""  # how long a run was that is not kept


_BLIND = "--sigma 55 --sigma-min 0 --patch 50 --batch 64"
_AGAIN = "--folded --init recipes/unfinished/dncnn-color-blind.weights.h5"
_EDSR = "--batch 32 --learning-rate 0.0004"
_JPEG = "--jpeg 5:99 --jpeg-encoder device"
_FROM_X2 = f"{_EDSR} --init edsr-baseline-x2"
_MUON = "--optimizer muon --learning-rate 0.002"

ROWS = {
    row.name: row
    for row in (
        Row(
            "dncnn-color-blind",
            "dncnn",
            f"--variant C {_BLIND} {_AGAIN} --learning-rate 0.0003 --steps 20000",
            BSD,
            gpu=False,
            floor="CBSD68 33.58 / 30.90 / 27.53 of 33.7 / 31.0 / 27.7",
        ),
        Row(
            "ffdnet-color",
            "ffdnet",
            "--channels 3 --sigma 75",
            ALL,
            floor="CBSD68 30.92 of 30.95",
        ),
        Row(
            "dncnn-jpeg",
            "dncnn",
            f"--variant C {_JPEG} --patch 64 --batch 64",
            ALL,
        ),
        Row("span-x2", "span", f"--scale 2 {_MUON}", ALL, floor="Set5 37.06 of 37.6"),
        Row(
            "span-x2-photo",
            "span",
            f"--scale 2 --photo {_MUON} --init span-x2",
            ALL,
            floor="Kodak24 0.62 of 0.8 above span-x2",
        ),
        Row(
            "ffdnet-gray",
            "ffdnet",
            "--channels 1 --sigma 75 --patch 70",
            ALL,
            floor="BSD68 28.86 of 29.0",
        ),
        Row(
            "edsr-baseline-x3",
            "edsr",
            f"--scale 3 --patch 144 {_FROM_X2}",
            ALL,
            tried="900 steps",
            floor="Set5 33.68 of 34.1",
        ),
        Row("span-x3", "span", f"--scale 3 --patch 144 {_MUON} --init span-x2", ALL),
        Row(
            "edsr-baseline-x4",
            "edsr",
            f"--scale 4 --patch 192 {_FROM_X2}",
            ALL,
            floor="Set5 31.90 of 32.05",
        ),
        Row(
            "span-x4",
            "span",
            f"--scale 4 --patch 192 {_MUON} --init span-x2",
            ALL,
            floor="Set5 30.93 of 31.6",
        ),
        Row(
            "edsr-baseline-x2",
            "edsr",
            f"--scale 2 {_EDSR}",
            ALL,
            floor="Set5 37.86 of 37.95, Set14 33.26 of 33.45",
        ),
        Row(
            "dncnn-gray-25",
            "dncnn",
            "--variant S --sigma 25",
            BSD,
            floor="BSD68 29.06 of 29.18",
        ),
        Row(
            "dncnn-gray-blind",
            "dncnn",
            f"--variant B {_BLIND}",
            BSD,
            floor="BSD68 31.36 / 28.90 / 25.95 of 31.5 / 29.1 / 26.1",
        ),
        Row("dphsir", "dphsir", "--loss mae", BSD_T91, floor="CBSD68 not measured of 31.3 at 25"),
        Row(
            "dphsir-small",
            "dphsir",
            "--variant small --sigma 50 --loss mae --steps 18000 --batch 8 --patch 48",
            BSD_T91,
            gpu=False,
        ),
        Row("srcnn-955-x3", "srcnn", "--scale 3", BSD_T91, gpu=False),
        Row("srcnn-955-x2", "srcnn", "--scale 2 --patch 80 --steps 24000", BSD_T91, gpu=False),
        Row("srcnn-955-x4", "srcnn", "--scale 4 --patch 96 --steps 24000", BSD_T91, gpu=False),
        Row("edsr-full-x2", "edsr", f"--scale 2 --variant full {_EDSR}", ALL),
    )
}

ROOT = Path(__file__).parents[1]
PUBLISHED, UNFINISHED = ROOT / "zoo/published", ROOT / "recipes/unfinished"
ENDING = ".weights.h5"
_FOLDERS = ("data", "degraded", "init")  # what `run.json` tells of them is no option


@dataclass(frozen=True)
class State:
    """How far a row is."""

    text: str
    again: tuple[str, ...] | None  # words of the command line to go on; None: nothing is to be done
    settings: tuple[str, ...] = ()  # options of the run that goes on; none: those of the row


def state(row: Row, runs: Path) -> State:
    """Return how far a row is, by its folder below `runs` and by what the repository keeps."""
    workdir, below = runs / row.name, f", below its floor: {row.floor}" if row.floor else ""
    if (workdir / f"network{ENDING}").is_file():
        return State("finished, to be measured and published", None)
    if (workdir / "run.json").exists():
        return _begun(workdir)
    if file := kept(row):
        return _kept(row, file)
    if (PUBLISHED / f"{row.name}.json").is_file():
        return State(f"published{below}", None)
    if row.tried:
        return State(f"tried: {row.tried}, not kept{below}", ())
    return State("not begun", ())


def kept(row: Row) -> Path | None:
    """Return the averaged weights of an unfinished run that the repository keeps of a row."""
    file = UNFINISHED / f"{row.name}{ENDING}"
    return file if file.is_file() else None


def beginning(row: Row) -> list[str]:
    """Return the options of a row that begins: from what is kept of it, where there is something.

    By `--init` alone, so that the steps may be chosen: with the schedule from its beginning.
    """
    options, file = row.options.split(), kept(row)
    return options if file is None or _starts_from(row, file) else [*options, "--init", str(file)]


def repeated(workdir: Path) -> list[str]:
    """Return the options of the run that a work folder holds; none where it holds none.

    Raises:
        ValueError: if the weights that it started from are not here.
    """
    settings = _settings(workdir / "run.json")
    told = str(settings.get("init", ""))
    init = _start(told, workdir.parent)
    if init is None:
        raise ValueError(f"{workdir} started from {told}, which is not here")
    return [*_options(settings), *(["--init", init] if init else [])]


def _begun(workdir: Path) -> State:
    """Return the state of a run that a work folder holds, with a checkpoint or before its first."""
    settings = _settings(workdir / "run.json")
    newest = max(workdir.glob(f"checkpoints/step-*{ENDING}"), default=None)
    step = str(settings.get("first_step", 0))
    if newest:
        step = f"{int(newest.name.removeprefix('step-').removesuffix(ENDING)):,}"
    text = f"step {step} of {settings.get('steps', '?')}, in {workdir}"
    try:
        return State(text, ("--resume",), tuple(repeated(workdir)))
    except ValueError as error:
        return State(f"{text}; {error}: bring it back, or move the folder away", None)


def _kept(row: Row, file: Path) -> State:
    """Return the state of a row of which the repository keeps an unfinished run in a file."""
    training = json.loads(file.with_name(f"{row.name}.json").read_text())["training"]
    if _starts_from(row, file):
        text = f"a new run starts from {training['reached']} that are kept"
        return State(f"{text}, below its floor: {row.floor}" if row.floor else text, ())
    step = int(training["reached"].split()[0].replace(",", ""))
    step -= step % training["settings"]["every"]  # where a piece begins
    again = ("--init", str(file), "--first-step", str(step))
    settings = {key: each for key, each in training["settings"].items() if key != "first_step"}
    return State(f"{training['reached']}, in {UNFINISHED}", again, tuple(_options(settings)))


def _starts_from(row: Row, file: Path) -> bool:
    """Return whether a row says itself that it starts from a file that is kept of it."""
    return f"/{file.name}" in row.options


def _options(settings: Mapping[str, object]) -> list[str]:
    """Return the words of a command line that make these settings, but for folders and weights."""
    words: list[str] = []
    for name, value in settings.items():
        if name not in _FOLDERS and value is not False and value != "":
            words += [f"--{name.replace('_', '-')}", *([] if value is True else [str(value)])]
    return words


def _start(told: str, runs: Path) -> str | None:
    """Return the `--init` of which `run.json` tells this; None where it is not here."""
    if not told or (PUBLISHED / f"{told}.json").is_file():
        return told
    name, _, rest = told.partition(", SHA-256 ")
    for path in (UNFINISHED / name, *sorted(runs.glob(f"*/{Path(name).name}"))):
        if path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == rest[:64]:
            return str(path)
    return None


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
    line = ["-m", f"recipes.{row.recipe}", *([] if found.settings else row.options.split())]
    line += ["--data", folders, "--workdir", str(runs / row.name)]
    line += [*(found.again or ()), *found.settings]
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
