"""The steps that fit a time, and the profile of a step."""

import keras
import numpy as np
import pytest
from PIL import Image

from recipes import srcnn
from recipes.training import speed
from recipes.training.settings import TrainingError
from recipes.training.speed import Speed, fitting_steps, kernel_times, measure


class Device:
    """Stands for a model: a clock that moves on with every call of the device."""

    steps_per_execution = 100

    def __init__(self, monkeypatch, seconds):
        self.now, self.seconds, self.stop_training = 0.0, seconds, False
        monkeypatch.setattr(speed.time, "monotonic", lambda: self.now)

    def fit(self, batches, callbacks, **options):
        (watch,) = callbacks
        watch.set_model(self)
        for seconds in self.seconds:
            self.now += seconds
            watch.on_train_batch_end(0, {"loss": 1.0})
            if self.stop_training:
                return


def test_the_speed_is_that_after_compiling(monkeypatch):
    """Calls of 0.5 s for 100 steps; the first two compile for 8 and 3 s besides."""
    measured = measure(Device(monkeypatch, [8.5, 3.5] + [0.5] * 100), None, seconds=5.0)
    assert measured.rate == pytest.approx(200.0)
    assert measured.compiling == pytest.approx(11.0)


def test_the_speed_is_measured_no_longer_than_asked_for(monkeypatch):
    device = Device(monkeypatch, [8.5, 3.5] + [0.5] * 100)
    measure(device, None, seconds=5.0)
    assert device.now == pytest.approx(12.0 + 5.0)


@pytest.mark.parametrize(
    ("seconds", "between", "steps"),
    [
        (270.0, 0.0, 48_000),  # (270 - 11 - 6) * 0.95 = 240.35 s, 5 s each: 48 pieces
        (270.0, 1.0, 40_000),  # 6 s each
        (23.0, 0.0, 1_000),  # 5.7 s: one
    ],
)
def test_as_many_whole_pieces_as_end_in_the_time(seconds, between, steps):
    assert fitting_steps(seconds, Speed(11.0, 200.0), 1000, between) == steps


def test_a_time_in_which_no_piece_ends_is_refused():
    with pytest.raises(TrainingError, match="not one piece of --every 1000 steps ends in the 20 s"):
        fitting_steps(20.0, Speed(11.0, 200.0), 1000, 0.0)


def test_the_kernels_of_the_gpu_count_and_not_what_the_host_does():
    events = [
        ("/device:GPU:0", "Stream #13(Compute)", "conv", 2.0),
        ("/device:GPU:0", "Stream #13(Compute)", "conv", 3.0),
        ("/device:GPU:0", "Stream #14(MemcpyH2D)", "ns::copy", 0.5),
        ("/device:GPU:0", "XLA Ops", "conv", 5.0),  # the same time once more
        ("/host:CPU", "tf_XLAEigen/1", "dot", 100.0),
        ("/host:CPU", "python", "train_step", 100.0),
    ]
    assert kernel_times(iter(events)) == ("device", {"conv": 5.0, "ns::copy": 0.5})
    assert kernel_times(iter(events[4:])) == ("CPU threads", {"dot": 100.0})


@pytest.mark.slow
@pytest.mark.skipif(keras.backend.backend() == "torch", reason="no profiler that is read here")
def test_a_profile_names_kernels_and_trains_nothing(tmp_path, capsys):
    pixels = np.random.default_rng(0).integers(0, 256, (40, 50), dtype=np.uint8)
    (tmp_path / "photos").mkdir()
    Image.fromarray(pixels).save(tmp_path / "photos/0.png")
    words = ["--data", tmp_path / "photos", "--workdir", tmp_path / "run", "--scale", "2"]
    words += ["--variant", "9-1-5", "--patch", "36", "--batch", "1", "--profile", "3", "--quiet"]
    assert srcnn.main([str(word) for word in words]) == 0
    first, *kernels = capsys.readouterr().out.splitlines()
    busy, wall = (float(word) for word in first.split() if word.replace(".", "").isdigit())
    times = [float(line.split()[0]) for line in kernels]
    assert times == sorted(times, reverse=True)
    assert 0 < times[0] <= busy
    assert wall > 0
    assert "conv" in "".join(kernels).lower()
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == ["profile"]
