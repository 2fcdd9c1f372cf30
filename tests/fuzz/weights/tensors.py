"""Files of safetensors: whole ones, changes of what they are made of, and a reader of their floats.

A file is the length of a header, the header, JSON of kind, shape and place of every tensor, and the
values one behind the other.
"""

import importlib.util
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np

from tests.fuzz.changes import ANY, NUMBERS, Rng, pick
from tests.fuzz.weights.texts import ODD, change_json
from tests.zoo.foreign_files import compact_state, safetensors, span_state

KINDS = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": ml_dtypes.bfloat16}
OTHERS = [*KINDS, "I64", "U8", "BOOL", "F8_E4M3", "F4", "C64", "f32", ""]
SHAPES: list[Any] = [[], [0], [1] * 200, [-1, 2], [2**31, 2**31], [2**63, 2, 0], [10**30], [8.0]]


def tensor_files() -> Iterator[tuple[str, bytes]]:
    """Yield networks by their models; nothing where safetensors is not installed."""
    if importlib.util.find_spec("safetensors") is None:
        return
    yield "import compact", safetensors(compact_state())
    yield "import compact bfloat16", safetensors(compact_state(4, 1, 1), "BF16")
    yield "import span", safetensors(span_state())
    yield "import span merged", safetensors(span_state(4, branches=False), "F16")


def change_safetensors(rng: Rng, content: bytes) -> bytes:
    """Return a file with one change."""
    length = int.from_bytes(content[:8], "little")
    head, values, way = content[8 : 8 + length], content[8 + length :], rng.random()
    if way < 0.6:
        head = _header(rng, head) if rng.random() < 0.8 else change_json(rng, head)
    elif way < 0.8 and len(values) > 8:
        values = _values(rng, values)
    elif way < 0.9:
        length = int(pick(rng, [*NUMBERS, 2**62, 2**64 - 1, length + 8, max(length - 8, 0)]))
        return length.to_bytes(8, "little") + head + values
    else:
        head += b" " * int(pick(rng, [1, 8, 2**20]))
    return len(head).to_bytes(8, "little") + head + values


def _header(rng: Rng, head: bytes) -> bytes:
    """Change what is said of a tensor, or its name."""
    try:
        whole = json.loads(head)
        entry = whole[name := pick(rng, list(whole))]
        ends = entry["data_offsets"]
        way = int(rng.integers(7))
        if way == 0:
            entry["dtype"] = pick(rng, OTHERS)
        elif way == 1:
            entry["shape"] = pick(rng, [*SHAPES, entry["shape"][::-1]])
        elif way == 2:
            ends[int(rng.integers(2))] = pick(rng, [*NUMBERS, -1, 2**63, 2**64])
        elif way == 3:  # the values of another
            entry["data_offsets"] = whole[pick(rng, list(whole))]["data_offsets"]
        elif way == 4:
            del whole[name]
        elif way == 5:
            whole[pick(rng, [*whole, "__metadata__", "", "\x1b[2J\n", "x" * 10**5])] = entry
        else:
            whole["__metadata__"] = pick(rng, [*ODD, {"format": "pt"}, {"a": 1}])
    except (ValueError, KeyError, TypeError, IndexError, RecursionError):
        return head
    return json.dumps(whole).encode()


def _values(rng: Rng, values: bytes) -> bytes:
    if rng.random() < 0.5:
        odd = np.array(pick(rng, [np.nan, np.inf, 1e38, -1e12]), "<f4").tobytes()
        at = 4 * int(rng.integers(len(values) // 4))
        return values[:at] + odd + values[at + 4 :]
    return bytes(pick(rng, ANY)(rng, values))


def safetensors_floats(path: Path) -> list[np.ndarray]:
    """Return the floats of the tensors in a file, by the names of their layers.

    Raises:
        Exception: of many kinds, where it is damaged.
    """
    content = path.read_bytes()
    start = 8 + int.from_bytes(content[:8], "little")
    header = json.loads(content[8:start])
    arrays = []
    for entry in (each for name, each in header.items() if name != "__metadata__"):
        first, last = (start + end for end in entry["data_offsets"])
        values = np.frombuffer(content[first:last], KINDS[entry["dtype"]])
        arrays.append(values.astype("f4").reshape(entry["shape"]))
    return arrays
