"""Folders: what is restored where, what is left out and said, and that a kill leaves no harm."""

import errno
import io
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.zoo.examples import abandoned, network
from zoo.app import folder, progress
from zoo.app.folder import UsageError, find_jobs, restore_files
from zoo.app.progress import Job, Progress
from zoo.machine import files, locks
from zoo.machine.files import make_folder
from zoo.pictures.photos import read_header
from zoo.restoring.bands import Settings

ROOT = Path(__file__).parents[3]
VALUES = np.random.default_rng(0).integers(0, 256, (6, 7, 3), dtype=np.uint8)


def save(path, values=VALUES):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(values).save(path)
    return path


def pixels(path):
    with Image.open(path) as image:
        return np.asarray(image)


def run(inputs, out, scale=1, **options):
    """Restore; return whether all went well, and the lines that were said."""
    stream = io.StringIO()
    teller = Progress(stream, options.pop("quiet", False))
    found = find_jobs(inputs, out)
    well = restore_files(
        found, lambda colour: network(scale), Settings(), progress=teller, **options
    )
    return well, stream.getvalue().splitlines()


def names(out):
    return sorted(str(path.relative_to(out)) for path in out.rglob("*") if path.is_file())


def test_the_structure_of_a_folder_is_kept(tmp_path):
    for name in ("b.png", "a.PNG", "sub/dir/c d ä漢.png", "sub/e.webp"):
        save(tmp_path / "in" / name)
    (tmp_path / "in/notes.txt").write_text("no picture")
    save(tmp_path / "in/.hidden/f.png")
    well, lines = run([tmp_path / "in"], tmp_path / "out")
    assert well
    assert names(tmp_path / "out") == ["a.PNG", "b.png", "sub/dir/c d ä漢.png", "sub/e.webp"]
    assert len(lines) == 5
    assert lines[0] == f"asykeras: left out of {tmp_path}/in: 1 .txt"
    assert lines[1].startswith(f"{tmp_path}/in/a.PNG -> {tmp_path}/out/a.PNG: ")
    np.testing.assert_array_equal(pixels(tmp_path / "out/sub/dir/c d ä漢.png"), VALUES)


def test_files_go_into_the_folder_under_their_names(tmp_path):
    paths = [save(tmp_path / "one/a.png"), save(tmp_path / "two/b.png")]
    assert run(paths, tmp_path / "new/out", scale=2)[0]
    assert names(tmp_path / "new/out") == ["a.png", "b.png"]
    assert pixels(tmp_path / "new/out/a.png").shape == (12, 14, 3)


def test_what_is_there_is_kept(tmp_path):
    save(tmp_path / "in/a.png"), save(tmp_path / "in/b.png")
    save(tmp_path / "out/a.png", VALUES[:2])
    well, lines = run([tmp_path / "in"], tmp_path / "out")
    assert well
    assert lines[0] == (
        "asykeras: 1 results are there already and kept (--overwrite replaces them)"
    )
    assert pixels(tmp_path / "out/a.png").shape == (2, 7, 3)
    assert pixels(tmp_path / "out/b.png").shape == (6, 7, 3)
    assert run([tmp_path / "in"], tmp_path / "out", overwrite=True)[0]
    assert pixels(tmp_path / "out/a.png").shape == (6, 7, 3)


def test_a_bad_file_does_not_stop_the_others(tmp_path):
    save(tmp_path / "in/a.png"), save(tmp_path / "in/z.png")
    (tmp_path / "in/empty.png").touch()
    (tmp_path / "in/text.png").write_text("no picture")
    whole = (tmp_path / "in/a.png").read_bytes()
    (tmp_path / "in/short.png").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "in/short.jpg").write_bytes(b"\xff\xd8\xff\xe0" + bytes(20))
    well, lines = run([tmp_path / "in", tmp_path / "absent.png"], tmp_path / "out")
    assert not well
    assert names(tmp_path / "out") == ["a.png", "z.png"]
    said = [line for line in lines if line.startswith("asykeras: ")]
    assert len(said) == 5
    assert said[0] == f"asykeras: there is no {tmp_path}/absent.png"
    assert f"asykeras: {tmp_path}/in/empty.png is empty" in said
    match = f"asykeras: {tmp_path}/in/text.png is not a PNG, JPEG, WebP, BMP or TIFF image"
    assert match in said


def test_quiet_tells_of_problems_alone(tmp_path):
    save(tmp_path / "in/a.png")
    assert run([tmp_path / "in"], tmp_path / "out", quiet=True) == (True, [])
    assert run([tmp_path / "in"], tmp_path / "out", quiet=True) == (True, [])
    (tmp_path / "in/b.png").touch()
    well, lines = run([tmp_path / "in"], tmp_path / "out", quiet=True)
    assert not well
    assert lines == [f"asykeras: {tmp_path}/in/b.png is empty"]


def test_links_that_lead_out_are_not_followed(tmp_path):
    outside = save(tmp_path / "outside/secret.png")
    inside = save(tmp_path / "in/a.png")
    (tmp_path / "in/link.png").symlink_to(outside)
    (tmp_path / "in/folder").symlink_to(outside.parent)
    (tmp_path / "in/same.png").symlink_to(inside)
    (tmp_path / "in/loop").symlink_to(tmp_path / "in")
    (tmp_path / "in/nowhere.png").symlink_to(tmp_path / "in/absent")
    found = find_jobs([tmp_path / "in"], tmp_path / "out")
    assert [job.source.name for job in found.jobs] == ["a.png", "same.png"]
    home = tmp_path / "in"
    assert found.remarks == [
        f"{home}/folder leads out of {home} and is not followed, nor is 1 other link"
    ]
    assert found.problems == [f"{home}/nowhere.png is no file that can be read"]


def test_a_link_that_is_named_is_followed(tmp_path):
    outside = save(tmp_path / "outside/secret.png")
    (tmp_path / "link.png").symlink_to(outside)
    assert run([tmp_path / "link.png"], tmp_path / "out")[0]
    np.testing.assert_array_equal(pixels(tmp_path / "out/link.png"), VALUES)


def test_results_inside_the_input_are_not_restored_again(tmp_path):
    save(tmp_path / "in/a.png")
    for _ in range(2):
        assert run([tmp_path / "in"], tmp_path / "in/out")[0]
    assert names(tmp_path / "in") == ["a.png", "out/a.png"]


def test_two_files_never_share_a_result(tmp_path):
    first, second = save(tmp_path / "one/a.png"), save(tmp_path / "two/a.png", VALUES[:2])
    well, lines = run([tmp_path / "one", second], tmp_path / "out")
    assert not well
    assert lines[0] == (
        f"asykeras: {second} would be written to {tmp_path}/out/a.png, as {first} is"
    )
    assert pixels(tmp_path / "out/a.png").shape == (6, 7, 3)


def test_an_input_is_never_overwritten(tmp_path):
    path = save(tmp_path / "in/a.png")
    well, lines = run([path], tmp_path / "in", overwrite=True)
    assert not well
    assert lines == [f"asykeras: {path} would be overwritten by its own result"]
    with pytest.raises(UsageError, match="in cannot be both input and output"):
        find_jobs([tmp_path / "in"], tmp_path / "in")


def test_an_output_that_is_a_file(tmp_path):
    path = save(tmp_path / "a.png")
    (tmp_path / "results").touch()
    with pytest.raises(UsageError, match="results must be a folder"):
        find_jobs([path], tmp_path / "results")


def test_one_file_may_get_a_result_of_another_name(tmp_path):
    path = save(tmp_path / "a.png")
    assert run([path], tmp_path / "new/large.png", scale=2)[0]
    assert pixels(tmp_path / "new/large.png").shape == (12, 14, 3)
    assert names(tmp_path / "new") == ["large.png"]
    assert "1 results are there" in run([path], tmp_path / "new/large.png")[1][0]
    (tmp_path / "folder.png").mkdir()  # a folder of that name stays one
    assert run([path], tmp_path / "folder.png")[0]
    assert names(tmp_path / "folder.png") == ["a.png"]


@pytest.mark.parametrize(
    ("inputs", "out", "message"),
    [
        (["a.png", "b.jpg"], "c.png", "c.png is the name of one picture: give one file, or name"),
        (["."], "c.png", "c.png is the name of one picture"),
        (["b.jpg"], "c.png", "c.png would hold JPEG: a result keeps .* Name it .*c.jpg, or conv"),
    ],
)
def test_a_name_that_cannot_be_that_of_the_result(inputs, out, message, tmp_path):
    save(tmp_path / "a.png"), save(tmp_path / "b.jpg")
    with pytest.raises(UsageError, match=message):
        find_jobs([tmp_path / name for name in inputs], tmp_path / out)


def test_no_folder_is_made_for_a_file_that_is_not_there(tmp_path):
    well, lines = run([tmp_path / "absent.png"], tmp_path / "large.png")
    assert not well
    assert lines == [f"asykeras: there is no {tmp_path}/absent.png"]
    assert list(tmp_path.iterdir()) == []


def test_a_folder_in_the_place_of_a_result_is_no_result(tmp_path):
    save(tmp_path / "in/rgb.png")
    (tmp_path / "out/rgb.png").mkdir(parents=True)
    well, lines = run([tmp_path / "in"], tmp_path / "out")
    assert not well
    assert lines == [
        f"asykeras: {tmp_path}/out/rgb.png is no file, so the result cannot take its place"
    ]


def test_a_folder_without_images_is_said(tmp_path):
    (tmp_path / "in").mkdir()
    assert "in holds no image (png" in find_jobs([tmp_path / "in"], tmp_path / "out").problems[0]


def test_a_target_that_cannot_be_written(tmp_path):
    save(tmp_path / "in/a.png"), save(tmp_path / "in/sub/b.png")
    (tmp_path / "out").mkdir()
    (tmp_path / "out/sub").touch()  # a file where a folder must be
    well, lines = run([tmp_path / "in"], tmp_path / "out")
    assert not well
    assert f"asykeras: {tmp_path}/out/sub: File exists" in lines
    assert names(tmp_path / "out") == ["a.png", "sub"]


@pytest.fixture
def nobody(tmp_path):
    """Run as a user without rights, for whom the files of the test can be read but not written."""
    if os.name != "posix" or os.geteuid() != 0:
        pytest.skip("only root can change its user")

    @contextmanager
    def change():
        for path in (tmp_path, *tmp_path.parents):
            if path.stat().st_uid == 0 and path != Path("/"):
                path.chmod(path.stat().st_mode | 0o055)
        os.seteuid(65534)
        try:
            yield
        finally:
            os.seteuid(0)

    return change


def test_a_target_that_is_read_only(tmp_path, nobody):
    source = save(tmp_path / "in/a.png")
    (tmp_path / "out").mkdir(mode=0o555)
    with nobody(), pytest.raises(PermissionError, match="out'$"):
        run([source], tmp_path / "out")
    assert names(tmp_path / "out") == []


def test_what_cannot_be_read_is_said(tmp_path, nobody):
    save(tmp_path / "in/a.png"), save(tmp_path / "in/b.png").chmod(0)
    save(tmp_path / "in/sub/c.png").parent.chmod(0)
    (tmp_path / "out").mkdir()
    (tmp_path / "out").chmod(0o777)
    with nobody():
        well, lines = run([tmp_path / "in"], tmp_path / "out")
    assert not well
    assert f"asykeras: {tmp_path}/in/sub: Permission denied" in lines
    assert f"asykeras: {tmp_path}/in/b.png: Permission denied" in lines
    assert names(tmp_path / "out") == ["a.png"]


def test_a_failure_of_any_kind_is_one_sentence(tmp_path, monkeypatch):
    save(tmp_path / "in/a.png"), save(tmp_path / "in/b.png")

    def broken(job, *_):
        raise RuntimeError("OOM when allocating\nand a long story")

    monkeypatch.setattr(folder, "restore_file", broken)
    well, lines = run([tmp_path / "in"], tmp_path / "out")
    assert not well
    assert [line for line in lines if "OOM" in line] == [
        f"asykeras: {tmp_path}/in/{name}.png: OOM when allocating" for name in "ab"
    ]


class Pipe(io.StringIO):
    """A pipe whose reader goes away after a line."""

    def write(self, text):
        if self.getvalue():
            raise BrokenPipeError(errno.EPIPE, "Broken pipe")
        return super().write(text)


def test_a_reader_that_goes_away_stops_no_work(tmp_path):
    for name in "abc":
        save(tmp_path / f"in/{name}.png")
    found, teller = find_jobs([tmp_path / "in"], tmp_path / "out"), Progress(Pipe())
    assert restore_files(found, lambda colour: network(), Settings(), progress=teller)
    assert names(tmp_path / "out") == ["a.png", "b.png", "c.png"]


def test_names_cannot_move_the_cursor(tmp_path):
    save(tmp_path / "in/\x1b[2Ja\n.png"), (tmp_path / "in/\x1b[31mb.png").touch()
    _, lines = run([tmp_path / "in"], tmp_path / "out")
    assert len(lines) == 2
    assert lines[0] == f"asykeras: {tmp_path}/in/\\x1b[31mb.png is empty"
    assert lines[1].startswith(
        f"{tmp_path}/in/\\x1b[2Ja\\n.png -> {tmp_path}/out/\\x1b[2Ja\\n.png: "
    )


def test_debug_prints_the_traceback_too(tmp_path):
    (tmp_path / "a.png").touch()
    found, stream = find_jobs([tmp_path / "a.png"], tmp_path / "out"), io.StringIO()
    teller = Progress(stream, debug=True)
    assert not restore_files(found, lambda colour: network(), Settings(), progress=teller)
    assert stream.getvalue().startswith("Traceback (most recent call last):\n")
    assert stream.getvalue().endswith(f"\nasykeras: {tmp_path}/a.png is empty\n")


def test_a_mount_without_locks_and_without_sync_is_written_to(tmp_path, monkeypatch):
    def refuse(number):
        def call(*arguments):
            raise OSError(number, os.strerror(number))

        return call

    monkeypatch.setattr(locks.fcntl, "flock", refuse(errno.ENOLCK))
    monkeypatch.setattr(files.os, "fsync", refuse(errno.EINVAL))
    save(tmp_path / "in/a.png")
    assert run([tmp_path / "in"], tmp_path / "out")[0]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a.png"]


def test_folders_of_any_depth_and_links_in_a_ring(deep_path):
    save(make_folder_of(1200, deep_path / "in") / "a.png")
    (deep_path / "in/one.png").symlink_to("two.png")
    (deep_path / "in/two.png").symlink_to("one.png")
    well, lines = run([deep_path / "in"], deep_path / "out")
    assert not well
    assert lines[:2] == [
        f"asykeras: {deep_path}/in/{name}.png is no file that can be read"
        for name in ("one", "two")
    ]
    np.testing.assert_array_equal(pixels(make_folder_of(1200, deep_path / "out") / "a.png"), VALUES)


def make_folder_of(depth, root):
    folder = root.joinpath(*["d"] * depth)
    make_folder(folder)
    return folder


def test_nothing_is_left_beside_the_results(tmp_path):
    save(tmp_path / "in/a.png")
    (tmp_path / "out").mkdir()
    orphan = abandoned(tmp_path / "out")
    (tmp_path / "out" / folder.LOCK).touch()
    assert run([tmp_path / "in"], tmp_path / "out")[0]
    assert names(tmp_path / "out") == ["a.png"]
    assert not orphan.exists()


def test_what_is_not_ours_stays(tmp_path):
    save(tmp_path / "in/a.png")
    thesis = tmp_path / "out/.part-time/2024/thesis.txt"
    thesis.parent.mkdir(parents=True)
    thesis.write_text("years of work")
    assert run([tmp_path / "in"], tmp_path / "out")[0]
    assert thesis.read_text() == "years of work"


def test_two_runs_do_not_write_into_one_folder(tmp_path):
    fcntl = pytest.importorskip("fcntl")
    save(tmp_path / "in/a.png")
    (tmp_path / "out").mkdir()
    with (tmp_path / "out" / folder.LOCK).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(UsageError, match="another run is writing into"):
            run([tmp_path / "in"], tmp_path / "out")
    assert run([tmp_path / "in"], tmp_path / "out")[0]


SLOW_RUN = """
import sys, time
from tests.zoo.app.test_folder import network, run
from zoo.app import folder
from zoo.restoring import bands
whole, whole_spans = folder.restore_bands, bands.tiling.spans
def slowly(plan, rows):
    for band in whole(plan, rows):
        print("band", flush=True)
        time.sleep(0.2)
        yield band
folder.restore_bands = slowly
bands.tiling.spans = lambda length, keep, margin, step: whole_spans(length, 1, 0)
run([sys.argv[1]], sys.argv[2])
"""


@pytest.mark.slow
def test_a_run_that_is_killed_is_finished_by_the_next(tmp_path):
    for number in range(4):
        save(tmp_path / f"in/{number}.png")
    command = [sys.executable, "-c", SLOW_RUN, str(tmp_path / "in"), str(tmp_path / "out")]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    for _ in range(9):  # 6 bands of the first picture, some of the second
        assert process.stdout.readline() == "band\n"
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert [name for name in names(tmp_path / "out") if "/" not in name][1:] == ["0.png"]
    assert list((tmp_path / "out").glob(".part-*/content/1.png"))
    done = (tmp_path / "out/0.png").stat().st_mtime_ns
    assert run([tmp_path / "in"], tmp_path / "out")[0]
    assert names(tmp_path / "out") == ["0.png", "1.png", "2.png", "3.png"]
    assert not list((tmp_path / "out").glob(".part-*"))
    assert (tmp_path / "out/0.png").stat().st_mtime_ns == done
    for number in range(4):
        np.testing.assert_array_equal(pixels(tmp_path / f"out/{number}.png"), VALUES)


# ---- progress


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_a_terminal_sees_one_line_with_the_time_left(monkeypatch):
    clock = iter([0.0, 0.0, 1.0, 1.0, 10.0, 61.0, 70.0, 90.0])
    monkeypatch.setattr(time, "monotonic", lambda: next(clock))
    stream = Terminal()
    teller = Progress(stream)  # 0
    teller.start([100, 300])  # 0
    teller.begin(Job(Path("a.png"), Path("out/a.png")), 100)  # 1, 1
    teller.advance(0.5)  # 10: 50 of 400 pixels
    assert stream.getvalue().endswith("\r\x1b[K1/2 a.png 50%, 1 min 10 s left")
    teller.done(Job(Path("a.png"), Path("out/a.png")), "")
    teller.problem("it broke")
    assert stream.getvalue().endswith("\r\x1b[Kasykeras: it broke\n")
    assert stream.getvalue().count("\n") == 1


def test_a_line_of_a_terminal_does_not_wrap(monkeypatch):
    monkeypatch.setattr(progress.shutil, "get_terminal_size", lambda: os.terminal_size((30, 24)))
    stream = Terminal()
    teller = Progress(stream)
    teller.start([100])
    teller.begin(Job(Path("a" * 100 + ".png"), Path("out")), 100)
    assert len(stream.getvalue().removeprefix("\r\x1b[K")) == 29


def test_durations():
    assert [progress._duration(each) for each in (3.4, 65, 3725)] == [
        "3 s",
        "1 min 5 s",
        "1 h 2 min",
    ]


@pytest.mark.slow
def test_a_hundred_megapixels_take_less_than_a_gigabyte_and_a_half(tmp_path):
    """Run with -s to see the numbers: memory above the idle process, and the time."""
    row = np.random.default_rng(0).integers(0, 256, (10_000, 10_000, 1), dtype=np.uint8)
    Image.fromarray(np.concatenate([row] * 3, axis=-1)).save(
        tmp_path / "large.png", compress_level=1
    )
    command = [sys.executable, "-c", LARGE_RUN, str(tmp_path / "large.png"), str(tmp_path / "out")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    above, seconds = map(int, done.stdout.split())
    sys.stdout.write(f"{above} MiB above the idle process, {seconds} s\n")
    assert above < 1500
    large = read_header(tmp_path / "out/large.png", megapixels=400).picture
    assert (large.height, large.width) == (20_000, 20_000)


LARGE_RUN = """
import sys, threading, time
from pathlib import Path
import numpy as np, keras
from keras import layers, ops
from zoo.restoring.bands import Settings
from zoo.app.folder import Job, restore_file
from zoo.restoring.network import open_network

def memory():
    line = next(each for each in open("/proc/self/status") if each.startswith("VmRSS"))
    return int(line.split()[1]) // 1024

image = keras.Input((None, None, 3))
x = layers.Conv2D(32, 3, padding="same", activation="relu")(image)
large = ops.depth_to_space(layers.Conv2D(12, 3, padding="same")(x), 2)
network = open_network(keras.Model(image, large))
network.engine([np.zeros((1, 64, 64, 3), np.float32)])
idle = peak = memory()
def watch():
    global peak
    while True:
        peak = max(peak, memory())
        time.sleep(0.01)
threading.Thread(target=watch, daemon=True).start()
began = time.monotonic()
source = Path(sys.argv[1])
restore_file(Job(source, Path(sys.argv[2]) / source.name), lambda colour: network, Settings())
print(peak - idle, round(time.monotonic() - began))
"""
