"""What a run can be told: the settings that the recipes share, and how the command line gives them.

A setting is a field of a dataclass and an option of the command line at once. `--preset published`
starts from the protocol that a network was published with instead of ours; options given beside it
still count.
"""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields
from typing import Any, TypeVar

LOSSES = ("mse", "mae", "asy_mse", "asy_mae")
PRESETS = ("ours", "published")

S = TypeVar("S", bound="Settings")


class TrainingError(RuntimeError):
    """A run that cannot start or go on, with the reason in one sentence."""


def option(default: Any, text: str, choices: Sequence[str] | None = None) -> Any:
    """Return a dataclass field that becomes a command-line option with a help text."""
    return field(default=default, metadata={"help": text, "choices": choices})


@dataclass(frozen=True)
class Settings:
    """What every recipe can be told; each field is an option of the command line."""

    data: str = option("", "training images: folders with commas between, or tfds:NAME:SPLIT")
    degraded: str = option("", "their degraded partners of the same names; default: made from data")
    bands_axis: str = option("last", "where the bands of cubes are", ("last", "first"))
    variable: str = option("", "array to take of MATLAB files that hold several cubes")
    workdir: str = option("", "folder for checkpoints, log and the finished network")
    preset: str = option("ours", "defaults of the other options", PRESETS)
    loss: str = option("mse", "what is minimised", LOSSES)
    weighting: str = option("reciprocal", "weights of the asy losses", ("reciprocal", "quartile"))
    quantile: float = option(0.25, "quantile of the quartile weighting (0.25 or 0.75)")
    apply_to: str = option("error", "what the weights multiply", ("error", "images"))
    normalize: bool = option(False, "stretch each label before weighing it (Eq. 1)")
    balanced: bool = option(False, "divide the weights by their mean over each image")
    steps: int = option(10_000, "steps of the optimizer in all")
    batch: int = option(64, "patches per step, over all devices and hosts")
    patch: int = option(96, "side of the clean patch in pixels")
    optimizer: str = option("adam", "rule of the steps", ("adam", "sgd"))
    learning_rate: float = option(1e-3, "highest learning rate; it is not scaled with the devices")
    schedule: str = option("cosine", "after a warm-up of 2 %% of the steps", ("cosine", "constant"))
    milestones: str = option("", "STEP:FACTOR,... of a constant schedule: factors of the rate")
    slow_layers: str = option("", "layers at a tenth of the rate, and all biases; sgd only")
    ema: float = option(
        0.999, "momentum of the average of the weights, at most 1 - 25 / steps; 0: none"
    )
    clip: float = option(1.0, "largest norm of the gradient; 0: any")
    precision: str = option(
        "auto", "of the layers; auto: bfloat16 on GPU and TPU", ("auto", "float32", "bfloat16")
    )
    init: str = option("", "weights to start from: a name, file or work folder")
    seed: int = option(0, "of initial weights, samples and noise")
    every: int = option(1000, "steps between checkpoints and validations")
    validation: str = option("", "folder of images for validation; never the test images")
    memory: float = option(0.0, "GiB of decoded images to hold in memory; 0: half of what is free")
    steps_per_execution: int = option(1, "steps per call of the device; 10 or more on a fast GPU")
    devices: str = option("1", "how many devices share a batch: a number or all")
    coordinator: str = option("", "HOST:PORT of process 0, for several hosts (JAX)")
    processes: int = option(1, "number of processes, one per host")
    process_id: int = option(0, "number of this process, from 0")
    minutes: float = option(0.0, "stop after the piece in which this time ends; 0: never")
    fit: bool = option(False, "choose --steps, by the speed measured, so that --minutes are enough")
    profile: int = option(0, "print where the time of so many steps goes, and train nothing")
    resume: bool = option(False, "go on from the newest checkpoint in the work folder")
    tensorboard: bool = option(False, "write scalars and validation images for TensorBoard")
    quiet: bool = option(False, "print nothing but errors")
    debug: bool = option(False, "print the traceback of an error too")


# What may differ between a run and its continuation.
NOT_IDENTITY = (
    *("workdir", "preset", "resume", "quiet", "debug", "tensorboard", "minutes", "fit", "profile"),
    *("validation", "memory", "steps_per_execution"),
    *("devices", "coordinator", "processes", "process_id"),
)


def parse(
    settings: type[S],
    description: str | None,
    published: Mapping[str, Any],
    arguments: Sequence[str] | None = None,
) -> S:
    """Read the settings of a recipe from the command line; `data` and `workdir` are required.

    Args:
        settings: Dataclass of the recipe.
        description: Text for `--help`.
        published: The fields that `--preset published` sets.
        arguments: Words of the command line; those of the process by default.
    """
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    for item in fields(settings):
        flag = "--" + item.name.replace("_", "-")
        text = item.metadata["help"]
        if item.default is MISSING or (item.default == "" and item.name in ("data", "workdir")):
            parser.add_argument(flag, required=True, help=text)
        elif isinstance(item.default, bool):
            parser.add_argument(flag, action="store_true", help=text)
        else:
            parser.add_argument(
                flag,
                type=type(item.default),
                default=item.default,
                choices=item.metadata["choices"],
                help=f"{text} (default: {item.default!r})",
            )
    if parser.parse_args(arguments).preset == "published":
        parser.set_defaults(**published)
    return settings(**vars(parser.parse_args(arguments)))
