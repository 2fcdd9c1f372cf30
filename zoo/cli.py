"""The command `asykeras`: list, describe and verify weights, and import those of others."""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from asykeras import __version__
from zoo.cards import describe, published
from zoo.download import DownloadError
from zoo.images import ImageError
from zoo.weights import SUFFIX, WeightsError, card, list_weights, save


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code: 0, 1 for a failure, 2 for wrong usage."""
    options = _parser().parse_args(arguments)
    try:
        return int(options.run(options))
    except (WeightsError, ImageError, DownloadError) as error:
        print(f"asykeras: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"asykeras: {error.filename}: {error.strerror}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("asykeras: stopped", file=sys.stderr)
        return 130


def _list(options: argparse.Namespace) -> int:
    for name in list_weights():
        its_card = card(name)
        best = its_card["tests"][0]
        print(
            f"{name:24} {its_card['parameters']:>12,} parameters  "
            f"{describe(best)}: {best['psnr']:.2f} dB"
        )
    return 0


def _info(options: argparse.Namespace) -> int:
    print(json.dumps({"name": options.name, **card(options.name)}, indent=2))
    return 0


def _verify(options: argparse.Namespace) -> int:
    from zoo.verify import verify

    failed = 0
    for row in verify(options.name, options.data):
        failed += row["passed"] is False
        verdict = {True: "ok", False: "DIFFERS", None: "images not at hand"}[row["passed"]]
        measured = "" if row["measured"] is None else f"  measured {row['measured']:.3f}"
        compare = f"  published {published(row)}" if published(row) else ""
        print(f"{describe(row):44} card {row['psnr']:.3f}{measured}{compare}  {verdict}")
    return 1 if failed else 0


def _import(options: argparse.Namespace) -> int:
    from zoo.importers import import_weights

    if not options.out.endswith(SUFFIX):
        raise WeightsError(f"--out must end with {SUFFIX}. Received: {options.out}")
    if not Path(options.out).parent.is_dir():
        raise WeightsError(f"there is no folder {Path(options.out).parent}")
    network, its_card = import_weights(options.file, options.model, options.transposed)
    save(network, options.out, {**its_card, "imported_from": Path(options.file).name})
    print(f"wrote {options.out} and its card: {network.count_params():,} parameters")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="asykeras", description=__doc__)
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    command = commands.add_parser("list", help="the published weights")
    command.set_defaults(run=_list)

    command = commands.add_parser("info", help="the card of a weight")
    command.add_argument("name", metavar="NAME")
    command.set_defaults(run=_info)

    command = commands.add_parser("verify", help="recompute the numbers of a card")
    command.add_argument("name", metavar="NAME")
    command.add_argument("--data", metavar="DIR", help="folder with set5, set14, bsd68, ...")
    command.set_defaults(run=_verify)

    command = commands.add_parser("import-weights", help="weights of the authors' own files")
    command.add_argument("file", metavar="FILE", help=".mat, .pth or .pt; nothing is unpickled")
    command.add_argument("--model", required=True, choices=("srcnn", "dncnn", "edsr", "dphsir"))
    command.add_argument("--out", required=True, metavar=f"FILE{SUFFIX}")
    command.add_argument(
        "--transposed", action="store_true", help="SRCNN kernels that are stored row by row"
    )
    command.set_defaults(run=_import)
    return parser


if __name__ == "__main__":
    sys.exit(main())
