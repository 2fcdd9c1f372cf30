"""The page of a network on the Hugging Face hub: what it is, how it is used, what was measured."""

import json
import re
from collections.abc import Iterator

from zoo.scoring.tasks import Deblocking, parse
from zoo.store.card import WHITE, Card, Json, Test

# Names of the images that weights are trained on, as their cards have them -> what they are.
DATA = {"train": "BSDS500 train", "test": "BSDS500 test", "t91": "T91", "photos": "photographs"}
# Licences by the names that the hub has for them.
LICENCES = ("apache-2.0", "bsd-3-clause", "cc0-1.0", "cc-by-4.0", "gpl-3.0", "mit", "unknown")
METRICS = {"psnr": "PSNR (dB)", "ssim": "SSIM", "rmse": "RMSE", "nrmse": "NRMSE"}


def page(name: str, card: Card, own_layers: bool) -> str:
    """Return README.md: the metadata that the hub reads, and the text that people read.

    With layers of our own it says that Keras knows them after `import zoo` alone.
    """
    about = f"# {name}\n\n{_purpose(card)}"
    usage = _usage(name, card, own_layers)
    parts = [_metadata(name, card), about, usage, _measured(card), _training(card)]
    return "\n\n".join(filter(None, parts)) + "\n"


def _metadata(name: str, card: Card) -> str:
    """Return the block of YAML; JSON is YAML, so every value is written as JSON."""
    licence = str(card.more.get("licence", "unknown"))
    known = licence.lower() in LICENCES
    kind = _task(card.use.scale, card.use.jpeg_below > 0).lower()
    said: dict[str, Json] = {
        "library_name": "keras",
        "pipeline_tag": "image-to-image",
        "license": licence.lower() if known else "other",
        **({} if known else {"license_name": licence}),
        "datasets": [*_datasets(card)],
        "tags": ["keras", "asykeras", "image-restoration", kind, card.builder.lower()],
        "model-index": [{"name": name, "results": [_result(test) for test in card.tests]}],
    }
    if not card.tests:
        del said["model-index"]
    lines = [f"{key}: {json.dumps(value)}" for key, value in said.items() if value]
    return "\n".join(["---", *lines, "---"])


def _datasets(card: Card) -> Iterator[str]:
    """Yield what a weight was trained on, in names as the hub has them."""
    data = str(card.training.get("data", ""))
    for part in filter(None, data.split("+")):
        yield re.sub(r"[^a-z0-9.]+", "-", DATA.get(part, part).lower()).strip("-")


def _result(test: Test) -> Json:
    """Return a test as an entry of `model-index`."""
    metrics: list[Json] = [
        {"type": key, "name": name, "value": value}
        for key, name in METRICS.items()
        if (value := getattr(test, key))
    ]
    kind = re.sub(r"[^a-z0-9]+", "-", test.data.lower())
    asked = parse(test.task)
    task = _task(asked.scale, isinstance(asked, Deblocking))
    return {
        "task": {"type": "image-to-image", "name": f"{task} ({test.task})"},
        "dataset": {"type": kind, "name": f"{test.data} ({test.images} images)"},
        "metrics": metrics,
    }


def _task(scale: int, jpeg: bool) -> str:
    if scale > 1:
        return "Super-resolution"
    return "JPEG artifact removal" if jpeg else "Denoising"


def _purpose(card: Card) -> str:
    """Return what the network is for, in a paragraph."""
    use = card.use
    kinds = {"grey": "grey", "rgb": "RGB", "cmyk": "CMYK", "bands": "multi-band"}
    pictures = f"{_list_of([kinds[each] for each in use.colours])} " if use.colours else ""
    if use.scale > 1:
        does = f"enlarges {pictures}pictures by {use.scale}"
    elif use.jpeg_below:
        does = f"removes the artefacts of JPEG from {pictures}pictures"
    else:
        does = f"removes noise from {pictures}pictures"
        if use.levels:
            low, high = (f"{level * WHITE:g}" for level in use.levels)
            does += f", of {low} to {high} grey levels of 255"
    said = ", ".join(f"{key} {value}" for key, value in card.arguments.items())
    which = f"{card.builder} ({said or 'as published'}), {card.parameters:,} parameters"
    return f"A network of asykeras (`pip install asykeras`) for Keras 3: {which}. It {does}."


def _usage(name: str, card: Card, own_layers: bool) -> str:
    use, sigma = card.use, card.use.takes_sigma
    first = "import zoo  # first: it makes the layers of this network known to Keras\n"
    takes = "luma that is enlarged already" if use.enlarge_first else "an image"
    call = "[image, np.full((1, 1), 25 / 255)]" if sigma else "image"
    told = ", and `sigma`, the standard deviation of its noise in the same unit" * sigma
    where = "Keras with asykeras" if own_layers else "Keras alone"
    lacking = "Without that import Keras cannot locate a class.\n\n" * own_layers
    level, option = ", sigma=25 / 255" * sigma, " --sigma 25" * sigma
    return f"""## Use

With {where}, on any of its backends:

```python
{first * own_layers}import keras
import numpy as np

network = keras.saving.load_model("hf://OWNER/{name}")  # or the path of a copy of this folder
restored = network.predict({call})
```

{lacking}`image` is {takes}, float32 `(batch, height, width, channels)` in [0, 1], of any \
size{told}; what comes out is not clipped.

With asykeras, which compares the SHA-256 of the card `model.json` first, takes pictures of any kind
and restores large ones in tiles:

```python
import zoo

photo = zoo.read_image("photo.png")
restored = zoo.restore("hf://OWNER/{name}", photo{level})
```

    asykeras restore photos -o restored --weights hf://OWNER/{name}{option}"""


def _measured(card: Card) -> str:
    """Return every number of the card as a table, and how each was measured."""
    if not card.tests:
        return "## Measured\n\nNothing yet."
    rows = [
        f"| {test.data} ({test.images}) | {test.task} | {test.psnr:.2f} | "
        f"{f'{test.ssim:.4f}' if test.ssim else ''} | {test.beside()} |"
        for test in card.tests
    ]
    protocols = dict.fromkeys(
        f"- `{test.task}`: {test.protocol.removeprefix('protocol: ')}"
        for test in card.tests
        if test.protocol
    )
    head = ["| images | task | PSNR (dB) | SSIM | published |", "|---|---|---|---|---|"]
    return "\n".join(["## Measured", "", *head, *rows, "", *protocols])


def _training(card: Card) -> str:
    said = [str(card.more.get("note", "")), str(card.training.get("hardware", ""))]
    text = "\n\n".join(filter(None, said))
    return f"## Training\n\n{text}" if text else ""


def _list_of(words: list[str]) -> str:
    *others, last = words
    return f"{', '.join(others)} and {last}" if others else last
