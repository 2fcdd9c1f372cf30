"""Changes at random that any file takes, and what those of the formats are made with."""

import zlib
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np

Rng = np.random.Generator
Change = Callable[[Rng, bytes], bytes]
NUMBERS = [0, 1, 2, 3, 4, 7, 8, 16, 27, 32, 127, 128, 255, 256, 1000, 13_000, 32_767, 32_768]
NUMBERS += [65_000, 65_535, 65_536, 2**24, 2**31 - 1, 2**31, 2**32 - 1]


def pick(rng: Rng, choices: list) -> Any:
    """Return one of several."""
    return choices[int(rng.integers(len(choices)))]


def any_number(rng: Rng, bits: int) -> int:
    """Return a number of so many bits, mostly one that programs stumble over."""
    value = pick(rng, NUMBERS) if rng.random() < 0.7 else int(rng.integers(2**bits))
    return value % 2**bits


def cut(rng: Rng, content: bytes) -> bytes:
    """Leave the end out."""
    return content[: int(rng.integers(len(content)))]


def cut_little(rng: Rng, content: bytes) -> bytes:
    """Leave a few bytes at the end out."""
    return content[: -int(rng.integers(1, min(len(content), 30)))]


def flip(rng: Rng, content: bytes) -> bytes:
    """Change a few bytes."""
    changed = bytearray(content)
    for _ in range(int(rng.integers(1, 6))):
        changed[int(rng.integers(len(changed)))] = int(rng.integers(256))
    return bytes(changed)


def flip_head(rng: Rng, content: bytes) -> bytes:
    """Change a few bytes among the first 80."""
    return flip(rng, content[:80]) + content[80:]


def word(rng: Rng, content: bytes) -> bytes:
    """Put a number somewhere."""
    size = int(pick(rng, [1, 2, 4]))
    at = int(rng.integers(len(content)))
    value = any_number(rng, 8 * size).to_bytes(size, pick(rng, ["little", "big"]))
    return content[:at] + value + content[at + size :]


def remove(rng: Rng, content: bytes) -> bytes:
    """Leave a few bytes out."""
    at, length = int(rng.integers(len(content))), int(rng.integers(1, 60))
    return content[:at] + content[at + length :]


def repeat(rng: Rng, content: bytes) -> bytes:
    """Put a few bytes in twice."""
    at, length = int(rng.integers(len(content))), int(rng.integers(1, 200))
    return content[: at + length] + content[at : at + length] + content[at + length :]


def trail(rng: Rng, content: bytes) -> bytes:
    """Put bytes behind the end."""
    return content + rng.bytes(int(rng.integers(1, 300)))


ANY = [cut, cut_little, flip, flip_head, word, remove, repeat, trail]


@lru_cache
def packed(length: int) -> bytes:
    """Return so many zeros, compressed; made once, for it takes its time."""
    return zlib.compress(bytes(length))
