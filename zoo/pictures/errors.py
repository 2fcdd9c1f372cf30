"""Files that cannot be used: one error, and one function that turns all others into it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from zoo.machine.failures import ZooError, reason


class ImageError(ZooError):
    """A file or folder of images that cannot be used, with the reason in one sentence."""


@contextmanager
def refusing(path: Path, done: str = "read") -> Iterator[None]:
    """Turn whatever Pillow, libvips and others raise in the block into an `ImageError`.

    What the system says of a file (there is none, it may not be read) goes through: an `OSError`
    with a number. The first error is the cause of the new one. The sentence names the file, and
    what cannot be done with it: `"read"` or `"written"`.
    """
    try:
        yield
    except ImageError:
        raise
    except Exception as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise ImageError(f"{path} cannot be {done}: {reason(error)}") from error
