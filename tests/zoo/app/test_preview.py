"""`restore --preview`: what is shown is what `restore` writes; what is refused."""

import dataclasses
import re
import threading
import time

import numpy as np
import pytest
from PIL import Image, features

import zoo
from tests.zoo.examples import card_of, network
from zoo.app import cli, preview
from zoo.app.preview import MARGIN, SIDE, TEXT, Panel, levels, side_by_side, strengths
from zoo.pictures.photos import read_header
from zoo.restoring.network import chain
from zoo.store import weight as weights
from zoo.store.card import Use

VALUES = np.random.default_rng(0).integers(0, 256, (300, 270, 3), dtype=np.uint8)
TOP, LEFT = (300 - SIDE) // 2, (270 - SIDE) // 2


def publish(folder, name, build, arguments, use, psnr):
    test = {"data": "samples", "task": "x2", "psnr": psnr, "images": 4}
    builder = {"srcnn": "SRCNN", "dncnn": "DnCNN"}[name[:5]]
    card = {"builder": builder, "arguments": arguments, "use": use, "tests": [test]}
    weights.save(build(**arguments), folder / f"{name}.weights.h5", card_of(card))


@pytest.fixture
def published(tmp_path, monkeypatch):
    """Three weights of random numbers: two that enlarge by 2, one for noise of 20 to 30."""
    folder = tmp_path / "zoo"
    folder.mkdir()
    monkeypatch.setattr(weights, "PUBLISHED", folder)
    both = {"colours": ["grey", "rgb", "cmyk"]}
    twice = {"scale": 2, "enlarge_first": True, **both}
    of_srcnn = {"scale": 2, "variant": "9-1-5"}
    publish(folder, "srcnn-fair", zoo.SRCNN, of_srcnn, twice, 30.0)
    publish(folder, "srcnn-fine", zoo.SRCNN, of_srcnn, twice, 31.0)
    of_dncnn = {"variant": "S", "depth": 3, "channels": 1}
    publish(folder, "dncnn-some", zoo.DnCNN, of_dncnn, {"levels": [20, 30], **both}, 29.0)


def panel(path, scale, line_top, column):
    """Return the pixels of a panel whose line begins at a row."""
    side = max(SIDE * scale, SIDE)
    left = MARGIN + column * (side + MARGIN)
    with Image.open(path) as image:
        box = (left, line_top + 2 * TEXT, left + side, line_top + 2 * TEXT + side)
        return np.asarray(image.crop(box))


def middle(values, scale=1):
    return values[TOP * scale : (TOP + SIDE) * scale, LEFT * scale : (LEFT + SIDE) * scale]


def run(folder, *words, source="a.png"):
    return cli.main(["restore", str(folder / source), "--preview", *words])


@pytest.mark.slow
def test_every_suitable_weight_shows_what_restore_writes(published, tmp_path, capsys, monkeypatch):
    Image.fromarray(VALUES).save(tmp_path / "a.png")
    monkeypatch.chdir(tmp_path)
    assert run(tmp_path) == 0
    path = tmp_path / "a-preview.png"
    below = 2 * TEXT + SIDE  # where the line of those that enlarge begins
    with Image.open(path) as image:
        assert image.mode == "RGB"
        assert image.size == (
            3 * (2 * SIDE + MARGIN) + MARGIN,
            below + 2 * TEXT + 2 * SIDE + MARGIN,
        )
    np.testing.assert_array_equal(panel(path, 1, 0, 0), middle(VALUES))
    clean = zoo.restore("dncnn-some", VALUES, sigma=25 / 255)
    np.testing.assert_array_equal(panel(path, 1, 0, 1), middle(clean))
    half = zoo.restore("dncnn-some", VALUES, sigma=25 / 255, strength=0.5)
    np.testing.assert_array_equal(panel(path, 1, 0, 2), middle(half))
    for column, name in enumerate(["srcnn-fine", "srcnn-fair"], start=1):
        expected = middle(zoo.restore(name, VALUES), 2)
        np.testing.assert_array_equal(panel(path, 2, below, column), expected)
    middle_alone = Image.fromarray(middle(VALUES))
    larger = np.asarray(middle_alone.resize((2 * SIDE, 2 * SIDE), Image.Resampling.BICUBIC))
    np.testing.assert_array_equal(panel(path, 2, below, 0), larger)
    said = capsys.readouterr().err.splitlines()
    assert said[-1] == f"asykeras: {tmp_path}/a.png -> a-preview.png"
    restored = sorted(re.sub(r": [0-9.]+ s$", "", line) for line in said[:-1])
    assert restored == [
        "asykeras: dncnn-some, sigma 25",
        "asykeras: srcnn-fair",
        "asykeras: srcnn-fine",
    ]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--scale", "2"], ["srcnn-fine", "srcnn-fair"]),
        (["--sigma", "22"], ["dncnn-some, sigma 22"]),
        (["--weights", "srcnn-fair"], ["srcnn-fair"]),
        (["--weights", "srcnn-fair", "--strength", "0.7"], ["srcnn-fair, strength 0.7"]),
        (["--weights", "dncnn-some"], ["dncnn-some, sigma 25"]),
        (["--weights", "dncnn-some,srcnn-fine"], ["dncnn-some,srcnn-fine"]),
        (
            ["--weights", "dncnn-some,srcnn-fine", "--sigma", "30"],
            ["dncnn-some,srcnn-fine, sigma 30"],
        ),
    ],
)
def test_what_is_asked_for_is_shown(words, expected, published, tmp_path, capsys):
    Image.fromarray(VALUES[:9, :7]).save(tmp_path / "a.png")
    assert run(tmp_path, "-o", str(tmp_path / "new/b.png"), *words) == 0
    assert (tmp_path / "new/b.png").is_file()
    said = capsys.readouterr().err.splitlines()[:-1]
    shown = sorted(re.sub(r"^asykeras: |: [0-9.]+ s$", "", line) for line in said)
    assert shown == sorted(expected)


def test_a_level_that_a_weight_is_not_for_is_said(published, tmp_path, capsys):
    Image.fromarray(VALUES[:9, :7]).save(tmp_path / "a.png")
    out = ["-o", str(tmp_path), "--weights", "dncnn-some", "--sigma", "50"]
    assert run(tmp_path, *out) == 0
    assert "dncnn-some is for noise from 20 to 30 grey levels" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "mode"),
    [("a.png", "L"), ("a.png", "RGBA"), ("a.jpg", "CMYK"), ("a.tif", "I;16"), ("a.png", "P")],
)
def test_pictures_of_all_kinds(name, mode, published, tmp_path):
    if mode == "I;16":
        image = Image.fromarray(VALUES[:5, :1, 0].astype(np.uint16) * 257)
    else:
        image = Image.fromarray(VALUES[:5, :1]).convert(mode)
    image.save(tmp_path / name)
    assert run(tmp_path, "-o", str(tmp_path / "out.png"), "--scale", "2", source=name) == 0
    with Image.open(tmp_path / "out.png") as sheet:
        assert sheet.mode == "RGB"
        assert sheet.size == (3 * (SIDE + MARGIN) + MARGIN, 4 * TEXT + 5 + 10 + MARGIN)


def test_a_turned_picture_is_shown_upright(published, tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # its first row is the right side
    Image.fromarray(VALUES[:9, :7]).save(tmp_path / "a.png", exif=exif)
    assert run(tmp_path, "-o", str(tmp_path / "b.png"), "--sigma", "25") == 0
    with Image.open(tmp_path / "b.png") as sheet:
        shown = np.asarray(sheet)[2 * TEXT : 2 * TEXT + 7, MARGIN : MARGIN + 9]
    np.testing.assert_array_equal(shown, np.rot90(VALUES[:9, :7], -1))


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["a.png", "a.png"], 2, "a preview is of one picture: give one file"),
        (["."], 2, "a preview is of one picture: give one file"),
        (["a.png", "-o", "b.jpg"], 2, "a preview is a PNG file: name it b.png"),
        (["a.png", "-o", "a.png", "--overwrite"], 2, "a.png would be overwritten by its own"),
        (["a.png", "-o", "there.png"], 2, "there.png is there already (--overwrite replaces it)"),
        (["none.png"], 1, "none.png"),
        (["text.png"], 1, "text.png is not a PNG, JPEG"),
        (["a.png", "--sigma", "60"], 2, "removes noise of 60 grey levels from a rgb picture"),
        (["a.png", "--scale", "7"], 2, "published weights enlarge by 2. Received: scale=7"),
        (["a.png", "--scale", "2", "--sigma", "9"], 2, "give one of scale and sigma"),
        (["a.png", "--sigma", "auto"], 2, "a preview shows several levels by itself"),
        (["a.png", "--strength", "2"], 2, "strength must be from 0 to 1. Received: strength=2"),
        (["a.png", "--megapixels", "0.00001"], 1, "more than the limit"),
        (["a.png", "--weights", "nothing"], 1, "'nothing' is neither"),
        (["a.png", "--weights", "srcnn-fair", "--sigma", "9"], 2, "enlarges and takes no noise"),
    ],
)
def test_what_is_refused(words, code, message, published, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Image.fromarray(VALUES[:9, :7]).save("a.png")
    Image.fromarray(VALUES[:9, :7]).save("there.png")
    (tmp_path / "text.png").write_text("no picture, but longer than a header")
    before = {path.name: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    assert cli.main(["restore", *words, "--preview"]) == code
    said = capsys.readouterr().err
    assert message in said
    assert len(said.splitlines()) == 1
    assert {path.name: path.stat().st_mtime_ns for path in tmp_path.iterdir()} == before


def test_no_weight_for_the_picture(published, tmp_path, capsys):
    (tmp_path / "zoo/dncnn-some.json").unlink()
    for path in (tmp_path / "zoo").glob("*.json"):
        path.write_text(path.read_text().replace('"rgb",', ""))
    Image.fromarray(VALUES[:9, :7]).save(tmp_path / "a.png")
    assert run(tmp_path, "-o", str(tmp_path)) == 2
    assert capsys.readouterr().err == "asykeras: no published weight is for rgb pictures\n"


@pytest.mark.parametrize(
    ("use", "sigma", "expected"),
    [
        (Use(scale=2), None, [None]),
        (Use(takes_sigma=True, levels=(0, 50 / 255)), None, [10, 25, 50]),
        (Use(takes_sigma=True), None, [10, 25, 50]),
        (Use(levels=(30 / 255, 40 / 255)), None, [40]),  # none of the usual ones
        (Use(), None, [None]),
        (Use(takes_sigma=True, levels=(0, 50 / 255)), 7 / 255, [7]),
    ],
)
def test_the_levels_that_a_network_is_shown_at(use, sigma, expected):
    found = [None if level is None else level * 255 for level in levels(use, sigma)]
    assert found == pytest.approx(expected)


@pytest.mark.parametrize(
    ("use", "strength", "expected"),
    [(Use(), 1.0, [1.0, 0.5]), (Use(), 0.3, [0.3]), (Use(scale=2), 1.0, [1.0])],
)
def test_the_strengths_that_a_network_is_shown_at(use, strength, expected):
    assert strengths(use, strength) == expected


def test_a_network_computes_once_for_all_strengths():
    asked = []

    def engine(inputs):
        asked.append(len(inputs))
        return inputs[0] + 1

    part = dataclasses.replace(network(), engine=engine)
    parts = preview._remembering(chain([part, part])).parts
    ones, twos = np.ones((1, 2, 2, 3)), np.full((1, 2, 2, 3), 2.0)
    for each in (ones, ones.copy(), twos):
        np.testing.assert_array_equal(parts[0].engine([each]), each + 1)
    assert asked == [1, 1]
    parts[0].engine([twos, ones])
    parts[1].engine([twos])
    assert asked == [1, 1, 2, 1]


def test_panels_beside_each_other():
    def of(scale, grey, label="x"):
        return Panel(label, scale, Image.new("RGB", (300 * scale, 20 * scale), (grey,) * 3))

    count = 10  # 308 pixels each, 8 before them: 3200 at most
    sheet = side_by_side([of(2, 100), *(of(1, n) for n in range(count + 1))])
    cell, line = 300 + MARGIN, 2 * TEXT + 20
    assert sheet.size == (count * cell + MARGIN, 2 * line + 2 * TEXT + 40 + MARGIN)
    pixels = np.asarray(sheet)[..., 0]
    for n in range(count):
        left = MARGIN + n * cell
        assert (pixels[2 * TEXT : line, left : left + 300] == n).all()
        assert (pixels[2 * TEXT : line, left + 300 : left + cell] == 255).all()
    assert (pixels[line + 2 * TEXT : 2 * line, MARGIN : MARGIN + 300] == count).all()
    assert (pixels[2 * line + 2 * TEXT :][:40, MARGIN : MARGIN + 600] == 100).all()


@pytest.mark.skipif(not features.check("freetype2"), reason="letters of one size alone")
@pytest.mark.parametrize(
    "label", ["short", "/a/folder/with/a/name/that/is/" + "long/" * 20 + "end"]
)
def test_labels_stay_above_their_panels(label):
    small = Image.new("RGB", (3, 3))
    sheet = np.asarray(side_by_side([Panel(label, 1, small), Panel("", 1, small)]))
    ink = sheet[: 2 * TEXT].min(axis=(0, 2)) < 128
    assert 10 < ink.sum()
    assert not ink[: MARGIN - 1].any()
    assert not ink[MARGIN + SIDE :].any()


def test_a_failure_leaves_no_file(published, tmp_path, monkeypatch):
    Image.fromarray(VALUES[:9, :7]).save(tmp_path / "a.png")

    def fails(panels):
        raise MemoryError

    monkeypatch.setattr(preview, "side_by_side", fails)
    assert run(tmp_path, "-o", str(tmp_path / "out/b.png"), "--sigma", "25") == 1
    assert not list((tmp_path / "out").iterdir())


def test_a_network_that_cannot_be_opened_ends_it_before_the_others_have_restored():
    started, going_on = [], threading.Event()

    def plans():
        yield from range(5)
        going_on.set()
        raise ValueError("the last one")

    def shown(plan):
        started.append(plan)
        going_on.wait()
        return []

    with pytest.raises(ValueError, match="the last one"):
        preview._in_turn(plans(), shown)
    assert len(started) < 3  # the one at work, and perhaps the next


def test_a_network_that_fails_ends_it_before_more_are_opened():
    opened, failed = [], threading.Event()

    def plans():
        for number in range(5):
            opened.append(number)
            yield number
            failed.wait()
            time.sleep(0.1)  # until the failure is known

    def shown(plan):
        failed.set()
        raise ValueError("the first one")

    with pytest.raises(ValueError, match="the first one"):
        preview._in_turn(plans(), shown)
    assert len(opened) < 4


def test_rows_are_read_again_where_a_network_looks_further(tmp_path):
    Image.fromarray(VALUES).save(tmp_path / "a.png")
    around = preview._Around(read_header(tmp_path / "a.png"))
    for start, stop in ((100, 200), (120, 180), (90, 210), (100, 200)):
        np.testing.assert_array_equal(around(start, stop), VALUES[start:stop])
