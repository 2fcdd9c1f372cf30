"""What every builder of the zoo promises: a test module subclasses the contract in a few lines."""

import importlib.util
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import ops, tree

ROOT = Path(__file__).parents[2]
OTHER_BACKEND = "jax" if keras.backend.backend() == "tensorflow" else "tensorflow"
# What `keras.Model(inputs, outputs)` makes.
PLAIN = type(keras.Model(*(keras.Input((1,)),) * 2))
# Arguments: a module that registers the layers, and a folder with a model and its inputs.
RUN_ELSEWHERE = """
import importlib, sys
import keras, numpy as np
module, folder = sys.argv[1:]
importlib.import_module(module)
model = keras.saving.load_model(folder + "/model.keras")
with np.load(folder + "/inputs.npz") as file:
    inputs = keras.tree.pack_sequence_as(model.input, [file[name] for name in file.files])
outputs = keras.tree.flatten(model(inputs, training=False))
np.savez(folder + "/outputs.npz", *[keras.ops.convert_to_numpy(output) for output in outputs])
"""


# Arguments: a folder with `model.keras` and `image.npy`.
RUN_WITH_KERAS_ALONE = """
import sys
import keras, numpy as np
folder = sys.argv[1]
model = keras.saving.load_model(folder + "/model.keras")
output = model(np.load(folder + "/image.npy"), training=False)
np.save(folder + "/output.npy", keras.ops.convert_to_numpy(output))
assert not {"zoo", "asykeras"} & set(sys.modules)
"""


class BuilderContract:
    """Subclass it as `Test...` and set the attributes."""

    builder: Callable[..., keras.Model]  # staticmethod(partial(zoo.EDSR, scale=2)), quick to run
    parameters: int
    channels = 1
    scale = 1

    def inputs(self, height: int, width: int) -> Any:
        """Return two images; networks with more inputs override this and `output_shapes`."""
        return images(height, width, self.channels)

    def output_shapes(self, height: int, width: int) -> list[tuple[int, ...]]:
        return [(2, self.scale * height, self.scale * width, self.channels)]

    @pytest.mark.once
    def test_it_has_the_published_number_of_parameters(self):
        assert self.builder().count_params() == self.parameters

    def test_it_is_a_plain_functional_model_with_stable_names(self):
        first, second = self.builder(), self.builder()
        assert type(first) is PLAIN
        assert not [layer for layer in first.layers if isinstance(layer, keras.layers.Lambda)]
        assert [layer.name for layer in first.layers] == [layer.name for layer in second.layers]
        assert [each.path for each in first.variables] == [each.path for each in second.variables]

    def test_the_summary_names_every_layer_that_learns(self):
        model, lines = self.builder(), []
        model.summary(line_length=120, print_fn=lines.append, expand_nested=True)
        text = "\n".join(lines)
        for variable in model.variables:
            assert variable.path.split("/")[-2] in text, variable.path
        assert f"{self.parameters:,}" in text
        assert not re.search("get_item|getitem", text)  # no layers that stand for a line of code

    @pytest.mark.parametrize("size", [(1, 1), (7, 9), (17, 4)])
    def test_any_size_gives_finite_float32(self, size):
        outputs = tree.flatten(self.builder()(self.inputs(*size)))
        assert [tuple(output.shape) for output in outputs] == self.output_shapes(*size)
        for output in outputs:
            assert keras.backend.standardize_dtype(output.dtype) == "float32"
            assert np.isfinite(ops.convert_to_numpy(output)).all()

    def test_the_images_of_a_batch_do_not_mix(self):
        model, inputs = self.builder(), self.inputs(7, 9)
        both = run(model, inputs)
        second = run(model, tree.map_structure(lambda array: array[1:], inputs))
        for pair, alone in zip(both, second, strict=True):
            np.testing.assert_allclose(pair[1:], alone, atol=1e-5)

    def test_one_step_changes_every_trainable_variable(self):
        model, inputs = self.builder(), self.inputs(8, 8)
        before = [ops.convert_to_numpy(variable) for variable in model.trainable_variables]
        model.compile(keras.optimizers.SGD(1.0), "mse")
        model.train_on_batch(inputs, tree.map_structure(ops.zeros_like, model(inputs)))
        for old, variable in zip(before, model.trainable_variables, strict=True):
            new = ops.convert_to_numpy(variable)
            assert np.isfinite(new).all(), variable.path
            assert (new != old).any(), variable.path

    def test_a_keras_file_gives_the_same_output(self, tmp_path):
        model, inputs = self.builder(), self.inputs(7, 9)
        model.save(tmp_path / "model.keras")
        again = keras.saving.load_model(tmp_path / "model.keras")
        assert_equal(run(again, inputs), run(model, inputs))

    def test_a_weights_file_gives_the_same_output(self, tmp_path):
        model, inputs = self.builder(), self.inputs(7, 9)
        model.save_weights(tmp_path / "model.weights.h5")
        again = self.builder(weights=str(tmp_path / "model.weights.h5"))
        assert_equal(run(again, inputs), run(model, inputs))

    def test_mixed_precision_ends_in_float32(self):
        keras.config.set_dtype_policy("mixed_bfloat16")
        model = self.builder()
        assert {variable.dtype for variable in model.variables} == {"float32"}
        assert "bfloat16" in {layer.compute_dtype for layer in model.layers}
        for output in run(model, self.inputs(7, 9)):
            assert output.dtype == np.float32
            assert np.isfinite(output).all()
            rounded = ops.convert_to_numpy(ops.cast(ops.cast(output, "bfloat16"), "float32"))
            assert (output != rounded).any()  # more than bfloat16 can hold

    def test_keras_json_may_put_channels_first(self, tmp_path):
        model, inputs = self.builder(), self.inputs(7, 9)
        model.save_weights(tmp_path / "model.weights.h5")
        keras.config.set_image_data_format("channels_first")
        try:
            first = self.builder(weights=str(tmp_path / "model.weights.h5"))
            assert_equal(run(first, inputs), run(model, inputs))
        finally:
            keras.config.set_image_data_format("channels_last")

    @pytest.mark.slow
    def test_the_other_backend_gives_the_same_output(self, tmp_path):
        if importlib.util.find_spec(OTHER_BACKEND) is None:
            pytest.skip(f"{OTHER_BACKEND} is not installed")
        model, inputs = self.builder(), self.inputs(7, 9)
        model.save(tmp_path / "model.keras")
        np.savez(tmp_path / "inputs.npz", *tree.flatten(inputs))
        environment = {**os.environ, "KERAS_BACKEND": OTHER_BACKEND, "PYTHONPATH": str(ROOT)}
        command = [sys.executable, "-c", RUN_ELSEWHERE, self.builder.func.__module__, str(tmp_path)]
        subprocess.run(command, env=environment, check=True)
        with np.load(tmp_path / "outputs.npz") as file:
            for here, name in zip(run(model, inputs), file.files, strict=True):
                np.testing.assert_allclose(file[name], here, atol=1e-4)


def images(height: int, width: int, channels: int, seed: int = 0) -> np.ndarray:
    """Return two images in [0, 1]."""
    rng = np.random.default_rng(seed)
    return rng.uniform(size=(2, height, width, channels)).astype(np.float32)


def run(model: keras.Model, inputs: Any) -> list[np.ndarray]:
    """Return the outputs at inference as a list of arrays."""
    outputs = tree.flatten(model(inputs, training=False))
    return [ops.convert_to_numpy(output) for output in outputs]


def assert_opens_with_keras_alone(model: keras.Model, image: np.ndarray, folder: Path) -> None:
    """Load a `.keras` file in a process that does not know the zoo, and compare what it makes."""
    model.save(folder / "model.keras")
    np.save(folder / "image.npy", image)
    subprocess.run([sys.executable, "-c", RUN_WITH_KERAS_ALONE, str(folder)], check=True)
    np.testing.assert_array_equal(np.load(folder / "output.npy"), run(model, image)[0])


def assert_equal(actual: list[np.ndarray], expected: list[np.ndarray]) -> None:
    """Compare two results of `run`, exactly."""
    for one, other in zip(actual, expected, strict=True):
        np.testing.assert_array_equal(one, other)


def convolve(image: np.ndarray, kernel: np.ndarray, bias: Any = 0.0) -> np.ndarray:
    """Convolve (B, H, W, C) with an odd kernel and zero padding, written out."""
    height, width = image.shape[1:3]
    radius = kernel.shape[0] // 2
    padded = np.pad(image.astype(np.float64), [(0, 0), (radius, radius), (radius, radius), (0, 0)])
    result = np.zeros((*image.shape[:3], kernel.shape[-1])) + bias
    for row, column in np.ndindex(kernel.shape[:2]):
        window = padded[:, row : row + height, column : column + width]
        result += window @ kernel[row, column].astype(np.float64)
    return result
