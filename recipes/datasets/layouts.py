"""Published test sets as they lie on disks: which files of a folder are the clean images.

The same set is handed around as a plain folder, with `HR` and `LR_bicubic` (EDSR), `image_SRF_2`
to `image_SRF_4` with `*_HR.png` and `*_LR.png` side by side (SelfExSR), `original` beside `GTmod12`
and `LRbicx4` (BasicSR), or as `testsets/Set12` (KAIR, DnCNN). What is found must have the number of
images of the set, and its sizes where two versions of a set would be confused.
"""

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from zoo.machine.walk import folders, walk
from zoo.pictures.formats import SUFFIXES
from zoo.pictures.images import ImageError, read_header, read_image

# Folders with clean images, the one to prefer first: whole ones before those cut to multiples.
CLEAN = ("original", "", "hr", "gt", "image_srf_2", "image_srf_4", "image_srf_3", "gtmod12")
DEGRADED = ("lr", "lq", "noisy", "noise", "bicubic", "x2", "x3", "x4", "x8")  # how names begin


@dataclass(frozen=True)
class Benchmark:
    """What identifies a published set.

    Attributes:
        title: Its name in the literature.
        names: Names of its folder, in lower case.
        number: Images that it has.
        grey: Whether its images are grey.
        sizes: Pairs (long side, short side) that are allowed; empty: any.
        longest: Long side that at least one image exceeds.
        wrong: Folders of `CLEAN` that hold another version.
        trap: What another version is, for the error.
    """

    title: str
    names: tuple[str, ...]
    number: int
    grey: bool = False
    sizes: tuple[tuple[int, int], ...] = ()
    longest: int = 0
    wrong: tuple[str, ...] = ()
    trap: str = ""


BENCHMARKS = {
    "set5": Benchmark("Set5", ("set5",), 5),
    "set14": Benchmark("Set14", ("set14",), 14),
    "set12": Benchmark("Set12", ("set12",), 12, grey=True, sizes=((256, 256), (512, 512))),
    "bsd68": Benchmark(
        "BSD68", ("bsd68",), 68, grey=True, sizes=((481, 321),), trap="CBSD68 is the one in colour"
    ),
    "kodak24": Benchmark(
        "Kodak24",
        ("kodak24", "kodak"),
        24,
        sizes=((768, 512),),
        trap="denoising papers also use crops of 500x500",
    ),
    "urban100": Benchmark(
        "Urban100",
        ("urban100",),
        100,
        longest=512,
        wrong=("image_srf_2",),
        trap="image_SRF_2 of SelfExSR is half as large; its image_SRF_4 is the set",
    ),
    "mcmaster": Benchmark("McMaster", ("mcmaster", "mcm"), 18),
}


def benchmark_files(folder: str | os.PathLike[str], name: str) -> list[Path]:
    """Return the clean images of a published set, sorted by name.

    Args:
        folder: The set's own folder, or one that has it somewhere below.
        name: A key of `BENCHMARKS`.

    Raises:
        ImageError: if the set is not there, is incomplete, or is another version of it.

    Example:
        >>> paths = benchmark_files("testsets", "bsd68")
    """
    benchmark = BENCHMARKS[name]
    counted: dict[Path, int] = {}
    for root in _roots(Path(folder), benchmark):
        for group in _groups(root, benchmark):
            paths = _clean_images(group)
            if len(paths) == benchmark.number:
                _check_sizes(paths, benchmark)
                return paths
            if paths:
                counted[group] = len(paths)
    there = ", ".join(f"{path} has {number}" for path, number in list(counted.items())[:3])
    trap = f" ({benchmark.trap})" if benchmark.trap else ""
    raise ImageError(
        f"{benchmark.title} has {benchmark.number} images, and no folder of them is in {folder}"
        + trap
        + (f": {there}" if there else "")
    )


def read_benchmark(path: Path, name: str) -> np.ndarray:
    """Read an image of a set, `(height, width, 1 or 3)`, uint8; one channel where the set is grey.

    Raises:
        ImageError: for colours in a grey set, and for a file that cannot be read.
    """
    image, benchmark = read_image(path), BENCHMARKS[name]
    if not benchmark.grey or image.shape[-1] == 1:
        return image
    if (image != image[..., :1]).any():
        trap = f": {benchmark.trap}" if benchmark.trap else ""
        raise ImageError(f"{benchmark.title} is grey, but {path} has colours{trap}")
    return image[..., :1]


def _roots(folder: Path, benchmark: Benchmark) -> list[Path]:
    """Return the folders named as the set, the shortest path first; or the folder itself."""
    if not folder.is_dir():
        raise ImageError(f"there is no folder {folder}")
    below = [path for path in folders(folder) if path != folder and _named(path, benchmark)]
    if _named(folder, benchmark) or not below:
        return [folder]
    return sorted(below, key=lambda path: (len(path.parts), path))


def _named(path: Path, benchmark: Benchmark) -> bool:
    return path.name.lower().removesuffix("_sr") in benchmark.names


def _groups(root: Path, benchmark: Benchmark) -> list[Path]:
    """Return the folders below one that may hold the clean images, the one to prefer first."""
    groups = []
    for path in folders(root):
        parts = [part.lower() for part in path.relative_to(root).parts]
        plain = [part for part in parts if part not in benchmark.names]
        kind = plain[-1] if plain else ""
        if kind in CLEAN and kind not in benchmark.wrong:
            if not any(part.startswith(DEGRADED) for part in parts):
                groups.append((CLEAN.index(kind), len(parts), path))
    return [path for _, _, path in sorted(groups)]


def _clean_images(folder: Path) -> list[Path]:
    """Return the images right in a folder; of pairs `*_HR` and `*_LR` the former."""
    paths = walk(folder, SUFFIXES, follow=True, deep=False).files
    clean = [path for path in paths if path.stem.lower().endswith("_hr")]
    return clean or paths


def _check_sizes(paths: list[Path], benchmark: Benchmark) -> None:
    sides = []
    for path in paths:
        height, width, _ = read_header(path)
        sides.append((max(height, width), min(height, width)))
        if benchmark.sizes and sides[-1] not in benchmark.sizes:
            raise ImageError(
                f"{path} has {width}x{height} pixels, not those of {_expected(benchmark)}"
            )
    if max(sides)[0] <= benchmark.longest:
        raise ImageError(
            f"no image of {paths[0].parent} is longer than {benchmark.longest} pixels, as in "
            f"{_expected(benchmark)}"
        )


def _expected(benchmark: Benchmark) -> str:
    sizes = " or ".join(f"{long}x{short}" for long, short in benchmark.sizes)
    notes = "; ".join(note for note in (sizes, benchmark.trap) if note)
    return f"{benchmark.title} ({notes})"
