"""Folders as the Hugging Face hub has them: how they are named, fetched and checked.

Such a folder holds a model as `keras.saving.load_model` opens it (`config.json`, `metadata.json`,
`model.weights.h5`), its page `README.md`, and our card `model.json`. What is loaded is built from
the card by a builder of the zoo: `config.json` is compared and looked through, never run.
"""

import json
import os
import re
from pathlib import Path

from asykeras import __version__
from zoo.machine.failures import first_line
from zoo.machine.files import sha256
from zoo.store.card import LONGEST, Card, Json, WeightsError, read_card, take

ADDRESS = "hf://"
CARD, WEIGHTS, CONFIG = "model.json", "model.weights.h5", "config.json"
LARGEST_CONFIG = 2**25  # bytes
LARGEST_WEIGHTS = 2**32
_PART = r"[A-Za-z0-9](?:[A-Za-z0-9_-]|\.(?!\.))*"
_NAME = re.compile(rf"(?P<repository>{_PART}/{_PART})(?:@(?P<revision>{_PART}))?")
# Layers that hold code or open other files. Keras refuses them, too, while `safe_mode` is on.
_CODE = {"Lambda", "__lambda__", "TFSMLayer", "TorchModuleWrapper", "JaxLayer", "FlaxLayer"}


def is_address(name: str) -> bool:
    """Return whether a name means a folder on the hub."""
    return name.startswith(ADDRESS)


def fetch_folder(address: str) -> Path:
    """Return the folder of an address in the cache of huggingface_hub, fetched where it must be.

    That is `hf://owner/name`, or `hf://owner/name@revision` for a branch, tag or commit. Files are
    asked for by the three names that are read; no list of the server's is followed.
    """
    found = _NAME.fullmatch(address.removeprefix(ADDRESS))
    if not found or len(address) > 200:
        raise WeightsError(f"an address on the hub is hf://owner/name. Received: {address[:200]!r}")
    repository, revision = found["repository"], found["revision"]
    card = _fetch(address, repository, revision, CARD, LONGEST)
    commit = card.parent.name  # so that all files are of one commit
    _fetch(address, repository, commit, CONFIG, LARGEST_CONFIG)
    size = read_card(card).bytes
    if not 0 < size <= LARGEST_WEIGHTS:
        raise WeightsError(f"the card of {address} says that its weights have {size} bytes")
    _fetch(address, repository, commit, WEIGHTS, size)
    return card.parent


def is_folder(folder: Path) -> bool:
    """Return whether a folder is one as the hub has them, by its card."""
    return (folder / CARD).is_file()


def check_folder(folder: Path, card: Card) -> None:
    """Refuse a folder whose description of the model is not that of its card, or holds code.

    A weight and its card alone, without a description, are not what the hub has, and pass.
    """
    path = folder / CONFIG
    files = take(card.more, "files", dict, {})
    if not files and not path.exists():
        return
    if card.file != WEIGHTS:
        raise WeightsError(f"the card in {folder} is of another file than {WEIGHTS}")
    expected = take(files, CONFIG, str, "")
    try:
        if path.stat().st_size > LARGEST_CONFIG:
            raise WeightsError(f"{path} has more than {LARGEST_CONFIG} bytes")
        if sha256(path) != expected:
            raise WeightsError(f"{path} is not the file of its card: its SHA-256 is another")
        described: Json = json.loads(path.read_bytes())
    except OSError as error:
        raise WeightsError(f"{path} cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        if isinstance(error, WeightsError):
            raise
        raise WeightsError(f"{path} is no description of a model") from None
    if strange := _strange(described):
        raise WeightsError(f"{path} asks for {strange!r}, which is no layer of Keras or asykeras")


def _strange(described: Json) -> str:
    """Return what a description asks for beside layers and operations, or nothing."""
    waiting = [described]
    while waiting:
        item = waiting.pop()
        if isinstance(item, list):
            waiting += item
        elif isinstance(item, dict):
            waiting += item.values()
            if "class_name" in item and not _is_known(item):
                return str(item["class_name"])[:80]
    return ""


def _is_known(item: dict[str, Json]) -> bool:
    module, registered = str(item.get("module")), item.get("registered_name")
    if str(registered).startswith("asykeras>"):
        return module.startswith("zoo.networks.")
    of_keras = module.split(".")[0] in ("keras", "builtins", "None")
    name = str(item["class_name"])
    return of_keras and registered in (None, name) and name not in _CODE


def _fetch(address: str, repository: str, revision: str | None, file: str, most: int) -> Path:
    """Return a file of the hub, of at most so many bytes, in the cache."""
    try:
        import huggingface_hub
        from huggingface_hub import errors
    except ImportError:
        raise WeightsError(
            f"{address} needs huggingface_hub: pip install 'asykeras[hub]'"
        ) from None
    # the server is read here, too, since it may be set after the import
    place = {"revision": revision, "endpoint": os.environ.get("HF_ENDPOINT") or None}
    ours = {"library_name": "asykeras", "library_version": __version__}
    try:
        url = huggingface_hub.hf_hub_url(repository, file, **place)
        size = huggingface_hub.get_hf_file_metadata(url).size or 0
        if size > most:
            raise WeightsError(f"{file} of {address} has {size} bytes, more than {most}")
        return Path(huggingface_hub.hf_hub_download(repository, file, **place, **ours))
    except errors.EntryNotFoundError:
        hint = ": open it by keras.saving.load_model" if file == CARD else ""
        raise WeightsError(f"{address} has no {file}, so asykeras does not know it{hint}") from None
    except errors.RevisionNotFoundError:
        raise WeightsError(f"{address}: there is no such revision") from None
    except errors.RepositoryNotFoundError:
        raise WeightsError(f"the hub has no {address}, or it is private") from None
    except WeightsError:
        raise
    except Exception as error:  # of many kinds: of the connection, the cache, the server's answer
        raise WeightsError(f"{address} could not be fetched: {first_line(error)}") from None
