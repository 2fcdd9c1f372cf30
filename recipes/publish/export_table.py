"""The table of exported weights: how far each format is from the network, and what int8 costs.

    python -m recipes.publish.export_table
    python -m recipes.publish.export_table --weights srcnn-955-x3 --data DIR --sets set5 set14

Each weight is exported in each format into a temporary folder and compared as `zoo.export` does;
the int8 file, and the network of Keras in bfloat16 (`--dtype bfloat16`), are also scored on the
test sets of its card, where DIR holds them. Needs the extras `onnx`, `litert` and `openvino`. About
half a minute per weight on 2 CPU cores.
"""

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from zoo.app.command import Work, command
from zoo.exports.export import export
from zoo.machine.parts import temporary_folder
from zoo.restoring.network import Network, open_network
from zoo.runtimes.errors import ExportError
from zoo.runtimes.formats import FORMATS
from zoo.scoring.verify import measure, test_folder
from zoo.store.weight import find, list_weights


def row(weight: str, folder: Path, data: str | None, sets: Sequence[str]) -> str:
    """Return the line of a weight, in Markdown, exported into a folder."""
    cells, changes = [f"`{weight}`"], []
    for name, format in FORMATS.items():
        report = export(weight, folder / f"{name}{format.ending}", format=name)
        difference = report["parity"]["largest_difference"]
        cells.append(f"{difference:.1e}" if difference else "0")
        changes.append(abs(report["psnr"]["change"]))
    network, bfloat16 = open_network(weight), open_network(weight, dtype="bfloat16")
    cells += int8_cells(weight, network, folder / "int8.tflite", data, sets)
    cells.append(_listed(score_sets(weight, (network, bfloat16), data, ["samples", *sets])))
    return "| " + " | ".join([*cells, f"{max(changes):.0e}"]) + " |"


def int8_cells(
    weight: str, network: Network, out: Path, data: str | None, sets: Sequence[str]
) -> list[str]:
    """Return the size of the int8 file and its scores; of a network that has none, say so."""
    try:
        report = export(weight, out, format="litert", int8=True)
    except ExportError as error:  # GRUNet: LiteRT has no convolution over bands in int8
        return ["none", str(error)]
    run = FORMATS["litert"].read(out)["serve"]
    int8 = replace(network, engine=run, reach=None)
    on_samples = {"samples": (report["psnr"]["network"], report["psnr"]["exported"])}
    scores = on_samples | score_sets(weight, (network, int8), data, sets)
    return [f"{out.stat().st_size / 1024:.0f} KiB", _listed(scores)]


def _listed(scores: dict[str, tuple[float, float]]) -> str:
    return "; ".join(f"{test} {b:.2f} ({b - a:+.3f})" for test, (a, b) in scores.items())


def score_sets(
    weight: str, networks: tuple[Network, Network], data: str | None, sets: Sequence[str]
) -> dict[str, tuple[float, float]]:
    """Return the PSNR of two networks in dB, on the test sets of a card that are at hand."""
    scores = {}
    for test in find(weight).card.tests:
        folder = test_folder(test.data, data) if test.data in sets else None
        if folder is not None and not test.task.endswith("-rounded-luma"):
            first, second = (measure(each, folder, test.task)["psnr"] for each in networks)
            scores[test.data] = (first, second)
    return scores


@command
def main(parser: argparse.ArgumentParser) -> Work:
    """Add the options; return what is done with them."""
    parser.add_argument("--weights", nargs="+", default=list_weights(), metavar="NAME")
    parser.add_argument("--data", metavar="DIR", help="folder with set5, set14, ...")
    parser.add_argument("--sets", nargs="+", default=["set5"], metavar="SET")
    return tabulate


def tabulate(options: argparse.Namespace) -> None:
    """Print the table, a row as soon as it is known."""
    head = ["weight", *FORMATS, "int8", "PSNR of int8, dB", "of bfloat16", "change of the others"]
    print("| " + " | ".join(head) + " |")
    print("|---" * len(head) + "|")
    for weight in options.weights:
        with temporary_folder() as folder:
            print(row(weight, folder, options.data, options.sets), flush=True)


if __name__ == "__main__":
    raise SystemExit(main())
