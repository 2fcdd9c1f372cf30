"""Steps per second of training: patches cut by the host, by the device, and PyTorch.

    python -m recipes.benchmark.steps --data DATA/bsds500/train --seconds 4 --profile 100

Each is the whole step of a row of the plan, in bfloat16 on a GPU. Ours runs with its batches and
callbacks, once as the host cuts the patches and once as the device does (`--cut` of the recipes).
PyTorch's has one batch in memory, channels last, fused Adam; it runs eager and, where a compiler is
there, compiled, in a process of its own. Needs no TensorFlow.
"""

import argparse
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from recipes import dncnn, edsr
from recipes.benchmark.train import has_torch
from recipes.training.devices import accelerated
from recipes.training.run import Recipe, print_profile, step_rate
from recipes.training.settings import Settings, Value
from zoo.app.command import Work, command
from zoo.machine.parts import temporary_folder

WARM = 5  # steps of PyTorch before time is taken


Made: TypeAlias = tuple[Settings, Recipe]


def _dncnn(**changes: Value) -> Made:
    settings = dncnn.DncnnSettings.of(variant="S", sigma=25.0, **changes)
    return settings, dncnn.recipe(settings)


def _edsr(**changes: Value) -> Made:
    settings = edsr.EdsrSettings.of(scale=2, **changes)
    return settings, edsr.recipe(settings)


@dataclass(frozen=True)
class Case:
    """A step: what makes its settings, and the size of its batch."""

    name: str
    make: Callable[..., Made]
    batch: int
    patch: int


CASES = (Case("dncnn", _dncnn, 128, 40), Case("edsr", _edsr, 32, 96))


def ours(case: Case, options: argparse.Namespace) -> None:
    """Print our steps per second, and where the time goes if the device cuts."""
    batch, call = options.batch or case.batch, options.call
    common = {"data": options.data, "quiet": True, "batch": batch, "patch": case.patch}
    calls = {"steps_per_execution": call, "every": call, "steps": call}
    for cut in ("host", "device"):
        with temporary_folder() as folder:
            given = {**common, **calls, "cut": cut, "workdir": str(folder)}
            speed = step_rate(*case.make(**given), options.seconds)
            print(
                f"{case.name}: cut by the {cut} {speed.rate:.1f} steps/s "
                f"({1e3 / speed.rate:.2f} ms), {speed.compiling:.1f} s of compiling",
                flush=True,
            )
            if cut == "device" and options.profile:
                print_profile(*case.make(**given, profile=options.profile))


def pytorch(case: Case, options: argparse.Namespace) -> None:
    """Print PyTorch's steps per second."""
    import torch

    from recipes.benchmark.train_torch import Step

    gpu = torch.cuda.is_available()
    torch.set_default_device("cuda" if gpu else "cpu")
    for compiled in (False, True) if options.compile else (False,):
        begun = time.monotonic()
        step = Step(case.name, options.batch or case.batch, case.patch, gpu, compiled)
        for _ in range(WARM):
            step()
        compiling, begun, taken = time.monotonic() - begun, time.monotonic(), 0
        while time.monotonic() - begun < options.seconds:
            for _ in range(options.call):
                loss = step.take()
            taken, _ = taken + options.call, float(loss)
        rate = taken / (time.monotonic() - begun)
        kind = "compiled" if compiled else "eager"
        print(
            f"{case.name}: PyTorch {torch.__version__} {kind} {rate:.1f} steps/s "
            f"({1e3 / rate:.2f} ms), {compiling:.1f} s of compiling",
            flush=True,
        )


@command
def main(parser: argparse.ArgumentParser) -> Work:
    """Add the options; return what measures."""
    parser.add_argument("--data", required=True, help="folder of training images")
    parser.add_argument("--seconds", type=float, default=4.0, help="of each measurement")
    parser.add_argument("--call", type=int, default=100, help="steps per call of the device")
    parser.add_argument("--batch", type=int, default=0, help="patches; default: of the plan")
    parser.add_argument("--profile", type=int, default=0, help="steps whose kernels are listed")
    parser.add_argument("--compile", action="store_true", help="compile PyTorch's networks, too")
    parser.add_argument("--torch", action="store_true", help=argparse.SUPPRESS)
    return measure


def measure(options: argparse.Namespace) -> None:
    """Print all."""
    if options.torch:
        for case in CASES:
            pytorch(case, options)
        return
    print(f"bfloat16: {accelerated()}", flush=True)
    for case in CASES:
        ours(case, options)
    if has_torch():
        words = ["--torch", *sys.argv[1:]]
        subprocess.run([sys.executable, "-m", "recipes.benchmark.steps", *words], check=False)


if __name__ == "__main__":
    raise SystemExit(main())
