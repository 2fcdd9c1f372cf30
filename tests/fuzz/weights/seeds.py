"""Whole files of every kind that strangers send, made in code, the same each time."""

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import h5py
import keras
import numpy as np
from scipy import io

import zoo
from recipes.training.checkpoints import open_workdir, save_checkpoint
from recipes.training.settings import Settings
from tests.fuzz.weights.archives import CONFIG, joined, read_members
from tests.fuzz.weights.pytorch import torch_files
from tests.fuzz.weights.tensors import tensor_files
from tests.zoo.examples import card_of
from zoo.store.weight import save

Files = dict[str, bytes]  # by their paths in a folder
SHAPE = (6, 7, 5)  # of cubes
WAVELENGTHS = (400.0, 437.5, 475.0, 512.5, 550.0)
STEPS = (1, 2)  # of the checkpoints
# Of networks: what their cards say beside what is added.
CARDS: dict[str, dict[str, Any]] = {
    "srcnn": {
        "builder": "SRCNN",
        "arguments": {"scale": 2, "variant": "9-1-5"},
        "use": {"scale": 2, "enlarge_first": True, "colours": ["grey", "rgb"]},
    },
    "dncnn": {
        "builder": "DnCNN",
        "arguments": {"depth": 3, "channels": 1},
        "use": {"levels": [15, 50], "level": 25},
    },
    "edsr": {
        "builder": "EDSR",
        "arguments": {"scale": 2, "blocks": 1, "filters": 8},
        "use": {"scale": 2},
    },
    "dphsir": {
        "builder": "DPHSIR",
        "arguments": {"channels": 3, "variant": "small"},
        "use": {"takes_sigma": True, "levels": [0, 50]},
    },
}


def seeds() -> dict[str, Files]:
    """Return files that belong together, by names that begin with their kind."""
    return {
        name: files
        for part in (_weights, _models, _foreign, _checkpoints, _cubes)
        for name, files in part()
    }


def built(name: str) -> keras.Model:
    """Return a network of `CARDS` with weights that are the same each time."""
    its_card = CARDS[name]
    network = getattr(zoo, its_card["builder"])(**its_card["arguments"])
    rng = np.random.default_rng(0)
    network.set_weights([np.abs(rng.normal(0, 0.05, weight.shape)) for weight in network.weights])
    return network


def trained() -> keras.Model:
    """Return a network with an optimizer, as checkpoints hold it."""
    network = built("srcnn")
    network.compile("adam", "mse")
    network.optimizer.build(network.trainable_variables)
    return network


def resuming(workdir: Path) -> Settings:
    """Return the settings of a run that goes on from its checkpoints."""
    return Settings.of(data="images", workdir=str(workdir), resume=True)


def _read(folder: str) -> Files:
    root = Path(folder)
    paths = sorted(path for path in root.rglob("*") if path.is_file())
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in paths}


def _weights() -> Iterator[tuple[str, Files]]:
    for name, its_card in CARDS.items():
        with TemporaryDirectory() as folder:
            save(built(name), Path(folder) / "network.weights.h5", card_of(its_card))
            yield f"weights {name}", _read(folder)


def _models() -> Iterator[tuple[str, Files]]:
    """Yield a user's own model as Keras writes it, whole."""
    image = keras.Input((None, None, 1), name="image")
    x = keras.layers.Conv2D(4, 3, padding="same", activation="relu", name="first")(image)
    x = keras.layers.Conv2D(1, 3, padding="same", name="second")(x)
    model = keras.Model(image, keras.layers.Add(name="sum")([image, x]), name="own")
    with TemporaryDirectory() as folder:
        model.save(Path(folder) / "model.keras")
        members = read_members((Path(folder) / "model.keras").read_bytes())
    # which are addresses in the memory
    members[CONFIG] = re.sub(rb', "shared_object_id": \d+', b"", members[CONFIG])
    members["metadata.json"] = json.dumps({"keras_version": keras.__version__}).encode()
    yield "keras own", {"model.keras": joined(members)}


# ---- what the authors published


def _mat(content: dict[str, Any], do_compression: bool = False) -> bytes:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "a.mat"
        io.savemat(path, content, do_compression=do_compression)
        return b"MATLAB 5.0 MAT-file".ljust(116) + path.read_bytes()[116:]  # without the time


def _layers(*sizes: tuple[int, int, int]) -> list[tuple[np.ndarray, np.ndarray]]:
    rng = np.random.default_rng(0)
    return [
        (
            rng.normal(0, 0.1, (size, size, inputs, outputs)).astype("f4"),
            rng.normal(0, 0.1, (outputs, 1)).astype("f4"),
        )
        for size, inputs, outputs in sizes
    ]


def _foreign() -> Iterator[tuple[str, Files]]:
    layers = _layers((9, 1, 64), (1, 64, 32), (5, 32, 1))
    flat = [kernel.reshape((-1, *kernel.shape[2:]), order="F") for kernel, _ in layers]
    content = {f"biases_conv{number}": bias for number, (_, bias) in enumerate(layers, 1)}
    content |= {"weights_conv1": flat[0][:, 0], "weights_conv2": flat[1].swapaxes(0, 1)}
    content |= {"weights_conv3": flat[2].swapaxes(0, 1)[..., 0]}
    yield "import srcnn", {"net.mat": _mat(content)}
    layers = _layers((3, 1, 64), (3, 64, 64), (3, 64, 1))
    relu, conv = {"type": "relu", "leak": 0}, [_struct("conv", *pair) for pair in layers]
    moments = np.abs(np.random.default_rng(0).normal(1, 0.1, (64, 2)))
    norm = _struct("bnorm", moments[:, :1], moments[:, 1:], moments)
    for name, cells in (
        ("import dncnn", [conv[0], relu, conv[1], relu, conv[2]]),
        ("import dncnn bnorm", [conv[0], relu, conv[1], norm, relu, conv[2]]),
    ):
        content = {"net": {"layers": _cell(cells)}}
        yield name, {"net.mat": _mat(content, do_compression=True)}
    yield "import dncnn 7.3", {"net.mat": _matconvnet_73(layers)}
    yield from ((name, {"net.pth": content}) for name, content in torch_files())
    yield from ((name, {"net.safetensors": content}) for name, content in tensor_files())


def _struct(kind: str, *arrays: np.ndarray) -> dict[str, Any]:
    return {"type": kind, "weights": _cell(arrays)}


def _cell(values: Sequence[Any]) -> np.ndarray:
    cell = np.empty((1, len(values)), dtype=object)
    for number, value in enumerate(values):
        cell[0, number] = value
    return cell


def _matconvnet_73(layers: list[tuple[np.ndarray, np.ndarray]]) -> bytes:
    """Return a network as MATLAB 7.3 writes it: HDF5, with the axes in reverse order."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "a.mat"
        with h5py.File(path, "w") as file:
            entries = []
            for number, pair in enumerate(layers):
                group = file.create_group(f"#refs#/layer{number}")
                group["type"] = np.array([[ord(letter)] for letter in "conv"], "u2")
                for letter, array in zip("ab", pair, strict=True):
                    file[f"#refs#/{letter}{number}"] = array.T
                places = [[file[f"#refs#/{letter}{number}"].ref] for letter in "ab"]
                group.create_dataset("weights", data=places, dtype=h5py.ref_dtype)
                entries.append([group.ref])
            file.create_dataset("net/layers", data=entries, dtype=h5py.ref_dtype)
        return path.read_bytes()


# ---- checkpoints and cubes


def _checkpoints() -> Iterator[tuple[str, Files]]:
    model = trained()
    with TemporaryDirectory() as folder:
        settings = resuming(Path(folder))
        open_workdir(settings)
        for step in STEPS:
            model.set_weights([weight + 0.01 for weight in model.get_weights()])
            save_checkpoint(model, Path(folder), step, settings)
        yield "checkpoint srcnn", _read(folder)


def _cubes() -> Iterator[tuple[str, Files]]:
    rng = np.random.default_rng(0)
    values = rng.uniform(0, 5000, SHAPE)
    others = {"wavelengths": np.array(WAVELENGTHS), "camera": "ours", "cell": {"a": [1, 2]}}
    yield "cube mat", {"cube.mat": _mat({"cube": values.astype("u2"), **others})}
    yield "cube packed", {"cube.mat": _mat({"cube": values, **others}, do_compression=True)}
    layout = dict(zip(("nRow", "nCol", "nBand"), SHAPE, strict=True))
    rows = values.reshape(-1, SHAPE[-1], order="F").T
    yield "cube flat", {"cube.mat": _mat({"Y": rows, **layout})}
    for kind, ways in (("i2", {}), ("f4", {"chunks": (2, 3, 4), "compression": "gzip"})):
        with TemporaryDirectory() as folder:
            with h5py.File(Path(folder) / "cube.mat", "w", userblock_size=512) as file:
                file.create_dataset("cube", data=values.T.astype(kind), **ways)
                file["cube"].attrs["MATLAB_class"] = np.bytes_("double")
                file["wavelengths"] = np.array(WAVELENGTHS)
                file["#refs#/a"] = np.arange(3)
            yield f"cube 7.3 {kind}", _read(folder)
    with TemporaryDirectory() as folder:
        np.save(Path(folder) / "cube.npy", values.astype("f4"))
        yield "cube npy", _read(folder)
    head = dict(zip(("lines", "samples", "bands"), SHAPE, strict=True))
    fields = {**head, "header offset": 3, "interleave": "bil", "byte order": 1}
    fields |= {"data ignore value": -9999, "map info": "{ UTM , 1 , 3 , 5 , 5 , 2 , 2 , 32 }"}
    fields |= {"wavelength": f"{{ {', '.join(map(str, WAVELENGTHS))} }}", "; remark": ""}
    for code, kind in ((2, ">i2"), (4, ">f4")):
        its_fields = {**fields, "data type": code}
        text = "\n".join(["ENVI", *(f"{name} = {text}" for name, text in its_fields.items()), ""])
        stored = values.transpose(0, 2, 1).astype(kind).tobytes()
        yield f"cube envi {kind}", {"cube.hdr": text.encode(), "cube.img": b"abc" + stored}
