"""Tensors by their names, from files of PyTorch and of safetensors; nothing is executed."""

import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from zoo.store.card import WeightsError
from zoo.store.claims import ContentError, check_memory, refusing_content

SUFFIXES = (".pth", ".pt", ".safetensors")
# Under which trainers put the tensors of the network, the first that is there, and before names.
WRAPPERS = ("model_state_dict", "state_dict", "params_ema", "params-ema", "params", "model", "net")
PREFIXES = ("module.", "netG.")
# Kinds of safetensors that a weight may have; BF16 is the upper half of a float32.
_KINDS = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2"}

Arrays = dict[str, np.ndarray]


def read_tensors(path: Path) -> Arrays:
    """Return the tensors of a file by their names, floating point of any width as float32.

    Wrappers of trainers (`params_ema` and others) and prefixes that all names share are taken off.
    For a file that `torch.save` wrote PyTorch must be there.
    """
    arrays = _safetensors(path) if path.suffix.lower() == ".safetensors" else _torch(path)
    for prefix in PREFIXES:
        if arrays and all(name.startswith(prefix) for name in arrays):
            arrays = {name.removeprefix(prefix): array for name, array in arrays.items()}
    return arrays


def _safetensors(path: Path) -> Arrays:
    try:
        import safetensors
    except ImportError:
        raise WeightsError(
            f"reading {path.name} needs safetensors: pip install safetensors"
        ) from None
    check_memory(3 * path.stat().st_size)  # the file, its tensors, and these in float32
    with refusing_content():
        found = safetensors.deserialize(path.read_bytes())
        return {name: _values(name, entry) for name, entry in found}


def _values(name: str, entry: Mapping[str, Any]) -> np.ndarray:
    kind = entry["dtype"]
    if kind not in _KINDS:
        raise ContentError(f"{name} holds values of the kind {kind}, not floating point")
    values = np.frombuffer(entry["data"], _KINDS[kind]).reshape(entry["shape"])
    if kind == "BF16":
        return (values.astype("<u4") << 16).view("<f4")
    return values.astype(np.float32)


def _torch(path: Path) -> Arrays:
    try:
        import torch
    except ImportError:
        raise WeightsError(
            f"reading {path.name} needs PyTorch: pip install 'asykeras[import]'"
        ) from None
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as file:
            members = file.infolist()
        if any(each.filename.endswith("/constants.pkl") for each in members):
            raise ContentError("it is a program (TorchScript), not tensors by names")
        if any(each.compress_type != zipfile.ZIP_STORED for each in members):
            raise ContentError("it is compressed, which no file of PyTorch is")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # asks users to report pickles that it may not know
            state = torch.load(path, map_location="cpu", weights_only=True)
    except OSError:
        raise
    except Exception:  # of many kinds, whose words may be advice to unpickle whatever it holds
        raise WeightsError(
            f"{path} is no file of plain PyTorch tensors: it is damaged, or would run code"
        ) from None
    state = _unwrapped(state)
    tensors = {name: each for name, each in state.items() if isinstance(each, torch.Tensor)}
    for name, tensor in tensors.items():
        if tensor.layout != torch.strided or tensor.nbytes > path.stat().st_size:
            raise ContentError(f"{name} claims to be larger than the file")
    return {
        str(name): (tensor.detach().float() if tensor.is_floating_point() else tensor).numpy()
        for name, tensor in tensors.items()
    }


def _unwrapped(state: object) -> dict[Any, Any]:
    """Return the innermost dict that a trainer has wrapped."""
    while isinstance(state, dict):
        inner = [state[name] for name in WRAPPERS if isinstance(state.get(name), dict)]
        if not inner:
            return state
        state = inner[0]
    raise ContentError(f"it holds a {type(state).__name__}, no tensors by names")
