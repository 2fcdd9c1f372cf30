"""The tables of the guides, made from cards, result files and the networks themselves.

    python -m recipes.publish.pages          # put them into every page of docs
    python -m recipes.publish.pages --check  # say which page would change; exit code 1

A page holds a line `<!-- table: KIND ... -->`, the table, and `<!-- end of table -->`:

weights                  every published weight, one row each
training                 how long the run took that each came from, and on what
tests BUILDER            every number that was measured of the weights of a network
cards BUILDER            their files and how they were trained
parameters BUILDER       of the variants of a network, counted
differs BUILDER          what its docstring says of the published network
csv FILE                 a file of results with a head
markdown FILE            the first table of a report
"""

import argparse
import csv
import inspect
import re
from collections.abc import Callable, Sequence
from pathlib import Path

import zoo
from recipes.publish import readme
from zoo.app.command import Work, command
from zoo.machine.files import write_atomically
from zoo.store.card import Card, take
from zoo.store.weight import list_weights, published_card

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
BEGIN = re.compile(r"<!-- table: ([^\n]*) -->\n")
END = "<!-- end of table -->"
Variant = dict[str, int | str | bool]
VARIANTS: dict[str, dict[str, Variant]] = {
    "SRCNN": {name: {"scale": 2, "variant": name} for name in ("9-1-5", "9-3-5", "9-5-5")},
    "EDSR": {
        f"{variant}, x{scale}": {"scale": scale, "variant": variant}
        for variant in ("baseline", "full")
        for scale in (2, 3, 4)
    },
    "MDSR": {name: {"variant": name} for name in ("baseline", "full")},
    "DnCNN": {
        f"{name} ({use})": {"variant": name, "batch_norm": False}
        for name, use in {"S": "one level", "B": "any level", "C": "any level, colour"}.items()
    },
    "FFDNet": {"grey": {"channels": 1}, "colour": {"channels": 3}},
    "DPHSIR": {name: {"variant": name} for name in ("full", "small")},
    "SPAN": {
        f"{channels} channels, x{scale}": {"scale": scale, "channels": channels}
        for channels in (28, 48, 52)
        for scale in (2, 3, 4)
    },
    "Compact": {
        f"{name}, x{scale}": {"scale": scale, "convolutions": convolutions}
        for name, convolutions in {"animevideov3": 16, "general-x4v3": 32}.items()
        for scale in (2, 4)
    },
}


def cards_of(builder: str) -> dict[str, Card]:
    """Return the cards of the published weights of a network by name."""
    cards = {name: published_card(name) for name in list_weights()}
    return {name: card for name, card in cards.items() if card.builder == builder}


def tests(builder: str) -> str:
    """Return one row for each number of each weight of a network."""
    rows = []
    for name, card in cards_of(builder).items():
        for test in card.tests:
            scores = f"{test.psnr:.2f} / {test.ssim:.4f}"
            rows.append([f"`{name}`", str(test), scores, test.beside()])
    return readme.markdown(["weight", "test", "PSNR in dB / SSIM", "published"], rows)


def cards(builder: str) -> str:
    """Return one row for each weight of a network: its file and how it was trained."""
    rows = []
    for name, card in cards_of(builder).items():
        size = f"{card.parameters:,}, {card.bytes / 1024:,.0f} KiB"
        rows.append([f"`{name}`", size, str(card.more["note"]), f"`{card.sha256[:8]}`"])
    return readme.markdown(["weight", "parameters, file", "training", "SHA-256"], rows)


def training() -> str:
    """Return one row for each published weight: how long its run took, and on what.

    Of a run that was cut, the steps that it reached.
    """
    rows = []
    for name in list_weights():
        told = published_card(name).training
        settings, seconds = take(told, "settings", dict), take(told, "seconds", int)
        stopped = take(told, "stopped", str, str(take(settings, "steps", int)))
        steps = int(stopped.split()[0].replace(",", ""))
        speed = f"{1000 * seconds / steps:,.1f}"
        hardware = take(told, "hardware", str)
        rows.append([f"`{name}`", f"{steps:,}", f"{seconds / 3600:.2f}", speed, hardware])
    return readme.markdown(["weight", "steps", "hours", "seconds per 1,000 steps", "on"], rows)


def parameters(builder: str) -> str:
    """Return one row for each variant of a network, with its parameters counted."""
    build = getattr(zoo, builder)
    rows = [
        [name, f"`zoo.{builder}({_call(arguments)})`", f"{build(**arguments).count_params():,}"]
        for name, arguments in VARIANTS[builder].items()
    ]
    return readme.markdown(["variant", "built by", "parameters"], rows)


def _call(arguments: Variant) -> str:
    return ", ".join(f"{name}={value!r}" for name, value in arguments.items()).replace("'", '"')


def differs(builder: str) -> str:
    """Return what the docstring of a network says of the difference from what was published."""
    text = inspect.getdoc(getattr(zoo, builder)) or ""
    found = re.search(r"^Differs from (.*?)(?:\n\n|\Z)", text, re.DOTALL | re.MULTILINE)
    return found[0].strip() if found else "Nothing is known to differ."


def from_csv(name: str) -> str:
    """Return a file of comma-separated values, whose first line is the head, as a table."""
    with open(ROOT / name, encoding="utf-8", newline="") as file:
        head, *rows = csv.reader(file)
    return readme.markdown(head, rows)


def from_markdown(name: str) -> str:
    """Return the first table of a report.

    Raises:
        ValueError: if it has none.
    """
    text = (ROOT / name).read_text(encoding="utf-8")
    found = re.search(r"^\|.*?(?=\n\n|\Z)", text, re.DOTALL | re.MULTILINE)
    if not found:
        raise ValueError(f"{name} holds no table")
    return found[0].rstrip()


KINDS: dict[str, Callable[..., str]] = {
    "weights": readme.table,
    "training": training,
    "tests": tests,
    "cards": cards,
    "parameters": parameters,
    "differs": differs,
    "csv": from_csv,
    "markdown": from_markdown,
}


def put_into(text: str, kinds: Sequence[str] = tuple(KINDS)) -> str:
    """Return a page with its tables of some kinds made anew.

    Raises:
        ValueError: if a table has no end, or its kind is unknown.
    """
    parts, end = [], 0
    for mark in BEGIN.finditer(text):
        kind, *arguments = mark[1].split()
        close = text.find(END, mark.end())
        if kind not in KINDS or close < 0:
            raise ValueError(f"{mark[0].strip()} has no end, or is none of {', '.join(KINDS)}")
        made = KINDS[kind](*arguments) + "\n" if kind in kinds else text[mark.end() : close]
        parts += [text[end : mark.end()], made]
        end = close
    return "".join([*parts, text[end:]])


def pages() -> list[Path]:
    """Return the guides."""
    return sorted(DOCS.rglob("*.md"))


@command
def main(parser: argparse.ArgumentParser) -> Work:
    """Add the options; return what is done with them."""
    parser.add_argument("--check", action="store_true", help="change nothing")
    return write


def write(options: argparse.Namespace) -> int:
    """Make the tables of every page; return the exit code."""
    changed = 0
    for path in pages():
        before = path.read_text(encoding="utf-8")
        after = put_into(before)
        if before != after:
            changed += 1
            print(f"{path.relative_to(ROOT)} {'is not up to date' if options.check else 'written'}")
            if not options.check:
                write_atomically(path, after.encode())
    return int(bool(changed and options.check))


if __name__ == "__main__":
    raise SystemExit(main())
