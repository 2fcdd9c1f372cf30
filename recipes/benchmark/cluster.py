"""How fast pictures are restored by one and two workers of Ray, and by the command."""

import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from statistics import median

import numpy as np
from PIL import Image

from zoo.exports.samples import photographs

# Whole commands; of each the time between its first and its last result counts, without the start
# of the program and of Ray.
WAYS = {
    "asykeras restore, all cores": ["recipes.train", "restore"],
    "1 worker of 1 core": ["recipes.restore_ray", "--workers", "1", "--cores", "1"],
    "2 workers of 1 core": ["recipes.restore_ray", "--workers", "2", "--cores", "1"],
}
WEIGHTS, PICTURES, SIDE = "span-x2", 40, 192


def benchmark_ray(rounds: int) -> None:
    """Print pictures a second of each way, in turns, and the ratios of each turn."""
    found: dict[str, list[float]] = {name: [] for name in WAYS}
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "in")
        _write(source)
        for number in range(rounds):
            for name, (module, *words) in WAYS.items():
                out = Path(folder, f"{number}-{len(found[name])}-{list(WAYS).index(name)}")
                target = ["-o", str(out)] if module == "recipes.train" else [str(out)]
                command = [sys.executable, "-m", module, *words, str(source), *target]
                subprocess.run(
                    [*command, "--weights", WEIGHTS], check=True, capture_output=True, text=True
                )
                found[name].append(_rate(out))
    for name, rates in found.items():
        print(f"{name:30} {median(rates):6.2f} pictures/s  ({_range(rates)})")
    command_alone, one, two = found.values()
    print(f"2 workers over 1: {_range(np.divide(two, one))}")
    print(f"2 workers over the command: {_range(np.divide(two, command_alone))}")


def _write(folder: Path) -> None:
    """Write parts of the sample photographs."""
    folder.mkdir()
    photos = [*photographs("train"), *photographs("test")]
    for number in range(PICTURES):
        photo = photos[number % len(photos)]
        top = 40 + 8 * (number // len(photos))
        part = np.ascontiguousarray(photo[top : top + SIDE, top : top + SIDE])
        Image.fromarray(part).save(folder / f"{number:03}.png")


def _rate(folder: Path) -> float:
    times = sorted(path.stat().st_mtime for path in folder.glob("*.png"))
    return (len(times) - 1) / (times[-1] - times[0])


def _range(values: Iterable[float]) -> str:
    return ", ".join(f"{value:.2f}" for value in values)
