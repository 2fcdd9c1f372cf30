"""The weights that a run starts from, and how a card names them."""

import json
from functools import lru_cache
from pathlib import Path

import keras

import zoo
from zoo.machine.failures import printable
from zoo.machine.files import sha256
from zoo.networks.dncnn import fold_batch_norm
from zoo.networks.families import FAMILIES
from zoo.store.card import Card, WeightsError
from zoo.store.weight import SUFFIX, find, json_beside, load_into, published_card

LONGEST = 80  # letters that a file tells of its steps
TRAINED = f"trained{SUFFIX}"  # in a work folder, where what is published has another form


def start_from(network: keras.Model, init: str, card: Card) -> str:
    """Load weights into a network; return one line that says what was taken.

    Of a network of another scale, those layers are taken that have the same shape. The second
    upsampler of scale 4 starts as the one of scale 2, as in the authors' code. Of a work folder the
    network as it is trained is taken. Into a DnCNN without batch normalisation that of the file is
    folded.

    Raises:
        WeightsError: if the weights cannot be found or do not fit; the network is unchanged then.
    """
    init = as_trained(init)
    scale = _other_scale(init, card)
    if scale is None:
        folded = _load_or_fold(network, init, card)
        more = ", its batch normalisation folded into the convolutions" if folded else ""
        return f"started from {origin(init)}{more}"
    source = {layer.name: layer for layer in zoo.load(init).layers if layer.weights}
    taken, new = 0, []
    for layer in network.layers:
        name = layer.name if layer.name in source else layer.name.replace("upsample2", "upsample1")
        values = source[name].get_weights() if name in source else []
        if [value.shape for value in values] == [tuple(w.shape) for w in layer.weights]:
            layer.set_weights(values)
            taken += sum(value.size for value in values)
        else:
            new.append(layer.name)
    return (
        f"started from {origin(init)} of scale {scale}: {taken:,} of {network.count_params():,} "
        f"parameters; {', '.join(new) or 'no layer'} is new"
    )


def _load_or_fold(network: keras.Model, init: str, card: Card) -> bool:
    """Load weights into a network; return whether batch normalisation had to be folded for that."""
    try:
        load_into(network, init)
    except WeightsError:
        normalised = _normalised(network, init, card)
        if normalised is None:
            raise
        network.set_weights(fold_batch_norm(normalised).get_weights())
        return True
    return False


def _normalised(network: keras.Model, init: str, card: Card) -> keras.Model | None:
    """Return the DnCNN with batch normalisation that weights are of, for one without; else None."""
    own = any(isinstance(layer, keras.layers.BatchNormalization) for layer in network.layers)
    if card.builder != "DnCNN" or own:
        return None
    found = FAMILIES[card.builder].build(**{**card.arguments, "batch_norm": True})
    try:
        load_into(found, init)
    except WeightsError:
        return None
    return found


def as_trained(init: str) -> str:
    """Return the file of a work folder that holds the network as it is trained, if there is one."""
    file = Path(init) / TRAINED
    return str(file) if init and file.is_file() else init


def _other_scale(init: str, card: Card) -> int | None:
    """Return the scale of weights whose network differs in that alone; None for all others."""
    if Path(init).is_file() and not json_beside(Path(init)).is_file():
        return None  # any file may be loaded where it fits, without a card
    found = find(init).card
    theirs, ours = ({**each.arguments, "scale": None} for each in (found, card))
    scales = found.use.scale, card.use.scale
    if found.builder != card.builder or theirs != ours or scales[0] in (1, scales[1]):
        return None
    return scales[0]


@lru_cache
def origin(init: str) -> str:
    """Return what a card calls the weights that a run started from, without any path.

    The published name, or else the file's name, its SHA-256 and the steps of its training where its
    card or `run.json` tells them.

    Raises:
        WeightsError: if there is no such thing.
    """
    init = as_trained(init)
    if not init or init in zoo.list_weights():
        return init
    file = Path(init) if Path(init).is_file() else find(init).file
    digest = sha256(file)
    for name in zoo.list_weights():
        if published_card(name).sha256 == digest:
            return name
    steps = _steps(file)
    return f"{file.name}, SHA-256 {digest}{f', {steps}' if steps else ''}"


def _steps(file: Path) -> str:
    """Return how many steps a weights file was trained for, empty where nothing tells."""
    for path in (json_beside(file), file.with_name("run.json")):
        try:
            facts = json.loads(path.read_text())
            training = facts.get("training", facts)
            reached = training.get("reached") or training.get("stopped")
            told = str(reached or f"{training['settings']['steps']:,} steps")
            return printable(told[:LONGEST])
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
            continue
    return ""
