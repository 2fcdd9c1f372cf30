"""A network as a folder for the Hugging Face hub, which Keras opens where asykeras is not."""

import json
import shutil
from dataclasses import replace
from functools import partial
from pathlib import Path

import keras

from zoo.exports.hub_page import page
from zoo.machine.files import sha256
from zoo.networks.foreign import Foreign
from zoo.networks.plain import has_own_layers, plain
from zoo.runtimes.engines import keras_engine
from zoo.runtimes.errors import ExportError
from zoo.runtimes.formats import Format
from zoo.runtimes.signatures import Calibration, Engine
from zoo.store.card import Json
from zoo.store.hub import CARD, CONFIG, WEIGHTS
from zoo.store.weight import Weight, save_card

# Said beside every layer that Keras does not have, so that its own error shows it.
FIRST = "import zoo first (pip install asykeras): it makes this layer known to Keras"


def write_folder(
    weight: Weight | None, network: keras.Model, path: Path, scale: int, calibration: Calibration
) -> None:
    """Write the folder: the model as Keras has it, in float32, our card and the page.

    The weights are a copy of the file of the card, where it is one of Keras; the scale is the
    card's.

    Raises:
        ExportError: if there is no card, or it is one for several networks (MDSR).
    """
    if weight is None:
        raise ExportError("the format hub needs weights that have a card, by name, file or folder")
    if weight.card.builder == "MDSR":
        raise ExportError("the format hub holds one network, and the three of MDSR share a file")
    described = plain(network)
    keras.saving.save_model(described, path, zipped=False)
    shutil.rmtree(path / "assets", ignore_errors=True)  # empty
    own = has_own_layers(described)
    if own:
        _say_what_is_needed(path / CONFIG)
    if not isinstance(weight, Foreign):
        shutil.copyfile(weight.file, path / WEIGHTS)
    files: dict[str, Json] = {CONFIG: sha256(path / CONFIG)}
    card = replace(weight.card, parameters=network.count_params(), url="").with_more(files=files)
    save_card(path / WEIGHTS, card)
    (path / "README.md").write_text(page(weight.title, card, own))


def read(path: Path) -> dict[str, Engine]:
    """Return the network of a folder that `write_folder` wrote, as Keras itself opens it."""
    return {"serve": keras_engine(keras.saving.load_model(path, compile=False), "cpu:0")}


def _say_what_is_needed(config: Path) -> None:
    """Write `FIRST` beside every layer of ours."""

    def said(item: dict[str, Json]) -> dict[str, Json]:
        ours = str(item.get("registered_name")).startswith("asykeras>")
        return {"needs": FIRST, **item} if ours else item

    described = json.loads(config.read_text(), object_hook=said)
    config.write_text(json.dumps(described))


HUB = Format("hub", "", partial(write_folder, None), read, mark=CARD, needs_tensorflow=False)
