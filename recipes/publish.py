r"""Make a published weight of a finished run: measure it, write its card, put both into the zoo.

    python -m recipes.publish runs/srcnn-955-x3 --name srcnn-955-x3 --data DIR --test set5 \
        --test set5:round_luma:32.75:"9-5-5 trained on ImageNet" --test set14

A test is FOLDER[:round_luma or :sigma=S][:PUBLISHED[:NOTE]]; folders are below DIR. The sample
photographs are always measured: a test of the package repeats that number.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import zoo
from zoo.evaluation import protocol
from zoo.files import sha256, write_atomically
from zoo.images import ImageError, find_images
from zoo.verify import measure, test_folder
from zoo.weights import CARDS, FILES, SUFFIX, locate


def read_test(text: str, scale: int | None) -> dict[str, Any]:
    """Return a test of a card from its short form on the command line."""
    folder, *parts = text.split(":")
    test: dict[str, Any] = {"data": folder.lower()}
    if parts and parts[0].startswith("sigma="):
        test["sigma"] = float(parts.pop(0).removeprefix("sigma="))
    else:
        test["scale"] = scale
    if parts and parts[0] == "round_luma":
        test[parts.pop(0)] = True
    if parts:
        test["published"] = float(parts.pop(0))
    if parts:
        test["published_note"] = parts.pop(0)
    return test


def publish(workdir: str, name: str, data: str, tests: Sequence[str], note: str) -> Path:
    """Measure the network of a work folder and write weights and card into the zoo.

    Raises:
        WeightsError: if the folder holds no finished run.
        ImageError: if the images of a test are not there.
    """
    file, card = locate(workdir)
    network = zoo.load(workdir)
    scale = card["arguments"].get("scale")
    measured = []
    for test in [read_test(text, scale) for text in [*tests, _sample_test(card)]]:
        folder = test_folder(test["data"], data)
        if folder is None:
            raise ImageError(f"there is no folder {test['data']} below {data}")
        scores = measure(network, folder, test)
        digits = {metric: round(value, 5) for metric, value in scores.items()}
        options = {k: test[k] for k in ("scale", "sigma", "round_luma") if k in test}
        measured.append(
            {**test, "images": len(find_images(folder)), **digits, "protocol": protocol(**options)}
        )
        print(f"{test['data']:12} {scores['psnr']:.3f} dB")
    FILES.mkdir(exist_ok=True)
    CARDS.mkdir(exist_ok=True)
    target = FILES / f"{name}{SUFFIX}"
    write_atomically(target, file.read_bytes())
    card |= {"file": target.name, "sha256": sha256(target), "licence": "Apache-2.0"}
    card |= {"commit": _commit(), "note": note, "tests": measured}
    path = CARDS / f"{name}.json"
    write_atomically(path, (json.dumps(card, indent=2) + "\n").encode())
    return path


def _sample_test(card: dict[str, Any]) -> str:
    sigma = card.get("training", {}).get("settings", {}).get("sigma", 25)
    return "samples" if "scale" in card["arguments"] else f"samples:sigma={sigma}"


def _commit() -> str:
    done = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m recipes.publish",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("workdir", help="work folder of a finished recipe")
    parser.add_argument("--name", required=True, help="name of the weight")
    parser.add_argument("--data", required=True, metavar="DIR", help="folder of the test sets")
    parser.add_argument("--test", action="append", default=[], metavar="TEST", help="see above")
    parser.add_argument("--note", default="", help="what a user should know, on the card")
    options = parser.parse_args(arguments)
    try:
        path = publish(options.workdir, options.name, options.data, options.test, options.note)
    except (zoo.WeightsError, ImageError, ValueError, OSError) as error:
        print(f"publish: {error}", file=sys.stderr)
        return 1
    print(f"wrote {path}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
