"""Changes of files of text: JSON of cards and runs, headers of ENVI files and of `.npy`."""

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

from tests.fuzz.changes import Rng, pick

# What a stranger may write anywhere.
ODD: list[Any] = [
    *(
        None,
        True,
        False,
        -1,
        0,
        2,
        10**9,
        10**30,
        -(10**30),
        1e308,
        0.5,
        float("nan"),
        float("inf"),
    ),
    *("", "x" * 100_000, "\x1b[2J\n\u2028", "../secret.json", "\ud800", "2", "nan", "1-1-1"),
    *([], {}, [[]], [2, 3], {"a": {}}, [[0, 50]], [25, 15], ["grey", 7]),
]
# Arguments of builders and fields of cards and runs, among them those that make networks large.
KEYS = [
    *("blocks", "filters", "depth", "bands", "channels", "scale", "variant", "padding"),
    *("residual_scale", "batch_norm", "weights", "normalization", "name", "builder", "arguments"),
    *("sha256", "use", "levels", "level", "colours", "takes_sigma", "enlarge_first", "file", "url"),
    *("settings", "versions", "steps", "seed", "init", "training", "reached", "stopped"),
]
BUILDERS = ["SRCNN", "EDSR", "DnCNN", "DPHSIR", "MDSR", "os.system", "__class__"]
HEADER_FIELDS = [
    *("samples", "lines", "bands", "header offset", "data type", "interleave", "byte order"),
    *("file type", "file compression", "data ignore value", "wavelength", "map info", "fwhm"),
    *("bbl", "pixel size", "default bands", "band names", "x start", "\x1b[2J", ";", ""),
]
HEADER_TEXTS = [
    *("0", "1", "2", "-1", "+3", " 4 ", "4.0", "4e0", "1e9", "999999999", "9" * 18, "9" * 5000),
    *("x", "", "{", "{ 1 , 2", "}", "{ 1, 2, 3 }", "{ a\n b }", "bip", "BIL", "bzz", "nan", "inf"),
    *("-1e400", "²", "٣", "1_0", "6", "9", "12", "ENVI Standard", "ENVI Spectral Library"),
    *("\x1b[2J", "\udcff", "{" + "1," * 10_000 + "1}"),
]


# ---- JSON


def change_json(rng: Rng, content: bytes) -> bytes:
    """Return a file with one change."""
    if rng.random() < 0.15:
        return bytes(pick(rng, _TEXTS)(content))
    try:
        whole = json.loads(content)
    except (ValueError, RecursionError):
        return content
    places = [(holder, key) for holder, key in _places(whole) if rng.random() < 0.9]
    if not places:
        return json.dumps(pick(rng, ODD)).encode()
    holder, key = pick(rng, places)
    way = rng.random()
    if way < 0.6:
        holder[key] = pick(rng, ODD)
    elif way < 0.7:
        del holder[key]
    elif way < 0.75 and isinstance(holder, dict):
        holder[pick(rng, ["", "a\nb", "x" * 10_000, *KEYS])] = holder.pop(key)
    elif isinstance(whole, dict):
        _put_known(rng, whole)
    return json.dumps(whole).encode()


def _places(item: Any) -> Iterator[tuple[Any, Any]]:
    """Yield every holder of a value, with its key."""
    if not isinstance(item, dict | list):
        return
    entries = item.items() if isinstance(item, dict) else enumerate(item)
    for key, value in list(entries):
        yield item, key
        yield from _places(value)


def _put_known(rng: Rng, whole: dict[str, Any]) -> None:
    """Give a known field another value: of the arguments, or at the top."""
    if rng.random() < 0.2:
        whole["builder"] = pick(rng, BUILDERS)
        return
    inner = [value for value in whole.values() if isinstance(value, dict)]
    holder = pick(rng, inner) if inner and rng.random() < 0.7 else whole
    numbers = [1, 2, 3, 4, 64, 1000, 10**5, 10**7, 10**12, "secret.weights.h5"]
    holder[pick(rng, KEYS)] = pick(rng, numbers) if rng.random() < 0.6 else pick(rng, ODD)


def _nested(content: bytes) -> bytes:
    return b'{"builder": ' + b"[" * 50_000 + b"]" * 50_000 + b"}"


_TEXTS: list[Callable[[bytes], bytes]] = [
    _nested,
    lambda content: b"[" * 100_000,
    lambda content: b'{"a":' * 20_000,
    lambda content: content.decode("utf-8", "replace").encode("utf-16"),
    lambda content: b"\xef\xbb\xbf" + content,
    lambda content: content.replace(b"S", "ß".encode("latin1")),
    lambda content: content + b" " * 2**20,
    lambda content: content + content,
    lambda content: content.replace(b":", b": " + b"9" * 5000 + b', "b":', 1),
    lambda content: content.replace(b'"', b"\0"),
    lambda content: b"",
    lambda content: b"null",
    lambda content: b"[" + content + b"]",
    lambda content: content.replace(b"{", b'{"sha256": 1, ', 1),
]


# ---- ENVI


def change_header(rng: Rng, content: bytes) -> bytes:
    """Return a header of ENVI with one change."""
    lines = content.decode("utf-8", "surrogateescape").split("\n")
    at = int(rng.integers(1, len(lines))) if len(lines) > 1 else 0
    name, text = pick(rng, HEADER_FIELDS), pick(rng, HEADER_TEXTS)
    way = int(rng.integers(6))
    if way < 3:
        own = lines[at].partition("=")[0]
        lines[at] = f"{own}= {text}" if way else f"{name} = {text}"
    elif way == 3:
        lines.insert(at, f"{name} = {text}")
    elif way == 4:
        del lines[at]
    else:
        lines[at] = pick(rng, ["=", ";", "", "\r", lines[at] * 3, "x" * 10**5, lines[0]])
    return "\n".join(lines).encode("utf-8", "surrogateescape")


# ---- npy


def change_npy(rng: Rng, content: bytes) -> bytes:
    """Return a `.npy` file whose header says something else, its length right."""
    length = int.from_bytes(content[8:10], "little")
    text, values = content[10 : 10 + length].decode("latin1"), content[10 + length :]
    kinds = ["|O", "<f2", "<f8", ">f4", "<c8", "|b1", "|S3", "<U2", "|V8", "<M8[s]", "<f4,<i2", "x"]
    shapes = [
        "()",
        "(0, 2, 3)",
        "(-1, 2, 3)",
        "(1e3,)",
        "(9, 9, 9, 9)",
        "(10**9,)",
        "'a'",
        "[2, 3]",
    ]
    shapes += ["(True, 2, 3)", "(100000, 100000, 100)", f"({2**63}, 1, 1)", "(" * 300, "(1,) * 9"]
    way = int(rng.integers(5))
    if way == 0:
        text = re.sub("'descr': *'[^']*'", lambda _: f"'descr': '{pick(rng, kinds)}'", text)
    elif way == 1:
        text = re.sub(r"'shape': *\([^)]*\)", lambda _: f"'shape': {pick(rng, shapes)}", text)
    elif way == 2:
        text = text.replace("False", pick(rng, ["True", "'x'", "None", "7", "__import__('os')"]))
    elif way == 3:
        text = pick(rng, ["{}", "[" * 9000, "{'descr': '<f4'}", "()", "x" * 60_000, "1" * 5000, ""])
    else:  # objects, by a pickle that writes a file
        text = re.sub("'descr': *'[^']*'", "'descr': '|O'", text)
        values = PICKLE
    head = text.encode("latin1")
    return content[:8] + len(head).to_bytes(2, "little") + head + values


# Opens a file by its name where it is unpickled.
EXECUTED = "executed"
PICKLE = f"cbuiltins\nopen\n(S'{EXECUTED}'\nS'w'\ntR.".encode()
