"""Walks of folders: what is taken, what is passed over, and what is said of it."""

import os

from zoo.machine.walk import folders, walk

PICTURES = (".png", ".jpg")


def tree(root, *names):
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


def found(root, **options):
    return [str(path.relative_to(root)) for path in walk(root, PICTURES, **options).files]


def test_hidden_files_and_folders_are_passed_over(tmp_path):
    tree(tmp_path, "b.png", "a.PNG", "._b.png", ".x/c.png", "sub/d.jpg", "sub/.e.jpg")
    (tmp_path / "more.png").mkdir()
    assert found(tmp_path) == ["a.PNG", "b.png", "sub/d.jpg"]
    assert found(tmp_path, deep=False) == ["a.PNG", "b.png"]
    assert found(tmp_path, without=tmp_path / "sub") == ["a.PNG", "b.png"]
    names = [str(each.relative_to(tmp_path)) for each in folders(tmp_path)]
    assert names == [".", "more.png", "sub"]


def test_what_is_left_out_is_counted_by_its_ending(tmp_path):
    tree(tmp_path, "a.png", "b.gif", "c.GIF", "sub/d.dng", "e", ".f.gif")
    remark = walk(tmp_path, PICTURES).omissions(tmp_path)
    assert remark == f"left out of {tmp_path}: 2 .gif, 1 without ending, 1 .dng"
    tree(tmp_path, *(f"{number}.{number}" for number in range(20)))
    assert walk(tmp_path, PICTURES).omissions(tmp_path).endswith("15 others")
    assert walk(tmp_path / "sub", (".dng",)).omissions(tmp_path) == ""


def test_links_in_a_ring(tmp_path):
    tree(tmp_path, "a.png")
    (tmp_path / "one.png").symlink_to(tmp_path / "two.png")
    (tmp_path / "two.png").symlink_to(tmp_path / "one.png")
    (tmp_path / "up").symlink_to(tmp_path)
    there = walk(tmp_path, PICTURES)
    assert [path.name for path in there.files] == ["a.png"]
    assert there.problems == [
        f"{tmp_path}/{name}.png is no file that can be read" for name in ("one", "two")
    ]


def test_links_that_lead_out_are_followed_on_demand(tmp_path):
    tree(tmp_path, "outside/a.png", "in/b.png")
    root = tmp_path / "in"
    (root / "c.png").symlink_to(tmp_path / "outside/a.png")
    (root / "folder").symlink_to(tmp_path / "outside")
    assert found(root) == ["b.png"]
    assert found(root, follow=True) == ["b.png", "c.png"]
    assert walk(root, PICTURES).not_followed(root) == (
        f"{root}/folder leads out of {root} and is not followed, nor is 1 other link"
    )


def test_a_thousand_folders_in_each_other(deep_path):
    home, here = os.getcwd(), deep_path
    try:
        os.chdir(deep_path)
        for _ in range(1200):  # no path of the whole depth is made
            os.mkdir("d")
            os.chdir("d")
        open("a.png", "w").close()
    finally:
        os.chdir(home)
    there = walk(here, PICTURES)
    assert [path.name for path in there.files] == ["a.png"]
    assert len(there.files[0].parts) == len(here.parts) + 1201
