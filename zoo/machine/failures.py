"""Failures in words: one printable line for whatever was raised below."""

import re
import unicodedata
from collections.abc import Container, Iterator
from contextlib import contextmanager
from pathlib import Path

# What turns text around or ends its line, beside the control characters.
_TURNING = {*range(0x202A, 0x202F), *range(0x2066, 0x206A), 0x200E, 0x200F, 0x2028, 0x2029}

# What alone would not be understood: its text is a word of the program.
_UNEXPECTED = (LookupError, TypeError, AttributeError, AssertionError, NameError)

# Errors whose text is a sentence; of others the name of the class says more.
_SAYING = (OSError, ValueError, SyntaxError, EOFError, NotImplementedError)


class ZooError(ValueError):
    """What was given cannot be used, with the reason in one sentence: base of all such errors."""


def sentence(error: BaseException, subject: object = "") -> str:
    """Return one line about an error that names its file or, where it has none, the subject."""
    about = str(subject)
    if isinstance(error, OSError) and error.strerror:
        about = _name(error.filename) or about
        text = error.strerror
    elif isinstance(error, MemoryError) and not str(error):
        text = "there is not enough memory"
    elif isinstance(error, RecursionError):
        text = "it is nested too deeply"
    elif isinstance(error, _UNEXPECTED):
        text = f"{type(error).__name__}: {error}".splitlines()[0]
    else:
        text = (str(error).strip() or type(error).__name__).splitlines()[0]
    return printable(text if not about or about in text else f"{about}: {text}")


@contextmanager
def naming(path: Path, numbers: Container[int] = ()) -> Iterator[None]:
    """Let errors of the system name a file: all, or those of some numbers that name none."""
    try:
        yield
    except OSError as error:
        if numbers and (error.filename is not None or error.errno not in numbers):
            raise
        raise OSError(error.errno, error.strerror, str(path)) from error


def reason(error: Exception) -> str:
    """Return what an exception says on one line, however many it has."""
    lines = dict.fromkeys(line.strip().rstrip(".") for line in str(error).splitlines())
    text = ": ".join(line for line in lines if line)[:200]
    if not text:
        return type(error).__name__
    # the exceptions of libvips are told by their module: the package is an extra
    saying = isinstance(error, _SAYING) or type(error).__module__.startswith("pyvips")
    return text if saying else f"{type(error).__name__}: {text}"


def first_line(error: Exception) -> str:
    """Return the first line of what an exception of Keras or its backend says, without colours."""
    return (uncoloured(str(error)).strip() or type(error).__name__).splitlines()[0]


def uncoloured(text: str) -> str:
    """Return a text of Keras without the colours and the bold of a terminal."""
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


def printable(text: object) -> str:
    r"""Return a text in which what would move the cursor of a terminal is written as an escape.

    Example:
        >>> print(printable("a\x1b[2Jb.png"))
        a\x1b[2Jb.png
    """
    return "".join(
        letter.encode("unicode_escape").decode()
        if unicodedata.category(letter) in ("Cc", "Cs") or ord(letter) in _TURNING
        else letter
        for letter in str(text)
    )


def _name(filename: object) -> str:
    """Return the file that an error names; some libraries put a number or nothing there."""
    if isinstance(filename, bytes):
        return filename.decode(errors="surrogateescape")
    return "" if filename is None or isinstance(filename, int) else str(filename)
