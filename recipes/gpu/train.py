r"""Train rows of the plan one after the other, each within its seconds.

    python3 -m recipes.gpu.train dncnn-gray-blind:270 edsr-baseline-x3:290 --out OUT
    python3 -m recipes.gpu.train edsr-baseline-x3:200:resume --out OUT

Each row measures its speed and chooses the steps that fit (`--fit`), from the averaged weights of
`recipes/unfinished` where they keep some of it; with `:resume` it goes on with the settings of its
`run.json`. Left in OUT: `NAME.log`, and `NAME.tar` with log, settings, finished
network and card. A row that has not ended after its seconds, or when this is told to end, is
stopped: then `NAME.tar.part.000`, ... hold its newest checkpoint. `cat NAME.tar* | tar -x` unpacks.
Needs nothing but Python until the recipes start.
"""

import argparse
import os
import signal
import subprocess
import sys
import tarfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from recipes.plan import ROWS, Row, beginning, repeated

START = 10  # seconds to import all that a recipe needs
GRACE = 20  # seconds to write a checkpoint when it is told to stop
LAST_LINES = 12  # of its log, which are shown
SIGNALS = (signal.SIGTERM, signal.SIGINT)
NOT_KEPT = {"checkpoints", "scratch"}  # of a finished run


class Ended(Exception):
    """This program was told to end."""


@dataclass(frozen=True)
class Job:
    """A row, its seconds, and whether it goes on."""

    row: Row
    seconds: float
    resume: bool


@dataclass(frozen=True)
class Place:
    """Where things are on this machine, and options that all recipes get."""

    images: Path
    work: Path
    out: Path
    part: int  # largest file of a tar, in bytes
    more: Sequence[str]

    def command(self, job: Job) -> list[str]:
        """Return the command line of a row's recipe.

        Raises:
            ValueError: for a run that goes on, if the weights that it started from are not here.
        """
        data = ",".join(str(self.images / folder) for folder in job.row.images)
        minutes, workdir = (job.seconds - START) / 60, self.work / job.row.name
        options = (repeated(workdir) if job.resume else []) or beginning(job.row)
        return [
            *(sys.executable, "-m", f"recipes.{job.row.recipe}", *options),
            *("--data", data, "--workdir", str(workdir)),
            *("--steps-per-execution", "100", "--minutes", f"{minutes:.4f}", "--fit"),
            *(["--resume"] if job.resume else []),
            *self.more,
        ]


def read_job(text: str) -> Job:
    """Return the job of `NAME:SECONDS` or `NAME:SECONDS:resume`; ValueError for another text."""
    name, _, rest = text.partition(":")
    seconds, _, resume = rest.partition(":")
    if name not in ROWS:
        raise ValueError(f"there is no row {name!r} in the plan; there are {', '.join(ROWS)}")
    if not seconds.isdecimal() or int(seconds) <= START or resume not in ("", "resume"):
        raise ValueError(
            f"a row is given as NAME:SECONDS or NAME:SECONDS:resume, with more than {START} "
            f"seconds. Received: {text!r}"
        )
    return Job(ROWS[name], int(seconds), bool(resume))


def run(job: Job, place: Place, environment: dict[str, str]) -> bool:
    """Train one row and leave what it made; return whether it ended by itself, and well.

    Raises:
        Ended: if this program was told to end, after the row was stopped.
    """
    name, ended = job.row.name, None
    with (place.out / f"{name}.log").open("wb") as log:
        process = subprocess.Popen(place.command(job), env=environment, stdout=log, stderr=log)
        try:
            code = process.wait(job.seconds)
        except (subprocess.TimeoutExpired, Ended) as error:
            ended = error
            code = _stop(process)
    text = (place.out / f"{name}.log").read_text(errors="replace")
    lines = [line[:200] for line in text.splitlines() if line.strip()]
    print("\n".join(lines[-LAST_LINES:]))
    print(f"== {name}: exit {code}", flush=True)
    keep(place.work / name, place.out / f"{name}.tar", place.part, finished=code == 0)
    if isinstance(ended, Ended):
        raise ended
    return code == 0


def _stop(process: subprocess.Popen[bytes]) -> int:
    process.terminate()
    try:
        return process.wait(GRACE)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()


def keep(workdir: Path, target: Path, part: int, finished: bool) -> None:
    """Pack a finished run, or the newest checkpoint of one that was cut, where there is any.

    What is cut, and what is larger than a part, goes into `TARGET.part.000`, `TARGET.part.001`, ...
    instead of the target.
    """
    newest = sorted(workdir.glob("checkpoints/step-*.weights.h5"))[-1:]
    if finished:
        paths = [path for path in sorted(workdir.glob("*")) if path.name not in NOT_KEPT]
    else:
        facts = [path.with_name(path.name.removesuffix(".weights.h5") + ".json") for path in newest]
        paths = [workdir / "run.json", workdir / "training.csv", *newest, *facts]
    paths = [path for path in paths if path.exists()]
    for old in target.parent.glob(f"{target.name}*"):
        old.unlink()
    if not paths:
        return
    with tarfile.open(target, "w") as tar:
        for path in paths:
            tar.add(path, path.relative_to(workdir))
    if not finished or target.stat().st_size > part:
        _split(target, part)


def _split(path: Path, part: int) -> None:
    with path.open("rb") as whole:
        for number, content in enumerate(iter(lambda: whole.read(part), b"")):
            path.with_name(f"{path.name}.part.{number:03d}").write_bytes(content)
    path.unlink()


def prepared(wheels: Path, work: Path) -> dict[str, str]:
    """Install the wheels, where there are any, into the work folder; return the environment."""
    environment = {
        "KERAS_BACKEND": "jax",
        "JAX_COMPILATION_CACHE_DIR": str(work / "compiled"),
        **os.environ,
        "PYTHONUNBUFFERED": "1",
    }
    files = sorted(str(path) for path in wheels.glob("*.whl"))
    if not files:
        return environment
    site = work / "site"
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps"]
    done = subprocess.run([*command, "--upgrade", "--target", str(site), *files], check=False)
    if done.returncode:
        raise OSError(f"the wheels in {wheels} cannot be installed")
    before = environment.get("PYTHONPATH")
    return environment | {"PYTHONPATH": os.pathsep.join([str(site), *([before] if before else [])])}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    parser = argparse.ArgumentParser(
        prog="python3 -m recipes.gpu.train",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    packed = Path(".gpu")
    text = "NAME:SECONDS or NAME:SECONDS:resume; names as in recipes/plan.py"
    parser.add_argument("jobs", nargs="+", metavar="JOB", help=text)
    parser.add_argument("--out", type=Path, required=True, help="folder for what is to be kept")
    parser.add_argument("--images", type=Path, default=packed / "images", help="packed images")
    parser.add_argument("--wheels", type=Path, default=packed / "wheels", help="packed wheels")
    text = "folder of the work folders; default: runs/gpu"
    parser.add_argument("--work", type=Path, default=Path("runs/gpu"), help=text)
    parser.add_argument("--part", type=float, default=15, help="MiB of the largest file in OUT")
    text = "options that every recipe gets, as --more='--precision float32 --batch 2'"
    parser.add_argument("--more", default="", help=text)
    given = parser.parse_args(arguments)
    place = Place(given.images, given.work, given.out, int(given.part * 2**20), given.more.split())
    for number in SIGNALS:
        signal.signal(number, _end)
    begun = time.monotonic()
    try:
        jobs = [read_job(text) for text in given.jobs]
        for job in jobs:
            if job.resume and not (place.work / job.row.name / "run.json").exists():
                raise ValueError(f"{place.work / job.row.name} holds no run that could go on")
        for folder in (place.work, place.out):
            folder.mkdir(parents=True, exist_ok=True)
        environment = prepared(given.wheels, place.work)
        well = [run(job, place, environment) for job in jobs]
    except (ValueError, OSError, Ended) as error:
        print(f"train: {error}", file=sys.stderr)
        return 1
    print(f"== {sum(well)} of {len(well)} rows finished in {time.monotonic() - begun:.0f} s")
    return 0 if all(well) else 1


def _end(number: int, frame: FrameType | None) -> None:
    for each in SIGNALS:
        signal.signal(each, signal.SIG_IGN)
    raise Ended(f"ended by {signal.Signals(number).name}")


if __name__ == "__main__":
    sys.exit(main())
