"""Changes at random of what a stranger sends: one or several files that belong together."""

import hashlib
import json
from collections import Counter
from collections.abc import Callable

import numpy as np

from tests.fuzz.changes import ANY, Change, Rng, packed, pick
from tests.fuzz.weights import hdf5, matlab
from tests.fuzz.weights.archives import change_keras
from tests.fuzz.weights.hdf5 import change_hdf5, near_marks
from tests.fuzz.weights.matlab import change_mat
from tests.fuzz.weights.pytorch import change_pth
from tests.fuzz.weights.seeds import Files
from tests.fuzz.weights.tensors import change_safetensors
from tests.fuzz.weights.texts import change_header, change_json, change_npy

HDF5 = b"\x89HDF"
LONGEST = 2**22  # bytes of a file that is changed once more


def change(cases: dict[str, Files], seed: int, number: int) -> tuple[str, Files]:
    """Return the name of the files that are changed, and their new content."""
    rng = np.random.default_rng([seed, number])
    name = pick(rng, list(cases))
    return name, mutate(rng, cases[name])


def mutate(rng: Rng, files: Files) -> Files:
    """Return files with one to three changes, most of them of their own formats.

    Check sums that stand beside a file are mostly made right again, or nothing would be read.
    """
    files = dict(files)
    count = int(rng.choice([1, 1, 1, 2, 2, 3]))
    chosen = Counter(pick(rng, list(files)) for _ in range(count))
    late = [name for name in chosen if name.endswith(".json")]
    for name in chosen:
        if name not in late:
            files[name] = _changed(rng, name, files[name], chosen[name])
    if rng.random() < 0.95:
        _sign(files)
    for name in late:
        files[name] = _changed(rng, name, files[name], chosen[name])
    if len(files) > 1 and rng.random() < 0.02:
        del files[pick(rng, list(files))]
    return files


def _changed(rng: Rng, name: str, content: bytes, count: int) -> bytes:
    """Change a file by its structure first: what damaged it would not be taken apart."""
    own, way = _own(name, content), rng.random()
    for _ in range(count if way < 0.8 else 0):
        if own is not None and len(content) < LONGEST:
            content = own(rng, content)
    if own is None or way > 0.7:
        damages = [*ANY, near_marks] if HDF5 in content[:600] else ANY
        content = pick(rng, damages)(rng, content) if len(content) > 8 else content
    return content


def _own(name: str, content: bytes) -> Change | None:
    if name.endswith(".mat") and HDF5 not in content[:600]:
        return change_mat
    known: dict[str, Callable[[Rng, bytes], bytes]] = {
        "h5": change_hdf5,
        "mat": change_hdf5,
        "json": change_json,
        "keras": change_keras,
        "pth": change_pth,
        "safetensors": change_safetensors,
        "hdr": change_header,
        "npy": change_npy,
    }
    return known.get(name.rpartition(".")[2])


def _sign(files: Files) -> None:
    """Write the check sums of weights into the JSON beside them."""
    for name in files:
        partner = name.replace(".weights.h5", ".json")
        if partner != name and partner in files:
            digest = hashlib.sha256(files[name]).hexdigest()
            files[partner] = json.dumps(json.loads(files[partner]) | {"sha256": digest}).encode()


def prepare() -> None:
    """Pack what takes its time, once."""
    for length in {*hdf5.BOMBS, *matlab.BOMBS}:
        packed(length)
