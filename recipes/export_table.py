"""The table of exported weights: how far each format is from the network, and what int8 costs.

    python -m recipes.export_table
    python -m recipes.export_table --weights srcnn-955-x3 --data DIR --sets set5 set14

Each weight is exported in each format into a temporary folder and compared as `zoo.export` does;
the int8 file is also scored on the test sets of its card, where DIR holds them. Needs the extras
`onnx`, `litert` and `openvino`. About half a minute per weight on 2 CPU cores.
"""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import zoo
from zoo.exports import ExportError, export
from zoo.exports.check import Served
from zoo.exports.formats import FORMATS
from zoo.verify import measure, test_folder
from zoo.weights import WeightsError


def row(weight: str, folder: Path, data: str | None, sets: Sequence[str]) -> str:
    """Return the line of a weight, in Markdown, exported into a folder."""
    cells, changes = [f"`{weight}`"], []
    for name, format in FORMATS.items():
        report = export(weight, folder / f"{name}{format.ending}", name)
        difference = report["parity"]["largest_difference"]
        cells.append(f"{difference:.1e}" if difference else "0")
        changes.append(abs(report["psnr"]["change"]))
    out = folder / "int8.tflite"
    report = export(weight, out, "litert", int8=True)
    cells.append(f"{out.stat().st_size / 1024:.0f} KiB")
    scores = {"samples": (report["psnr"]["network"], report["psnr"]["exported"])}
    scores |= score_sets(weight, out, data, sets)
    cells.append(
        "; ".join(f"{a:.2f} -> {b:.2f} ({b - a:+.3f}) on {test}" for test, (a, b) in scores.items())
    )
    return "| " + " | ".join([*cells, f"{max(changes):.0e}"]) + " |"


def score_sets(
    weight: str, file: Path, data: str | None, sets: Sequence[str]
) -> dict[str, tuple[float, float]]:
    """Return the PSNR of the network and of an int8 file on the test sets that are at hand."""
    network = zoo.load(weight)
    served: Any = Served(network, FORMATS["litert"].read(file)["serve"])
    scores = {}
    for test in zoo.card(weight)["tests"]:
        folder = test_folder(test["data"], data) if test["data"] in sets else None
        if folder is not None and not test.get("round_luma"):
            both = [measure(each, folder, test)["psnr"] for each in (network, served)]
            scores[test["data"]] = (both[0], both[1])
    return scores


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m recipes.export_table", description=__doc__)
    parser.add_argument("--weights", nargs="+", default=zoo.list_weights(), metavar="NAME")
    parser.add_argument("--data", metavar="DIR", help="folder with set5, set14, ...")
    parser.add_argument("--sets", nargs="+", default=["set5"], metavar="SET")
    options = parser.parse_args(arguments)
    print(
        "| weight | " + " | ".join(FORMATS) + " | int8 | PSNR of int8, dB | change of the others |"
    )
    print("|---" * (len(FORMATS) + 4) + "|")
    try:
        for weight in options.weights:
            with tempfile.TemporaryDirectory() as folder:
                print(row(weight, Path(folder), options.data, options.sets), flush=True)
    except (ExportError, WeightsError) as error:
        print(f"export_table: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
