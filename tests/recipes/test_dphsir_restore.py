"""Plug-and-play restoration of files: formats, scores, and what is refused."""

import json

import h5py
import numpy as np
import pytest
from PIL import Image
from scipy import io
from skimage.metrics import peak_signal_noise_ratio, structural_similarity
from skimage.restoration import wiener

import zoo
from recipes import dphsir_restore
from recipes.degraded import TASKS, Options, gaussian_kernel, make_task, measure, schedule_of
from recipes.plug_and_play.rows import nearest_row, settings_of
from recipes.spectral_metrics import scores, spectral_angle
from recipes.volumes import read_volume, write_volume
from zoo.images import ImageError
from zoo.plug_and_play import plug_and_play, total_variation
from zoo.weights import save

rng = np.random.default_rng(0)
WAVELENGTHS = tuple(float(each) for each in range(400, 700, 60))


@pytest.fixture
def photo(tmp_path):
    path = tmp_path / "photo.png"
    y, x = np.mgrid[:24, :32]
    values = np.stack([8 * y, 8 * x, 4 * (x + y)], axis=-1) % 256
    Image.fromarray(values.astype(np.uint8)).save(path)
    return path


def run(path, out, *words):
    common = ["--denoiser", "tv", "--iterations", "2", "--out", str(out)]
    return dphsir_restore.main([str(path), *common, *words])


@pytest.mark.parametrize("task", TASKS)
def test_every_task_restores_scores_and_draws_a_photograph(task, photo, tmp_path):
    noise = "30" if task == "denoise" else "1"
    assert run(photo, tmp_path / "out", "--task", task, "--simulate", "--noise", noise) == 0
    with Image.open(tmp_path / "out/photo.png") as image:
        assert image.size == (32, 24)
    assert (tmp_path / "out/photo-figure.png").stat().st_size > 1000
    record = json.loads((tmp_path / "out/scores.json").read_text())
    assert record["options"]["task"] == task
    table = record["scores"]["photo"]
    assert set(table) == {"input", "tv"}
    assert all(np.isfinite(list(row.values())).all() for row in table.values())


@pytest.mark.parametrize("task", ["denoise", "deblur", "sr"])
def test_baselines_stand_beside_it(task, photo, tmp_path, capsys):
    words = ("--task", task, "--simulate", "--baselines", "--noise", "5")
    assert run(photo, tmp_path / "out", *words) == 0
    table = json.loads((tmp_path / "out/scores.json").read_text())["scores"]["photo"]
    names = {"denoise": "TV", "deblur": "Wiener", "sr": "back-projection"}
    assert names[task] in table
    assert f"mean of 1                {names[task]}" in capsys.readouterr().out


def test_tuned_settings_are_those_of_the_nearest_row(photo, tmp_path, monkeypatch):
    row = nearest_row("deblur", Options(noise=1.4))
    assert row.label == "deblurring, Gaussian 8x8 of sigma 3, noise 2"
    assert nearest_row("sr", Options(scale=3, noise=0)).options == Options(scale=2, noise=0.5)
    tuned = settings_of(row, total_variation(), {})
    tuned["plug-and-play"] |= {"first": 9.0, "last": 8.0, "method": "hqs", "returns": "x"}
    tuned["Wiener"] = {"balance": 0.02}
    cells = {f"{row.label}/{name}": {"settings": each} for name, each in tuned.items()}
    (tmp_path / "file.json").write_text(json.dumps({"options": {}, "cells": cells}))
    used = []
    monkeypatch.setattr(
        dphsir_restore,
        "plug_and_play",
        lambda *given, **options: (
            used.append((given[3], options["method"])) or plug_and_play(*given, **options)
        ),
    )
    words = ["--task", "deblur", "--simulate", "--baselines", "--noise", "1.4", "--last", "7"]
    words += ["--settings", str(tmp_path / "file.json")]
    assert run(photo, tmp_path / "out", *words) == 0
    ((schedule, method),) = used
    assert (schedule.first, schedule.last, schedule.iterations, method) == (9.0, 7.0, 2, "hqs")
    # The picture nearest to the data, x, and Wiener's filter as scikit-image has it.
    truth = read_volume(photo).values
    task = make_task("deblur", truth.shape, Options())
    measured = measure(task, truth, Options(noise=1.4))
    found = plug_and_play(task, measured, total_variation(), schedule, method="hqs")
    with Image.open(tmp_path / "out/photo.png") as image:
        written = np.asarray(image) / 255
    np.testing.assert_allclose(written, np.clip(found.x[0], 0, 1), atol=0.51 / 255)
    planes = np.moveaxis(measured[0], -1, 0)
    bands = [wiener(band, gaussian_kernel(), 0.02, clip=False) for band in planes]
    table = json.loads((tmp_path / "out/scores.json").read_text())["scores"]["photo"]
    expected = scores(truth, np.stack(bands, axis=-1))
    assert table["Wiener"] == pytest.approx(expected, abs=1e-4)


def test_a_task_that_is_not_tuned_is_refused(photo, tmp_path, capsys):
    (tmp_path / "file.json").write_text('{"options": {}, "cells": {}}')
    words = ("--task", "spectral", "--simulate", "--settings", str(tmp_path / "file.json"))
    assert run(photo, tmp_path / "out", *words) == 1
    assert "spectral is not tuned: leave --settings out" in capsys.readouterr().err


def test_a_measurement_without_truth_keeps_its_size_and_is_not_scored(photo, tmp_path, capsys):
    assert run(photo, tmp_path / "out", "--task", "deblur") == 0
    with Image.open(tmp_path / "out/photo.png") as image:
        assert image.size == (32, 24)
    assert capsys.readouterr().out == ""
    assert not (tmp_path / "out/scores.json").exists()


@pytest.mark.slow
@pytest.mark.parametrize("bands", [1, 5])
def test_a_network_for_colour_restores_other_numbers_of_bands(bands, tmp_path):
    card = {"builder": "DPHSIR", "arguments": {"bands": 3, "variant": "small"}}
    save(zoo.DPHSIR(3, "small"), tmp_path / "rgb.weights.h5", card)
    np.save(tmp_path / "cube.npy", rng.random((16, 16, bands)))
    words = ("--task", "denoise", "--noise", "20", "--denoiser", str(tmp_path / "rgb.weights.h5"))
    assert run(tmp_path / "cube.npy", tmp_path / "out", *words) == 0
    assert np.load(tmp_path / "out/cube.npy").shape == (16, 16, bands)


def test_a_measurement_of_super_resolution_becomes_larger(photo, tmp_path):
    assert run(photo, tmp_path / "out", "--task", "bicubic", "--scale", "3") == 0
    with Image.open(tmp_path / "out/photo.png") as image:
        assert image.size == (96, 72)


def cube_file(tmp_path, kind, values):
    path = tmp_path / f"cube.{kind.split()[0]}"
    if kind == "npy":
        np.save(path, values)
    elif kind == "mat":
        io.savemat(path, {"cube": values, "wavelengths": np.array(WAVELENGTHS)})
    elif kind == "mat 7.3":
        with h5py.File(path, "w") as file:
            file["cube"] = values.T  # MATLAB's axes stand in the opposite order
            file["wavelengths"] = np.array(WAVELENGTHS)
    else:
        from spectral.io import envi

        metadata = {"wavelength": list(WAVELENGTHS)}
        envi.save_image(str(path), values, dtype=values.dtype, metadata=metadata, interleave="bil")
    return path


@pytest.mark.parametrize("dtype", ["uint16", "float32"])
@pytest.mark.parametrize("kind", ["npy", "mat", "mat 7.3", "hdr"])
def test_cubes_are_read_in_image_units_and_written_as_they_were(kind, dtype, tmp_path):
    values = (rng.random((6, 7, 5)) * 5000).astype(dtype)
    volume = read_volume(cube_file(tmp_path, kind, values))
    span = float(values.max()) - float(values.min())
    np.testing.assert_allclose(volume.values, (values - float(values.min())) / span, atol=1e-6)
    assert volume.wavelengths == (() if kind == "npy" else WAVELENGTHS)
    again = read_volume(write_volume(volume, volume.values, tmp_path / "again"))
    assert again.dtype == volume.dtype == np.dtype(dtype)
    assert again.wavelengths == volume.wavelengths
    assert (again.low, again.high) == pytest.approx((volume.low, volume.high), rel=1e-6)
    np.testing.assert_allclose(again.values, volume.values, atol=1e-6)


def test_bands_first_stay_first(tmp_path):
    np.save(tmp_path / "cube.npy", rng.random((5, 8, 9)))
    words = ("--task", "inpaint", "--simulate", "--bands-axis", "first")
    assert run(tmp_path / "cube.npy", tmp_path / "out", *words) == 0
    assert np.load(tmp_path / "out/cube.npy").shape == (5, 8, 9)


def test_scores_are_those_of_scikit_image_band_by_band():
    truth = rng.random((16, 17, 4))
    other = truth + 0.1 * rng.standard_normal(truth.shape)
    found, clipped = scores(truth, other), np.clip(other, 0, 1)
    bands = range(4)
    psnr = [peak_signal_noise_ratio(truth[..., b], clipped[..., b], data_range=1) for b in bands]
    ssim = [structural_similarity(truth[..., b], clipped[..., b], data_range=1) for b in bands]
    assert found["mpsnr"] == pytest.approx(np.mean(psnr), abs=1e-4)
    assert found["mssim"] == pytest.approx(np.mean(ssim), abs=1e-5)


def test_the_spectral_angle_by_hand():
    truth = np.array([[[1.0, 0.0], [1.0, 1.0], [0.0, 0.0]]])
    other = np.array([[[0.0, 2.0], [3.0, 3.0], [1.0, 0.0]]])
    # a right angle, none, and a black pixel that is left out
    assert spectral_angle(truth, other) == pytest.approx(np.pi / 4)
    assert np.isnan(spectral_angle(truth[..., :1], other[..., :1]))


def test_the_kernel_is_the_gaussian_of_the_authors():
    kernel = gaussian_kernel()
    assert kernel.shape == (8, 8)
    assert kernel.sum() == pytest.approx(1)
    assert kernel[3, 3] / kernel[3, 0] == pytest.approx(np.exp((3.5**2 - 0.5**2) / 18))


@pytest.mark.parametrize("task", TASKS)
def test_masks_and_noise_are_a_function_of_the_seed(task):
    truth = rng.random((12, 16, 6)).astype("float32")
    a, b, other = (
        measure(make_task(task, truth.shape, options), truth, options)
        for options in (
            Options(noise=3, seed=1),
            Options(noise=3, seed=1),
            Options(noise=3, seed=2),
        )
    )
    np.testing.assert_array_equal(a, b)
    assert np.abs(a - other).max() > 0.01


def test_the_share_of_missing_pixels_is_what_is_asked_for():
    task = make_task("inpaint", (100, 100, 3), Options(missing=0.7))
    assert task.mask.mean() == pytest.approx(0.3, abs=0.01)


def test_denoising_is_one_step_at_the_level_of_the_noise():
    schedule = schedule_of("denoise", 30)
    assert schedule.iterations == 1
    np.testing.assert_allclose(schedule.levels(), [30 / 255], rtol=1e-6)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--task", "denoise"], "denoise must be told the level of the noise by --noise"),
        (["--task", "cassi"], "cassi must be told the number of bands by --bands"),
        (["--task", "inpaint", "--missing", "1"], "missing must be in [0, 1). Received: 1"),
        (["--task", "bicubic", "--scale", "5"], "scale must be 2, 3 or 4 and divide height"),
        (["--task", "deblur", "--kernel", "none.npy"], "none.npy cannot be read as .npy"),
        (["--task", "deblur", "--denoiser", "srcnn-955-x2"], "srcnn-955-x2 enlarges: it is no den"),
        (["--task", "deblur", "--denoiser", "nothing"], "'nothing' is neither a published"),
        (["--task", "deblur", "--lam", "0"], "lam must be above 0. Received: 0"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(words, message, photo, tmp_path, capsys):
    assert run(photo, tmp_path / "out", *words) == 1
    said = capsys.readouterr().err.strip().splitlines()[-1]
    assert said.startswith(f"dphsir_restore: {message}")


def test_a_kernel_that_does_not_sum_to_one_is_refused(photo, tmp_path, capsys):
    np.save(tmp_path / "k.npy", np.ones((3, 3)))
    assert run(photo, tmp_path / "out", "--task", "deblur", "--kernel", str(tmp_path / "k.npy"))
    assert "kernel must sum to one. Received: a sum of 9" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.npy", None, "there is no file"),
        ("a.npy", np.full((2, 2, 2), np.nan), "has values that are not finite"),
        ("a.hdr", b"no header", "cannot be read"),
        ("a.mat", b"no matlab", "cannot be read"),
    ],
)
def test_bad_cubes_are_refused(name, content, message, tmp_path):
    path = tmp_path / name
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None:
        np.save(path, content)
    with pytest.raises(ImageError, match=message):
        read_volume(path)


def test_objects_in_npy_files_are_not_unpickled(tmp_path):
    np.save(tmp_path / "a.npy", np.array([[["harm"]]], dtype=object), allow_pickle=True)
    with pytest.raises(ImageError, match=r"a\.npy cannot be read"):
        read_volume(tmp_path / "a.npy")
