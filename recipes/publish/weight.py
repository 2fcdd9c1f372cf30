r"""Make a published weight of a finished run: measure it, write its card, put both into the zoo.

    python -m recipes.publish runs/srcnn-955-x3 --name srcnn-955-x3 --data DIR --test set5 \
        --test set5:round_luma:32.75:"9-5-5 trained on ImageNet" --test set14

A test is FOLDER[:round_luma or :sigma=S][:PUBLISHED[:NOTE]]; folders are below DIR. PUBLISHED is a
number of the same protocol: one with Y rounded belongs to a test with round_luma. The sample
photographs are always measured: a test of the package repeats that number. With --half the file
holds float16, half the size; what is measured is the network with those values, and refused where
a figure moves by 0.005 dB.
"""

import argparse
import json
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import h5py
import keras

import zoo
from zoo.app.command import run
from zoo.machine.files import sha256, write_atomically
from zoo.machine.parts import temporary_folder
from zoo.pictures.images import ImageError, find_images
from zoo.scoring.evaluation import protocol
from zoo.scoring.verify import measure, test_folder
from zoo.store.hdf5 import open_hdf5
from zoo.store.table import task
from zoo.store.weight import PUBLISHED, SUFFIX, WeightsError, load_into, locate

CHANGE_BY_HALVES = 0.005  # dB by which float16 must not move any figure


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


def publish(
    workdir: str, name: str, data: str, tests: Sequence[str], note: str, half: bool = False
) -> Path:
    """Measure the network of a work folder and write weights and card into the zoo.

    Raises:
        WeightsError: if the folder holds no finished run, or float16 costs too much.
        ImageError: if the images of a test are not there.
    """
    file, card = locate(workdir)
    content = halved(file) if half else file.read_bytes()
    whole = zoo.load(workdir)
    network = _loaded(workdir, content) if half else whole
    scale = card["arguments"].get("scale")
    measured = []
    for test in [read_test(text, scale) for text in [*tests, _sample_test(card)]]:
        folder = test_folder(test["data"], data)
        if folder is None:
            raise ImageError(f"there is no folder {test['data']} below {data}")
        words = f"{test['data']}, {task(test)}"
        scores = measure(network, folder, test)
        if half:
            _check_cost(words, scores["psnr"] - measure(whole, folder, test)["psnr"])
        digits = {metric: round(value, 5) for metric, value in scores.items()}
        options = {k: test[k] for k in ("scale", "sigma", "round_luma") if k in test}
        measured.append(
            {**test, "images": len(find_images(folder)), **digits, "protocol": protocol(**options)}
        )
        print(f"{words:32} {scores['psnr']:.3f} dB", flush=True)
    PUBLISHED.mkdir(exist_ok=True)
    target = PUBLISHED / f"{name}{SUFFIX}"
    write_atomically(target, content)
    card |= {"file": target.name, "sha256": sha256(target), "bytes": len(content)}
    card |= {"licence": "Apache-2.0", "dtype": "float16" if half else "float32"}
    card |= {"commit": _commit(), "note": note, "tests": measured}
    path = PUBLISHED / f"{name}.json"
    write_atomically(path, (json.dumps(card, indent=2) + "\n").encode())
    return path


def _check_cost(words: str, change: float) -> None:
    """Refuse float16 where it moves a figure."""
    if abs(change) >= CHANGE_BY_HALVES:
        raise WeightsError(
            f"float16 changes {words} by {change:+.3f} dB, not by less than {CHANGE_BY_HALVES}"
        )


def halved(file: Path) -> bytes:
    """Return the content of a weights file with its floats in float16."""
    with temporary_folder() as folder:
        path = folder / file.name
        with open_hdf5(file) as whole, h5py.File(path, "w") as halves:
            _copy(whole, halves)
        return path.read_bytes()


def _loaded(workdir: str, content: bytes) -> keras.Model:
    """Return the network of a work folder with the values of another weights file."""
    network = zoo.load(workdir)
    with temporary_folder() as folder:
        path = folder / f"network{SUFFIX}"
        path.write_bytes(content)
        load_into(network, str(path))
    return network


def _copy(source: h5py.Group, target: h5py.Group) -> None:
    """Copy the content of a file, floats as float16."""
    target.attrs.update(source.attrs)
    for name, item in source.items():
        if isinstance(item, h5py.Group):
            _copy(item, target.create_group(name))
        else:
            floats = item.dtype.kind == "f"
            target.create_dataset(name, data=item[()].astype("float16") if floats else item[()])
            target[name].attrs.update(item.attrs)


def _sample_test(card: dict[str, Any]) -> str:
    sigma = card.get("training", {}).get("settings", {}).get("sigma", 25)
    return "samples" if "scale" in card["arguments"] else f"samples:sigma={min(sigma, 25):g}"


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
    parser.add_argument("--half", action="store_true", help="store the values as float16")
    parser.add_argument("--note", default="", help="what a user should know, on the card")
    return run(parser, _publish, arguments)


def _publish(options: argparse.Namespace) -> None:
    path = publish(
        options.workdir, options.name, options.data, options.test, options.note, options.half
    )
    print(f"wrote {path}")
