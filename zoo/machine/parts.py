"""Temporary folders of this program: gone at the end of a block, or with the next run after a kill.

A part is a folder `.part-PROCESS-RANDOM` that holds an empty file `MARK` and a folder `CONTENT`.
The process that made it holds a lock on the mark, which ends with that process, however it ends. So
a part with a free mark belongs to nobody, and anything else by such a name belongs to somebody.
"""

import os
import re
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from zoo.machine.failures import naming
from zoo.machine.locks import lock_file
from zoo.machine.signals import delivered, held

NAME = re.compile(r"\.part-[0-9]+-[0-9a-f]{16}")
MARK, CONTENT = ".asykeras-part", "content"

_cleared: set[Path] = set()  # folders that this process has looked through


@contextmanager
def part_folder(parent: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a new, empty folder below another; it and all in it is removed after the block.

    What killed processes have left in `parent` is removed first, once in the life of a process.

    Raises:
        OSError: naming `parent`, if nothing can be made there.
    """
    folder = Path(parent)
    if (home := folder.absolute()) not in _cleared:
        _cleared.add(home)
        remove_abandoned(folder)
    with held():
        with naming(folder):
            part, mark = _claim(folder)
        try:
            with delivered():
                yield part / CONTENT
        finally:
            _remove(part)
            if mark is not None:
                os.close(mark)


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """Yield a new, empty folder where the system keeps temporary files; see `part_folder`."""
    with part_folder(tempfile.gettempdir()) as folder:
        yield folder


def remove_abandoned(folder: Path) -> None:
    """Remove the parts right in a folder whose processes have ended.

    Where the system has no locks nothing tells who is at work, and nothing is removed.
    """
    with suppress(OSError), os.scandir(folder) as entries:
        for part in [Path(entry) for entry in entries if NAME.fullmatch(entry.name)]:
            with suppress(OSError):  # another user's
                if _is_ours(part):
                    _remove_if_free(part)


def _claim(folder: Path) -> tuple[Path, int | None]:
    """Make a part; return it and the lock on its mark, None where there are no locks."""
    while True:
        part = folder / f".part-{os.getpid()}-{secrets.token_hex(8)}"
        part.mkdir(mode=0o700)
        try:
            mark = lock_file(part / MARK)
        except FileNotFoundError:  # another process took it for abandoned
            continue
        if mark is not False:
            (part / CONTENT).mkdir()
            return part, mark


def _is_ours(part: Path) -> bool:
    """Whether a folder with the name of a part holds nothing but what a part holds."""
    if part.is_symlink() or not part.is_dir():
        return False
    names = {entry.name for entry in os.scandir(part)}
    mark, content = part / MARK, part / CONTENT
    if names - {MARK, CONTENT} or (CONTENT in names and MARK not in names):
        return False
    if MARK in names and (mark.is_symlink() or not mark.is_file() or mark.stat().st_size):
        return False
    return CONTENT not in names or (content.is_dir() and not content.is_symlink())


def _remove_if_free(part: Path) -> None:
    try:
        mark = lock_file(part / MARK, create=False)
    except FileNotFoundError:  # killed before the mark was there: then nothing else is
        part.rmdir()
        return
    if mark is not None and mark is not False:
        _remove(part)
        os.close(mark)


def _remove(part: Path) -> None:
    """Remove a part, the mark last: what a kill leaves of it is a part still."""
    shutil.rmtree(part / CONTENT, ignore_errors=True)
    with suppress(OSError):
        (part / MARK).unlink(missing_ok=True)
        part.rmdir()
