"""Files that are written whole or not at all."""

import errno
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from zoo.machine.failures import naming
from zoo.machine.parts import part_folder, remove_abandoned

# What a file system answers that does not know how to wait for its disk.
_NO_SYNC = {errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS}
_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a temporary path beside `path`, which takes its place when the block succeeds.

    The temporary file has the name of `path`, whose ending some writers check. When the block fails
    it is removed and what was at `path` stays. What a killed process leaves is removed by the next
    that writes into the folder (see `zoo.machine.parts`).

    Raises:
        OSError: naming `path`, if it cannot be written or there is no room for it.

    Example:
        >>> with replacing("model.weights.h5") as part:
        ...     model.save_weights(part)
    """
    target = Path(path)
    with part_folder(target.parent) as folder:
        part = folder / target.name
        with naming(target, _NO_ROOM):
            yield part
        # The bytes are on the disk before the name is: a crash leaves the old file or the new one.
        with naming(target):
            flush(part)
            os.replace(part, target)


def flush(path: Path) -> None:
    """Wait until the bytes of a file are on the disk, where its file system can tell."""
    with path.open("rb+") as file:
        try:
            os.fsync(file.fileno())
        except OSError as error:
            if error.errno not in _NO_SYNC:
                raise


def make_folder(path: str | os.PathLike[str]) -> None:
    """Make a folder and those above it that are missing, however many they are."""
    missing = [Path(path)]
    while not missing[-1].parent.exists():
        missing.append(missing[-1].parent)
    for folder in reversed(missing):
        folder.mkdir(exist_ok=True)


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
    remove_abandoned(Path(folder))
    with naming(Path(folder)), tempfile.TemporaryFile(dir=folder, prefix=".part-") as file:
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(file.fileno(), 0, size)
        elif shutil.disk_usage(folder).free < size:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def sha256(path: str | os.PathLike[str]) -> str:
    """Return the SHA-256 of a file in hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sha256_of_all(paths: Iterable[Path]) -> str:
    """Return one SHA-256 of several files: of name, a zero byte and content of each in turn."""
    digest = hashlib.sha256()
    for path in paths:
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()
