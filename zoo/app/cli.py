"""The command `asykeras`: restore and show pictures; list, verify, export and import weights."""

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

from asykeras import __version__
from zoo.app.command import UsageError, run
from zoo.app.folder import find_jobs, restore_files
from zoo.app.page import serve
from zoo.app.progress import Progress
from zoo.machine.dtype import PRECISIONS
from zoo.networks.importers import MODELS, import_weights
from zoo.pictures.photos import MEGAPIXELS
from zoo.restoring.bands import Settings
from zoo.restoring.network import Network, open_network
from zoo.restoring.remarks import sigma_remark
from zoo.runtimes.engines import ENGINES
from zoo.runtimes.formats import FORMATS
from zoo.store.card import WeightsError
from zoo.store.choice import best_weight, check_job
from zoo.store.weight import SUFFIX, list_weights, published_card, save


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code: see `zoo.app.command.run`."""
    return run(_parser(), lambda options: int(options.run(options)), arguments)


def _list(options: argparse.Namespace) -> int:
    for name in list_weights():
        card = published_card(name)
        best = card.tests[0]
        print(f"{name:24} {card.parameters:>12,} parameters  {best}: {best.psnr:.2f} dB")
    return 0


def _info(options: argparse.Namespace) -> int:
    content = published_card(options.name).to_json()
    print(json.dumps({"name": options.name, **content}, indent=2))
    return 0


def _verify(options: argparse.Namespace) -> int:
    from zoo.scoring.verify import verify

    rows = verify(options.name, options.data, options.engine)
    for row in rows:
        verdict = "DIFFERS" if row.differs else "ok" if row.psnr else "images not at hand"
        measured = "" if row.psnr is None else f"  measured {row.psnr:.3f}"
        beside = row.test.beside()
        compare = f"  published {beside}" if beside else ""
        print(f"{row.test!s:44} card {row.test.psnr:.3f}{measured}{compare}  {verdict}")
    return int(any(row.differs for row in rows))


def _import(options: argparse.Namespace) -> int:
    if not options.out.endswith(SUFFIX):
        raise WeightsError(f"--out must end with {SUFFIX}. Received: out={options.out}")
    if not Path(options.out).parent.is_dir():
        raise WeightsError(f"there is no folder {Path(options.out).parent}")
    network, card = import_weights(options.file, options.model, transposed=options.transposed)
    save(network, options.out, card.with_more(imported_from=Path(options.file).name))
    print(f"wrote {options.out} and its card: {network.count_params():,} parameters")
    return 0


def _restore(options: argparse.Namespace) -> int:
    found = find_jobs(options.inputs, options.out)
    progress = Progress(quiet=options.quiet, debug=options.debug)
    try:
        settings = Settings(_sigma(options), options.tile, options.self_ensemble)
        well = restore_files(
            found,
            _networks(options, progress),
            settings,
            overwrite=options.overwrite,
            megapixels=options.megapixels,
            true_colour=options.true_colour,
            progress=progress,
        )
    except WeightsError:
        raise
    except ValueError as error:
        raise UsageError(str(error)) from None
    return 0 if well else 1


def _networks(options: argparse.Namespace, progress: Progress) -> Callable[[str], Network]:
    """Return what gives the network for a kind of picture: the one named, or the best."""

    @cache
    def opened(name: str) -> Network:
        network = open_network(
            name,
            scale=options.scale,
            dtype=options.dtype,
            device=options.device,
            engine=options.engine,
        )
        if remark := sigma_remark(name, network.use, _sigma(options)):
            progress.remark(remark)
        if network.origin:
            progress.remark(network.origin)
        if network.reach is None:
            progress.remark(f"{name} is run on whole pictures: {network.whole}")
        return network

    if options.weights:
        named = opened(options.weights)
        return lambda colour: named
    if options.scale is None and options.sigma is None:
        raise UsageError(
            "say what to do: --scale 2, 3 or 4 enlarges, --sigma S removes noise of S grey levels; "
            "or name a network by --weights"
        )
    check_job(options.scale, _sigma(options))

    @cache
    def best(colour: str) -> Network:
        name = best_weight(colour, scale=options.scale, sigma=_sigma(options))
        progress.remark(f"{colour} pictures are restored by {name}")
        return opened(name)

    return best


def _sigma(options: argparse.Namespace) -> float | None:
    """Return the level of the noise in image units."""
    return None if options.sigma is None else options.sigma / 255


def _export(options: argparse.Namespace) -> int:
    from zoo.exports.export import describe, export

    report = export(
        options.name,
        options.out,
        format=options.format,
        int8=options.int8,
        overwrite=options.overwrite,
    )
    print(describe(report, options.out))
    return 0


def _demo(options: argparse.Namespace) -> int:
    best_first = dict.fromkeys([best_weight("rgb", scale=2), *list_weights()])
    serve(options.weights or list(best_first), options.port, not options.no_browser)
    return 0


def _add_demo(add: Callable[..., argparse.ArgumentParser]) -> None:
    command = add("demo", help="a page in the browser that restores pictures")
    command.add_argument(
        "--weights", nargs="+", metavar="NAME", help="names, files or work folders to choose from"
    )
    command.add_argument("--port", type=int, default=7860, help="of this machine; default: 7860")
    command.add_argument("--no-browser", action="store_true", help="do not open the browser")
    command.set_defaults(run=_demo)


def _add_export(add: Callable[..., argparse.ArgumentParser]) -> None:
    command = add("export", help="write a network for another runtime")
    command.add_argument("name", metavar="NAME", help="published name, file or work folder")
    command.add_argument("out", metavar="OUT", help="folder, or file.onnx, file.tflite, file.xml")
    command.add_argument(
        "--format", choices=FORMATS, default="savedmodel", help="default: savedmodel, a folder"
    )
    command.add_argument("--int8", action="store_true", help="litert in 8-bit integers")
    command.add_argument("--overwrite", action="store_true", help="replace an earlier export")
    command.set_defaults(run=_export)


def _add_restore(add: Callable[..., argparse.ArgumentParser]) -> None:
    command = add("restore", help="restore files and folders of pictures")
    command.add_argument(
        "inputs", nargs="+", metavar="INPUT", help="picture, or folder of pictures"
    )
    command.add_argument(
        "-o", "--out", required=True, metavar="OUT", help="folder, or file for one"
    )
    command.add_argument("--scale", type=int, help="factor to enlarge by, with the best weight")
    text = "remove noise of S grey levels of 255, where white is 1.0 (65535 in 16 bit)"
    command.add_argument("--sigma", type=float, metavar="S", help=text)
    text = "instead of the best: published name, file (.pth, .safetensors) or work folder"
    command.add_argument("--weights", metavar="NAME", help=text)
    command.add_argument("--tile", type=int, metavar="N", help="side of the tiles in pixels")
    command.add_argument("--overwrite", action="store_true", help="also what is there already")
    command.add_argument("--dtype", choices=PRECISIONS, default="float32", help="to compute in")
    command.add_argument(
        "--self-ensemble", action="store_true", help="mean of 8 turned images, 8 times slower"
    )
    command.add_argument("--device", metavar="NAME", help="cpu:0, gpu:0, ...")
    text = "what runs the network: Keras, or another runtime on the exported network"
    command.add_argument("--engine", choices=ENGINES, default="keras", help=text)
    command.add_argument(
        "--megapixels", type=float, default=MEGAPIXELS, metavar="N", help="refuse larger files"
    )
    command.add_argument(
        "--true-colour", action="store_true", help="write palettes as RGB, single bits as grey"
    )
    command.add_argument("--quiet", action="store_true", help="tell of problems alone")
    command.set_defaults(run=_restore)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="asykeras", description=__doc__)
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    _add_restore(commands.add_parser)
    _add_export(commands.add_parser)
    _add_demo(commands.add_parser)

    command = commands.add_parser("list", help="the published weights")
    command.set_defaults(run=_list)

    command = commands.add_parser("info", help="the card of a weight")
    command.add_argument("name", metavar="NAME")
    command.set_defaults(run=_info)

    command = commands.add_parser("verify", help="recompute the numbers of a card")
    command.add_argument("name", metavar="NAME")
    command.add_argument("--data", metavar="DIR", help="folder with set5, set14, bsd68, ...")
    command.add_argument("--engine", choices=ENGINES, default="keras", help="what runs the network")
    command.set_defaults(run=_verify)

    command = commands.add_parser("import-weights", help="weights of the authors' own files")
    text = ".mat, .pth, .pt or .safetensors; nothing is unpickled"
    command.add_argument("file", metavar="FILE", help=text)
    text = "needed for all but span and compact, which are recognised"
    command.add_argument("--model", choices=MODELS, help=text)
    command.add_argument("--out", required=True, metavar=f"FILE{SUFFIX}")
    command.add_argument(
        "--transposed", action="store_true", help="SRCNN kernels that are stored row by row"
    )
    command.set_defaults(run=_import)
    for command in commands.choices.values():  # there, too: people add it to the end of a line
        command.add_argument("--debug", action="store_true", default=argparse.SUPPRESS)
    return parser


if __name__ == "__main__":
    sys.exit(main())
