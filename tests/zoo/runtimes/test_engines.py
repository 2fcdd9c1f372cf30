"""Other runtimes behind `restore`: the same pictures, in the same tiles."""

import importlib.util
from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image

import zoo
from tests.zoo.examples import small_grunet
from zoo.app import cli
from zoo.restoring.network import open_network
from zoo.runtimes.engines import exported_engine, keras_engine

on_tensorflow = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="networks are exported from TensorFlow"
)
OTHERS = pytest.mark.parametrize("engine", ["onnxruntime", "openvino"])
rng = np.random.default_rng(0)


NETWORKS = [
    pytest.param(lambda: zoo.EDSR(2, blocks=1, filters=8), None, id="EDSR"),
    pytest.param(lambda: zoo.DnCNN(depth=3, batch_norm=False), None, id="DnCNN"),
    pytest.param(lambda: zoo.DPHSIR(channels=2, variant="small"), 0.1, id="GRUNet"),
]


@pytest.mark.slow
@on_tensorflow
@OTHERS
@pytest.mark.parametrize(("build", "sigma"), NETWORKS)
def test_tiles_of_another_engine_equal_those_of_keras(engine, build, sigma):
    model = build()
    scale = None if sigma or model.name.startswith("edsr") else 1
    channels = model.inputs[0].shape[-1]
    image = rng.random((75, 59, channels)).astype("float32")
    found, expected = (
        zoo.restore(open_network(model, scale=scale, engine=each), image, sigma=sigma, tile=32)
        for each in (engine, "keras")
    )
    assert np.ptp(expected) > 0.1  # it is not the same as nothing
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)


@on_tensorflow
@OTHERS
def test_an_engine_takes_tiles_of_any_size_and_number(engine):
    model = zoo.DnCNN(depth=3, batch_norm=False)
    run, own = exported_engine(model, engine), keras_engine(model)
    for shape in ((1, 9, 4, 1), (3, 17, 30, 1)):
        image = rng.random(shape).astype("float32")
        np.testing.assert_allclose(run([image]), own([image]), rtol=0, atol=1e-5)


@on_tensorflow
@OTHERS
@pytest.mark.parametrize(
    "policy", [pytest.param("mixed_float16", marks=pytest.mark.slow), "mixed_bfloat16"]
)
@pytest.mark.parametrize("sigma", [None, 0.1])
def test_models_of_other_policies_are_run_in_float32(engine, policy, sigma):
    def build():
        return small_grunet(3) if sigma else zoo.EDSR(2, blocks=1, filters=8)

    exact = build()
    keras.config.set_dtype_policy(policy)
    model = build()
    keras.config.set_dtype_policy("float32")
    model.set_weights(exact.get_weights())
    image = rng.random((21, 34, 3)).astype("float32")
    found = zoo.restore(open_network(model, engine=engine), image, sigma=sigma)
    expected = zoo.restore(exact, image, sigma=sigma)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)


@on_tensorflow
def test_openvino_computes_in_bfloat16_where_it_is_told():
    model = zoo.DnCNN(depth=5, batch_norm=False)
    image = rng.random((1, 32, 32, 1)).astype("float32")
    exact, half = (exported_engine(model, "openvino", each)([image]) for each in (None, "bfloat16"))
    difference = np.abs(exact - half).max()
    assert difference < 0.05
    cpu = Path("/proc/cpuinfo")
    if cpu.exists() and "avx512_bf16" in cpu.read_text():
        assert difference > 1e-5


@on_tensorflow
@OTHERS
def test_the_command_line_has_the_engines(engine, tmp_path):
    values = rng.integers(0, 256, (21, 34, 3), np.uint8)
    Image.fromarray(values).save(tmp_path / "a.png")
    common = ["restore", str(tmp_path / "a.png"), "--weights", "srcnn-955-x2", "--quiet", "-o"]
    assert cli.main([*common, str(tmp_path / "keras")]) == 0
    assert cli.main([*common, str(tmp_path / "other"), "--engine", engine]) == 0
    pictures = [np.asarray(Image.open(tmp_path / each / "a.png")) for each in ("keras", "other")]
    steps = np.abs(pictures[0].astype(int) - pictures[1])
    assert steps.max() <= 1  # where a value lies between two grey levels
    assert np.mean(steps > 0) < 1e-2


@on_tensorflow
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"engine": "tensorrt"}, "engine must be one of keras, onnxruntime, openvino. Received: "),
        ({"engine": "openvino", "device": "cpu:0"}, "the engine openvino runs on the CPU. Rec"),
        ({"engine": "onnxruntime", "dtype": "bfloat16"}, "onnxruntime computes in float32 here"),
        (
            {"engine": "openvino", "dtype": "int8"},
            "dtype must be one of .*. Received: dtype='int8'",
        ),
    ],
)
def test_what_an_engine_cannot_do_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        open_network("srcnn-955-x2", **options)


@pytest.mark.slow
@on_tensorflow
@OTHERS
def test_networks_with_loops_are_refused(engine):
    with pytest.raises(ValueError, match="has a loop over its bands"):
        open_network(zoo.DPHSIR(channels=9), engine=engine)


@on_tensorflow
@OTHERS
def test_a_missing_package_is_named(engine, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    extra = {"onnxruntime": "onnx", "openvino": "openvino"}[engine]
    with pytest.raises(ValueError, match=rf"needs .*: pip install 'asykeras\[{extra}\]'"):
        open_network("srcnn-955-x2", engine=engine)


@pytest.mark.skipif(keras.backend.backend() == "tensorflow", reason="for the other backends")
def test_other_backends_are_told_what_to_do():
    with pytest.raises(ValueError, match=r"needs Keras on TensorFlow \(KERAS_BACKEND=tensorflow\)"):
        open_network("srcnn-955-x2", engine="onnxruntime")
