"""Total variation against scikit-image."""

import numpy as np
import pytest
from keras import ops
from skimage.restoration import denoise_tv_chambolle

from zoo.plug_and_play import Blur, Schedule, plug_and_play, total_variation

rng = np.random.default_rng(0)


@pytest.mark.parametrize(("strength", "iterations"), [(1.0, 50), (2.5, 7)])
def test_it_is_the_one_of_scikit_image(strength, iterations):
    pictures = rng.random((2, 9, 12, 3)).astype("float32")
    found = total_variation(strength, iterations)(ops.convert_to_tensor(pictures), 0.1)
    for number, picture in enumerate(pictures.astype(np.float64)):
        expected = denoise_tv_chambolle(
            picture, strength * 0.1, eps=0, max_num_iter=iterations, channel_axis=-1
        )
        np.testing.assert_allclose(ops.convert_to_numpy(found)[number], expected, atol=1e-5)


def test_it_is_a_prior_that_restores():
    clean = np.zeros((1, 32, 32, 1), np.float32)
    clean[:, 8:20, 10:25] = 1
    task = Blur(np.full((5, 5), 1 / 25))
    blurred = ops.convert_to_numpy(task.forward(clean))
    found = plug_and_play(
        task, blurred, total_variation(), Schedule(20 / 255, 2 / 255), truth=clean
    )
    error = np.mean((blurred - clean) ** 2)
    assert found.psnr[-1] > -10 * np.log10(error) + 6
    assert found.psnr[-1] > found.psnr[0]


def test_nothing_is_no_strength():
    with pytest.raises(
        ValueError, match="strength and iterations must be above 0. Received: strength=0"
    ):
        total_variation(0)
