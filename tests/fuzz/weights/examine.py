"""Files of a stranger through what a user calls: what came of them, and what is wrong with that."""

import io
import re
import traceback
import warnings
import zipfile
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import keras
import numpy as np

import zoo
from recipes.data.envi import read_envi
from recipes.data.volumes import Volume, read_volume, write_volume
from recipes.training.checkpoints import FOLDER, load_newest, open_workdir, steps_there
from recipes.training.initial import origin, start_from
from recipes.training.settings import TrainingError
from tests.fuzz.weights import readers
from tests.fuzz.weights.archives import CONFIG
from tests.fuzz.weights.canary import Canary
from tests.fuzz.weights.seeds import CARDS, built, resuming, trained
from tests.fuzz.workers import Meter, Outcome
from tests.zoo.examples import card_of
from zoo.machine.failures import printable
from zoo.networks.importers import import_weights
from zoo.pictures.images import ImageError
from zoo.store.cubes import open_cube, read_cube, read_values
from zoo.store.weight import LARGEST, WeightsError, load_into

LONGEST = 1500  # letters of a sentence
APART = 1e-5  # of a cube in [0, 1] that was written and read again
Compare = Callable[[], None]


@dataclass
class Examined:
    """Files in a folder that are examined.

    Attributes:
        name: Of the seed.
        folder: Where they are.
        network: That of the seed, or one that they should not fit.
        deep: Whether to do what takes its time.
        outcome: What came of them so far.
        refusal: Of the last call, empty where it did not refuse.
    """

    name: str
    folder: Path
    network: keras.Model
    deep: bool
    outcome: Outcome = field(default_factory=lambda: Outcome("loaded"))
    refusal: str = ""

    def call(
        self,
        function: Callable[[], Any],
        refusal: type[Exception] | tuple[type[Exception], ...] = WeightsError,
        subject: str = "",
    ) -> Any:
        """Return what a function returns, None where it refuses, in one sentence on a subject."""
        self.refusal = ""
        try:
            return function()
        except refusal as error:
            self.refusal = self.outcome.sentence = str(error)
            if not _is_sentence(self.refusal, subject or str(self.folder)):
                self.outcome.faults.append(f"no sentence on the file: {self.refusal[:3000]!r}")
        except Exception:
            self.outcome.done = "failed"
            self.outcome.faults.append(traceback.format_exc())
        return None


def networks() -> dict[str, keras.Model]:
    """Return the networks that files are loaded into, by the names of the seeds."""
    return {**{f"weights {name}": built(name) for name in CARDS}, "checkpoint srcnn": trained()}


def examine(
    name: str, folder: Path, models: dict[str, keras.Model], canary: Canary, deep: bool = False
) -> Outcome:
    """Read files by all that reads such files, and look for faults.

    Args:
        name: Of the seed.
        folder: Where the files are; what is written of them comes beside them.
        models: Of `networks`.
        canary: Of the folder that is the current one.
        deep: Whether to do what takes its time.
    """
    network = models.get(name, models["weights srcnn"])
    examined = Examined(name, folder, network, deep)
    outcome, said = examined.outcome, io.StringIO()
    canary.faults()
    meter = Meter()
    with (
        warnings.catch_warnings(record=True) as caught,
        redirect_stderr(said),
        redirect_stdout(said),
    ):
        warnings.simplefilter("always")
        warnings.filterwarnings("ignore", "__array__", DeprecationWarning)  # of Keras itself
        compare = _KINDS[name.split()[0]](examined)
    if examined.refusal:
        outcome.done = "refused"
    outcome.faults += [f"warns: {each.message}" for each in caught]
    lines = said.getvalue().split("\n")[:-1]
    outcome.faults += [f"prints {line[:3000]!r}" for line in lines if not _is_sentence(line, "")]
    meter.read(outcome)
    outcome.faults += canary.faults()
    if compare and outcome.done == "loaded" and not outcome.faults:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the other programs
            compare()
    return outcome


def _is_sentence(text: str, subject: str) -> bool:
    one_line = len(text.splitlines()) == 1 and len(text) < LONGEST
    return one_line and subject in text and (bool(subject) or text == printable(text))


# ---- weights


def _weights(examined: Examined) -> Compare:
    """Load by the card, into a network, and to begin a training with."""
    path, network = examined.folder / "network.weights.h5", examined.network
    name, card = str(path), card_of(CARDS[examined.name.split()[1]])
    _loaded_into(examined, lambda: load_into(network, name))
    origin.cache_clear()
    line = _loaded_into(examined, lambda: start_from(network, name, card))
    if line is not None and not _is_sentence(line, ""):
        examined.outcome.faults.append(f"no line to print: {line[:3000]!r}")
    if examined.deep:
        _open(examined, name)
    loaded = examined.call(lambda: zoo.load(name))

    def compare() -> None:
        _check_weights(examined.outcome, loaded.weights, readers.hdf5_floats(path, "layers"))

    return compare


def _open(examined: Examined, name: str) -> None:
    """Open a network by its card, and restore a picture."""
    network = examined.call(lambda: zoo.open_network(name))
    if network is None:
        return
    image = np.zeros((9, 10, network.channels or 1), np.uint8)
    sigma = 0.1 if network.use.takes_sigma else None
    restored = examined.call(lambda: zoo.restore(network, image, sigma=sigma))
    scale = network.use.scale
    if restored is not None and restored.shape[:2] != (9 * scale, 10 * scale):
        examined.outcome.faults.append(f"returns {restored.shape} for {image.shape}")


def _loaded_into(examined: Examined, load: Callable[[], Any]) -> Any:
    """Load into the network; it stays as it is where that is refused."""
    before = examined.network.get_weights()
    found = examined.call(load)
    after = examined.network.get_weights()
    if not examined.refusal:
        _check_finite(examined.outcome, after)
    elif not all(map(np.array_equal, before, after)):
        examined.outcome.faults.append("changes the network although it refuses the weights")
    return found


def _check_finite(outcome: Outcome, arrays: list[np.ndarray]) -> None:
    if not all(np.all(np.abs(array) <= LARGEST) for array in arrays):
        outcome.faults.append("holds weights that no network can mean")


def _check_weights(outcome: Outcome, variables: list[Any], stored: set[bytes] | None) -> None:
    """Compare variables with what another program finds in the file, in any order."""
    arrays = [np.asarray(keras.ops.convert_to_numpy(each), "f4") for each in variables]
    _check_finite(outcome, arrays)
    if stored is not None:
        outcome.compared = True
        if stored != {array.tobytes() for array in arrays}:
            outcome.faults.append("holds other weights than the file")


def _import(examined: Examined) -> Compare:
    path = next(examined.folder.glob("net.*"), examined.folder / "net.mat")
    model = examined.name.split()[1]
    if path.suffix == ".safetensors":
        examined.call(lambda: import_weights(path))
        if examined.deep:
            _open(examined, str(path))
    found = examined.call(lambda: import_weights(path, model))

    def compare() -> None:
        arrays = [np.asarray(each, "f4") for each in found[0].get_weights()]
        _check_finite(examined.outcome, arrays)
        stored = readers.foreign_floats(path)
        # EDSR's biases are for images in [0, 255], as SPAN's first kernels are
        if stored is not None and model not in ("edsr", "span"):
            examined.outcome.compared = True
            held = np.sort(np.concatenate([each.ravel() for each in arrays]))
            if not np.array_equal(held, stored):
                examined.outcome.faults.append("holds other weights than the file")

    return compare


# ---- whole models


def _keras(examined: Examined) -> None:
    """No file of Keras is opened; what Keras itself makes of one is a user's own model."""
    path, outcome = examined.folder / "model.keras", examined.outcome
    renamed = path.with_name("network.weights.h5")
    renamed.write_bytes(path.read_bytes())
    for name in (str(path), str(renamed)):
        examined.call(lambda name=name: load_into(examined.network, name))
        if not examined.refusal:
            outcome.faults.append(f"{name} is loaded")
    examined.call(lambda: zoo.load(str(path)))
    if not examined.refusal:
        outcome.faults.append("a file of Keras is loaded")
    model = _keras_model(path)
    if model is None:
        return
    own = (ValueError, TypeError)
    network = examined.call(lambda: zoo.open_network(model, scale=1), own, model.name)
    if network is not None:
        image = np.zeros((9, 10, network.channels or 1), np.uint8)
        restored = examined.call(lambda: zoo.restore(network, image), own, "")
        if restored is not None and restored.shape != image.shape:
            outcome.faults.append(f"returns {restored.shape} for {image.shape}")


def _keras_model(path: Path) -> Any:
    """Return what Keras reads, None where it refuses or would make something large."""
    with suppress(Exception), zipfile.ZipFile(path) as archive:
        tame = sum(each.file_size for each in archive.infolist()) < 2**20
        if tame and not re.search(rb"\d{4}|e\+\d|[^\x20-\x7e]", archive.read(CONFIG)):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                return keras.models.load_model(path)
    return None


# ---- checkpoints


def _checkpoint(examined: Examined) -> Compare:
    """Go on with a run from its work folder."""
    folder, model = examined.folder, examined.network
    settings = resuming(folder)
    examined.call(lambda: steps_there(settings.run), TrainingError)
    examined.call(lambda: open_workdir(settings), TrainingError)
    newest = folder / FOLDER / "step-000000002.weights.h5"
    origin.cache_clear()
    if newest.is_file():
        examined.call(lambda: origin(str(newest)))
    step = examined.call(lambda: load_newest(model, folder), TrainingError)

    def compare() -> None:
        path = folder / FOLDER / f"step-{step:09d}.weights.h5"
        variables = [*model.variables, *model.optimizer.variables]
        floats = [each for each in variables if "float" in each.dtype]
        _check_weights(examined.outcome, floats, readers.hdf5_floats(path) if step else None)

    return compare


# ---- cubes


def _cube(examined: Examined) -> Compare:
    """Read a cube as plug-and-play and as training do, and write it again."""
    paths = (each for each in examined.folder.glob("cube.*") if each.suffix != ".img")
    path = next(paths, examined.folder / "cube.hdr")
    if path.suffix != ".hdr":
        examined.call(lambda: read_cube(path), ImageError)
    volume = examined.call(lambda: read_volume(path), ImageError)
    if volume is not None:
        _write_again(examined, volume)
    return lambda: _check_cube(examined.outcome, path)


def _write_again(examined: Examined, volume: Volume) -> None:
    outcome, errors = examined.outcome, (ImageError, OSError)
    if not (np.all(volume.values >= 0) and np.all(volume.values <= 1)):
        outcome.faults.append("holds values outside of [0, 1]")
        return
    out = examined.folder / "again"
    written = examined.call(lambda: write_volume(volume, volume.values, out), errors)
    again = written and examined.call(lambda: read_volume(written), errors)
    if again is None:
        if written:
            outcome.faults.append(f"what was written is refused: {examined.refusal}")
        return
    apart = np.abs(again.values - volume.values)
    if again.values.shape != volume.values.shape or apart.max() > APART:
        outcome.faults.append(f"comes back differently, by {apart.max():.3g}")


def _check_cube(outcome: Outcome, path: Path) -> None:
    """Compare values with those that another program reads."""
    if path.suffix == ".hdr":
        ours, theirs = read_envi(path)[1], readers.envi_values(path)
    else:
        cube = open_cube(path)
        ours, theirs = read_values(path, cube), readers.array(path, cube.name)
        if cube.flat:
            ours = ours.reshape((-1, ours.shape[-1]), order="F").T
    if theirs is None:
        return
    outcome.compared = True
    if ours.shape != theirs.shape or not np.array_equal(ours, theirs, equal_nan=True):
        outcome.faults.append(
            f"another program reads {theirs.dtype} {theirs.shape}, not {ours.dtype} {ours.shape}"
        )


_KINDS: dict[str, Callable[[Examined], Compare | None]] = {
    "weights": _weights,
    "import": _import,
    "keras": _keras,
    "checkpoint": _checkpoint,
    "cube": _cube,
}
