"""`asykeras demo`: a page in the browser that restores pictures, on this machine alone.

A picture goes the way of `asykeras restore`: the file that is downloaded is the file that the
command would have written, with its depth, alpha, profile and metadata.
"""

import os
import tempfile
import time
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from zoo.app.folder import restore_file
from zoo.app.progress import Job
from zoo.app.screen import on_screen
from zoo.machine.failures import ZooError, sentence
from zoo.machine.parts import temporary_folder
from zoo.networks.foreign import find_weight
from zoo.pictures.formats import SUFFIXES
from zoo.pictures.photos import read_header
from zoo.pictures.rows import open_rows
from zoo.restoring.bands import Settings
from zoo.restoring.network import Network, open_network
from zoo.restoring.remarks import remark_on_level

if TYPE_CHECKING:
    import gradio as gr

SHOWN = 2048  # pixels a side that the page shows of a picture, one to one; all are downloaded
SIGMA = 25.0  # grey levels of the noise, before the user says otherwise
TITLE = "asykeras: restore a picture"
HINT = (
    "The picture stays on this machine. Left of the handle: the picture as it was, enlarged with "
    "bicubic interpolation where the network enlarges; right of it: restored."
)


class PageError(ZooError):
    """What keeps the page from being made, in one sentence."""


def restore_upload(
    source: Path, target: Path, weights: str, sigma: float | None, self_ensemble: bool
) -> tuple[np.ndarray, np.ndarray, str]:
    """Restore a file to one of the same format, and return what the page shows of it.

    That is the picture before and after, uint8 RGB of the same size, their middle where they are
    large, and a remark. Only denoisers look at sigma, which is in image units.
    """
    network = _network(weights)
    level = sigma if network.use.denoises else None
    remarks = [remark_on_level(network, level)]
    settings = Settings(level, self_ensemble=self_ensemble)
    remarks.append(restore_file(Job(source, target), lambda colour: network, settings))
    after = shown(target)
    before = shown(source).resize(after.size, Image.Resampling.BICUBIC)
    pair = [np.asarray(_middle(each)) for each in (before, after)]
    if max(after.size) > SHOWN:
        remarks.append(f"the page shows the middle of {after.width} x {after.height} pixels")
    return pair[0], pair[1], "; ".join(remark for remark in remarks if remark)


def shown(path: Path) -> Image.Image:
    """Return a picture of any kind in 8-bit RGB, as far as a screen can show it."""
    photo = read_header(path, megapixels=float("inf"))
    picture = photo.picture
    with open_rows(photo) as rows:
        return on_screen(rows(0, picture.height), picture)


def build_page(weights: Sequence[str], folder: Path) -> "gr.Blocks":
    """Return the page for weights to choose from; uploads and results lie in the folder."""
    import gradio as gr

    denoises = {name: find_weight(name).card.use.denoises for name in weights}

    def restore(
        path: str | None, name: str | None, sigma: float | None, ensemble: bool
    ) -> "tuple[tuple[np.ndarray, np.ndarray], gr.DownloadButton, str]":
        if path is None or name not in denoises:
            missing = "a picture" if path is None else "weights"
            raise gr.Error(f"Choose {missing} first.", duration=None)
        source = Path(path)
        target = Path(tempfile.mkdtemp(dir=folder)) / f"{source.stem}-restored{source.suffix}"
        try:
            level = None if sigma is None else sigma / 255
            before, after, remark = restore_upload(source, target, name, level, ensemble)
        except Exception as error:  # whatever it is, the page goes on
            # The path in the message is of the server's own folder.
            text = sentence(error, source.name).replace(str(source), source.name)
            raise gr.Error(text, duration=None) from None
        return (before, after), gr.DownloadButton(value=str(target), interactive=True), remark

    with gr.Blocks(title=TITLE, analytics_enabled=False) as page:
        gr.Markdown(f"# {TITLE}\n{HINT}")
        with gr.Row():
            with gr.Column(scale=1):
                picture = gr.File(label="Picture", file_types=list(SUFFIXES), elem_id="picture")
                choice = gr.Dropdown(list(weights), value=weights[0], label="Weights")
                sigma = gr.Slider(
                    0, 75, SIGMA, label="Noise, grey levels of 255", visible=denoises[weights[0]]
                )
                ensemble = gr.Checkbox(label="Self-ensemble: 8 times slower, a little better")
                button = gr.Button("Restore", variant="primary", elem_id="restore")
                download = gr.DownloadButton("Download", interactive=False, elem_id="download")
                remark = gr.Markdown(elem_id="remark")
            with gr.Column(scale=3):
                slider = gr.ImageSlider(
                    label="before | after", format="png", interactive=False, elem_id="slider"
                )
        choice.change(lambda name: gr.Slider(visible=denoises.get(name)), choice, sigma)
        button.click(
            restore, [picture, choice, sigma, ensemble], [slider, download, remark], api_name=False
        )
    return page


def serve(weights: Sequence[str], port: int, browser: bool) -> None:
    """Show the page until Ctrl-C or another signal; then all pictures are removed.

    The port is of this machine's own address, 127.0.0.1: nobody else reaches the page.
    """
    if not 1 <= port <= 65535:
        raise PageError(f"a port is a number from 1 to 65535. Received: port={port}")
    for name in weights:
        _network(name)
    with temporary_folder() as folder:
        os.environ |= {
            "GRADIO_TEMP_DIR": str(folder),
            "GRADIO_ANALYTICS_ENABLED": "False",
            "GRADIO_RUN_HISTORY": "False",  # which a user could send to a service
        }
        try:
            import gradio as gr
        except ImportError:
            raise PageError("the page needs gradio: pip install 'asykeras[demo]'") from None
        _stay_at_home()
        page = build_page(weights, folder)
        # Gradio's own themes load fonts from the network.
        theme = gr.themes.Default(font="sans-serif", font_mono="monospace")
        try:
            page.launch(
                server_name="127.0.0.1", server_port=port, inbrowser=browser, share=False,
                show_error=True, quiet=True, prevent_thread_lock=True, theme=theme,
                max_file_size=2**30,
            )  # fmt: skip
        except OSError:
            raise PageError(f"port {port} is taken: choose another by --port") from None
        print(f"http://127.0.0.1:{port}  (Ctrl-C ends it)", flush=True)
        try:
            while True:  # Gradio's own `block_thread` swallows the signal
                time.sleep(1)
        finally:
            page.close()


def _stay_at_home() -> None:
    """Let Gradio fetch no address that a browser or another program names.

    It would ask a name server on the network even about this machine's own name.
    """
    import safehttpx
    from gradio import processing_utils

    async def refuse(hostname: str) -> str:
        raise ValueError(f"{hostname} is not asked: the page fetches nothing")

    safehttpx.async_validate_url = refuse
    processing_utils.PUBLIC_HOSTNAME_WHITELIST.clear()


@lru_cache
def _network(weights: str) -> Network:
    return open_network(weights)


def _middle(image: Image.Image) -> Image.Image:
    """Return the middle of an image that is larger than what is shown."""
    width, height = (min(side, SHOWN) for side in image.size)
    left, top = (image.width - width) // 2, (image.height - height) // 2
    return image.crop((left, top, left + width, top + height))
