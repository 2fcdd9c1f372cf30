"""Which weight is taken for a picture and a job, and what the command says of it."""

import json
import re

import numpy as np
import pytest
from PIL import Image

import zoo
from tests.zoo.examples import card_of
from zoo.app import cli
from zoo.store import weight as weights
from zoo.store.choice import ChoiceError, best_weight, suitable_weights, weights_for


def publish(folder, name, use, psnr, builder="SRCNN", **arguments):
    """Write a card, and a network of random numbers where the arguments of one are given."""
    test = {"data": "samples", "task": "x2", "psnr": psnr, "images": 4}
    card = {"builder": builder, "arguments": arguments, "use": use, "tests": [test]}
    if arguments:
        network = getattr(zoo, builder)(**arguments)
        weights.save(network, folder / f"{name}.weights.h5", card_of(card))
    else:
        card_of(card).write(folder / f"{name}.json")


@pytest.fixture
def zoo_of_three(tmp_path, monkeypatch):
    monkeypatch.setattr(weights, "PUBLISHED", tmp_path / "zoo")
    folder = tmp_path / "zoo"
    folder.mkdir()
    publish(folder, "fair", {"scale": 2, "colours": ["grey", "rgb"]}, 30.0)
    publish(folder, "fine", {"scale": 2, "colours": ["rgb"]}, 31.0)
    publish(folder, "clean", {"levels": [20, 30], "colours": ["grey"]}, 29.0)
    return folder


def test_the_best_of_those_that_are_for_the_picture(zoo_of_three):
    assert best_weight("rgb", scale=2) == "fine"
    assert best_weight("grey", scale=2) == "fair"
    assert best_weight("grey", sigma=20 / 255) == best_weight("grey", sigma=30 / 255) == "clean"


def test_all_that_are_for_the_picture_the_best_first(zoo_of_three):
    assert suitable_weights("rgb", scale=2) == ["fine", "fair"]
    assert suitable_weights("grey", sigma=20 / 255) == ["clean"]
    assert weights_for("rgb") == ["fine", "fair"]
    assert weights_for("grey") == ["clean", "fair"]
    with pytest.raises(ChoiceError, match="no published weight is for cmyk pictures"):
        weights_for("cmyk")
    with pytest.raises(ValueError, match="give one of scale and sigma"):
        suitable_weights("rgb")


def test_files_of_jpeg_below_a_quality_get_the_weight_for_them(zoo_of_three):
    publish(zoo_of_three, "jpegs", {"scale": 2, "colours": ["rgb"], "jpeg_below": 90}, 28.0)
    chosen = [best_weight("rgb", scale=2, quality=quality) for quality in (None, 100, 90, 89, 1)]
    assert chosen == ["fine", "fine", "fine", "jpegs", "jpegs"]
    assert best_weight("grey", scale=2, quality=50) == "fair"
    assert suitable_weights("rgb", scale=2) == ["fine", "fair", "jpegs"]
    assert weights_for("rgb", 50) == ["jpegs", "fine", "fair"]


def test_of_denoisers_the_one_ahead_at_the_nearest_level_that_all_were_measured_at(zoo_of_three):
    use = {"levels": [0, 75], "colours": ["rgb"]}

    def measured(name, on_samples, **psnr):
        publish(zoo_of_three, name, use, on_samples)
        file = zoo_of_three / f"{name}.json"
        card = json.loads(file.read_text())
        card["tests"] += [{"data": "kodak24", "task": t, "psnr": p} for t, p in psnr.items()]
        file.write_text(json.dumps(card))

    measured("low", 29.0, sigma15=33.4, sigma50=27.0, sigma5=99.0)  # 5 is measured of it alone
    measured("high", 30.0, sigma15=33.2, sigma50=27.04)
    # nearer to 15 than to 50: 0.2 dB decide; nearer to 50: 0.04 dB do not, but the samples
    assert suitable_weights("rgb", sigma=2 / 255) == ["low", "high"]
    assert suitable_weights("rgb", sigma=32 / 255) == ["low", "high"]
    assert suitable_weights("rgb", sigma=33 / 255) == ["high", "low"]
    measured("other", 31.0, sigma25=33.0)  # with it nothing is shared but the samples
    assert suitable_weights("rgb", sigma=2 / 255) == ["other", "high", "low"]


@pytest.mark.parametrize(
    ("colour", "job", "message"),
    [
        ("rgb", {"scale": 5}, "published weights enlarge by 2. Received: scale=5"),
        ("cmyk", {"scale": 2}, "no published weight enlarges a cmyk picture by 2"),
        (
            "grey",
            {"sigma": 31 / 255},
            r"removes noise of 31 grey levels from a grey picture \(clean is for 20 to 30\)$",
        ),
        (
            "rgb",
            {"sigma": 25 / 255},
            "from a rgb picture; --weights clean takes it, with poor results",
        ),
    ],
)
def test_jobs_that_nothing_is_for(colour, job, message, zoo_of_three):
    with pytest.raises(ChoiceError, match=message):
        best_weight(colour, **job)


@pytest.mark.parametrize("job", [{}, {"scale": 2, "sigma": 25}, {"sigma": -1}, {"sigma": np.inf}])
def test_what_is_no_job(job):
    with pytest.raises(ValueError, match=r"give one of scale and sigma|sigma must be 0 or more"):
        best_weight("rgb", **job)


def test_the_published_weights():
    """What the guide promises of them (docs/restore.md)."""
    assert best_weight("rgb", scale=2) == best_weight("grey", scale=2) == "edsr-baseline-x2"
    assert best_weight("rgb", scale=2, quality=89) == "span-x2-photo"
    assert best_weight("rgb", scale=2, quality=90) == "edsr-baseline-x2"
    assert best_weight("cmyk", scale=4) == "edsr-baseline-x4"
    assert best_weight("rgb", scale=3) == "span-x3"
    assert best_weight("rgb", sigma=25 / 255) == "ffdnet-color"
    assert best_weight("grey", sigma=25 / 255) == "dncnn-gray-25"
    assert best_weight("grey", sigma=5 / 255) == "dncnn-gray-blind"
    assert best_weight("grey", sigma=53 / 255) == "ffdnet-gray"
    known = (
        "dncnn-gray-25 is for 20 to 50; dncnn-gray-blind is for 0 to 55; ffdnet-gray is for 0 to"
    )
    with pytest.raises(ChoiceError, match=known):
        best_weight("grey", sigma=90 / 255)


# ---- the command


def save(path, channels):
    path.parent.mkdir(parents=True, exist_ok=True)
    values = np.random.default_rng(0).integers(0, 256, (7, 9, channels), dtype=np.uint8)
    Image.fromarray(values[..., 0] if channels == 1 else values).save(path)
    return values


@pytest.fixture
def networks(zoo_of_three):
    """Two of the three get a network."""
    use = {"scale": 2, "enlarge_first": True, "colours": ["rgb"]}
    publish(zoo_of_three, "fine", use, 31.0, scale=2, variant="9-1-5")
    use = {"levels": [20, 30], "colours": ["grey"]}
    publish(zoo_of_three, "clean", use, 29.0, "DnCNN", depth=3, batch_norm=False)


def test_each_picture_gets_its_weight_and_it_is_said(networks, tmp_path, capsys):
    values = save(tmp_path / "in/a.png", 3)
    command = ["restore", str(tmp_path / "in"), "-o", str(tmp_path / "out")]
    assert cli.main([*command, "--scale", "2"]) == 0
    assert "rgb pictures are restored by fine" in capsys.readouterr().err
    with Image.open(tmp_path / "out/a.png") as image:
        np.testing.assert_array_equal(np.asarray(image), zoo.restore("fine", values))


def test_files_of_jpeg_are_told_by_their_tables(networks, zoo_of_three, tmp_path, capsys):
    use = {"scale": 2, "enlarge_first": True, "colours": ["rgb"], "jpeg_below": 90}
    publish(zoo_of_three, "jpegs", use, 28.0, scale=2, variant="9-1-5")
    (tmp_path / "in").mkdir()
    values = save(tmp_path / "in/a.png", 3)
    for quality in (60, 80, 95):
        Image.fromarray(values).save(tmp_path / f"in/{quality}.jpg", quality=quality)
    command = ["restore", str(tmp_path / "in"), "-o", str(tmp_path / "out")]
    assert cli.main([*command, "--scale", "2"]) == 0
    said = capsys.readouterr().err
    assert said.count("rgb pictures are restored by fine") == 1
    assert said.count("rgb JPEG files below quality 90 are restored by jpegs") == 1
    for name, weight in (("60.jpg", "jpegs"), ("80.jpg", "jpegs"), ("95.jpg", "fine")):
        alone = ["restore", str(tmp_path / "in" / name), "-o", str(tmp_path / "alone")]
        assert cli.main([*alone, "--weights", weight]) == 0
        assert (tmp_path / "alone" / name).read_bytes() == (tmp_path / "out" / name).read_bytes()


def test_a_picture_that_nothing_is_for_costs_a_sentence(networks, tmp_path, capsys):
    save(tmp_path / "in/a.png", 3)
    save(tmp_path / "in/b.png", 1)
    command = ["restore", str(tmp_path / "in"), "-o", str(tmp_path / "out"), "--sigma", "25"]
    assert cli.main(command) == 1
    said = capsys.readouterr().err
    assert "in/a.png: no published weight removes noise of 25 grey levels from a rgb" in said
    assert "grey pictures are restored by clean" in said
    assert (tmp_path / "out/b.png").is_file()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "--scale 2, 3 or 4 enlarges, --sigma S removes noise of S grey levels"),
        (["--scale", "5"], "published weights enlarge by 2. Received: scale=5"),
        (["--scale", "2", "--sigma", "25"], "give one of scale and sigma. Received: scale=2,"),
        (["--sigma", "nan"], "sigma must be 0 or more. Received: sigma=nan"),
        (["--weights", "fine", "--scale", "3"], "fine has the scale 2. Received: scale=3"),
        (["--scale", "2", "--device", "abacus"], "device 'abacus' cannot be used: "),
    ],
)
def test_wrong_jobs_are_exit_code_2(words, message, networks, tmp_path, capsys):
    save(tmp_path / "in/a.png", 3)
    command = ["restore", str(tmp_path / "in"), "-o", str(tmp_path / "out")]
    assert cli.main([*command, *words]) == 2
    said = capsys.readouterr().err
    assert said.startswith("asykeras: ")
    assert message in said
    assert not list((tmp_path / "out").glob("*.png"))


def test_a_named_weight_for_other_pictures_is_said(networks, tmp_path, capsys):
    values = save(tmp_path / "in/a.png", 3)
    command = ["restore", str(tmp_path / "in"), "-o", str(tmp_path / "out"), "--sigma", "25"]
    assert cli.main([*command, "--weights", "clean"]) == 0
    expected = "clean is for grey pictures: on one that is rgb, expect poor results"
    assert expected in capsys.readouterr().err
    with pytest.warns(UserWarning, match=re.escape(expected)):
        zoo.restore("clean", values, sigma=25 / 255)
