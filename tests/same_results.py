"""Compares what every published weight computes now and at an earlier commit, bit for bit.

    python -m tests.same_results            # with the commit before
    python -m tests.same_results v1.2 --weights srcnn-955-x3

Both trees run on this machine, each in processes of its own and by its own command line: a picture
in floating point is restored in tiles by each engine (tiled), every network is written as
SavedModel and ONNX and read by its runtime alone (exported), and the SavedModel is asked as
TensorFlow Serving asks it, with 8-bit pictures (served). 1 is returned where anything differs.
"""

import argparse
import contextlib
import hashlib
import io
import json
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from unittest import mock

import numpy as np
import tifffile
from PIL import Image

ROOT = Path(__file__).parents[1]
PHOTO = ROOT / "zoo/samples/test/perched-osprey.jpg"
SIDE, TILE = (81, 70), 32  # of the picture and of the tiles: neither divides the other
SIGMA = 25
ENGINES = ("keras", "onnxruntime", "openvino")
GREY = ("dncnn-gray",)  # beginnings of names


def results(root: Path, weight: str) -> dict[str, str]:
    """Return a digest of everything that a weight computes in a tree of the project."""
    done = subprocess.run(
        [sys.executable, str(Path(__file__)), "--one", weight, str(root)],
        cwd=root,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise SystemExit(f"{weight} at {root}:\n{done.stdout}{done.stderr}")
    return dict(json.loads(done.stdout.splitlines()[-1]))


def one(root: Path, weight: str) -> dict[str, str]:
    """Return what `results` does, in a process that imports this tree alone."""
    sys.path.insert(0, str(root))
    project = tomllib.loads((root / "pyproject.toml").read_text())
    module, _, function = project["project"]["scripts"]["asykeras"].partition(":")
    command = getattr(import_module(module), function)
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        source = picture(work / "picture.tif", weight)
        enlarges = {"x2", "x3", "x4"} & {*weight.split("-")}
        noise = [] if enlarges else ["--sigma", str(SIGMA)]
        found = {}
        for engine in ENGINES:
            if engine != "keras" and weight.startswith("dphsir"):
                continue  # a loop that no other runtime is given
            target = work / f"{engine}.tif"
            words = ["--weights", weight, "--tile", str(TILE), "--engine", engine, *noise]
            run(command, ["restore", str(source), "-o", str(target), *words])
            found[f"tiled, {engine}"] = digest(tifffile.imread(target))
        return found | exported(command, weight, source, work)


def exported(command, weight: str, source: Path, work: Path) -> dict[str, str]:
    """Return digests of what the exported files compute."""
    import tensorflow as tf

    image = tifffile.imread(source)[None]
    image = image if image.ndim == 4 else image[..., None]
    run(command, ["export", weight, str(work / "saved")])
    signatures = tf.saved_model.load(str(work / "saved")).signatures
    found = {}
    for name in sorted(signatures):
        wanted = signatures[name].structured_input_signature[1]
        inputs = {"image": fitted(image, wanted["image"])}
        if "sigma" in wanted:
            inputs["sigma"] = tf.constant([[SIGMA / 255]], tf.float32)
        kind = "served" if wanted["image"].dtype == tf.uint8 else "exported"
        found[f"{kind}, {name}"] = digest(signatures[name](**inputs)["output_0"].numpy())
    if not weight.startswith("dphsir"):
        run(command, ["export", weight, str(work / "one.onnx"), "--format", "onnx"])
        found["exported, onnx"] = digest(onnx(work / "one.onnx", image))
    return found


def fitted(image: np.ndarray, wanted):
    """Return a picture with the channels and the dtype that a signature wants."""
    import tensorflow as tf

    channels = wanted.shape[-1] or image.shape[-1]
    image = np.repeat(image[..., :1], channels, axis=-1) if image.shape[-1] != channels else image
    if wanted.dtype == tf.uint8:
        return tf.constant((image * 255 + 0.5).astype(np.uint8))
    return tf.constant(image)


def onnx(path: Path, image: np.ndarray) -> np.ndarray:
    """Return what ONNX Runtime makes of a picture."""
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    wanted = {each.name: each.shape for each in session.get_inputs()}
    inputs = {"image": np.ascontiguousarray(image[..., : wanted["image"][-1]])}
    if "sigma" in wanted:
        inputs["sigma"] = np.float32([[SIGMA / 255]])
    return session.run(None, inputs)[0]


def picture(path: Path, weight: str) -> Path:
    """Write a part of a photograph in floating point."""
    with Image.open(PHOTO) as photo:
        mode = "L" if weight.startswith(GREY) else "RGB"
        part = np.asarray(photo.convert(mode))[100 : 100 + SIDE[0], 120 : 120 + SIDE[1]]
    tifffile.imwrite(path, part.astype(np.float32) / 255)
    return path


def run(command, words: list[str]) -> None:
    """Run a command of the project, whose words go nowhere but into an error."""
    said = io.StringIO()
    with (
        mock.patch.object(sys, "argv", ["asykeras", *words]),
        contextlib.redirect_stdout(said),
        contextlib.redirect_stderr(said),
    ):
        code = command()
    if code:
        raise SystemExit(f"asykeras {' '.join(words)}: {said.getvalue()}")


def digest(values: np.ndarray) -> str:
    """Return the shape, the dtype and the SHA-256 of an array."""
    values = np.ascontiguousarray(values)
    return f"{values.shape} {values.dtype} {hashlib.sha256(values.tobytes()).hexdigest()}"


@contextlib.contextmanager
def tree_of(commit: str) -> Iterator[Path]:
    """Check a commit out beside this tree, and remove it afterwards."""
    with tempfile.TemporaryDirectory() as folder:
        git = ["git", "-C", str(ROOT), "worktree"]
        subprocess.run([*git, "add", "--detach", "-q", f"{folder}/tree", commit], check=True)
        try:
            yield Path(folder) / "tree"
        finally:
            subprocess.run([*git, "remove", "--force", f"{folder}/tree"], check=True)


def main() -> int:
    """Compare; return 1 where something differs."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("commit", nargs="?", default="HEAD~1")
    parser.add_argument("--weights", nargs="+", metavar="NAME", help="default: all of that commit")
    options = parser.parse_args()
    different = 0
    with tree_of(options.commit) as before:
        names = options.weights or published(before)
        for name in names:
            old, new = results(before, name), results(ROOT, name)
            for what in sorted(old.keys() | new.keys()):
                same = old.get(what) == new.get(what)
                different += not same
                print(f"{name:20} {what:28} {'the same' if same else 'DIFFERS'}", flush=True)
    print(f"{different} of the results differ from {options.commit}")
    return 1 if different else 0


def published(root: Path) -> list[str]:
    """Return the names of the weights that a tree has."""
    return sorted(path.name.removesuffix(".weights.h5") for path in root.glob("zoo/*/*.weights.h5"))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        print(json.dumps(one(Path(sys.argv[3]), sys.argv[2])))
    else:
        sys.exit(main())
