"""Training: what is minimised, resuming to the bit, and runs that must not start or go on."""

import csv
import hashlib
import json
import os
import resource
import signal
import sys
import time
from functools import partial
from unittest import mock

import h5py
import keras
import numpy as np
import pytest
from keras import layers, ops
from keras.ops import convert_to_numpy
from PIL import Image

import asykeras
import zoo
from asykeras import AsyMAE, AsyMSE, Quartile
from asykeras.degradations import GaussianNoise
from recipes import srcnn
from recipes.data.image_set import ImageSet
from recipes.data.patches import Patches
from recipes.training import progress
from recipes.training import run as training
from recipes.training.batches import Steps
from recipes.training.objective import make_loss
from recipes.training.restorer import Restorer
from recipes.training.run import averaged
from recipes.training.settings import Objective, Settings, TrainingError
from recipes.training.speed import Speed
from zoo.machine.dtype import computing_in
from zoo.scoring.tasks import Denoising
from zoo.store.card import Card, Use

rng = np.random.default_rng(0)
IMAGES = [rng.integers(0, 256, (40, 50, 1), dtype=np.uint8) for _ in range(3)]


def settings(tmp_path, **changes):
    few = {"steps": 6, "every": 2, "batch": 2, "patch": 16, "ema": 0.9, "quiet": True}
    return Settings.of(**{"data": "-", "workdir": str(tmp_path / "run"), **few, **changes})


@pytest.fixture(autouse=True)
def _images_in_memory(monkeypatch):
    """Let the data source "-" be IMAGES."""
    load = training.open_images

    def opened(source, channels, **options):
        return ImageSet.of(IMAGES) if source == "-" else load(source, channels, **options)

    monkeypatch.setattr(training, "open_images", opened)


def small_network():
    image = keras.Input((None, None, 1))
    return keras.Model(image, layers.Conv2D(1, 3, padding="same")(image))


def noisy_run(chosen, stop_after=None):
    """Train a small network on noisy patches; optionally die after a number of pieces."""
    recipe = training.Recipe(
        build=small_network,
        degradation=partial(GaussianNoise, 0.1, seed=1),
        channels="grey",
        card=Card("-", {}, Use()),
        publish=training.rebuilt(small_network),
        task=Denoising(25 / 255),
    )
    write, lines = progress.log, []

    def log(*arguments):
        write(*arguments)
        lines.append(arguments)
        if len(lines) == stop_after:
            raise KeyboardInterrupt

    with mock.patch.object(progress, "log", log):
        path = training.train(chosen, recipe)
    network = small_network()
    network.load_weights(path)
    return network.get_weights()


def test_a_resumed_run_ends_with_the_same_bits(tmp_path):
    whole = noisy_run(settings(tmp_path / "a"))
    with pytest.raises(KeyboardInterrupt):
        noisy_run(settings(tmp_path / "b"), stop_after=2)
    resumed = noisy_run(settings(tmp_path / "b", resume=True))
    for first, second in zip(whole, resumed, strict=True):
        np.testing.assert_array_equal(first, second)


def fit_settings(tmp_path, **changes):
    return settings(tmp_path, **{"steps": 10_000, "fit": True, "minutes": 1.0, **changes})


@pytest.mark.slow
def test_a_fitted_run_is_the_run_with_these_steps(tmp_path, monkeypatch):
    """The measuring, which is real but short, leaves no trace in the bits."""
    monkeypatch.setattr(training, "fitting_steps", lambda *left: 6)
    measure = training.measure
    monkeypatch.setattr(training, "measure", lambda model, batches, _: measure(model, batches, 0))
    plain, fitted = (noisy_run(make(tmp_path / make.__name__)) for make in (settings, fit_settings))
    for first, second in zip(plain, fitted, strict=True):
        np.testing.assert_array_equal(first, second)
    run = json.loads((tmp_path / "fit_settings/run/run.json").read_text())["settings"]
    assert run["steps"] == 6
    assert run == json.loads((tmp_path / "settings/run/run.json").read_text())["settings"]


@pytest.mark.slow
def test_a_resumed_run_keeps_the_steps_that_were_chosen(tmp_path, monkeypatch):
    monkeypatch.setattr(training, "fitting_steps", lambda *left: 6)
    with pytest.raises(KeyboardInterrupt):
        noisy_run(fit_settings(tmp_path / "b"), stop_after=2)
    with pytest.raises(TrainingError, match="already holds a run; go on with --resume"):
        noisy_run(fit_settings(tmp_path / "b"))
    monkeypatch.setattr(training, "measure", None)  # not to be called
    resumed = noisy_run(fit_settings(tmp_path / "b", resume=True))
    np.testing.assert_array_equal(noisy_run(settings(tmp_path / "a"))[0], resumed[0])


def test_what_is_left_of_the_minutes_is_what_is_fitted(tmp_path, monkeypatch):
    """Given: the seconds left, the speed, --every and the seconds between pieces."""
    seen = []
    monkeypatch.setattr(training, "fitting_steps", lambda *given: seen.append(given) or 6)
    monkeypatch.setattr(training, "measure", lambda *given: Speed(7.0, 5.0))
    noisy_run(fit_settings(tmp_path, minutes=30.0))
    ((left, speed, every, between),) = seen
    assert 1700 < left < 1800
    assert (speed.rate, every) == (5.0, 2)
    assert 0 < between < 60


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"minutes": 0.0}, "--fit needs --minutes. Received: 0"),
        ({"milestones": "5:0.1"}, "--fit chooses the steps, so --milestones cannot name them"),
        ({"steps_per_execution": 3}, "--every of --steps-per-execution"),
        ({"profile": -1}, "--profile must be a number of steps. Received: -1"),
    ],
)
def test_what_cannot_be_fitted_is_refused_before_work(tmp_path, changes, message):
    with pytest.raises(TrainingError, match=message):
        noisy_run(fit_settings(tmp_path, **changes))
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_another_seed_ends_elsewhere(tmp_path):
    first, second = (noisy_run(settings(tmp_path / str(s), seed=s)) for s in (0, 1))
    assert (first[0] != second[0]).any()


def test_a_damaged_checkpoint_is_skipped(tmp_path, capsys):
    whole = noisy_run(settings(tmp_path / "a"))
    with pytest.raises(KeyboardInterrupt):
        noisy_run(settings(tmp_path / "b"), stop_after=2)
    newest = max((tmp_path / "b/run/checkpoints").glob("*.h5"))
    content = bytearray(newest.read_bytes())
    content[-100] ^= 1  # one bit, which HDF5 does not notice
    newest.write_bytes(content)
    resumed = noisy_run(settings(tmp_path / "b", resume=True))
    assert "skipped the damaged checkpoint step-000000004" in capsys.readouterr().err
    np.testing.assert_array_equal(whole[0], resumed[0])


def test_a_run_without_a_whole_checkpoint_does_not_go_on(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        noisy_run(settings(tmp_path), stop_after=1)
    for path in (tmp_path / "run/checkpoints").glob("*.h5"):
        path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(TrainingError, match="no checkpoint in .*checkpoints is whole; remove"):
        noisy_run(settings(tmp_path, resume=True))


def test_a_checkpoint_tells_settings_seed_and_versions(tmp_path):
    noisy_run(settings(tmp_path, seed=3))
    facts = json.loads((tmp_path / "run/checkpoints/step-000000006.json").read_text())
    assert facts["step"] == 6
    assert facts["seed"] == facts["settings"]["seed"] == 3
    assert facts["versions"]["keras"] == keras.__version__
    file = tmp_path / "run/checkpoints/step-000000006.weights.h5"
    assert facts["sha256"] == hashlib.sha256(file.read_bytes()).hexdigest()


@pytest.mark.slow
def test_other_versions_are_told(tmp_path, capsys):
    with pytest.raises(KeyboardInterrupt):
        noisy_run(settings(tmp_path), stop_after=1)
    path = tmp_path / "run/checkpoints/step-000000002.json"
    path.write_text(path.read_text().replace(keras.__version__, "3.0.0"))
    noisy_run(settings(tmp_path, resume=True))
    assert "was written by {'asykeras'" in capsys.readouterr().err


def test_a_signal_inside_a_piece_leaves_a_checkpoint_and_no_trace_in_the_bits(tmp_path):
    whole = noisy_run(settings(tmp_path / "a", every=6))
    count = progress.Progress.on_train_batch_end

    def signalled(self, batch, logs=None):
        if self.step == 2:
            os.kill(os.getpid(), signal.SIGTERM)
        count(self, batch, logs)

    with mock.patch.object(progress.Progress, "on_train_batch_end", signalled):
        with pytest.raises(progress.Stopped, match="stopped by SIGTERM at step 3; its") as stopped:
            noisy_run(settings(tmp_path / "b", every=6))
    assert stopped.value.code == 143
    resumed = noisy_run(settings(tmp_path / "b", every=6, resume=True))
    for first, second in zip(whole, resumed, strict=True):
        np.testing.assert_array_equal(first, second)


@pytest.mark.slow
def test_a_full_disk_keeps_the_checkpoint_before(tmp_path):
    """A limit on the size of files stands for the full disk: HDF5 meets the same OSError."""
    with pytest.raises(KeyboardInterrupt):
        noisy_run(settings(tmp_path), stop_after=1)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, limits[1]))
    try:
        with pytest.raises(TrainingError, match="of step 4 cannot be written .* make room"):
            noisy_run(settings(tmp_path, resume=True))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, ignored)
    kept = sorted(path.name for path in (tmp_path / "run/checkpoints").iterdir())
    assert kept == ["step-000000002.json", "step-000000002.weights.h5"]
    noisy_run(settings(tmp_path, resume=True))


@pytest.mark.slow
def test_tensorboard_gets_scalars_and_validation_images(photos, tmp_path):
    pytest.importorskip("tensorboardX")
    if keras.backend.backend() != "tensorflow":
        pytest.skip("TensorFlow reads the events")
    import tensorflow as tf

    arguments = command(photos, tmp_path / "run", validation=photos)
    assert srcnn.main([*arguments, "--quiet", "--tensorboard"]) == 0
    (path,) = (tmp_path / "run/tensorboard").iterdir()
    values = [
        (event.step, value)
        for event in tf.compat.v1.train.summary_iterator(str(path))
        for value in event.summary.value
    ]
    scalars = {(step, value.tag): value.simple_value for step, value in values}
    row = list(csv.DictReader((tmp_path / "run/training.csv").open()))[-1]
    assert scalars[4, "validation_psnr"] == pytest.approx(float(row["validation_psnr"]), abs=1e-4)
    assert scalars[2, "loss"] > 0
    image = next(value.image for step, value in values if value.tag == "validation/2")
    assert (image.height, image.width) == (40, 50)


@pytest.mark.parametrize(("bands", "shown"), [(1, 1), (2, 1), (3, 3), (31, 3)])
def test_tensorboard_is_given_bands_that_make_a_picture(bands, shown):
    cube = np.arange(4 * 5 * bands, dtype=np.float32).reshape(4, 5, bands) / (20 * bands)
    picture = training._visible(cube)
    assert (picture.shape, picture.dtype) == ((4, 5, shown), np.uint8)
    np.testing.assert_allclose(picture, 255 * cube[..., :shown], atol=0.51)


def test_tensorboard_that_is_not_installed_is_one_sentence(photos, tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    assert srcnn.main([*command(photos, tmp_path / "run"), "--tensorboard"]) == 1
    assert "pip install 'asykeras[tensorboard]'" in capsys.readouterr().err


@pytest.mark.slow
def test_curves_are_drawn(tmp_path):
    noisy_run(settings(tmp_path))
    with Image.open(tmp_path / "run/curves.png") as figure:
        assert figure.width > 1000


def test_the_newest_two_checkpoints_are_kept_and_the_log_is_complete(tmp_path):
    noisy_run(settings(tmp_path))
    kept = sorted(path.name for path in (tmp_path / "run/checkpoints").iterdir())
    assert kept == [f"step-00000000{n}{end}" for n in (4, 6) for end in (".json", ".weights.h5")]
    rows = list(csv.DictReader((tmp_path / "run/training.csv").open()))
    assert [row["step"] for row in rows] == ["2", "4", "6"]
    assert all(float(row["loss"]) > 0 for row in rows)


def test_the_average_is_that_of_the_formula(tmp_path):
    network = keras.Sequential([keras.Input((None, None, 1)), layers.Conv2D(1, 1)])
    model = Restorer(network, layers.Rescaling(1.0))
    chosen = settings(tmp_path, ema=0.75, clip=0.0, steps=1000)
    model.compile(training.optimizer(chosen.descent), "mse")
    trained = []
    for _ in range(3):
        model.train_on_batch(rng.integers(0, 256, (2, 8, 8, 1), dtype=np.uint8))
        trained.append(network.get_weights()[0])
    expected = 0.75 * (0.75 * trained[0] + 0.25 * trained[1]) + 0.25 * trained[2]
    np.testing.assert_allclose(averaged(model)[0], expected, rtol=1e-6)
    np.testing.assert_array_equal(network.get_weights()[0], trained[-1])


def test_the_label_is_the_centre_of_the_clean_patch():
    image = keras.Input((None, None, 1))
    network = keras.Model(image, image[:, 1:-1, 1:-1])  # as a pass without padding
    model = Restorer(network, layers.Rescaling(1.0, offset=0.1), context=2)
    model.compile(loss="mse")
    clean = rng.integers(0, 256, (2, 12, 12, 1), dtype=np.uint8)
    restored = model(clean)
    expected = clean[:, 3:-3, 3:-3] / 255 + 0.1
    np.testing.assert_allclose(ops.convert_to_numpy(restored), expected, atol=1e-6)
    loss = model.compute_loss(ops.convert_to_tensor(clean), None, restored)
    np.testing.assert_allclose(float(loss), 0.01, rtol=1e-5)


def test_patches_of_unknown_sizes_train():
    if keras.backend.backend() != "tensorflow":
        pytest.skip("only TensorFlow traces unknown sizes")
    import tensorflow as tf

    image = keras.Input((None, None, 1))
    model = Restorer(keras.Model(image, image[:, 1:-1, 1:-1]), layers.Rescaling(1.0, offset=0.1))
    model.compile(loss=AsyMSE(lambda label: ops.ones_like(label)))
    batches = [np.zeros((n, 8 + n, 9, 1), np.uint8) for n in (2, 3)]
    spec = tf.TensorSpec((None, None, None, 1), tf.uint8)
    data = tf.data.Dataset.from_generator(lambda: iter(batches), output_signature=spec)
    logs = model.evaluate(data, steps=2, verbose=0, return_dict=True)
    assert logs["loss"] == pytest.approx(0.01, rel=1e-5)
    assert logs["psnr"] == pytest.approx(20, abs=1e-3)


def test_a_flat_patch_leaves_the_psnr_of_a_piece_finite():
    network = keras.Sequential([keras.Input((None, None, 1)), layers.Identity()])
    model = Restorer(network, layers.Rescaling(1.0, offset=0.1))
    model.compile(loss="mse")
    patches = np.zeros((4, 8, 8, 1), np.uint8)
    patches[0] = 255  # clipped to white it has no error; the others have 0.1 in every pixel
    logs = model.test_on_batch(patches, return_dict=True)
    np.testing.assert_allclose(logs["psnr"], -10 * np.log10(0.0075), rtol=1e-5)


def test_steps_of_other_backends_are_the_batches_in_order():
    patches = Patches.of(IMAGES, 8, 4, seed=0)
    steps = Steps(patches, 3, 8)
    next(iter(steps))  # as fit does before it starts over
    assert len(steps) == 5
    for step, (batch,) in zip(range(3, 8), steps, strict=True):
        np.testing.assert_array_equal(batch, patches.numpy_batch(step))


def test_batches_come_in_order_whichever_is_ready_first():
    class Uneven:
        def numpy_batch(self, step):
            time.sleep(0.02 if step % 3 == 0 else 0.0)
            return step

    assert [step for (step,) in Steps(Uneven(), 5, 60)] == list(range(5, 60))


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_labels_in_floating_point_keep_their_digits(precision):
    """Also those beyond white: of 5 + 1/512, which bfloat16 rounds to 5, nothing is lost."""
    light = np.full((2, 8, 8, 1), 5 + 1 / 512, np.float32)
    with computing_in(precision):
        identity = keras.layers.Lambda(lambda image: image, dtype="float32")
        image = keras.Input((None, None, 1), dtype="float32")
        model = Restorer(keras.Model(image, identity(image)), identity, linear=True)
        model.compile(loss="mse")
    np.testing.assert_array_equal(convert_to_numpy(model(light)), light)
    logs = model.test_on_batch(light + 1, return_dict=True)
    assert logs["loss"] == 0.0
    assert logs["psnr"] == np.inf  # both are clipped to white


def test_the_card_of_a_network_of_linear_light_says_so(tmp_path):
    noisy_run(settings(tmp_path, linear=True))
    card = json.loads((tmp_path / "run/network.json").read_text())
    assert card["use"]["linear"] is True
    with pytest.raises(TrainingError, match="--validation scores values of sRGB, and --linear"):
        noisy_run(settings(tmp_path / "other", linear=True, validation=str(tmp_path)))


TEXTS = {  # what the options take, and what it is in Python
    "weighting": {
        "power:1,0.05": asykeras.Power(1.0, epsilon=0.05),
        "slope:mulaw:5000": asykeras.Slope(asykeras.MuLaw(5000.0)),
        "noise:5.1,2": asykeras.NoiseVariance(5.1 / 255, read_noise=2 / 255),
        "steps:0.1=4,0.5=2,1": asykeras.Steps([0.1, 0.5], values=[4.0, 2.0, 1.0]),
        "annealed:100:power:2,0.1": asykeras.Annealed(asykeras.Power(2.0, epsilon=0.1), steps=100),
    },
    "domain": {
        "srgb": asykeras.SRGB(),
        "gamma:2.2": asykeras.Gamma(2.2),
        "mulaw:5000": asykeras.MuLaw(5000.0),
        "log:0.01": asykeras.Log(0.01),
        "reinhard": asykeras.Reinhard(),
        "pq:100": asykeras.PQ(100.0),
        "pu21:100": asykeras.PU21(100.0),
        "anscombe:5.1,2": asykeras.Anscombe(5.1 / 255, read_noise=2 / 255),
        "window:0.4,0.2": asykeras.Window(0.4, width=0.2),
    },
}


@pytest.mark.parametrize(
    ("setting", "text"), [(kind, text) for kind, texts in TEXTS.items() for text in texts]
)
def test_weightings_and_curves_by_their_texts(setting, text):
    given = {setting: text, "loss": "asy_mae", "reference": "prediction"}
    loss, expected = make_loss(Objective(**given)), TEXTS[setting][text]
    found = getattr(loss, setting)
    assert type(found) is type(expected)
    theirs, ours = (each.get_config() | {"counter": ""} for each in (found, expected))  # a new one
    assert theirs == ours
    assert loss.reference == "prediction"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"weighting": "heavy"}, "--weighting knows .*power.*Received: 'heavy'"),
        ({"weighting": "power:a"}, "power takes numbers. Received: 'power:a'"),
        ({"weighting": "annealed:soon:power"}, "annealed:STEPS:WEIGHTING. Received: 'annealed:s"),
        ({"domain": "srgb:1"}, "srgb takes 0 numbers. Received: 'srgb:1'"),
        ({"domain": "film"}, "--domain knows .*mulaw.*Received: 'film'"),
    ],
)
def test_texts_that_name_no_weighting_or_curve(given, message):
    with pytest.raises((TrainingError, ValueError), match=message):
        make_loss(Objective(loss="asy_mse", **given))


def test_a_run_with_an_annealed_weight_goes_on_where_it_was(tmp_path):
    """Its step is state of the checkpoint: cut and resumed, the run ends with the same bits."""
    chosen = {"loss": "asy_mse", "weighting": "annealed:4:power:2,0.05"}
    whole = noisy_run(settings(tmp_path / "whole", **chosen))
    with pytest.raises(KeyboardInterrupt):
        noisy_run(settings(tmp_path / "cut", **chosen), stop_after=1)
    resumed = noisy_run(settings(tmp_path / "cut", resume=True, **chosen))
    for one, other in zip(whole, resumed, strict=True):
        np.testing.assert_array_equal(one, other)
    plain = noisy_run(settings(tmp_path / "plain", **chosen | {"weighting": "power:2,0.05"}))
    assert any((one != other).any() for one, other in zip(whole, plain, strict=True))


def test_losses_by_name():
    options = {"weighting": "quartile", "quantile": 0.75, "apply_to": "images", "balanced": True}
    loss = make_loss(Objective(loss="asy_mae", normalize=True, **options))
    expected = AsyMAE(Quartile(0.75), apply_to="images", normalize=True, balanced=True)
    assert loss.get_config() == expected.get_config()
    assert type(make_loss(Objective(loss="asy_mse"))) is AsyMSE
    assert type(make_loss(Objective(loss="mae"))) is keras.losses.MeanAbsoluteError
    keras.config.set_image_data_format("channels_first")  # whose networks are channels last
    assert make_loss(Objective(loss="asy_mse")).data_format == "channels_last"


def all_finite(item):
    assert not isinstance(item, h5py.Dataset) or np.isfinite(item[()]).all()


def test_a_loss_that_is_not_finite_stops_the_run(tmp_path):
    chosen = settings(tmp_path, learning_rate=1e30, clip=0.0, schedule="constant")
    with pytest.raises(TrainingError, match="the loss became (nan|inf) at step [1-6]; the last"):
        noisy_run(chosen)
    for path in (tmp_path / "run/checkpoints").glob("*.h5"):
        with h5py.File(path) as file:
            file.visititems(lambda _, item: all_finite(item))
    assert not (tmp_path / "run/network.weights.h5").exists()


def test_a_loss_that_is_not_finite_stops_the_run_at_the_end_of_its_piece(tmp_path):
    """And nothing of that piece is written."""
    chosen = settings(tmp_path, learning_rate=1e30, clip=0.0, schedule="constant", every=6)
    with pytest.raises(TrainingError, match="the loss became (nan|inf) at step 6; the last"):
        noisy_run(chosen)
    assert not list((tmp_path / "run/checkpoints").glob("*"))


class Loss:
    """A number on a device, which counts how often somebody waits for it."""

    def __init__(self, value):
        self.value, self.read = value, 0

    def __float__(self):
        self.read += 1
        return self.value


def counting(tmp_path, signals=(), **changes):
    """Return the list of callbacks of a run that shows its progress, and that callback."""
    (tmp_path / "run/checkpoints").mkdir(parents=True, exist_ok=True)
    report = progress.Report(settings(tmp_path, **changes), tmp_path / "run", writes=True)
    seen = progress.Progress(report, 0, signals)
    model = mock.Mock(spec=["steps_per_execution"], steps_per_execution=1)
    return progress.Unread([seen], model=model), seen


@pytest.mark.parametrize("terminal", [True, False])
def test_the_loss_is_read_when_it_is_shown_at_most_twice_a_second(tmp_path, monkeypatch, terminal):
    now = iter(np.arange(0, 100, 0.1))
    monkeypatch.setattr(progress, "time", mock.Mock(monotonic=lambda: next(now)))
    monkeypatch.setattr(sys.stdout, "isatty", lambda: terminal)
    callbacks, seen = counting(tmp_path, quiet=False, steps=1000)
    loss = Loss(0.5)
    for step in range(50):  # a tenth of a second each
        callbacks.on_train_batch_end(step, {"loss": loss})
    assert seen.step == 50
    assert loss.read == (8 if terminal else 0)  # with 0.6 s in between


def test_a_loss_that_is_not_finite_is_told_where_it_is_shown(tmp_path, monkeypatch):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    callbacks, seen = counting(tmp_path, quiet=False)
    seen.shown -= 1
    with pytest.raises(TrainingError, match="the loss became nan at step 1; the last checkpoint"):
        callbacks.on_train_batch_end(0, {"loss": Loss(float("nan"))})


def test_a_signal_saves_nothing_of_a_loss_that_is_not_finite(tmp_path):
    callbacks, _ = counting(tmp_path, signals=[signal.SIGTERM])
    with pytest.raises(TrainingError, match="the loss became inf at step 1"):
        callbacks.on_train_batch_end(0, {"loss": Loss(float("inf"))})
    assert not list((tmp_path / "run/checkpoints").glob("*"))


def test_no_call_of_the_device_is_waited_for_inside_a_piece(tmp_path, monkeypatch):
    """By the loop of Keras itself: what the device returns is handed on unread."""
    kinds = []
    count = progress.Progress.on_train_batch_end

    def noted(self, batch, logs=None):
        kinds.append(type(logs["loss"]))
        count(self, batch, logs)

    monkeypatch.setattr(progress.Progress, "on_train_batch_end", noted)
    noisy_run(settings(tmp_path))
    assert len(kinds) == 6
    assert float not in kinds


def test_a_work_folder_in_use_is_refused(tmp_path):
    noisy_run(settings(tmp_path))
    with pytest.raises(TrainingError, match="already holds a run; go on with --resume"):
        noisy_run(settings(tmp_path))
    with pytest.raises(TrainingError, match="holds another run: its seed is 0, not 7"):
        noisy_run(settings(tmp_path, seed=7, resume=True))


def test_a_work_folder_that_is_a_file_is_refused(tmp_path):
    (tmp_path / "run").touch()
    with pytest.raises(TrainingError, match="the work folder .*run cannot be used: "):
        noisy_run(settings(tmp_path))


def test_pieces_must_divide_the_run(tmp_path):
    with pytest.raises(TrainingError, match="multiple of --every.* Received: 6, 4, 1"):
        noisy_run(settings(tmp_path, every=4))


# From here on: the SRCNN recipe as a user runs it.


@pytest.fixture
def photos(tmp_path):
    (tmp_path / "photos").mkdir()
    for n, image in enumerate(IMAGES):
        Image.fromarray(image[..., 0]).save(tmp_path / f"photos/{n}.png")
    return tmp_path / "photos"


def command(photos, workdir, **changes):
    chosen = {"data": photos, "workdir": workdir, "scale": 2, "variant": "9-1-5", "patch": 36}
    chosen |= {"steps": 4, "every": 2, "batch": 2, **changes}
    return [text for key, value in chosen.items() for text in (f"--{key}", str(value))]


def test_the_recipe_writes_a_network_that_loads(photos, tmp_path):
    arguments = command(
        photos, tmp_path / "run", validation=photos, loss="asy_mse", precision="bfloat16"
    )
    assert srcnn.main([*arguments, "--quiet"]) == 0
    keras.config.set_dtype_policy("float32")
    network = zoo.load(str(tmp_path / "run"))
    card = json.loads((tmp_path / "run/network.json").read_text())
    rows = list(csv.DictReader((tmp_path / "run/training.csv").open()))
    assert network.name == "srcnn_915_x2"
    assert card["training"]["settings"]["loss"] == "asy_mse"
    assert str(tmp_path) not in json.dumps(card)  # a card tells no paths
    assert 0 < float(rows[-1]["validation_psnr"]) < 60


@pytest.mark.slow
def test_a_card_names_the_start_of_a_run_and_no_path(photos, tmp_path):
    assert srcnn.main([*command(photos, tmp_path / "first"), "--quiet"]) == 0
    more = ["--init", str(tmp_path / "first"), "--quiet"]
    assert srcnn.main([*command(photos, tmp_path / "second"), *more]) == 0
    digest = hashlib.sha256((tmp_path / "first/network.weights.h5").read_bytes()).hexdigest()
    card = json.loads((tmp_path / "second/network.json").read_text())
    named = f"network.weights.h5, SHA-256 {digest}, 4 steps"
    assert card["training"]["settings"]["init"] == named
    for path in (tmp_path / "second").rglob("*.json"):
        assert str(tmp_path) not in path.read_text(), path
    (tmp_path / "second/network.weights.h5").unlink()
    again = [*command(photos, tmp_path / "second"), *more, "--resume"]
    assert srcnn.main(again) == 0
    assert srcnn.main([*command(photos, tmp_path / "second"), "--resume"]) == 1  # another start


def test_an_empty_folder_is_one_sentence(tmp_path, capsys):
    (tmp_path / "photos").mkdir()
    assert srcnn.main(command(tmp_path / "photos", tmp_path / "run")) == 1
    assert "photos holds no image" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_a_broken_image_is_one_sentence_and_leaves_nothing(photos, tmp_path, capsys):
    (photos / "broken.png").write_text("text")
    assert srcnn.main(command(photos, tmp_path / "run")) == 1
    assert "broken.png is not a PNG, JPEG" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_a_patch_larger_than_every_image_is_one_sentence(photos, tmp_path, capsys):
    assert srcnn.main(command(photos, tmp_path / "run", patch=41)) == 1
    assert "every image is smaller than the patch of 41 pixels" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_a_patch_smaller_than_its_borders_is_one_sentence(photos, tmp_path, capsys):
    assert srcnn.main(command(photos, tmp_path / "run", patch=28)) == 1
    assert "--patch must be at least 29 at scale 2 with 9-1-5" in capsys.readouterr().err


def test_an_unwritable_work_folder_is_one_sentence(photos, tmp_path, capsys):
    (tmp_path / "file").touch()
    assert srcnn.main(command(photos, tmp_path / "file/run")) == 1
    assert "the work folder" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"scale": 5}, "scale must be 2, 3 or 4. Received: scale=5"),
        ({"init": "absent"}, "'absent' is neither a published weight"),
        ({"validation": "absent"}, "there is no folder absent"),
    ],
)
def test_wrong_settings_are_one_sentence(photos, tmp_path, capsys, changes, message):
    assert srcnn.main(command(photos, tmp_path / "run", **changes)) == 1
    assert message in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_an_unknown_loss_is_refused_before_work(photos, tmp_path, capsys):
    with pytest.raises(SystemExit) as stop:
        srcnn.main(command(photos, tmp_path / "run", loss="l2"))
    assert stop.value.code == 2
    assert "invalid choice: 'l2'" in capsys.readouterr().err
