"""The wheel, built and tried where nothing of the clone can be imported: a minute.

    python -m tests.wheel

An empty environment gets the wheel and, by a path file, the dependencies of the one that runs this:
an editable install in it is not followed there.
"""

import os
import subprocess
import sys
import tempfile
import time
import venv
from pathlib import Path

import keras

ROOT = Path(__file__).parent.parent
LARGEST = 25 * 2**20  # bytes: nearly all of it are the published weights
BLOCKED = """
import sys
class Nothing:
    def find_spec(self, name, *given):
        if name.split(".")[0] in ("tensorflow", "jax", "torch"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Nothing())
import asykeras
"""
ONE_SENTENCE = "ImportError: Keras has no tensorflow to compute with: pip install tensorflow"
WHERE = "import asykeras, recipes, zoo; print(asykeras.__file__, zoo.__file__, recipes.__file__)"


def main() -> int:
    """Build, install and try the wheel; return 0, or raise."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name).resolve()
        wheel = build(folder)
        size = wheel.stat().st_size
        try_out(install(wheel, folder), folder)
    print(f"the wheel of {size:,} bytes works: {time.monotonic() - began:.0f} s")
    return 0


def build(folder: Path) -> Path:
    """Build the wheel of a copy of what is tracked, so that no old build gets in."""
    source = folder / "source"
    source.mkdir()
    listed = run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], ROOT)
    copy = ["tar", "--null", "--ignore-failed-read", "-cf", str(folder / "all.tar"), "-T", "-"]
    subprocess.run(copy, cwd=ROOT, input=listed, text=True, check=True, stderr=subprocess.DEVNULL)
    run(["tar", "-xf", str(folder / "all.tar")], source)
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps"]
    run([*pip, "--wheel-dir", str(folder), "."], source)
    (wheel,) = folder.glob("*.whl")
    assert wheel.stat().st_size < LARGEST, wheel.stat().st_size
    return wheel


def install(wheel: Path, folder: Path) -> Path:
    """Return an environment with the wheel and a path to what it needs."""
    home = folder / "empty"
    venv.create(home, with_pip=False, symlinks=True)
    pip = [sys.executable, "-m", "pip", "--python", str(home / "bin/python"), "install", "--quiet"]
    run([*pip, "--no-deps", str(wheel)], folder)
    (site,) = home.glob("lib/python*/site-packages")
    (site / "dependencies.pth").write_text(f"{Path(keras.__file__).parents[1]}\n")
    return home


def try_out(home: Path, folder: Path) -> None:
    """Run what a person runs first."""
    python, asykeras = str(home / "bin/python"), str(home / "bin/asykeras")
    photo = ROOT / "zoo/samples/test/perched-osprey.jpg"
    work = folder / "work"
    (work / "photos").mkdir(parents=True)
    (work / "photos/photo.jpg").write_bytes(photo.read_bytes())
    assert all(str(home) in path for path in run([python, "-c", WHERE], work).split())
    assert "edsr-baseline-x2" in run([asykeras, "list"], work)
    run([asykeras, "restore", "photos", "-o", "large", "--weights", "srcnn-955-x2"], work)
    assert (work / "large/photo.jpg").stat().st_size > photo.stat().st_size
    few = "--steps 2 --every 2 --batch 1 --patch 36 --scale 2 --variant 9-1-5".split()
    run([asykeras, "train", "srcnn", "--data", "photos", "--workdir", "run", *few], work)
    run([asykeras, "restore", "photos", "-o", "mine", "--weights", "run"], work)
    assert (work / "mine/photo.jpg").is_file()
    without = subprocess.run([python, "-c", BLOCKED], cwd=work, capture_output=True, text=True)
    assert without.stderr.splitlines()[-1].startswith(ONE_SENTENCE), without.stderr


def run(words: list[str], folder: Path) -> str:
    """Return what a command prints; its errors are shown where it fails."""
    outside = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(words, cwd=folder, env=outside, capture_output=True, text=True)
    assert done.returncode == 0, f"{' '.join(words)}\n{done.stdout}{done.stderr}"
    return done.stdout


if __name__ == "__main__":
    sys.exit(main())
