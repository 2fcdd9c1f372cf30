"""The weights that a run starts from, and how a card names them."""

import json
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import keras
import numpy as np

import zoo
from zoo.machine.failures import printable
from zoo.machine.files import sha256
from zoo.networks.dncnn import fold_batch_norm
from zoo.networks.families import FAMILIES
from zoo.store.card import Argument, Card, WeightsError
from zoo.store.weight import SUFFIX, find, json_beside, load_into, published_card

LONGEST = 80  # letters that a file tells of its steps
TRAINED = f"trained{SUFFIX}"  # in a work folder, where what is published has another form
NORMALISATION = keras.layers.BatchNormalization
FOLDED = ", its batch normalisation folded into the convolutions"
AVERAGED = ", as the mean over its colours"


def start_from(network: keras.Model, init: str, card: Card) -> str:
    """Load weights into a network; return one line that says what was taken.

    Of a network of another scale, those layers are taken that have the same shape. The second
    upsampler of scale 4 starts as the one of scale 2, as in the authors' code. Of a work folder the
    network as it is trained is taken. Into a DnCNN without batch normalisation that of the file is
    folded; one for grey images starts from one for colour as the mean of what that restores.

    Raises:
        WeightsError: if the weights cannot be found or do not fit; the network is unchanged then.
    """
    init = as_trained(init)
    scale = _other_scale(init, card)
    if scale is None:
        return f"started from {origin(init)}{_load(network, init, card)}"
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


def _load(network: keras.Model, init: str, card: Card) -> str:
    """Load weights into a network; return what had to be done to them, empty for nothing."""
    try:
        load_into(network, init)
        return ""
    except WeightsError:
        if said := _load_other_form(network, init, card):
            return said
        raise


def _load_other_form(network: keras.Model, init: str, card: Card) -> str:
    """Load weights of a DnCNN that differs in its normalisation or colours; return what was done.

    Empty, and the network unchanged, where the weights are not of such a one.
    """
    if card.builder != "DnCNN" or any(isinstance(each, NORMALISATION) for each in network.layers):
        return ""
    own = network.input_shape[-1]
    of_colour = [] if own == 3 else [(3, False), (3, True)]
    for channels, folded in [(own, True), *of_colour]:
        changes: dict[str, Argument] = {"channels": channels, "batch_norm": folded}
        source = FAMILIES[card.builder].build(**{**card.arguments, **changes})
        try:
            load_into(source, init)
        except WeightsError:
            continue
        arrays = (fold_batch_norm(source) if folded else source).get_weights()
        network.set_weights(arrays if channels == own else _mean_over_colours(arrays))
        return (FOLDED if folded else "") + (AVERAGED if channels != own else "")
    return ""


def _mean_over_colours(arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Return a merged DnCNN for grey images: the mean of what one restores from three times it.

    First kernel `(3, 3, 3, filters)`, last `(3, 3, filters, 3)` and its bias are all that change.
    """
    first, *between, last, bias = arrays
    return [
        first.sum(axis=2, keepdims=True),
        *between,
        last.mean(axis=3, keepdims=True),
        bias.mean(keepdims=True),
    ]


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
