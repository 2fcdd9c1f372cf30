"""Files of PyTorch: whole ones, changes of what they are made of, and a reader of their floats.

A file is an archive that is not compressed: a pickle that says which tensors there are, and the
values of each. Older ones are several pickles and the values, one behind the other.
"""

import io
import pickle
import pickletools
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from tests.fuzz.changes import ANY, NUMBERS, Rng, pick
from tests.fuzz.weights.texts import PICKLE

# What a pickle names, and what it might name instead.
STORAGES = [b"FloatStorage", b"HalfStorage", b"BFloat16Storage", b"DoubleStorage", b"LongStorage"]
STORAGES += [b"BoolStorage", b"ComplexFloatStorage", b"QUInt8Storage", b"UntypedStorage", b"Tensor"]
MAKERS = [b"_rebuild_tensor_v2", b"_rebuild_parameter", b"_rebuild_sparse_tensor"]
MAKERS += [b"_rebuild_meta_tensor_no_storage", b"_rebuild_wrapper_subclass", b"_rebuild_qtensor"]
OTHERS = [b"os\nsystem", b"builtins\nexec", b"collections\nCounter", b"torch\nload", b"torch\nhub"]
INTEGERS = {"BININT": 4, "BININT1": 1, "BININT2": 2}
CODES = {"FloatStorage": "<f4", "HalfStorage": "<f2", "DoubleStorage": "<f8"}
BOMB = 10**8  # bytes of a member


def torch_files() -> Iterator[tuple[str, bytes]]:
    """Yield networks of their authors by their models; nothing where PyTorch is not installed."""
    try:
        import torch
    except ImportError:
        return
    rng = np.random.default_rng(0)

    def convolution(name: str, inputs: int, outputs: int) -> dict[str, Any]:
        kernel = rng.normal(0, 0.1, (outputs, inputs, 3, 3)).astype("f4")
        bias = rng.normal(0, 0.1, outputs).astype("f4")
        return {
            f"{name}.weight": torch.from_numpy(kernel),
            f"{name}.bias": torch.from_numpy(bias),
        }

    layers = convolution("0", 1, 64) | convolution("2", 64, 64) | convolution("4", 64, 1)
    yield "import dncnn pth", _saved(torch, layers)
    yield "import dncnn old pth", _saved(torch, layers, _use_new_zipfile_serialization=False)
    halves = {f"module.{name}": each.half() for name, each in layers.items()}
    yield "import dncnn half pth", _saved(torch, {"state_dict": halves, "epoch": 7})
    parts = {"head.0": (3, 8), "body.0.body.0": (8, 8), "body.0.body.2": (8, 8), "body.1": (8, 8)}
    parts |= {"tail.0.0": (8, 32), "tail.1": (8, 3)}
    network = {
        key: each for name, n in parts.items() for key, each in convolution(name, *n).items()
    }
    yield "import edsr pth", _saved(torch, network)


def _saved(torch: Any, state: dict[str, Any], **options: bool) -> bytes:
    file = io.BytesIO()
    torch.save(state, file, **options)
    return file.getvalue()


def change_pth(rng: Rng, content: bytes) -> bytes:
    """Return a file with one change."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = {name: archive.read(name) for name in archive.namelist()}
    except (zipfile.BadZipFile, NotImplementedError, ValueError, OSError, EOFError):
        return _pickle(rng, content) if len(content) > 8 else content
    way, method = int(rng.integers(8)), zipfile.ZIP_STORED
    own = [name for name in members if name.endswith("data.pkl")]
    if way < 4 and own:
        members[own[0]] = _pickle(rng, members[own[0]])
    elif way == 4 and members:
        name = pick(rng, list(members))
        members[name] = _values(rng, members[name])
    elif way == 5 and members:
        del members[pick(rng, list(members))]
    elif way == 6:
        names = ["archive/byteorder", "archive/version", "archive/constants.pkl", "archive/data/0"]
        texts = [b"big", b"999", b"", PICKLE, bytes(BOMB)]
        members[pick(rng, [*names, "../secret.txt", "x/data.pkl"])] = pick(rng, texts)
    else:
        method = zipfile.ZIP_DEFLATED
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, each in members.items():
            archive.writestr(zipfile.ZipInfo(name), each, method)
    return file.getvalue()


def _pickle(rng: Rng, content: bytes) -> bytes:
    """Change what a pickle names, a number in it, or bytes."""
    way = int(rng.integers(5))
    for number, known in enumerate((STORAGES, MAKERS, [b"collections\nOrderedDict"])):
        there = [name for name in known if name in content]
        if way == number and there:
            others = [*known, *OTHERS] if rng.random() < 0.9 else [rng.bytes(8)]
            return content.replace(pick(rng, there), pick(rng, others), int(rng.integers(1, 4)))
    if way == 3 and (places := _integers(content)):
        at, size = pick(rng, places)
        value = int(pick(rng, NUMBERS)) % 256**size
        return content[: at + 1] + value.to_bytes(size, "little") + content[at + 1 + size :]
    return PICKLE if rng.random() < 0.1 else pick(rng, ANY)(rng, content)


def _integers(content: bytes) -> list[tuple[int, int]]:
    """Return places and bytes of the numbers in a pickle, as far as it is one."""
    found = []
    try:
        for code, _, at in pickletools.genops(content):
            if code.name in INTEGERS and at is not None:
                found.append((at, INTEGERS[code.name]))
    except Exception:  # of many kinds, where it is damaged
        return found
    return found


def _values(rng: Rng, content: bytes) -> bytes:
    if rng.random() < 0.5 and len(content) >= 4:
        odd = np.array(pick(rng, [np.nan, np.inf, 1e38, -1e12]), "<f4").tobytes()
        at = 4 * int(rng.integers(len(content) // 4))
        return content[:at] + odd + content[at + 4 :]
    return pick(rng, ANY)(rng, content) if len(content) > 8 else content


def torch_floats(path: Path) -> list[np.ndarray]:
    """Return the floats of the tensors in a file, by the names of their layers.

    Raises:
        Exception: of many kinds, where it is damaged, or an older one.
    """
    with zipfile.ZipFile(path) as archive:
        reader = _Reader(archive)
        state = reader.load()
    state = state.get("state_dict", state)
    return [each for each in state.values() if isinstance(each, np.ndarray)]


class _Reader(pickle.Unpickler):
    """Knows nothing but tensors of floating point, which it makes of their values."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        (name,) = [each for each in archive.namelist() if each.endswith("/data.pkl")]
        super().__init__(io.BytesIO(archive.read(name)))
        self.archive, self.root = archive, name.removesuffix("data.pkl")

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return dict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _tensor
        if module == "torch" and name in CODES:
            return CODES[name]
        raise pickle.UnpicklingError(name)

    def persistent_load(self, place: Any) -> np.ndarray:
        _, code, key, _, _ = place
        return np.frombuffer(self.archive.read(f"{self.root}data/{key}"), code)


def _tensor(storage: np.ndarray, offset: int, shape: Any, strides: Any, *_: Any) -> np.ndarray:
    last = offset + sum((n - 1) * step for n, step in zip(shape, strides, strict=True))
    if min(shape, default=0) < 1 or min((offset, *strides)) < 0 or last >= len(storage):
        raise ValueError("a tensor is larger than its values")
    steps = [step * storage.itemsize for step in strides]
    return np.lib.stride_tricks.as_strided(storage[offset:], shape, steps)
