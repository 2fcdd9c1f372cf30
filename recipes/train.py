"""The command `asykeras` as it is installed: what `zoo.app.cli` has, and `train`.

`asykeras train edsr --data ... --workdir ...` is `python -m recipes.edsr` with the same options.
"""

import importlib
import sys
from collections.abc import Sequence

from zoo.app import cli

RECIPES = ("dncnn", "dphsir", "edsr", "ffdnet", "span", "srcnn")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code, see `zoo.app.command.run`.

    Args:
        arguments: Words of the command line; those of the process by default.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    if words[:1] == ["train"] and words[1:2] and words[1] in RECIPES:
        # imported here: each recipe brings what training needs
        recipe = importlib.import_module(f"recipes.{words[1]}")
        return int(recipe.main(words[2:], program=f"asykeras train {words[1]}"))
    return cli.main(words, more=_add_train)


def _add_train(add: cli.Add) -> None:
    text = "train a network; asykeras train edsr --help shows the options"
    command = add("train", help=text, description=text)
    command.add_argument("recipe", metavar="RECIPE", choices=RECIPES, help=", ".join(RECIPES))


if __name__ == "__main__":
    raise SystemExit(main())
