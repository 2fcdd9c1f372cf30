"""What is public, what may be given by position, and how errors are worded."""

import ast
import inspect
import re
from pathlib import Path

import pytest

import asykeras
from asykeras import errors, plots

POSITIONAL = {
    "AsymmetricLoss": "error weighting",
    **dict.fromkeys(["AsyMSE", "AsyMAE"], "weighting"),
    "Quartile": "quantile",
    "Reciprocal": "epsilon",
    "Weighting": "",
    "Power": "power",
    "Slope": "curve",
    "NoiseVariance": "gain",
    "Density": "weights",
    "Steps": "thresholds",
    "Annealed": "weighting",
    "StepCounter": "",
    **dict.fromkeys(["Curve", "SRGB", "Reinhard"], ""),
    "Gamma": "gamma",
    "MuLaw": "mu",
    "Log": "epsilon",
    **dict.fromkeys(["PQ", "PU21"], "peak"),
    "Anscombe": "gain",
    "Window": "centre",
    **dict.fromkeys(["squared_error", "absolute_error"], "y_true y_pred"),
    "errors.Huber": "delta",
    "errors.Charbonnier": "epsilon",
    **dict.fromkeys(["psnr", "ssim", "rmse", "nrmse"], "y_true y_pred"),
    **dict.fromkeys(["PSNR", "SSIM", "RMSE", "NRMSE"], ""),
    **dict.fromkeys(["grey", "rgb_to_luma", "rgb_to_ycbcr", "ycbcr_to_rgb"], "image"),
    "bicubic_resize": "image scale",
    **dict.fromkeys(["BicubicResize", "BicubicDownscale", "BicubicDegrade"], "scale"),
    "estimate_noise": "image",
    "GaussianNoise": "sigma",
    "PoissonGaussianNoise": "gain",
    "JpegCompression": "quality",
    "PhotoDownscale": "scale",
    "Blur": "kernel",
    "Mask": "mask",
    "plots.page": "width height",
    "plots.weight_map": "label weights",
    "plots.comparison": "images region",
    "plots.score_bars": "names columns",
    "plots.save": "figure path",
}
SOURCES = sorted(Path(asykeras.__file__).parent.glob("*.py"))
VALUE = "\N{WHITE SQUARE}"


@pytest.mark.parametrize("name", POSITIONAL)
def test_all_else_is_given_by_name(name):
    item = asykeras
    for part in name.split("."):
        item = getattr(item, part)
    function = item.__init__ if isinstance(item, type) else item
    given = [
        parameter.name
        for parameter in inspect.signature(function).parameters.values()
        if parameter.kind == parameter.POSITIONAL_OR_KEYWORD and parameter.name != "self"
    ]
    assert given == POSITIONAL[name].split()


def test_the_table_above_holds_every_public_name():
    assert set(asykeras.__all__) - {"__version__"} == {
        name for name in POSITIONAL if "." not in name
    }
    public = {
        f"{module.__name__.removeprefix('asykeras.')}.{name}"
        for module in (errors, plots)
        for name, item in vars(module).items()
        if getattr(item, "__module__", None) == module.__name__ and not name.startswith("_")
    }
    also_above = {"errors.squared_error", "errors.absolute_error"}
    assert public - also_above == {name for name in POSITIONAL if "." in name}


@pytest.mark.parametrize("metric", [asykeras.PSNR, asykeras.SSIM, asykeras.RMSE, asykeras.NRMSE])
def test_unknown_options_are_refused(metric):
    with pytest.raises(TypeError, match="unexpected keyword argument 'boarder'"):
        metric(boarder=2)
    with pytest.raises(TypeError, match="unexpected keyword argument 'window_size'"):
        metric._function([0.0], [0.0], window_size=2)
    with pytest.raises(TypeError, match="positional argument"):
        metric(255)


def refusals():
    """Return the text of every ValueError and TypeError, with a square for each value."""
    found = {}
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
                if node.exc.func.id in ("ValueError", "TypeError"):
                    found[f"{path.name}:{node.lineno}"] = text_of(*node.exc.args)
    return found


def text_of(message):
    parts = message.values if isinstance(message, ast.JoinedStr) else [message]
    return "".join(part.value if isinstance(part, ast.Constant) else VALUE for part in parts)


REFUSALS = refusals()


@pytest.mark.parametrize("place", REFUSALS)
def test_errors_are_a_sentence_and_what_was_received(place):
    received = rf"[\w.{VALUE}]+=({VALUE}|None)"
    assert re.fullmatch(rf".*[^.]\. Received: {received}(, {received})*", REFUSALS[place])


def test_the_errors_were_found():
    assert len(REFUSALS) >= 40
