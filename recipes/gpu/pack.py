r"""Pack what rows of the plan need on another machine into one folder, beside the repository.

    python -m recipes.gpu.pack dncnn-gray-blind edsr-baseline-x3 --data DATA --python 3.12

writes `.gpu/images`, the training images of these rows alone, and `.gpu/wheels`, for a machine
without network and with that version of Python. What travels is the repository with what git does
not ignore, and `.gpu`. Where that is more than `--limit`, large photographs are shrunk, then PNG is
coded with loss, and at last every file again.
"""

import argparse
import importlib.metadata
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from recipes.plan import ROWS
from zoo.app.command import Work, command
from zoo.pictures.images import find_images, read_header, read_image

MIB = 2**20
QUALITY = 95  # of WebP, where it is not lossless
RAW = (".png", ".bmp", ".tif", ".tiff")
PLATFORMS = ("manylinux_2_28_x86_64", "manylinux2014_x86_64", "manylinux_2_17_x86_64")


@dataclass(frozen=True)
class Form:
    """How images travel: as they are, or colours of 8 bit as WebP.

    Attributes:
        side: Longest side in pixels to which photographs are shrunk, lossy; 0: as they are.
        lossless: Whether PNG, BMP and TIFF keep every bit.
        again: Whether files that are coded with loss already are coded again.
    """

    side: int
    lossless: bool = True
    again: bool = False

    def __str__(self) -> str:
        kept = "lossless" if self.lossless else f"quality {QUALITY}"
        kept += ", all others too" if self.again else ""
        shrunk = f"larger than {self.side} shrunk to that, quality {QUALITY}"
        return f"as WebP: {shrunk}; PNG {kept}" if self.side else "as they are"


FORMS = (
    *(Form(0), Form(1600), Form(1280)),
    *(Form(side, False) for side in (1280, 1024, 768)),
    *(Form(side, False, again=True) for side in (1024, 768)),
)


class PackError(ValueError):
    """Something that cannot be packed, with the reason in one sentence."""


def pack(given: argparse.Namespace) -> None:
    """Fill the folder and print the sizes; what it holds besides images and wheels travels, too.

    Raises:
        PackError: if a row is unknown, wheels cannot be fetched, or all is above the limit.
        ImageError: if a folder of images is not there.
    """
    folders, out, limit = folders_of(given.names), given.out, int(given.limit * MIB)
    for path in given.more:
        if not path.exists():
            raise PackError(f"there is no {path}, which is to travel")
    out.mkdir(parents=True, exist_ok=True)
    for old in ("images", "wheels"):
        shutil.rmtree(out / old, ignore_errors=True)
    if given.python:
        _fetch_wheels(out / "wheels", given.python, given.packages)
    sizes = {"repository": _repository(out), str(out): size_of(out)}
    sizes |= {str(path): size_of(path) for path in given.more}
    with tempfile.TemporaryDirectory(dir=out) as temporary:
        images = Path(temporary) / "images"
        for form in FORMS:
            _copy(folders, given.data, images, form)
            sizes["images"] = size_of(images)
            if sum(sizes.values()) <= limit:
                images.rename(out / "images")
                break
        else:
            raise PackError(f"what travels is above {limit / MIB:g} MiB: {_in_words(sizes)}")
    print(f"{_in_words(sizes)} travel, of {limit / MIB:g}; images {form}")


def folders_of(names: Sequence[str]) -> list[str]:
    """Return the folders of images that some rows of the plan need."""
    for name in names:
        if name not in ROWS:
            raise PackError(f"there is no row {name!r} in the plan; there are {', '.join(ROWS)}")
    return list(dict.fromkeys(folder for name in names for folder in ROWS[name].images))


def size_of(path: Path) -> int:
    """Return the bytes of a file, or of all files below a folder."""
    files = [path] if path.is_file() else path.rglob("*")
    return sum(file.stat().st_size for file in files if file.is_file())


def _in_words(sizes: dict[str, int]) -> str:
    parts = ", ".join(f"{name} {size / MIB:.1f}" for name, size in sizes.items() if size)
    return f"{sum(sizes.values()) / MIB:.1f} MiB ({parts})"


def _repository(out: Path) -> int:
    """Return the bytes of all files that git does not ignore, `out` apart."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    done = subprocess.run(command, capture_output=True, check=False)
    if done.returncode:
        raise PackError("run this in the repository: git ls-files fails here")
    paths = {Path(name.decode()) for name in done.stdout.split(b"\0") if name}
    own = out.resolve()
    return sum(size_of(p) for p in paths if p.is_file() and own not in p.resolve().parents)


def _fetch_wheels(folder: Path, python: str, packages: Sequence[str]) -> None:
    platforms = [word for name in PLATFORMS for word in ("--platform", name)]
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"),
            *("--only-binary=:all:", "--implementation", "cp", "--python-version", python),
            *(*platforms, "--dest", str(folder), *packages),
        ],
        check=False,
    )
    if done.returncode:
        raise PackError(f"the wheels of {', '.join(packages)} for Python {python} are not there")


def _copy(folders: Sequence[str], data: Path, out: Path, form: Form) -> None:
    shutil.rmtree(out, ignore_errors=True)
    for folder in folders:
        for path in find_images(data / folder):
            target = out / path.relative_to(data)
            target.parent.mkdir(parents=True, exist_ok=True)
            if not _written(path, target.with_name(f"{target.name}.webp"), form):
                shutil.copyfile(path, target)


def _written(path: Path, target: Path, form: Form) -> bool:
    """Write an image as WebP; return False where the file itself is to travel.

    WebP holds colours of 8 bit: what is 16 bit or grey stays as it is.
    """
    height, width, dtype = read_header(path)
    large = max(height, width) > form.side
    coded = large or form.again or path.suffix.lower() in RAW
    if dtype != np.uint8 or not form.side or not coded:
        return False
    pixels = read_image(path)
    if pixels.shape[-1] != 3:
        return False
    image = Image.fromarray(pixels)
    image.thumbnail((form.side, form.side), Image.Resampling.LANCZOS)
    image.save(target, lossless=form.lossless and not large, quality=QUALITY, method=4)
    if form.again and size_of(target) > size_of(path):
        target.unlink()
        return False
    return True


@command
def main(parser: argparse.ArgumentParser) -> Work:
    """Add the options; return what is done with them."""
    parser.add_argument("names", nargs="+", metavar="NAME", help="rows of recipes/plan.py")
    parser.add_argument("--data", type=Path, required=True, help="folder of all data")
    parser.add_argument("--out", type=Path, default=Path(".gpu"), help="default: .gpu")
    parser.add_argument("--limit", type=float, default=64, help="MiB that may travel; default: 64")
    parser.add_argument("--python", default="", help="version to pack wheels for; default: none")
    keras = f"keras=={importlib.metadata.version('keras')}"
    text = "whose wheels; default: Keras and what a machine with JAX may lack"
    parser.add_argument("--packages", nargs="+", default=[keras, "optree", "namex"], help=text)
    text = "what else travels, such as a run that is to go on"
    parser.add_argument("--more", nargs="+", type=Path, default=[], help=text)
    return pack


if __name__ == "__main__":
    raise SystemExit(main())
