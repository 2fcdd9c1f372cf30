"""Files that are written whole or not at all."""

import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a temporary path beside `path`, which takes its place when the block succeeds.

    The temporary name keeps the endings of `path`, which some writers check. When the block fails
    it is removed and what was at `path` stays.

    Example:
        >>> with replacing("model.weights.h5") as part:
        ...     model.save_weights(part)
    """
    target = Path(path)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".part-") as folder:
        part = Path(folder) / target.name
        yield part
        # The bytes are on the disk before the name is: a crash leaves the old file or the new one.
        with part.open("rb+") as file:
            os.fsync(file.fileno())
        os.replace(part, target)


def write_atomically(path: str | os.PathLike[str], content: bytes) -> None:
    """Write bytes to a file, whole or not at all."""
    with replacing(path) as part:
        part.write_bytes(content)


def sha256(path: str | os.PathLike[str]) -> str:
    """Return the SHA-256 of a file in hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
