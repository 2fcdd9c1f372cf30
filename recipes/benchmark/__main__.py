"""Command line of the benchmarks."""

import argparse

import keras

from recipes.benchmark.cluster import benchmark_ray
from recipes.benchmark.data import benchmark_data
from recipes.benchmark.denoise import benchmark_denoise
from recipes.benchmark.gru import benchmark_gru
from recipes.benchmark.imports import benchmark_import
from recipes.benchmark.loss import benchmark_loss
from recipes.benchmark.noise import benchmark_noise
from recipes.benchmark.pictures import ENGINES, Cells, benchmark_pictures
from recipes.benchmark.plug import benchmark_plug
from recipes.benchmark.restore import CASES as RESTORED
from recipes.benchmark.restore import benchmark_restore
from recipes.benchmark.sensor import benchmark_sensor
from recipes.benchmark.train import CASES as TRAINED
from recipes.benchmark.train import Way, benchmark_train
from zoo.app.command import Work, command

PRECISIONS = ("float32", "bfloat16")
SAMPLES = ["zoo/samples/test", "zoo/samples/train"]


def describe(parser: argparse.ArgumentParser) -> Work:
    """Add a subcommand for each question, with the options that it has; return what measures."""
    commands = parser.add_subparsers(dest="what", required=True)

    def add(name: str, work: Work, rounds: int = 0) -> argparse.ArgumentParser:
        command = commands.add_parser(name)
        command.set_defaults(work=work)
        if rounds:
            text = f"turns of each side (default: {rounds})"
            command.add_argument("--rounds", type=int, default=rounds, help=text)
        return command

    train = add("train", _train, 6)
    restore = add("restore", _restore, 6)
    plug = add("plug", lambda given: benchmark_plug(given.rounds, given.denoiser), 6)
    loss = add("loss", lambda given: benchmark_loss(given.rounds, given.csv), 30)
    data = add("data", lambda given: benchmark_data(given.data, given.steps))
    add("gru", lambda given: benchmark_gru(given.rounds), 30)
    add("import", lambda given: benchmark_import(given.rounds), 30)
    add("ray", lambda given: benchmark_ray(given.rounds), 3)
    noise = add("noise", lambda given: benchmark_noise(given.data))
    sensor = add("sensor", lambda given: benchmark_sensor(given.data, given.side))
    denoise = add("denoise", lambda given: benchmark_denoise(given.data, given.weights, given.side))
    text = "folder of training images (default: the samples)"
    for each in (train, data):
        each.add_argument("--data", default="zoo/samples/train", help=text)
    text = "of the square that is restored in the middle of each (default: 256)"
    for each in (sensor, denoise):
        each.add_argument("--data", required=True, help="folder of test images")
        each.add_argument("--side", type=int, default=256, help=text)
    loss.add_argument("--csv", default="", metavar="FILE", help="write the table there")
    text = "published denoisers, for grey or for colour"
    denoise.add_argument("--weights", nargs="+", metavar="NAME", required=True, help=text)
    text = "published denoisers that take turns instead of DnCNN-S here and in PyTorch"
    plug.add_argument("--denoiser", nargs="+", metavar="NAME", default=[], help=text)
    data.add_argument("--steps", type=int, default=200, help="steps of training (default: 200)")
    for each, cases in ((train, list(TRAINED)), (restore, list(RESTORED))):
        each.add_argument("--network", choices=cases, nargs="+", default=cases)
        each.add_argument("--precision", choices=PRECISIONS, nargs="+", default=PRECISIONS)
    text = "restore whole pictures by these weights instead: names, files or work folders"
    restore.add_argument("--weights", nargs="+", metavar="NAME", help=text)
    text = "of the restored pictures (default: 12 100)"
    restore.add_argument("--megapixels", type=float, nargs="+", default=[12.0, 100.0], help=text)
    text = "folder of clean pictures for the estimator of noise (default: the samples)"
    noise.add_argument("--data", nargs="+", default=SAMPLES, help=text)
    text = "what restores the pictures (default: all)"
    restore.add_argument("--engines", choices=ENGINES, nargs="+", default=list(ENGINES), help=text)
    text = "after which a picture is cut off (default: 120)"
    restore.add_argument("--seconds", type=int, default=120, help=text)
    text = "let torch.compile compile PyTorch's networks; needs a C++ compiler and minutes"
    train.add_argument("--compile", action="store_true", help=text)
    text = "one thread per side and its processor time, for a machine that others use too"
    train.add_argument("--one-thread", action="store_true", help=text)
    text = "another checkout, whose recipes take turns (of other data give the whole path)"
    train.add_argument("--against", metavar="CHECKOUT", default="", help=text)
    return measure


def measure(options: argparse.Namespace) -> None:
    """Print the figures that are asked for."""
    print(f"keras {keras.__version__} on {keras.backend.backend()}")
    options.work(options)


def _train(given: argparse.Namespace) -> None:
    way = Way(given.data, given.rounds, given.compile, given.one_thread, given.against)
    benchmark_train(given.network, given.precision, way)


def _restore(given: argparse.Namespace) -> None:
    if given.weights:
        cells = Cells(given.megapixels, given.engines, given.precision, given.seconds)
        benchmark_pictures(given.weights, cells)
    else:
        benchmark_restore(given.network, given.precision, given.rounds)


main = command(describe, module="recipes.benchmark")

if __name__ == "__main__":
    raise SystemExit(main())
