"""Changes pictures at random and restores them, until something is wrong or the time is over.

    python -m tests.fuzz.images --minutes 10
    python -m tests.fuzz.images --count 1000 --seed 7 --keep /tmp/findings

Every file goes through `restore` with a network that does nothing (every twentieth through one that
is published) and through `read_image`, in workers that are used again and restarted after a fault.
Faults are: a traceback, a message that is no sentence on the file, more than 20 seconds of the
processor, more than 2 GB of memory, a file left open, part of a result left behind, and pixels that
another program reads otherwise.
"""

import sys

from tests.fuzz.workers import parser_of, run_all, summarize

EVERY = 20  # of the files, one goes through a published network
NETWORK = "srcnn-955-x2"


def main() -> int:
    """Run; return 1 if something was found."""
    options = parser_of(__doc__).parse_args()
    results, seconds = run_all(
        "tests.fuzz.images.worker",
        options,
        lambda number: [NETWORK if number % EVERY == 0 else ""],
        [NETWORK],
    )
    return summarize(results, seconds)


if __name__ == "__main__":
    sys.exit(main())
