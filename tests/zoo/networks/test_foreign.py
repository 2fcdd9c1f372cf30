"""Files as others save them: their networks written out in NumPy, and by `spandrel`."""

import io
import json
import zipfile

import numpy as np
import pytest
from PIL import Image

import zoo
from tests.zoo.contracts import convolve
from tests.zoo.foreign_files import compact_state, safetensors, span_state
from zoo.app import cli
from zoo.networks import foreign
from zoo.networks.importers import import_weights

# What a file holds does not depend on the backend, and JAX compiles each network anew.
pytestmark = pytest.mark.once
MEAN = np.array([0.4488, 0.4371, 0.4040])


def layer(state, name, x):
    kernel = state[f"{name}.weight"].transpose(2, 3, 1, 0)
    return convolve(x, kernel, state[f"{name}.bias"])


def branched(state, name, x):
    """The padded image goes through conv, whose 3x3 uses the padding up; x through sk."""
    if f"{name}.sk.weight" not in state:
        return layer(state, f"{name}.eval_conv", x)
    padded = np.pad(x, [(0, 0), (1, 1), (1, 1), (0, 0)])
    inner = layer(state, f"{name}.conv.1", layer(state, f"{name}.conv.0", padded))
    long = layer(state, f"{name}.conv.2", inner[:, 1:-1, 1:-1])
    return long + layer(state, f"{name}.sk", x)


def silu(x):
    return x / (1 + np.exp(-x))


def shuffle(x, scale):
    """Shuffle as PyTorch documents: channel c r^2 + i r + j to pixel (i, j) of channel c."""
    batch, height, width, _ = x.shape
    x = x.reshape(batch, height, width, -1, scale, scale)
    return x.transpose(0, 1, 4, 2, 5, 3).reshape(batch, height * scale, width * scale, -1)


def span(state, image, scale):
    head = x = branched(state, "conv_1", image if "no_norm" in state else (image - MEAN) * 255)
    outputs = []
    for block in range(1, 7):
        first = silu(branched(state, f"block_{block}.c1_r", x))
        second = silu(branched(state, f"block_{block}.c2_r", first))
        third = branched(state, f"block_{block}.c3_r", second)
        x = (third + x) * (1 / (1 + np.exp(-third)) - 0.5)
        outputs.append(x)
    last = branched(state, "conv_2", x)
    fused = layer(state, "conv_cat", np.concatenate([head, last, outputs[0], first], -1))
    return shuffle(layer(state, "upsampler.0", fused), scale)


def compact(state, image, scale):
    x, count = image, sum(name.endswith(".bias") for name in state)
    for number in range(count - 1):
        x = layer(state, f"body.{2 * number}", x)
        x = np.where(x < 0, x * state[f"body.{2 * number + 1}.weight"], x)
    x = shuffle(layer(state, f"body.{2 * count - 2}", x), scale)
    return x + image.repeat(scale, 1).repeat(scale, 2)


@pytest.fixture
def load(tmp_path, monkeypatch):
    """Return what loads a state, without the packages that read files."""
    (tmp_path / "model.pth").write_bytes(b"x")

    def loaded(state):
        monkeypatch.setattr(foreign, "read_tensors", lambda path: dict(state))
        return zoo.load(tmp_path / "model.pth")

    return loaded


def check(network, expected, image):
    found = np.asarray(network(image.astype("f4")))
    np.testing.assert_allclose(found, expected, atol=1e-5 * max(1, np.abs(expected).max()))


@pytest.mark.parametrize("branches", [True, False])
@pytest.mark.parametrize(("scale", "image", "normed"), [(2, 3, True), (4, 3, False), (1, 1, False)])
def test_span_is_the_network_of_the_formula(scale, image, normed, branches, load):
    state = span_state(scale, branches, image)
    if normed:
        # As trained: the features are as large as the image, not 255 times larger.
        for name in ("conv_1.conv.0.weight", "conv_1.sk.weight", "conv_1.eval_conv.weight"):
            state[name] = state.get(name, np.float32(0)) / np.float32(100)
        state = {name: array for name, array in state.items() if array.ndim}
    else:
        state["no_norm"] = np.zeros(1, "f4")
    picture = np.random.default_rng(1).random((1, 7, 6, image))
    check(load(state), span(state, picture, scale), picture)


@pytest.mark.parametrize(("scale", "channels"), [(1, 3), (2, 1), (3, 4), (8, 3)])
def test_compact_is_the_network_of_the_formula(scale, channels, load):
    state = compact_state(scale, channels=channels)
    picture = np.random.default_rng(1).random((1, 7, 6, channels))
    check(load(state), compact(state, picture, scale), picture)


def test_branches_count_where_a_merged_convolution_is_beside_them(load):
    state = span_state(branches=True) | span_state(branches=False)
    for name in ("conv_1.conv.0.weight", "conv_1.sk.weight"):
        state[name] = state[name] / np.float32(100)
    picture = np.random.default_rng(1).random((1, 5, 5, 3))
    check(load(state), span(state, picture, 2), picture)


# ---- by spandrel itself


def from_spandrel(torch, kind, **options):
    """Return a network of spandrel with random weights that use all of its layers."""
    architectures = pytest.importorskip(f"spandrel.architectures.{kind}")
    torch.manual_seed(0)
    network = getattr(architectures, kind)(**options).eval()
    with torch.no_grad():
        for name, each in network.named_parameters():
            if each.ndim == 4:
                small = 150 if name.startswith("conv_1.") and options.get("norm", True) else 1
                each.normal_(0, (each[0].numel()) ** -0.5 / (small if "conv.1" not in name else 1))
    return network


LAYOUTS = {
    "SPAN x2": ("SPAN", {"upscale": 2}),
    "SPAN x4 of 52": ("SPAN", {"upscale": 4, "feature_channels": 52}),
    "SPAN x3 without norm": ("SPAN", {"upscale": 3, "feature_channels": 28, "norm": False}),
    "SPAN x1, grey": (
        "SPAN",
        {"upscale": 1, "feature_channels": 16, "norm": False, "num_in_ch": 1, "num_out_ch": 1},
    ),
    "Compact x4": ("Compact", {"upscale": 4}),
    "Compact x2 of 24, 8": ("Compact", {"upscale": 2, "num_feat": 24, "num_conv": 8}),
    "Compact x1": ("Compact", {"upscale": 1, "num_feat": 24, "num_conv": 1}),
    "Compact x8, grey": (
        "Compact",
        {"upscale": 8, "num_feat": 16, "num_conv": 0, "num_in_ch": 1, "num_out_ch": 1},
    ),
    "Compact x2 of RGBA": (
        "Compact",
        {"upscale": 2, "num_feat": 16, "num_conv": 2, "num_in_ch": 4, "num_out_ch": 4},
    ),
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("form", ["params_ema", "module.", "safetensors", "half", "bfloat16"])
def test_a_file_gives_what_spandrel_gives(layout, form, tmp_path):
    torch = pytest.importorskip("torch")
    pytest.importorskip("spandrel")
    kind, options = LAYOUTS[layout]
    if form not in ("params_ema", "safetensors") and layout not in ("SPAN x2", "Compact x1"):
        pytest.skip("shown by two")
    options = {"num_in_ch": 3, "num_out_ch": 3, **options}
    network = from_spandrel(torch, kind, **options)
    dtype = {"half": torch.float16, "bfloat16": torch.bfloat16}.get(form, torch.float32)
    state = {name: each.to(dtype) for name, each in network.state_dict().items()}
    path = tmp_path / ("model.safetensors" if form in ("safetensors", "bfloat16") else "model.pth")
    if path.suffix == ".safetensors":
        pytest.importorskip("safetensors.torch").save_file(state, path)
    elif form == "module.":
        torch.save({"net": {f"module.{name}": each for name, each in state.items()}}, path)
    else:
        torch.save({"params_ema": state, "params": {}, "iter": 5}, path)
    network.load_state_dict({name: each.float() for name, each in state.items()})
    image = np.random.default_rng(0).random((1, 9, 11, options["num_in_ch"])).astype("f4")
    with torch.no_grad():
        large = network(torch.tensor(image.transpose(0, 3, 1, 2))).numpy().transpose(0, 2, 3, 1)
    assert 0.01 < np.abs(large).max() < 100
    check(zoo.load(path), large, image)


# ---- what is refused


def test_a_bomb_is_not_opened(tmp_path):
    torch = pytest.importorskip("torch")

    class Bomb:
        def __reduce__(self):
            return open, (str(tmp_path / "exploded"), "w")

    torch.save({"params": Bomb()}, tmp_path / "bomb.pth")
    with pytest.raises(zoo.WeightsError, match="bomb.pth is no file of plain PyTorch tensors"):
        zoo.load(tmp_path / "bomb.pth")
    assert not (tmp_path / "exploded").exists()


def changed(state, name, array):
    return state | {name: array}


def without(state, name):
    return {key: array for key, array in state.items() if key != name}


NAN = np.full((8, 8, 3, 3), np.nan, "f4")
HUGE = np.full((8, 8, 3, 3), 1e30, "f4")
SPAN, PLAIN, COMPACT = span_state(), span_state(branches=False), compact_state()


@pytest.mark.parametrize(
    ("state", "message"),
    [
        (without(COMPACT, "body.2.bias"), "it lacks body.2.bias"),
        (without(COMPACT, "body.3.weight"), "it lacks body.3.weight"),
        (without(COMPACT, "body.6.weight"), "it lacks body.6.weight"),
        (changed(COMPACT, "body.7.weight", np.zeros(8, "f4")), "body.7.weight belongs to no Comp"),
        (changed(COMPACT, "body.1.weight", np.zeros(1, "f4")), r"body.1.weight has the shape \(1,"),
        (changed(COMPACT, "body.2.weight", NAN), "it holds weights from nan to nan"),
        (changed(COMPACT, "body.2.weight", NAN[0]), r"shape \(8, 3, 3\), and \(8, 8, 3, 3\) is"),
        (changed(COMPACT, "body.0.weight", np.zeros((0, 3, 3, 3), "f4")), r"has the shape \(0, 3"),
        (
            changed(COMPACT, "body.2.weight", np.zeros((8, 8, 3, 3), "i4")),
            "weights of the kind int32",
        ),
        (compact_state(channels=2), "12 values of each pixel with 2 channels|8 values"),
        (
            without(COMPACT, "body.6.weight") | {"body.5.weight": NAN[0, 0, 0]},
            "it lacks body.6.weight",
        ),
        (changed(COMPACT, "body.99999.weight", NAN), "it has 50000 convolutions, not 2 to 200"),
        ({name: COMPACT[name] for name in ("body.0.weight", "body.1.weight")}, "has 1 convolut"),
        (without(SPAN, "block_3.c2_r.conv.1.bias"), "it lacks block_3.c2_r.conv.1.bias"),
        (without(PLAIN, "conv_2.eval_conv.weight"), "it lacks conv_2.eval_conv.weight"),
        (changed(SPAN, "block_7.c1_r.sk.bias", np.zeros(8)), "block_7.c1_r.sk.bias belongs to no"),
        (changed(PLAIN, "block_1.c1_r.eval_conv.weight", HUGE), "which no network can mean"),
        (changed(SPAN, "conv_cat.weight", np.zeros((8, 8, 1, 1), "f4")), "conv_cat.weight has th"),
        (span_state(image=1), "it takes the mean of RGB from images with 1 channels"),
        (changed(SPAN, "upsampler.0.weight", np.zeros((13, 8, 3, 3), "f4")), "makes 13 values of"),
        ({"model.0.weight": NAN}, "is of no network that is recognised .* Received: model.0.wei"),
        ({}, "Received: no tensors"),
    ],
)
def test_what_is_no_whole_network_is_one_sentence(state, message, load):
    with pytest.raises(zoo.WeightsError, match=message) as caught:
        load(state)
    assert "model.pth" in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_a_scale_that_no_builder_has_is_one_sentence(load):
    with pytest.raises(zoo.WeightsError, match="does not fit Compact: scale must be 1, .*scale=9"):
        load(compact_state(scale=9))


def test_values_that_overflow_when_they_are_merged_are_refused(load):
    state = {name: array * np.float32(1e7) for name, array in SPAN.items()}
    with pytest.raises(zoo.WeightsError, match="which no network can mean"):
        load(state)


# ---- safetensors


@pytest.mark.parametrize(("kind", "bits"), [("F32", 24), ("F16", 11), ("BF16", 7)])
def test_safetensors_of_every_floating_point(kind, bits, tmp_path):
    pytest.importorskip("safetensors")
    state = compact_state()
    (tmp_path / "model.safetensors").write_bytes(safetensors(state, kind))
    kernel = zoo.load(tmp_path / "model.safetensors").get_layer("conv2").get_weights()[0]
    expected = state["body.2.weight"].transpose(2, 3, 1, 0)
    np.testing.assert_allclose(kernel, expected, rtol=2.0**-bits, atol=1e-7)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda content: content[:-5], "cannot be read: "),
        (lambda content: content[:100], "cannot be read: "),
        (lambda content: b"", "cannot be read: "),
        (lambda content: b"\xff" * 8 + content[8:], "cannot be read: "),
        (lambda content: content.replace(b"[8, 8, 3, 3]", b"[8, 8, 3, 9]"), "cannot be read: "),
        (lambda content: safetensors(COMPACT, "I32"), "holds values of the kind I32, not float"),
    ],
)
def test_damaged_safetensors_are_one_sentence(damage, message, tmp_path):
    pytest.importorskip("safetensors")
    path = tmp_path / "model.safetensors"
    path.write_bytes(damage(safetensors(COMPACT)))
    with pytest.raises(zoo.WeightsError, match=message) as caught:
        zoo.load(path)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize("cut", [1, 100, -30])
def test_a_pytorch_file_that_is_cut_short_is_one_sentence(cut, tmp_path):
    torch = pytest.importorskip("torch")
    content = io.BytesIO()
    torch.save({name: torch.tensor(array) for name, array in COMPACT.items()}, content)
    (tmp_path / "model.pth").write_bytes(content.getvalue()[:cut])
    with pytest.raises(zoo.WeightsError, match=r"model.pth") as caught:
        zoo.load(tmp_path / "model.pth")
    assert len(str(caught.value).splitlines()) == 1


def test_a_packed_pytorch_file_is_not_unpacked(tmp_path):
    pytest.importorskip("torch")
    with zipfile.ZipFile(tmp_path / "model.pth", "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("archive/data.pkl", b"0" * 10**6)
    with pytest.raises(zoo.WeightsError, match="it is compressed, which no file of PyTorch is"):
        zoo.load(tmp_path / "model.pth")


def test_a_program_is_refused_without_a_warning(tmp_path, recwarn):
    torch = pytest.importorskip("torch")
    path = tmp_path / "model.pth"
    torch.save({name: torch.tensor(array) for name, array in COMPACT.items()}, path)
    with zipfile.ZipFile(path, "a") as file:
        file.writestr("model/constants.pkl", b"")
    with pytest.raises(zoo.WeightsError, match="model.pth cannot be read: it is a program"):
        zoo.load(path)
    assert not recwarn.list


def test_an_old_pickle_is_refused_without_a_warning(tmp_path, recwarn):
    torch = pytest.importorskip("torch")
    state = {name: torch.tensor(array) for name, array in COMPACT.items()}
    torch.save(state, tmp_path / "model.pth", pickle_protocol=1)
    with pytest.raises(zoo.WeightsError, match="plain PyTorch tensors: it is damaged, or would"):
        zoo.load(tmp_path / "model.pth")
    assert not recwarn.list


@pytest.mark.parametrize("name", ["absent.pth", "absent.safetensors"])
def test_a_file_that_is_not_there_is_one_sentence(name, tmp_path):
    with pytest.raises(zoo.WeightsError, match=f"{name} .*(No such file|needs)"):
        zoo.load(tmp_path / name)


# ---- the commands


def test_restore_opens_it_and_says_that_the_licence_is_not_known(load, tmp_path, capsys):
    load(compact_state())
    image = np.random.default_rng(0).integers(0, 256, (9, 8, 3), dtype=np.uint8)
    Image.fromarray(image).save(tmp_path / "a.png")
    words = ["restore", str(tmp_path / "a.png"), "-o", str(tmp_path / "b.png")]
    assert cli.main([*words, "--weights", str(tmp_path / "model.pth")]) == 0
    assert zoo.read_image(tmp_path / "b.png").shape == (18, 16, 3)
    assert (
        "model.pth is Compact (scale 2, filters 8, convolutions 2, channels 3); its licence is "
        "not known"
    ) in capsys.readouterr().err


def test_import_weights_needs_no_name_for_it(load, tmp_path):
    load(compact_state())
    out = tmp_path / "mine.weights.h5"
    assert cli.main(["import-weights", str(tmp_path / "model.pth"), "--out", str(out)]) == 0
    assert zoo.load(out).name == "compact_8_2_x2"
    card = json.loads((tmp_path / "mine.json").read_text())
    assert (card["licence"], card["imported_from"]) == ("unknown", "model.pth")


def test_a_file_of_another_network_is_not_taken_for_the_one_that_is_told(load, tmp_path):
    load(compact_state())
    with pytest.raises(zoo.WeightsError, match="model.pth holds no span: it is of Compact"):
        import_weights(tmp_path / "model.pth", "span")
