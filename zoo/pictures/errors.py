"""Files that cannot be used: one error, and one function that turns all others into it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from zoo.machine.failures import ZooError

# Errors whose text is a sentence; of others the name of the class says more.
_SAYING = (OSError, ValueError, SyntaxError, EOFError, NotImplementedError)


class ImageError(ZooError):
    """A file or folder of images that cannot be used, with the reason in one sentence."""


@contextmanager
def refusing(path: Path, done: str = "read") -> Iterator[None]:
    """Turn whatever Pillow, libvips and others raise in the block into one sentence.

    What the system says of a file (there is none, it may not be read) goes through: an `OSError`
    with a number. The first error is the cause of the new one.

    Args:
        path: File that the sentence names.
        done: What cannot be done with it: `"read"` or `"written"`.

    Raises:
        ImageError: for any other exception in the block.
    """
    try:
        yield
    except ImageError:
        raise
    except Exception as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise ImageError(f"{path} cannot be {done}: {reason(error)}") from error


def reason(error: Exception) -> str:
    """Return what an exception says on one line, however many it has."""
    lines = dict.fromkeys(line.strip().rstrip(".") for line in str(error).splitlines())
    text = ": ".join(line for line in lines if line)[:200]
    if not text:
        return type(error).__name__
    # the exceptions of libvips are told by their module: the package is an extra
    saying = isinstance(error, _SAYING) or type(error).__module__.startswith("pyvips")
    return text if saying else f"{type(error).__name__}: {text}"
