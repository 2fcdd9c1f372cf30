"""The page in the browser: driven by a real one, and what it shows of a picture."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path
from urllib.parse import urlparse

import keras
import numpy as np
import pytest
from PIL import Image

from zoo.app import cli
from zoo.app.folder import restore_file
from zoo.app.page import SHOWN, build_page, restore_upload, shown
from zoo.app.progress import Job
from zoo.pictures.images import ImageError
from zoo.restoring.bands import Settings
from zoo.restoring.network import open_network

ROOT = Path(__file__).parents[3]
WEIGHT = "srcnn-955-x2"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")


@pytest.fixture
def picture(tmp_path):
    """An upright picture of 40 x 30 pixels that says it is to be turned, with its resolution."""
    path = tmp_path / "my photo é.png"
    values = np.random.default_rng(0).integers(0, 256, (30, 40, 3), np.uint8)
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(values).save(path, dpi=(300, 300), exif=exif)
    return path


def test_an_upload_becomes_the_file_of_the_command_line(picture, tmp_path):
    target, again = tmp_path / "page.png", tmp_path / "command.png"
    before, after, remark = restore_upload(picture, target, WEIGHT, 25.0, False)
    restore_file(Job(picture, again), lambda colour: open_network(WEIGHT), Settings())
    assert target.read_bytes() == again.read_bytes()
    assert before.shape == after.shape == (80, 60, 3)
    np.testing.assert_array_equal(after, np.asarray(Image.open(target)))
    assert remark == ""


def test_a_large_picture_is_shown_by_its_middle(tmp_path):
    path, side = tmp_path / "wide.png", SHOWN // 2 + 32
    Image.new("RGB", (side, 20), (10, 200, 30)).save(path)
    before, after, remark = restore_upload(path, tmp_path / "out.png", WEIGHT, None, False)
    assert before.shape == after.shape == (40, SHOWN, 3)
    assert remark == f"the page shows the middle of {2 * side} x 40 pixels"


def test_a_network_for_artefacts_is_given_no_level(picture, tmp_path):
    """And so nobody is told that it takes none."""
    *_, remark = restore_upload(picture, tmp_path / "out.png", "dncnn-jpeg", 25 / 255, False)
    assert "noise" not in remark


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "CMYK", "I;16", "F"])
def test_a_picture_of_any_kind_is_shown_in_rgb(mode, tmp_path):
    values = np.full((3, 4), 128, np.uint8)
    kinds = {"I;16": values.astype(np.uint16) * 257, "F": values.astype(np.float32) / 255}
    image = Image.fromarray(kinds[mode]) if mode in kinds else Image.fromarray(values).convert(mode)
    path = tmp_path / f"a.{'tif' if mode in ('CMYK', 'F') else 'png'}"
    image.save(path)
    found = np.asarray(shown(path))
    assert found.shape == (3, 4, 3)
    if mode != "1":
        assert abs(found.astype(int) - 128).max() <= 1


def test_what_is_no_picture_is_refused(tmp_path):
    path = tmp_path / "a.png"
    path.write_text("no picture")
    with pytest.raises(ImageError, match=r"a\.png is not a PNG, JPEG, WebP, BMP or TIFF image"):
        restore_upload(path, tmp_path / "b.png", WEIGHT, None, False)
    assert not (tmp_path / "b.png").exists()


@pytest.mark.slow
def test_what_is_not_chosen_is_asked_for(picture, tmp_path):
    gradio = pytest.importorskip("gradio")
    page = build_page([WEIGHT], tmp_path)
    (restore,) = (each.fn for each in page.fns.values() if each.fn.__name__ == "restore")
    for path, name, message in (
        (None, WEIGHT, "Choose a picture first"),
        (str(picture), None, "Choose weights first"),
        (str(picture), "a weight that the page does not offer", "Choose weights first"),
    ):
        with pytest.raises(gradio.Error, match=message):
            restore(path, name, 25.0, False)


# Writes down which names and addresses the page asks the system for.
WATCHED = """
import sys
def watch(event, arguments):
    if event in ("socket.getaddrinfo", "socket.gethostbyname"):
        print(event, arguments[0], file=asked, flush=True)
    if event == "socket.connect" and isinstance(arguments[1], tuple):
        print(event, arguments[1][0], file=asked, flush=True)
asked = open(sys.argv.pop(1), "w")
sys.addaudithook(watch)
from zoo.app.cli import main
sys.exit(main())
"""


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="the page is the same")
@pytest.mark.parametrize(
    ("name", "code"), [("SIGTERM", 143), pytest.param("SIGHUP", 129, marks=pytest.mark.slow)]
)
def test_a_signal_removes_the_pictures_and_nobody_else_is_asked(name, code, picture, tmp_path):
    pytest.importorskip("gradio")
    (tmp_path / "tmp").mkdir()
    port, asked = free_port(), tmp_path / "asked.txt"
    words = [sys.executable, "-c", WATCHED, str(asked), "demo", "--no-browser", "--port", port]
    server = subprocess.Popen(
        [*words, "--weights", WEIGHT],
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(tmp_path / "tmp"), "no_proxy": "*"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    address = server.stdout.readline().split()[0]
    head = b'--x\r\nContent-Disposition: form-data; name="files"; filename="a.png"\r\n\r\n'
    upload = urllib.request.Request(
        f"{address}/gradio_api/upload",
        data=head + picture.read_bytes() + b"\r\n--x--\r\n",
        headers={"Content-Type": "multipart/form-data; boundary=x"},
    )
    with urllib.request.urlopen(upload) as answer:
        assert b"a.png" in answer.read()
    assert list((tmp_path / "tmp").rglob("a.png"))
    for url in (f"{address}/", "http://hf.co/", "https://example.com/a.png"):
        with pytest.raises(urllib.error.HTTPError, match="403"):
            urllib.request.urlopen(f"{address}/gradio_api/file={url}")
    server.send_signal(getattr(signal, name))
    _, said = server.communicate(timeout=60)
    assert server.returncode == code, said
    assert list((tmp_path / "tmp").iterdir()) == []
    assert {line.split()[1] for line in asked.read_text().splitlines()} <= {"127.0.0.1"}


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return str(free.getsockname()[1])


@pytest.fixture
def address():
    """The page, served by the command."""
    pytest.importorskip("gradio")
    words = [sys.executable, "-m", "zoo.app.cli", "demo", "--no-browser", "--port", free_port()]
    words += ["--weights", WEIGHT]
    server = subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        said = server.stdout.readline().split()
        assert said, "the page did not start"
        yield said[0]
    finally:
        server.terminate()
        server.communicate()


@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")
@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="the page is the same")
def test_a_browser_restores_and_downloads_a_picture(address, picture, tmp_path):
    playwright = pytest.importorskip("playwright.sync_api")
    hosts = set()
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1200, "height": 800})
        page.on("request", lambda request: hosts.add(urlparse(request.url).hostname))
        page.goto(address)
        page.locator("#picture input[type=file]").set_input_files(picture)
        page.get_by_text(picture.name.rsplit(".", 1)[0]).first.wait_for()
        page.locator("#restore").click()
        page.locator("#slider img").nth(1).wait_for(timeout=60_000)
        sizes = page.locator("#slider img").evaluate_all(
            "images => images.map(each => [each.naturalWidth, each.naturalHeight])"
        )
        with page.expect_download() as download:
            page.locator("#download").click()
        download.value.save_as(tmp_path / "downloaded.png")
        bad = tmp_path / "bad.png"
        bad.write_text("no picture")
        page.locator("#picture button[aria-label=Clear]").first.click()
        page.locator("#picture input[type=file]").set_input_files(bad)
        page.get_by_text("bad").first.wait_for()
        page.locator("#restore").click()
        page.get_by_text("bad.png is not a PNG, JPEG, WebP, BMP or TIFF image").wait_for()
        browser.close()
    assert sizes == [[60, 80], [60, 80]]
    restore_upload(picture, tmp_path / "expected.png", WEIGHT, None, False)
    expected = (tmp_path / "expected.png").read_bytes()
    assert (tmp_path / "downloaded.png").read_bytes() == expected
    assert {host for host in hosts if host} == {"127.0.0.1"}  # fonts and counters stay out


@pytest.mark.slow
def test_a_taken_port_is_one_sentence(capsys):
    pytest.importorskip("gradio")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        assert cli.main(["demo", "--no-browser", "--port", port]) == 1
    assert f"asykeras: port {port} is taken: choose another by --port" in capsys.readouterr().err


@pytest.mark.parametrize("port", ["0", "-1", "70000"])
def test_a_number_that_is_no_port(port, capsys):
    assert cli.main(["demo", "--no-browser", "--port", port]) == 1
    expected = f"asykeras: a port is a number from 1 to 65535. Received: port={port}\n"
    assert capsys.readouterr().err == expected


def test_the_page_without_gradio_is_one_sentence(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "gradio", None)
    assert cli.main(["demo", "--no-browser"]) == 1
    assert "the page needs gradio: pip install 'asykeras[demo]'" in capsys.readouterr().err
