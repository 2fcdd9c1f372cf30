r"""Keep what an unfinished run has reached: its averaged weights in float16, with a card.

    python -m recipes.snapshot dncnn runs/dncnn-color-blind --name dncnn-color-blind

writes `recipes/unfinished/NAME.weights.h5` and its card, "N of M steps", a start for `--init`. A
checkpoint also holds the optimizer and can be read by the versions that wrote it alone; this file
is a sixth to an eighth of its size and fits the network as it is trained.
"""

import argparse
import importlib
import json
import sys
from collections.abc import Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, get_type_hints

import numpy as np

from recipes.checkpoints import load_newest
from recipes.data import Patches
from recipes.devices import open_devices
from recipes.publish import halved
from recipes.settings import TrainingError
from recipes.training import Recipe, averaged_network, compiled, description
from zoo.app.command import run
from zoo.files import sha256, write_atomically
from zoo.machine.parts import temporary_folder
from zoo.pictures.errors import reason
from zoo.weights import SUFFIX, read_card, save

UNFINISHED = Path(__file__).with_name("unfinished")
RECIPES = ("srcnn", "edsr", "dncnn", "dphsir")


def keep(recipe_name: str, workdir: Path, name: str, folder: Path = UNFINISHED) -> Path:
    """Write the averaged weights of the newest checkpoint, and their card.

    Args:
        recipe_name: Module of the recipe, one of `RECIPES`.
        workdir: Work folder of the run.
        name: Of the two files.
        folder: Where they go.

    Returns:
        Path of the card.

    Raises:
        TrainingError: if the folder holds no run, or no checkpoint that is whole.
    """
    module = importlib.import_module(f"recipes.{recipe_name}")
    its_run = _read_run(workdir)
    kind = get_type_hints(module.recipe)["settings"]
    known = {item.name for item in fields(kind)}
    settings = kind(
        **{key: value for key, value in its_run["settings"].items() if key in known},
        workdir=str(workdir),
    )
    settings, origin = replace(settings, init=""), settings.init  # the checkpoint holds all of it
    recipe: Recipe = module.recipe(settings)
    with open_devices(settings) as devices:
        model = compiled(settings, recipe, devices, _blank_patches(recipe, settings))
        reached = load_newest(model, workdir)
        if not reached:
            raise TrainingError(f"{workdir} holds no checkpoint")
        network = averaged_network(recipe, model)
    training = {
        **description(settings, 0.0),
        "versions": its_run["versions"],
        "reached": f"{reached:,} of {settings.steps:,} steps",
    }
    training["settings"]["init"] = origin
    for key in ("hardware", "seconds"):  # those of this machine, not of the run
        del training[key]
    target = folder / f"{name}{SUFFIX}"
    card = {**recipe.card, "arguments": recipe.card["arguments"] | recipe.trained}
    with temporary_folder() as temporary:
        whole = temporary / target.name
        save(network, whole, {**card, "training": training})
        content, card = halved(whole), read_card(whole.with_name(f"{name}.json"))
    folder.mkdir(exist_ok=True)
    write_atomically(target, content)
    card |= {"sha256": sha256(target), "bytes": len(content), "dtype": "float16"}
    write_atomically(folder / f"{name}.json", (json.dumps(card, indent=2) + "\n").encode())
    return folder / f"{name}.json"


def _read_run(workdir: Path) -> dict[str, Any]:
    try:
        run: dict[str, Any] = json.loads((workdir / "run.json").read_text())
        return {"settings": dict(run["settings"]), "versions": dict(run["versions"])}
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise TrainingError(f"{workdir} holds no run that can be read: {reason(error)}") from None


def _blank_patches(recipe: Recipe, settings: Any) -> Patches:
    """Return patches of one black image: a model is built from their shape."""
    channels = {"luma": 1, "grey": 1, "rgb": 3}.get(recipe.channels)
    count = channels or int(recipe.channels.partition(":")[2])
    image = np.zeros((settings.patch, settings.patch, count), np.uint8)
    return Patches.of(
        [image], settings.patch, settings.batch, settings.seed, qualities=recipe.qualities
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m recipes.snapshot",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("recipe", choices=RECIPES)
    parser.add_argument("workdir", type=Path, help="work folder of the run")
    parser.add_argument("--name", required=True, help="name of the files")
    parser.add_argument("--out", type=Path, default=UNFINISHED, metavar="DIR")
    return run(parser, _snapshot, arguments)


def _snapshot(options: argparse.Namespace) -> None:
    print(f"wrote {keep(options.recipe, options.workdir, options.name, options.out)}")


if __name__ == "__main__":
    sys.exit(main())
