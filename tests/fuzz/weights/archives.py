"""Changes of `.keras` files: the members of the archive, the configuration of the model in it."""

import io
import json
import zipfile
from collections.abc import Iterator
from typing import Any

from tests.fuzz.changes import ANY, Rng, pick
from tests.fuzz.weights.hdf5 import change_hdf5
from tests.fuzz.weights.texts import ODD, PICKLE, change_json

CONFIG, WEIGHTS = "config.json", "model.weights.h5"
BOMB = 10**8  # bytes of a member
CODE = "4wEAAAAAAAAAAAAAAAEAAAACAAAAQwAAAHMEAAAAfABTACkBTqkAKQHaAXhyAQAAAHIBAAAA"  # marshalled
LAYERS = ["Lambda", "Conv2D", "Dense", "Rescaling", "Flatten", "UpSampling2D", "MaxPooling2D"]
LAYERS += ["TorchModuleWrapper", "TFSMLayer", "Activation", "Conv2DTranspose", "ZeroPadding2D"]
CLASSES = [(name, "keras.layers") for name in LAYERS]
CLASSES += [("system", "os"), ("open", "builtins"), ("get_file", "keras.utils"), ("a", "x" * 9999)]
CLASSES += [("Functional", "keras"), ("Sequential", "keras")]


def change_keras(rng: Rng, content: bytes) -> bytes:
    """Return an archive with one change."""
    try:
        members = read_members(content)
    except (zipfile.BadZipFile, KeyError):
        return content
    if not members:
        return content
    way = rng.random()
    if way < 0.6 and CONFIG in members:
        change = _config if rng.random() < 0.8 else change_json
        members[CONFIG] = change(rng, members[CONFIG])
    elif way < 0.7 and WEIGHTS in members:
        members[WEIGHTS] = change_hdf5(rng, members[WEIGHTS])
    elif way < 0.8:
        del members[pick(rng, list(members))]
    elif way < 0.9:
        names = ["../secret.txt", "/tmp/secret.txt", "assets/a.pkl", "a\x1b[2Jb", "config.json/x"]
        members[pick(rng, names)] = PICKLE if rng.random() < 0.8 else bytes(BOMB)
    else:
        name = pick(rng, list(members))
        damaged = len(members[name]) > 8 and rng.random() < 0.8
        members[name] = pick(rng, ANY)(rng, members[name]) if damaged else PICKLE
    return joined(members)


def read_members(content: bytes) -> dict[str, bytes]:
    """Return the members of an archive by their names."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def joined(members: dict[str, bytes]) -> bytes:
    """Return an archive, the same each time."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)
    return file.getvalue()


def _config(rng: Rng, content: bytes) -> bytes:
    """Let a configuration name other classes, functions and connections."""
    try:
        whole = json.loads(content)
    except (ValueError, RecursionError):
        return content
    holders = list(_objects(whole))
    if not holders:
        return content
    holder = pick(rng, holders)
    way = int(rng.integers(4))
    if way == 0 and "class_name" in holder:
        holder["class_name"], holder["module"] = pick(rng, CLASSES)
        holder["registered_name"] = None
    elif way == 1 and isinstance(holder.get("config"), dict):
        code = {"class_name": "__lambda__", "config": {"code": CODE, "defaults": None}}
        holder["class_name"], holder["module"], holder["registered_name"] = (
            *("Lambda", "keras.layers"),
            None,
        )
        holder["config"] = {"name": "code", "function": code}
    else:
        key = pick(rng, list(holder)) if holder else "name"
        holder[key] = pick(rng, [*ODD, "relu", "float16", "int8", "channels_first", [1, 1], [5, 5]])
    return json.dumps(whole).encode()


def _objects(item: Any) -> Iterator[dict[str, Any]]:
    if isinstance(item, dict):
        yield item
    if isinstance(item, dict | list):
        for value in item.values() if isinstance(item, dict) else item:
            yield from _objects(value)
