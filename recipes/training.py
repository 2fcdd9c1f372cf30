"""Training that the recipes share: settings, the training model, checkpoints and progress.

The degradation runs in front of the network, inside the compiled step, so a batch that crosses to
the device is uint8 patches alone. A run is cut into pieces of `every` steps. After each piece a
checkpoint holds the weights, the optimizer with its moving average, and the state of the random
degradations; the samples follow from (seed, step). A resumed run therefore ends with the same bits
as one that was never interrupted.
"""

import argparse
import csv
import json
import os
import platform
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import MISSING, asdict, dataclass, field, fields
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import keras
import numpy as np
from keras import ops

import zoo
from asykeras import AsyMAE, AsymmetricLoss, AsyMSE, Quartile
from asykeras._version import __version__
from asykeras.types import Tensor
from recipes.data import Patches, folder_name, load_images
from zoo.evaluation import mean, score_network
from zoo.files import replacing, write_atomically
from zoo.images import ImageError, describe, find_images, read_image
from zoo.weights import save

LOSSES = ("mse", "mae", "asy_mse", "asy_mae")
NETWORK = f"network{zoo.weights.SUFFIX}"
KEPT = 2  # checkpoints that are kept, the newest ones

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
    workdir: str = option("", "folder for checkpoints, log and the finished network")
    loss: str = option("mse", "what is minimised", LOSSES)
    weighting: str = option("reciprocal", "weights of the asy losses", ("reciprocal", "quartile"))
    quantile: float = option(0.25, "quantile of the quartile weighting (0.25 or 0.75)")
    apply_to: str = option("error", "what the weights multiply", ("error", "images"))
    normalize: bool = option(False, "stretch each label before weighing it (Eq. 1)")
    balanced: bool = option(False, "divide the weights by their mean over each image")
    steps: int = option(10_000, "steps of the optimizer in all")
    batch: int = option(64, "patches per step")
    patch: int = option(96, "side of the clean patch in pixels")
    learning_rate: float = option(1e-3, "highest learning rate of Adam")
    schedule: str = option("cosine", "after a warm-up of 2 %% of the steps", ("cosine", "constant"))
    ema: float = option(0.999, "momentum of the average of the weights; 0: none")
    clip: float = option(1.0, "largest norm of the gradient; 0: any")
    precision: str = option("float32", "of the network's layers", ("float32", "bfloat16"))
    init: str = option("", "weights to start from: a name, file or work folder")
    seed: int = option(0, "of initial weights, samples and noise")
    every: int = option(1000, "steps between checkpoints and validations")
    validation: str = option("", "folder of images for validation; never the test images")
    steps_per_execution: int = option(1, "steps per call of the device; 10 or more on a fast GPU")
    minutes: float = option(0.0, "stop after the piece in which this time ends; 0: never")
    resume: bool = option(False, "go on from the newest checkpoint in the work folder")
    quiet: bool = option(False, "print nothing but errors")


# What may differ between a run and its continuation.
NOT_IDENTITY = ("workdir", "resume", "quiet", "steps_per_execution", "validation", "minutes")


def parse(settings: type[S], description: str | None, arguments: Sequence[str] | None = None) -> S:
    """Read the settings of a recipe from the command line; `data` and `workdir` are required."""
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
    return settings(**vars(parser.parse_args(arguments)))


def make_loss(settings: Settings) -> keras.losses.Loss:
    """Return the loss that the settings name."""
    if settings.loss == "mse":
        return keras.losses.MeanSquaredError()
    if settings.loss == "mae":
        return keras.losses.MeanAbsoluteError()
    asymmetric = {"asy_mse": AsyMSE, "asy_mae": AsyMAE}.get(settings.loss)
    if asymmetric is None:
        raise TrainingError(f"loss must be one of {LOSSES}. Received: {settings.loss!r}")
    loss: AsymmetricLoss = asymmetric(
        Quartile(settings.quantile) if settings.weighting == "quartile" else settings.weighting,
        apply_to=settings.apply_to,
        normalize=settings.normalize,
        balanced=settings.balanced,
    )
    return loss


@dataclass(frozen=True)
class Recipe:
    """What distinguishes one recipe from another.

    Attributes:
        build: Makes the network as it is trained.
        degradation: Layer from clean images in [0, 1] to the network's input.
        channels: `"luma"`, `"grey"` or `"rgb"`: what the images are made into.
        card: `builder` and `arguments` of the network that is published.
        publish: From the trained network to the one that is published.
        test: Options of `zoo.evaluation.score_network` for validation.
        context: See `Restorer`.
    """

    build: Callable[[], keras.Model]
    degradation: keras.layers.Layer
    channels: str
    card: dict[str, Any]
    publish: Callable[[keras.Model], keras.Model]
    test: dict[str, Any]
    context: int = 0


class Restorer(keras.Model):
    """A network behind its degradation: clean 8-bit patches in, restored patches out.

    The label is the clean patch itself, cut in the centre to the size of the output where the
    network uses up a border.

    Args:
        network: What is trained and published.
        degradation: Layer from the clean image in [0, 1] to the network's input.
        context: Pixels cut from every side of the degraded patch, so that what the degradation
            does at the border of a patch is not learned.
    """

    def __init__(self, network: keras.Model, degradation: keras.layers.Layer, context: int = 0):
        super().__init__(name="restorer")
        self.network = network
        self.degradation = degradation
        self.context = context

    def call(self, clean: Tensor, training: bool = False) -> Tensor:
        """Return the restored patches of clean uint8 patches."""
        degraded = self.degradation(_unit_range(clean))
        if isinstance(degraded, tuple):  # the noisy image and its level, for networks that take it
            noisy, sigma = degraded
            return self.network([noisy, ops.reshape(sigma, (-1, 1))], training=training)
        if self.context:
            degraded = degraded[:, self.context : -self.context, self.context : -self.context]
        return self.network(degraded, training=training)

    def compute_loss(
        self, x: Tensor, y: Tensor, y_pred: Tensor, sample_weight: Tensor = None, **options: Any
    ) -> Tensor:
        """Return the loss against the clean patches `x`; there is no separate label."""
        label = _centre(_unit_range(x), y_pred)
        return super().compute_loss(x, label, y_pred, sample_weight, **options)


def _unit_range(clean: Tensor) -> Tensor:
    return ops.cast(clean, "float32") / 255.0


def _centre(image: Tensor, like: Tensor) -> Tensor:
    top, left = ((image.shape[axis] - like.shape[axis]) // 2 for axis in (1, 2))
    return image[:, top : top + like.shape[1], left : left + like.shape[2]]


class Progress(keras.callbacks.Callback):
    """One line that counts the steps, and the end of a run whose loss is no longer finite."""

    def __init__(self, settings: Settings, step: int):
        super().__init__()
        self.total, self.quiet = settings.steps, settings.quiet
        self.step = self.first = step
        self.begun = self.shown = time.monotonic()

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        """Count, and show at most twice a second."""
        self.step += self.model.steps_per_execution
        loss = float((logs or {}).get("loss", 0.0))
        if not np.isfinite(loss):
            raise TrainingError(
                f"the loss became {loss} at step {self.step}; the last checkpoint is kept. A lower "
                "--learning-rate usually helps"
            )
        now = time.monotonic()
        if not self.quiet and sys.stdout.isatty() and now - self.shown > 0.5:
            self.shown = now
            rate = (self.step - self.first) / (now - self.begun)
            left = int((self.total - self.step) / rate)
            line = (
                f"step {self.step}/{self.total}  loss {loss:.6f}  {rate:.1f} steps/s  "
                f"{left // 60}:{left % 60:02d} left"
            )
            print(f"\r{line:<78}", end="", flush=True)


class Pieces(keras.callbacks.Callback):
    """After every piece: a checkpoint, a validation, a line in the log."""

    def __init__(
        self,
        settings: Settings,
        workdir: Path,
        validate: Callable[[keras.Model], float] | None,
    ):
        super().__init__()
        self.settings, self.workdir, self.validate = settings, workdir, validate
        self.begun = time.monotonic()

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Save first, so that a kill during the validation costs nothing."""
        step = (epoch + 1) * self.settings.every
        save_checkpoint(self.model, self.workdir, step)
        psnr = float("nan")
        if self.validate:
            with averaged(self.model) as network:
                psnr = self.validate(network)
        seconds = time.monotonic() - self.begun
        log(self.workdir, step, float((logs or {})["loss"]), psnr, seconds, self.settings)
        if 0 < 60 * self.settings.minutes < time.monotonic() - self.begun:
            self.model.stop_training = True


def command(
    recipe: Callable[[S], Recipe],
    settings: type[S],
    description: str | None,
    arguments: Sequence[str] | None,
) -> int:
    """Run the command line of a recipe; return the exit code."""
    chosen = parse(settings, description, arguments)
    try:
        path = train(chosen, recipe(chosen))
    except (ImageError, TrainingError, zoo.WeightsError, ValueError) as error:
        print(f"{recipe.__module__.rpartition('.')[2]}: {error}", file=sys.stderr)
        return 1
    if not chosen.quiet:
        print(f"wrote {path}")
    return 0


def policy(settings: Settings) -> str:
    """Return the dtype policy of Keras for the precision of the settings."""
    return "mixed_bfloat16" if settings.precision == "bfloat16" else "float32"


def optimizer(settings: Settings) -> keras.optimizers.Optimizer:
    """Return Adam with the schedule, the gradient clipping and the average of the settings."""
    rate: Any = settings.learning_rate
    if settings.schedule == "cosine":
        warmup = max(1, settings.steps // 50)
        rate = keras.optimizers.schedules.CosineDecay(
            settings.learning_rate / 100,
            max(1, settings.steps - warmup),
            alpha=0.01,
            warmup_target=settings.learning_rate,
            warmup_steps=warmup,
        )
    return keras.optimizers.Adam(
        rate,
        global_clipnorm=settings.clip or None,
        use_ema=settings.ema > 0,
        ema_momentum=settings.ema or 0.99,
    )


def train(settings: Settings, recipe: Recipe) -> Path:
    """Train a network and write it, with its card, into the work folder.

    Args:
        settings: See `Settings`.
        recipe: See `Recipe`.

    Returns:
        Path of the weights file.

    Raises:
        TrainingError: if the work folder cannot be used, or the loss is not finite.
        ImageError: if an image cannot be read, or every image is smaller than a patch.
        ValueError: for arguments that the builder refuses.
        WeightsError: if the weights to start from cannot be loaded.
    """
    keras.utils.set_random_seed(settings.seed)
    keras.config.set_dtype_policy("float32")
    recipe.build()  # refuses wrong arguments before any image is read
    images = load_images(settings.data, recipe.channels)
    if not settings.quiet:
        print(f"{settings.data}: {describe(images)}")
    validation = find_images(settings.validation) if settings.validation else []
    keras.config.set_dtype_policy(policy(settings))
    network = recipe.build()
    if settings.init:
        zoo.weights.load_into(network, settings.init)
    validate = partial(_validate, recipe, [read_image(path) for path in validation])
    return _train(settings, recipe, network, images, validate if validation else None)


def _validate(recipe: Recipe, images: list[np.ndarray], network: keras.Model) -> float:
    """Return the mean PSNR in dB of the published form of a network."""
    return mean(score_network(_published(recipe, network), images, **recipe.test))["psnr"]


def _published(recipe: Recipe, network: keras.Model) -> keras.Model:
    """Return the published form of a network, in float32 as users get it."""
    chosen = keras.config.dtype_policy()
    keras.config.set_dtype_policy("float32")
    published = recipe.publish(network)
    keras.config.set_dtype_policy(chosen)
    return published


def _train(
    settings: Settings,
    recipe: Recipe,
    network: keras.Model,
    images: Sequence[np.ndarray],
    validate: Callable[[keras.Model], float] | None,
) -> Path:
    if settings.steps % settings.every or settings.every % settings.steps_per_execution:
        raise TrainingError(
            "--steps must be a multiple of --every, and --every of --steps-per-execution. "
            f"Received: {settings.steps}, {settings.every}, {settings.steps_per_execution}"
        )
    patches = Patches.of(images, settings.patch, settings.batch, settings.seed)
    if patches.left_out and not settings.quiet:
        print(f"left out {patches.left_out} images that are smaller than {settings.patch} pixels")
    workdir = open_workdir(settings)
    model = Restorer(network, recipe.degradation, recipe.context)
    model.compile(
        optimizer=optimizer(settings),
        loss=make_loss(settings),
        steps_per_execution=settings.steps_per_execution,
        jit_compile=jit(),
    )
    model(patches.numpy_batch(0)[:1])
    model.optimizer.build(model.trainable_variables)
    step = resume(model, workdir) if settings.resume else 0
    begun = time.monotonic()
    if step < settings.steps:
        callbacks = [Progress(settings, step), Pieces(settings, workdir, validate)]
        fit(model, patches, settings, step, callbacks)
    reached = int(model.optimizer.iterations)
    if reached < settings.steps:
        raise TrainingError(
            f"stopped at step {reached} of {settings.steps} after {settings.minutes:g} minutes; go "
            "on with --resume"
        )
    with averaged(model) as network:
        published = _published(recipe, network)
    training = description(settings, time.monotonic() - begun)
    save(published, workdir / NETWORK, {**recipe.card, "training": training})
    return workdir / NETWORK


def fit(
    model: keras.Model,
    patches: Patches,
    settings: Settings,
    start: int,
    callbacks: list[keras.callbacks.Callback],
) -> None:
    """Train from a step to the last; an epoch of Keras is a piece of `every` steps.

    One call of `fit` for all pieces: at its end Keras replaces the weights by their average.
    """
    source: Any
    if keras.backend.backend() == "tensorflow":
        source = patches.dataset(start, settings.steps)
    else:
        source = Steps(patches, start, settings.steps)
    model.fit(
        source,
        initial_epoch=start // settings.every,
        epochs=settings.steps // settings.every,
        steps_per_epoch=settings.every,
        shuffle=False,
        callbacks=callbacks,
        verbose=0,
    )


class Steps(keras.utils.PyDataset):
    """The batches of some steps for backends other than TensorFlow, prepared ahead in a thread.

    Keras' own worker threads (`workers=2`) are no use here: `fit` reads one batch to build the
    model, starts over, and its queue then goes on with the second batch.
    """

    AHEAD = 4

    def __init__(self, patches: Patches, start: int, stop: int):
        super().__init__()
        self.patches, self.start, self.stop = patches, start, stop
        self.thread = ThreadPoolExecutor(1)
        self.prepared: dict[int, Future[np.ndarray]] = {}

    def __len__(self) -> int:
        return self.stop - self.start

    def __getitem__(self, index: int) -> tuple[np.ndarray]:
        for later in range(index, min(index + self.AHEAD, len(self))):
            if later not in self.prepared:
                step = self.start + later
                self.prepared[later] = self.thread.submit(self.patches.numpy_batch, step)
        return (self.prepared.pop(index).result(),)


@contextmanager
def averaged(model: Restorer) -> Iterator[keras.Model]:
    """Yield the network with its weights averaged, where the optimizer keeps an average.

    Afterwards the network has the weights that it is trained with again, to the bit.
    """
    trained = model.network.get_weights()
    model.optimizer.finalize_variable_values(model.trainable_variables)
    yield model.network
    model.network.set_weights(trained)


def open_workdir(settings: Settings) -> Path:
    """Make the work folder, or check that it holds this very run."""
    workdir = Path(settings.workdir)
    identity = {key: value for key, value in asdict(settings).items() if key not in NOT_IDENTITY}
    identity["data"] = folder_name(settings.data)
    try:
        (workdir / "checkpoints").mkdir(parents=True, exist_ok=True)
        if (workdir / "run.json").exists():
            _check_same_run(workdir, identity, settings.resume)
        else:
            text = json.dumps({"settings": identity, "versions": versions()}, indent=2)
            write_atomically(workdir / "run.json", text.encode())
    except OSError as error:
        raise TrainingError(f"the work folder {workdir} cannot be used: {error.strerror}") from None
    return workdir


def _check_same_run(workdir: Path, identity: dict[str, Any], resuming: bool) -> None:
    if not resuming:
        raise TrainingError(
            f"{workdir} already holds a run; go on with --resume or choose another --workdir"
        )
    there = json.loads((workdir / "run.json").read_text())["settings"]
    differing = [key for key in identity if there.get(key) != identity[key]]
    if differing:
        key = differing[0]
        raise TrainingError(
            f"{workdir} holds another run: its {key} is {there.get(key)!r}, not {identity[key]!r}"
        )


def save_checkpoint(model: keras.Model, workdir: Path, step: int) -> None:
    """Write a checkpoint, whole or not at all, and remove the oldest."""
    with replacing(workdir / "checkpoints" / f"step-{step:09d}.weights.h5") as part:
        model.save_weights(part)
    for old in sorted((workdir / "checkpoints").glob("step-*.weights.h5"))[:-KEPT]:
        old.unlink()


def resume(model: keras.Model, workdir: Path) -> int:
    """Load the newest checkpoint that can be read; return its step, 0 without one."""
    for path in sorted((workdir / "checkpoints").glob("step-*.weights.h5"), reverse=True):
        try:
            model.load_weights(path)
        except Exception as error:  # h5py raises many kinds for a damaged file
            print(f"skipped the damaged checkpoint {path.name}: {error}", file=sys.stderr)
            continue
        return int(path.name.removeprefix("step-").split(".")[0])
    return 0


def log(
    workdir: Path, step: int, loss: float, psnr: float, seconds: float, settings: Settings
) -> None:
    """Append a line to training.csv and show it."""
    path = workdir / "training.csv"
    new = not path.exists()
    with path.open("a", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        if new:
            writer.writerow(["step", "loss", "validation_psnr", "seconds"])
        writer.writerow([step, f"{loss:.8f}", f"{psnr:.4f}", f"{seconds:.1f}"])
    if not settings.quiet:
        shown = "" if np.isnan(psnr) else f"  validation {psnr:.3f} dB"
        line = f"step {step}/{settings.steps}  loss {loss:.6f}{shown}  {seconds:.0f} s"
        print(f"\r{line:<78}", flush=True)


def description(settings: Settings, seconds: float) -> dict[str, Any]:
    """Return what a card says of the training."""
    chosen = {k: v for k, v in asdict(settings).items() if k not in (*NOT_IDENTITY, "data")}
    return {
        "data": folder_name(settings.data),
        "settings": chosen,
        "versions": versions(),
        "hardware": f"{platform.machine()}, {os.cpu_count()} CPU cores",
        "seconds": round(seconds),
    }


def versions() -> dict[str, str]:
    """Return the versions that a run depends on."""
    return {
        "asykeras": __version__,
        "keras": keras.__version__,
        "backend": keras.backend.backend(),
        "python": platform.python_version(),
    }


def jit() -> str | bool:
    """Return whether XLA compiles the step: not for TensorFlow on a CPU, where it is slower."""
    if keras.backend.backend() != "tensorflow":
        return "auto"
    import tensorflow as tf  # only on the TensorFlow backend

    return "auto" if tf.config.list_physical_devices("GPU") else False
