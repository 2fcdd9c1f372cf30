"""A process that changes and examines pictures, as it is told line by line."""

import gc
import json
import resource
import sys
from pathlib import Path

from tests.fuzz.images.examine import examine, peak
from tests.fuzz.images.mutations import BOMBS, change, packed
from tests.fuzz.images.seeds import seeds
from tests.zoo.examples import network
from zoo.restoring.bands import Settings
from zoo.restoring.network import open_network


def main() -> None:
    """Examine the numbers that come in: `[seed, number, name of a network or nothing]` a line.

    The first argument is a folder of its own, where what is examined lies meanwhile, as `old.*`;
    the second is the name of a network.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    folder, files, networks = Path(sys.argv[1]), seeds(), {"": network()}
    networks[sys.argv[2]] = open_network(sys.argv[2])
    out, sys.stdout = sys.stdout, sys.stderr  # what others print is no answer
    for length in BOMBS:
        packed(length)
    gc.collect()
    gc.freeze()  # what was imported is not looked through again and again
    print("ready", file=out, flush=True)
    for line in sys.stdin:
        seed, number, name = json.loads(line)
        of, content = change(files, seed, number)
        path = folder / f"old.{of.split()[0]}"
        path.write_bytes(content)
        outcome = examine(path, networks[name], Settings(), compare=not name)
        if not outcome.faults:  # else it is kept
            path.unlink()
        answer = {**outcome.as_dict(), "peak": peak(), "changed": of}
        print(json.dumps(answer), file=out, flush=True)


if __name__ == "__main__":
    main()
