"""What other programs find in a file; None where they refuse it."""

from pathlib import Path
from typing import Any

import h5py
import ml_dtypes
import numpy as np
from scipy import io
from spectral.io import envi

from tests.fuzz.weights.pytorch import torch_floats
from tests.fuzz.weights.tensors import safetensors_floats

_READERS = {".pth": torch_floats, ".safetensors": safetensors_floats}


def hdf5_floats(path: Path, below: str = "/") -> set[bytes] | None:
    """Return the arrays of floating point below a group, each as float32."""
    found = set()

    def add(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset):
            values = item[()]
            if item.attrs.get("dtype") == "bfloat16":  # so says Keras
                values = np.array(values, ml_dtypes.bfloat16)
            if values.dtype.kind in "fV":
                found.add(np.asarray(values, "f4").tobytes())

    with h5py.File(path) as file:
        file[below].visititems(add)
    return found


def foreign_floats(path: Path) -> np.ndarray | None:
    """Return all weights of a network of MATLAB's, PyTorch's or safetensors as float32, sorted."""
    try:
        if path.suffix in _READERS:
            arrays = _READERS[path.suffix](path)
        else:
            arrays = _of_hdf5(path) if h5py.is_hdf5(path) else _of_mat(path)
        return np.sort(np.concatenate([np.asarray(each, "f4").ravel() for each in arrays]))
    except Exception:  # each has its own kinds
        return None


def _of_hdf5(path: Path) -> list[np.ndarray]:
    with h5py.File(path) as file:
        layers = [file[place] for place in file["net/layers"][()].ravel()]
        conv = [each for each in layers if bytes(each["type"][()].astype("u1").ravel()) == b"conv"]
        return [file[place][()] for layer in conv for place in layer["weights"][()].ravel()]


def _of_mat(path: Path) -> list[np.ndarray]:
    content = io.loadmat(path, squeeze_me=True)
    if "net" not in content:
        kinds = ("weights", "biases")
        return [content[f"{kind}_conv{number}"] for kind in kinds for number in (1, 2, 3)]
    layers = content["net"]["layers"].item()
    kinds = [str(layer["type"].item()) for layer in layers]
    if "bnorm" in kinds:
        raise ValueError("its weights are merged")
    conv = [layer for layer, kind in zip(layers, kinds, strict=True) if kind == "conv"]
    return [array for layer in conv for array in layer["weights"].item()]


def array(path: Path, name: str) -> np.ndarray | None:
    """Return an array of a `.mat` or `.npy` file."""
    try:
        if path.suffix == ".npy":
            return np.load(path)
        if h5py.is_hdf5(path):
            with h5py.File(path) as file:
                return np.asarray(file[name][()].T)
        return np.asarray(io.loadmat(path, variable_names=[name])[name])
    except Exception:
        return None


def envi_values(path: Path) -> np.ndarray | None:
    """Return the values of an ENVI file, `(lines, samples, bands)`."""
    try:
        return np.array(envi.open(str(path)).open_memmap(interleave="bip"))
    except Exception:
        return None
