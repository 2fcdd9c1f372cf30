"""Images on the device: the bytes of the host's patches, and the steps of the host's loop."""

from functools import partial

import keras
import numpy as np
import pytest
from keras import layers
from keras.ops import convert_to_numpy

from asykeras.degradations import GaussianNoise
from recipes.data.image_set import ImageSet
from recipes.data.jpeg import Artefacts
from recipes.data.patches import Patches
from recipes.training import calls, resident
from recipes.training import run as training
from recipes.training.checkpoints import FOLDER
from recipes.training.progress import check_loss
from recipes.training.resident import Resident
from recipes.training.settings import Settings, TrainingError
from zoo.scoring.tasks import Denoising
from zoo.store.card import Card, Use

rng = np.random.default_rng(0)
IMAGES = [rng.integers(0, 256, (h, w, 3), dtype=np.uint8) for h, w in ((30, 41), (25, 17), (9, 60))]
GREY = [rng.integers(0, 256, (40, 50, 1), dtype=np.uint8) for _ in range(3)]


def partners(ratio):
    clean = [rng.integers(0, 256, (h, w, 3), dtype=np.uint8) for h, w in ((24, 27), (36, 21))]
    small = [image[::ratio, ::ratio] for image in clean]
    return ImageSet.of(clean), ImageSet.of(small)


@pytest.mark.parametrize("kind", ["8 bit", "16 bit", "pairs", "rows"])
def test_the_device_cuts_the_bytes_that_the_host_cuts(kind):
    images, degraded, rows = IMAGES, None, None
    if kind == "16 bit":
        images = [image.astype(np.uint16) * 200 for image in IMAGES]
    if kind == "pairs":
        images, degraded = partners(3)
    if kind == "rows":
        rows = 2, 7
    patches = Patches.of(images, 9, 16, seed=5, degraded=degraded, rows=rows)
    cut = [Resident(pixels, size) for pixels, size in patches.sources]
    for step in (0, 3, 10**6):
        batch, places = patches.numpy_batch(step), patches.numpy_places(step)
        for layer, clean, where in zip(cut, *map(as_tuple, (batch, places)), strict=True):
            assert where.dtype == np.int32
            mine = convert_to_numpy(layer(where))
            assert mine.dtype == clean.dtype
            np.testing.assert_array_equal(mine, clean)


def as_tuple(batch):
    return batch if isinstance(batch, tuple) else (batch,)


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="of tf.data")
@pytest.mark.parametrize("paired", [False, True])
def test_tensorflow_and_numpy_name_the_same_places(paired):
    images, degraded = partners(3) if paired else (IMAGES, None)
    patches = Patches.of(images, 9, 16, seed=5, degraded=degraded)
    for step, places in zip(range(3, 6), patches.dataset(3, 6, on_device=True), strict=True):
        keras.tree.map_structure(np.testing.assert_array_equal, places, patches.numpy_places(step))


def network():
    image = keras.Input((None, None, 1))
    hidden = layers.Conv2D(4, 3, padding="same", activation="relu")(image)
    return keras.Model(image, layers.Conv2D(1, 3, padding="same")(hidden))


RECIPE = training.Recipe(
    build=network,
    degradation=partial(GaussianNoise, 0.1, seed=1),
    channels="grey",
    card=Card("-", {}, Use()),
    publish=training.rebuilt(network),
    task=Denoising(25 / 255),
)


def trained(folder, monkeypatch, **changes):
    """Return the weights that a run ends with."""
    monkeypatch.setattr(training, "open_images", lambda *_, **__: ImageSet.of(GREY))
    few = {"steps": 100, "every": 50, "batch": 2, "patch": 16, "steps_per_execution": 10}
    settings = Settings.of(**{"data": "-", "workdir": str(folder), "quiet": True, **few, **changes})
    found = network()
    found.load_weights(training.train(settings, RECIPE))
    return found.get_weights()


def test_a_run_on_the_device_takes_the_steps_of_one_on_the_host(tmp_path, monkeypatch):
    """Within rounding: XLA orders sums otherwise, and Adam divides by small second moments.

    100 steps of at most the rate 0.001; a relative error of 2^-24 in each of them, grown by less
    than a thousandfold, is far below one step.
    """
    host = trained(tmp_path / "host", monkeypatch, cut="host")
    monkeypatch.setattr(calls, "accelerated", lambda: True)  # so that JAX loops on the device
    device = trained(tmp_path / "device", monkeypatch, cut="device")
    moved = max(float(np.abs(w).max()) for w in host)
    for first, second in zip(host, device, strict=True):
        np.testing.assert_allclose(second, first, rtol=0, atol=1000 * 2**-24 * moved)


@pytest.mark.slow
def test_a_run_of_the_host_goes_on_on_the_device(tmp_path, monkeypatch):
    monkeypatch.setattr(calls, "accelerated", lambda: True)
    whole = trained(tmp_path / "whole", monkeypatch, cut="device")
    trained(tmp_path / "parts", monkeypatch, cut="host")
    for newest in (tmp_path / "parts" / FOLDER).glob("*100*"):
        newest.unlink()  # as if killed in the second half
    parts = trained(tmp_path / "parts", monkeypatch, cut="device", resume=True)
    for first, second in zip(whole, parts, strict=True):
        np.testing.assert_allclose(second, first, rtol=0, atol=1000 * 2**-24)


@pytest.mark.slow
def test_the_images_are_not_saved(tmp_path, monkeypatch):
    sizes = {}
    for way in ("host", "device"):
        trained(tmp_path / way, monkeypatch, cut=way)
        (newest,) = (tmp_path / way / FOLDER).glob("*100.weights.h5")
        sizes[way] = newest.stat().st_size
    assert sum(image.nbytes for image in GREY) > 5000
    assert abs(sizes["device"] - sizes["host"]) < 5000


def test_what_the_host_alone_can_do_is_left_to_it(monkeypatch):
    monkeypatch.setattr(resident, "accelerated", lambda: True)
    plain = Patches.of(IMAGES, 8, 4, seed=0)
    damaged = Patches.of(IMAGES, 8, 4, seed=0, artefacts=Artefacts(10, 20))
    assert len(resident.resident(plain, "auto")) == 1
    assert resident.resident(plain, "host") == resident.resident(damaged, "auto") == []
    with pytest.raises(TrainingError, match="--cut device cannot be had: the artefacts of JPEG"):
        resident.resident(damaged, "device")
    monkeypatch.setattr(resident, "MOST", sum(image.nbytes for image in IMAGES) - 1)
    assert resident.resident(plain, "auto") == []
    monkeypatch.setattr(resident, "LARGEST", 100)
    with pytest.raises(TrainingError, match="there can be 99 pixels. Received: 2195"):
        resident.resident(plain, "device")


def test_a_cpu_keeps_the_patches_of_the_host(monkeypatch):
    monkeypatch.setattr(resident, "accelerated", lambda: False)
    assert resident.resident(Patches.of(IMAGES, 8, 4, seed=0), "auto") == []


@pytest.mark.skipif(keras.backend.backend() != "jax", reason="TensorFlow loops by itself")
def test_a_call_tells_of_the_call_before(monkeypatch):
    monkeypatch.setattr(calls, "accelerated", lambda: True)

    class Counter:
        steps_per_execution = 3

        def train_step(self, state, data):
            total = state[0][0] + data[0].sum()
            return {"loss": total}, ([total],)

    call = calls.many_steps(Counter())
    batches = iter([(np.full((2,), n, np.int32),) for n in range(9)])
    state, told = ([keras.ops.zeros((), "int32")],), []
    for _ in range(3):
        logs, state = call(state, batches)
        told.append(int(logs["loss"]))
    assert told == [6, 6, 30]  # sums of 2 n: of n < 3, of n < 3 again, of n < 6
    assert int(state[0][0]) == 72


@pytest.mark.skipif(keras.backend.backend() != "jax", reason="TensorFlow loops by itself")
def test_the_steps_inside_a_call_get_the_bytes_of_the_host(monkeypatch):
    """The patches themselves, which a step that learns nothing writes down one after the other."""
    monkeypatch.setattr(calls, "accelerated", lambda: True)
    patches = Patches.of(IMAGES, 9, 4, seed=5)
    (cut,) = resident.resident(patches, "device")

    class Recorder:
        steps_per_execution = 5

        def train_step(self, state, data):
            (step,), (seen,) = state
            seen = keras.ops.slice_update(seen, (step, 0, 0, 0, 0), cut(data[0])[None])
            return {"loss": step}, ([step + 1], [seen])

    expected = np.stack([patches.numpy_batch(step) for step in range(30)])
    places = iter([(patches.numpy_places(step),) for step in range(30)])
    state = [keras.ops.zeros((), "int32")], [keras.ops.zeros(expected.shape, "uint8")]
    call = calls.many_steps(Recorder())
    for _ in range(6):
        _, state = call(state, places)
    assert int(state[0][0]) == 30
    seen = convert_to_numpy(state[1][0])
    assert seen.dtype == expected.dtype
    np.testing.assert_array_equal(seen, expected)


def test_a_loss_that_is_not_finite_is_told_with_its_step():
    assert check_loss({"loss": 0.5}, 10) == 0.5
    with pytest.raises(TrainingError, match="the loss became nan at step 20"):
        check_loss({"loss": float("nan")}, 20)
