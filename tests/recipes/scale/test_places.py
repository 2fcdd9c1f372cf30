"""Folders of this machine and of fsspec: the same names, and files that are whole or not there."""

import pytest

from recipes.scale.places import PART, Place, PlaceError

NAMES = ["a.png", "deep/c.tif", "deep/er/b.JPG"]
OTHERS = ["notes.txt", ".hidden.png", "deep/.git/d.png", "done/e.png"]


@pytest.fixture(params=["path", "file", "memory"])
def place(request, tmp_path):
    """Return a place with the files of `NAMES` and `OTHERS`."""
    addresses = {
        "path": f"{tmp_path}/in",
        "file": f"file://{tmp_path}/in",
        "memory": f"memory://{tmp_path.name}/in",
    }
    if request.param != "path":
        pytest.importorskip("fsspec")
    found = Place(addresses[request.param])
    for name in NAMES + OTHERS:
        with found.writing(name) as path:
            path.write_bytes(name.encode())
    return found


def test_pictures_are_found_sorted_and_others_passed_over(place):
    done = Place(f"{place.address}/done")
    assert place.pictures(without=done) == NAMES
    assert place.pictures(without=Place("/else/where")) == sorted([*NAMES, "done/e.png"])
    assert set(place.names()) >= {*NAMES, "notes.txt", "done/e.png"}


def test_a_file_is_read(place):
    with place.reading("deep/c.tif") as path:
        assert path.read_bytes() == b"deep/c.tif"
        assert path.suffix == ".tif"
    assert path.exists() == place.is_local


def test_a_file_is_written_whole_or_not_at_all(place):
    with place.writing("new/f.png") as path:
        path.write_bytes(b"half")
        assert not place.has("new/f.png")
        path.write_bytes(b"whole")
    assert place.has("new/f.png")
    with pytest.raises(ZeroDivisionError), place.writing("new/g.png") as path:
        path.write_bytes(bytes(1 // 0))
    with place.reading("new/f.png") as path:
        assert path.read_bytes() == b"whole"
    assert [name for name in place.names() if name.startswith("new/")] == ["new/f.png"]


def test_what_a_killed_process_left_is_removed(place):
    if place.is_local:
        pytest.skip("the next that writes into a folder removes it: zoo.machine.parts")
    system, root = place._opened()
    system.pipe_file(f"{root}/deep/{PART}0123", b"half")
    assert f"deep/{PART}0123" in place.names()
    place.remove_parts(place.names())
    assert f"deep/{PART}0123" not in place.names()
    assert place.has("deep/c.tif")


def test_what_is_not_there_is_said(tmp_path):
    nothing = Place(str(tmp_path / "none"))
    with pytest.raises(PlaceError, match="^there is no folder .*none$"):
        nothing.pictures(without=nothing)
    (tmp_path / "empty").mkdir()
    with pytest.raises(PlaceError, match="empty holds no picture$"):
        Place(str(tmp_path / "empty")).pictures(without=nothing)
    pytest.importorskip("fsspec")
    with pytest.raises(PlaceError, match="none holds no picture$"):
        Place(f"file://{tmp_path}/none").pictures(without=nothing)
    assert Place(f"memory://{tmp_path.name}-none").names() == []
    with pytest.raises(PlaceError, match="^abc://x cannot be opened: .*abc"):
        Place("abc://x").names()
