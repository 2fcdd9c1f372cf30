"""Importers: files made here in the authors' formats, and their own where they are at hand."""

import itertools
import sys

import h5py
import numpy as np
import pytest
import scipy.io

import zoo
from zoo.networks import importers
from zoo.networks.importers import import_weights
from zoo.pictures.images import find_images, read_image
from zoo.scoring.evaluate import evaluate, mean
from zoo.scoring.tasks import Denoising, SuperResolution
from zoo.store.claims import ContentError

pytestmark = pytest.mark.once

rng = np.random.default_rng(0)


def layer(size, inputs, outputs):
    return (
        rng.normal(0, 0.2, (size, size, inputs, outputs)).astype("float32"),
        rng.normal(0, 0.2, outputs).astype("float32"),
    )


CONVOLUTIONS = [layer(3, 1, 64), layer(3, 64, 64), layer(3, 64, 1)]


def convolve(image, kernel, bias):
    """Correlate with zero padding, as MatConvNet and PyTorch do."""
    size = len(kernel)
    padded = np.pad(image, [(size // 2, size // 2)] * 2 + [(0, 0)])
    windows = np.lib.stride_tricks.sliding_window_view(padded, (size, size), axis=(0, 1))
    return np.einsum("hwcij,ijco->hwo", windows, kernel) + bias


def dncnn(image):
    x = image
    for number, (kernel, bias) in enumerate(CONVOLUTIONS):
        x = convolve(x, kernel, bias)
        x = np.maximum(x, 0) if number < 2 else x
    return image - x


def matconvnet_5(path):
    """Write a network as MATLAB 5 does: a cell of structs."""
    cells = np.empty((1, 5), dtype=object)
    for number, (kernel, bias) in enumerate(CONVOLUTIONS):
        weights = np.empty((1, 2), dtype=object)
        weights[0, 0], weights[0, 1] = kernel, bias[:, None]
        cells[0, 2 * number] = {"type": "conv", "weights": weights}
    cells[0, 1] = cells[0, 3] = {"type": "relu", "leak": 0}
    scipy.io.savemat(path, {"net": {"layers": cells}})


def matconvnet_73(path):
    """Write a network as MATLAB 7.3 does: HDF5, with the axes in reverse order."""
    with h5py.File(path, "w") as file:
        references = []

        def kept(array):
            file[f"#refs#/{len(references)}"] = array
            references.append(file[f"#refs#/{len(references)}"].ref)
            return references[-1]

        entries = []
        for number, (kernel, bias) in enumerate(CONVOLUTIONS):
            for kind in ("conv", "relu")[: 1 if number == 2 else 2]:
                group = file.create_group(f"#refs#/layer{number}{kind}")
                group["type"] = np.array([[ord(c)] for c in kind], "uint16")
                if kind == "conv":
                    pair = [[kept(kernel.T)], [kept(bias[:, None].T)]]
                    group.create_dataset("weights", data=pair, dtype=h5py.ref_dtype)
                else:
                    group["weights"] = np.zeros(2, "uint64")  # an empty cell
                entries.append([group.ref])
        file.create_dataset("net/layers", data=entries, dtype=h5py.ref_dtype)


@pytest.mark.parametrize("write", [matconvnet_5, matconvnet_73])
def test_matconvnet_files_give_the_network_of_the_formula(write, tmp_path):
    write(tmp_path / "net.mat")
    network, card = import_weights(tmp_path / "net.mat", "dncnn")
    image = rng.random((9, 7, 1)).astype("float32")
    restored = network(image[None], training=False)[0]
    np.testing.assert_allclose(restored, dncnn(image), atol=2e-5)
    assert card.arguments["depth"] == 3


def test_batch_normalisation_of_matconvnet_is_merged():
    kernel, bias = CONVOLUTIONS[0]
    gain, shift = rng.random(64) + 0.5, rng.random(64)
    moments = np.stack([rng.random(64), rng.random(64) + 0.5], axis=1)
    merged = importers._merged([("conv", [kernel, bias]), ("bnorm", [gain, shift, moments])])
    image = rng.random((6, 5, 1))
    x = convolve(image, kernel, bias)
    expected = gain * (x - moments[:, 0]) / moments[:, 1] + shift
    np.testing.assert_allclose(convolve(image, *merged[0]), expected, rtol=1e-5)


@pytest.mark.parametrize("transposed", [False, True])
def test_srcnn_files_are_read_column_by_column_or_row_by_row(transposed, tmp_path):
    layers = [layer(9, 1, 64), layer(1, 64, 32), layer(5, 32, 1)]
    order = "C" if transposed else "F"
    flat = [k.reshape((-1, *k.shape[2:]), order=order) for k, _ in layers]
    content = {f"biases_conv{n}": bias[:, None] for n, (_, bias) in enumerate(layers, 1)}
    content |= {"weights_conv1": flat[0][:, 0], "weights_conv2": flat[1].swapaxes(0, 1)}
    content |= {"weights_conv3": flat[2].swapaxes(0, 1)[..., 0]}
    scipy.io.savemat(tmp_path / "srcnn.mat", content)
    network, card = import_weights(tmp_path / "srcnn.mat", "srcnn", transposed=transposed)
    assert card.arguments["variant"] == "9-1-5"
    for name, expected in zip(
        ("patch_extraction", "mapping", "reconstruction"), layers, strict=True
    ):
        for found, wanted in zip(network.get_layer(name).get_weights(), expected, strict=True):
            np.testing.assert_array_equal(found, wanted)


def edsr_state(scale):
    """Return the state of a small EDSR-PyTorch, as plain arrays."""
    state = {}

    def put(name, inputs, outputs):
        kernel, bias = layer(3, inputs, outputs)
        state[f"{name}.weight"], state[f"{name}.bias"] = kernel.transpose(3, 2, 0, 1), bias * 255

    put("head.0", 3, 8)
    for block in range(2):
        put(f"body.{block}.body.0", 8, 8)
        put(f"body.{block}.body.2", 8, 8)
    put("body.2", 8, 8)
    put("tail.0.0", 8, 8 * (4 if scale == 4 else scale**2))
    if scale == 4:
        put("tail.0.2", 8, 32)
    put("tail.1", 8, 3)
    return state


def theirs(state, name, x):
    return convolve(x, state[f"{name}.weight"].transpose(2, 3, 1, 0), state[f"{name}.bias"])


def pixel_shuffle(x, factor):
    """Shuffle as PyTorch documents: channel c r^2 + i r + j to pixel (i, j) of channel c."""
    height, width, channels = x.shape
    x = x.reshape(height, width, channels // factor**2, factor, factor)
    return x.transpose(0, 3, 1, 4, 2).reshape(height * factor, width * factor, -1)


def edsr(state, image, scale):
    mean = np.array([0.4488, 0.4371, 0.4040]) * 255
    head = x = theirs(state, "head.0", image * 255 - mean)
    for block in range(2):
        inner = np.maximum(theirs(state, f"body.{block}.body.0", x), 0)
        x = x + theirs(state, f"body.{block}.body.2", inner)
    x = theirs(state, "body.2", x) + head
    for step in ("tail.0.0", "tail.0.2")[: 2 if scale == 4 else 1]:
        x = pixel_shuffle(theirs(state, step, x), 2 if scale == 4 else scale)
    return (theirs(state, "tail.1", x) + mean) / 255


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_edsr_of_pytorch_gives_the_network_of_the_formula(scale, tmp_path, monkeypatch):
    state = edsr_state(scale)
    monkeypatch.setattr(importers, "read_tensors", lambda path: state)
    (tmp_path / "edsr.pt").touch()
    network, card = import_weights(tmp_path / "edsr.pt", "edsr")
    image = rng.random((5, 6, 3)).astype("float32")
    restored = np.asarray(network(image[None]))[0]
    expected = edsr(state, image, scale)
    np.testing.assert_allclose(restored, expected, atol=1e-4 * np.abs(expected).max())
    assert card.arguments["scale"] == scale


def ffdnet_state(channels):
    """Return the state of KAIR's FFDNet: convolutions and ReLU numbered as one sequence."""
    depth, filters = {1: (15, 64), 3: (12, 96)}[channels]
    widths = [4 * channels + 1, *[filters] * (depth - 1), 4 * channels]
    state = {}
    for number, pair in enumerate(itertools.pairwise(widths)):
        kernel, bias = layer(3, *pair)
        state[f"model.{2 * number}.weight"] = kernel.transpose(3, 2, 0, 1) / pair[0] ** 0.5
        state[f"model.{2 * number}.bias"] = bias
    return state


def pixel_unshuffle(x):
    """Shuffle as PyTorch documents: pixel (i, j) of channel c to channel 4 c + 2 i + j."""
    height, width, channels = x.shape
    x = x.reshape(height // 2, 2, width // 2, 2, channels)
    return x.transpose(0, 2, 4, 1, 3).reshape(height // 2, width // 2, -1)


def ffdnet(state, image, sigma):
    padded = np.pad(image, [*((0, side % 2) for side in image.shape[:2]), (0, 0)], "edge")
    x = pixel_unshuffle(padded)
    x = np.concatenate([x, np.full((*x.shape[:2], 1), sigma)], axis=-1)
    for number in range(0, len(state), 2):
        x = theirs(state, f"model.{number}", x)
        x = np.maximum(x, 0) if number < len(state) - 2 else x
    return pixel_shuffle(x, 2)[: image.shape[0], : image.shape[1]]


@pytest.mark.parametrize("channels", [1, 3])
def test_ffdnet_of_pytorch_gives_the_network_of_the_formula(channels, tmp_path, monkeypatch):
    state = ffdnet_state(channels)
    monkeypatch.setattr(importers, "read_tensors", lambda path: state)
    (tmp_path / "ffdnet.pth").touch()
    network, card = import_weights(tmp_path / "ffdnet.pth", "ffdnet")
    image = rng.random((7, 6, channels)).astype("float32")
    restored = np.asarray(network([image[None], np.full((1, 1), 0.2, "float32")]))[0]
    expected = ffdnet(state, image, 0.2)
    np.testing.assert_allclose(restored, expected, atol=1e-5 * np.abs(expected).max())
    assert card.arguments == {"channels": channels}
    assert card.use.takes_sigma
    assert card.use.levels == (0, 75 / 255)
    assert ("rgb" in card.use.colours) == (channels == 3)


def test_a_file_of_ffdnet_is_read_and_another_is_none(tmp_path):
    torch = pytest.importorskip("torch")
    tensors = {name: torch.tensor(array) for name, array in ffdnet_state(1).items()}
    torch.save(tensors, tmp_path / "ffdnet_gray.pth")
    network, _ = import_weights(tmp_path / "ffdnet_gray.pth", "ffdnet")
    assert network.count_params() == 485_316
    with pytest.raises(zoo.WeightsError, match="ffdnet_gray.pth holds no dncnn: "):
        import_weights(tmp_path / "ffdnet_gray.pth", "dncnn")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda state: state.pop("model.28.bias"), "it lacks 'model.28.bias'"),
        (lambda state: state.pop("model.28.weight"), "it has 14 convolutions, the last for 16 ch"),
        (
            lambda state: state.update({"model.4.weight": np.zeros((64, 64, 1, 1), "f4")}),
            "layer conv3 has the shapes .*, the file ",
        ),
        (
            lambda state: state.update({"model.0.weight": np.zeros((64, 1, 3, 3), "f4")}),
            "layer conv1 has the shapes",
        ),
        (lambda state: state.clear(), "it has 0 convolutions, the last for 0 channels"),
    ],
)
def test_a_file_that_is_no_ffdnet_is_one_sentence(change, message, tmp_path, monkeypatch):
    state = ffdnet_state(1)
    change(state)
    monkeypatch.setattr(importers, "read_tensors", lambda path: state)
    (tmp_path / "a.pth").touch()
    with pytest.raises(zoo.WeightsError, match=f"a.pth holds no ffdnet: {message}"):
        import_weights(tmp_path / "a.pth", "ffdnet")


def test_every_unit_of_grunet_has_its_name_and_shape(tmp_path, monkeypatch):
    network = zoo.DPHSIR()
    state = {}
    for ours, name in importers._grunet_names().items():
        shape = tuple(network.get_layer(ours).kernel.shape)  # depth, height, width, in, out
        axes = (3, 4, 0, 1, 2) if name.endswith("deconv") else (4, 3, 0, 1, 2)
        state[f"{name}.weight"] = rng.random(np.take(shape, axes)).astype("float32")
    state["Conv.conv.deconv.bias"] = rng.random(3).astype("float32")
    monkeypatch.setattr(importers, "read_tensors", lambda path: state)
    (tmp_path / "grunet.pth").touch()
    imported, _ = import_weights(tmp_path / "grunet.pth", "dphsir")
    assert sum(array.size for array in state.values()) == imported.count_params() == 14_278_451
    tail = np.asarray(imported.get_layer("tail").kernel)
    theirs = state["Conv.conv.deconv.weight"]  # in, out, depth, height, width; flipped
    assert tail[0, 1, 2, 3, 1] == theirs[3, 1, 2, 1, 0]
    down = np.asarray(imported.get_layer("down2").kernel)
    assert down[0, 1, 2, 3, 5] == state["Down2.conv.conv.weight"][5, 3, 0, 1, 2]


@pytest.mark.parametrize("model", ["dncnn", "srcnn"])
def test_a_file_that_is_none_is_one_sentence(model, tmp_path):
    (tmp_path / "text.mat").write_text("not a .mat file")
    with pytest.raises(zoo.WeightsError, match="text.mat cannot be read: it is no .mat file"):
        import_weights(tmp_path / "text.mat", model)


def test_a_pytorch_file_that_would_run_code_is_refused(tmp_path):
    torch = pytest.importorskip("torch")

    class Bomb:
        def __reduce__(self):
            return open, (str(tmp_path / "exploded"), "w")

    torch.save({"net": Bomb()}, tmp_path / "bomb.pth")
    with pytest.raises(zoo.WeightsError, match="bomb.pth is no file of plain PyTorch tensors"):
        import_weights(tmp_path / "bomb.pth", "edsr")
    assert not (tmp_path / "exploded").exists()


def test_pytorch_is_asked_for_by_its_extra(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    (tmp_path / "edsr.pt").touch()
    with pytest.raises(zoo.WeightsError, match=r"^reading edsr.pt needs PyTorch: pip install '"):
        import_weights(tmp_path / "edsr.pt", "edsr")


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e38])
@pytest.mark.parametrize("write", [matconvnet_5, matconvnet_73])
def test_values_that_no_network_can_mean_are_refused(write, value, tmp_path, monkeypatch):
    broken = [(kernel.copy(), bias) for kernel, bias in CONVOLUTIONS]
    broken[1][0][0, 0, 0, 0] = value
    monkeypatch.setattr(sys.modules[__name__], "CONVOLUTIONS", broken)
    write(tmp_path / "net.mat")
    with pytest.raises(zoo.WeightsError, match="net.mat cannot be read: it holds weights from"):
        import_weights(tmp_path / "net.mat", "dncnn")


@pytest.mark.parametrize("kind", [complex, "int8", bool])
def test_kinds_that_no_network_has_are_refused(kind, tmp_path):
    content = {f"biases_conv{n}": np.zeros(1) for n in (1, 2, 3)}
    content |= {f"weights_conv{n}": np.ones((81, 64), kind) for n in (1, 2, 3)}
    scipy.io.savemat(tmp_path / "a.mat", content)
    with pytest.raises(
        zoo.WeightsError, match="a.mat cannot be read: it holds weights of the kind"
    ):
        import_weights(tmp_path / "a.mat", "srcnn")


@pytest.mark.parametrize("at", ["net/layers", "net", "#refs#/layer0conv/type", "#refs#/0"])
def test_a_network_that_lies_elsewhere_is_refused(at, tmp_path):
    matconvnet_73(tmp_path / "net.mat")
    with h5py.File(tmp_path / "net.mat", "a") as file:
        del file[at]
        file[at] = h5py.ExternalLink("other.h5", "/x")
    with pytest.raises(zoo.WeightsError, match="net.mat cannot be read: its entry .* is a link"):
        import_weights(tmp_path / "net.mat", "dncnn")


def test_a_network_that_its_file_cannot_hold_is_not_built(tmp_path, monkeypatch):
    many = [(np.ones((1, 1, 1, 1), "f4"), np.ones(1, "f4"))] * 10**6
    monkeypatch.setattr(importers, "_sequence", lambda arrays: many)
    monkeypatch.setattr(importers, "read_tensors", lambda path: edsr_state(2) | wide)
    wide = {"head.0.weight": np.ones((10**5, 3, 1, 1), "f4")}
    wide["tail.0.0.weight"] = np.ones((4 * 10**5, 1, 1, 1), "f4")
    (tmp_path / "a.pth").touch()
    for model in ("dncnn", "edsr"):
        with pytest.raises(zoo.WeightsError, match=f"a.pth holds no {model}: its network has .* w"):
            import_weights(tmp_path / "a.pth", model)


@pytest.mark.parametrize("deviation", [0, -1])
def test_a_standard_deviation_that_is_not_positive_is_refused(deviation):
    ones = np.ones((64, 1), "f4")
    norm = ("bnorm", [ones, ones, np.full((64, 2), deviation, "f4")])
    with pytest.raises(ContentError, match="a standard deviation that is not positive"):
        importers._merged([("conv", list(CONVOLUTIONS[0])), norm])


def test_a_file_of_another_network_is_one_sentence(tmp_path):
    scipy.io.savemat(tmp_path / "other.mat", {"x": np.zeros(3)})
    for model in ("srcnn", "dncnn"):
        with pytest.raises(zoo.WeightsError, match=f"other.mat holds no {model}"):
            import_weights(tmp_path / "other.mat", model)


def test_no_file_and_no_such_model_are_one_sentence(tmp_path):
    with pytest.raises(zoo.WeightsError, match="absent.mat cannot be read: there is no such file"):
        import_weights(tmp_path / "absent.mat", "srcnn")
    with pytest.raises(zoo.WeightsError, match="model must be one of .*Received: model='swinir'"):
        import_weights("x.mat", "swinir")


@pytest.mark.data
@pytest.mark.slow
def test_the_authors_dncnn_gives_the_published_averages(data):
    network, _ = import_weights(data / "weights/dncnn_official_sigma25.mat", "dncnn")
    assert network.count_params() == 555_137
    for folder, published, tolerance in (("set12", 30.44, 0.03), ("bsd68", 29.23, 0.02)):
        images = [read_image(path) for path in find_images(data / folder)]
        scores = mean(evaluate(network, images, Denoising(25 / 255)))
        assert scores["psnr"] == pytest.approx(published, abs=tolerance)


@pytest.mark.data
def test_a_third_partys_srcnn_gives_its_average(data):
    path = data / "weights/srcnn_955_x3_thirdparty.mat"
    network, _ = import_weights(path, "srcnn", transposed=True)
    images = [read_image(path) for path in find_images(data / "set5")]
    scores = mean(evaluate(network, images, SuperResolution(3)))
    assert scores["psnr"] == pytest.approx(32.55, abs=0.05)


@pytest.mark.data
def test_kairs_file_holds_the_authors_weights(data):
    pytest.importorskip("torch")
    ours, _ = import_weights(data / "weights/dncnn_official_sigma25.mat", "dncnn")
    kairs, _ = import_weights(data / "weights/kair_dncnn_25.pth", "dncnn")
    for first, second in zip(ours.get_weights(), kairs.get_weights(), strict=True):
        np.testing.assert_array_equal(first, second)
