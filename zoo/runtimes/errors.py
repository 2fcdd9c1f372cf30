"""The error of an export."""

from collections.abc import Iterator
from contextlib import contextmanager

from zoo.machine.failures import ZooError, uncoloured

LONGEST_REASON = 200  # characters


class ExportError(ZooError):
    """A network that cannot be exported as it was asked, with the reason in one sentence."""


@contextmanager
def in_one_sentence(what: str) -> Iterator[None]:
    """Turn what a converter or a runtime raises into an ExportError that begins with `what`."""
    try:
        yield
    except (ExportError, OSError):
        raise
    except Exception as error:
        text = " ".join(uncoloured(str(error)).split())
        reason = text[:LONGEST_REASON] or type(error).__name__
        raise ExportError(f"{what}: {reason}") from error
