"""Walks of folders by one rule: what is taken, and a word about what is not."""

import os
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from zoo.machine.failures import printable

NAMED = 8  # endings that a remark names


@dataclass
class Walk:
    """What lies below a folder.

    Attributes:
        files: With the endings that were asked for, sorted by path.
        left_out: Other files, counted by ending.
        outside: Links that lead out of the folder and were not followed.
        problems: Sentences about what cannot be read.
    """

    files: list[Path] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)
    outside: list[Path] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def omissions(self, root: Path) -> str:
        """Return a remark about the files of other endings, or nothing."""
        if not self.left_out:
            return ""
        most = self.left_out.most_common(NAMED)
        words = [f"{count} {printable(suffix) or 'without ending'}" for suffix, count in most]
        more = self.left_out.total() - sum(count for _, count in most)
        words += [f"{more} others"] if more else []
        return f"left out of {root}: {', '.join(words)}"

    def not_followed(self, root: Path) -> str:
        """Return a remark about the links that lead out of the folder, or nothing."""
        if not self.outside:
            return ""
        others = len(self.outside) - 1
        more = f", nor {'is' if others == 1 else 'are'} {others} other link{'s' * (others > 1)}"
        more = more if others else ""
        return f"{self.outside[0]} leads out of {root} and is not followed{more}"


def walk(
    root: str | os.PathLike[str],
    suffixes: Collection[str],
    *,
    follow: bool = False,
    without: Path | None = None,
    deep: bool = True,
) -> Walk:
    """Find the files below a folder.

    Hidden files and folders are passed over (`._x.png` is what a Mac leaves beside `x.png`), and so
    are links to folders. Links to files are followed.

    Args:
        root: The folder.
        suffixes: Endings of the files, with their full stop, in lower case.
        follow: Whether also links to files are followed that lead out of the folder.
        without: A folder below that is passed over.
        deep: Whether also the folders below are searched.
    """
    found, home = Walk(), Path(os.path.realpath(root))
    for folder, names in _folders(Path(root), found, home, without):
        for name in names:
            path = folder / name
            suffix = path.suffix.lower()
            if suffix not in suffixes:
                found.left_out[suffix] += 1
            elif not follow and path.is_symlink() and _leads_out(path, home):
                found.outside.append(path)
            elif not os.path.isfile(path):
                found.problems.append(f"{path} is no file that can be read")
            else:
                found.files.append(path)
        if not deep:
            break
    found.files.sort()
    return found


def folders(root: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a folder and all below it that are neither hidden nor links."""
    for folder, _ in _folders(Path(root), Walk(), Path(os.path.realpath(root)), None):
        yield folder


def _folders(
    root: Path, found: Walk, home: Path, without: Path | None
) -> Iterator[tuple[Path, list[str]]]:
    """Yield folders with the names of what is in them and is no folder; without recursion."""
    real = Path(os.path.realpath(without)) if without else None
    skipped = root / real.relative_to(home) if real and real.is_relative_to(home) else None
    waiting = [root]
    while waiting:
        folder, below, names = waiting.pop(), [], []
        try:
            with os.scandir(folder) as entries:
                for entry in sorted(entries, key=lambda entry: entry.name):
                    if entry.name.startswith("."):
                        continue
                    path = Path(entry)
                    if entry.is_dir(follow_symlinks=False):
                        below.append(path)
                    elif not os.path.isdir(path):
                        names.append(entry.name)
                    elif _leads_out(path, home):
                        found.outside.append(path)
        except OSError as error:
            found.problems.append(f"{error.filename or folder}: {error.strerror}")
            continue
        yield folder, names
        waiting += [path for path in reversed(below) if path != skipped]  # the last is taken first


def _leads_out(path: Path, home: Path) -> bool:
    return not Path(os.path.realpath(path)).is_relative_to(home)
