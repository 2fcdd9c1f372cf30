"""Files that are written whole or not at all."""

import errno
import hashlib
import os
import shutil
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


def check_room(folder: str | os.PathLike[str], size: int) -> None:
    """Find out whether a folder takes a file of `size` bytes, before something writes it.

    For writers that do not survive a full disk: HDF5 ends the whole process.

    Raises:
        OSError: if the disk is full, or the file would be larger than is allowed.
    """
    try:
        with tempfile.TemporaryFile(dir=folder, prefix=".part-") as file:
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(file.fileno(), 0, size)
            elif shutil.disk_usage(folder).free < size:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(folder)) from None


@contextmanager
def locked(path: str | os.PathLike[str]) -> Iterator[bool | None]:
    """Hold a lock file in the block; the lock ends with the process, however that ends.

    Yields:
        True where the lock is held, False where another process holds it, None where the system has
        no such locks (Windows): there nothing guards against two at once.

    Raises:
        OSError: naming the folder, if the file cannot be opened.
    """
    try:
        import fcntl
    except ImportError:
        yield None
        return
    try:
        lock = open(path, "w")
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(Path(path).parent)) from None
    with lock as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield True


def sha256(path: str | os.PathLike[str]) -> str:
    """Return the SHA-256 of a file in hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
