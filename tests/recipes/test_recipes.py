"""Every recipe runs, publishes a network that loads, and ends with the same bits when resumed."""

import json
import os
import subprocess
import sys

import keras
import numpy as np
import pytest
from PIL import Image

import zoo
from recipes import dncnn, dphsir, edsr, ffdnet, span, srcnn
from recipes.training.curves import read_log
from recipes.training.settings import TrainingError
from zoo.networks.dncnn import DnCNN

rng = np.random.default_rng(0)
SMALL = {
    "srcnn": ["--scale", "2", "--variant", "9-1-5", "--patch", "36"],
    "edsr": ["--scale", "2", "--patch", "24"],
    "span": ["--scale", "2", "--patch", "24", "--channels", "28"],
    "dncnn": ["--sigma", "25", "--patch", "24", "--depth", "4"],
    "dphsir": ["--bands", "1", "--patch", "16", "--variant", "small"],
    "ffdnet": ["--channels", "1", "--patch", "17"],
}
RECIPES = {
    "srcnn": srcnn,
    "edsr": edsr,
    "span": span,
    "dncnn": dncnn,
    "dphsir": dphsir,
    "ffdnet": ffdnet,
}
PARAMETERS = {
    "srcnn": 8_129,
    "edsr": 1_369_859,
    "span": 141_580,
    "dncnn": 640 + 2 * 36_928 + 577,
    "dphsir": 3_530_547,
    "ffdnet": 485_316,
}


@pytest.fixture
def photos(tmp_path):
    (tmp_path / "photos").mkdir()
    for n in range(2):
        image = rng.integers(0, 256, (40, 44, 3), dtype=np.uint8)
        Image.fromarray(image).save(tmp_path / f"photos/{n}.png")
    return tmp_path / "photos"


def arguments(name, photos, workdir, *more):
    few = ["--steps", "4", "--every", "2", "--batch", "2", "--ema", "0.9", "--quiet"]
    return ["--data", str(photos), "--workdir", str(workdir), *SMALL[name], *few, *more]


@pytest.mark.parametrize(
    "name",
    [n if n in ("srcnn", "dncnn") else pytest.param(n, marks=pytest.mark.slow) for n in RECIPES],
)
def test_a_run_publishes_a_network_that_loads(name, photos, tmp_path):
    workdir, deep = tmp_path / "run", name in ("edsr", "span")  # which take long to compile
    more = [] if deep else ["--precision", "bfloat16", "--validation", str(photos)]
    assert RECIPES[name].main(arguments(name, photos, workdir, *more)) == 0
    keras.config.set_dtype_policy("float32")
    network = zoo.load(str(workdir))
    assert network.count_params() == PARAMETERS[name]
    assert json.loads((workdir / "network.json").read_text())["training"]["seconds"] >= 0
    last = (workdir / "training.csv").read_text().splitlines()[-1].split(",")
    assert last[0] == "4"
    assert deep or np.isfinite(float(last[2]))


def test_a_blind_denoiser_draws_its_levels():
    chosen = dncnn.DncnnSettings.of(sigma=55.0, sigma_min=5.0, variant="C")
    recipe = dncnn.recipe(chosen)
    assert recipe.degradation().sigma == [5 / 255, 55 / 255]
    assert recipe.channels == "rgb"
    assert recipe.build().count_params() == DnCNN(variant="C").count_params()


def test_a_folded_denoiser_is_trained_as_it_is_published():
    recipe = dncnn.recipe(dncnn.DncnnSettings.of(folded=True, depth=4))
    network = recipe.build()
    assert network.count_params() == 640 + 2 * 36_928 + 577
    assert recipe.trained == {}
    published = recipe.publish(network)
    assert published is not network
    for ours, theirs in zip(network.get_weights(), published.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_ffdnet_takes_one_or_three_channels():
    with pytest.raises(TrainingError, match="--channels must be 1 or 3. Received: 2"):
        ffdnet.recipe(ffdnet.FfdnetSettings(channels=2))


def test_a_patch_that_the_scale_does_not_divide_is_refused(photos, tmp_path, capsys):
    given = arguments("edsr", photos, tmp_path / "run", "--patch", "25")
    assert edsr.main(given) == 1
    assert "--patch must be a multiple of the scale 2. Received: 25" in capsys.readouterr().err


@pytest.mark.slow
def test_init_starts_from_the_weights_of_another_run(photos, tmp_path):
    assert srcnn.main(arguments("srcnn", photos, tmp_path / "first")) == 0
    more = ["--init", str(tmp_path / "first"), "--learning-rate", "0"]
    assert srcnn.main(arguments("srcnn", photos, tmp_path / "second", *more)) == 0
    first, second = (zoo.load(str(tmp_path / folder)) for folder in ("first", "second"))
    for one, other in zip(first.get_weights(), second.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6)


@pytest.mark.slow
def test_the_weights_of_grunet_restore_any_number_of_bands(photos, tmp_path):
    assert dphsir.main(arguments("dphsir", photos, tmp_path / "run")) == 0
    network = zoo.load(str(tmp_path / "run"))
    for bands in (1, 3, 5):
        noisy = rng.random((9, 7, bands))
        assert zoo.restore(network, noisy, sigma=25 / 255).shape == (9, 7, bands)


@pytest.mark.slow
def test_a_run_can_be_cut_by_time(photos, tmp_path, capsys):
    whole = arguments("srcnn", photos, tmp_path / "whole")
    cut = arguments("srcnn", photos, tmp_path / "cut", "--minutes", "1e-9")
    assert srcnn.main(whole) == 0
    assert srcnn.main(cut) == 1
    assert (
        "stopped at step 2 of 4 after 1e-09 minutes; go on with --resume" in capsys.readouterr().err
    )
    assert not (tmp_path / "cut/network.weights.h5").exists()
    assert srcnn.main([*cut, "--resume"]) == 0
    first, second = (zoo.load(str(tmp_path / folder)) for folder in ("whole", "cut"))
    for one, other in zip(first.get_weights(), second.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def partners(photos, folder, ratio):
    """Write a degraded partner of every photograph, `ratio` times smaller."""
    folder.mkdir()
    for path in photos.iterdir():
        image = Image.open(path)
        image.resize((image.width // ratio, image.height // ratio)).save(folder / path.name)
    return folder


@pytest.mark.slow
@pytest.mark.parametrize(("name", "ratio"), [("srcnn", 2), ("edsr", 2), ("dncnn", 1)])
def test_a_run_on_pairs(name, ratio, photos, tmp_path):
    degraded = partners(photos, tmp_path / "degraded", ratio)
    workdir = tmp_path / "run"
    assert RECIPES[name].main(arguments(name, photos, workdir, "--degraded", str(degraded))) == 0
    card = json.loads((workdir / "network.json").read_text())
    assert card["training"]["data"] == "photos, degraded"


def test_pairs_that_do_not_fit_are_one_sentence(photos, tmp_path, capsys):
    degraded = partners(photos, tmp_path / "degraded", 4)
    workdir, more = tmp_path / "run", ("--degraded", str(degraded))
    assert edsr.main(arguments("edsr", photos, workdir, *more)) == 1
    assert "clean image is 2 times as large as the degraded one. Received: 4" in (
        capsys.readouterr().err
    )
    assert dphsir.main(arguments("dphsir", photos, workdir, *more)) == 1
    assert "takes the level of the noise, which pairs do not tell" in capsys.readouterr().err
    assert dncnn.main(arguments("dncnn", photos, workdir, *more, "--jpeg", "5:9")) == 1
    assert "give either --degraded or --jpeg, not both" in capsys.readouterr().err
    assert not workdir.exists()


@pytest.mark.slow
def test_a_run_on_jpeg_artefacts_ends_with_the_same_bits(photos, tmp_path, monkeypatch):
    if keras.backend.backend() == "tensorflow":
        pytest.importorskip("keras_cv")
    more = ("--jpeg", "5:40", "--validation", str(photos))
    assert dncnn.main(arguments("dncnn", photos, tmp_path / "whole", *more)) == 0
    assert dncnn.main(arguments("dncnn", photos, tmp_path / "cut", *more, "--minutes", "1e-9")) == 1
    assert dncnn.main(arguments("dncnn", photos, tmp_path / "cut", *more, "--resume")) == 0
    first, second = (zoo.load(str(tmp_path / folder)) for folder in ("whole", "cut"))
    for one, other in zip(first.get_weights(), second.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("text", ["5", "0:10", "50:40", "5:101", "a:b"])
def test_wrong_qualities_are_one_sentence(text):
    with pytest.raises(TrainingError, match="--jpeg must be LOW:HIGH from 1 to 100. Received: "):
        dncnn.recipe(dncnn.DncnnSettings(jpeg=text))


@pytest.mark.slow
def test_a_run_on_cubes(tmp_path):
    cube = rng.integers(0, 4000, (12, 40, 44), dtype=np.uint16)
    np.save(tmp_path / "cube.npy", cube)
    words = ["--bands", "5", "--bands-axis", "first", "--patch", "16"]
    seen = ["--validation", str(tmp_path / "seen")]
    (tmp_path / "seen").mkdir()
    np.save(tmp_path / "seen/other.npy", rng.integers(0, 4000, (6, 17, 18), dtype=np.uint16))
    run = arguments("dphsir", tmp_path / "cube.npy", tmp_path / "run", *words, *seen)
    assert dphsir.main(run) == 0
    assert np.isfinite(read_log(tmp_path / "run")["validation_psnr"]).all()
    noisy = np.zeros((1, 16, 16, 7), np.float32)
    restored = zoo.load(str(tmp_path / "run"))([noisy, np.full((1, 1), 0.1, np.float32)])
    assert restored.shape == noisy.shape


@pytest.mark.parametrize("name", RECIPES)
def test_help_names_every_option(name, capsys):
    with pytest.raises(SystemExit) as stop:
        RECIPES[name].main(["--help"])
    assert stop.value.code == 0
    shown = capsys.readouterr().out
    for option in ("--loss", "--precision", "--init", "--resume", "--validation"):
        assert option in shown


WITHOUT_TENSORFLOW = """
import importlib, sys
sys.modules["tensorflow"] = None  # every import of it fails, as where it is not installed
from recipes import evaluate
_, name, workdir, photos, *arguments = sys.argv
code = importlib.import_module(f"recipes.{name}").main(arguments)
if name == "srcnn":
    code = code or evaluate.main(["--weights", workdir, "--data", photos, "--task", "x2"])
sys.exit(code)
"""


# One that enlarges and one that is told the noise; the others differ in their networks alone.
@pytest.mark.parametrize(
    "name",
    [n if n in ("srcnn", "ffdnet") else pytest.param(n, marks=pytest.mark.slow) for n in RECIPES],
)
def test_training_and_evaluation_need_no_tensorflow_on_jax(name, photos, tmp_path):
    pytest.importorskip("jax")
    words = arguments(name, photos, tmp_path / "run", "--steps", "2")
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            WITHOUT_TENSORFLOW,
            name,
            str(tmp_path / "run"),
            str(photos),
            *words,
        ],
        env={**os.environ, "KERAS_BACKEND": "jax"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert ("| mean |" in done.stdout) == (name == "srcnn")
    assert (tmp_path / "run/network.json").exists()
