"""Restoring on Ray: the bytes of the command, whatever is killed in the middle."""

import csv
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from recipes import restore_ray
from recipes.scale.places import Place
from recipes.scale.worker import Orders, Worker
from zoo.app import cli

WEIGHTS = "srcnn-955-x2"
ROOT = Path(__file__).parents[2]


def pictures(folder, count, size=24):
    """Write pictures of several kinds and depths; return their names."""
    rng, names = np.random.default_rng(0), []
    for number in range(count):
        grey, ending = number % 3 == 0, ("png", "jpg", "tif")[number % 3]
        shape = (size + number % 5, size) if grey else (size, size + number % 7, 3)
        name = f"{'deep/' * (number % 2)}{number:03}.{ending}"
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, shape, dtype=np.uint8)).save(folder / name)
        names.append(name)
    return sorted(names)


def results(folder):
    """Return the finished results by their names: not what is still in a part."""
    found = {}
    for path in folder.rglob("*"):
        name = path.relative_to(folder).as_posix()
        if "." not in (part[0] for part in name.split("/")) and name != restore_ray.REPORT:
            if path.is_file():
                found[name] = path.read_bytes()
    return found


def report(folder):
    with (folder / restore_ray.REPORT).open() as file:
        return list(csv.DictReader(file))


def by_the_command(tmp_path):
    folders = [str(tmp_path / "in"), "-o", str(tmp_path / "expected")]
    assert cli.main(["restore", *folders, "--weights", WEIGHTS, "--quiet"]) == 0
    return results(tmp_path / "expected")


@pytest.mark.parametrize("scheme", ["", "file://"])
def test_a_worker_restores_as_the_command(tmp_path, scheme, monkeypatch):
    for name in ("TF_NUM_INTRAOP_THREADS", "OMP_NUM_THREADS"):  # a worker sets them for its process
        monkeypatch.setenv(name, os.environ.get(name, "2"))
    if scheme:
        pytest.importorskip("fsspec")
    names = pictures(tmp_path / "in", 3)
    places = (Place(f"{scheme}{tmp_path / name}") for name in ("in", "out"))
    worker = Worker(Orders(*places, WEIGHTS))
    rows = [worker({"name": name}) for name in names]
    assert [row["result"] for row in rows] == ["restored"] * 3
    assert results(tmp_path / "out") == by_the_command(tmp_path)
    assert worker({"name": names[0]})["result"] == "kept"
    (tmp_path / "in/bad.png").write_bytes(b"no picture")
    bad = worker({"name": "bad.png"})
    assert bad["result"] == "failed"
    assert "bad.png" in bad["remark"]
    assert not (tmp_path / "out/bad.png").exists()
    assert worker({"name": "none.png"})["result"] == "failed"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["in", "in"], "in cannot be both input and output"),
        (["in", "out", "--workers", "0"], "--workers and --cores must be from 1"),
        (["none", "out"], "there is no folder none"),
        (["in", "out", "--weights", "none"], "'none' is neither a published weight"),
    ],
)
def test_what_cannot_be_is_one_sentence(tmp_path, monkeypatch, capsys, words, message):
    monkeypatch.chdir(tmp_path)
    pictures(tmp_path / "in", 1)
    assert restore_ray.main(["--weights", WEIGHTS, *words]) in (1, 2)
    assert capsys.readouterr().err.startswith(f"restore_ray: {message}")


def test_without_ray_there_is_one_sentence(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "ray", None)
    pictures(tmp_path / "in", 1)
    words = [str(tmp_path / "in"), str(tmp_path / "out"), "--weights", WEIGHTS]
    assert restore_ray.main(words) == 2
    assert capsys.readouterr().err == (
        "restore_ray: restoring on a cluster needs Ray: pip install 'asykeras[ray]'\n"
    )


def start(tmp_path, *more, scheme=""):
    words = [f"{scheme}{tmp_path / 'in'}", f"{scheme}{tmp_path / 'out'}", "--weights", WEIGHTS]
    return subprocess.Popen(
        [sys.executable, "-m", "recipes.restore_ray", *words, "--workers", "2", *more],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process):
    out, errors = process.communicate(timeout=500)
    assert process.returncode == 0, errors
    return out


def wait_for(folder, count):
    end = time.monotonic() + 400
    while len(results(folder) if folder.exists() else ()) < count:
        assert time.monotonic() < end
        time.sleep(0.05)


def below(number):
    """Return the processes that a process has started, and theirs."""
    parents = {}
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(entry.parent.name)] = int(entry.read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
    found = {number}
    while more := {child for child, parent in parents.items() if parent in found} - found:
        found |= more
    return found - {number}


def workers(process):
    found = []
    for number in below(process.pid):
        if Path(f"/proc/{number}/cmdline").read_bytes().startswith(b"ray::MapWorker"):
            found.append(number)
    return found


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["", "file://"])
def test_two_workers_write_the_bytes_of_the_command(tmp_path, scheme):
    pytest.importorskip("ray")
    names = pictures(tmp_path / "in", 12)
    (tmp_path / "in/bad.png").write_bytes(b"no picture")
    process = start(tmp_path, scheme=scheme)
    out, errors = process.communicate(timeout=500)
    assert process.returncode == 1
    assert "bad.png" in errors
    assert "1 failed, 12 restored" in out
    rows = {row["name"]: row for row in report(tmp_path / "out")}
    assert set(rows) == {*names, "bad.png"}
    assert rows["bad.png"]["result"] == "failed"
    (tmp_path / "in/bad.png").unlink()
    assert results(tmp_path / "out") == by_the_command(tmp_path)
    pictures(tmp_path / "in", 13)  # one more
    assert "12 results are there already" in (said := finish(start(tmp_path, scheme=scheme)))
    assert "1 restored" in said
    assert len(report(tmp_path / "out")) == 1


@pytest.mark.slow
def test_a_killed_worker_loses_nothing(tmp_path):
    pytest.importorskip("ray")
    pictures(tmp_path / "in", 60, size=120)
    process = start(tmp_path)
    wait_for(tmp_path / "out", 5)
    os.kill(workers(process)[0], signal.SIGKILL)
    finish(process)
    assert results(tmp_path / "out") == by_the_command(tmp_path)
    assert not list((tmp_path / "out").rglob(".part-*"))


@pytest.mark.slow
def test_a_killed_driver_loses_nothing(tmp_path):
    pytest.importorskip("ray")
    pictures(tmp_path / "in", 60, size=120)
    process = start(tmp_path)
    wait_for(tmp_path / "out", 5)
    others = below(process.pid)
    process.kill()
    process.communicate()
    there = results(tmp_path / "out")
    assert 5 <= len(there) < 60
    end = time.monotonic() + 60
    while any(Path(f"/proc/{number}").exists() for number in others) and time.monotonic() < end:
        time.sleep(0.2)
    finish(start(tmp_path))
    expected = by_the_command(tmp_path)
    assert results(tmp_path / "out") == expected
    assert there.items() <= expected.items()  # no half file had a name
    assert not list((tmp_path / "out").rglob(".part-*"))
