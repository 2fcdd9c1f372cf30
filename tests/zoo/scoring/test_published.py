"""Every published weight: its file, its card, and one number of it, recomputed."""

import re
from pathlib import Path

import pytest

import zoo
from recipes.publish import readme
from zoo.pictures.images import find_images, read_image, to_channels
from zoo.scoring.evaluate import evaluate, evaluate_with, mean
from zoo.scoring.tasks import Denoising, parse
from zoo.scoring.verify import SAMPLES, verify
from zoo.store.weight import PUBLISHED, published_card

README = Path(__file__).parents[3] / "README.md"
PLAN = README.parent / "recipes/TRAINING.md"
TESTS = {name: published_card(name).tests for name in zoo.list_weights()}
# JAX compiles a network for each size of the samples; one of a family is enough there, and GRUNet
# takes a minute.
ON_JAX = {"srcnn-955-x3", "edsr-baseline-x4", "dncnn-gray-25", "ffdnet-color", "span-x2"}
QUICK = {"srcnn-955-x3", "dncnn-gray-25"}


def on_jax(name):
    """Return the marks of a weight."""
    if name in QUICK:
        return ()
    return pytest.mark.slow_on_jax if name in ON_JAX else pytest.mark.once


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=on_jax(name)) for name in zoo.list_weights()]
)
def test_the_number_on_the_samples_is_repeated(name):
    """To 0.001 dB: no change of the program may change what a network computes."""
    rows = [row for row in verify(name) if row.test.data == "samples"]
    assert rows
    for row in rows:
        assert row.psnr == pytest.approx(row.test.psnr, abs=0.001)


SETS = {"Set5": "set5", "Set14": "set14", "B100": "bsds500/val", "BSD68": "bsd68"}
SETS |= {"CBSD68": "cbsd68", "Set12": "set12", "Kodak24": "kodak24"}
TOLD = re.compile(r"(\w+),? (?:x2-photo, )?(\d\d\.\d\d(?: / \d\d\.\d\d)*)")


@pytest.mark.parametrize("name", zoo.list_weights())
def test_the_plan_tells_the_numbers_of_the_card(name):
    """So a weight is not replaced by one that restores less, but where the plan says so.

    It tells "Set5 32.66 (Y rounded 32.63), B100 32.20" or, at 15, 25 and 50 or at 25 alone,
    "CBSD68 33.38 / 30.92 / 27.78, Kodak24 31.81 at 25"; of JPEG it tells quality 10, 20, 30 and 40.
    """
    (line,) = (line for line in PLAN.read_text().splitlines() if f"| {name} |" in line)
    found = TOLD.findall(re.sub(r" \(.*?\)", "", line.split("|")[-3]))
    assert found
    for name_of_set, numbers in found:
        tests = {t.task: f"{t.psnr:.2f}" for t in TESTS[name] if t.data == SETS[name_of_set]}
        if "/" in numbers:
            jpeg = [f"jpeg{quality}-luma" for quality in (10, 20, 30, 40)]
            tasks = jpeg if name in DEBLOCKING else [f"sigma{level}" for level in (15, 25, 50)]
            assert numbers == " / ".join(tests[task] for task in tasks)
        else:
            assert numbers == tests.get("sigma25", next(iter(tests.values())))


@pytest.mark.parametrize("name", zoo.list_weights())
def test_a_card_is_complete(name):
    card = published_card(name)
    assert card.more["licence"] == "Apache-2.0"
    assert card.bytes == (PUBLISHED / card.file).stat().st_size
    assert card.parameters == zoo.load(name).count_params()
    assert re.fullmatch("[0-9a-f]{40}", card.more["commit"])
    assert {"data", "settings", "versions", "hardware", "seconds"} <= set(card.training)
    assert all(test.protocol == parse(test.task).protocol() for test in card.tests)


def samples_of(name):
    (test,) = (test for test in published_card(name).tests if test.data == "samples")
    return test


IMAGES = [read_image(path) for path in find_images(SAMPLES / "test")]
ENLARGING = [name for name in zoo.list_weights() if published_card(name).use.scale > 1]
OF_JPEG = [name for name in ENLARGING if published_card(name).use.jpeg_below]
OF_ONE_SIZE = [name for name in zoo.list_weights() if published_card(name).use.scale == 1]
DENOISING = [name for name in OF_ONE_SIZE if published_card(name).use.levels]
DEBLOCKING = [name for name in OF_ONE_SIZE if published_card(name).use.jpeg_below]


# That the card tells the truth about the samples is the first test of this file.


@pytest.mark.parametrize("name", ENLARGING)
def test_a_network_that_enlarges_beats_bicubic(name):
    test = samples_of(name)
    assert test.psnr > mean(evaluate(None, IMAGES, parse(test.task)))["psnr"] + 0.5


@pytest.mark.parametrize("name", OF_JPEG)
def test_a_network_for_jpeg_files_beats_the_same_for_clean_pictures(name):
    test = samples_of(name)
    clean = evaluate(name.removesuffix("-photo"), IMAGES, parse(test.task))
    assert test.psnr > mean(clean)["psnr"] + 0.5


@pytest.mark.parametrize(
    "name", [each for each in ENLARGING if "srcnn" not in each and each not in OF_JPEG]
)
def test_a_network_that_enlarges_beats_srcnn_on_every_test_set(name):
    card = published_card(name)
    srcnn = {
        (test.data, test.task): test.psnr
        for test in published_card(f"srcnn-955-x{card.use.scale}").tests
    }
    both = [test for test in card.tests if (test.data, test.task) in srcnn]
    assert {"set5", "set14", "bsds500/val", "samples"} <= {test.data for test in both}
    assert all(test.psnr > srcnn[test.data, test.task] for test in both)


@pytest.mark.parametrize("name", DEBLOCKING)
@pytest.mark.parametrize("quality", [10, 40])
@pytest.mark.once
def test_a_network_for_artefacts_beats_the_file(name, quality):
    task = parse(f"jpeg{quality}-luma")
    parts = [image[:160, :240] for image in IMAGES]
    file = mean(evaluate(None, parts, task))["psnr"]
    assert mean(evaluate(name, parts, task))["psnr"] > file + 0.5


@pytest.mark.data
@pytest.mark.parametrize("name", DEBLOCKING)
def test_a_network_for_artefacts_is_one_db_above_the_files_of_the_test_sets(name, data):
    """By the numbers of the card, which `verify` repeats."""
    tests = [test for test in TESTS[name] if test.data != "samples"]
    assert len(tests) == 8
    for test in tests:
        images = map(read_image, find_images(data / test.data))
        assert test.psnr > mean(evaluate(None, images, parse(test.task)))["psnr"] + 1.0


def test_every_network_of_one_size_is_of_a_known_kind():
    assert sorted(DENOISING + DEBLOCKING) == OF_ONE_SIZE


def non_local_means(images, sigma):
    """Return the mean PSNR of scikit-image's, of the better of two strengths (of 0.5 to 0.9)."""
    restoration = pytest.importorskip("skimage.restoration")
    grey = images[0].shape[-1] == 1
    options = {"sigma": sigma, "patch_size": 5, "patch_distance": 6}
    options["channel_axis"] = None if grey else -1

    def psnr(strength):
        def clean(noisy):
            picture = noisy[..., 0] if grey else noisy
            found = restoration.denoise_nl_means(picture, h=strength * sigma, **options)
            return found.reshape(noisy.shape)

        return mean(evaluate_with(clean, images, Denoising(sigma)))["psnr"]

    return max(psnr(0.5), psnr(0.6))


@pytest.mark.parametrize("name", DENOISING)
@pytest.mark.once
def test_a_denoiser_beats_non_local_means_at_its_best_strength(name):
    task = parse(samples_of(name).task)
    grey = "grey" in published_card(name).use.colours
    parts = [image[100:260, 100:260] for image in IMAGES]
    images = [to_channels(part, "grey") for part in parts] if grey else parts
    best = non_local_means(images, task.sigma)
    assert best > 26  # it is a fair opponent: 20.2 dB without it
    assert mean(evaluate(name, images, task))["psnr"] > best + 0.5


@pytest.mark.slow
@pytest.mark.parametrize("name", DENOISING)
@pytest.mark.parametrize("end", [0, 1])
def test_a_denoiser_is_worth_it_from_15_to_its_highest_level(name, end):
    """By `zoo.restore`, as a user runs it, on two photographs."""
    sigma = max(published_card(name).use.levels[end], 15 / 255)
    grey = "grey" in published_card(name).use.colours
    images = [to_channels(image, "grey") if grey else image for image in IMAGES[1:3]]
    found = mean(evaluate(name, images, Denoising(sigma)))
    assert found["psnr"] > non_local_means(images, sigma) + 0.5


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", [n for n in DENOISING if published_card(n).use.levels[0] < 5 / 255]
)
def test_a_denoiser_removes_noise_of_5_too(name):
    """Where classical methods may lead, as the cards say: 34.15 dB is what noise of 5 leaves."""
    grey = "grey" in published_card(name).use.colours
    images = [to_channels(image, "grey") if grey else image for image in IMAGES[1:3]]
    assert mean(evaluate(name, images, Denoising(5 / 255)))["psnr"] > 34.15 + 1.5


@pytest.mark.parametrize("name", zoo.list_weights())
def test_a_published_number_stands_beside_one_that_was_measured_alike(name):
    """SRCNN's numbers are of Y rounded to 8 bit, which costs up to 0.1 dB."""
    for test in published_card(name).tests:
        task = parse(test.task)
        if test.published and task.scale > 1:
            alike = "Y rounded" if task.rounded_luma else "Y in floating point"
            assert alike in test.protocol
            assert "Y rounded" not in test.published_note
            assert task.rounded_luma or not name.startswith("srcnn")


@pytest.mark.slow
@pytest.mark.parametrize("name", zoo.list_weights())
def test_tiles_have_the_score_of_what_is_published(name):
    """`zoo.restore`, in small tiles."""
    test, network = samples_of(name), zoo.open_network(name)
    task = parse(test.task)
    images = [
        to_channels(each, "grey") if network.channels == 1 and task.sigma else each
        for each in IMAGES
    ]

    def tiled(degraded):
        return zoo.restore(network, degraded, sigma=task.sigma, tile=96)

    found = mean(evaluate_with(tiled, images, task))
    assert found["psnr"] == pytest.approx(test.psnr, abs=0.001)


@pytest.mark.data
@pytest.mark.slow
@pytest.mark.parametrize("name", zoo.list_weights())
def test_every_number_of_the_card_is_repeated(name, data):
    rows = verify(name, str(data))
    assert not any(row.differs for row in rows), rows


def test_the_readme_holds_the_table_of_the_cards():
    text = README.read_text()
    assert readme.put_into(text) == text
