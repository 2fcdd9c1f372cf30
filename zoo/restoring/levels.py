"""The level of the noise as it is found in a picture, where nobody gives it."""

from typing import Literal, NamedTuple, TypeAlias

from asykeras.noise_level import noise_of_rows
from zoo.pictures.picture import Picture, Rows
from zoo.restoring.network import Network, chain
from zoo.restoring.remarks import remark_on_level
from zoo.store.card import WHITE

AUTO: Literal["auto"] = "auto"
# Level of the noise in image units, None where there is none to give, or what is to be found.
Level: TypeAlias = float | Literal["auto"] | None
CLEAN = 2 / WHITE  # below it a picture is left as it is: clean ones, too, seem to hold a little


class Found(NamedTuple):
    """What is to be done with a picture whose noise was measured.

    Attributes:
        level: Of the noise in image units, as found or given.
        network: What restores the picture, None where there is nothing to do.
        remark: What a user should know.
    """

    level: float | None
    network: Network | None
    remark: str


def check_level(network: Network, sigma: Level) -> None:
    """Refuse a level that is another word, or is to be found for what takes none."""
    if isinstance(sigma, str) and sigma != AUTO:
        raise ValueError(f"sigma must be a number or 'auto'. Received: {sigma=}")
    if sigma == AUTO and not any(each.use.denoises for each in network.stages):
        raise ValueError(f"{network.name} takes no noise level. Received: {sigma=}")


def level_of(rows: Rows, picture: Picture) -> float:
    """Return the level of the noise in a picture, rounded to a tenth of a grey level of 255.

    Alpha is not looked at; a picture of less than 32 pixels a side raises `ValueError`.
    """
    shape = picture.height, picture.width, picture.channels - picture.alpha
    return round(noise_of_rows(rows, shape, picture.white) * WHITE, 1) / WHITE


def found(name: str, level: float, network: Network | None) -> Found:
    """Return what is to be done with a picture: what holds less than `CLEAN` is not denoised.

    The network removes noise of that level; of a chain the rest is done in any case.
    """
    said = f"{name} holds noise of {level * WHITE:.3g} grey levels"
    if network is not None and level >= CLEAN:
        more = remark_on_level(network, level)
        text = f"{said}, which {network.name} removes"
        return Found(level, network, f"{text}; {more}" if more else text)
    stages = () if network is None else network.stages
    rest = [each for each in stages if not each.use.denoises]
    text = f"{said}, less than {CLEAN * WHITE:g}: it is "
    if not rest:
        return Found(level, None, text + "left as it is")
    return Found(level, chain(rest), text + "not denoised")
