"""Denoisers beside classical methods: the same noise, settings that are best elsewhere."""

import sys
from dataclasses import replace

import numpy as np
import pytest
from skimage.restoration import denoise_nl_means

from recipes.benchmark import denoise
from recipes.plug_and_play.classical import classical
from zoo.pictures.images import read_image
from zoo.scoring.tasks import Denoising
from zoo.scoring.verify import SAMPLES

PHOTO = read_image(SAMPLES / "test/casa-mila.jpg")[100:132, 100:140]


def test_non_local_means_get_their_best_settings(monkeypatch):
    ladders = {"h": (0.01, 0.6, 9.0), "patch": (5,), "distance": (6,)}
    means = replace(classical("denoise")["non-local means"], ladders=ladders)
    monkeypatch.setattr(denoise, "classical", lambda task: {"non-local means": means})
    task = Denoising(25 / 255)
    tuned = denoise.psnr(denoise.tuned_means([PHOTO], task.sigma), [PHOTO], task)
    each = [
        denoise.denoiser(means, task.sigma, {"h": h, "patch": 5, "distance": 6})
        for h in (0.01, 0.6, 9.0)
    ]
    assert tuned == max((denoise.psnr(one, [PHOTO], task) for one in each), key=float)
    assert float(tuned) > float(denoise.psnr(lambda noisy: noisy, [PHOTO], task)) + 2


def test_non_local_means_of_a_grey_picture_are_those_of_its_plane():
    grey = np.random.default_rng(0).random((20, 24, 1))
    settings = {"h": 0.6, "patch": 5, "distance": 6}
    found = denoise.denoiser(classical("denoise")["non-local means"], 0.1, settings)(grey)
    expected = denoise_nl_means(grey[..., 0], 5, 6, 0.6 * 0.1, sigma=0.1)
    np.testing.assert_allclose(found, expected[..., None], atol=1e-6)


def test_every_method_gets_the_same_noise(tmp_path, monkeypatch, capsys):
    seen = {}

    def method(name):
        def restore(noisy):
            seen.setdefault(name, []).append(noisy)
            return noisy

        return restore

    monkeypatch.setattr(denoise, "LEVELS", (25,))
    monkeypatch.setattr(denoise, "tuned_means", lambda images, sigma: method("means"))
    monkeypatch.setattr(denoise, "bm3d", lambda sigma: method("bm3d"))
    denoise.benchmark_denoise(str(SAMPLES / "test"), ["ffdnet-color"], 24)
    assert len(seen["means"]) == len(list((SAMPLES / "test").iterdir()))
    np.testing.assert_array_equal(seen["means"], seen["bm3d"])
    head, row = capsys.readouterr().out.splitlines()[-3::2]
    assert head == "| level | noisy | non-local means | BM3D | ffdnet-color |"
    level, noisy, means, authors, network = (cell.strip() for cell in row.split("|")[1:-1])
    assert (level, means, authors) == ("25", noisy, noisy)
    assert float(network) > float(noisy) + 4


def test_without_bm3d_its_column_is_empty(monkeypatch):
    monkeypatch.setitem(sys.modules, "bm3d", None)
    assert denoise.bm3d(0.1) is None
    assert denoise.psnr(None, [PHOTO], Denoising(0.1)) == ""


def test_weights_of_two_kinds_and_others_are_refused():
    with pytest.raises(ValueError, match="for grey or for colour, not both"):
        denoise.benchmark_denoise(str(SAMPLES / "test"), ["ffdnet-gray", "ffdnet-color"], 24)
    with pytest.raises(ValueError, match="has levels of noise on its card"):
        denoise.benchmark_denoise(str(SAMPLES / "test"), ["srcnn-955-x2"], 24)
