"""Changes files of strangers at random and reads them, until something is wrong.

    python -m tests.fuzz.weights --minutes 10
    python -m tests.fuzz.weights --count 500 --seed 7 --keep /tmp/findings

Weights with their cards, `.keras` files, weights of the authors of networks, work folders with
checkpoints, and cubes (`.mat` of both kinds, `.npy`, ENVI) are changed by what they are made of,
and given to all that reads them, in workers that are used again and restarted after a fault. Faults
are: a traceback, a message that is no sentence on the file, more than 20 seconds of the processor,
more than 2 GB of memory, a file left open, another file opened, anything executed, a network
changed by weights that it refuses, weights that are not finite, and values that another program
reads otherwise.
"""

import collections
import sys

from tests.fuzz.workers import parser_of, run_all, summarize


def main() -> int:
    """Run; return 1 if something was found."""
    options = parser_of(__doc__).parse_args()
    results, seconds = run_all("tests.fuzz.weights.worker", options)
    code = summarize(results, seconds)
    kinds = collections.Counter((result.get("changed", "?"), result["done"]) for result in results)
    for (name, done), count in sorted(kinds.items()):
        print(f"{count:6} {name}: {done}")
    return code


if __name__ == "__main__":
    sys.exit(main())
