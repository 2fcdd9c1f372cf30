"""Weights: from a name or a file into a model, and never a model with random weights.

A weight is a `.weights.h5` file and a card beside it, a JSON file of the same name. Published ones
lie in `zoo/published`; the file of a card that has a `url` may lie in the cache. A recipe writes
the same pair into its work folder, and a folder of the Hugging Face hub holds it, too.
"""

import math
import os
import re
import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import h5py
import keras
import numpy as np

from zoo.machine.failures import printable, reason
from zoo.machine.files import check_room, replacing, sha256
from zoo.store.card import Card, WeightsError, read_card
from zoo.store.claims import ContentError, check_memory
from zoo.store.download import DownloadError, cache_folder, fetch
from zoo.store.hdf5 import check_array, child, open_hdf5, read_array
from zoo.store.hub import CONFIG, WEIGHTS, check_folder, fetch_folder, is_address, is_folder

PUBLISHED = Path(__file__).parents[1] / "published"
SUFFIX = ".weights.h5"
HDF5_HEADERS = 4096  # bytes for each variable, generously
VARIABLES = "biufcV"  # kinds of NumPy that Keras keeps; its bfloat16 is V
LARGEST = 1e9  # value that a network can mean: products of larger ones overflow in float32


@dataclass(frozen=True)
class Weight:
    """A weights file that is the one of its card.

    Attributes:
        name: What messages call it: a published name, a path or a work folder.
        file: Where it is.
        card: What is known of it.
    """

    name: str
    file: Path
    card: Card

    @property
    def title(self) -> str:
        """Name without any folder."""
        return Path(self.name).name

    def load_into(self, model: keras.Model) -> None:
        """Load the weights into a model of the same architecture, unchanged if they do not fit."""
        _load_file(model, self.file)


def list_weights() -> list[str]:
    """Return the names of the published weights, sorted.

    Example:
        >>> zoo.list_weights()
        ['dncnn-gray-25', 'dphsir-small', 'edsr-baseline-x2', 'edsr-baseline-x4', ...]
    """
    return sorted(path.stem for path in PUBLISHED.glob("*.json"))


def published_card(name: str) -> Card:
    """Return the card of a published weight."""
    if name not in list_weights():
        raise WeightsError(
            f"there is no weight of that name, but {list_weights()}. Received: name={name!r}"
        )
    return read_card(PUBLISHED / f"{name}.json")


def find(name: str | os.PathLike[str]) -> Weight:
    """Return a weight by its name, its file, its folder or its address on the hub.

    A published file that does not come with the package is downloaded into the cache, once.

    Args:
        name: A published name, a `.weights.h5` file with its card beside it, the work folder of a
            finished recipe, a folder that `export` wrote with `format="hub"`, or the address of
            such a folder on the Hugging Face hub, `hf://owner/name` or `hf://owner/name@revision`.

    Raises:
        WeightsError: if there is no such thing, its card cannot be read, its file not be fetched,
            or it is not the file of its card, by its SHA-256.
    """
    name = os.fspath(name)
    if name in list_weights():
        card = published_card(name)
        file = _published_file(card)
    else:
        file = _own_file(str(fetch_folder(name)) if is_address(name) else name)
        card = read_card(json_beside(file))
        check_folder(file.parent, card)
    found = _hash(file) if file.is_file() else "no file"
    if found != card.sha256:
        raise WeightsError(
            f"{file} is not the file of its card: SHA-256 {printable(card.sha256[:64])} expected, "
            f"{found} found"
        )
    return Weight(name, file, card)


def load_into(model: keras.Model, name: str | os.PathLike[str]) -> None:
    """Load weights into a model of the same architecture, unchanged if they are refused.

    The name is as in `find`, or any `.weights.h5` file, also without a card.
    """
    if Path(name).is_file() and os.fspath(name).endswith(SUFFIX):
        _load_file(model, Path(name))
    else:
        find(name).load_into(model)


def save(model: keras.Model, path: str | os.PathLike[str], card: Card) -> Weight:
    """Write a file `.weights.h5` and the card beside it, each whole or not at all.

    Size, parameters and SHA-256 are added to the card.
    """
    target = Path(path)
    check_room(target.parent, file_size(model.variables))
    with replacing(target) as part:
        model.save_weights(part)
    return save_card(target, replace(card, parameters=model.count_params()))


def save_card(file: Path, card: Card) -> Weight:
    """Write the card of a weights file beside it, with what it says of that file."""
    card = replace(card, file=file.name, sha256=sha256(file), bytes=file.stat().st_size)
    card.write(json_beside(file))
    return Weight(str(file), file, card)


def json_beside(file: Path) -> Path:
    """Return the path of the JSON file beside a weights file: its card."""
    return file.with_name(file.name.removesuffix(SUFFIX) + ".json")


def file_size(variables: Sequence[keras.Variable]) -> int:
    """Return the bytes that a weights file of these variables takes at most."""
    return sum(4 * math.prod(variable.shape) + HDF5_HEADERS for variable in variables)


def array_sizes(file: Path) -> list[int]:
    """Return how many values each array of a weights file holds.

    Raises:
        ContentError: if it claims more than a file of its length can hold, or than the memory.
    """
    with open_hdf5(file) as content:
        arrays = _arrays(content)
        for array in arrays:
            check_array(array, VARIABLES)
        sizes = [math.prod(array.shape) for array in arrays]
        check_memory(4 * sum(sizes))
        return sizes


def check_values(values: np.ndarray) -> None:
    """Refuse weights that no network can mean: no finite floating point up to `LARGEST`."""
    if values.dtype.kind != "f":
        raise ContentError(f"it holds weights of the kind {values.dtype}, not floating point")
    low, high = (float(end) for end in (values.min(initial=0), values.max(initial=0)))
    if not -LARGEST <= low <= high <= LARGEST:  # NaN comes through
        raise ContentError(
            f"it holds weights from {low:.3g} to {high:.3g}, which no network can mean: they must "
            f"be finite and at most {LARGEST:.0e}"
        )


def check_file(path: Path) -> None:
    """Refuse a file of weights or a checkpoint that `check_values` or `open_hdf5` refuses."""
    with open_hdf5(path) as content:
        for array in _arrays(content):
            values = _read(array)
            if values.dtype.kind not in "iu":  # counters and states of random numbers
                check_values(values)


def load_whole(model: keras.Model, file: Path) -> None:
    """Load weights, all of them or none: Keras may find a fault in the last layer.

    Of what is damaged or lacks something it raises exceptions of many kinds.
    """
    before = model.get_weights()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", UserWarning)  # of what Keras leaves out
            model.load_weights(file)
    except Exception:
        model.set_weights(before)
        raise


def _own_file(name: str) -> Path:
    """Return the weights file of a path or a work folder."""
    path = Path(name)
    if path.is_dir():
        if (path / CONFIG).is_file() and not is_folder(path):
            raise WeightsError(
                f"{path} has no card, so asykeras does not know it: open it by "
                "keras.saving.load_model"
            )
        if is_folder(path) and not (path / WEIGHTS).is_file():
            raise WeightsError(f"{path} has a card and lacks {WEIGHTS}")
        path = path / (WEIGHTS if is_folder(path) else f"network{SUFFIX}")
    if not path.is_file() or not path.name.endswith(SUFFIX):
        whole = path.suffix in (".keras", ".h5") and not path.name.endswith(SUFFIX)
        hint = "; of your own model give what keras.models.load_model returns, after `import zoo`"
        raise WeightsError(
            f"{name!r} is neither a published weight ({', '.join(list_weights())}), nor a "
            f"{SUFFIX} file, nor the work folder of a finished recipe{hint if whole else ''}"
        )
    return path


def _published_file(card: Card) -> Path:
    """Return the file of a published card: from the package, the cache or the network."""
    shipped = PUBLISHED / card.file
    if shipped.is_file() or not card.url:
        return shipped
    cached = cache_folder() / card.file
    if cached.is_file() and _hash(cached) == card.sha256:
        return cached
    try:
        return fetch(card.url, cached, card.sha256, size=card.bytes or None)
    except DownloadError as error:
        raise WeightsError(str(error)) from None


def _hash(file: Path) -> str:
    try:
        return sha256(file)
    except OSError as error:
        raise WeightsError(f"{file} cannot be read: {error.strerror}") from None


def _load_file(model: keras.Model, file: Path) -> None:
    if not file.is_file():
        raise WeightsError(f"there is no weights file {file}")
    try:
        with open_hdf5(file) as content:
            _check_layers(model, content)
        load_whole(model, file)
    except WeightsError as error:
        raise WeightsError(f"{file} does not fit {model.name}: {error}") from None
    except Exception as error:  # Keras raises many kinds for a damaged file
        raise WeightsError(f"{file} cannot be read: {reason(error)}") from None


def _check_layers(model: keras.Model, content: h5py.File) -> None:
    """Compare the shapes in a file with those of the model, before anything is loaded.

    Keras reads on where it finds less than it wants, and names what does not fit only sometimes.
    """
    layers = _layers_by_key(model)
    groups = child(content, "layers") if "layers" in content else {}
    for key, layer in layers.items():
        wanted = [tuple(variable.shape) for variable in layer.weights]
        arrays = _arrays(child(groups, key)) if key in groups else []
        found = [array.shape for array in arrays]
        if sorted(wanted) != sorted(found):
            raise WeightsError(
                f"the first layer that differs is {layer.name!r}, which has the shapes {wanted} "
                f"and in the file {found}"
            )
        for array in arrays:
            check_values(_read(array))
        if isinstance(layer, keras.layers.BatchNormalization):
            _check_variance(layer, child(groups, key))
    more = [key for key in groups if key not in layers and _arrays(child(groups, key))]
    if more:
        raise WeightsError(f"the file has a layer more, {more[0]!r}")


def _layers_by_key(model: keras.Model) -> dict[str, keras.layers.Layer]:
    """Return the layers by what Keras's files know them by: class and number, conv2d, conv2d_1."""
    numbers: Counter[str] = Counter()
    found = {}
    for layer in model.layers:
        kind = _snake_case(type(layer).__name__)
        found[f"{kind}_{numbers[kind]}" if numbers[kind] else kind] = layer
        numbers[kind] += 1
    return found


def _snake_case(name: str) -> str:
    """Return the name of a class as Keras writes it in files: conv2d, p_re_lu."""
    name = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower()


def _check_variance(layer: keras.layers.Layer, group: h5py.Group) -> None:
    """Refuse a variance below zero, whose root is not a number."""
    index = [variable.name for variable in layer.weights].index("moving_variance")
    if (_read(child(child(group, "vars"), str(index))) < 0).any():
        raise ContentError(f"the variance in {layer.name} is negative")


def _arrays(group: h5py.Group) -> list[h5py.Dataset]:
    """Return the arrays below a group of a file that `open_hdf5` has looked through, each once."""
    found: list[h5py.Dataset] = []
    group.visititems(lambda _, item: found.append(item) if isinstance(item, h5py.Dataset) else None)
    return found


def _read(array: h5py.Dataset) -> np.ndarray:
    """Return the values of a variable; Keras stores bfloat16 as two bytes, the upper of float32."""
    if array.attrs.get("dtype") == "bfloat16" and array.dtype == "V2":
        upper = read_array(array, "V").view("<u2")
        return (upper.astype("<u4") << 16).view("<f4")
    return read_array(array, VARIABLES)
