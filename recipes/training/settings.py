"""What a run can be told, by subjects, and how the command line gives it.

A setting is a field of a small dataclass, an option of the command line and a key of `run.json` at
once, by one name. `--preset published` starts from the protocol that a network was published with
instead of ours; options given beside it still count.
"""

import argparse
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import Field, dataclass, field, fields, replace
from typing import Self, TypeAlias, TypeVar

LOSSES = ("mse", "mae", "asy_mse", "asy_mae")
OPTIMIZERS = ("adam", "sgd", "lion", "lamb", "muon")
CUTS = ("auto", "host", "device")

Value: TypeAlias = str | int | float | bool
# What all published protocols have in common.
PLAIN: dict[str, Value] = dict(schedule="constant", ema=0.0, clip=0.0, precision="float32")
V = TypeVar("V", bound=Value)
S = TypeVar("S", bound="Settings")


class TrainingError(RuntimeError):
    """A run that cannot start or go on, with the reason in one sentence."""


def option(default: V, text: str, choices: Sequence[str] | None = None) -> V:
    """Return a dataclass field that becomes a command-line option with a help text."""
    return field(default=default, metadata={"help": text, "choices": choices})


@dataclass(frozen=True)
class Subject:
    """Settings that belong together, and smaller subjects."""

    @classmethod
    def of(cls, **given: Value) -> Self:
        """Return settings of which some are given by their names; see `having`."""
        return cls().having(**given)

    def having(self, **changes: Value) -> Self:
        """Return the same settings but for some, by their names.

        Raises:
            TypeError: for a name that is none.
        """
        if unknown := changes.keys() - self.flat().keys():
            raise TypeError(f"there is no setting {min(unknown)!r}")
        return self._changed(changes)

    def flat(self) -> dict[str, Value]:
        """Return every setting by its name, those of the subjects inside too."""
        return {item.name: value for item, value in self.options()}

    def options(self) -> Iterator[tuple["Field[Value]", Value]]:
        """Yield the field of every setting and its value."""
        for item in fields(self):
            value = getattr(self, item.name)
            if isinstance(value, Subject):
                yield from value.options()
            else:
                yield item, value

    def _changed(self, changes: Mapping[str, Value]) -> Self:
        inner = {item.name: getattr(self, item.name) for item in fields(self)}
        subjects = {
            n: each._changed(changes) for n, each in inner.items() if isinstance(each, Subject)
        }
        return replace(self, **subjects, **{n: changes[n] for n in inner if n in changes})


@dataclass(frozen=True)
class Samples(Subject):
    """What is learned from."""

    data: str = option("", "training images: folders with commas between, or tfds:NAME:SPLIT")
    degraded: str = option("", "their degraded partners of the same names; default: made from data")
    batch: int = option(64, "patches per step, over all devices and hosts")
    patch: int = option(96, "side of the clean patch in pixels")
    linear: bool = option(False, "decode the images from sRGB to linear light, and learn there")
    label_noise: str = option("", "poisson:GAIN,READ: noise on the labels, drawn in every step")


@dataclass(frozen=True)
class Objective(Subject):
    """What is minimised."""

    loss: str = option("mse", "what is minimised", LOSSES)
    weighting: str = option(
        "reciprocal",
        "weights of the asy losses: reciprocal, quartile, power:1,0.05, slope:CURVE, "
        "noise:GAIN,READ, density:POWER, steps:0.1=4,0.5=2,1 or annealed:STEPS:WEIGHTING",
    )
    reference: str = option("label", "what the weights are read from", ("label", "prediction"))
    domain: str = option(
        "",
        "curve after which the error is taken: srgb, gamma:2.2, mulaw:5000, log:0.01, reinhard, "
        "pq:PEAK, pu21:PEAK, anscombe:GAIN,READ or window:CENTRE,WIDTH; default: none",
    )
    quantile: float = option(0.25, "quantile of the quartile weighting (0.25 or 0.75)")
    apply_to: str = option("error", "what the weights multiply", ("error", "images"))
    normalize: bool = option(False, "stretch each label before weighing it (Eq. 1)")
    balanced: bool = option(False, "divide the weights by their mean over each image")


@dataclass(frozen=True)
class Descent(Subject):
    """By which steps it is minimised."""

    steps: int = option(10_000, "steps of the optimizer in all")
    first_step: int = option(0, "step at which --init was left: samples and schedule go on there")
    every: int = option(1000, "steps between checkpoints and validations")
    optimizer: str = option("adam", "rule of the steps", OPTIMIZERS)
    learning_rate: float = option(1e-3, "highest learning rate; it is not scaled with the devices")
    schedule: str = option("cosine", "after a warm-up of 2 %% of the steps", ("cosine", "constant"))
    milestones: str = option("", "STEP:FACTOR,... of a constant schedule: factors of the rate")
    ema: float = option(
        0.999, "momentum of the average of the weights, at most 1 - 25 / steps; 0: none"
    )
    clip: float = option(1.0, "largest norm of the gradient; 0: any")


@dataclass(frozen=True)
class Start(Subject):
    """What a run begins with."""

    init: str = option("", "weights to start from: a name, file or work folder")
    seed: int = option(0, "of initial weights, samples and noise")
    precision: str = option(
        "auto", "of the layers; auto: bfloat16 on GPU and TPU", ("auto", "float32", "bfloat16")
    )


@dataclass(frozen=True)
class Run(Subject):
    """How a run goes and what it tells; its continuation may differ in all of this."""

    workdir: str = option("", "folder for checkpoints, log and the finished network")
    validation: str = option("", "folder of images for validation; never the test images")
    memory: float = option(0.0, "GiB of decoded images to hold in memory; 0: half of what is free")
    steps_per_execution: int = option(1, "steps per call of the device; 10 or more on a fast GPU")
    cut: str = option("auto", "who cuts the patches; auto: a GPU or TPU, if they fit it", CUTS)
    minutes: float = option(0.0, "stop after the piece in which this time ends; 0: never")
    fit: bool = option(False, "choose --steps, by the speed measured, so that --minutes are enough")
    profile: int = option(0, "print where the time of so many steps goes, and train nothing")
    resume: bool = option(False, "go on from the newest checkpoint in the work folder")
    tensorboard: bool = option(False, "write scalars and validation images for TensorBoard")
    quiet: bool = option(False, "print nothing but errors")


@dataclass(frozen=True)
class Machines(Subject):
    """What a run computes on, in which its continuation may differ too."""

    devices: str = option("1", "how many devices share a batch: a number or all")
    coordinator: str = option("", "HOST:PORT of process 0, for several hosts (JAX)")
    processes: int = option(1, "number of processes, one per host")
    process_id: int = option(0, "number of this process, from 0")


@dataclass(frozen=True)
class Settings(Subject):
    """What every recipe can be told; those of a recipe add what it alone can be told."""

    samples: Samples = Samples()
    objective: Objective = Objective()
    descent: Descent = Descent()
    start: Start = Start()
    run: Run = Run()
    machines: Machines = Machines()

    def identity(self) -> dict[str, Value]:
        """Return what a run and its continuation share, by names: all but `run` and `machines`."""
        others = self.run.flat() | self.machines.flat()
        return {name: value for name, value in self.flat().items() if name not in others}


def add_options(parser: argparse.ArgumentParser, settings: Settings) -> None:
    """Add an option for every setting; `data` and `workdir` are required.

    Only what is given on the command line gets into what the parser returns.
    """
    for item, default in settings.options():
        flag, text = "--" + item.name.replace("_", "-"), item.metadata["help"]
        if item.name in ("data", "workdir"):
            parser.add_argument(flag, required=True, help=text)
        elif isinstance(default, bool):
            parser.add_argument(flag, action="store_true", default=argparse.SUPPRESS, help=text)
        else:
            parser.add_argument(
                flag,
                type=type(default),
                default=argparse.SUPPRESS,
                choices=item.metadata["choices"],
                help=f"{text} (default: {default!r})",
            )
    text = "defaults of the other options (default: 'ours')"
    parser.add_argument("--preset", choices=("ours", "published"), default="ours", help=text)


def chosen(kind: type[S], published: Mapping[str, Value], options: argparse.Namespace) -> S:
    """Return the settings that a command line gives, of a parser with `add_options`."""
    given = {name: value for name, value in vars(options).items() if name in kind().flat()}
    return kind.of(**({**published} if options.preset == "published" else {}) | given)
