"""Failures in words."""

import errno
import os

import pytest

from zoo.machine.failures import printable, sentence
from zoo.pictures.images import ImageError


def system(number, *more):
    return OSError(number, os.strerror(number), *more)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (system(errno.ENOSPC), "a.png: No space left on device"),
        (system(errno.ENOSPC, "out/b.png"), "out/b.png: No space left on device"),
        (system(errno.EACCES, b"out/\xff"), "out/\\udcff: Permission denied"),
        (system(errno.EBADF, 3), "a.png: Bad file descriptor"),
        (OSError("encoder error -2"), "a.png: encoder error -2"),
        (MemoryError(), "a.png: there is not enough memory"),
        (RecursionError("maximum recursion depth exceeded"), "a.png: it is nested too deeply"),
        (ValueError("it is wrong\nfor many reasons"), "a.png: it is wrong"),
        (RuntimeError(), "a.png: RuntimeError"),
        (KeyError("builder"), "a.png: KeyError: 'builder'"),
        (ImageError("a.png is empty"), "a.png is empty"),
    ],
)
def test_every_error_is_one_sentence_that_names_the_file(error, expected):
    assert sentence(error, "a.png") == expected


def test_without_a_subject_nothing_stands_for_it():
    assert sentence(system(errno.ENOSPC)) == "No space left on device"
    assert sentence(ValueError("bad")) == "bad"


def test_what_moves_the_cursor_is_written_as_an_escape():
    assert printable("a\x1b[2J\n\x7f\x9b\u202e\u2028b\udcff.png") == (
        "a\\x1b[2J\\n\\x7f\\x9b\\u202e\\u2028b\\udcff.png"
    )
    assert printable("é 漢\u202f👩\u200d💻.png") == "é 漢\u202f👩\u200d💻.png"
