"""Which published weights are for a picture and a job, the best first, by what the cards say."""

import re
from collections.abc import Mapping, Sequence

from zoo.machine.failures import ZooError
from zoo.store.card import WHITE, Use
from zoo.store.weight import list_weights, published_card


class ChoiceError(ZooError):
    """A job that no published weight is for, with the reason in one sentence."""


def best_weight(
    colour: str, *, scale: int | None = None, sigma: float | None = None, quality: int | None = None
) -> str:
    """Return the published weight that does a job best.

    Of the weights whose `use` covers the job and the kind of picture, it is the one with the
    highest PSNR on the sample photographs, as its card has it; of those for noise first the one
    ahead at the level nearest to it that all were measured at, by a tenth of a dB. For files of
    JPEG below some quality those come first that are for such files, for all other pictures last.

    Args:
        colour: Of the picture: `"grey"`, `"rgb"`, `"cmyk"` or `"bands"`.
        scale: Factor to enlarge by; or
        sigma: level of the noise to remove in image units, 25 / 255 for 25 grey levels.
        quality: Of the JPEG file that the picture comes from, 1 to 100; None: of no such file.

    Raises:
        ChoiceError: if there is none, with what there is instead.
        ValueError: if not exactly one of `scale` and `sigma` is given.

    Example:
        >>> zoo.best_weight("rgb", scale=4)
        'edsr-baseline-x4'
    """
    return suitable_weights(colour, scale=scale, sigma=sigma, quality=quality)[0]


def suitable_weights(
    colour: str, *, scale: int | None = None, sigma: float | None = None, quality: int | None = None
) -> list[str]:
    """Return all published weights that do a job, the best first; see `best_weight`."""
    uses = check_job(scale, sigma)
    able = {name: use for name, use in uses.items() if _does(use, scale, sigma)}
    fitting = [name for name, use in able.items() if use.colours and colour in use.colours]
    if fitting:
        return _in_order(fitting, uses, quality, sigma)
    if scale is not None:
        raise ChoiceError(f"no published weight enlarges a {colour} picture by {scale}")
    others = [
        f"{name} is for {use.levels[0] * WHITE:g} to {use.levels[1] * WHITE:g}"
        for name, use in uses.items()
        if use.levels and use.colours and colour in use.colours
    ]
    known = f" ({'; '.join(others)})" if others else ""
    anyway = f"; --weights {next(iter(able))} takes it, with poor results" if able else ""
    level = (sigma or 0.0) * WHITE
    raise ChoiceError(
        f"no published weight removes noise of {level:g} grey levels from a {colour} picture"
        f"{known}{anyway}"
    )


def weights_for(colour: str, quality: int | None = None) -> list[str]:
    """Return all published weights for a kind of picture, the best of each scale first."""
    uses = {name: published_card(name).use for name in list_weights()}
    fitting = [name for name, use in uses.items() if use.colours and colour in use.colours]
    if not fitting:
        raise ChoiceError(f"no published weight is for {colour} pictures")
    return _in_order(fitting, uses, quality)


def nearest_level(colour: str, sigma: float) -> float:
    """Return the level of noise nearest to one, in image units, that a published weight is for.

    Example:
        >>> nearest_level("grey", 3 / 255) * 255  # dncnn-gray-25 is for 20 to 50
        20.0
    """
    uses = check_job(None, sigma).values()
    levels = [use.levels for use in uses if use.levels and colour in (use.colours or ())]
    nearest = [min(max(sigma, low), high) for low, high in levels]
    return min(nearest, key=lambda level: abs(level - sigma), default=sigma)


def check_job(scale: int | None, sigma: float | None) -> dict[str, Use]:
    """Refuse a job that no picture could be chosen a weight for; return how each weight is used."""
    if (scale is None) == (sigma is None):
        raise ValueError(f"give one of scale and sigma. Received: scale={scale}, sigma={sigma}")
    if sigma is not None and not 0 <= sigma < float("inf"):
        raise ValueError(f"sigma must be 0 or more. Received: sigma={sigma:g}")
    uses = {name: published_card(name).use for name in list_weights()}
    scales = sorted({use.scale for use in uses.values() if use.scale > 1})
    if scale is not None and scale not in scales:
        raise ChoiceError(
            f"published weights enlarge by {', '.join(map(str, scales))}. Received: scale={scale}"
        )
    return uses


def _does(use: Use, scale: int | None, sigma: float | None) -> bool:
    if sigma is None:
        return use.scale == scale
    return use.levels is not None and use.levels[0] <= sigma <= use.levels[1]


def _in_order(
    names: Sequence[str], uses: Mapping[str, Use], quality: int | None, sigma: float | None = None
) -> list[str]:
    """Return weights by their scale, the fittest for a picture of a quality first."""
    near = _near(names, sigma) if sigma is not None else dict.fromkeys(names, 0.0)

    def place(name: str) -> tuple[int, int, float, float]:
        use = uses[name]
        return use.scale, _fit(use, quality), -near[name], -_score(name)

    return sorted(names, key=place)


def _near(names: Sequence[str], sigma: float) -> dict[str, float]:
    """Return the PSNR of denoisers, in tenths of a dB, where all were measured nearest to a level.

    0 for all where they share no test.
    """
    tests = {name: {(t.data, t.task): t.psnr for t in published_card(name).tests} for name in names}
    shared = set.intersection(*(set(each) for each in tests.values()))
    levels = {
        test: int(found[1]) / WHITE
        for test in sorted(shared)
        if (found := re.fullmatch(r"sigma(\d+)", test[1]))
    }
    if not levels:
        return dict.fromkeys(names, 0.0)
    nearest = min(levels, key=lambda test: abs(levels[test] - sigma))
    return {name: round(tests[name][nearest], 1) for name in names}


def _fit(use: Use, quality: int | None) -> int:
    """Return 0 for a weight for files of JPEG like this one, 1 for any picture, 2 for others."""
    if not use.jpeg_below:
        return 1
    return 0 if quality is not None and quality < use.jpeg_below else 2


def _score(name: str) -> float:
    return max(test.psnr for test in published_card(name).tests if test.data == "samples")
