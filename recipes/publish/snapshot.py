r"""Keep what an unfinished run has reached: its averaged weights in float16, with a card.

    python -m recipes.publish.snapshot dncnn runs/dncnn-color-blind --name dncnn-color-blind

writes `recipes/unfinished/NAME.weights.h5` and its card, "N of M steps", a start for
`--init`. A checkpoint also holds the optimizer and can be read by the versions that wrote it alone;
this file is a sixth to an eighth of its size and fits the network as it is trained.
"""

import argparse
import importlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any, get_type_hints

import numpy as np

from recipes.data.patches import Patches
from recipes.data.sources import channel_count
from recipes.publish.packing import packed
from recipes.training.checkpoints import load_newest
from recipes.training.devices import open_devices
from recipes.training.run import Recipe, averaged_network, card_of, compiled, description
from recipes.training.settings import Settings, TrainingError
from zoo.app.command import Work, command
from zoo.machine.failures import reason
from zoo.machine.files import write_atomically
from zoo.machine.parts import temporary_folder
from zoo.store.weight import SUFFIX, json_beside, save, save_card

UNFINISHED = Path(__file__).parents[1] / "unfinished"
RECIPES = ("srcnn", "edsr", "span", "dncnn", "ffdnet", "dphsir")


def keep(
    recipe_name: str, workdir: Path, name: str, folder: Path = UNFINISHED, hardware: str = ""
) -> Path:
    """Write the averaged weights of the newest checkpoint, and their card; return its path.

    The hardware is what the run was trained on, for the card; a run that moved does not know it.

    Raises:
        TrainingError: if the folder holds no run, or no checkpoint that is whole.
    """
    module = importlib.import_module(f"recipes.{recipe_name}")
    its_run = _read_run(workdir)
    kind = get_type_hints(module.recipe)["settings"]
    known = kind().flat()
    given = {key: value for key, value in its_run["settings"].items() if key in known}
    origin = given.pop("init", "")  # the checkpoint holds all of it
    settings = kind.of(**given, workdir=str(workdir))
    recipe: Recipe = module.recipe(settings)
    with open_devices(settings.machines, settings.samples.batch) as devices:
        model = compiled(settings, recipe, devices, _blank_patches(recipe, settings))
        reached = load_newest(model, workdir)
        if not reached:
            raise TrainingError(f"{workdir} holds no checkpoint")
        network = averaged_network(recipe, model)
    training = description(settings, 0.0, origin) | {
        "versions": its_run["versions"],
        "reached": f"{reached:,} of {settings.descent.steps:,} steps",
    }
    del training["hardware"], training["seconds"]  # those of this machine, not of the run
    if hardware:
        training["hardware"] = hardware
    arguments = {**recipe.card.arguments, **recipe.trained}
    card = replace(card_of(recipe, settings), arguments=arguments, training=training)
    with temporary_folder() as temporary:
        whole = save(network, temporary / f"{name}{SUFFIX}", card)
        content, card = packed(whole.file, half=True), whole.card
    folder.mkdir(exist_ok=True)
    target = folder / f"{name}{SUFFIX}"
    write_atomically(target, content)
    return json_beside(save_card(target, card.with_more(dtype="float16")).file)


def _read_run(workdir: Path) -> dict[str, Any]:
    try:
        run: dict[str, Any] = json.loads((workdir / "run.json").read_text())
        return {"settings": dict(run["settings"]), "versions": dict(run["versions"])}
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise TrainingError(f"{workdir} holds no run that can be read: {reason(error)}") from None


def _blank_patches(recipe: Recipe, settings: Settings) -> Patches:
    """Return patches of one black image: a model is built from their shape."""
    samples, seed = settings.samples, settings.start.seed
    image = np.zeros((samples.patch, samples.patch, channel_count(recipe.channels)), np.uint8)
    return Patches.of([image], samples.patch, samples.batch, seed, artefacts=recipe.artefacts)


@command
def main(parser: argparse.ArgumentParser) -> Work:
    """Add the options; return what is done with them."""
    parser.add_argument("recipe", choices=RECIPES)
    parser.add_argument("workdir", type=Path, help="work folder of the run")
    parser.add_argument("--name", required=True, help="name of the files")
    parser.add_argument("--out", type=Path, default=UNFINISHED, metavar="DIR")
    parser.add_argument("--hardware", default="", help="what it was trained on, for the card")
    return _snapshot


def _snapshot(options: argparse.Namespace) -> None:
    path = keep(options.recipe, options.workdir, options.name, options.out, options.hardware)
    print(f"wrote {path}")


if __name__ == "__main__":
    raise SystemExit(main())
