"""Exported files: what they compute, what they promise, and that no bad one is kept."""

import dataclasses
import hashlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
from functools import partial
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers, ops

import zoo
from tests.zoo.contracts import images
from zoo.exports import check, samples
from zoo.exports import export as export_module
from zoo.exports.export import TARGETS, describe, export
from zoo.exports.samples import photographs
from zoo.networks.layers import QuasiRecurrentUnit
from zoo.networks.mdsr import at_scale
from zoo.pictures.images import to_uint8
from zoo.restoring.network import Network
from zoo.runtimes.errors import ExportError
from zoo.runtimes.formats import FORMATS
from zoo.runtimes.precision import in_float32
from zoo.scoring.tasks import parse
from zoo.store.card import Use
from zoo.store.weight import published_card
from zoo.tiling.graph import growth

on_tensorflow = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="export needs the TensorFlow backend"
)
ENDINGS = {"savedmodel": "", "onnx": ".onnx", "litert": ".tflite", "openvino": ".xml"}
EVERY_FORMAT = pytest.mark.parametrize("format", ENDINGS)
# Builders of small networks, and the scale where the network does not show it.
SMALL = {
    "SRCNN": (partial(zoo.SRCNN, 3, variant="9-1-5"), 3),
    "SRCNN of RGB": (partial(zoo.SRCNN, 2, variant="9-1-5", channels=3), 2),
    "EDSR": (partial(zoo.EDSR, 2, blocks=1, filters=8, residual_scale=0.1), None),
    "EDSR of luma, x4": (partial(zoo.EDSR, 4, blocks=1, filters=8, channels=1), None),
    "SPAN": (partial(zoo.SPAN, 2, channels=8), None),
    "Compact": (partial(zoo.Compact, 3, filters=8, convolutions=1), None),
    "DnCNN merged": (partial(zoo.DnCNN, variant="S", depth=3, batch_norm=False), None),
    "DnCNN of RGB": (partial(zoo.DnCNN, variant="C", depth=3), None),
}
SLOW = {"SPAN", "SRCNN of RGB", "EDSR of luma, x4", "DnCNN of RGB"}
OTHER_FORMATS = ("onnx", "litert", "openvino")


def networks(*names):
    """Run a test on some of the small networks."""
    marks = {name: [pytest.mark.slow] if name in SLOW else [] for name in names}
    return pytest.mark.parametrize("name", [pytest.param(n, marks=m) for n, m in marks.items()])


def restored(network, image, scale):
    """Return what `zoo.restore` makes of a picture as a whole."""
    use = Use(scale, enlarge_first=growth(network) < scale)
    channels = network.inputs[0].shape[-1]
    whole = Network("whole", use, channels, lambda inputs: output(network, *inputs), reach=None)
    return zoo.restore(whole, image)


# Arguments: a SavedModel, and a folder with inputs by signature. Run where there is no Keras.
WITHOUT_KERAS = """
import importlib.util, sys
import numpy as np, tensorflow as tf
assert importlib.util.find_spec("keras") is None
signatures = tf.saved_model.load(sys.argv[1]).signatures
with np.load(sys.argv[2] + "/inputs.npz") as file:
    outputs = {k: signatures[k](image=tf.constant(file[k]))["output_0"].numpy() for k in file.files}
np.savez(sys.argv[2] + "/outputs.npz", **outputs)
"""


def test_a_file_is_scored_on_what_its_network_is_for():
    for name, task in (
        ("edsr-baseline-x4", "x4"),
        ("ffdnet-gray", "sigma25"),
        ("dncnn-jpeg", "jpeg10-luma"),
    ):
        card = published_card(name)
        assert str(samples.task_of(card.use, card)) == task
    assert str(samples.task_of(Use(), None)) == "sigma25"


@pytest.fixture(autouse=True)
def parts_of_photographs(request, monkeypatch):
    """Let exports look at small parts of the photographs, but for tests that ask for all."""
    if "whole_photographs" not in request.fixturenames:
        for module in (check, samples):
            monkeypatch.setattr(module, "photographs", few_pixels)


@pytest.fixture
def whole_photographs():
    pass


def few_pixels(part):
    return [photo[100:244, 100:292] for photo in photographs(part)[:2]]


def need(format):
    for package in FORMATS[format].packages:
        pytest.importorskip(package)


def exported(name, folder, format, **options):
    """Export a small network; return it, the report and the functions of the file."""
    need(format)
    builder, scale = SMALL[name]
    network, out = builder(), folder / f"network{ENDINGS[format]}"
    report = export(network, out, format=format, scale=scale, **options)
    return network, report, FORMATS[format].read(out)


@pytest.fixture(scope="module")
def made():
    """Exports of small networks by name and format: network, report and folder."""
    return {}


@pytest.fixture
def exported_once(made, tmp_path, tmp_path_factory):
    """Do as `exported` into the folder of the test, with a copy of what a test before has made."""

    def copied(name, format):
        need(format)
        if (name, format) not in made:
            folder = tmp_path_factory.mktemp("made")
            made[name, format] = *exported(name, folder, format)[:2], folder
        network, report, folder = made[name, format]
        shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
        return network, report, FORMATS[format].read(tmp_path / f"network{ENDINGS[format]}")

    return copied


def run_without_keras(folder):
    """Run `folder/network` on `folder/inputs.npz` with every installed package but Keras."""
    packages = folder / "packages"
    packages.mkdir()
    for place in (path for path in map(Path, sys.path) if path.name.endswith("-packages")):
        for each in place.iterdir():
            if not each.name.startswith(("keras", "tf_keras")) and each.suffix != ".pth":
                (packages / each.name).symlink_to(each)
    # -S: nothing but these packages and the standard library can be imported.
    command = [sys.executable, "-S", "-c", WITHOUT_KERAS, str(folder / "network"), str(folder)]
    environment = {**os.environ, "PYTHONPATH": str(packages)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, cwd=folder)
    assert done.returncode == 0, done.stderr


def output(network, *inputs):
    """Return what the compiled network gives: what Keras' own `predict` does."""
    runner = keras.Model(network.inputs, network.outputs[0])
    return runner.predict_on_batch(inputs if len(inputs) == 2 else inputs[0])


def left_in(folder):
    return sorted(path.name for path in folder.iterdir())


@on_tensorflow
@EVERY_FORMAT
@networks(*SMALL)
def test_a_file_computes_what_the_network_does_at_any_size(name, format, exported_once):
    network, report, functions = exported_once(name, format)
    bound = 0 if format == "savedmodel" else 1e-5
    assert report["parity"]["largest_difference"] <= bound
    assert abs(report["psnr"]["change"]) < 1e-4
    for height, width in ((1, 1), (7, 30), (33, 17)):
        image = images(height, width, network.input_shape[-1])
        expected, found = output(network, image), functions["serve"]([image])
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, expected, rtol=0, atol=bound * max(1, expected.max()))


@on_tensorflow
@pytest.mark.slow
@EVERY_FORMAT
def test_mdsr_is_exported_one_scale_at_a_time(format, tmp_path):
    need(format)
    model = zoo.MDSR(channels=1)
    out = tmp_path / f"x2{ENDINGS[format]}"
    with pytest.raises(ExportError, match=r"at_scale\(network, 3\). Received: model=mdsr_baseline"):
        export(model, out, format=format)
    assert export(at_scale(model, 2), out, format=format)["task"] == "x2"
    image = images(9, 12, 1)
    found = FORMATS[format].read(out)["serve"]([image])
    np.testing.assert_allclose(found, output(at_scale(model, 2), image), rtol=0, atol=1e-5)


@on_tensorflow
@pytest.mark.parametrize("channels", [1, pytest.param(3, marks=pytest.mark.slow)])
@EVERY_FORMAT
def test_ffdnet_takes_an_image_of_any_size_and_a_level(format, channels, tmp_path):
    need(format)
    network, out = zoo.FFDNet(channels=channels), tmp_path / f"network{ENDINGS[format]}"
    report = export(network, out, format=format)
    assert report["task"] == "sigma25"
    assert set(report["inputs"]) == {"image", "sigma"}
    serve = FORMATS[format].read(out)["serve"]
    level = np.array([[0.1], [0.2]], np.float32)
    for height, width in ((1, 1), (8, 30), (33, 17)):
        image = images(height, width, channels)
        expected = output(network, image, level)
        np.testing.assert_allclose(serve([image, level]), expected, rtol=0, atol=1e-5)


@pytest.mark.slow
@on_tensorflow
def test_ffdnet_in_integers_knows_all_levels(tmp_path):
    """Levels that it was not calibrated on would be cut off: 60 would be taken for 25."""
    need("litert")
    network, out = zoo.FFDNet(channels=1), tmp_path / "network.tflite"
    assert export(network, out, format="litert", int8=True)["precision"] == "int8"
    serve, image = FORMATS["litert"].read(out)["serve"], images(33, 17, 1)
    low, high = (np.full((2, 1), sigma / 255, np.float32) for sigma in (25, 60))
    found = serve([image, high]) - serve([image, low])
    expected = output(network, image, high) - output(network, image, low)
    assert np.corrcoef(found.ravel(), expected.ravel())[0, 1] > 0.8


@on_tensorflow
@pytest.mark.slow
@pytest.mark.parametrize("bands", [1, 3])
@EVERY_FORMAT
def test_grunet_takes_an_image_and_a_level(format, bands, tmp_path):
    need(format)
    network, out = zoo.DPHSIR(channels=bands), tmp_path / f"network{ENDINGS[format]}"
    report = export(network, out, format=format)
    assert report["task"] == "sigma25"
    assert set(report["inputs"]) == {"image", "sigma"}
    image, level = images(17, 30, bands), np.array([[0.1], [0.2]], np.float32)
    found = FORMATS[format].read(out)["serve"]([image, level])
    np.testing.assert_allclose(found, output(network, image, level), rtol=0, atol=1e-5)


@on_tensorflow
@pytest.mark.slow
def test_grunet_of_any_number_of_bands_is_a_savedmodel(tmp_path):
    network = zoo.DPHSIR()
    assert export(network, tmp_path / "any")["parity"]["largest_difference"] == 0
    serve = FORMATS["savedmodel"].read(tmp_path / "any")["serve"]
    for bands in (1, 5):
        image, level = images(9, 10, bands), np.full((2, 1), 0.1, np.float32)
        found, expected = serve([image, level]), output(network, image, level)
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)


@on_tensorflow
@networks("SRCNN", "SRCNN of RGB", "EDSR", "EDSR of luma, x4")
def test_restore_is_super_resolve_as_a_whole(name, exported_once):
    network, report, functions = exported_once(name, "savedmodel")
    assert report["parity"]["uint8"] == {"serve_uint8": 0, "restore": 0, "restore_grey": 0}
    photos = np.random.default_rng(0).integers(0, 256, (2, 11, 14, 3), np.uint8)
    for key, small in (("restore", photos), ("restore_grey", photos[..., :1])):
        for one in small:  # in a batch of two the last digits, and so a rounding, may differ
            expected = restored(network, one, parse(report["task"]).scale)
            np.testing.assert_array_equal(functions[key]([one[None]])[0], expected)


@on_tensorflow
def test_uint8_is_rounded_half_up_and_clipped(tmp_path):
    factors, offsets = [1, 1, 1, 0], [0.3 / 255, 0.6 / 255, -0.7 / 255, 0.5]
    image = keras.Input((None, None, 4), name="image")
    network = keras.Model(image, layers.Rescaling(factors, offsets)(image), name="shifted")
    export(network, tmp_path / "shifted")
    serve = FORMATS["savedmodel"].read(tmp_path / "shifted")["serve_uint8"]
    found = serve([np.repeat(np.array([0, 1, 254, 255], np.uint8), 4).reshape(1, 1, 4, 4)])
    assert found.dtype == np.uint8
    assert found[0, 0].T.tolist() == [
        [0, 1, 254, 255],  # v + 0.3
        [1, 2, 255, 255],  # v + 0.6, clipped at 255
        [0, 0, 253, 254],  # v - 0.7, clipped at 0
        [128, 128, 128, 128],  # a half, exactly
    ]


@on_tensorflow
def test_denoisers_have_no_signature_restore(exported_once):
    _, report, functions = exported_once("DnCNN merged", "savedmodel")
    assert report["signatures"] == ["serve", "serve_uint8"] == sorted(functions)
    assert report["task"] == "sigma25"


@pytest.mark.slow
@on_tensorflow
def test_a_savedmodel_runs_where_keras_cannot_be_imported(tmp_path, exported_once):
    network, _, _ = exported_once("SRCNN", "savedmodel")
    floats, photo = images(20, 31, 1), few_pixels("test")[0][:30, :40]
    inputs = {"serve": floats, "serve_uint8": to_uint8(floats), "restore": photo[None]}
    np.savez(tmp_path / "inputs.npz", **inputs)
    run_without_keras(tmp_path)
    with np.load(tmp_path / "outputs.npz") as outputs:
        np.testing.assert_array_equal(outputs["serve"], output(network, floats))
        values = (to_uint8(floats) / 255).astype(np.float32)
        expected = to_uint8(output(network, values).astype(np.float64))
        np.testing.assert_array_equal(outputs["serve_uint8"], expected)
        np.testing.assert_array_equal(outputs["restore"][0], restored(network, photo, 3))


@on_tensorflow
def test_tensorflow_serving_finds_what_its_requests_name(tmp_path, exported_once):
    from tensorflow.core.protobuf import saved_model_pb2

    exported_once("SRCNN", "savedmodel")
    content = (tmp_path / "network" / "saved_model.pb").read_bytes()
    graph = saved_model_pb2.SavedModel.FromString(content).meta_graphs[0]
    assert "serve" in graph.meta_info_def.tags
    for name, dtype in (("serving_default", 1), ("serve_uint8", 4), ("restore", 4)):
        signature = graph.signature_def[name]
        assert signature.method_name == "tensorflow/serving/predict"
        assert {key: value.dtype for key, value in signature.inputs.items()} == {"image": dtype}
        assert [each.size for each in signature.inputs["image"].tensor_shape.dim][:3] == [-1] * 3


@on_tensorflow
def test_onnx_names_its_output_and_its_free_sizes(tmp_path, exported_once):
    need("onnx")
    import onnxruntime

    exported_once("EDSR", "onnx")
    session = onnxruntime.InferenceSession(tmp_path / "network.onnx")
    (image,), (restored,) = session.get_inputs(), session.get_outputs()
    assert (image.name, image.shape) == ("image", ["batch", "height", "width", 3])
    assert (restored.name, restored.shape[0], restored.shape[-1]) == ("restored", "batch", 3)
    assert image.type == restored.type == "tensor(float)"


@on_tensorflow
def test_a_litert_file_is_resized_by_resize_tensor_input(tmp_path, exported_once):
    need("litert")
    from ai_edge_litert.interpreter import Interpreter

    network, _, _ = exported_once("EDSR", "litert")
    interpreter = Interpreter(str(tmp_path / "network.tflite"))
    (image,), (restored,) = interpreter.get_input_details(), interpreter.get_output_details()
    for height, width in ((13, 8), (21, 34)):
        values = images(height, width, 3)
        interpreter.resize_tensor_input(image["index"], values.shape)
        interpreter.allocate_tensors()
        interpreter.set_tensor(image["index"], values)
        interpreter.invoke()
        found = interpreter.get_tensor(restored["index"])
        np.testing.assert_allclose(found, output(network, values), rtol=0, atol=1e-5)


@on_tensorflow
@pytest.mark.parametrize(
    "name", ["DnCNN merged", *(pytest.param(n, marks=pytest.mark.slow) for n in ("SRCNN", "EDSR"))]
)
def test_int8_states_what_it_costs_and_computes_in_integers(name, tmp_path):
    need("litert")
    from ai_edge_litert.interpreter import Interpreter

    network, report, functions = exported(name, tmp_path, "litert", int8=True)
    assert report["precision"] == "int8"
    assert report["parity"]["bound"] is None
    psnr = report["psnr"]
    assert psnr["change"] == psnr["exported"] - psnr["network"]
    image = images(30, 40, network.input_shape[-1])
    found, expected = functions["serve"]([image]), output(network, image)
    # 8 bits over the range of the output are steps of range / 255; several layers add up.
    assert 0 < np.abs(found - expected).mean() < 0.05 * np.ptp(expected)
    tensors = Interpreter(str(tmp_path / "network.tflite")).get_tensor_details()
    weights = [each for each in tensors if len(each["shape"]) == 4 and each["shape"][1] > 1]
    assert weights
    assert {each["dtype"] for each in weights} == {np.int8}


@on_tensorflow
def test_int8_is_refused_where_weights_would_stay_in_floating_point(tmp_path):
    need("litert")
    image = keras.Input((None, None, 3), name="image")
    cube = ops.expand_dims(image, -1)
    restored = ops.squeeze(layers.Conv3D(1, 3, padding="same")(cube), -1)
    network = keras.Model(image, restored, name="cubes")
    with pytest.raises(ExportError, match="cubes has .* that LiteRT does not compute in int8"):
        export(network, tmp_path / "cubes.tflite", format="litert", int8=True)
    assert left_in(tmp_path) == []


@on_tensorflow
@pytest.mark.parametrize("format", OTHER_FORMATS)
def test_a_loop_over_the_bands_is_refused_in_one_sentence(format, tmp_path):
    need(format)
    image = keras.Input((None, None, 31), name="image")
    bands = ops.expand_dims(ops.transpose(image, (0, 3, 1, 2)), -1)
    restored = ops.transpose(ops.squeeze(QuasiRecurrentUnit(1)(bands), -1), (0, 2, 3, 1))
    network = keras.Model(image, restored, name="recurrent")
    with pytest.raises(ExportError, match=f"loop .* written as {format}: .* Received: channels=31"):
        export(network, tmp_path / f"network{ENDINGS[format]}", format=format)
    assert left_in(tmp_path) == []


@pytest.mark.slow
@on_tensorflow
@EVERY_FORMAT
def test_mixed_precision_is_exported_in_float32(format, tmp_path):
    need(format)
    single = zoo.EDSR(2, blocks=1, filters=8)
    keras.config.set_dtype_policy("mixed_bfloat16")
    mixed = zoo.EDSR(2, blocks=1, filters=8)
    mixed.set_weights(single.get_weights())
    out = tmp_path / f"network{ENDINGS[format]}"
    assert export(mixed, out, format=format)["precision"] == "float32"
    assert keras.config.dtype_policy().name == "mixed_bfloat16"
    image = images(12, 13, 3)
    assert np.abs(output(mixed, image) - output(single, image)).max() > 1e-4
    found = FORMATS[format].read(out)["serve"]([image])
    np.testing.assert_allclose(found, output(single, image), rtol=0, atol=1e-6)


def test_a_network_in_float32_is_taken_as_it_is():
    network = zoo.SRCNN(2)
    assert in_float32(network) is network


def test_a_copy_in_float32_keeps_names_and_weights():
    keras.config.set_dtype_policy("mixed_bfloat16")
    network = at_scale(zoo.MDSR(channels=1), 3)
    copy = in_float32(network)
    assert [each.path for each in copy.variables] == [each.path for each in network.variables]
    for one, other in zip(copy.get_weights(), network.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    assert {layer.compute_dtype for layer in copy.layers if layer.weights} == {"float32"}


@on_tensorflow
@pytest.mark.parametrize("stop", range(4))
def test_a_stop_in_the_midst_of_a_replacement_leaves_the_old(stop, tmp_path, monkeypatch):
    """There are four moves: two of what was there away, two of what is new into its place."""
    names, part = ["model", "model.json"], tmp_path / "part"
    for folder, content in ((tmp_path, "old"), (part, "new")):
        (folder / "model").mkdir(parents=True)
        (folder / "model/saved_model.pb").write_text(content)
        (folder / "model.json").write_text(content)
    real, calls = os.replace, []

    def replace(source, target):
        calls.append(source)
        if len(calls) == stop + 1:
            raise KeyboardInterrupt
        real(source, target)

    monkeypatch.setattr(export_module.os, "replace", replace)
    with pytest.raises(KeyboardInterrupt):
        export_module._move(part, names, tmp_path)
    assert (tmp_path / "model/saved_model.pb").read_text() == "old"
    assert (tmp_path / "model.json").read_text() == "old"


def test_the_report_is_beside_the_file_and_true(tmp_path, exported_once):
    _, report, _ = exported_once("EDSR", "savedmodel")
    assert json.loads((tmp_path / "network.json").read_text()) == json.loads(json.dumps(report))
    for name, file in report["files"].items():
        content = (tmp_path / name).read_bytes()
        assert (file["bytes"], file["sha256"]) == (
            len(content),
            hashlib.sha256(content).hexdigest(),
        )
    assert left_in(tmp_path) == ["network", "network.json"]
    first, second = describe(report, "network").splitlines()
    assert first.startswith("wrote network: savedmodel, float32, ")
    assert second.startswith(
        "largest difference 0.0e+00 (at most 1e-05); PSNR of the samples, x2: "
    )


@on_tensorflow
def test_openvino_has_two_files_and_a_report(tmp_path, exported_once):
    exported_once("EDSR", "openvino")
    assert left_in(tmp_path) == ["network.bin", "network.xml", "network.xml.json"]


@pytest.mark.slow
@on_tensorflow
def test_a_published_weight_scores_what_its_card_says(tmp_path, whole_photographs):
    report = export("srcnn-955-x3", tmp_path / "x3")
    card = published_card("srcnn-955-x3")
    (samples,) = [test for test in card.tests if test.data == "samples"]
    assert report["psnr"]["network"] == pytest.approx(samples.psnr, abs=0.001)
    assert report["psnr"]["change"] == 0
    assert report["weights_sha256"] == card.sha256
    assert (report["weight"], report["task"]) == ("srcnn-955-x3", "x3")


@on_tensorflow
@pytest.mark.slow
@pytest.mark.parametrize("weight", [w for w in zoo.list_weights() if w[-2:-1] == "x"])
def test_int8_of_published_weights_costs_less_than_a_third_of_a_decibel(
    weight, tmp_path, whole_photographs
):
    need("litert")
    report = export(weight, tmp_path / "network.tflite", format="litert", int8=True)
    assert -0.33 < report["psnr"]["change"] < 0.01


@on_tensorflow
@pytest.mark.slow
def test_int8_that_is_of_no_use_is_refused(tmp_path):
    need("litert")
    with pytest.raises(ExportError, match=r"in 8-bit integers loses \d+\.\d dB on the sample"):
        export("dncnn-gray-25", tmp_path / "network.tflite", format="litert", int8=True)
    assert left_in(tmp_path) == []


@on_tensorflow
@pytest.mark.slow
def test_int8_of_grunet_is_refused(tmp_path):
    need("litert")
    with pytest.raises(ExportError, match="weights or images that LiteRT does not compute in int8"):
        export("dphsir-small", tmp_path / "network.tflite", format="litert", int8=True)
    assert left_in(tmp_path) == []


@pytest.mark.slow
@on_tensorflow
@pytest.mark.parametrize("format", ["savedmodel", "onnx"])
def test_what_is_there_is_replaced_only_when_that_is_asked_for(format, tmp_path, exported_once):
    _, first, _ = exported_once("EDSR", format)
    before = left_in(tmp_path)
    with pytest.raises(ExportError, match=f"network{ENDINGS[format]} exists already"):
        exported("EDSR", tmp_path, format)
    network, second, functions = exported("EDSR", tmp_path, format, overwrite=True)
    assert left_in(tmp_path) == before
    assert second["files"] != first["files"]
    image = images(8, 9, 3)
    np.testing.assert_allclose(functions["serve"]([image]), output(network, image), atol=1e-5)


@on_tensorflow
def test_a_folder_of_other_things_is_never_overwritten(tmp_path):
    (tmp_path / "network").mkdir()
    (tmp_path / "network" / "holiday.jpg").write_bytes(b"dear")
    with pytest.raises(ExportError, match="network is not what an export left there"):
        exported("EDSR", tmp_path, "savedmodel", overwrite=True)
    assert (tmp_path / "network" / "holiday.jpg").read_bytes() == b"dear"
    assert left_in(tmp_path) == ["network"]


@on_tensorflow
@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda found: found + 3e-5, "differs from the network by 3.* at 48 x 72 pixels"),
        (lambda found: found[:, 1:], "the exported file returns .* where the network returns"),
        (lambda found: found * np.nan, "or values that are not finite"),
        (
            lambda found: found.nothing,
            "the savedmodel file does not run: .* no attribute 'nothing'",
        ),
    ],
)
def test_a_file_that_computes_something_else_is_not_kept(
    wrong, message, tmp_path, monkeypatch, exported_once
):
    exported_once("EDSR", "savedmodel")
    before = (tmp_path / "network.json").read_bytes()
    right = FORMATS["savedmodel"]

    def read(path):
        serve = right.read(path)["serve"]
        return {"serve": lambda inputs: wrong(serve(inputs))}

    monkeypatch.setitem(TARGETS, "savedmodel", dataclasses.replace(right, read=read))
    monkeypatch.setattr(check, "SIZES", ((1, 48, 72),))
    with pytest.raises(ExportError, match=message):
        export(zoo.EDSR(2, blocks=1, filters=8), tmp_path / "network", overwrite=True)
    assert left_in(tmp_path) == ["network", "network.json"]
    assert (tmp_path / "network.json").read_bytes() == before


@on_tensorflow
@pytest.mark.parametrize(
    ("out", "options", "message"),
    [
        (
            "x",
            {"format": "caffe"},
            "format must be one of savedmodel, onnx, .* Received: format='caffe'",
        ),
        ("x.onnx", {"format": "litert"}, "format litert must end with .tflite. Received: .*x.onnx"),
        ("x.onnx", {}, "target of the format savedmodel is a folder. Received: .*x.onnx"),
        ("no/x", {}, "there is no folder .*no$"),
        ("x", {"int8": True}, "int8 needs the format litert. Received: format='savedmodel'"),
        ("x", {"scale": 5}, "srcnn_915_x3 enlarges by 1. Received: scale=5"),
    ],
)
def test_mistakes_are_one_sentence_and_leave_nothing(out, options, message, tmp_path):
    with pytest.raises(ExportError, match=message) as caught:
        export(zoo.SRCNN(3, variant="9-1-5"), tmp_path / out, **options)
    assert len(str(caught.value).splitlines()) == 1
    assert left_in(tmp_path) == []


@on_tensorflow
@pytest.mark.parametrize(
    ("network", "message"),
    [
        (partial(zoo.SRCNN, 3, padding="valid"), "srcnn_955_x3"),
        (zoo.MDSR, "of MDSR export one scale"),
        (lambda: keras.Sequential([layers.Dense(1)]), "must turn an image, or an image and sigma"),
        (lambda: 7, "model must be a name, a path or a keras.Model. Received: model=7"),
    ],
)
def test_what_is_no_network_of_images_is_refused(network, message, tmp_path):
    with pytest.raises(ExportError, match=message):
        export(network(), tmp_path / "network")
    assert left_in(tmp_path) == []


@on_tensorflow
def test_an_unknown_weight_is_refused(tmp_path):
    with pytest.raises(zoo.WeightsError, match="'srcnn-955-x9' is neither a published weight"):
        export("srcnn-955-x9", tmp_path / "x9")
    assert left_in(tmp_path) == []


@on_tensorflow
@pytest.mark.parametrize("format", OTHER_FORMATS)
def test_a_missing_package_is_named_with_its_extra(format, tmp_path, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ExportError, match=f"format {format} needs .*asykeras.{format}.'"):
        export("srcnn-955-x3", tmp_path / f"x{ENDINGS[format]}", format=format)


@on_tensorflow
@pytest.mark.parametrize("format", OTHER_FORMATS)
def test_any_number_of_bands_is_for_a_savedmodel_alone(format, tmp_path):
    need(format)
    image = keras.Input((None, None, None), name="image")
    network = keras.Model(image, layers.Rescaling(0.5)(image), name="half")
    with pytest.raises(ExportError, match=f"{format} needs a fixed number of channels"):
        export(network, tmp_path / f"x{ENDINGS[format]}", format=format)
    assert export(network, tmp_path / "half")["inputs"] == {"image": (None,) * 4}


@pytest.mark.skipif(keras.backend.backend() == "tensorflow", reason="it can export")
def test_another_backend_is_told_which_one_exports(tmp_path):
    with pytest.raises(
        ExportError, match="export needs Keras on TensorFlow. Received: KERAS_BACKEND=jax"
    ):
        export(zoo.SRCNN(2), tmp_path / "x2")
