"""What a file claims, before it is believed."""

from collections.abc import Iterator
from contextlib import contextmanager

from zoo.machine.failures import ZooError, reason
from zoo.machine.memory import too_much


class ContentError(ZooError):
    """Content of a file that is not read, with the reason: what follows "FILE cannot be read: "."""


@contextmanager
def refusing_content() -> Iterator[None]:
    """Turn whatever a reader of hostile bytes raises in the block into a `ContentError`.

    What the system says of a file (there is none, it may not be read) goes through.
    """
    try:
        yield
    except ContentError:
        raise
    except Exception as error:
        if isinstance(error, OSError) and error.errno is not None and error.filename is not None:
            raise
        raise ContentError(reason(error)) from error


def check_memory(needed: int) -> None:
    """Refuse what does not fit into the memory that is left."""
    if too_large := too_much(needed):
        raise ContentError(f"it {too_large}")
