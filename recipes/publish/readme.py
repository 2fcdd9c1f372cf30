"""The README's table of weights, made from the cards.

python -m recipes.publish.readme            # print it
python -m recipes.publish.readme README.md  # put it between the marks in a file
"""

import argparse
from collections.abc import Iterable, Sequence
from pathlib import Path

from zoo.app.command import Work, command
from zoo.machine.files import write_atomically
from zoo.store.weight import list_weights, published_card

BEGIN = "<!-- weights: made by python -m recipes.publish.readme README.md -->"
END = "<!-- end of weights -->"


def markdown(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table in Markdown."""
    lines = [f"| {' | '.join(cells)} |" for cells in (head, *rows)]
    return "\n".join([lines[0], "|---" * len(head) + "|", *lines[1:]])


def table() -> str:
    """Return one line for each weight, with the first test of its card, in Markdown."""
    head = ("weight", "first test", "PSNR in dB", "published", "parameters", "file", "SHA-256")
    rows = []
    for name in list_weights():
        card = published_card(name)
        test = card.tests[0]
        rows.append(
            [
                f"`{name}`",
                str(test),
                f"{test.psnr:.2f}",
                f"{test.published:.2f}" if test.published else "",
                f"{card.parameters:,}",
                f"{card.bytes / 1024:,.0f} KiB",
                f"`{card.sha256[:8]}`",
            ]
        )
    return markdown(head, rows)


def put_into(text: str) -> str:
    """Return a text with the table between its marks.

    Raises:
        ValueError: if it lacks the marks.
    """
    if BEGIN not in text or END not in text:
        raise ValueError(f"the file lacks the marks {BEGIN!r} and {END!r}")
    before, rest = text.split(BEGIN, 1)
    return f"{before}{BEGIN}\n{table()}\n{END}{rest.split(END, 1)[1]}"


@command
def main(parser: argparse.ArgumentParser) -> Work:
    """Add the options; return what is done with them."""
    parser.add_argument("files", nargs="*", metavar="FILE", help="default: print the table")
    return write


def write(options: argparse.Namespace) -> None:
    """Print the table, or put it into the files that are named."""
    if not options.files:
        print(table())
    for name in options.files:
        write_atomically(name, put_into(Path(name).read_text()).encode())


if __name__ == "__main__":
    raise SystemExit(main())
