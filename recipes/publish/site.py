"""Look over the built site: no broken link, nothing from the net, every public name documented.

python -m recipes.publish.site build/site
"""

import argparse
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import asykeras
import zoo
import zoo.plug_and_play
from zoo.app.command import Work, command

# Tags that load what they name; a link that a reader follows may lead anywhere.
LOADING = {"script": "src", "img": "src", "iframe": "src", "source": "src"}
LOADING_RELATIONS = {"stylesheet", "preload", "modulepreload", "icon", "preconnect"}


class _Page(HTMLParser):
    """What a page names, and what it loads."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.anchors: set[str] = set()
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep anchors and addresses."""
        given = {name: value or "" for name, value in attrs}
        self.anchors |= {given[name] for name in ("id", "name") if name in given}
        if tag in LOADING and (source := given.get(LOADING[tag])):
            self.loaded.append(source)
        elif tag == "a" and "href" in given:
            self.links.append(given["href"])
        elif tag == "link" and LOADING_RELATIONS & set(given.get("rel", "").split()):
            self.loaded.append(given["href"])


def public_names() -> list[str]:
    """Return the full names of what the packages offer."""
    packages = (asykeras, zoo, zoo.plug_and_play)
    return [
        f"{package.__name__}.{name}"
        for package in packages
        for name in package.__all__
        if not name.startswith("_")
    ]


def faults(site: Path) -> Iterator[str]:
    """Yield a sentence for everything that is wrong with a built site."""
    pages = {path: _Page(path.read_text(encoding="utf-8")) for path in site.rglob("*.html")}
    if not pages:
        yield f"{site} holds no page"
    for path, page in pages.items():
        name = path.relative_to(site)
        yield from (f"{name} loads {each}" for each in page.loaded if _is_elsewhere(each))
        for each in [*page.links, *page.loaded]:
            if not _is_elsewhere(each) and not _leads_somewhere(each, path, site, pages):
                yield f"{name} leads to {each}, which is not there"
    anchors = set().union(*(page.anchors for page in pages.values()))
    yield from (f"{name} is not documented" for name in public_names() if name not in anchors)


def _is_elsewhere(address: str) -> bool:
    parts = urlsplit(address)
    return bool(parts.netloc) or parts.scheme in ("http", "https", "mailto")


def _leads_somewhere(address: str, page: Path, site: Path, pages: dict[Path, _Page]) -> bool:
    parts = urlsplit(address)
    if parts.scheme == "data" or page.name == "404.html":
        return True
    there = site if parts.path.startswith("/") else page.parent
    target = (there / unquote(parts.path).lstrip("/")).resolve() if parts.path else page
    if target.is_dir():
        target /= "index.html"
    if parts.fragment and target in pages:
        return unquote(parts.fragment) in pages[target].anchors
    return target.is_file()


@command
def main(parser: argparse.ArgumentParser) -> Work:
    """Add the options; return what is done with them."""
    parser.add_argument("folder", type=Path, metavar="DIR")
    return look


def look(options: argparse.Namespace) -> int:
    """Print what is wrong; return the exit code."""
    found = sorted(set(faults(options.folder.resolve())))
    print("\n".join(found) if found else f"{options.folder}: nothing is wrong")
    return int(bool(found))


if __name__ == "__main__":
    raise SystemExit(main())
