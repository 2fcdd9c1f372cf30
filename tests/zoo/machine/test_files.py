"""Files that are written whole or not at all, on file systems of every kind."""

import errno
import os

import pytest

from tests.zoo.examples import abandoned
from zoo.machine import files
from zoo.machine.files import check_room, make_folder, replacing, write_atomically


def failing(number):
    def fsync(file):
        raise OSError(number, os.strerror(number))

    return fsync


@pytest.mark.parametrize("number", [errno.EINVAL, errno.ENOTSUP, errno.ENOSYS])
def test_a_file_system_that_cannot_wait_for_its_disk(number, tmp_path, monkeypatch):
    monkeypatch.setattr(files.os, "fsync", failing(number))
    write_atomically(tmp_path / "a", b"new")
    assert (tmp_path / "a").read_bytes() == b"new"


@pytest.mark.parametrize("number", [errno.EIO, errno.ENOSPC])
def test_bytes_that_do_not_reach_the_disk_are_said_of_the_result(number, tmp_path, monkeypatch):
    (tmp_path / "a").write_bytes(b"old")
    monkeypatch.setattr(files.os, "fsync", failing(number))
    with pytest.raises(OSError, match=os.strerror(number)) as caught:
        write_atomically(tmp_path / "a", b"new")
    assert caught.value.filename == str(tmp_path / "a")
    assert (tmp_path / "a").read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["a"]


def test_a_full_disk_names_the_result_and_other_errors_keep_their_name(tmp_path):
    for error, name in (
        (OSError(errno.ENOSPC, "No space left on device"), str(tmp_path / "a")),
        (OSError(errno.ENOSPC, "No space left on device", "other"), "other"),
        (OSError(errno.EIO, "Input/output error"), None),  # of what is read, perhaps
    ):
        with pytest.raises(OSError, match=error.strerror) as caught, replacing(tmp_path / "a"):
            raise error
        assert caught.value.filename == name


def test_a_folder_in_the_way_is_named(tmp_path):
    (tmp_path / "a").mkdir()
    with pytest.raises(OSError, match="Is a directory") as caught:
        write_atomically(tmp_path / "a", b"new")
    assert caught.value.filename == str(tmp_path / "a")
    assert os.listdir(tmp_path) == ["a"]


def test_room_is_made_before_it_is_looked_for(tmp_path):
    part = abandoned(tmp_path)
    check_room(tmp_path, 10)
    assert not part.exists()


def test_folders_of_any_depth_are_made(deep_path):
    deep = deep_path.joinpath(*["d"] * 1200)
    make_folder(deep)
    assert deep.is_dir()
    make_folder(deep)
    (deep_path / "file").touch()
    with pytest.raises(FileExistsError):
        make_folder(deep_path / "file")
