"""The command `asykeras`: restore and show pictures; list, verify, export and import weights."""

import argparse
import json
import logging
import sys
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

from asykeras import Anscombe, __version__
from zoo.app.command import UsageError, run
from zoo.app.folder import find_jobs, restore_files
from zoo.app.page import serve
from zoo.app.preview import preview_file, write_preview
from zoo.app.progress import Progress
from zoo.exports.export import TARGETS, describe, export
from zoo.machine.dtype import PRECISIONS
from zoo.networks.importers import MODELS, import_weights
from zoo.pictures.errors import ImageError
from zoo.pictures.photos import MEGAPIXELS
from zoo.pictures.picture import Picture
from zoo.restoring.bands import Settings
from zoo.restoring.levels import AUTO, CLEAN, Level, check_level
from zoo.restoring.network import Network, open_network
from zoo.restoring.remarks import remark_on_level
from zoo.restoring.stabilized import level_of, sensor_of, stabilized
from zoo.runtimes.engines import ENGINES
from zoo.store.card import WeightsError
from zoo.store.choice import best_weight, check_job, nearest_level, suitable_weights, weights_for
from zoo.store.weight import SUFFIX, list_weights, published_card, save

Add = Callable[..., argparse.ArgumentParser]  # of a command, as argparse's `add_parser`
# What gives the network for a picture, by colour, level of the noise and quality of a JPEG file.
NetworkFor = Callable[[str, float | None, int | None], Network]


def main(
    arguments: Sequence[str] | None = None, more: Callable[[Add], None] = lambda add: None
) -> int:
    """Run the command line, with commands from above this package: see `zoo.app.command.run`."""
    return run(_parser(more), lambda options: int(options.run(options)), arguments)


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
    progress = Progress(quiet=options.quiet, debug=options.debug)
    try:
        settings = Settings(_sigma(options), options.tile, options.self_ensemble, options.strength)
        if options.preview:
            return _preview(options, settings, progress)
        if options.out is None:
            raise UsageError("say where the results go: -o OUT, a folder, or a file for one")
        found = find_jobs(options.inputs, options.out)
        network_for = _networks(options, progress)

        def by_level(colour: str, level: float) -> Network | None:
            if level < CLEAN and not options.weights:
                return None  # and none is asked for
            return network_for(colour, level, None)

        well = restore_files(
            found,
            lambda picture: network_for(picture.colour, _sigma(options), picture.quality),
            settings,
            by_level=by_level if options.sigma == AUTO else None,
            overwrite=options.overwrite,
            megapixels=options.megapixels,
            true_colour=options.true_colour,
            progress=progress,
        )
    except (WeightsError, ImageError):
        raise
    except ValueError as error:
        raise UsageError(str(error)) from None
    return 0 if well else 1


def _preview(options: argparse.Namespace, settings: Settings, progress: Progress) -> int:
    """Write the middle of a picture by the weight that is named, or by all that suit it."""
    if options.sigma == AUTO:
        raise UsageError("a preview shows several levels by itself: leave --sigma auto out")
    if options.noise_model is not None:
        raise UsageError("a preview knows no --noise-model")

    def names(picture: Picture) -> list[str]:
        if options.weights:
            return [options.weights]
        kind, quality = picture.colour, picture.quality
        if options.scale is None and options.sigma is None:
            return weights_for(kind, quality)
        return suitable_weights(kind, scale=options.scale, sigma=_sigma(options), quality=quality)

    write_preview(
        Path(options.inputs[0]),
        preview_file(options.inputs, options.out, options.overwrite),
        names,
        lambda name: _opened(name, options, progress),
        settings,
        megapixels=options.megapixels,
        progress=progress,
    )
    return 0


def _opened(name: str, options: argparse.Namespace, progress: Progress) -> Network:
    """Return a network as the options want it, and tell what should be known about it."""
    # It warns of one trace for each network and size, which is what is meant here.
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    network = open_network(
        name, scale=options.scale, dtype=options.dtype, device=options.device, engine=options.engine
    )
    if network.origin:
        progress.remark(network.origin)
    if network.reach is None:
        progress.remark(f"{name} is run on whole pictures: {network.whole}")
    return network


def _networks(options: argparse.Namespace, progress: Progress) -> NetworkFor:
    """Return what gives the network for a picture: the one named, or the best."""
    auto, sensor = options.sigma == AUTO, _sensor(options)

    @cache
    def opened(name: str) -> Network:
        network = _opened(name, options, progress)
        if sensor:
            return stabilized(network, gain=sensor[0], read_noise=sensor[1])
        check_level(network, options.sigma)
        if not auto and (remark := remark_on_level(network, _sigma(options))):
            progress.remark(remark)
        return network

    if options.weights:
        named = opened(options.weights)
        return lambda colour, sigma, quality: named
    if options.scale is None and options.sigma is None and not sensor:
        raise UsageError(
            "say what to do: --scale 2, 3 or 4 enlarges, --sigma S removes noise of S grey levels, "
            "--sigma auto what there is; or name a network by --weights"
        )
    if auto and options.scale is not None:
        raise UsageError("give one of --scale and --sigma, or by --weights a chain for both")
    level = level_of(Anscombe(sensor[0], read_noise=sensor[1])) if sensor else None
    if not auto:
        check_job(options.scale, level or _sigma(options))

    @cache
    def say(colour: str, name: str) -> None:
        below = published_card(name).use.jpeg_below
        what = f"JPEG files below quality {below}" if below else "pictures"
        progress.remark(f"{colour} {what} are restored by {name}")

    def best(colour: str, sigma: float | None, quality: int | None) -> Network:
        wanted = nearest_level(colour, level) if level else sigma
        name = best_weight(colour, scale=options.scale, sigma=wanted, quality=quality)
        if not auto:
            say(colour, name)
        return opened(name)

    return best


def _sensor(options: argparse.Namespace) -> tuple[float, float] | None:
    """Return gain and read noise of the sensor in image units, None where none is told."""
    if options.noise_model is None:
        return None
    if options.scale is not None or options.sigma is not None:
        other = "--sigma" if options.scale is None else "--scale"
        raise UsageError(f"give either {other} or --noise-model")
    return sensor_of(options.noise_model)


def _sigma(options: argparse.Namespace) -> float | None:
    """Return the level of the noise in image units, None where it is not given."""
    return None if options.sigma in (None, AUTO) else options.sigma / 255


def _level(text: str) -> Level:
    """Return what `--sigma` says, in grey levels."""
    try:
        return AUTO if text == AUTO else float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"must be a number or auto. Received: {text}") from None


def _export(options: argparse.Namespace) -> int:
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


def _add_demo(add: Add) -> None:
    command = add("demo", help="a page in the browser that restores pictures")
    command.add_argument(
        "--weights", nargs="+", metavar="NAME", help="names, files or work folders to choose from"
    )
    command.add_argument("--port", type=int, default=7860, help="of this machine; default: 7860")
    command.add_argument("--no-browser", action="store_true", help="do not open the browser")
    command.set_defaults(run=_demo)


def _add_export(add: Add) -> None:
    command = add("export", help="write a network for another runtime")
    command.add_argument("name", metavar="NAME", help="published name, file, folder, hf://...")
    command.add_argument("out", metavar="OUT", help="folder, or file.onnx, file.tflite, file.xml")
    command.add_argument(
        "--format",
        choices=TARGETS,
        default="savedmodel",
        help="default: savedmodel, a folder; hub: a folder for the Hugging Face hub",
    )
    command.add_argument("--int8", action="store_true", help="litert in 8-bit integers")
    command.add_argument("--overwrite", action="store_true", help="replace an earlier export")
    command.set_defaults(run=_export)


def _add_restore(add: Add) -> None:
    command = add("restore", help="restore files and folders of pictures")
    option = command.add_argument
    option("inputs", nargs="+", metavar="INPUT", help="picture, or folder of pictures")
    option("-o", "--out", metavar="OUT", help="folder, or file for one; not needed for a preview")
    option("--scale", type=int, help="factor to enlarge by, with the best weight")
    text = (
        "remove noise of S grey levels of 255, where white is 1.0 (65535 in 16 bit); auto: as many "
        "as are found in each picture, clean ones are copied"
    )
    option("--sigma", type=_level, metavar="S", help=text)
    text = "remove noise of a sensor: poisson:GAIN,READ of variance GAIN y + READ^2 at grey level y"
    option("--noise-model", metavar="MODEL", help=text)
    text = "share of the restored picture in the result, 0 to 1; the rest is the input (default: 1)"
    option("--strength", type=float, default=1.0, metavar="S", help=text)
    text = (
        "instead of the best: published name, file (.pth, .safetensors), work folder or "
        "hf://owner/name; several with commas between, one after the other"
    )
    option("--weights", metavar="NAME", help=text)
    text = (
        "write the middle of one picture by every suitable weight and strength to "
        "NAME-preview.png instead"
    )
    option("--preview", action="store_true", help=text)
    option("--tile", type=int, metavar="N", help="side of the tiles in pixels")
    option("--overwrite", action="store_true", help="also what is there already")
    option("--dtype", choices=PRECISIONS, default="float32", help="to compute in")
    option("--self-ensemble", action="store_true", help="mean of 8 turned images, 8 times slower")
    option("--device", metavar="NAME", help="cpu:0, gpu:0, ...")
    text = "what runs the network: Keras, or another runtime on the exported network"
    option("--engine", choices=ENGINES, default="keras", help=text)
    option("--megapixels", type=float, default=MEGAPIXELS, metavar="N", help="refuse larger files")
    option("--true-colour", action="store_true", help="write palettes as RGB, single bits as grey")
    option("--quiet", action="store_true", help="tell of problems alone")
    command.set_defaults(run=_restore)


def _parser(more: Callable[[Add], None]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="asykeras", description=__doc__)
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    _add_restore(commands.add_parser)
    _add_export(commands.add_parser)
    _add_demo(commands.add_parser)

    commands.add_parser("list", help="the published weights").set_defaults(run=_list)

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
    more(commands.add_parser)
    for command in commands.choices.values():  # there, too: people add it to the end of a line
        command.add_argument("--debug", action="store_true", default=argparse.SUPPRESS)
    return parser


if __name__ == "__main__":
    sys.exit(main())
