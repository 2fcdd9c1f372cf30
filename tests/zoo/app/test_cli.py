"""The command line: what it prints, its exit codes, and no traceback for a user's mistake."""

import json
import re

import numpy as np
import pytest
import scipy.io
from PIL import Image

import zoo
from recipes.publish import readme as cards
from tests.zoo.examples import card_of, small_grunet
from zoo.app import cli
from zoo.networks.families import FAMILIES, Family
from zoo.restoring.restore import restore
from zoo.scoring import verify
from zoo.store import weight as weights


@pytest.fixture
def published(tmp_path, monkeypatch):
    """A published weight of random numbers with a true card; returns the card's path."""
    monkeypatch.setattr(weights, "PUBLISHED", tmp_path)
    network = zoo.SRCNN(3, variant="9-1-5")
    card = {"builder": "SRCNN", "arguments": {"scale": 3, "variant": "9-1-5"}}
    card["use"] = {"scale": 3, "enlarge_first": True}
    opened = zoo.open_network(network, scale=3)
    scores = verify.measure(opened, verify.SAMPLES / "test", "x3")
    test = {"data": "samples", "task": "x3"}
    tests = [{**test, "images": 4, **scores}, {**test, "data": "set5", "images": 5, **scores}]
    tests[1] |= {"published": 32.75, "published_note": "by others"}
    weights.save(network, tmp_path / "toy.weights.h5", card_of({**card, "tests": tests}))
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
    assert captured.err.startswith("asykeras: ")
    assert "'nothing'" in captured.err
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


def test_debug_is_an_option_before_and_behind_the_command(capsys):
    for words in (["--debug", "info", "nothing"], ["info", "nothing", "--debug"]):
        assert cli.main(words) == 1
        said = capsys.readouterr().err
        assert said.startswith("Traceback (most recent call last):\n")
        assert said.splitlines()[-1].startswith("asykeras: there is no weight of that name")


RESTORE = ["restore", "IN", "-o", "OUT", "--weights"]


@pytest.mark.parametrize(
    "arguments",
    [
        *([], ["fly"], ["verify"], ["restore"]),
        [*RESTORE, "toy", "--sigma", "loud"],
        [*RESTORE, "toy", "--dtype", "float16"],
    ],
)
def test_wrong_usage_is_exit_code_2(arguments, capsys):
    with pytest.raises(SystemExit) as stop:
        cli.main(arguments)
    assert stop.value.code == 2


def test_results_must_go_somewhere(capsys):
    assert cli.main(["restore", "x.png", "--weights", "toy"]) == 2
    assert "say where the results go: -o OUT" in capsys.readouterr().err


def test_the_table_has_a_line_for_each_weight(published):
    lines = cards.table().splitlines()
    assert len(lines) == 3
    size = (published.parent / "toy.weights.h5").stat().st_size / 1024
    psnr = json.loads(published.read_text())["tests"][0]["psnr"]
    first = f"| `toy` | samples (4), x3 | {psnr:.2f} |  | 8,129 | {size:.0f} KiB | "
    assert lines[2].startswith(first)


def test_the_table_is_put_between_its_marks(published, tmp_path):
    text = f"before\n{cards.BEGIN}\nold\n{cards.END}\nafter\n"
    assert cards.put_into(text) == f"before\n{cards.BEGIN}\n{cards.table()}\n{cards.END}\nafter\n"
    with pytest.raises(ValueError, match="the file lacks the marks"):
        cards.put_into("no marks")


# ---- restore


def save_photo(path, size=(9, 7)):
    path.parent.mkdir(parents=True, exist_ok=True)
    values = np.random.default_rng(0).integers(0, 256, (*size[::-1], 3), dtype=np.uint8)
    Image.fromarray(values).save(path)
    return values


@pytest.fixture
def denoiser(tmp_path, monkeypatch):
    """The work folder of a denoiser that takes the level of the noise, a small GRUNet."""
    monkeypatch.setitem(FAMILIES, "DPHSIR", Family(small_grunet))
    folder = tmp_path / "dphsir"
    folder.mkdir()
    use = {"takes_sigma": True, "levels": [0, 70]}
    card = {"builder": "DPHSIR", "arguments": {"channels": 1}, "use": use}
    weights.save(small_grunet(1), folder / "network.weights.h5", card_of(card))
    return folder


def test_restore_gives_what_the_function_gives(published, tmp_path, capsys):
    values = save_photo(tmp_path / "in/sub/a.png")
    command = ["restore", str(tmp_path / "in"), "-o", str(tmp_path / "out"), "--weights", "toy"]
    assert cli.main([*command, "--tile", "5", "--device", "cpu:0"]) == 0
    line = f"{tmp_path}/in/sub/a.png -> {tmp_path}/out/sub/a.png: "
    assert capsys.readouterr().err.startswith(line)
    with Image.open(tmp_path / "out/sub/a.png") as image:
        np.testing.assert_array_equal(np.asarray(image), restore("toy", values, tile=5))
    assert cli.main(command) == 0
    assert "1 results are there already" in capsys.readouterr().err
    assert cli.main([*command, "--overwrite", "--self-ensemble", "--dtype", "bfloat16"]) == 0
    with Image.open(tmp_path / "out/sub/a.png") as image:
        expected = restore("toy", values, self_ensemble=True, dtype="bfloat16")
        np.testing.assert_array_equal(np.asarray(image), expected)


def test_restore_takes_the_level_in_grey_levels(denoiser, tmp_path):
    values = save_photo(tmp_path / "in/a.png")
    command = ["restore", str(tmp_path / "in"), "-o", str(tmp_path / "out")]
    assert cli.main([*command, "--weights", str(denoiser), "--sigma", "25", "--quiet"]) == 0
    with Image.open(tmp_path / "out/a.png") as image:
        expected = restore(str(denoiser), values, sigma=25 / 255)
        np.testing.assert_array_equal(np.asarray(image), expected)


def save_noisy(path, level, size=48):
    """Save a grey picture with noise, which random pixels are no picture for."""
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(0).normal(128, level, (size, size))
    Image.fromarray(np.round(noise).astype(np.uint8)).save(path)


def test_restore_finds_the_level(denoiser, tmp_path, capsys):
    save_noisy(tmp_path / "in/noisy.png", 20)
    save_noisy(tmp_path / "in/clean.png", 0.5)
    command = ["restore", str(tmp_path / "in"), "-o", str(tmp_path / "out"), "--sigma", "auto"]
    assert cli.main([*command, "--weights", str(denoiser), "--strength", "0.5"]) == 0
    said = capsys.readouterr().err
    assert re.search(
        r"noisy.png holds noise of (19|2\d)(.\d)? grey levels, which .* removes\n", said
    )
    assert re.search(r"clean.png holds noise of .* less than 2: it is left as it is\n", said)
    copied = (tmp_path / "out/clean.png").read_bytes()
    assert copied == (tmp_path / "in/clean.png").read_bytes()
    with (
        Image.open(tmp_path / "in/noisy.png") as before,
        Image.open(tmp_path / "out/noisy.png") as new,
    ):
        with pytest.warns(UserWarning, match="holds noise"):
            expected = restore(str(denoiser), np.asarray(before), sigma="auto", strength=0.5)
        np.testing.assert_array_equal(np.asarray(new), expected)


def test_the_level_that_is_found_chooses_the_weight(tmp_path, capsys):
    save_noisy(tmp_path / "in/noisy.png", 30)
    save_noisy(tmp_path / "in/low.png", 6)
    save_noisy(tmp_path / "in/clean.png", 0.5)
    command = ["restore", str(tmp_path / "in"), "-o", str(tmp_path / "out"), "--sigma", "auto"]
    code, said = cli.main(command), capsys.readouterr().err
    assert re.search(r"noisy.png holds noise of .* grey levels, which d\w+-gray\S* removes\n", said)
    assert (tmp_path / "out/clean.png").is_file()
    # for low levels in grey there may be no weight yet
    missing = "no published weight removes noise of" in said
    assert code == int(missing)
    assert (tmp_path / "out/low.png").is_file() != missing


def test_restore_takes_the_noise_of_a_sensor_in_grey_levels(denoiser, tmp_path):
    values = save_photo(tmp_path / "in/a.png")
    command = ["restore", str(tmp_path / "in"), "-o", str(tmp_path / "out"), "--quiet"]
    assert cli.main([*command, "--weights", str(denoiser), "--noise-model", "poisson:5.1,2"]) == 0
    with Image.open(tmp_path / "out/a.png") as image:
        network = zoo.stabilized(str(denoiser), gain=5.1 / 255, read_noise=2 / 255)
        np.testing.assert_array_equal(np.asarray(image), restore(network, values))


@pytest.mark.parametrize(
    ("text", "best"), [("poisson:6,2", "dncnn-gray-25"), ("poisson:0.05,0", "dncnn-gray-blind")]
)
def test_the_best_weight_for_a_sensor(text, best, tmp_path, capsys):
    """The level after the curve chooses it."""
    grey = np.random.default_rng(0).integers(0, 256, (12, 16), dtype=np.uint8)
    (tmp_path / "in").mkdir()
    Image.fromarray(grey).save(tmp_path / "in/a.png")
    command = ["restore", str(tmp_path / "in"), "-o", str(tmp_path / "out")]
    assert cli.main([*command, "--noise-model", text]) == 0
    assert f"grey pictures are restored by {best}\n" in capsys.readouterr().err
    gain, read = (float(number) / 255 for number in text.removeprefix("poisson:").split(","))
    with Image.open(tmp_path / "out/a.png") as image:
        network = zoo.stabilized(best, gain=gain, read_noise=read)
        np.testing.assert_array_equal(np.asarray(image), restore(network, grey))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--noise-model", "gauss:1"], "a noise model is poisson:GAIN,READ, of which GAIN is"),
        (["--noise-model", "poisson:1,1", "--sigma", "5"], "give either --sigma or --noise-model"),
        (["--noise-model", "poisson:1,1", "--scale", "2"], "give either --scale or --noise-model"),
        (["--noise-model", "poisson:1,1", "--weights", "toy"], "toy has the scale 3. Received: "),
    ],
)
def test_noise_models_that_do_not_fit(options, message, published, tmp_path, capsys):
    save_photo(tmp_path / "in/a.png")
    command = ["restore", str(tmp_path / "in"), "-o", str(tmp_path / "out")]
    assert cli.main([*command, *options]) == 2
    assert f"asykeras: {message}" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("channels", [1, 3])
def test_restore_runs_ffdnet_on_odd_sizes(channels, tmp_path):
    values = save_photo(tmp_path / "in/a.png", (13, 11))
    card = {"builder": "FFDNet", "arguments": {"channels": channels}, "use": {"takes_sigma": True}}
    file = tmp_path / "ffdnet.weights.h5"
    weights.save(zoo.FFDNet(channels=channels), file, card_of(card))
    command = ["restore", str(tmp_path / "in"), "-o", str(tmp_path / "out"), "--weights", str(file)]
    assert cli.main([*command, "--sigma", "50", "--quiet"]) == 0
    with Image.open(tmp_path / "out/a.png") as image:
        expected = restore(str(file), values, sigma=50 / 255)
        np.testing.assert_array_equal(np.asarray(image), expected)


def test_restore_fails_when_a_file_does(published, tmp_path, capsys):
    save_photo(tmp_path / "in/a.png")
    (tmp_path / "in/b.png").touch()
    command = ["restore", str(tmp_path / "in"), "-o", str(tmp_path / "out"), "--weights", "toy"]
    assert cli.main([*command, "--quiet"]) == 1
    assert capsys.readouterr().err == f"asykeras: {tmp_path}/in/b.png is empty\n"
    assert (tmp_path / "out/a.png").is_file()
    assert cli.main([*command, "--quiet", "--overwrite", "--megapixels", "0.00001"]) == 1
    assert "more than the limit of 1e-05 " in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--sigma", "25"], "toy enlarges and takes no noise level. Received: sigma=0.0980392"),
        (["--tile", "0"], "tile must be 1 or more. Received: tile=0"),
        (["--strength", "2"], "strength must be from 0 to 1. Received: strength=2.0"),
        (["--sigma", "auto"], "toy takes no noise level. Received: sigma='auto'"),
        (["--sigma", "auto", "--preview"], "a preview shows several levels by itself: leave "),
        (["--device", "abacus"], "device 'abacus' cannot be used: "),
    ],
)
def test_options_that_do_not_fit_are_exit_code_2(options, message, published, tmp_path, capsys):
    save_photo(tmp_path / "in/a.png")
    command = ["restore", str(tmp_path / "in"), "-o", str(tmp_path / "out"), "--weights", "toy"]
    assert cli.main([*command, *options]) == 2
    assert f"asykeras: {message}" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_auto_is_one_of_two_words(tmp_path, capsys):
    save_photo(tmp_path / "in/a.png")
    command = ["restore", str(tmp_path / "in"), "-o", str(tmp_path / "out"), "--sigma"]
    assert cli.main([*command, "auto", "--scale", "2"]) == 2
    assert "give one of --scale and --sigma, or by --weights a chain" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        cli.main([*command, "loud"])
    assert "argument --sigma: must be a number or auto. Received: loud" in capsys.readouterr().err


def test_a_missing_level_is_exit_code_2(denoiser, tmp_path, capsys):
    save_photo(tmp_path / "in/a.png")
    command = ["restore", str(tmp_path / "in"), "-o", str(tmp_path / "out")]
    assert cli.main([*command, "--weights", str(denoiser)]) == 2
    assert "must be given the level of the noise" in capsys.readouterr().err


def test_a_level_that_does_not_fit_is_said(denoiser, tmp_path, capsys):
    save_photo(tmp_path / "in/a.png")
    command = ["restore", str(tmp_path / "in"), "-o", str(tmp_path / "out")]
    assert cli.main([*command, "--weights", str(denoiser), "--sigma", "90"]) == 0
    expected = "is for noise from 0 to 70 grey levels of 255, not of 90"
    assert expected in capsys.readouterr().err


def test_restore_with_unknown_weights_is_exit_code_1(tmp_path, capsys):
    save_photo(tmp_path / "in/a.png")
    command = ["restore", str(tmp_path / "in"), "-o", str(tmp_path / "out"), "--weights", "no"]
    assert cli.main(command) == 1
    assert "'no' is neither a published weight" in capsys.readouterr().err


def test_an_output_that_is_an_input_is_exit_code_2(published, tmp_path, capsys):
    save_photo(tmp_path / "in/a.png")
    folder = str(tmp_path / "in")
    assert cli.main(["restore", folder, "-o", folder, "--weights", "toy"]) == 2
    assert "cannot be both input and output" in capsys.readouterr().err
