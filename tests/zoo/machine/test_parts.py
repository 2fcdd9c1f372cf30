"""Temporary folders: gone at the end, cleared after a kill, and never anybody else's."""

import errno
import os
from pathlib import Path

import pytest

from tests.zoo.examples import abandoned
from zoo.machine import locks, parts
from zoo.machine.parts import part_folder, remove_abandoned


def held(folder):
    """Return the open file that holds the lock of a part; it must be closed."""
    fcntl = pytest.importorskip("fcntl")
    file = (folder / ".asykeras-part").open("r+")
    fcntl.flock(file, fcntl.LOCK_EX)
    return file


def test_a_part_is_gone_after_its_block(tmp_path):
    with part_folder(tmp_path) as folder:
        (folder / "sub").mkdir()
        (folder / "sub/file").write_text("half")
        (part,) = tmp_path.iterdir()
        assert part.name.startswith(f".part-{os.getpid()}-")
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(KeyboardInterrupt), part_folder(tmp_path):
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []


def test_what_killed_processes_left_is_removed_by_the_next(tmp_path):
    abandoned(tmp_path)
    (tmp_path / ".part-77-00000000000000ff").mkdir()  # killed before anything was in it
    with part_folder(tmp_path):
        assert len(list(tmp_path.iterdir())) == 1


def test_what_others_write_at_the_moment_stays(tmp_path):
    part = abandoned(tmp_path)
    with held(part):
        with part_folder(tmp_path):
            assert (part / "content/half").is_file()
        assert (part / "content/half").is_file()
    remove_abandoned(tmp_path)
    assert not part.exists()


def test_two_parts_of_one_process_live_side_by_side(tmp_path):
    with part_folder(tmp_path) as one, part_folder(tmp_path) as other:
        remove_abandoned(tmp_path)
        assert one.is_dir()
        assert other.is_dir()


@pytest.mark.parametrize(
    "name",
    [".part-time", ".part-123-abc", ".part-123-0123456789ABCDEF", "part-123-0123456789abcdef"],
)
def test_other_names_are_not_ours(name, tmp_path):
    abandoned(tmp_path, name)
    remove_abandoned(tmp_path)
    assert (tmp_path / name / "content/half").is_file()


def test_what_holds_anything_else_is_not_ours(tmp_path):
    with_thesis = abandoned(tmp_path, ".part-1-0123456789abcdef")
    (with_thesis / "thesis.txt").write_text("years of work")
    without_mark = abandoned(tmp_path, ".part-2-0123456789abcdef")
    (without_mark / ".asykeras-part").unlink()
    marked = abandoned(tmp_path, ".part-3-0123456789abcdef")
    (marked / ".asykeras-part").write_text("a note")
    remove_abandoned(tmp_path)
    for part in (with_thesis, without_mark, marked):
        assert (part / "content/half").is_file()


def test_links_are_not_followed(tmp_path):
    outside = abandoned(tmp_path / "outside")
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / ".part-1-0123456789abcdef").symlink_to(outside)
    linked = folder / ".part-2-0123456789abcdef"
    linked.mkdir()
    (linked / ".asykeras-part").touch()
    (linked / "content").symlink_to(outside / "content")
    inside = abandoned(folder, ".part-3-0123456789abcdef")
    (inside / "content/link").symlink_to(outside / "content")
    remove_abandoned(folder)
    assert (outside / "content/half").is_file()
    assert linked.is_dir()
    assert not inside.exists()


def no_locks(number):
    def flock(file, operation):
        raise OSError(number, os.strerror(number))

    return flock


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS])
def test_a_mount_without_locks(number, tmp_path, monkeypatch):
    monkeypatch.setattr(locks.fcntl, "flock", no_locks(number))
    part = abandoned(tmp_path)
    with part_folder(tmp_path) as folder:
        (folder / "file").write_text("half")
    with locks.locked(tmp_path / "lock") as state:
        assert state is None
    assert [path.name for path in tmp_path.iterdir()] == [part.name]  # nobody knows whose it is


def test_a_lock_is_held_by_one(tmp_path):
    with locks.locked(tmp_path / "lock") as first, locks.locked(tmp_path / "lock") as second:
        assert (first, second) == (True, False)
    assert list(tmp_path.iterdir()) == []
    with locks.locked(tmp_path / "lock") as again:
        assert again is True


@pytest.mark.parametrize("number", [None, errno.ENOLCK])
def test_somebodys_file_in_the_place_of_a_lock_stays(number, tmp_path, monkeypatch):
    (tmp_path / "lock").write_text("of a door")
    if number is not None:
        monkeypatch.setattr(locks.fcntl, "flock", no_locks(number))
    with locks.locked(tmp_path / "lock"):
        pass
    assert (tmp_path / "lock").read_text() == "of a door"


def test_a_lock_on_a_file_that_was_removed_meanwhile_is_none(tmp_path, monkeypatch):
    """The last holder removes the file between another's `open` and its `flock`."""
    path, real, calls = tmp_path / "lock", locks.fcntl.flock, []

    def flock(file, operation):
        if not calls:
            path.unlink()
        calls.append(file)
        real(file, operation)

    monkeypatch.setattr(locks.fcntl, "flock", flock)
    with locks.locked(path) as state:
        assert state is True
        assert path.exists()
    assert len(calls) == 2


def test_a_link_in_the_place_of_a_lock_is_not_written_through(tmp_path):
    (tmp_path / "precious").write_text("text")
    (tmp_path / "lock").symlink_to(tmp_path / "precious")
    with pytest.raises(OSError, match=str(tmp_path)), locks.locked(tmp_path / "lock"):
        pass
    assert (tmp_path / "precious").read_text() == "text"


def test_the_temporary_folder_is_the_systems(tmp_path, monkeypatch):
    monkeypatch.setattr(parts.tempfile, "gettempdir", lambda: str(tmp_path))
    abandoned(tmp_path)
    with parts.temporary_folder() as folder:
        assert folder.parent.parent == tmp_path
        assert len(list(tmp_path.iterdir())) == 1
    assert list(Path(tmp_path).iterdir()) == []
