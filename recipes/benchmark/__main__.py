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
    rounds_of = {
        "train": 6,
        "restore": 6,
        "plug": 6,
        "loss": 30,
        "data": 0,
        "gru": 30,
        "import": 30,
        "ray": 3,
        "noise": 0,
        "sensor": 0,
        "denoise": 0,
    }
    for name, rounds in rounds_of.items():
        command = commands.add_parser(name)
        if rounds:
            text = f"turns of each side (default: {rounds})"
            command.add_argument("--rounds", type=int, default=rounds, help=text)
        if name in ("train", "data"):
            text = "folder of training images (default: the samples)"
            command.add_argument("--data", default="zoo/samples/train", help=text)
    text = "of the square that is restored in the middle of each (default: 256)"
    for name in ("sensor", "denoise"):
        command = commands.choices[name]
        command.add_argument("--data", required=True, help="folder of test images")
        command.add_argument("--side", type=int, default=256, help=text)
    text = "published denoisers, for grey or for colour"
    command.add_argument("--weights", nargs="+", metavar="NAME", required=True, help=text)
    text = "published denoisers that take turns instead of DnCNN-S here and in PyTorch"
    add_to_plug = commands.choices["plug"].add_argument
    add_to_plug("--denoiser", nargs="+", metavar="NAME", default=[], help=text)
    data, train = commands.choices["data"], commands.choices["train"]
    data.add_argument("--steps", type=int, default=200, help="steps of training (default: 200)")
    restore = commands.choices["restore"]
    for command, cases in ((train, list(TRAINED)), (restore, list(RESTORED))):
        command.add_argument("--network", choices=cases, nargs="+", default=cases)
        command.add_argument("--precision", choices=PRECISIONS, nargs="+", default=PRECISIONS)
    text = "restore whole pictures by these weights instead: names, files or work folders"
    restore.add_argument("--weights", nargs="+", metavar="NAME", help=text)
    text = "of the restored pictures (default: 12 100)"
    restore.add_argument("--megapixels", type=float, nargs="+", default=[12.0, 100.0], help=text)
    text = "folder of clean pictures for the estimator of noise (default: the samples)"
    commands.choices["noise"].add_argument("--data", nargs="+", default=SAMPLES, help=text)
    text = "what restores the pictures (default: all)"
    restore.add_argument("--engines", choices=ENGINES, nargs="+", default=list(ENGINES), help=text)
    text = "after which a picture is cut off (default: 120)"
    restore.add_argument("--seconds", type=int, default=120, help=text)
    text = "let torch.compile compile PyTorch's networks; needs a C++ compiler and minutes"
    train.add_argument("--compile", action="store_true", help=text)
    text = "one thread per side and its processor time, for a machine that others use too"
    train.add_argument("--one-thread", action="store_true", help=text)
    return measure


def measure(options: argparse.Namespace) -> None:
    """Print the figures that are asked for."""
    print(f"keras {keras.__version__} on {keras.backend.backend()}")
    if options.what == "train":
        way = Way(options.data, options.rounds, options.compile, options.one_thread)
        benchmark_train(options.network, options.precision, way)
    elif options.what == "denoise":
        benchmark_denoise(options.data, options.weights, options.side)
    elif options.what == "restore" and options.weights:
        cells = Cells(options.megapixels, options.engines, options.precision, options.seconds)
        benchmark_pictures(options.weights, cells)
    elif options.what == "restore":
        benchmark_restore(options.network, options.precision, options.rounds)
    elif options.what == "noise":
        benchmark_noise(options.data)
    elif options.what == "sensor":
        benchmark_sensor(options.data, options.side)
    elif options.what == "plug":
        benchmark_plug(options.rounds, options.denoiser)
    elif options.what == "data":
        benchmark_data(options.data, options.steps)
    else:
        without_data = {
            "loss": benchmark_loss,
            "gru": benchmark_gru,
            "import": benchmark_import,
            "ray": benchmark_ray,
        }
        without_data[options.what](options.rounds)


main = command(describe, module="recipes.benchmark")

if __name__ == "__main__":
    raise SystemExit(main())
