"""Downloads that leave either the verified file or what was there before."""

import os
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPException
from pathlib import Path

from zoo.machine.files import sha256

VARIABLE = "ASYKERAS_CACHE"
TIMEOUT = 30  # seconds without a byte
CHUNK = 1 << 20
WINDOW, SLOWEST = 30, 1000  # seconds in which so many bytes a second must come


class DownloadError(OSError):
    """A file that could not be fetched or is not the one expected, with the reason."""


def cache_folder() -> Path:
    """Return the folder for downloaded weights; it need not exist.

    `$ASYKERAS_CACHE` if set, else `asykeras` in the platform's folder for caches:
    `$XDG_CACHE_HOME` or `~/.cache` (Linux), `~/Library/Caches` (macOS), `%LOCALAPPDATA%` (Windows).
    """
    if os.environ.get(VARIABLE):
        return Path(os.environ[VARIABLE]).expanduser()
    home = Path.home()
    if sys.platform == "darwin":
        return home / "Library/Caches/asykeras"
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", home / "AppData/Local")) / "asykeras"
    return Path(os.environ.get("XDG_CACHE_HOME") or home / ".cache") / "asykeras"


def fetch(
    url: str,
    target: Path,
    expected: str,
    progress: Callable[[int, int], None] | None = None,
    size: int | None = None,
) -> Path:
    """Download a file to `target` and check its SHA-256.

    The bytes go to a part beside `target`, which takes its name when the hash is right. The part of
    a cut connection is kept, and continued by the next call where the server allows. Several
    processes may fetch the same file at once: each has its own part. Whatever fails is a
    `DownloadError` in one sentence, and what was at `target` is still there.

    Args:
        url: http, https or file address.
        target: Where the file shall be; a file there is replaced only by a verified one.
        expected: SHA-256 in hexadecimal.
        progress: Called with the bytes so far and in all (0: unknown), by another thread.
        size: Bytes of the file, where they are known: no more are taken.
    """
    if target.is_dir():
        raise DownloadError(f"{target} is a folder, where the file of {url} belongs: remove it")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        part = _claim(target)
    except OSError as error:
        raise DownloadError(
            f"{target.parent} cannot be written to ({error.strerror}); set {VARIABLE} to a folder "
            "that can"
        ) from None
    try:
        with _refusing(url, part, target):
            _transfer(url, part, progress or (lambda done, total: None), size)
        found = sha256(part)
        if found != expected:
            text = f"{url} is another file: SHA-256 {expected} expected, {found} found"
            raise DownloadError(text)
        os.replace(part, target)
    finally:
        part.unlink(missing_ok=True)
    return target


@contextmanager
def _refusing(url: str, part: Path, target: Path) -> Iterator[None]:
    """Turn what ends a transfer into one sentence; what a cut connection has brought is kept."""
    try:
        yield
    except urllib.error.HTTPError as error:
        raise DownloadError(f"{url}: the server answers {error.code} {error.reason}") from None
    except DownloadError:
        raise
    except (urllib.error.URLError, HTTPException, TimeoutError, ConnectionError) as error:
        os.replace(part, _left_behind(target))
        reason = getattr(error, "reason", None) or error
        raise DownloadError(f"{url} could not be fetched: {reason}") from None
    except OSError as error:
        raise DownloadError(f"{part} could not be written: {error.strerror}") from None
    except ValueError as error:  # of an address or an answer that is none
        raise DownloadError(f"{url} could not be fetched: {error}") from None


def _claim(target: Path) -> Path:
    """Return a part for this process alone, with what a cut connection has left behind."""
    part = target.with_name(f"{target.name}.{os.getpid()}.part")
    try:
        os.replace(_left_behind(target), part)  # only one process can win this
    except FileNotFoundError:
        part.touch()
    return part


def _left_behind(target: Path) -> Path:
    return target.with_name(f"{target.name}.part")


def _transfer(url: str, part: Path, progress: Callable[[int, int], None], size: int | None) -> None:
    """Append what is missing of a file to its part, in a thread that can be given up.

    A server may drip its answer so that no single read ever times out, from the first line of the
    headers on; so the part itself is watched.
    """
    stopped, failures = threading.Event(), list[BaseException]()

    def work() -> None:
        try:
            _append(url, part, progress, size, stopped)
        except BaseException as error:  # raised again below
            failures.append(error)

    worker = threading.Thread(target=work, daemon=True)
    worker.start()
    try:
        before = part.stat().st_size
        while worker.is_alive():
            worker.join(WINDOW)
            have = part.stat().st_size
            if worker.is_alive() and abs(have - before) < WINDOW * SLOWEST:
                raise TimeoutError(f"fewer than {SLOWEST} bytes a second come")
            before = have
    finally:
        stopped.set()
    if failures:
        raise failures[0]


def _append(
    url: str,
    part: Path,
    progress: Callable[[int, int], None],
    size: int | None,
    stopped: threading.Event,
) -> None:
    have = part.stat().st_size
    request = urllib.request.Request(url, headers={"Range": f"bytes={have}-"} if have else {})
    try:
        response = urllib.request.urlopen(request, timeout=TIMEOUT)
    except urllib.error.HTTPError as error:
        if error.code != 416 or not have:  # 416: nothing is missing, or the part is too long
            raise
        return
    if stopped.is_set():
        return
    with response, part.open("ab") as file:
        if response.status != 206:  # the server sends all of it
            file.truncate(0)
            have = 0
        length = response.headers.get("Content-Length")
        total = have + int(length) if length else 0
        _check_size(url, max(have, total), size)
        while (chunk := response.read1(CHUNK)) and not stopped.is_set():
            file.write(chunk)
            file.flush()  # so that it is seen to grow
            have += len(chunk)
            _check_size(url, have, size)
            progress(have, total)
        if have < total:
            raise ConnectionError(f"the connection was cut after {have} of {total} bytes")


def _check_size(url: str, count: int, size: int | None) -> None:
    if size is not None and count > size:
        raise DownloadError(f"{url} is another file: more than {size} bytes come")
