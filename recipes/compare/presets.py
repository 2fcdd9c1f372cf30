"""Protocols: one for each of the paper's Tables 2 to 5, and a small one that tries the machinery.

A protocol says what the paper states and how each thing is chosen that the paper leaves open. Both
are printed in the report. No choice was made by looking at the difference between two losses.
"""

from dataclasses import dataclass, field
from typing import Any, TypeAlias

LOSSES = ("mae", "mse", "asy_mae", "asy_mse")  # the order of the paper's columns
SET14_TEN = (
    *("baboon", "barbara", "bridge", "coastguard", "comic"),
    *("face", "flowers", "foreman", "lenna", "man"),
)
SET12_TEN = tuple(f"{number:02d}" for number in range(3, 13))
BSD68_TEN = tuple(f"test{n:03d}" for n in (45, 18, 62, 13, 4, 28, 17, 52, 49, 14))


# The value of a setting of a recipe; its dataclass says the type.
Setting: TypeAlias = Any


@dataclass(frozen=True)
class Preset:
    """A protocol; its folders are below the data folder."""

    network: str  # name of the recipe that trains it
    table: int  # of the paper, that it answers
    tasks: tuple[str, ...]  # "x3": super-resolution by 3, "sigma25": denoising at that level
    train: str  # folders of training images, with commas between
    test: str  # folder of the test images
    names: tuple[str, ...]  # stems of the test images, in the order of the table; empty: all
    settings: dict[str, Setting]  # of the recipe, where they are not its defaults
    stated: tuple[str, ...]  # what the paper says about this experiment
    choices: dict[str, str]  # what it leaves open -> what is done here, and why
    patches: dict[str, int] = field(default_factory=dict)  # side of the clean patch, by task
    validation: str = "div2k_valid_256crop"  # images for the curves; empty: no such curve
    losses: tuple[str, ...] = LOSSES
    seeds: int = 5  # fewer decide nothing
    ablation_seeds: int = 1  # of each row of the ablation; 0: no ablation
    ablation: tuple[str, ...] = ()  # names of its rows; empty: all


LOSS_CHOICES = {
    "form of the asymmetric loss": "Eqs. 2 and 5: M = 0.5 tanh(1 / (y + 1e-10)) + 0.5 multiplies "
    "the error of each pixel. Table 1 of the paper describes another form: see the ablation.",
    "normalisation (Eq. 1)": "off: labels are 8-bit values / 255. The paper's own evaluation was "
    "not normalised either. On in the ablation, per training patch.",
    "gradient clipping": "none, so that the scale of a loss cannot matter through it. Adam itself "
    "does not see a constant factor of the loss.",
    "averaged weights": "exponential, over the last 4 % of the steps: momentum 1 - 25 / steps, at "
    "most 0.999.",
    "runs": "several seeds. A seed gives the same initial weights, samples and noise to every "
    "loss; the paper has one run per cell.",
    "which weights are evaluated": "those of the last step. No validation score selects anything; "
    "the validation images are for the curves alone.",
    "the column RMSE": "NRMSE, the norm of (reference - output) over the norm of the reference: "
    "that reproduces the paper's columns in Tables 4 and 5.",
    "SSIM": "7x7 equal weights, scikit-image's default, which fits the paper's denoising tables; "
    "--window gaussian gives the 11x11 Gaussian of 1.5 instead. Both are in scores.csv.",
}
SUPER_RESOLUTION_CHOICES = {
    "test images": "the paper's ten are not named and were not identified: the first ten of Set14 "
    "in alphabetical order.",
    "scale": "not stated: x3 and x2, a network for each.",
    "low-resolution images": "MATLAB's bicubic (antialiased), 8 bit when testing.",
    "what is scored": "output rounded to 8 bit, Y of BT.601 in floating point, a border of `scale` "
    "pixels removed; greyscale files on their own values.",
}
DENOISING_CHOICES = {
    "noise": "the level is not stated; sigma = 25/255 fits the paper's numbers. Neither clipped "
    "nor rounded. One noise per test image, the same for every network.",
    "colour or grey": "grey: the references of the paper's tables are the grey files.",
    "what is scored": "the whole image, output clipped to [0, 1], not rounded.",
}
SRCNN_CHOICES = {
    "kernel sizes": "9-1-5 with 64 and 32 filters, the network of the reference that the paper "
    "gives (ECCV 2014); 9-5-5 came with its later journal version.",
    "colour or grey": "Y of BT.601, as that reference.",
    "patch": "33x33 pixels into the network, 21x21 out of it without padding, as that reference's "
    "code; flips and quarter turns.",
    "batch, steps": "64 and 5,000 (the reference: batches of 128, 8e8 backpropagations).",
    "optimiser": "Adam, rate 0.003 after a warm-up, cosine to a hundredth of it (the reference: "
    "SGD at 0.0001, far longer). Of 0.001, 0.003 and 0.006 the rate was chosen with plain MSE "
    "alone, another seed and the validation images: 31.90, 32.00 and 32.00 dB after 2,000 steps.",
    "initial weights": "He normal (the reference: a Gaussian of 0.001, which Adam escapes slowly).",
    "precision": "float32: the network is so small that bfloat16 makes no step shorter.",
}
EDSR_CHOICES = {
    "size of the network": "baseline: 16 blocks, 64 filters. The full one has 40 million "
    "parameters.",
    "colour or grey": "RGB, as the reference.",
    "patch": "48x48 low-resolution pixels, as the reference; flips and quarter turns.",
    "batch, steps": "16, as the reference, and 100,000 (the reference: 300,000).",
    "optimiser": "Adam, rate 0.0002 after a warm-up, cosine to a hundredth of it (the reference: "
    "0.0001, halved every 200,000 steps).",
    "precision": "bfloat16 layers, float32 weights; evaluated in float32.",
}
DNCNN_CHOICES = {
    "variant": "S: 17 layers, one level of noise.",
    "patch, batch, steps": "40x40, 128 and 100,000 (the reference: 50 epochs of 1,600).",
    "optimiser": "Adam, rate 0.001 after a warm-up, cosine to a hundredth of it (the reference's "
    "code: 0.001, a tenth of it after 30 of 50 epochs).",
    "precision": "bfloat16 layers, float32 weights; evaluated in float32.",
}
DPHSIR_CHOICES = {
    "what is trained": "GRUNet, the denoiser, on one grey band, with noise of any level up to "
    "50/255 and a map of the level as input. The plug-and-play solver has no part in denoising.",
    "patch, batch, steps": "64x64, 16 and 50,000; how the published denoiser was trained is not "
    "documented.",
    "optimiser": "Adam, rate 0.0003 after a warm-up, cosine to a hundredth of it.",
    "precision": "bfloat16 layers, float32 weights; evaluated in float32.",
}
BFLOAT16: dict[str, Setting] = {"clip": 0.0, "precision": "bfloat16"}


def _stated(network: str, images: str) -> tuple[str, ...]:
    return (
        f'network: {network}, "referring to the parameter settings in the literature"',
        f"training images: {images}",
        "losses: MAE, MSE and both with the asymmetric weights (Eqs. 3 to 5)",
        "metrics: PSNR, SSIM and RMSE (Eqs. 6 to 9) on ten images that are not in the training set",
    )


PRESETS = {
    "paper-table-2": Preset(
        network="srcnn",
        table=2,
        tasks=("x3", "x2"),
        train="bsds500/train",
        test="set14",
        names=SET14_TEN,
        settings={
            "variant": "9-1-5",
            "steps": 5000,
            "batch": 64,
            "learning_rate": 3e-3,
            "clip": 0.0,
            "precision": "float32",
        },
        patches={"x2": 33 + 16, "x3": 33 + 24, "x4": 33 + 32},
        stated=_stated("SRCNN", "BSD300, whose 200 training images these are"),
        choices={**SRCNN_CHOICES, **SUPER_RESOLUTION_CHOICES, **LOSS_CHOICES},
    ),
    "paper-table-3": Preset(
        network="edsr",
        table=3,
        tasks=("x2",),
        train="bsds500/train",
        test="set14",
        names=SET14_TEN,
        settings={"steps": 100_000, "batch": 16, "learning_rate": 2e-4} | BFLOAT16,
        patches={"x2": 96, "x3": 144, "x4": 192},
        ablation_seeds=0,
        stated=_stated("EDSR", "BSD300, whose 200 training images these are"),
        choices={**EDSR_CHOICES, **SUPER_RESOLUTION_CHOICES, "scale": "not stated: x2."}
        | LOSS_CHOICES,
    ),
    "paper-table-4": Preset(
        network="dncnn",
        table=4,
        tasks=("sigma25",),
        train="DIV2K/train",
        test="set12",
        names=SET12_TEN,
        settings={"steps": 100_000, "batch": 128} | BFLOAT16,
        ablation_seeds=0,
        stated=_stated("DnCNN", "DIV2K"),
        choices={
            "test images": "not named; they are Set12 03 to 12, found by their references.",
            **DENOISING_CHOICES,
            **DNCNN_CHOICES,
            **LOSS_CHOICES,
        },
    ),
    "paper-table-5": Preset(
        network="dphsir",
        table=5,
        tasks=("sigma25",),
        train="DIV2K/train",
        test="bsd68",
        names=BSD68_TEN,
        settings={"bands": 1, "sigma": 50.0, "steps": 50_000, "batch": 16} | BFLOAT16,
        ablation_seeds=0,
        stated=_stated("DPHSIR", "DIV2K"),
        choices={
            "test images": "not named; they are ten of BSD68, found by their references.",
            **DENOISING_CHOICES,
            **DPHSIR_CHOICES,
            **LOSS_CHOICES,
        },
    ),
}
