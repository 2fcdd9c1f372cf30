"""The README's table of weights, made from the cards.

python -m zoo.store.table           print it
python -m zoo.store.table README.md put it between the marks in a file
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from zoo.machine.files import write_atomically
from zoo.store.weight import card, list_weights

BEGIN, END = (
    "<!-- weights: made by python -m zoo.store.table README.md -->",
    "<!-- end of weights -->",
)


def table() -> str:
    """Return one line for each test of each weight, in Markdown."""
    lines = [
        "| weight | parameters, file | test | PSNR / SSIM | published | SHA-256 |",
        "|---|---|---|---|---|---|",
    ]
    for name in list_weights():
        its_card = card(name)
        for number, test in enumerate(its_card["tests"]):
            first = number == 0
            size = f"{its_card['parameters']:,}, {its_card['bytes'] / 1024:,.0f} KiB"
            cells = [
                f"`{name}`" if first else "",
                size if first else "",
                describe(test),
                f"{test['psnr']:.2f} / {test['ssim']:.4f}",
                published(test),
                f"`{its_card['sha256'][:8]}`" if first else "",
            ]
            lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def describe(test: dict[str, Any]) -> str:
    """Return a test of a card in a few words."""
    return f"{test['data']} ({test['images']}), {task(test)}"


def task(test: dict[str, Any]) -> str:
    """Return what a test of a card asks for: `x2, Y rounded` or `sigma 25`."""
    if "sigma" in test:
        return f"sigma {test['sigma']:g}"
    return f"x{test['scale']}{', Y rounded' if test.get('round_luma') else ''}"


def published(test: dict[str, Any]) -> str:
    """Return the number in the literature to compare with, and what it is."""
    if "published" not in test:
        return ""
    note = f" ({test['published_note']})" if "published_note" in test else ""
    return f"{test['published']:.2f}{note}"


def put_into(text: str) -> str:
    """Return a text with the table between its marks.

    Raises:
        ValueError: if it lacks the marks.
    """
    if BEGIN not in text or END not in text:
        raise ValueError(f"the file lacks the marks {BEGIN!r} and {END!r}")
    before, rest = text.split(BEGIN, 1)
    return f"{before}{BEGIN}\n{table()}\n{END}{rest.split(END, 1)[1]}"


def main(arguments: Sequence[str]) -> int:
    """Print the table, or put it into the files that are named."""
    if not arguments:
        sys.stdout.write(table() + "\n")
    for name in arguments:
        try:
            write_atomically(name, put_into(Path(name).read_text()).encode())
        except (OSError, ValueError) as error:
            sys.stderr.write(f"cards: {name}: {error}\n")
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
