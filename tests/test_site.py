"""The site, built and opened in a browser."""

import functools
import http.server
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path
from urllib.parse import urlparse

import pytest

from recipes.publish import site, stage

ROOT = Path(__file__).parent.parent
PLACES = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
ZENSICAL = shutil.which("zensical", path=PLACES)
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
SIZES = {"wide": (1400, 1000), "narrow": (390, 844)}
OPENED = ("", "restore/", "networks/edsr/", "plug-and-play/", "api/asykeras/", "benchmarks/")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(ZENSICAL is None, reason="needs Zensical: pip install '.[docs]'"),
]


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The site as `make docs` builds it, in a folder of its own."""
    folder = tmp_path_factory.mktemp("site")
    for package in ("asykeras", "zoo", "recipes"):
        (folder / package).symlink_to(ROOT / package)
    shutil.copy(ROOT / "mkdocs.yml", folder)
    shutil.copy(ROOT / "pyproject.toml", folder)
    stage.gather(folder / "build/docs")
    done = subprocess.run(
        [ZENSICAL, "build", "--strict", "--clean"], cwd=folder, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / "build/site"


def test_nothing_is_wrong(built):
    assert not list(site.faults(built))
    assert len(list(built.rglob("index.html"))) >= 25


@pytest.fixture
def address(built):
    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *rest):
            pass

    handler = functools.partial(Quiet, directory=str(built))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")
def test_a_browser_shows_it_and_finds_a_loss(address, tmp_path):
    """Screenshots lie below `$SITE_SCREENSHOTS`, for somebody to look at."""
    playwright = pytest.importorskip("playwright.sync_api")
    pictures = Path(os.environ.get("SITE_SCREENSHOTS", tmp_path))
    hosts, errors = set(), []
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        for size, (width, height) in SIZES.items():
            page = browser.new_page(viewport={"width": width, "height": height})
            page.on("request", lambda request: hosts.add(urlparse(request.url).hostname))
            page.on("requestfailed", lambda request: errors.append(request.url))
            page.on("pageerror", lambda error: errors.append(str(error)))
            page.on("console", lambda said: errors.append(said.text) if said.type == "error" else 0)
            for path in OPENED:
                page.goto(address + path)
                page.wait_for_load_state("networkidle")
                name = path.strip("/").replace("/", "-") or "index"
                page.screenshot(path=pictures / f"{size}-{name}.png")
                wider = "document.documentElement.scrollWidth > window.innerWidth"
                assert not page.evaluate(wider), f"{path} is wider than {size}"
                broken = "images => images.filter(e => e.complete && !e.naturalWidth).length"
                assert page.locator("article img").evaluate_all(broken) == 0
        page = browser.new_page(viewport={"width": 1400, "height": 1000})
        page.goto(address)
        page.wait_for_load_state("networkidle")
        page.keyboard.press("Control+k")
        page.locator("dialog input").wait_for()
        page.locator("dialog input").fill("AsyMSE")
        found = page.locator("dialog a[href*='api/asykeras/#asykeras.AsyMSE']")
        found.first.wait_for(timeout=20_000)
        page.screenshot(path=pictures / "search.png")
        browser.close()
    assert not errors
    assert hosts <= {"127.0.0.1", None}
