"""A run of any recipe, from start to end.

It is cut into pieces of `every` steps, each followed by a checkpoint (see
`recipes.training.checkpoints`). The samples follow from (seed, step), and the checkpoint holds
everything else, so a resumed run ends with the same bits as one that was never interrupted.
"""

import argparse
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import keras
import numpy as np
from keras.ops import convert_to_numpy

from asykeras import PoissonGaussianNoise
from asykeras.types import Tensor
from recipes.data.cubes import Windows, cube_part
from recipes.data.image_set import ImageSet
from recipes.data.jpeg import Artefacts
from recipes.data.patches import Patches
from recipes.data.sources import Channels, open_images, open_pairs
from recipes.training.batches import Batches, batches
from recipes.training.checkpoints import identity, load_newest, open_workdir, steps_there, versions
from recipes.training.composed import composed, merge
from recipes.training.curves import draw_curves
from recipes.training.devices import Devices, accelerated, alone, hardware, jit, open_devices
from recipes.training.initial import TRAINED, start_from
from recipes.training.objective import make_loss, schedule
from recipes.training.optimizers import optimizer
from recipes.training.progress import (
    Pieces,
    Progress,
    Report,
    Stopped,
    Unread,
    caught_signals,
    open_board,
)
from recipes.training.resident import describe, resident
from recipes.training.restorer import Restorer, linear_light, unit_range
from recipes.training.settings import (
    Run,
    S,
    Samples,
    Settings,
    TrainingError,
    Value,
    add_options,
    chosen,
)
from recipes.training.speed import ENDLESS, Speed, fitting_steps, measure, profile
from zoo.app import command as commands
from zoo.machine.dtype import computing_in
from zoo.machine.failures import printable
from zoo.machine.parts import temporary_folder
from zoo.pictures.images import find_images, read_image, to_uint8
from zoo.restoring.network import open_network
from zoo.restoring.stabilized import sensor_of
from zoo.scoring.evaluate import evaluate, mean
from zoo.scoring.tasks import Task
from zoo.store.card import Argument, Card, Json
from zoo.store.weight import SUFFIX, save

NETWORK = f"network{SUFFIX}"
COUNTED = 64  # batches whose grey values are counted for weights by rarity
PICTURES = 4  # validation images that TensorBoard shows


@dataclass(frozen=True)
class Recipe:
    """What distinguishes one recipe from another."""

    build: Callable[[], keras.Model]  # makes the network as it is trained
    degradation: Callable[[], keras.layers.Layer]  # from clean images in [0, 1] to its input
    channels: Channels  # what the images are made into: see `recipes.data.sources.open_images`
    card: Card  # the beginning of the card of the network that is published
    publish: Callable[[keras.Model], keras.Model]  # from the trained network to that one, a new one
    task: Task  # for validation
    context: int = 0  # see `Restorer`
    prepare: Callable[[Tensor], Tensor] | None = None  # as `degradation`, for the images of pairs
    ratio: int = 1  # how much larger than those the clean images are; 0: pairs are of no use
    artefacts: Artefacts | None = None  # of JPEG to remove, instead of `degradation`
    slow_layers: tuple[str, ...] = ()  # see `recipes.training.optimizers.LayerwiseSGD`
    # arguments of the builder that differ between `build` and what is published
    trained: dict[str, Argument] = field(default_factory=dict)
    composed: bool = False  # kernels are trained as several: see `recipes.training.composed`


def rebuilt(build: Callable[[], keras.Model]) -> Callable[[keras.Model], keras.Model]:
    """Return a `Recipe.publish` that builds a network and gives it the trained weights."""

    def publish(network: keras.Model) -> keras.Model:
        published = build()
        published.set_weights(network.get_weights())
        return published

    return publish


def command(
    recipe: Callable[[S], Recipe], settings: type[S], published: Mapping[str, Value]
) -> Callable[..., int]:
    """Return the `main` of a recipe; `published` are the settings of its `--preset published`."""

    def describe(parser: argparse.ArgumentParser) -> commands.Work:
        add_options(parser, settings())
        return work

    def work(options: argparse.Namespace) -> int:
        given = chosen(settings, published, options)
        if given.run.profile:
            print_profile(given, recipe(given))
            return 0
        try:
            path = train(given, recipe(given))
        except Stopped as stop:
            print(stop, file=sys.stderr)
            return stop.code
        if not given.run.quiet:
            print(f"wrote {path}")
        return 0

    return commands.command(describe, module=recipe.__module__)


def train(settings: Settings, recipe: Recipe) -> Path:
    """Train a network and write it, with its card, into the work folder; return the file's path.

    Raises:
        TrainingError: if the work folder or the devices cannot be used, or the loss is not finite.
        Stopped: if a signal ended the run, after a checkpoint.
        ImageError: if an image cannot be read, or every image is smaller than a patch.
        ValueError: for arguments that the builder refuses.
        WeightsError: if the weights to start from cannot be loaded.
    """
    started = time.monotonic()
    with open_devices(settings.machines, settings.samples.batch) as devices:
        settings = _settled(settings)
        _seed(settings.start.seed, recipe)  # refuses wrong arguments before any image is read
        patches = _patches(settings, recipe, devices)
        images = _validation(settings.run, recipe.channels)
        if settings.run.fit:
            settings = _fitted(settings, recipe, devices, patches, images, started)
        model = compiled(settings, recipe, devices, patches)
        if model.images and not settings.run.quiet:
            print(describe(patches), flush=True)
        workdir = open_workdir(settings, devices.writes)
        step = load_newest(model, workdir) if settings.run.resume else 0
        step = step or settings.descent.first_step
        begun = time.monotonic()
        report = Report(settings, workdir, devices.writes)
        if images:
            report.validate = Validation(recipe, images, model, report).score
        if settings.run.tensorboard and devices.writes:
            report.board = open_board(workdir)
        try:
            if step < settings.descent.steps:
                with caught_signals() as signals:
                    fit(model, patches, report, devices, step, signals)
        finally:
            if report.board:
                report.board.close()
        return _finish(model, recipe, report, time.monotonic() - begun)


@contextmanager
def _begun(settings: Settings, recipe: Recipe) -> Iterator[tuple[Restorer, Batches]]:
    """Make a model and its batches for the block, in which what it learns is thrown away."""
    with open_devices(settings.machines, settings.samples.batch) as devices:
        settings = _settled(settings)
        _seed(settings.start.seed, recipe)
        patches = _patches(settings, recipe, devices)
        model = compiled(settings, recipe, devices, patches)
        yield model, model_batches(model, patches, 0, ENDLESS, devices)


def print_profile(settings: Settings, recipe: Recipe) -> None:
    """Print where the time of a step goes; the trace is left in the work folder."""
    with _begun(settings, recipe) as (model, endless):
        folder = Path(settings.run.workdir) / "profile"
        print(profile(model, endless, settings.run.profile, folder))


def step_rate(settings: Settings, recipe: Recipe, seconds: float) -> Speed:
    """Return how fast the steps of a run are."""
    with _begun(settings, recipe) as (model, endless):
        return measure(model, endless, seconds)


def _validation(run: Run, channels: Channels) -> list[np.ndarray]:
    """Return the validation images, or windows of cubes, and say what else is in their folder."""
    if not run.validation:
        return []
    if isinstance(channels, Windows):
        return list(cube_part(run.validation, channels).read())
    tell = (lambda remark: None) if run.quiet else (lambda remark: print(printable(remark)))
    return [read_image(path) for path in find_images(run.validation, tell)]


def _settled(settings: Settings) -> Settings:
    """Check what needs no image, and settle what depends on the machine and on an earlier run."""
    if settings.run.fit and (there := steps_there(settings.run)):
        settings = settings.having(fit=False, steps=there)
    if settings.run.fit:
        _check_fit(settings)
    make_loss(settings.objective)
    _label_noise(settings)
    schedule(settings.descent)
    run, every = settings.run, settings.descent.every
    steps = every if run.fit else settings.descent.steps
    if steps % every or every % run.steps_per_execution:
        raise TrainingError(
            "--steps must be a multiple of --every, and --every of --steps-per-execution. "
            f"Received: {settings.descent.steps}, {every}, {run.steps_per_execution}"
        )
    first = settings.descent.first_step
    if not 0 <= first < settings.descent.steps or (first and not settings.start.init):
        raise TrainingError(
            "--first-step belongs to --init and lies below --steps. "
            f"Received: {first} of {settings.descent.steps}, --init {settings.start.init!r}"
        )
    if settings.samples.linear and run.validation:
        raise TrainingError(
            "--validation scores values of sRGB, and --linear trains a network of linear light: "
            "leave one of them out"
        )
    if run.profile < 0:
        raise TrainingError(f"--profile must be a number of steps. Received: {run.profile}")
    if settings.start.precision != "auto":
        return settings
    return settings.having(precision="bfloat16" if accelerated() else "float32")


def _check_fit(settings: Settings) -> None:
    if settings.run.minutes <= 0:
        raise TrainingError(f"--fit needs --minutes. Received: {settings.run.minutes:g}")
    if settings.descent.milestones:
        raise TrainingError("--fit chooses the steps, so --milestones cannot name them")
    if settings.descent.first_step:
        raise TrainingError("--fit chooses the steps, so --first-step has none to go on to")
    if settings.machines.processes > 1:
        raise TrainingError("--fit is for one process: several would choose other steps each")


def _seed(seed: int, recipe: Recipe) -> None:
    """Set the seeds and build the network once; both decide on the weights that it starts from."""
    keras.utils.set_random_seed(seed)
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
    model = compiled(settings.having(quiet=True), recipe, devices, patches)
    building = time.monotonic() - begun
    seconds = 60 * settings.run.minutes
    speed = measure(model, model_batches(model, patches, 0, ENDLESS, devices), 0.02 * seconds)
    begun = time.monotonic()
    with temporary_folder() as folder, alone():  # the checkpoint and the validation after a piece
        model.save_weights(folder / NETWORK)
    if images:
        report = Report(settings, Path(settings.run.workdir), True)
        Validation(recipe, images, model, report).score()
    between = time.monotonic() - begun
    left = seconds - building - (time.monotonic() - started)
    steps = fitting_steps(left, speed, settings.descent.every, between)
    if not settings.run.quiet:
        print(
            f"{hardware(settings.machines)}: {speed.rate:.4g} steps/s after "
            f"{speed.compiling:.1f} s of compiling: {steps} steps end within "
            f"{settings.run.minutes:g} minutes",
            flush=True,
        )
    _seed(settings.start.seed, recipe)
    return settings.having(fit=False, minutes=0.0, steps=steps)


def _patches(settings: Settings, recipe: Recipe, devices: Devices) -> Patches:
    """Decode the training images and say what they are."""
    samples, run, seed = settings.samples, settings.run, settings.start.seed
    images, degraded = _images(samples, run, recipe)
    patches = Patches.of(
        images, samples.patch, samples.batch, seed, degraded, devices.rows, recipe.artefacts
    )
    if degraded and patches.ratio != recipe.ratio:
        raise TrainingError(
            f"this network takes pairs whose clean image is {recipe.ratio} times as large as the "
            f"degraded one. Received: {patches.ratio} times"
        )
    if not run.quiet:
        print(f"{samples.data}: {images.describe()}")
        if degraded:
            print(f"{samples.degraded}: {degraded.describe()}")
        if patches.left_out:
            print(f"left out {patches.left_out} images smaller than {samples.patch} pixels")
    return patches


def _images(samples: Samples, run: Run, recipe: Recipe) -> tuple[ImageSet, ImageSet | None]:
    """Decode the clean images, and their degraded partners where there are some."""
    memory, scratch = int(run.memory * 2**30) or None, Path(run.workdir) / "scratch"
    channels, quiet = recipe.channels, run.quiet
    if not samples.degraded:
        found = open_images(samples.data, channels, memory=memory, scratch=scratch, quiet=quiet)
        return found, None
    if recipe.ratio == 0:
        raise TrainingError("this network takes the level of the noise, which pairs do not tell")
    if recipe.artefacts:
        raise TrainingError("give either --degraded or --jpeg, not both")
    sources = samples.data, samples.degraded
    return open_pairs(*sources, channels, memory=memory, scratch=scratch, quiet=quiet)


def compiled(settings: Settings, recipe: Recipe, devices: Devices, patches: Patches) -> Restorer:
    """Return the network behind its degradation, with its optimizer and its loss."""
    with devices.scope(), computing_in(settings.start.precision):
        network = recipe.build()
        if settings.start.init:
            said = start_from(network, settings.start.init, recipe.card)
            if not settings.run.quiet:
                print(said, flush=True)
        network = composed(network) if recipe.composed else network
        pairs = settings.samples.degraded or recipe.artefacts
        degradation = None if pairs else recipe.degradation()
        images = resident(patches, settings.run.cut)
        loss = make_loss(settings.objective, partial(_labels, patches, settings.samples.linear))
        model = Restorer(
            network,
            degradation,
            recipe.context,
            recipe.prepare,
            devices.replicas,
            images,
            settings.samples.linear,
            _label_noise(settings),
            getattr(getattr(loss, "weighting", None), "counter", None),
        )
        rule = optimizer(settings.descent, recipe.slow_layers)
        devices.act_as_one(network, rule)
        model.compile(
            optimizer=rule,
            loss=loss,
            steps_per_execution=settings.run.steps_per_execution,
            jit_compile=jit(devices.replicas),
        )
        first = patches.numpy_places(0) if images else patches.numpy_batch(0)
        symbols = keras.tree.map_structure(
            lambda part: keras.KerasTensor(part.shape, part.dtype.name), first
        )
        model(symbols)
        model.optimizer.build(model.trainable_variables)
        model.optimizer.iterations.assign(settings.descent.first_step)
    return model


def _labels(patches: Patches, linear: bool) -> Iterator[np.ndarray]:
    """Yield the labels of the first steps, for weightings that count them."""
    light = linear_light if linear else unit_range
    for step in range(COUNTED):
        batch = patches.numpy_batch(step)
        clean = batch[0] if isinstance(batch, tuple) else batch
        yield convert_to_numpy(light(clean))


def _label_noise(settings: Settings) -> keras.layers.Layer | None:
    """Return the layer that makes labels noisy, with another seed than the inputs have."""
    if not settings.samples.label_noise:
        return None
    gain, read_noise = sensor_of(settings.samples.label_noise)
    return PoissonGaussianNoise(gain, read_noise=read_noise, seed=settings.start.seed + 2**20)


def model_batches(
    model: Restorer, patches: Patches, start: int, stop: int, devices: Devices
) -> Batches:
    """Return the batches of some steps as the model takes them."""
    return batches(patches, start, stop, devices, on_device=bool(model.images))


def fit(
    model: Restorer,
    patches: Patches,
    report: Report,
    devices: Devices,
    start: int,
    signals: Sequence[int],
) -> None:
    """Train from a step to the last; an epoch of Keras is a piece of `every` steps.

    One call of `fit` for all whole pieces: at its end Keras replaces the weights by their average.
    A run that a signal stopped inside a piece first finishes that one.
    """
    every, steps = report.settings.descent.every, report.settings.descent.steps
    if start % model.steps_per_execution:
        raise TrainingError(
            f"the checkpoint is one of step {start}: --steps-per-execution must divide that. "
            f"Received: {model.steps_per_execution}"
        )
    callbacks = [Progress(report, start, signals), Pieces(report, start)]

    def run(first: int, stop: int, size: int, *more: keras.callbacks.Callback) -> None:
        epochs = (stop - first) // size
        model.fit(
            model_batches(model, patches, first, stop, devices),
            epochs=epochs,
            steps_per_epoch=size,
            shuffle=False,
            callbacks=Unread(
                [*callbacks, *more], add_history=True, model=model, epochs=epochs, steps=size
            ),
            verbose=0,
        )

    whole = -(-start // every) * every
    if start < whole:
        trained: list[np.ndarray] = []  # at its end, before `fit` replaces them by their average
        copy = keras.callbacks.LambdaCallback(
            on_epoch_end=lambda epoch, logs: trained.extend(model.network.get_weights())
        )
        run(start, whole, whole - start, copy)
        model.network.set_weights(trained)
    if whole < steps and not (start < whole and model.stop_training):
        run(whole, steps, every)


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
    """Return the network with its averaged weights, in float32, on this process alone.

    It is the one that the recipe builds: composed kernels are merged.
    """
    weights = averaged(model)
    with alone(), computing_in("float32"):
        network = recipe.build()
        trained = composed(network) if recipe.composed else network
        trained.set_weights(weights)
        if recipe.composed:
            merge(trained, network)
        return network


def published(recipe: Recipe, trained: keras.Model) -> keras.Model:
    """Return the published form of what `averaged_network` returned."""
    with alone(), computing_in("float32"):
        return recipe.publish(trained)


class Validation:
    """Scores the published form of what is trained, on images; its network is compiled once."""

    def __init__(
        self, recipe: Recipe, images: Sequence[np.ndarray], model: Restorer, report: Report
    ) -> None:
        self.recipe, self.images, self.model, self.report = recipe, images, model, report
        self.scored: keras.Model | None = None

    def score(self) -> tuple[float, list[np.ndarray]]:
        """Return the mean PSNR in dB, and pictures for TensorBoard."""
        trained = published(self.recipe, averaged_network(self.recipe, self.model))
        if not self.report.writes:
            return float("nan"), []
        with alone():
            if self.scored is None:
                self.scored = trained
                self.network = open_network(trained, scale=self.recipe.task.scale)
            else:
                self.scored.set_weights(trained.get_weights())
            found = list(evaluate(self.network, self.images, self.recipe.task))
        shown = found[:PICTURES] if self.report.board else []
        return mean(found)["psnr"], [_visible(each.restored) for each in shown]


def _visible(image: np.ndarray) -> np.ndarray:
    """Return a picture as TensorBoard takes it: of a cube the first three bands, or one of two."""
    bands = image[..., : 3 if image.shape[-1] >= 3 else 1]
    return bands if bands.dtype == np.uint8 else to_uint8(bands)


def _finish(model: Restorer, recipe: Recipe, report: Report, seconds: float) -> Path:
    """Write the network, its card and the figure of the curves."""
    settings, workdir = report.settings, report.workdir
    reached = int(convert_to_numpy(model.optimizer.iterations))
    if reached < settings.descent.steps:
        raise TrainingError(
            f"stopped at step {reached} of {settings.descent.steps} after "
            f"{settings.run.minutes:g} minutes; go on with --resume"
        )
    trained = averaged_network(recipe, model)
    network = published(recipe, trained)
    if report.writes:
        card = replace(card_of(recipe, settings), training=description(settings, seconds))
        try:
            if recipe.trained:  # else `--init` could not go on from here
                arguments = {**card.arguments, **recipe.trained}
                save(trained, workdir / TRAINED, replace(card, arguments=arguments))
            save(network, workdir / NETWORK, card)
            draw_curves([workdir], workdir / "curves.png", settings.run.quiet)
        except OSError as error:
            raise TrainingError(f"{workdir} cannot be written: {error.strerror}") from None
    return workdir / NETWORK


def card_of(recipe: Recipe, settings: Settings) -> Card:
    """Return the beginning of the card of a run."""
    use = replace(recipe.card.use, linear=settings.samples.linear)
    return replace(recipe.card, use=use)


def description(settings: Settings, seconds: float, init: str = "") -> dict[str, Json]:
    """Return what a card says of the training; `init`: its start, where no setting names it."""
    told = identity(settings)
    data = [str(told.pop(name)) for name in ("data", "degraded")]
    return {
        "data": ", ".join(filter(None, data)),
        "settings": {**told, **({"init": init} if init else {})},
        "versions": {**versions()},
        "hardware": hardware(settings.machines),
        "seconds": round(seconds),
    }
