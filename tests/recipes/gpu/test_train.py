"""Rows one after the other: what each is started with, and what is left of it, cut or finished."""

import os
import signal
import subprocess
import sys
import tarfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from recipes.gpu import train
from recipes.gpu.train import Ended, Place, keep, main, read_job, run

ROOT = Path(__file__).parents[3]
RUN = """
import pathlib, signal, sys, time
folder = pathlib.Path({folder!r})
(folder / "checkpoints").mkdir(parents=True)
for name in ("run.json", "training.csv", "checkpoints/step-000000100.weights.h5"):
    (folder / name).write_text(name)
def stop(*_):
    (folder / "checkpoints/step-000000200.weights.h5").write_bytes(bytes(range(250)) * 60)
    (folder / "checkpoints/step-000000200.json").write_text("facts")
    sys.exit(143)
signal.signal(signal.SIGTERM, stop)
print("begun", flush=True)
time.sleep({seconds})
(folder / "network.weights.h5").write_text("network")
"""


@dataclass(frozen=True)
class Stub(Place):
    """Starts a program that behaves as a recipe does, for some seconds."""

    seconds: float = 0.0

    def command(self, job):
        text = RUN.format(folder=str(self.work / job.row.name), seconds=self.seconds)
        return [sys.executable, "-c", text]


@pytest.fixture
def stub(tmp_path):
    (tmp_path / "out").mkdir()

    def make(seconds):
        return Stub(tmp_path, tmp_path / "work", tmp_path / "out", 15_000, (), seconds)

    return make


def job(seconds):
    return train.Job(train.ROWS["dncnn-gray-25"], seconds, False)


def left(tmp_path):
    return sorted(path.name for path in (tmp_path / "out").iterdir())


def test_a_finished_row_leaves_its_network_and_log_and_no_checkpoint(stub, tmp_path, capsys):
    assert run(job(60), stub(0.0), dict(os.environ))
    assert left(tmp_path) == ["dncnn-gray-25.log", "dncnn-gray-25.tar"]
    with tarfile.open(tmp_path / "out/dncnn-gray-25.tar") as tar:
        assert sorted(tar.getnames()) == ["network.weights.h5", "run.json", "training.csv"]
    assert capsys.readouterr().out == "begun\n== dncnn-gray-25: exit 0\n"


def test_a_row_that_takes_longer_leaves_its_newest_checkpoint_in_parts(stub, tmp_path):
    assert not run(job(3), stub(60.0), dict(os.environ))
    parts = sorted((tmp_path / "out").glob("dncnn-gray-25.tar.part.*"))
    assert [path.name[-8:] for path in parts] == ["part.000", "part.001", "part.002"]
    assert parts[0].stat().st_size == 15_000
    assert left(tmp_path) == ["dncnn-gray-25.log", *(path.name for path in parts)]
    (tmp_path / "whole.tar").write_bytes(b"".join(path.read_bytes() for path in parts))
    newest = "checkpoints/step-000000200"
    with tarfile.open(tmp_path / "whole.tar") as tar:
        names = ["run.json", "training.csv", f"{newest}.weights.h5", f"{newest}.json"]
        assert tar.getnames() == names
        assert tar.extractfile(f"{newest}.weights.h5").read() == bytes(range(250)) * 60


def test_told_to_end_it_stops_the_row_and_keeps_its_checkpoint(stub, tmp_path, monkeypatch):
    def told(process, timeout=None):
        monkeypatch.undo()
        while not (tmp_path / "work/dncnn-gray-25/checkpoints").exists():
            time.sleep(0.01)
        time.sleep(0.3)
        raise Ended

    monkeypatch.setattr(subprocess.Popen, "wait", told)
    with pytest.raises(Ended):
        run(job(60), stub(60.0), dict(os.environ))
    assert left(tmp_path)[1].startswith("dncnn-gray-25.tar.part.000")


def test_a_network_larger_than_a_file_may_be_comes_in_parts(tmp_path):
    (tmp_path / "run").mkdir()
    content = np.random.default_rng(0).bytes(50_000)
    (tmp_path / "run/network.weights.h5").write_bytes(content)
    keep(tmp_path / "run", tmp_path / "run.tar", 20_000, finished=True)
    parts = sorted(tmp_path.glob("run.tar.part.*"))
    assert [path.stat().st_size for path in parts[:2]] == [20_000, 20_000]
    (tmp_path / "whole.tar").write_bytes(b"".join(path.read_bytes() for path in parts))
    with tarfile.open(tmp_path / "whole.tar") as tar:
        assert tar.extractfile("network.weights.h5").read() == content


def test_a_row_that_could_not_start_leaves_its_log_alone(tmp_path):
    keep(tmp_path / "absent", tmp_path / "run.tar", 20_000, finished=False)
    assert not list(tmp_path.glob("run.tar*"))


def test_the_recipe_gets_the_rows_options_and_the_time_that_is_left(tmp_path):
    place = Place(Path("IMAGES"), Path("WORK"), tmp_path, 1, ["--batch", "2"])
    words = place.command(read_job("dncnn-gray-25:280"))
    assert words[1:3] == ["-m", "recipes.dncnn"]
    text = " ".join(words[3:])
    assert text.startswith("--variant S --sigma 25 --data IMAGES/bsds500/train,IMAGES/bsds500/test")
    assert text.endswith("--minutes 4.5000 --fit --batch 2")
    assert "--workdir WORK/dncnn-gray-25" in text
    again = place.command(read_job("dncnn-gray-25:280:resume"))
    assert again == [*words[:-2], "--resume", *words[-2:]]


@pytest.mark.parametrize(
    "text", ["dncnn-gray-25", "dncnn-gray-25:", "dncnn-gray-25:9", "dncnn-gray-25:60:again", ":60"]
)
def test_another_form_is_refused_before_work(text, tmp_path, capsys):
    assert main([text, "--out", str(tmp_path / "out")]) == 1
    assert "train: " in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_row_without_a_run_does_not_go_on(tmp_path, capsys):
    words = ["dncnn-gray-25:60:resume", "--out", str(tmp_path), "--work", str(tmp_path / "work")]
    assert main(words) == 1
    assert "dncnn-gray-25 holds no run that could go on" in capsys.readouterr().err


@pytest.fixture(autouse=True)
def _signals_as_they_were():
    before = {number: signal.getsignal(number) for number in train.SIGNALS}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


MORE = "--more=--batch 1 --every 20 --steps-per-execution 1 --precision float32"
ROW = "srcnn-955-x2"


def start(tmp_path, job, work, *words):
    command = [sys.executable, "-m", "recipes.gpu.train", job, "--images", tmp_path / "gpu/images"]
    command += ["--out", tmp_path / "out", "--work", work, MORE, *words]
    environment = {**os.environ, "KERAS_BACKEND": "jax"}
    return subprocess.Popen(
        [str(word) for word in command],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    )


@pytest.mark.slow
def test_rehearsal_packed_trained_cut_and_resumed(tmp_path):
    """The whole way of a row on JAX: its steps fit the time; cut, it goes on in another folder."""
    pytest.importorskip("jax")
    for folder in ("bsds500/train", "bsds500/test", "t91"):
        (tmp_path / "data" / folder).mkdir(parents=True)
        pixels = np.random.default_rng(0).integers(0, 256, (90, 100, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / "data" / folder / "a.png")
    pack = [sys.executable, "-m", "recipes.gpu.pack", ROW, "--data", str(tmp_path / "data")]
    subprocess.run([*pack, "--out", str(tmp_path / "gpu")], cwd=ROOT, check=True)

    begun = time.monotonic()
    whole = start(tmp_path, f"{ROW}:60", tmp_path / "whole")
    text, _ = whole.communicate()
    assert whole.returncode == 0, text
    assert time.monotonic() - begun < 75
    assert "steps end within 0.8333 minutes" in (tmp_path / f"out/{ROW}.log").read_text()
    with tarfile.open(tmp_path / f"out/{ROW}.tar") as tar:
        assert {"network.weights.h5", "network.json", "run.json"} <= set(tar.getnames())

    cut = start(tmp_path, f"{ROW}:60", tmp_path / "cut")
    while not list((tmp_path / f"cut/{ROW}/checkpoints").glob("*.h5")):
        assert cut.poll() is None
        time.sleep(0.1)
    cut.send_signal(signal.SIGTERM)
    text, _ = cut.communicate()
    assert cut.returncode == 1, text
    assert not (tmp_path / f"out/{ROW}.tar").exists()
    parts = sorted((tmp_path / "out").glob(f"{ROW}.tar.part.*"))
    (tmp_path / "joined.tar").write_bytes(b"".join(path.read_bytes() for path in parts))
    with tarfile.open(tmp_path / "joined.tar") as tar:
        tar.extractall(tmp_path / f"again/{ROW}", filter="data")
    chosen = (tmp_path / f"again/{ROW}/run.json").read_text()

    again = start(tmp_path, f"{ROW}:120:resume", tmp_path / "again")
    text, _ = again.communicate()
    assert again.returncode == 0, text
    assert (tmp_path / f"again/{ROW}/run.json").read_text() == chosen
    with tarfile.open(tmp_path / f"out/{ROW}.tar") as tar:
        assert "network.weights.h5" in tar.getnames()
