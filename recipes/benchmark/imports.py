"""What the packages add to the time of `import keras`, and what `recipes.start` saves of it."""

import subprocess
import sys
from collections.abc import Callable

import numpy as np

from recipes.benchmark.ratios import quartiles, seconds


def benchmark_import(rounds: int) -> None:
    """Print how much longer than `import keras` the import of the packages takes, and a process."""

    def imported(names: str) -> Callable[[], object]:
        command = [sys.executable, "-c", f"import {names}"]
        return lambda: subprocess.run(command, check=True, capture_output=True)

    keras_alone, packages = imported("keras"), imported("keras, asykeras, zoo")
    added = [seconds(packages) - seconds(keras_alone) for _ in range(rounds)]
    print(f"import asykeras, zoo adds {quartiles(np.array(added))} s to import keras")
    as_started = imported("gc; gc.disable(); import keras; gc.freeze()")
    whole = [(seconds(keras_alone), seconds(as_started)) for _ in range(rounds)]
    alone, started = map(quartiles, np.array(whole).T)
    print(f"a process of import keras: {alone} s, without a search for garbage {started} s")
