"""Locks on files, which end with the process that holds them, however it ends."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Literal

from zoo.machine.failures import naming
from zoo.machine.signals import delivered, held

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

# What mounts without locks answer.
_NO_LOCKS = {errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL}


@contextmanager
def locked(path: str | os.PathLike[str]) -> Iterator[bool | None]:
    """Hold a lock file in the block; the file is removed at its end.

    Yields:
        True where the lock is held, False where another process holds it, None where there are no
        such locks (Windows, some network mounts): there nothing guards against two at once.

    Raises:
        OSError: naming the folder, if the file cannot be opened.
    """
    target = Path(path)
    with held():
        with naming(target.parent):
            file = lock_file(target)
        try:
            with delivered():
                yield None if file is None else file is not False
        finally:
            if file is not None and file is not False:
                _unlink(target, file)
                os.close(file)


def lock_file(path: Path, create: bool = True) -> int | Literal[False] | None:
    """Open a file and lock it.

    Returns:
        The descriptor, whose closing ends the lock; False where another process holds it; None
        where there are no locks: then no lock file of ours is left.

    Raises:
        FileNotFoundError: if there is no such file and none is to be made.
        OSError: if it cannot be opened; also where it is a symbolic link.
    """
    if fcntl is None:
        return None
    while True:
        flags = os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW | (os.O_CREAT if create else 0)
        file = os.open(path, flags, 0o666)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_at(path, file):
                return file
        except BlockingIOError:
            os.close(file)
            return False
        except OSError as error:
            if create and error.errno in _NO_LOCKS:
                _unlink(path, file)
            os.close(file)
            if error.errno in _NO_LOCKS:
                return None
            raise
        os.close(file)  # its last holder has removed it meanwhile


def _unlink(path: Path, file: int) -> None:
    """Remove a lock file, which is empty: one that is not is somebody's."""
    with suppress(OSError):
        if os.fstat(file).st_size == 0:
            path.unlink()


def _is_at(path: Path, file: int) -> bool:
    """Whether an open file is still the one of that name."""
    try:
        return os.path.samestat(os.stat(path), os.fstat(file))
    except FileNotFoundError:
        return False
