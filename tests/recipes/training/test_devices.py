"""Several devices and several processes take the steps that one device takes."""

import json
import os
import platform
import socket
import subprocess
import sys
from types import SimpleNamespace

import h5py
import keras
import numpy as np
import pytest

from recipes.training import devices as devices_module
from recipes.training.devices import hardware, open_devices, processor
from recipes.training.run import description
from recipes.training.settings import Machines, Settings, TrainingError
from tests.recipes.training.distributed_run import photographs

STEPS, RATE, CLIP, BATCH, PATCH = 6, 0.1, 1.0, 8, 16
# What another order of the same sums may change. A gradient is a sum over the pixels of a batch,
# which rounding changes by about u sqrt(pixels) of its size, u = 2^-24; its norm is clipped to 1.
# Each step moves the weights by the rate times that; the factor 2 is for what one step passes on
# to the next.
TOLERANCE = 2 * STEPS * RATE * CLIP * 2**-24 * np.sqrt(BATCH * PATCH * PATCH)


def start(tmp_path, name, **changes):
    devices = int(changes.pop("number", 1))
    given = {
        "data": str(tmp_path / "photos"),
        "workdir": str(tmp_path / name),
        "optimizer": "sgd",
        "learning_rate": RATE,
        "schedule": "constant",
        "clip": CLIP,
        "ema": 0.5,
        "steps": STEPS,
        "every": STEPS // 2,
        "batch": BATCH,
        "patch": PATCH,
        "validation": str(tmp_path / "photos"),
        "quiet": True,
        "out": str(tmp_path / f"{name}.npz"),
        **changes,
    }
    if keras.backend.backend() == "tensorflow":
        given["logical"] = devices
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    environment["XLA_FLAGS"] = f"--xla_force_host_platform_device_count={devices}"
    return subprocess.Popen(
        [sys.executable, "-m", "tests.recipes.training.distributed_run", json.dumps(given)],
        env=environment,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(tmp_path, name, *processes):
    for process in processes:
        _, errors = process.communicate(timeout=150)
        assert process.returncode == 0, errors
    return list(np.load(tmp_path / f"{name}.npz").values())


def assert_same_steps(one, several):
    for first, second in zip(one, several, strict=True):
        np.testing.assert_allclose(second, first, rtol=0, atol=TOLERANCE)


def moved(workdir):
    """Return by how much the later half of a run changed the weights at most."""
    earlier, later = (arrays(path) for path in sorted((workdir / "checkpoints").glob("step-*.h5")))
    return max(np.abs(earlier[name] - later[name]).max() for name in earlier)


def arrays(path):
    found = {}

    def keep(name, item):
        if isinstance(item, h5py.Dataset):
            found[name] = item[()]

    with h5py.File(path) as file:
        file["layers"].visititems(keep)
    return found


@pytest.mark.slow
@pytest.mark.skipif(keras.backend.backend() == "torch", reason="one device on PyTorch")
def test_two_devices_take_the_steps_of_one(tmp_path):
    photographs(tmp_path / "photos")
    one = finish(tmp_path, "one", start(tmp_path, "one"))
    two = finish(tmp_path, "two", start(tmp_path, "two", number=2, devices="all"))
    assert_same_steps(one, two)
    assert moved(tmp_path / "one") > 1000 * TOLERANCE


@pytest.mark.slow_on_jax
@pytest.mark.skipif(keras.backend.backend() != "jax", reason="several processes need JAX")
def test_two_processes_take_the_steps_of_one(tmp_path):
    photographs(tmp_path / "photos")
    one = finish(tmp_path, "one", start(tmp_path, "one"))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        coordinator = f"127.0.0.1:{free.getsockname()[1]}"
    hosts = {"coordinator": coordinator, "processes": 2}
    pair = [start(tmp_path, "two", **hosts, process_id=number) for number in (0, 1)]
    assert_same_steps(one, finish(tmp_path, "two", *pair))


@pytest.mark.slow
def test_a_run_goes_on_with_another_number_of_devices(tmp_path):
    photographs(tmp_path / "photos")
    one = finish(tmp_path, "one", start(tmp_path, "one"))
    part = start(tmp_path, "two", minutes=1e-9)
    assert "stopped at step 3 of 6" in part.communicate()[1]
    two = finish(tmp_path, "two", start(tmp_path, "two", number=2, devices="2", resume=True))
    assert_same_steps(one, two)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"devices": "two"}, "--devices must be a number or all. Received: 'two'"),
        ({"devices": "99"}, "--devices 99 asks for more than the "),
        ({"processes": 2}, "--coordinator HOST:PORT and --processes N belong together"),
        ({"process_id": 1}, "--process-id must be from 0 to --processes - 1. Received: 1 of 1"),
    ],
)
def test_wrong_devices_are_one_sentence(changes, message):
    with pytest.raises(TrainingError) as error:
        with open_devices(Machines(**changes), 64):
            pass
    assert message in str(error.value)


@pytest.fixture
def two_gpus(monkeypatch):
    """Let the backend report two GPUs and, as it always does, the CPU."""
    named = "NVIDIA H100 80GB HBM3"
    if keras.backend.backend() == "jax":
        import jax

        kinds = [("gpu", named), ("gpu", named), ("cpu", "cpu")]
        found = [SimpleNamespace(platform=platform, device_kind=kind) for platform, kind in kinds]
        monkeypatch.setattr(jax, "devices", lambda: found)
    elif keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        there = {"GPU": ["/gpu:0", "/gpu:1"], "TPU": [], "CPU": ["/cpu:0"]}
        monkeypatch.setattr(tf.config, "list_physical_devices", there.__getitem__)
        details = {name: {"device_name": named} for name in there["GPU"]}
        monkeypatch.setattr(tf.config.experimental, "get_device_details", details.__getitem__)
    else:
        pytest.skip("two backends are told")


@pytest.mark.parametrize(("devices", "count"), [("1", 1), ("2", 2), ("all", 2)])
def test_a_card_names_the_accelerators_that_a_run_used(two_gpus, devices, count):
    chosen = Settings.of(data="-", workdir="-", devices=devices)
    assert description(chosen, 1.0)["hardware"] == f"{count} x NVIDIA H100 80GB HBM3"


def test_a_card_names_the_processor_where_there_is_no_accelerator(monkeypatch):
    monkeypatch.setattr(devices_module, "_accelerators", list)
    assert hardware(Machines()) == f"{processor()}, {os.cpu_count()} CPU cores"


@pytest.mark.parametrize(
    ("told", "name"),
    [
        ("processor\t: 0\nmodel\t\t: 17\nmodel name\t: AMD EPYC 9R14\n" * 2, "AMD EPYC 9R14"),
        ("processor\t: 0\nBogoMIPS\t: 50.00\n", platform.machine()),  # as on ARM
        ("model name\t:\n", platform.machine()),
        (None, platform.machine()),  # not on Linux
    ],
)
def test_a_processor_has_the_name_that_linux_tells(told, name, tmp_path):
    if told is not None:
        (tmp_path / "cpuinfo").write_text(told)
    assert processor(tmp_path / "cpuinfo") == name


def test_a_batch_that_does_not_divide_is_refused_before_work(tmp_path):
    process = start(tmp_path, "run", number=2, devices="all", batch=7)
    _, errors = process.communicate()
    assert process.returncode == 1
    assert "--batch must be a multiple of the 2 devices. Received: 7" in errors
    assert not (tmp_path / "run").exists()
