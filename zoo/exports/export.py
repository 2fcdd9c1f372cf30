"""`export`: write a network for another runtime, read it back, compare, and only then keep it."""

import importlib
import json
import os
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TypedDict

import keras

from asykeras import __version__
from zoo.exports.check import Check, check
from zoo.exports.hub import HUB, write_folder
from zoo.exports.samples import LEVELS, calibration, task_of, use_of
from zoo.machine.files import flush, sha256
from zoo.machine.parts import part_folder
from zoo.networks.families import build
from zoo.networks.foreign import find_weight
from zoo.restoring.network import Network
from zoo.runtimes.engines import keras_engine
from zoo.runtimes.errors import ExportError, in_one_sentence
from zoo.runtimes.formats import FORMATS, Format
from zoo.runtimes.precision import in_float32
from zoo.runtimes.signatures import input_specs

TARGETS = {**FORMATS, HUB.name: HUB}


class Checksum(TypedDict):
    """What a file of an export is."""

    bytes: int
    sha256: str


class Report(Check):
    """What was written, and how near it is to the network."""

    weight: str | None
    weights_sha256: str | None
    network: str
    parameters: int
    format: str
    precision: str
    task: str
    inputs: dict[str, tuple[int | None, ...]]
    files: dict[str, Checksum]
    versions: dict[str, str]


def export(
    model: keras.Model | str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    format: str = "savedmodel",
    int8: bool = False,
    scale: int | None = None,
    overwrite: bool = False,
) -> Report:
    """Write a network for a runtime without Keras, and compare it with the network first.

    | format | `out` | runs with | extra to install |
    |---|---|---|---|
    | `"savedmodel"` | a folder | TensorFlow, TensorFlow Serving | |
    | `"onnx"` | `*.onnx` | ONNX Runtime | `onnx` |
    | `"litert"` | `*.tflite` | LiteRT | `litert` |
    | `"openvino"` | `*.xml`, and `*.bin` beside it | OpenVINO | `openvino` |
    | `"hub"` | a folder for the Hugging Face hub | Keras alone, `keras.saving.load_model` | |

    Every file takes `image`, float32 `(batch, height, width, channels)` in [0, 1], and returns the
    network's output, unclipped float32; batch, height and width are free. FFDNet and GRUNet take
    `sigma`, float32 `(batch, 1)`, too. This is the network alone: SRCNN gets the luma of an image
    that is enlarged already, as in Keras. A SavedModel has more signatures:

    - `serve`, the default: as above.
    - `serve_uint8`: the same on uint8, clipped and rounded half up.
    - `restore` (super-resolution): uint8 RGB, low resolution -> uint8 RGB, `scale` times larger:
      `zoo.restore` as a whole. `restore_grey` does the same with one channel.

    GRUNet for many bands, or for any number, has a loop: it can be a SavedModel, or a folder for
    the hub. That is written by Keras on any backend. It holds layers and operations of Keras alone
    (GRUNet's own are known after `import zoo`), the weights, our card and a page with all of its
    numbers; it needs weights that have a card.

    The file is written under a temporary name, read by its runtime on the CPU, and compared with
    the network on sample photographs at two sizes, and by its PSNR on all four of them. A float
    file that differs by more than 1e-5 (of the largest value, where that is above 1) is not kept.
    A SavedModel gives exactly what `predict` gives on the same machine; a direct call of the
    network may differ from both in the last digit.

    Args:
        model: A published weight, a `.weights.h5` file, a recipe's work folder, a file of others as
            `zoo.load` takes it, or a model of a builder of the zoo. Weights trained in mixed
            precision are exported in float32.
        out: The file or folder to write. A report goes beside it, `out` + `.json`.
        format: One of the table.
        int8: LiteRT only: weights and activations in 8-bit integers, calibrated on the training
            photographs of `zoo/samples`, with noise of all levels for a network that takes the
            level. Image and output stay float32 and are converted at the ends. None of the rest
            falls back to floating point: such a network is refused, and so is one that loses more
            than 1 dB on the sample photographs (`dncnn-gray-25` does).
        scale: Upsampling factor, for a model of SRCNN, which does not show it. Names know theirs.
        overwrite: Whether what an earlier export left at `out` is replaced.

    Returns:
        The report that is in the JSON file: format, task, signatures, SHA-256 of each file,
        `parity` (largest difference and where), `psnr` (dB, before and after), versions.

    Raises:
        ExportError: for an unknown format, a missing package, a target that exists or has no
            folder, a network that the format cannot hold, a difference that is too large. Nothing
            is written then.
        WeightsError: if the weights cannot be found or trusted.

    Example:
        >>> report = zoo.export("srcnn-955-x3", "x3.onnx", format="onnx")
        >>> report["parity"]["largest_difference"]  # below 1e-5
    """
    chosen, target = _format(format, int8), Path(out)
    names = _names(chosen, target, overwrite)
    if lacking := chosen.missing():
        raise ExportError(f"the format {format} needs {lacking}")
    if not isinstance(model, keras.Model | str | os.PathLike):
        raise ExportError(
            f"model must be a name, a path or a keras.Model. Received: model={model!r}"
        )
    weight = None if isinstance(model, keras.Model) else find_weight(model)
    if chosen is HUB:
        chosen = replace(HUB, write=partial(write_folder, weight))
    network = _network(build(weight) if weight else model, chosen)
    card = weight.card if weight else None
    use = use_of(network, card, scale)
    task = task_of(use, card)
    # As `predict` runs it: a direct call differs in the last digit, where TensorFlow adds two
    # constants first.
    channels = network.inputs[0].shape[-1]
    expected = Network(network.name, use, channels, keras_engine(network, "cpu:0"), reach=None)
    levels = card.use.levels if card and card.use.levels else LEVELS
    with part_folder(target.parent) as folder:
        part = folder / target.name
        with in_one_sentence(f"{network.name} cannot be written as {format}"):
            chosen.write(
                network, part, use.scale, calibration(expected, task, levels) if int8 else None
            )
        report: Report = {
            "weight": weight.title if weight else None,
            "weights_sha256": card.sha256 if card else None,
            "network": network.name,
            "parameters": network.count_params(),
            "format": format,
            "precision": "int8" if int8 else "float32",
            "task": str(task),
            "inputs": {spec.name: spec.shape for spec in input_specs(network, "float32")},
            **check(expected, chosen, part, task, int8),
            "files": _checksums(folder),
            "versions": _versions(chosen),
        }
        text = json.dumps(report, indent=2, allow_nan=False) + "\n"
        (folder / names[-1]).write_text(text)
        _move(folder, names, target.parent)
    return report


def describe(report: Report, out: str | os.PathLike[str]) -> str:
    """Return a report of `export`, and what it wrote, in two lines."""
    parity, psnr = report["parity"], report["psnr"]
    size = sum(file["bytes"] for file in report["files"].values()) / 1024
    bound = "" if parity["bound"] is None else f" (at most {parity['bound']:.0e})"
    change = round(psnr["change"], 3) + 0.0  # no -0.000
    return (
        f"wrote {out}: {report['format']}, {report['precision']}, {size:,.0f} KiB; its report is "
        f"{out}.json\nlargest difference {parity['largest_difference']:.1e}{bound}; PSNR of the "
        f"samples, {report['task']}: {psnr['network']:.3f} -> {psnr['exported']:.3f} dB "
        f"({change:+.3f})"
    )


def _format(name: str, int8: bool) -> Format:
    if name not in TARGETS:
        raise ExportError(f"format must be one of {', '.join(TARGETS)}. Received: format={name!r}")
    if TARGETS[name].needs_tensorflow and keras.backend.backend() != "tensorflow":
        raise ExportError(
            f"export needs Keras on TensorFlow. Received: KERAS_BACKEND={keras.backend.backend()}"
        )
    if int8 and not TARGETS[name].quantizes:
        raise ExportError(f"int8 needs the format litert. Received: format={name!r}")
    return TARGETS[name]


def _names(chosen: Format, target: Path, overwrite: bool) -> list[str]:
    """Return the names to write beside each other, the report last; refuse a bad target."""
    ending = target.suffix.lower()
    if ending != chosen.ending and (
        chosen.ending or ending in {f.ending for f in TARGETS.values()}
    ):
        wanted = f"must end with {chosen.ending}" if chosen.ending else "is a folder"
        raise ExportError(
            f"the target of the format {chosen.name} {wanted}. Received: out={target}"
        )
    if not target.parent.is_dir():
        raise ExportError(f"there is no folder {target.parent}")
    files = [target.with_suffix(each).name for each in chosen.companions]
    names = [*files, target.name, f"{target.name}.json"]
    there = [target.with_name(name) for name in names if target.with_name(name).exists()]
    if there and not overwrite:
        raise ExportError(f"{there[0]} exists already; --overwrite replaces it")
    for path in there:
        folder = chosen.ending == "" and path == target
        if not (path / chosen.mark if folder else path).is_file():
            raise ExportError(f"{path} is not what an export left there, and is not overwritten")
    return names


def _network(network: keras.Model, chosen: Format) -> keras.Model:
    """Return a network that a format can hold, in float32."""
    ranks = [len(each.shape) for each in getattr(network, "inputs", None) or []]
    if ranks not in ([4], [4, 2]) or len(network.outputs) != 1:
        raise ExportError(
            "the network must turn an image, or an image and sigma, into one image; of MDSR export "
            f"one scale, zoo.networks.mdsr.at_scale(network, 3). Received: model={network.name}"
        )
    if network.inputs[0].shape[-1] is None and not chosen.mark:
        raise ExportError(
            f"the format {chosen.name} needs a fixed number of channels, as in "
            f"zoo.DPHSIR(channels=3). Received: model={network.name}"
        )
    return in_float32(network)


def _checksums(folder: Path) -> dict[str, Checksum]:
    """Return size and SHA-256 of each file below a folder, by its relative path."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return {
        path.relative_to(folder).as_posix(): {"bytes": path.stat().st_size, "sha256": sha256(path)}
        for path in paths
    }


def _versions(chosen: Format) -> dict[str, str]:
    # Asked of the modules: the package may be tensorflow-cpu or onnxruntime-gpu.
    names = ("tensorflow" if chosen.needs_tensorflow else keras.backend.backend(), *chosen.packages)
    modules = {name: importlib.import_module(name) for name in names}
    found = {name: getattr(module, "__version__", "") for name, module in modules.items()}
    return {"asykeras": __version__, "keras": keras.__version__, **found}


def _move(folder: Path, names: list[str], parent: Path) -> None:
    """Move files and folders in place of those there, which go into the temporary folder.

    A stop in between leaves none of the old with some of the new, and a failure the old.
    """
    for path in folder.rglob("*"):
        if path.is_file():
            flush(path)
    try:
        for name in reversed(names):
            if (parent / name).exists():
                os.replace(parent / name, folder / f"old-{name}")
        for name in names:
            os.replace(folder / name, parent / name)
    except BaseException:
        for name in names:
            if (folder / f"old-{name}").exists():
                if not (folder / name).exists():
                    os.replace(parent / name, folder / name)
                os.replace(folder / f"old-{name}", parent / name)
        raise
