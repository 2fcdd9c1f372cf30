"""Gather what the site is made of in one folder: the guides, and what they lead to.

    python -m recipes.publish.stage build/docs

Guides link to files of the repository beside `docs`, such as reports and their figures. Those are
copied too, and what they lead to, with every link changed to the new place.
"""

import argparse
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

from recipes.publish.pages import DOCS, ROOT
from zoo.app.command import Work, command

# `[text](target)`, `![text](target)`; code between backquotes is left alone.
LINK = re.compile(r"(```.*?```|`[^`\n]*`)|(\]\()([^)\s]+)(\))", re.DOTALL)
ELSEWHERE = re.compile(r"[a-z]+:|#")


class LinkError(ValueError):
    """A link that leads nowhere."""


def staged(path: Path) -> Path:
    """Return where a file stands in the folder: guides at the top, others as in the repository."""
    return path.relative_to(DOCS if path.is_relative_to(DOCS) else ROOT)


def targets(page: Path) -> Iterator[str]:
    """Yield the links of a page that lead to files."""
    for link in LINK.finditer(page.read_text(encoding="utf-8")):
        if link[3] and not ELSEWHERE.match(link[3]):
            yield link[3]


def leads_to(page: Path, target: str) -> Path:
    """Return the file that a link leads to.

    Raises:
        LinkError: if there is none, or it lies outside the repository.
    """
    path = Path(os.path.normpath(page.parent / target.partition("#")[0]))
    if not path.is_file() or not path.is_relative_to(ROOT):
        raise LinkError(f"{page.relative_to(ROOT)} leads to {target}, which is no file")
    return path


def relinked(page: Path) -> str:
    """Return the text of a page whose links fit the folder."""

    def replace(link: re.Match[str]) -> str:
        if not link[3] or ELSEWHERE.match(link[3]):
            return link[0]
        _, mark, anchor = link[3].partition("#")
        new = os.path.relpath(staged(leads_to(page, link[3])), staged(page).parent)
        return f"{link[2]}{new}{mark}{anchor}{link[4]}"

    return LINK.sub(replace, page.read_text(encoding="utf-8"))


def gather(folder: Path) -> list[Path]:
    """Write the folder anew; return what stands in it.

    Raises:
        LinkError: if a link leads nowhere.
    """
    shutil.rmtree(folder, ignore_errors=True)
    waiting = [path for path in sorted(DOCS.rglob("*")) if path.is_file()]
    done: set[Path] = set()
    while waiting:
        path = waiting.pop()
        if path in done:
            continue
        done.add(path)
        copy = folder / staged(path)
        copy.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".md":
            copy.write_text(relinked(path), encoding="utf-8")
            waiting += [leads_to(path, target) for target in targets(path)]
        else:
            shutil.copyfile(path, copy)
    return sorted(map(staged, done))


@command
def main(parser: argparse.ArgumentParser) -> Work:
    """Add the options; return what is done with them."""
    parser.add_argument("folder", type=Path, metavar="DIR", help="is removed first")
    return write


def write(options: argparse.Namespace) -> None:
    """Write the folder and say how much stands in it."""
    files = gather(options.folder)
    print(f"{options.folder}: {sum(path.suffix == '.md' for path in files)} pages")


if __name__ == "__main__":
    raise SystemExit(main())
