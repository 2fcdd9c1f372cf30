"""The weights that a run starts from, and how a card names them."""

import json
from functools import lru_cache
from pathlib import Path
from typing import Any

import keras

import zoo
from zoo.files import sha256
from zoo.machine.failures import printable
from zoo.weights import SUFFIX, load_into, locate

LONGEST = 80  # letters that a file tells of its steps


def start_from(network: keras.Model, init: str, card: dict[str, Any]) -> str:
    """Load weights into a network; return one line that says what was taken.

    Of a network of another scale, those layers are taken that have the same shape. The second
    upsampler of scale 4 starts as the one of scale 2, as in the authors' code.

    Args:
        network: Built network; unchanged if the weights are refused.
        init: A name, a file or a work folder.
        card: `builder` and `arguments` of the network.

    Raises:
        WeightsError: if the weights cannot be found or do not fit.
    """
    scale = _other_scale(init, card)
    if scale is None:
        load_into(network, init)
        return f"started from {origin(init)}"
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


def _other_scale(init: str, card: dict[str, Any]) -> int | None:
    """Return the scale of weights whose network differs in that alone; None for all others."""
    if Path(init).is_file() and not Path(init.removesuffix(SUFFIX) + ".json").is_file():
        return None  # any file may be loaded where it fits, without a card
    found = locate(init)[1]
    theirs, ours = ({**c["arguments"], "scale": None} for c in (found, card))
    scale, wanted = (c["arguments"].get("scale") for c in (found, card))
    if found["builder"] != card["builder"] or theirs != ours or scale == wanted:
        return None
    return scale if isinstance(scale, int) else None


@lru_cache
def origin(init: str) -> str:
    """Return what a card calls the weights that a run started from, without any path.

    The published name, or else the file's name, its SHA-256 and the steps of its training where its
    card or `run.json` tells them.

    Raises:
        WeightsError: if there is no such thing.
    """
    if not init or init in zoo.list_weights():
        return init
    file = Path(init) if Path(init).is_file() else locate(init)[0]
    digest = sha256(file)
    for name in zoo.list_weights():
        if zoo.card(name)["sha256"] == digest:
            return name
    steps = _steps(file)
    return f"{file.name}, SHA-256 {digest}{f', {steps}' if steps else ''}"


def _steps(file: Path) -> str:
    """Return how many steps a weights file was trained for, empty where nothing tells."""
    for name in (f"{file.name.removesuffix(SUFFIX)}.json", "run.json"):
        try:
            facts = json.loads((file.parent / name).read_text())
            training = facts.get("training", facts)
            reached = training.get("reached") or training.get("stopped")
            told = str(reached or f"{training['settings']['steps']:,} steps")
            return printable(told[:LONGEST])
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
            continue
    return ""
