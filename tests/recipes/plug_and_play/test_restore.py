"""Plug-and-play restoration of files: formats, scores, and what is refused."""

import json
import re
import warnings

import h5py
import numpy as np
import pytest
import tifffile
from PIL import Image, ImageCms
from scipy import io
from skimage.metrics import peak_signal_noise_ratio, structural_similarity
from skimage.restoration import wiener

import zoo
from recipes.data.volumes import read_volume, write_volume
from recipes.plug_and_play import restore as dphsir_restore
from recipes.plug_and_play.degraded import (
    TASKS,
    Options,
    gaussian_kernel,
    make_task,
    measure,
    schedule_of,
)
from recipes.plug_and_play.rows import nearest_row, settings_of
from recipes.plug_and_play.spectral_metrics import scores, spectral_angle
from zoo.pictures.images import ImageError
from zoo.plug_and_play import plug_and_play, total_variation
from zoo.store.card import Card, Use
from zoo.store.cubes import read_cube
from zoo.store.weight import save

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


@pytest.mark.slow
@pytest.mark.parametrize("task", ["denoise", "deblur", "sr"])
def test_baselines_stand_beside_it(task, photo, tmp_path, capsys):
    words = ("--task", task, "--simulate", "--baselines", "--noise", "5")
    assert run(photo, tmp_path / "out", *words) == 0
    table = json.loads((tmp_path / "out/scores.json").read_text())["scores"]["photo"]
    names = {"denoise": "TV", "deblur": "Wiener", "sr": "back-projection"}
    assert names[task] in table
    assert f"mean of 1                {names[task]}" in capsys.readouterr().out


@pytest.mark.slow
def test_tuned_settings_are_those_of_the_nearest_row(photo, tmp_path, monkeypatch):
    row = nearest_row("deblur", Options(noise=1.4 / 255))
    assert row.label == "deblurring, Gaussian 8x8 of sigma 3, noise 2"
    nearest = nearest_row("sr", Options(scale=3, noise=0)).label
    assert nearest == "super-resolution x2, the same kernel, noise 0.5"
    tuned = settings_of(row, total_variation(), {})
    tuned["plug-and-play"] |= {"method": "hqs", "returns": "x"}
    tuned["Wiener"] = {"balance": 0.02}
    for each in (tuned["plug-and-play"], tuned["TV"]):  # grey levels, as files have them
        each |= {"first": 9.0, "last": 8.0}
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
    assert (schedule.first, schedule.last, schedule.noise) == (9 / 255, 7 / 255, 1.4 / 255)
    assert (schedule.iterations, method) == (2, "hqs")
    # The picture nearest to the data, x, and Wiener's filter as scikit-image has it.
    truth = read_volume(photo).values
    task = make_task("deblur", truth.shape, Options())
    measured = measure(task, truth, Options(noise=1.4 / 255))
    found = plug_and_play(task, measured, total_variation(), schedule, method="hqs")
    with Image.open(tmp_path / "out/photo.png") as image:
        written = np.asarray(image) / 255
    np.testing.assert_allclose(written, np.clip(found.x[0], 0, 1), atol=0.51 / 255)
    planes = np.moveaxis(measured[0], -1, 0)
    bands = [wiener(band, gaussian_kernel(), 0.02, clip=False) for band in planes]
    record = json.loads((tmp_path / "out/scores.json").read_text())
    options, table = record["options"], record["scores"]["photo"]
    assert (options["noise"], options["first"], options["last"]) == (1.4, None, 7)
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
    card = Card("DPHSIR", {"channels": 3, "variant": "small"}, Use(takes_sigma=True))
    save(zoo.DPHSIR(channels=3, variant="small"), tmp_path / "rgb.weights.h5", card)
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
            Options(noise=3 / 255, seed=1),
            Options(noise=3 / 255, seed=1),
            Options(noise=3 / 255, seed=2),
        )
    )
    np.testing.assert_array_equal(a, b)
    assert np.abs(a - other).max() > 0.01


def test_the_share_of_missing_pixels_is_what_is_asked_for():
    task = make_task("inpaint", (100, 100, 3), Options(missing=0.7))
    assert task.mask.mean() == pytest.approx(0.3, abs=0.01)


def test_denoising_is_one_step_at_the_level_of_the_noise():
    schedule = schedule_of("denoise", 30 / 255)
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
        (["--task", "deblur", "--lam", "0"], "lam must be above 0. Received: lam=0"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(words, message, photo, tmp_path, capsys):
    assert run(photo, tmp_path / "out", *words) == 1
    said = capsys.readouterr().err.strip().splitlines()[-1]
    assert said.startswith(f"restore: {message}")


def test_a_kernel_that_does_not_sum_to_one_is_refused(photo, tmp_path, capsys):
    np.save(tmp_path / "k.npy", np.ones((3, 3)))
    assert run(photo, tmp_path / "out", "--task", "deblur", "--kernel", str(tmp_path / "k.npy"))
    assert "kernel must sum to one. Received: kernel.sum()=9" in capsys.readouterr().err


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


@pytest.mark.parametrize("values", [(-1e308, 1e308), (0, 5e-324)])
def test_values_that_no_image_can_mean_are_refused(values, tmp_path):
    np.save(tmp_path / "a.npy", np.resize(values, (2, 2, 2)))
    for read in (read_volume, read_cube):
        with pytest.raises(ImageError, match="a.npy has values from .*, which no image can mean"):
            read(tmp_path / "a.npy")


@pytest.mark.parametrize("size", [np.nan, np.inf, 2.5])
def test_a_flat_cube_of_no_whole_size_is_refused(size, tmp_path):
    content = {"Y": np.ones((3, 20)), "nRow": size, "nCol": 5, "nBand": 3}
    io.savemat(tmp_path / "a.mat", content)
    with pytest.raises(ImageError, match="a.mat has no array of three axes, and no fields nRow"):
        read_volume(tmp_path / "a.mat")


@pytest.mark.parametrize("version", ["5", "7.3"])
@pytest.mark.parametrize("scale", [1, 2])
def test_a_mat_file_comes_back_with_its_names_and_its_other_variables(version, scale, tmp_path):
    values = (rng.random((6, 7, 5)) * 5000).astype("u2")
    labels, path = np.arange(42.0).reshape(6, 7), tmp_path / "scene.mat"
    if version == "5":
        io.savemat(path, {"pavia": values, "labels": labels, "camera": "ours"})
    else:
        with h5py.File(path, "w", userblock_size=512) as file:
            file.create_dataset("pavia", data=values.T, compression="gzip")
            file["pavia"].attrs["MATLAB_class"] = np.bytes_("uint16")
            file["labels"] = labels.T
            file["#refs#/a"] = np.arange(3)
    task = ("bicubic", "--scale", "2") if scale == 2 else ("inpaint", "--missing", "0.2")
    assert run(path, tmp_path / "out", "--task", *task) == 0
    large = (6 * scale, 7 * scale, 5)
    if version == "5":
        found = io.loadmat(tmp_path / "out/scene.mat")
        assert found["camera"] == "ours"
        assert found["pavia"].shape == large
        assert found["pavia"].dtype == "u2"
        np.testing.assert_array_equal(found["labels"], labels)
    else:
        with h5py.File(tmp_path / "out/scene.mat") as file:
            assert file["pavia"].shape == large[::-1]
            assert file["pavia"].attrs["MATLAB_class"] == b"uint16"
            assert file.userblock_size == 512
            np.testing.assert_array_equal(file["labels"], labels.T)
            np.testing.assert_array_equal(file["#refs#/a"], [0, 1, 2])


FIELDS = {
    "map info": "{ UTM , 1 , 3 , 500000 , 5000000 , 2 , 2 , 32 , North , WGS-84 }",
    "wavelength": "{ 400.0 , 437.5 , 475.0 }",
    "wavelength units": "Nanometers",
    "fwhm": "{ 5 ,\n 5 , 5 }",
    "band names": "{ b0 , b1 , b2 }",
    "reflectance scale factor": "10000",
    "default bands": "{ 3 , 2 , 1 }",
    "geo points": "{ 1 , 1 , 50 , 8 }",
    "my own": "{ a = b }",
}


def envi_file(path, values, interleave="bsq", order=0, **fields):
    axes = {"bsq": (2, 0, 1), "bil": (0, 2, 1), "bip": (0, 1, 2)}.get(interleave, (2, 0, 1))
    code = {"i2": 2, "f4": 4, "u2": 12}[values.dtype.str[1:]]
    lines, samples, bands = values.shape
    head = {"samples": samples, "lines": lines, "bands": bands, "header offset": 7}
    head |= {"data type": code, "interleave": interleave, "byte order": order} | fields
    path.write_text("\n".join(["ENVI", *(f"{name} = {text}" for name, text in head.items()), ""]))
    stored = values.transpose(axes).astype(values.dtype.newbyteorder("<>"[order]))
    path.with_suffix(".img").write_bytes(bytes(7) + stored.tobytes())
    return path


@pytest.mark.parametrize("interleave", ["bsq", "bil", "bip"])
@pytest.mark.parametrize("order", [0, 1])
def test_envi_files_are_what_spectral_reads(interleave, order, tmp_path):
    from spectral.io import envi

    values = (rng.random((4, 6, 3)) * 900).astype("i2")
    volume = read_volume(envi_file(tmp_path / "a.hdr", values, interleave, order))
    theirs = envi.open(str(write_volume(volume, volume.values, tmp_path / "b")))
    np.testing.assert_array_equal(theirs.open_memmap(interleave="bip"), values)
    assert (theirs.byte_order, theirs.metadata["interleave"]) == (order, interleave)


@pytest.mark.parametrize("scale", [1, 2])
def test_the_fields_of_an_envi_header_are_kept(scale, tmp_path, capsys):
    path = envi_file(tmp_path / "a.hdr", rng.random((4, 6, 3)).astype("f4"), **FIELDS)
    task = ("bicubic", "--scale", "2") if scale == 2 else ("inpaint", "--missing", "0.2")
    assert run(path, tmp_path / "out", "--task", *task) == 0
    found = (tmp_path / "out/a.hdr").read_text()
    changed = {"map info", "geo points"} if scale == 2 else set()
    for name in set(FIELDS) - changed:
        assert f"{name} = {FIELDS[name]}\n" in found
    said = "of .*a.hdr this is not kept: geo points"
    if scale == 2:
        # the third row from the top edge of its pixel: 3 -> (3 - 1) * 2 + 1
        assert "map info = {UTM, 1, 5, 500000, 5000000, 1, 1, 32, North, WGS-84}\n" in found
        assert "geo points" not in found
    assert bool(re.search(said, capsys.readouterr().err)) == (scale == 2)


def test_a_value_for_no_data_is_not_stretched_and_stays(tmp_path):
    values = (1000 + 100 * rng.random((6, 8, 3))).astype("i2")
    values[2, 3] = values[5, 5, 1] = -9999
    known = values[values != -9999]
    fields = {"data ignore value": "-9999"}
    volume = read_volume(envi_file(tmp_path / "a.hdr", values, **fields))
    assert (volume.low, volume.high) == (known.min(), known.max())
    unit = (values - volume.low) / (volume.high - volume.low)
    np.testing.assert_allclose(volume.values[values != -9999], unit[values != -9999], atol=1e-6)
    mean = unit[..., 0][values[..., 0] != -9999].mean()
    np.testing.assert_allclose(volume.values[2, 3, 0], mean, atol=1e-6)
    assert run(tmp_path / "a.hdr", tmp_path / "out", "--task", "bicubic", "--scale", "2") == 0
    again = np.fromfile(tmp_path / "out/a.img", "<i2").reshape(3, 12, 16).transpose(1, 2, 0)
    gaps = (values == -9999).repeat(2, axis=0).repeat(2, axis=1)
    assert (again[gaps] == -9999).all()
    assert again[~gaps].min() > 900


@pytest.mark.parametrize("text", ["-3.4028235e+38", "-3.40282346638529e+38", "nan"])
def test_a_value_for_no_data_may_be_any_float(text, tmp_path):
    values = rng.random((4, 5, 3)).astype("f4")
    values[:2, :2] = np.float32(text)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        volume = read_volume(envi_file(tmp_path / "a.hdr", values, **{"data ignore value": text}))
    known = values[2:]
    seen = values[~volume.ignored]
    assert (volume.low, volume.high) == (seen.min(), seen.max())
    assert volume.ignored[:2, :2].all()
    assert volume.ignored.sum() == 12
    unit = (known.astype(float) - volume.low) / (volume.high - volume.low)
    np.testing.assert_allclose(volume.values[2:], unit, atol=1e-6)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"lines": "9" * 12}, "claims 999999999999 x 6 x 3 values of 2 bytes, and a.img has"),
        ({"bands": "-3"}, "must say its bands as a number. Received: '-3'"),
        ({"data type": 6}, "has values of the data type 6"),
        ({"interleave": "bzz"}, "interleaved by 'bzz'"),
        ({"interleave": "{ a\n b }"}, r"interleaved by '{ a\\n b }'"),
        ({"samples": "x" * 10**5}, "must say its samples as a number. Received: 'x{80}'$"),
        ({"file type": "ENVI Spectral Library"}, "is of the kind 'ENVI Spectral Library'"),
        ({"data ignore value": "none"}, "no number as data ignore value. Received: 'none'"),
        ({"wavelength": "{ 400"}, "the list of 'wavelength' is open"),
    ],
)
def test_envi_headers_that_cannot_be_are_refused(change, message, tmp_path):
    path = envi_file(tmp_path / "a.hdr", np.ones((4, 6, 3), "i2"), **change)
    with pytest.raises(ImageError, match=message):
        read_volume(path)


def test_values_for_a_header_and_a_header_without_values_are_told(tmp_path, capsys):
    path = envi_file(tmp_path / "a.hdr", np.ones((4, 6, 3), "i2"))
    with pytest.raises(ImageError, match="a.img holds the values of an ENVI file: name its header"):
        read_volume(path.with_suffix(".img"))
    path.with_suffix(".img").unlink()
    with pytest.raises(ImageError, match="the values of .*a.hdr are not beside it: a, a.img"):
        read_volume(path)


def test_a_photograph_is_turned_and_keeps_what_it_had(tmp_path):
    values = np.zeros((8, 12, 3), np.uint8)
    values[:, :6, 0] = 200  # red on the left
    image, exif = Image.fromarray(values), Image.Exif()
    exif[274], exif[271] = 6, "maker"  # the left is up
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    image.save(tmp_path / "a.jpg", exif=exif, icc_profile=profile, quality=95)
    assert run(tmp_path / "a.jpg", tmp_path / "out", "--task", "denoise", "--noise", "1") == 0
    with Image.open(tmp_path / "out/a.jpg") as found:
        assert found.size == (8, 12)
        assert np.asarray(found)[1, 4, 0] > 150 > 50 > np.asarray(found)[10, 4, 0]
        assert (found.getexif()[271], found.getexif()[274]) == ("maker", 1)
        assert found.info["icc_profile"] == profile


@pytest.mark.slow
def test_alpha_and_sixteen_bit_are_kept(tmp_path):
    values = (rng.random((9, 11, 4)) * 65535).astype("u2")
    values[:4, :4, 3] = 0
    tifffile.imwrite(tmp_path / "a.tif", values, photometric="rgb", extrasamples=["unassalpha"])
    assert run(tmp_path / "a.tif", tmp_path / "out", "--task", "bicubic", "--scale", "2") == 0
    found = tifffile.imread(tmp_path / "out/a.tif")
    assert (found.shape, found.dtype) == ((18, 22, 4), np.uint16)
    assert found[:5, :5, 3].max() == 0  # to which the kernel reaches from 4 x 4 pixels alone
    assert len(np.unique(found)) > 300


def test_bands_that_no_photograph_holds_are_written_as_an_array(photo, tmp_path, capsys):
    assert run(photo, tmp_path / "out", "--task", "spectral", "--bands", "5") == 0
    assert np.load(tmp_path / "out/photo.png.npy").shape == (24, 32, 5)
    assert "photo.png.npy holds 5 bands in [0, 1], which PNG cannot hold" in capsys.readouterr().err


@pytest.mark.parametrize("task", ["deblur", "sr"])
@pytest.mark.parametrize("simulate", [(), ("--simulate",)])
def test_a_kernel_larger_than_the_picture_is_told(task, simulate, photo, tmp_path, capsys):
    np.save(tmp_path / "k.npy", np.full((99, 99), 1 / 99**2))
    words = ("--task", task, "--kernel", str(tmp_path / "k.npy"), *simulate)
    assert run(photo, tmp_path / "out", *words) == 1
    assert "kernel of 99 x 99 is larger than the picture of " in capsys.readouterr().err


def test_a_kernel_that_is_a_picture_is_told(photo, tmp_path, capsys):
    assert run(photo, tmp_path / "out", "--task", "deblur", "--kernel", str(photo)) == 1
    said = "photo.png cannot be read as .npy: it is no .npy file: save the array by numpy.save"
    assert said in capsys.readouterr().err


def test_objects_in_npy_files_are_not_unpickled(tmp_path):
    np.save(tmp_path / "a.npy", np.array([[["harm"]]], dtype=object), allow_pickle=True)
    with pytest.raises(ImageError, match=r"a\.npy cannot be read"):
        read_volume(tmp_path / "a.npy")
