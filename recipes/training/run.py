"""Training that the recipes share: the model that is trained, and a run from start to end.

The degradation runs in front of the network, inside the compiled step, so a batch that crosses to
the device is integer patches alone. A run is cut into pieces of `every` steps, each followed by a
checkpoint (see `recipes.training.checkpoints`). The samples follow from (seed, step), and the
checkpoint holds everything else, so a resumed run ends with the same bits as one that was never
interrupted.
"""

import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

import keras
import numpy as np
from keras import ops
from keras.ops import convert_to_numpy

from asykeras.types import Tensor
from recipes.data.patches import WORKERS, Patches
from recipes.data.sources import open_images, open_pairs
from recipes.training.checkpoints import (
    identity,
    load_newest,
    open_workdir,
    steps_there,
    versions,
)
from recipes.training.curves import draw_curves
from recipes.training.devices import (
    Devices,
    accelerated,
    alone,
    clip_over_replicas,
    hardware,
    open_devices,
    own_part,
    synchronize_statistics,
)
from recipes.training.initial import start_from
from recipes.training.objective import make_loss, optimizer, schedule
from recipes.training.progress import Pieces, Progress, Report, Signals, Stopped, open_board
from recipes.training.settings import Settings, TrainingError, parse
from recipes.training.speed import ENDLESS, fitting_steps, measure, profile
from zoo.app.command import finish
from zoo.machine.dtype import computing_in
from zoo.machine.failures import printable
from zoo.pictures.images import find_images, read_image, to_uint8
from zoo.restoring.network import open_network
from zoo.scoring.evaluate import evaluate, mean
from zoo.scoring.tasks import Task
from zoo.store.card import Argument, Card, Json
from zoo.store.weight import SUFFIX, save

NETWORK = f"network{SUFFIX}"
PICTURES = 4  # validation images that TensorBoard shows

S = TypeVar("S", bound=Settings)


@dataclass(frozen=True)
class Recipe:
    """What distinguishes one recipe from another.

    Attributes:
        build: Makes the network as it is trained.
        degradation: Makes the layer from clean images in [0, 1] to the network's input.
        channels: `"luma"`, `"grey"`, `"rgb"` or `"bands:N"`: what the images are made into.
        card: The beginning of the card of the network that is published.
        publish: From the trained network to a new one, the one that is published.
        task: For validation.
        context: See `Restorer`.
        prepare: From degraded images, where they come in pairs, to the network's input.
        ratio: How much larger than those the clean images are; 0: pairs are of no use.
        qualities: Lowest and highest quality of JPEG artefacts to remove, instead of `degradation`.
        trained: Arguments of the builder that differ between `build` and what is published.
    """

    build: Callable[[], keras.Model]
    degradation: Callable[[], keras.layers.Layer]
    channels: str
    card: Card
    publish: Callable[[keras.Model], keras.Model]
    task: Task
    context: int = 0
    prepare: Callable[[Tensor], Tensor] | None = None
    ratio: int = 1
    qualities: tuple[int, int] | None = None
    trained: dict[str, Argument] = field(default_factory=dict)


def rebuilt(build: Callable[[], keras.Model]) -> Callable[[keras.Model], keras.Model]:
    """Return a `Recipe.publish` that builds a network and gives it the trained weights."""

    def publish(network: keras.Model) -> keras.Model:
        published = build()
        published.set_weights(network.get_weights())
        return published

    return publish


class PooledPSNR(keras.metrics.Mean):
    """PSNR in dB of the mean of squared errors of images in [0, 1].

    Not the mean of ratios: a single flat patch, restored without an error, has an infinite one.
    """

    def result(self) -> Tensor:
        """Return `-10 log10(mse)`."""
        return -10.0 * ops.log10(super().result())


class Restorer(keras.Model):
    """A network behind its degradation: clean integer patches in, restored patches out.

    The label is the clean patch itself, cut in the centre to the size of the output where the
    network uses up a border. A pair (clean, degraded) skips the degradation.

    Args:
        network: What is trained and published.
        degradation: Layer from the clean image in [0, 1] to the network's input; none for pairs.
        context: Pixels cut from every side of the degraded patch, so that what the degradation
            does at the border of a patch is not learned.
        prepare: From a degraded patch in [0, 1] of a pair to the network's input.
        replicas: See `recipes.training.devices.own_part`.
    """

    def __init__(
        self,
        network: keras.Model,
        degradation: keras.layers.Layer | None,
        context: int = 0,
        prepare: Callable[[Tensor], Tensor] | None = None,
        replicas: int = 1,
    ):
        super().__init__(name="restorer")
        self.network = network
        self.degradation = degradation
        self.context = context
        self.prepare = prepare
        self.replicas = replicas
        self.psnr = PooledPSNR(name="psnr")

    def call(self, batch: Tensor, training: bool = False) -> Tensor:
        """Return the restored patches of clean patches or of pairs (clean, degraded)."""
        if self.degradation is None:
            degraded = unit_range(batch[1])
            degraded = self.prepare(degraded) if self.prepare else degraded
        else:
            degraded = self.degradation(unit_range(batch))
        if isinstance(degraded, tuple):  # the noisy image and its level, for networks that take it
            noisy, sigma = (own_part(values, self.replicas) for values in degraded)
            return self.network([noisy, ops.reshape(sigma, (-1, 1))], training=training)
        degraded = own_part(degraded, self.replicas)
        if self.context:
            degraded = degraded[:, self.context : -self.context, self.context : -self.context]
        return self.network(degraded, training=training)

    def compute_loss(
        self, x: Tensor, y: Tensor, y_pred: Tensor, sample_weight: Tensor = None, **options: Any
    ) -> Tensor:
        """Return the loss against the clean patches in `x`; there is no separate label."""
        return super().compute_loss(x, self._label(x, y_pred), y_pred, sample_weight, **options)

    def compute_metrics(
        self, x: Tensor, y: Tensor, y_pred: Tensor, sample_weight: Tensor = None
    ) -> dict[str, Any]:
        """Return the mean loss and the PSNR of the mean squared error since the piece began."""
        errors = ops.square(self._label(x, y_pred) - ops.clip(y_pred, 0, 1))
        self.psnr.update_state(ops.mean(ops.cast(errors, "float32")))
        return self.get_metrics_result()

    def _label(self, batch: Tensor, restored: Tensor) -> Tensor:
        clean = batch[0] if isinstance(batch, tuple | list) else batch
        clean = unit_range(own_part(clean, self.replicas))
        outer, inner = (ops.shape(images)[1:3] for images in (clean, restored))
        top, left = ((whole - part) // 2 for whole, part in zip(outer, inner, strict=True))
        return clean[:, top : top + inner[0], left : left + inner[1]]


def unit_range(image: Tensor) -> Tensor:
    """Return 8-bit or 16-bit images as float32 in [0, 1]."""
    deep = keras.backend.standardize_dtype(image.dtype) == "uint16"
    return ops.cast(image, "float32") / (65535.0 if deep else 255.0)


def command(
    recipe: Callable[[S], Recipe],
    settings: type[S],
    description: str | None,
    published: Mapping[str, Any],
    arguments: Sequence[str] | None,
) -> int:
    """Run the command line of a recipe; return the exit code: see `zoo.app.command.run`."""

    def work(chosen: S) -> int:
        if chosen.profile:
            print_profile(chosen, recipe(chosen))
            return 0
        try:
            path = train(chosen, recipe(chosen))
        except Stopped as stop:
            print(stop, file=sys.stderr)
            return stop.code
        if not chosen.quiet:
            print(f"wrote {path}")
        return 0

    return finish(recipe.__module__, work, parse(settings, description, published, arguments))


def train(settings: Settings, recipe: Recipe) -> Path:
    """Train a network and write it, with its card, into the work folder.

    Args:
        settings: See `Settings`.
        recipe: See `Recipe`.

    Returns:
        Path of the weights file.

    Raises:
        TrainingError: if the work folder or the devices cannot be used, or the loss is not finite.
        Stopped: if a signal ended the run, after a checkpoint.
        ImageError: if an image cannot be read, or every image is smaller than a patch.
        ValueError: for arguments that the builder refuses.
        WeightsError: if the weights to start from cannot be loaded.
    """
    started = time.monotonic()
    with open_devices(settings) as devices:
        settings = _settled(settings)
        _seed(settings, recipe)  # refuses wrong arguments before any image is read
        patches = _patches(settings, recipe, devices)
        validation = _validation(settings)
        images = [read_image(path) for path in validation]
        if settings.fit:
            settings = _fitted(settings, recipe, devices, patches, images, started)
        model = compiled(settings, recipe, devices, patches)
        workdir = open_workdir(settings, devices.writes)
        step = load_newest(model, workdir) if settings.resume else 0
        begun = time.monotonic()
        report = Report(settings, workdir, devices.writes, None)
        if images:
            scoring = Validation(recipe, images)
            report.validate = lambda: scoring.score(report, model)
        if settings.tensorboard and devices.writes:
            report.board = open_board(workdir)
        try:
            if step < settings.steps:
                with Signals().caught() as signals:
                    fit(model, patches, report, devices, step, signals)
        finally:
            if report.board:
                report.board.close()
        return _finish(model, recipe, report, time.monotonic() - begun)


def print_profile(settings: Settings, recipe: Recipe) -> None:
    """Print where the time of a step goes; the trace is left in the work folder.

    Raises:
        The errors of `train`.
    """
    with open_devices(settings) as devices:
        settings = _settled(settings)
        _seed(settings, recipe)
        patches = _patches(settings, recipe, devices)
        model = compiled(settings, recipe, devices, patches)
        folder = Path(settings.workdir) / "profile"
        print(profile(model, source(patches, 0, ENDLESS, devices), settings.profile, folder))


def _validation(settings: Settings) -> list[Path]:
    """Return the files of the validation images, and say what else is in their folder."""
    if not settings.validation:
        return []
    tell = (lambda remark: None) if settings.quiet else (lambda remark: print(printable(remark)))
    return find_images(settings.validation, tell)


def _settled(settings: Settings) -> Settings:
    """Check what needs no image, and settle what depends on the machine and on an earlier run."""
    if settings.fit:
        _check_fit(settings)
        if there := steps_there(settings):
            settings = replace(settings, fit=False, steps=there)
    make_loss(settings)
    schedule(settings)
    steps = settings.every if settings.fit else settings.steps
    if steps % settings.every or settings.every % settings.steps_per_execution:
        raise TrainingError(
            "--steps must be a multiple of --every, and --every of --steps-per-execution. "
            f"Received: {settings.steps}, {settings.every}, {settings.steps_per_execution}"
        )
    if settings.slow_layers and settings.optimizer != "sgd":
        raise TrainingError(f"--slow-layers needs --optimizer sgd. Received: {settings.optimizer}")
    if settings.profile < 0:
        raise TrainingError(f"--profile must be a number of steps. Received: {settings.profile}")
    if settings.precision != "auto":
        return settings
    return replace(settings, precision="bfloat16" if accelerated() else "float32")


def _check_fit(settings: Settings) -> None:
    if settings.minutes <= 0:
        raise TrainingError(f"--fit needs --minutes. Received: {settings.minutes:g}")
    if settings.milestones:
        raise TrainingError("--fit chooses the steps, so --milestones cannot name them")
    if settings.processes > 1:
        raise TrainingError("--fit is for one process: several would choose other steps each")


def _seed(settings: Settings, recipe: Recipe) -> None:
    """Set the seeds and build the network once; both decide on the weights that it starts from."""
    keras.utils.set_random_seed(settings.seed)
    with alone(), computing_in("float32"):
        recipe.build()


def _fitted(
    settings: Settings,
    recipe: Recipe,
    devices: Devices,
    patches: Patches,
    images: Sequence[np.ndarray],
    started: float,
) -> Settings:
    """Return the settings with as many steps as end within the minutes.

    The network that the speed is measured with is thrown away: the run is then the very one that
    `--steps` with this number would be.
    """
    begun = time.monotonic()
    model = compiled(replace(settings, quiet=True), recipe, devices, patches)
    building = time.monotonic() - begun
    seconds = 60 * settings.minutes
    batches = source(patches, 0, ENDLESS, devices)
    speed = measure(model, batches, 0.02 * seconds)
    between = _between(settings, recipe, model, images)
    left = seconds - building - (time.monotonic() - started)
    steps = fitting_steps(left, speed, settings.every, between)
    if not settings.quiet:
        print(
            f"{hardware(settings)}: {speed.rate:.4g} steps/s after {speed.compiling:.1f} s of "
            f"compiling: {steps} steps end within {settings.minutes:g} minutes",
            flush=True,
        )
    _seed(settings, recipe)
    return replace(settings, fit=False, minutes=0.0, steps=steps)


def _between(
    settings: Settings, recipe: Recipe, model: Restorer, images: Sequence[np.ndarray]
) -> float:
    """Return the seconds that the checkpoint and the validation after a piece take."""
    begun = time.monotonic()
    with tempfile.TemporaryDirectory() as folder, alone():
        model.save_weights(Path(folder) / NETWORK)
    if images:
        report = Report(settings, Path(settings.workdir), True, None)
        Validation(recipe, images).score(report, model)
    return time.monotonic() - begun


def _patches(settings: Settings, recipe: Recipe, devices: Devices) -> Patches:
    """Decode the training images and say what they are."""
    held: dict[str, Any] = {
        "memory": int(settings.memory * 2**30) or None,
        "scratch": Path(settings.workdir) / "scratch",
        "quiet": settings.quiet,
    }
    degraded = None
    if settings.degraded:
        _check_pairs(recipe)
        images, degraded = open_pairs(settings.data, settings.degraded, recipe.channels, **held)
    else:
        held |= {"bands_axis": settings.bands_axis, "variable": settings.variable}
        images = open_images(settings.data, recipe.channels, **held)
    patches = Patches.of(
        images,
        settings.patch,
        settings.batch,
        settings.seed,
        degraded=degraded,
        rows=devices.rows,
        qualities=recipe.qualities,
    )
    if degraded and patches.ratio != recipe.ratio:
        raise TrainingError(
            f"this network takes pairs whose clean image is {recipe.ratio} times as large as the "
            f"degraded one. Received: {patches.ratio} times"
        )
    if not settings.quiet:
        print(f"{settings.data}: {images.describe()}")
        if degraded:
            print(f"{settings.degraded}: {degraded.describe()}")
        if patches.left_out:
            print(f"left out {patches.left_out} images smaller than {settings.patch} pixels")
    return patches


def _check_pairs(recipe: Recipe) -> None:
    if recipe.ratio == 0:
        raise TrainingError("this network takes the level of the noise, which pairs do not tell")
    if recipe.qualities:
        raise TrainingError("give either --degraded or --jpeg, not both")


def _symbol(batch: np.ndarray) -> keras.KerasTensor:
    return keras.KerasTensor(batch.shape, batch.dtype.name)


def compiled(settings: Settings, recipe: Recipe, devices: Devices, patches: Patches) -> Restorer:
    """Return the network behind its degradation, with its optimizer and its loss."""
    with devices.scope(), computing_in(settings.precision):
        network = recipe.build()
        if settings.init:
            said = start_from(network, settings.init, recipe.card)
            if not settings.quiet:
                print(said, flush=True)
        pairs = settings.degraded or recipe.qualities
        degradation = None if pairs else recipe.degradation()
        model = Restorer(network, degradation, recipe.context, recipe.prepare, devices.replicas)
        several = devices.replicas > 1
        clip = settings.clip
        rule = optimizer(replace(settings, clip=0.0) if several else settings)
        if several:
            synchronize_statistics(network)
            if clip:
                clip_over_replicas(rule, clip, devices.replicas)
        model.compile(
            optimizer=rule,
            loss=make_loss(settings),
            steps_per_execution=settings.steps_per_execution,
            jit_compile=jit(devices.replicas),
        )
        model(keras.tree.map_structure(_symbol, patches.numpy_batch(0)))
        model.optimizer.build(model.trainable_variables)
    return model


def fit(
    model: keras.Model,
    patches: Patches,
    report: Report,
    devices: Devices,
    start: int,
    signals: Signals,
) -> None:
    """Train from a step to the last; an epoch of Keras is a piece of `every` steps.

    One call of `fit` for all whole pieces: at its end Keras replaces the weights by their average.
    A run that a signal stopped inside a piece first finishes that one.
    """
    every, steps = report.settings.every, report.settings.steps
    if start % model.steps_per_execution:
        raise TrainingError(
            f"the checkpoint is one of step {start}: --steps-per-execution must divide that. "
            f"Received: {model.steps_per_execution}"
        )
    callbacks = [Progress(report, start, signals), Pieces(report, start)]

    def run(first: int, stop: int, size: int, *more: keras.callbacks.Callback) -> None:
        model.fit(
            source(patches, first, stop, devices),
            epochs=(stop - first) // size,
            steps_per_epoch=size,
            shuffle=False,
            callbacks=[*callbacks, *more],
            verbose=0,
        )

    whole = -(-start // every) * every
    if start < whole:
        trained = Trained()
        run(start, whole, whole - start, trained)
        model.network.set_weights(trained.weights)
    if whole < steps and not (start < whole and model.stop_training):
        run(whole, steps, every)


class Trained(keras.callbacks.Callback):
    """Keeps the weights of an epoch's end, before `fit` replaces them by their average."""

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Copy the weights."""
        self.weights = self.model.network.get_weights()


def source(patches: Patches, start: int, stop: int, devices: Devices) -> Any:
    """Return the batches of some steps for `fit`."""
    if keras.backend.backend() != "tensorflow":
        return Steps(patches, start, stop)
    import tensorflow as tf  # only on the TensorFlow backend

    # Keras cuts a batch into one part per replica; each replica is to see all of it. And it takes
    # a pair for image and label, where here the pair is the image.
    def whole(*batch: Any) -> Any:
        if devices.replicas > 1:
            batch = tuple(tf.tile(part, [devices.replicas, 1, 1, 1]) for part in batch)
        return (batch,) if len(batch) == 2 else batch

    return patches.dataset(start, stop).map(whole)


class Steps(keras.utils.PyDataset):
    """The batches of some steps for backends other than TensorFlow, prepared ahead in threads.

    Keras' own worker threads (`workers=2`) are no use here: `fit` reads one batch to build the
    model, starts over, and its queue then goes on with the second batch.
    """

    AHEAD = 3 * WORKERS

    def __init__(self, patches: Patches, start: int, stop: int):
        super().__init__()
        self.patches, self.start, self.stop = patches, start, stop
        self.threads = ThreadPoolExecutor(WORKERS)
        self.prepared: dict[int, Future[Any]] = {}

    def __len__(self) -> int:
        return self.stop - self.start

    def __getitem__(self, index: int) -> tuple[Any]:
        for later in range(index, min(index + self.AHEAD, len(self))):
            if later not in self.prepared:
                step = self.start + later
                self.prepared[later] = self.threads.submit(self.patches.numpy_batch, step)
        return (self.prepared.pop(index).result(),)


def averaged(model: Restorer) -> list[np.ndarray]:
    """Return the weights of the network, averaged where the optimizer keeps an average.

    Keras can only put the averages into the model itself, which then has to get its own weights
    back; and where several processes train, each such change of a weight is a collective.
    """
    weights = {id(v): v for v in model.network.weights}
    averages = [v for v in model.optimizer.variables if v.path.endswith("_average")]
    if averages:
        weights |= {
            id(v): average for v, average in zip(model.trainable_variables, averages, strict=True)
        }
    return [convert_to_numpy(weights[id(v)]) for v in model.network.weights]


def averaged_network(recipe: Recipe, model: Restorer) -> keras.Model:
    """Return the network with its averaged weights, in float32, on this process alone."""
    weights = averaged(model)
    with alone(), computing_in("float32"):
        network = recipe.build()
        network.set_weights(weights)
        return network


def published(recipe: Recipe, model: Restorer) -> keras.Model:
    """Return the published form of what is trained, with its averaged weights."""
    network = averaged_network(recipe, model)
    with alone(), computing_in("float32"):
        return recipe.publish(network)


class Validation:
    """Scores the published form of what is trained, on images; its network is compiled once.

    Args:
        recipe: Of the run.
        images: Originals, uint8.
    """

    def __init__(self, recipe: Recipe, images: Sequence[np.ndarray]) -> None:
        self.recipe, self.images = recipe, images
        self.model: keras.Model | None = None

    def score(self, report: Report, model: Restorer) -> tuple[float, list[np.ndarray]]:
        """Return the mean PSNR in dB, and pictures for TensorBoard."""
        trained = published(self.recipe, model)
        if not report.writes:
            return float("nan"), []
        with alone():
            if self.model is None:
                self.model = trained
                scale = self.recipe.task.scale
                self.network = open_network(trained, scale=scale)
            else:
                self.model.set_weights(trained.get_weights())
            found = list(evaluate(self.network, self.images, self.recipe.task))
        shown = [each.restored for each in found[:PICTURES]] if report.board else []
        pictures = [image if image.dtype == np.uint8 else to_uint8(image) for image in shown]
        return mean(found)["psnr"], pictures


def _finish(model: Restorer, recipe: Recipe, report: Report, seconds: float) -> Path:
    """Write the network, its card and the figure of the curves."""
    settings, workdir = report.settings, report.workdir
    reached = int(convert_to_numpy(model.optimizer.iterations))
    if reached < settings.steps:
        raise TrainingError(
            f"stopped at step {reached} of {settings.steps} after {settings.minutes:g} minutes; go "
            "on with --resume"
        )
    network = published(recipe, model)
    if report.writes:
        card = replace(recipe.card, training=description(settings, seconds))
        try:
            save(network, workdir / NETWORK, card)
            draw_curves([workdir], workdir / "curves.png", settings.quiet)
        except OSError as error:
            raise TrainingError(f"{workdir} cannot be written: {error.strerror}") from None
    return workdir / NETWORK


def description(settings: Settings, seconds: float, init: str = "") -> dict[str, Json]:
    """Return what a card says of the training.

    Args:
        settings: Of the run.
        seconds: That it took.
        init: What it started from, where that is not in the settings.
    """
    chosen = identity(settings)
    data = ", ".join(filter(None, (chosen.pop("data"), chosen.pop("degraded"))))
    return {
        "data": data,
        "settings": chosen | ({"init": init} if init else {}),
        "versions": {**versions()},
        "hardware": hardware(settings),
        "seconds": round(seconds),
    }


def jit(replicas: int = 1) -> str | bool:
    """Return whether XLA compiles the step.

    Not for TensorFlow on a CPU, where it is slower, nor on several devices, where it fails.
    """
    if keras.backend.backend() != "tensorflow":
        return "auto"
    return "auto" if accelerated() and replicas == 1 else False
