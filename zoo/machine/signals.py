"""Signals that end a process, held back while something is made or removed.

A handler of the operating system's signals runs between any two instructions of Python. If it
raises there, a folder that was made may never be noted, and one that is being removed may stay.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

_held = 0
_pending: BaseException | None = None


def deliver(error: BaseException) -> None:
    """Raise an error in the main thread, now or when nothing holds it back; for handlers."""
    global _pending
    if _held:
        _pending = error
    else:
        raise error


@contextmanager
def held() -> Iterator[None]:
    """Hold signals back in the block; the first that came is raised behind it."""
    global _held
    if threading.current_thread() is not threading.main_thread():
        yield  # handlers run in the main thread alone
        return
    _held += 1
    try:
        yield
    finally:
        _held -= 1
        if not _held:
            _raise_pending()


@contextmanager
def delivered() -> Iterator[None]:
    """Deliver signals in a block inside of `held`."""
    global _held
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before, _held = _held, 0
    try:
        _raise_pending()
        yield
    finally:
        _held = before


def _raise_pending() -> None:
    global _pending
    if _pending is not None:
        error, _pending = _pending, None
        raise error
