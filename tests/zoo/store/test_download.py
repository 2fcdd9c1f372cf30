"""Downloads from a server on this machine that misbehaves in every way."""

import contextlib
import errno
import hashlib
import os
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import pytest

import zoo
from tests.zoo.examples import card_of
from zoo.store import download
from zoo.store import weight as weights
from zoo.store.download import DownloadError, cache_folder, fetch

CONTENT = bytes(range(256)) * 2000
HASH = hashlib.sha256(CONTENT).hexdigest()


class Server(BaseHTTPRequestHandler):
    """Serves CONTENT; what the path names is what goes wrong."""

    requests: ClassVar[list] = []

    def do_GET(self):
        wanted = self.headers.get("Range")
        type(self).requests.append((self.path, wanted))
        if self.path == "/error":
            return self.send_error(503, "Busy")
        if self.path == "/headers":
            return self.drip(b"HTTP/1.0 200 OK\r\nContent-Length: ")
        if self.path in ("/drip", "/endless", "/nonsense"):
            self.send_response(200)
            if self.path == "/nonsense":
                self.send_header("Content-Length", "many")
            self.end_headers()
            return self.drip(b"x" if self.path == "/drip" else bytes(2**20), self.path == "/drip")
        start = 0
        if wanted and self.path != "/no-ranges":
            start = int(wanted.removeprefix("bytes=").removesuffix("-"))
            if start >= len(CONTENT):
                return self.send_error(416)
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(CONTENT) - start))
        self.end_headers()
        end = len(CONTENT) // 2 if self.path == "/cut" and not start else len(CONTENT)
        self.wfile.write(CONTENT[start:end])

    def drip(self, content, slowly=True):
        """Send without an end, until nobody listens."""
        with contextlib.suppress(OSError):
            while not STOP.wait(0.05 if slowly else 0):
                self.wfile.write(content)
                self.wfile.flush()
                content = b"x" if slowly else content

    def log_message(self, *arguments):
        pass


STOP = threading.Event()


@pytest.fixture
def server():
    STOP.clear()
    Server.requests = []
    serving = ThreadingHTTPServer(("127.0.0.1", 0), Server)
    threading.Thread(target=serving.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{serving.server_port}"
    STOP.set()
    serving.shutdown()
    serving.server_close()


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_file_arrives_whole_with_progress(server, tmp_path):
    seen = []
    fetch(f"{server}/file", tmp_path / "a/w", HASH, lambda done, total: seen.append((done, total)))
    assert (tmp_path / "a/w").read_bytes() == CONTENT
    assert seen[-1] == (len(CONTENT), len(CONTENT))
    assert names(tmp_path / "a") == ["w"]


def test_another_file_is_refused_and_the_old_one_stays(server, tmp_path):
    (tmp_path / "w").write_text("old")
    with pytest.raises(
        DownloadError, match=f"is another file: SHA-256 {'0' * 64} expected, {HASH}"
    ):
        fetch(f"{server}/file", tmp_path / "w", "0" * 64)
    assert (tmp_path / "w").read_text() == "old"
    assert names(tmp_path) == ["w"]


@pytest.mark.parametrize("second", ["cut", "file", "no-ranges"])
def test_a_cut_connection_is_continued(server, tmp_path, second):
    (tmp_path / "w").write_text("old")
    half = len(CONTENT) // 2
    with pytest.raises(
        DownloadError, match=f"cut after {half} of {len(CONTENT)} bytes|IncompleteRead"
    ):
        fetch(f"{server}/cut", tmp_path / "w", HASH)
    assert (tmp_path / "w").read_text() == "old"
    fetch(f"{server}/{second}", tmp_path / "w", HASH)
    assert (tmp_path / "w").read_bytes() == CONTENT
    assert Server.requests[-1][1] == f"bytes={half}-"
    assert names(tmp_path) == ["w"]


def test_a_part_that_is_too_long_does_not_pass(server, tmp_path):
    (tmp_path / "w.part").write_bytes(CONTENT + b"more")
    with pytest.raises(DownloadError, match="is another file"):
        fetch(f"{server}/file", tmp_path / "w", HASH)
    fetch(f"{server}/file", tmp_path / "w", HASH)
    assert (tmp_path / "w").read_bytes() == CONTENT


def test_an_error_of_the_server_is_told(server, tmp_path):
    with pytest.raises(DownloadError, match="the server answers 503 Busy"):
        fetch(f"{server}/error", tmp_path / "w", HASH)
    assert names(tmp_path) == []


def test_no_more_than_the_size_is_taken(server, tmp_path):
    for path in ("endless", "file"):
        with pytest.raises(DownloadError, match="is another file: more than 100000 bytes come"):
            fetch(f"{server}/{path}", tmp_path / "w", HASH, size=100_000)
    assert names(tmp_path) == []


@pytest.mark.parametrize("path", ["drip", "headers"])
def test_a_server_that_all_but_stands_still_is_given_up(path, server, tmp_path, monkeypatch):
    monkeypatch.setattr(download, "WINDOW", 0.3)
    (tmp_path / "w").write_text("old")
    with pytest.raises(DownloadError, match="not be fetched: fewer than 1000 bytes a second come"):
        fetch(f"{server}/{path}", tmp_path / "w", HASH, size=len(CONTENT))
    assert (tmp_path / "w").read_text() == "old"


@pytest.mark.parametrize("address", ["/nonsense", None])
def test_an_answer_or_an_address_that_is_none_is_told(address, server, tmp_path):
    with pytest.raises(DownloadError, match="could not be fetched"):
        fetch(server + address if address else "nothing", tmp_path / "w", HASH)
    assert names(tmp_path) == []


def test_a_folder_in_the_place_of_the_file_is_told(server, tmp_path):
    (tmp_path / "w").mkdir()
    with pytest.raises(DownloadError, match="w is a folder, where the file of .* belongs"):
        fetch(f"{server}/file", tmp_path / "w", HASH)


def test_no_network_is_told(tmp_path):
    with pytest.raises(DownloadError, match="could not be fetched: .*refused"):
        fetch("http://127.0.0.1:9/file", tmp_path / "w", HASH)
    assert not (tmp_path / "w").exists()


def test_a_full_disk_is_told(server, tmp_path, monkeypatch):
    def full(*arguments):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(download, "_append", full)
    (tmp_path / "w").write_text("old")
    with pytest.raises(DownloadError, match="could not be written: No space left on device"):
        fetch(f"{server}/file", tmp_path / "w", HASH)
    assert (tmp_path / "w").read_text() == "old"
    assert names(tmp_path) == ["w"]


def test_a_cache_that_cannot_be_written_to_is_told(server, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(DownloadError, match="cannot be written to .*; set ASYKERAS_CACHE"):
        fetch(f"{server}/file", tmp_path / "file/w", HASH)


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_cache_is_told(server, tmp_path):
    (tmp_path / "cache").mkdir(mode=0o555)
    with pytest.raises(DownloadError, match="cannot be written to .*; set ASYKERAS_CACHE"):
        fetch(f"{server}/file", tmp_path / "cache/w", HASH)


@pytest.mark.slow
def test_two_processes_may_fetch_at_once(server, tmp_path):
    code = (
        "import sys; from pathlib import Path; from zoo.store.download import fetch;"
        "fetch(sys.argv[1], Path(sys.argv[2]), sys.argv[3])"
    )
    command = [sys.executable, "-c", code, f"{server}/file", str(tmp_path / "w"), HASH]
    both = [subprocess.Popen(command) for _ in range(2)]
    assert [process.wait() for process in both] == [0, 0]
    assert (tmp_path / "w").read_bytes() == CONTENT
    assert names(tmp_path) == ["w"]


def test_the_cache_is_where_the_platform_has_caches(monkeypatch):
    monkeypatch.delenv("ASYKERAS_CACHE", raising=False)
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", "/xdg")
    assert cache_folder() == Path("/xdg/asykeras")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_folder() == Path.home() / ".cache/asykeras"
    monkeypatch.setattr(sys, "platform", "darwin")
    assert cache_folder() == Path.home() / "Library/Caches/asykeras"
    monkeypatch.setenv("ASYKERAS_CACHE", "~/mine")
    assert cache_folder() == Path.home() / "mine"


@pytest.fixture
def published(server, tmp_path, monkeypatch):
    """A published weight that has to be downloaded; yields its card."""
    network = zoo.SRCNN(2, variant="9-1-5")
    card = {"builder": "SRCNN", "arguments": {"scale": 2, "variant": "9-1-5"}}
    weights.save(network, tmp_path / "far.weights.h5", card_of({**card, "url": f"{server}/file"}))
    monkeypatch.setattr(weights, "PUBLISHED", tmp_path)
    monkeypatch.setenv("ASYKERAS_CACHE", str(tmp_path / "cache"))
    content = (tmp_path / "far.weights.h5").read_bytes()
    (tmp_path / "far.weights.h5").unlink()  # only its card comes with the package
    monkeypatch.setattr(sys.modules[__name__], "CONTENT", content)
    return network


def test_a_published_weight_is_fetched_once_and_then_used_offline(published, server):
    first = zoo.load("far")
    asked = len(Server.requests)
    again = zoo.load("far")
    assert len(Server.requests) == asked == 1
    for model in (first, again):
        assert (model.get_weights()[0] == published.get_weights()[0]).all()


def test_a_damaged_cache_is_fetched_again(published, tmp_path):
    zoo.load("far")
    (tmp_path / "cache/far.weights.h5").write_bytes(b"damaged")
    assert (zoo.load("far").get_weights()[0] == published.get_weights()[0]).all()


def test_a_cache_that_cannot_be_read_is_told(published, monkeypatch):
    def refuse(path):
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    zoo.load("far")
    monkeypatch.setattr(weights, "sha256", refuse)
    with pytest.raises(zoo.WeightsError, match="cache/far.weights.h5 cannot be read: Permission"):
        zoo.load("far")


def test_a_published_file_is_no_longer_than_its_card_says(published, server, monkeypatch):
    monkeypatch.setattr(sys.modules[__name__], "CONTENT", CONTENT + b"more")
    with pytest.raises(zoo.WeightsError, match="more than .* bytes come"):
        zoo.load("far")


def test_a_weight_that_cannot_be_fetched_is_an_error_not_a_random_network(published, tmp_path):
    card = (tmp_path / "far.json").read_text().replace("/file", "/error")
    (tmp_path / "far.json").write_text(card)
    with pytest.raises(zoo.WeightsError, match="the server answers 503 Busy"):
        zoo.load("far")
    with pytest.raises(zoo.WeightsError, match="the server answers 503 Busy"):
        zoo.SRCNN(2, variant="9-1-5", weights="far")
