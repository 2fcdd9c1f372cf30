"""The command line: what it prints, its exit codes, and no traceback for a user's mistake."""

import json

import numpy as np
import pytest
import scipy.io

import zoo
from zoo import cards, cli, verify, weights


@pytest.fixture
def published(tmp_path, monkeypatch):
    """A published weight of random numbers with a true card; returns the card's path."""
    monkeypatch.setattr(weights, "CARDS", tmp_path)
    monkeypatch.setattr(weights, "FILES", tmp_path)
    network = zoo.SRCNN(3, "9-1-5")
    card = {"builder": "SRCNN", "arguments": {"scale": 3, "variant": "9-1-5"}}
    test = {"data": "samples", "scale": 3}
    scores = verify.measure(network, verify.SAMPLES / "test", test)
    tests = [{**test, "images": 4, **scores}, {**test, "data": "set5", "images": 5, **scores}]
    tests[1] |= {"published": 32.75, "published_note": "by others"}
    weights.save(network, tmp_path / "toy.weights.h5", {**card, "tests": tests})
    return tmp_path / "toy.json"


def test_list_and_info(published, capsys):
    assert cli.main(["list"]) == 0
    assert "toy " in capsys.readouterr().out
    assert cli.main(["info", "toy"]) == 0
    assert json.loads(capsys.readouterr().out)["parameters"] == 8129


def test_verify_repeats_the_numbers_that_it_can(published, capsys):
    assert cli.main(["verify", "toy"]) == 0
    samples, set5 = capsys.readouterr().out.splitlines()
    assert samples.endswith("ok")
    assert set5.endswith("images not at hand")
    assert "published 32.75 (by others)" in set5


def test_verify_fails_when_a_number_differs(published, capsys):
    card = json.loads(published.read_text())
    card["tests"][0]["psnr"] += 0.02
    published.write_text(json.dumps(card))
    assert cli.main(["verify", "toy"]) == 1
    assert "DIFFERS" in capsys.readouterr().out


def test_test_sets_are_found_whatever_the_case(tmp_path):
    (tmp_path / "Set5").mkdir()
    (tmp_path / "BSDS500/val").mkdir(parents=True)
    assert verify.test_folder("set5", str(tmp_path)) == tmp_path / "Set5"
    assert verify.test_folder("bsds500/val", str(tmp_path)) == tmp_path / "BSDS500/val"
    assert verify.test_folder("kodak24", str(tmp_path)) is None


@pytest.mark.parametrize("command", ["info", "verify"])
def test_an_unknown_name_is_one_sentence(command, capsys):
    assert cli.main([command, "nothing"]) == 1
    captured = capsys.readouterr()
    assert captured.err.startswith("asykeras: there is no weight named 'nothing'")
    assert len(captured.err.splitlines()) == 1


def test_import_weights_writes_a_network_that_loads(tmp_path, capsys):
    content = {"weights_conv1": np.ones((81, 64)), "weights_conv2": np.ones((64, 1, 32))}
    content |= {"weights_conv3": np.ones((32, 25)), "biases_conv1": np.ones((64, 1))}
    content |= {"biases_conv2": np.ones((32, 1)), "biases_conv3": np.ones((1, 1))}
    scipy.io.savemat(tmp_path / "srcnn.mat", content)
    out = str(tmp_path / "ours.weights.h5")
    assert (
        cli.main(["import-weights", str(tmp_path / "srcnn.mat"), "--model", "srcnn", "--out", out])
        == 0
    )
    assert zoo.load(out).count_params() == 8129
    assert "8,129 parameters" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("file", "out", "message"),
    [
        ("absent.mat", "x.weights.h5", "absent.mat cannot be read"),
        ("absent.mat", "x.h5", "--out must end with .weights.h5. Received: "),
        ("absent.mat", "no/x.weights.h5", "there is no folder "),
    ],
)
def test_mistakes_of_import_weights_are_one_sentence(file, out, message, tmp_path, capsys):
    arguments = [str(tmp_path / file), "--model", "srcnn", "--out", str(tmp_path / out)]
    assert cli.main(["import-weights", *arguments]) == 1
    assert message in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("arguments", [[], ["fly"], ["verify"]])
def test_wrong_usage_is_exit_code_2(arguments, capsys):
    with pytest.raises(SystemExit) as stop:
        cli.main(arguments)
    assert stop.value.code == 2


def test_the_table_has_a_line_for_each_test(published):
    lines = cards.table().splitlines()
    assert len(lines) == 4
    size = (published.parent / "toy.weights.h5").stat().st_size / 1024
    assert lines[2].startswith(f"| `toy` | 8,129, {size:.0f} KiB | samples (4), x3 |")
    assert "| 32.75 (by others) |" in lines[3]


def test_the_table_is_put_between_its_marks(published, tmp_path):
    text = f"before\n{cards.BEGIN}\nold\n{cards.END}\nafter\n"
    assert cards.put_into(text) == f"before\n{cards.BEGIN}\n{cards.table()}\n{cards.END}\nafter\n"
    with pytest.raises(ValueError, match="the file lacks the marks"):
        cards.put_into("no marks")
