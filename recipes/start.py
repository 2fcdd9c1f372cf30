"""Where the command `asykeras` begins and ends, without a search for garbage in what it imports.

Importing Keras and TensorFlow makes a million objects that stay. Python's search for cycles among
those that nobody uses takes a third of the time of the imports, and another second at the exit
(`python -m recipes.benchmark import`).
"""

import gc


def main() -> int:
    """Run the command line of the process; return the exit code, see `recipes.train.main`."""
    gc.disable()
    from recipes.train import main as command  # imports Keras

    gc.freeze()  # what is imported is never looked at again
    gc.enable()
    try:
        return command()
    finally:
        gc.freeze()  # nor what is left over at the exit


if __name__ == "__main__":
    raise SystemExit(main())
