r"""Cut a run into files of at most 16 MiB, to carry it between machines, and join them again.

    python -m recipes.carry split runs/edsr-x2 --out parcel
    python -m recipes.carry join parcel --out runs/edsr-x2

A parcel holds the newest checkpoint, `run.json`, `training.csv` and, of a finished run, the network
with its card. `parcel.json` lists every file with its SHA-256, which `join` checks before it writes
anything. `recipes.srcnn --resume` and the other recipes go on from a joined folder.
"""

import argparse
import hashlib
import json
import sys
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from recipes.checkpoints import SUFFIX, facts_of, newest_first
from zoo.app.command import run
from zoo.files import write_atomically

PIECE = 16 * 2**20  # bytes
LIST = "parcel.json"
NAMES = ("run.json", "training.csv", f"network{SUFFIX}", "network.json")


class ParcelError(ValueError):
    """A parcel or a run that cannot be used, with the reason in one sentence."""


def split(workdir: Path, out: Path, size: int = PIECE) -> list[Path]:
    """Write a run as a parcel; return its files.

    Args:
        workdir: Work folder of a recipe.
        out: Folder for the pieces; it must be new or empty.
        size: Largest piece in bytes.

    Raises:
        ParcelError: if there is no run, or `out` holds something.
    """
    if not (workdir / "run.json").is_file():
        raise ParcelError(f"{workdir} holds no run")
    out.mkdir(parents=True, exist_ok=True)
    if any(out.iterdir()):
        raise ParcelError(f"{out} is not empty")
    newest = newest_first(workdir)[:1]
    files = [workdir / name for name in NAMES] + newest + [facts_of(path) for path in newest]
    contents = {}
    for number, path in enumerate(path for path in files if path.exists()):
        name = path.relative_to(workdir).as_posix()
        contents[name] = _write_pieces(path.read_bytes(), out, number, size)
    write_atomically(out / LIST, json.dumps(contents, indent=2).encode())
    return sorted(out.iterdir())


def _write_pieces(content: bytes, out: Path, number: int, size: int) -> dict[str, Any]:
    pieces: list[str] = []
    for start in range(0, max(1, len(content)), size):
        pieces.append(f"{number:02d}-{len(pieces):03d}.part")
        write_atomically(out / pieces[-1], content[start : start + size])
    return {"sha256": hashlib.sha256(content).hexdigest(), "pieces": pieces}


def join(parcel: Path, out: Path) -> list[Path]:
    """Write the run of a parcel into a work folder; return its files.

    Raises:
        ParcelError: if a piece is missing or damaged, a name leads out of the folder, or `out`
            holds a run.
    """
    if (out / "run.json").exists():
        raise ParcelError(f"{out} already holds a run")
    contents = {name: _read_pieces(parcel, name, its) for name, its in _read_list(parcel).items()}
    written = []
    for name, content in contents.items():
        target = out / name
        target.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(target, content)
        written.append(target)
    return written


def _read_list(parcel: Path) -> dict[str, Any]:
    try:
        contents = json.loads((parcel / LIST).read_text())
        return {str(name): {**its} for name, its in contents.items()}
    except (OSError, ValueError, AttributeError, TypeError):
        raise ParcelError(f"{parcel} holds no {LIST} that can be read") from None


def _read_pieces(parcel: Path, name: str, its: dict[str, Any]) -> bytes:
    pieces = its.get("pieces", [])
    for path in (name, *pieces):
        if PurePosixPath(path).is_absolute() or ".." in PurePosixPath(path).parts:
            raise ParcelError(f"{parcel / LIST} names {path!r}, which leads out of the folder")
    try:
        content = b"".join((parcel / piece).read_bytes() for piece in pieces)
    except OSError as error:
        raise ParcelError(f"{error.filename} cannot be read: {error.strerror}") from None
    if hashlib.sha256(content).hexdigest() != its.get("sha256"):
        raise ParcelError(f"the pieces of {name} in {parcel} are damaged: another SHA-256")
    return content


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m recipes.carry",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("action", choices=("split", "join"))
    parser.add_argument("folder", type=Path, help="work folder to split, or parcel to join")
    parser.add_argument("--out", type=Path, required=True, help="folder to write into")
    return run(parser, _carry, arguments)


def _carry(options: argparse.Namespace) -> None:
    files = (split if options.action == "split" else join)(options.folder, options.out)
    print(f"wrote {len(files)} files, {sum(f.stat().st_size for f in files) / 2**20:.1f} MiB")


if __name__ == "__main__":
    sys.exit(main())
