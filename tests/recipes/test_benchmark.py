"""The benchmarks' arithmetic and what they print; no time is asserted."""

import argparse
import io
import os
import time
from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image

from recipes import benchmark
from recipes.benchmark import (
    __main__,
    cluster,
    noise,
    picture,
    pictures,
    ratios,
    restore,
    train,
    turns,
)
from recipes.benchmark.noise import benchmark_noise
from recipes.benchmark.ratios import quartiles, ratio
from recipes.benchmark.train import CASES, Way, row
from recipes.benchmark.turns import (
    OthersLoad,
    Turns,
    Worker,
    WorkerError,
    answer,
    requests,
    take_turns,
)
from zoo.restoring.bands import Settings
from zoo.restoring.network import open_network
from zoo.store.card import Use

TORCH = train.has_torch()
needs_torch = pytest.mark.skipif(not TORCH, reason="needs PyTorch")


class FakeWorker:
    """Answers at once that a step of a side took so many seconds."""

    def __init__(self, **per_step):
        self.per_step = per_step
        self.asked = []

    def ask(self, request):
        word, number = request.split()
        self.asked.append((word, int(number)))
        return self.per_step[word] * int(number)


def test_every_question_stands_in_the_help():
    parser = argparse.ArgumentParser()
    __main__.describe(parser)
    (commands,) = (each.choices for each in parser._actions if each.dest == "what")
    lines = benchmark.__doc__.splitlines()
    listed = {line.split()[3] for line in lines if line.startswith("    python -m ")}
    assert listed == set(commands)


def test_the_sides_of_a_ratio_take_turns(monkeypatch):
    calls = []
    times = {"first": 6.0, "second": 3.0}
    monkeypatch.setattr(ratios, "seconds", lambda side: calls.append(side) or times[side])
    np.testing.assert_array_equal(ratio("first", "second", 3), [2, 2, 2])
    assert calls == ["second", "first", "first", "second", "second", "first"]


def test_quartiles_of_five():
    assert quartiles(np.array([5, 1, 3, 2, 4])) == "3.000 (2.000 to 4.000)"


def test_turns_last_about_one_piece_and_alternate():
    ours, theirs = FakeWorker(recipe=0.3, memory=0.2), FakeWorker(step=2.0)
    sides = {"a": (ours, "recipe"), "b": (ours, "memory"), "c": (theirs, "step")}
    times = take_turns(sides, rounds=2, piece=1.0)
    np.testing.assert_allclose(times["a"], [0.3, 0.3])
    np.testing.assert_allclose(times["b"], [0.2, 0.2])
    np.testing.assert_allclose(times["c"], [2.0, 2.0])
    # after two single steps per side: 1 s / 0.3 s and 1 s / 0.2 s, in turning order
    assert ours.asked[-4:] == [("memory", 5), ("recipe", 3), ("recipe", 3), ("memory", 5)]
    assert theirs.asked == [("step", 1)] * 4  # never less than a step


def test_a_line_of_the_table():
    times = {
        "recipe": np.array([0.10, 0.20]),
        "memory": np.array([0.10, 0.18]),  # ratios 1 and 0.9
        "torch": np.array([0.15, 0.18]),  # ratios 1.5 and 1
    }
    line = row(CASES["dncnn"], "float32", Turns(times, {"ours": 1.234, "torch": 0.5}, 0.031))
    assert line.startswith("DnCNN-S, 32 x 40 ")
    expected = "float32 6.67 0.950 (0.925 to 0.975) 1.250 (1.125 to 1.375) 1.23 0.50 3%"
    assert line.split()[4:] == expected.split()
    assert len(line) == len(train.HEADER)


def test_a_line_without_pytorch():
    times = {"recipe": np.array([0.5]), "memory": np.array([0.5])}
    line = row(CASES["srcnn"], "bfloat16", Turns(times, {"ours": 1.0}, float("nan")))
    assert line.split()[6:] == "bfloat16 2.00 1.000 (1.000 to 1.000) - 1.00 - nan%".split()


def test_a_line_against_another_checkout():
    times = {name: np.array([0.5, 0.5]) for name in ("recipe", "memory")}
    times["before"] = np.array([0.55, 0.65])  # slower: the recipe is 1.1 and 1.3 times as fast
    line = row(CASES["srcnn"], "bfloat16", Turns(times, {"ours": 1.0, "before": 2.0}, 0.0))
    assert (
        line.split()[6:]
        == "bfloat16 2.00 1.000 (1.000 to 1.000) - 1.00 - 0% 1.200 (1.150 to 1.250)".split()
    )
    assert len(line) == len(train.HEADER + train.AGAINST)


def test_the_process_of_another_checkout_runs_in_it(tmp_path):
    (tmp_path / "other.py").write_text(
        "from pathlib import Path; input(); print(len(str(Path.cwd())))"
    )
    worker = Worker("other", [], folder=str(tmp_path))
    assert worker.ask("step 1") == len(str(tmp_path))
    worker.close()


def test_a_folder_that_is_no_checkout_is_refused(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(keras.backend, "backend", lambda: "tensorflow")
    assert __main__.main(["train", "--against", str(tmp_path)]) == 1
    assert f"there is no checkout with this benchmark at {tmp_path}" in capsys.readouterr().err


def test_without_pytorch_one_sentence_says_what_to_install(monkeypatch, capsys):
    monkeypatch.setattr(train, "has_torch", lambda: False)
    monkeypatch.setattr(keras.backend, "backend", lambda: "tensorflow")
    times = {"recipe": np.array([0.5]), "memory": np.array([0.5])}
    asked = []

    def measure(case, precision, way):
        asked.append((case.recipe, precision, way))
        return Turns(times, {"ours": 1.0}, 0.0)

    monkeypatch.setattr(train, "measure", measure)
    code = __main__.main("train --network dncnn --precision bfloat16 --rounds 2 --data d".split())
    assert (code, asked) == (0, [("dncnn", "bfloat16", Way("d", 2))])
    assert "pip install torch" in capsys.readouterr().out


def test_other_backends_are_refused(monkeypatch, capsys):
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    assert __main__.main(["train"]) == 1
    assert "train needs the TensorFlow backend. Received: jax" in capsys.readouterr().err


def test_requests_are_words_with_numbers_until_the_end(monkeypatch, capsys):
    monkeypatch.setattr("sys.stdin", io.StringIO("recipe 5\npeak 0\n"))
    assert list(requests()) == [("recipe", 5), ("peak", 0)]
    answer(np.float64(0.25))
    assert capsys.readouterr().out == "0.25\n"


def test_a_process_is_told_which_clock_to_use(monkeypatch):
    assert turns.clock() == pytest.approx(time.perf_counter(), abs=1)
    for name, value in turns.ONE_THREAD.items():
        monkeypatch.setenv(name, value)
    assert turns.clock() == pytest.approx(time.process_time(), abs=1)


def test_a_process_that_dies_says_why():
    worker = Worker("no_such_module", [])
    with pytest.raises(WorkerError, match="no_such_module: .*No module named no_such_module"):
        worker.ask("step 1")
    worker.close()


def test_the_load_of_others_leaves_out_the_own(monkeypatch):
    """In 10 s on 2 cores all used 12 s of 20, the own processes 4 of these."""
    states = iter([(0.0, 100.0, 7.0), (10.0, 112.0, 11.0)])
    monkeypatch.setattr(OthersLoad, "_state", lambda self: next(states))
    monkeypatch.setattr(turns.os, "cpu_count", lambda: 2)
    assert OthersLoad([1]).share() == pytest.approx(0.4)


def test_the_load_is_unknown_where_no_process_can_be_looked_at():
    assert np.isnan(OthersLoad([2**31]).share())


@pytest.mark.skipif(not TORCH, reason="needs PyTorch")
@pytest.mark.parametrize(
    ("recipe", "parameters"),
    [("srcnn", 57_281), ("edsr", 1_369_859), ("dncnn", 556_097), ("dphsir", 14_278_451)],
)
def test_pytorch_trains_the_same_networks(recipe, parameters):
    from recipes.benchmark.train_torch import Step

    step = Step(recipe, batch=1, patch=48, bfloat16=False, compiled=False)
    assert sum(each.numel() for each in step.parameters) == parameters
    first = step()
    assert np.isfinite(first)
    assert step() != first


@pytest.mark.skipif(not TORCH, reason="needs PyTorch")
@pytest.mark.parametrize("direction", ["forward", "backward", "both"])
def test_pytorch_has_the_same_recurrent_unit(direction):
    import torch

    from recipes.benchmark.train_torch import Unit
    from zoo.networks.layers import QuasiRecurrentUnit

    ours, theirs = QuasiRecurrentUnit(4, direction=direction), Unit(3, 4, direction)
    x = np.random.default_rng(0).normal(size=(2, 5, 6, 7, 3)).astype("float32")
    expected = ours(x)
    kernel = keras.ops.convert_to_numpy(ours.kernel).transpose(4, 3, 0, 1, 2)
    theirs.convolution.weight.data = torch.from_numpy(kernel.copy())
    actual = theirs(torch.from_numpy(x.transpose(0, 4, 1, 2, 3).copy())).detach().numpy()
    np.testing.assert_allclose(actual.transpose(0, 2, 3, 4, 1), expected, atol=1e-5)


@pytest.mark.slow
@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="TensorFlow only")
def test_a_recipe_runs_and_answers():
    options = "--batch 1 --patch 45 --precision float32 --steps 1000 --every 1000".split()
    worker = Worker(
        "recipes.benchmark.train_keras", ["srcnn", *options, "--data", "zoo/samples/train"]
    )
    answers = [worker.ask(request) for request in ("recipe 2", "memory 3", "recipe 1", "peak 0")]
    worker.close()
    assert min(answers) > 0
    assert worker.process.returncode == 0


def test_a_line_of_the_restoration_table():
    times = {
        "keras": np.array([0.10, 0.10]),
        "onnxruntime": np.array([0.20, 0.20]),
        "openvino": np.array([0.05, 0.05]),
        "restore": np.array([0.125, 0.125]),
    }
    peaks = {"keras": 1.0, "onnxruntime": 1.25, "openvino": 0.5}
    case = restore.Case("EDSR", side=100, scale=2)
    words = restore.line(case, "float32", Turns(times, peaks, 0.02)).split()
    assert words[:7] == ["EDSR,", "100", "x", "100", "float32", "0.320", "0.400"]
    assert words[7:] == [
        *("2.000", "(2.000", "to", "2.000)", "0.500", "(0.500", "to", "0.500)", "-"),
        *("1.00", "/", "1.25", "/", "0.50", "/", "-", "2%"),
    ]


@pytest.mark.slow
@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="TensorFlow only")
@pytest.mark.parametrize(
    ("module", "words", "asked"),
    [
        ("restore_zoo", ["dncnn", "32", "--engine", "keras"], "run 2,restore 1,peak 0"),
        ("restore_zoo", ["srcnn", "32", "--engine", "openvino"], "run 2,restore 1,peak 0"),
        ("restore_zoo", ["ffdnet-color", "32"], "run 2,restore 1,peak 0"),
        ("plug_zoo", [], "run 1,peak 0"),
        ("plug_zoo", ["ffdnet-gray"], "run 1,peak 0"),
        pytest.param("restore_torch", ["dncnn", "32"], "run 2,peak 0", marks=needs_torch),
        pytest.param("plug_torch", [], "run 1,peak 0", marks=needs_torch),
    ],
)
def test_sides_of_the_other_benchmarks_answer(module, words, asked):
    worker = Worker(f"recipes.benchmark.{module}", words)
    answers = [worker.ask(request) for request in asked.split(",")]
    worker.close()
    assert min(answers) > 0


@needs_torch
@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="one backend is enough")
def test_pytorch_runs_the_same_networks_in_restoration():
    from recipes.benchmark.restore_torch import NETWORKS
    from recipes.benchmark.restore_zoo import BUILDERS

    for name, (build, _) in NETWORKS.items():
        counts = sum(each.numel() for each in build().parameters())
        assert counts == BUILDERS[name]().count_params()


# ---- whole pictures


class PictureWorker:
    """A cell that takes 8 s for a quarter of 4 megapixels."""

    def __init__(self, module, words, environment):
        self.words, self.environment, self.process = words, environment, self
        self.pid = 0

    def ask(self, request):
        answers = {"pixels 0": 4e6, "restore 8": 10.0, "share 0": 0.25, "memory 0": 1.234}
        return answers[request]

    def close(self):
        pass


def test_a_line_of_pictures_counts_what_was_finished(monkeypatch, tmp_path):
    monkeypatch.setattr(pictures, "Worker", PictureWorker)
    monkeypatch.setattr(pictures.OthersLoad, "share", lambda self: 0.03)
    line = pictures.row("runs/mine", tmp_path / "a.png", "jax", "float32", 8)
    assert line == "| `mine` | 4 | jax | float32 | 0.100 | 1.23 | 25% | 3% |"
    assert line.count("|") == pictures.HEADER.splitlines()[0].count("|")


@pytest.mark.parametrize(
    ("use", "side", "mode"),
    [
        (Use(scale=2, colours=("rgb",)), 500, "RGB"),
        (Use(levels=(25 / 255, 25 / 255), colours=("grey",)), 1000, "L"),
        (Use(), 1000, "RGB"),
    ],
)
def test_a_picture_has_the_megapixels_of_its_result(use, side, mode, tmp_path):
    with Image.open(pictures.write_picture(tmp_path / "a.png", use, 1.0)) as image:
        assert (image.size, image.mode) == ((side, side), mode)
        assert np.ptp(np.asarray(image)) > 100


def test_onnxruntime_has_no_bfloat16_and_what_is_missing_is_named(monkeypatch, capsys):
    monkeypatch.setattr(pictures, "find_spec", lambda name: name != "jax")
    cells = pictures.Cells([1], list(pictures.ENGINES), ["float32", "bfloat16"], 5)
    assert cells.runners() == [
        *(("float32", each) for each in ("tensorflow", "onnxruntime", "openvino")),
        *(("bfloat16", each) for each in ("tensorflow", "openvino")),
    ]
    assert capsys.readouterr().out == "jax is left out: pip install jax\n"


@pytest.mark.parametrize(("megapixels", "seconds"), [([0.0], 5), ([1.0, -1.0], 5), ([1.0], 0)])
def test_cells_of_nothing_are_refused(megapixels, seconds):
    with pytest.raises(ValueError, match="must be more than 0. Received: "):
        pictures.Cells(megapixels, ["jax"], ["float32"], seconds)


def test_an_unknown_weight_ends_before_anything_is_measured(capsys):
    assert __main__.main("restore --weights nothing --megapixels 1".split()) == 1
    assert "'nothing' is neither a published weight" in capsys.readouterr().err


def test_a_cell_restores_a_file_or_stops_in_time(tmp_path, monkeypatch):
    use = Use(scale=2, colours=("rgb",))
    source = pictures.write_picture(tmp_path / "a.png", use, 0.02)
    cell = picture.Cell(open_network("srcnn-955-x2"), source, idle=0.0)
    assert cell.pixels == 20_164  # 142 x 142
    assert 0 < cell.restore(60) < 60
    assert cell.share == 1
    assert 0.05 < cell.memory < 64
    monkeypatch.setattr(picture, "Settings", lambda sigma: Settings(sigma, tile=16))
    cell.restore(0)
    assert 0 < cell.share < 1
    assert list(tmp_path.iterdir()) == [source]


@pytest.mark.slow
@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="one backend is enough")
def test_the_table_of_pictures(capsys):
    words = "restore --weights srcnn-955-x2 --megapixels 0.01 --precision float32 --seconds 30"
    assert __main__.main(words.split()) == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("| `")]
    assert len(lines) == len(pictures.ENGINES)
    for line in lines:
        assert float(line.split("|")[5]) > 0
        assert line.split("|")[7].strip() == "100%"


def test_the_table_of_levels_that_are_found(tmp_path, capsys):
    flat = np.full((64, 64), 128, np.uint8)
    for name in ("a.png", "b.png"):
        Image.fromarray(flat).save(tmp_path / name)
    benchmark_noise([str(tmp_path)], levels=(0, 20))
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == noise.HEADER
    assert lines[1].split()[1:] == ["0", *("0.00",) * 3, "2/2", *("0.00",) * 3]
    _, level, mean, low, high, within, *_ = lines[2].split()
    assert (level, within) == ("20", "2/2")
    assert float(low) <= float(mean) <= float(high)
    assert abs(float(mean) - 20) < 1


def test_a_line_of_the_table_of_levels():
    line = noise.row("sky", 25, np.array([24.0, 28.0]), np.array([20.0, 21.0]))
    assert line.split() == "sky 25 26.00 24.00 28.00 1/2 20.50 20.00 21.00".split()
    assert len(line) == len(noise.HEADER)
    assert [noise.allowed(level) for level in (0, 2, 14.9, 15, 50)] == [2, 1.5, 1.5, 1.5, 5]


def test_the_ways_of_a_cluster_take_turns_and_starts_do_not_count(monkeypatch, capsys):
    asked = []

    def run(words, **given):
        source, out = Path(words[-5 if "-o" in words else -4]), Path(words[-3])
        asked.append(words[2])
        seconds = {"recipes.train": 1.0, "1": 4.0, "2": 2.0}[
            "recipes.train" if "-o" in words else words[words.index("--workers") + 1]
        ]
        out.mkdir()
        for number, path in enumerate(sorted(source.iterdir())):
            (out / path.name).touch()
            os.utime(out / path.name, (0, 1000 + seconds * number))

    monkeypatch.setattr(cluster.subprocess, "run", run)
    cluster.benchmark_ray(2)
    assert asked == ["recipes.train", "recipes.restore_ray", "recipes.restore_ray"] * 2
    printed = capsys.readouterr().out
    assert "1 worker of 1 core               0.25 pictures/s  (0.25, 0.25)" in printed
    assert "2 workers over 1: 2.00, 2.00" in printed
    assert "2 workers over the command: 0.50, 0.50" in printed
