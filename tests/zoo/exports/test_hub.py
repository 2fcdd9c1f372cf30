"""Folders for the Hugging Face hub: opened by Keras alone, and refused where a byte is another."""

import json
import os
import pickle
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest

import zoo
from tests.zoo.examples import card_of
from tests.zoo.hub_server import NAME, serving
from zoo.app import cli
from zoo.exports.hub import write_folder
from zoo.store.card import Card, Use, read_card
from zoo.store.weight import Weight, find, published_card, save

ROOT = Path(__file__).parents[3]
GUIDE, OURS = (ROOT / "docs/hub.md").read_text(), "OWNER/edsr-baseline-x2"
ADDRESS = f"hf://{NAME}"
ARGUMENTS = {"scale": 2, "blocks": 1, "filters": 8}
# Arguments: a folder for the results, then places of models. Neither asykeras nor zoo can be found.
KERAS_ALONE = """
import sys
class Nothing:
    def find_spec(self, name, *given):
        if name.split(".")[0] in ("asykeras", "zoo"):
            raise ImportError(name)
sys.meta_path.insert(0, Nothing())
import keras, numpy as np
out, *places = sys.argv[1:]
for number, place in enumerate(places):
    try:
        model = keras.saving.load_model(place)
        given = [np.load(f"{out}/input.npy"), np.full((1, 1), 0.1, "float32")]
        given = given if len(model.inputs) == 2 else given[0]
        np.save(f"{out}/{number}.npy", model.predict(given, verbose=0))
    except Exception as error:
        print(f"{place}: {error}")
"""


def exported(folder, network, card):
    """Return a folder for the hub of a network with random weights."""
    save(network, folder / "saved.weights.h5", card)
    words = ["export", str(folder / "saved.weights.h5"), str(folder / "mine"), "--format", "hub"]
    assert cli.main(words) == 0
    return folder / "mine"


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    tests = published_card("edsr-baseline-x2").tests
    card = card_of(
        {
            "builder": "EDSR",
            "arguments": ARGUMENTS,
            "use": {"scale": 2, "colours": ["rgb"]},
            "licence": "Apache-2.0",
            "training": {"data": "train+t91"},
        }
    )
    network = zoo.EDSR(**ARGUMENTS)
    return exported(tmp_path_factory.mktemp("hub"), network, replace(card, tests=tests))


@pytest.fixture
def folder(made, tmp_path) -> Path:
    return shutil.copytree(made, tmp_path / "copy")


@pytest.fixture
def hub(folder, tmp_path, monkeypatch):
    """Yield nothing; `ADDRESS` is the folder, for huggingface_hub in this process."""
    constants = pytest.importorskip("huggingface_hub").constants
    with serving(folder) as server:
        monkeypatch.setenv("HF_ENDPOINT", server)
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
        yield


def image():
    return np.random.default_rng(0).random((1, 21, 34, 3), dtype=np.float32)


def network_of(made):
    return zoo.load(str(made.with_name("saved.weights.h5")))


def change(path, old=None, new=None):
    """Change one byte, or a text, of a file."""
    content = bytearray(path.read_bytes())
    if old is None:
        content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content) if old is None else bytes(content).replace(old, new))


def card_again(folder, change=lambda said: None):
    """Write the card of a folder again as somebody would who wants its files to be taken."""
    import hashlib

    said = json.loads((folder / "model.json").read_text())
    hashes = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}
    said["sha256"] = hashes["model.weights.h5"]
    said["bytes"] = (folder / "model.weights.h5").stat().st_size
    said["files"] = {"config.json": hashes.get("config.json", "")}
    change(said)
    (folder / "model.json").write_text(json.dumps(said))


def test_the_folder_holds_what_keras_and_the_hub_read(made):
    assert sorted(path.name for path in made.iterdir()) == [
        "README.md",
        "config.json",
        "metadata.json",
        "model.json",
        "model.weights.h5",
    ]
    assert find(str(made)).card.sha256 == find(str(made.with_name("saved.weights.h5"))).card.sha256
    report = json.loads(Path(f"{made}.json").read_text())
    assert report["parity"]["largest_difference"] == 0
    assert "asykeras" not in (made / "config.json").read_text()


def test_the_folder_is_the_network(made):
    expected = network_of(made).predict_on_batch(image())
    np.testing.assert_array_equal(zoo.load(made).predict_on_batch(image()), expected)
    by_keras = keras.saving.load_model(made)
    np.testing.assert_array_equal(by_keras.predict_on_batch(image()), expected)
    assert (made / "README.md").read_text() == (made / "README.md").read_text().strip() + "\n"


def test_the_page_has_every_number_as_the_hub_reads_it(made):
    repository = pytest.importorskip("huggingface_hub")
    data = repository.ModelCard.load(made / "README.md").data
    assert (data.library_name, data.pipeline_tag) == ("keras", "image-to-image")
    assert (data.license, data.datasets) == ("apache-2.0", ["bsds500-train", "t91"])
    assert "super-resolution" in data.tags
    found = {
        (each.dataset_name, each.task_name, each.metric_type): each.metric_value
        for each in data.eval_results
    }
    expected = {
        (f"{test.data} ({test.images} images)", f"Super-resolution ({test.task})", key): value
        for test in read_card(made / "model.json").tests
        for key in ("psnr", "ssim", "rmse", "nrmse")
        if (value := getattr(test, key))
    }
    assert found == expected
    assert len(found) == 28


def test_the_page_of_a_network_for_artefacts_says_so():
    from zoo.exports.hub_page import page

    test = {"data": "kodak24", "task": "jpeg10-luma", "psnr": 30.5, "images": 24}
    use = {"colours": ["rgb"], "jpeg_below": 100}
    card = card_of({"builder": "DnCNN", "arguments": {}, "use": use, "tests": [test]})
    text = page("toy", card, own_layers=False)
    assert "It removes the artefacts of JPEG from RGB pictures." in text
    assert '"jpeg artifact removal"' in text
    assert '"JPEG artifact removal (jpeg10-luma)"' in text
    assert "enoising" not in text


@pytest.mark.parametrize("licence", ["", "CC-BY-NC-4.0"])
def test_a_licence_that_the_hub_does_not_know_is_told_by_its_name(tmp_path, licence):
    from zoo.exports.hub_page import page

    card = card_of({"builder": "SRCNN", "arguments": {}, "licence": licence or "unknown"})
    text = page("mine", card, own_layers=False)
    assert ('license: "other"\nlicense_name: "CC-BY-NC-4.0"' in text) == bool(licence)
    assert "model-index" not in text


def test_keras_alone_opens_the_folder_and_the_address(made, tmp_path):
    pytest.importorskip("huggingface_hub")
    np.save(tmp_path / "input.npy", image())
    with serving(made) as server:
        environment = {
            **os.environ,
            "HF_ENDPOINT": server,
            "HF_HOME": str(tmp_path / "home"),
            "PYTHONPATH": "",
        }
        done = subprocess.run(
            [sys.executable, "-c", KERAS_ALONE, str(tmp_path), str(made), ADDRESS],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
        )
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    expected = network_of(made).predict(image(), verbose=0)
    for number in (0, 1):
        np.testing.assert_array_equal(np.load(tmp_path / f"{number}.npy"), expected)


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        "dncnn-gray-25",
        "dphsir-small",
        "edsr-baseline-x2",
        "ffdnet-color",
        "span-x2",
        "srcnn-955-x3",
    ],
)
def test_published_weights_for_keras_alone(name, tmp_path):
    zoo.export(name, tmp_path / name, format="hub")
    assert published_card(name).sha256 == read_card(tmp_path / name / "model.json").sha256
    network = zoo.load(name)
    given = image()[..., : network.inputs[0].shape[-1]]
    np.save(tmp_path / "input.npy", given)
    done = subprocess.run(
        [sys.executable, "-c", KERAS_ALONE, str(tmp_path), str(tmp_path / name)],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": ""},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    page = (tmp_path / name / "README.md").read_text()
    if name == "dphsir-small":
        assert "import zoo first (pip install asykeras)" in done.stdout
        assert "import zoo  # first" in page
        return
    assert "import zoo  # first" not in page
    assert done.stdout == ""
    both = [given, np.full((1, 1), 0.1, np.float32)]
    expected = network.predict(both if len(network.inputs) == 2 else given, verbose=0)
    np.testing.assert_array_equal(np.load(tmp_path / "0.npy"), expected)


@pytest.mark.slow
def test_the_blocks_of_the_guide_run(made, tmp_path):
    pytest.importorskip("huggingface_hub")
    blocks = re.findall(r"```python\n(.*?)```", GUIDE, re.DOTALL)
    assert len(blocks) == 2
    shutil.copytree(made, tmp_path / "exports/edsr-baseline-x2")
    with serving(made) as server:
        done = subprocess.run(
            [sys.executable, "-c", "\n".join(blocks).replace(OURS, NAME).replace("@v1", "@main")],
            cwd=tmp_path,
            env={
                **os.environ,
                "HF_ENDPOINT": server,
                "HF_HOME": str(tmp_path / "home"),
                "PYTHONPATH": str(ROOT),
            },
            capture_output=True,
            text=True,
        )
    assert done.returncode == 0, done.stderr


@pytest.mark.usefixtures("hub")
def test_an_address_is_the_network(folder, made):
    expected = network_of(made).predict_on_batch(image())
    np.testing.assert_array_equal(zoo.load(ADDRESS).predict_on_batch(image()), expected)
    assert find(f"{ADDRESS}@main").name == f"{ADDRESS}@main"
    picture = (image()[0] * 255).astype(np.uint8)
    restored = zoo.restore(ADDRESS, picture)
    np.testing.assert_array_equal(restored, zoo.restore(str(made), picture))


@pytest.mark.usefixtures("hub")
@pytest.mark.parametrize("name", ["model.weights.h5", "config.json"])
def test_a_changed_byte_on_the_hub_is_refused(folder, name):
    change(folder / name)
    with pytest.raises(zoo.WeightsError, match=f"{name} is not the file of its card: .*SHA-256"):
        zoo.load(ADDRESS)


@pytest.mark.parametrize("name", ["model.weights.h5", "config.json"])
def test_a_changed_byte_in_a_folder_is_refused(folder, name):
    change(folder / name)
    with pytest.raises(zoo.WeightsError, match=f"{name} is not the file of its card: .*SHA-256"):
        zoo.load(folder)


@pytest.mark.usefixtures("hub")
def test_what_the_hub_does_not_have_is_said(folder):
    with pytest.raises(zoo.WeightsError, match="^the hub has no hf://some/one, or it is private$"):
        zoo.load("hf://some/one")
    with pytest.raises(zoo.WeightsError, match="hf://someone/restorer@old: there is no such rev"):
        zoo.load(f"{ADDRESS}@old")
    (folder / "model.json").unlink()
    with pytest.raises(zoo.WeightsError, match="no model.json, .*open it by keras.saving.load_mod"):
        zoo.load(ADDRESS)


@pytest.mark.usefixtures("hub")
def test_more_bytes_than_the_card_says_are_not_fetched(folder, tmp_path):
    path = folder / "model.weights.h5"
    path.write_bytes(path.read_bytes() + bytes(2**20))
    with pytest.raises(zoo.WeightsError, match=r"model.weights.h5 of hf://.* has \d+ bytes, more"):
        zoo.load(ADDRESS)
    assert not list((tmp_path / "cache").rglob("model.weights.h5"))


@pytest.mark.usefixtures("hub")
@pytest.mark.parametrize("size", [0, -1, 2**40])
def test_a_size_that_no_weights_have_is_refused(folder, size):
    card_again(folder, lambda said: said.update(bytes=size))
    with pytest.raises(zoo.WeightsError, match=f"says that its weights have {size} bytes"):
        zoo.load(ADDRESS)


@pytest.mark.parametrize(
    "address",
    [
        "hf://",
        "hf://one",
        "hf://a/b/c",
        "hf://../../etc",
        "hf://a/..",
        "hf://a/b..c",
        "hf://a/b@../x",
        "hf://a/b?c",
        "hf://a/b\n",
        "hf:///a/b",
        f"hf://{'a' * 200}/b",
    ],
)
def test_what_is_no_address_is_refused_before_anything_is_asked(address):
    with pytest.raises(zoo.WeightsError, match="^an address on the hub is hf://owner/name"):
        zoo.load(address)


def test_without_huggingface_hub_there_is_one_sentence(monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(
        zoo.WeightsError,
        match=r"^hf://a/b needs huggingface_hub: pip install 'asykeras\[hub\]'$",
    ):
        zoo.load("hf://a/b")


def test_nobody_who_answers_is_one_sentence(monkeypatch, tmp_path):
    hub = pytest.importorskip("huggingface_hub")
    monkeypatch.setattr(hub.constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(zoo.WeightsError, match="^hf://a/b could not be fetched: .") as caught:
        zoo.load("hf://a/b")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["model.weights.h5", "config.json"])
def test_a_folder_that_lacks_a_file_is_refused(folder, name):
    (folder / name).unlink()
    with pytest.raises(zoo.WeightsError, match=name.replace(".", r"\.")):
        zoo.load(folder)


def test_a_folder_without_a_card_is_refused(folder):
    (folder / "model.json").unlink()
    with pytest.raises(zoo.WeightsError, match="has no card.*keras.saving.load_model"):
        zoo.load(folder)


@pytest.mark.parametrize("file", ["../mine.weights.h5", "/etc/passwd", "other.weights.h5"])
def test_a_card_that_names_another_file_is_refused(folder, file):
    card_again(folder, lambda said: said.update(file=file))
    with pytest.raises(zoo.WeightsError, match="is of another file than model.weights.h5"):
        zoo.load(folder)


class Harm:
    def __reduce__(self):
        return os.system, ("touch harmed",)


def test_pickled_weights_are_refused_and_not_opened(folder, monkeypatch):
    monkeypatch.chdir(folder)
    (folder / "model.weights.h5").write_bytes(pickle.dumps(Harm()) + bytes(2**20))
    card_again(folder)
    with pytest.raises(zoo.WeightsError, match="model.weights.h5"):
        zoo.load(folder)
    assert not (folder / "harmed").exists()


LAMBDA = {"module": "keras.layers", "class_name": "Lambda", "registered_name": None, "config": {}}


@pytest.mark.parametrize(
    ("layer", "told"),
    [
        (LAMBDA, "Lambda"),
        ({**LAMBDA, "class_name": "__lambda__", "module": "builtins"}, "__lambda__"),
        ({**LAMBDA, "class_name": "TFSMLayer"}, "TFSMLayer"),
        ({**LAMBDA, "class_name": "system", "module": "os"}, "system"),
        ({**LAMBDA, "class_name": "Mine", "registered_name": "mine>Mine"}, "Mine"),
        ({**LAMBDA, "class_name": "X", "module": "os", "registered_name": "asykeras>X"}, "X"),
    ],
)
def test_a_description_with_code_is_refused(folder, layer, told):
    described = json.loads((folder / "config.json").read_text())
    described["config"]["layers"].append(layer)
    (folder / "config.json").write_text(json.dumps(described))
    card_again(folder)
    with pytest.raises(zoo.WeightsError, match=f"asks for '{told}', which is no layer of Keras"):
        zoo.load(folder)


@pytest.mark.parametrize("content", [b"", b"[" * 100_000, b"\xff\xfe", b"{"])
def test_a_description_that_is_none_is_refused(folder, content):
    (folder / "config.json").write_bytes(content)
    card_again(folder)
    with pytest.raises(zoo.WeightsError, match="config.json is no description of a model"):
        zoo.load(folder)


def test_what_has_no_card_is_not_written(tmp_path):
    with pytest.raises(zoo.ExportError, match="needs weights that have a card"):
        zoo.export(zoo.EDSR(**ARGUMENTS), tmp_path / "mine", format="hub")
    assert list(tmp_path.iterdir()) == []


def test_the_networks_of_mdsr_are_refused(tmp_path):
    weight = Weight("mdsr", tmp_path / "mdsr.weights.h5", Card("MDSR", {}, Use(scale=2)))
    with pytest.raises(zoo.ExportError, match="three of MDSR"):
        write_folder(weight, keras.Sequential(), tmp_path / "out", 2, None)
    assert not (tmp_path / "out").exists()


def test_a_folder_is_replaced_when_that_is_asked_for(made, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out/mine.txt").write_text("mine")
    with pytest.raises(zoo.ExportError, match="is not what an export left there"):
        zoo.export(made, tmp_path / "out", format="hub", overwrite=True)
    assert (tmp_path / "out/mine.txt").read_text() == "mine"
