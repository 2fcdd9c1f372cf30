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

from recipes import dncnn, edsr
from recipes.benchmark.train import has_torch
from recipes.training.devices import accelerated
from recipes.training.run import Recipe, print_profile, step_rate
from recipes.training.settings import Settings
from zoo.app.command import Work, command
from zoo.machine.parts import temporary_folder

WARM = 5  # steps of PyTorch before time is taken


# What makes the recipe of a step, and its settings.
CASES: dict[str, tuple[Callable[..., Recipe], Settings]] = {
    "dncnn": (dncnn.recipe, dncnn.DncnnSettings.of(variant="S", sigma=25.0, batch=128, patch=40)),
    "edsr": (edsr.recipe, edsr.EdsrSettings.of(scale=2, batch=32, patch=96)),
}


def ours(name: str, options: argparse.Namespace) -> None:
    """Print our steps per second, and where the time goes if the device cuts."""
    recipe, settings = CASES[name]
    call, batch = options.call, options.batch or settings.samples.batch
    settings = settings.having(data=options.data, quiet=True, batch=batch)
    settings = settings.having(steps_per_execution=call, every=call, steps=call)
    for cut in ("host", "device"):
        with temporary_folder() as folder:
            given = settings.having(cut=cut, workdir=str(folder))
            speed = step_rate(given, recipe(given), options.seconds)
            print(
                f"{name}: cut by the {cut} {speed.rate:.1f} steps/s "
                f"({1e3 / speed.rate:.2f} ms), {speed.compiling:.1f} s of compiling",
                flush=True,
            )
            if cut == "device" and options.profile:
                print_profile(given.having(profile=options.profile), recipe(given))


def pytorch(name: str, options: argparse.Namespace) -> None:
    """Print PyTorch's steps per second."""
    import torch

    from recipes.benchmark.train_torch import Step

    samples, gpu = CASES[name][1].samples, torch.cuda.is_available()
    torch.set_default_device("cuda" if gpu else "cpu")
    for compiled in (False, True) if options.compile else (False,):
        begun = time.monotonic()
        step = Step(name, options.batch or samples.batch, samples.patch, gpu, compiled)
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
            f"{name}: PyTorch {torch.__version__} {kind} {rate:.1f} steps/s "
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
        for name in CASES:
            pytorch(name, options)
        return
    print(f"bfloat16: {accelerated()}", flush=True)
    for name in CASES:
        ours(name, options)
    if has_torch():
        words = ["--torch", *sys.argv[1:]]
        subprocess.run([sys.executable, "-m", "recipes.benchmark.steps", *words], check=False)


if __name__ == "__main__":
    raise SystemExit(main())
