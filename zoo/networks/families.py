"""The families of networks, in one table, and `load`: from a weight to a network with it."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import keras

from zoo.machine.failures import reason
from zoo.networks import compact, dncnn, dphsir, edsr, ffdnet, mdsr, span, srcnn
from zoo.networks.foreign import Foreign, find_weight
from zoo.store.card import Argument, WeightsError
from zoo.store.claims import ContentError
from zoo.store.weight import Weight, array_sizes

# Arguments of builders that no file of a stranger may give: they would name another file.
NOT_OF_CARDS = {"weights", "name"}


@dataclass(frozen=True)
class Family:
    """Networks of one kind, and what builds one.

    Attributes:
        least: From the arguments of a card to the 3x3 convolutions that its file must hold at
            least, and the filters of each; a card may ask for any number.
        part: The network for one scale of one for several, which share a file.
    """

    build: Callable[..., keras.Model]
    least: Callable[[Mapping[str, Argument]], tuple[int, int]] = lambda arguments: (0, 0)
    part: Callable[[keras.Model, int], keras.Model] = lambda model, scale: model


def _least_of_edsr(arguments: Mapping[str, Argument]) -> tuple[int, int]:
    blocks, filters, _ = edsr.VARIANTS.get(str(arguments.get("variant", "baseline")), (0, 0, 0))
    return 2 * _count(arguments, "blocks", blocks), _count(arguments, "filters", filters)


def _count(arguments: Mapping[str, Argument], name: str, default: int) -> int:
    value = arguments.get(name) or default
    return value if isinstance(value, int) else default


FAMILIES = {
    "Compact": Family(
        compact.Compact,
        lambda card: (_count(card, "convolutions", 16), _count(card, "filters", 64)),
    ),
    "DPHSIR": Family(dphsir.DPHSIR),
    "DnCNN": Family(
        dncnn.DnCNN,
        lambda card: (_count(card, "depth", 2) - 2, _count(card, "filters", dncnn.FILTERS)),
    ),
    "EDSR": Family(edsr.EDSR, _least_of_edsr),
    "FFDNet": Family(ffdnet.FFDNet),
    "MDSR": Family(mdsr.MDSR, part=mdsr.at_scale),
    "SPAN": Family(span.SPAN, lambda card: (19, _count(card, "channels", 48))),
    "SRCNN": Family(srcnn.SRCNN),
}


def load(name: str | os.PathLike[str], **arguments: Argument) -> keras.Model:
    """Return a network with its weights.

    Args:
        name: A published weight, a `.weights.h5` file with its card beside it, the work folder of a
            finished recipe, a `.pth`, `.pt` or `.safetensors` file of SPAN or Compact, a folder
            that `export` wrote with `format="hub"`, or its address on the Hugging Face hub,
            `hf://owner/name` or `hf://owner/name@revision`.
        **arguments: Of the builder, instead of those of the card, where the same weights serve:
            `padding="valid"` of SRCNN.

    Raises:
        WeightsError: if it cannot be found, its SHA-256 is not the card's, or it does not fit
            the builder with these arguments.

    Example:
        >>> network = zoo.load("srcnn-955-x3")
        >>> without_border = zoo.load("srcnn-955-x3", padding="valid")
        >>> of_someone = zoo.load("hf://owner/name")  # needs asykeras[hub]
    """
    return build(find_weight(name), **arguments)


def build(weight: Weight, **arguments: Argument) -> keras.Model:
    """Return the network of a weight; arguments and errors as those of `load`."""
    card = weight.card
    family = FAMILIES.get(card.builder)
    if family is None:
        raise WeightsError(
            f"{weight.name}: its card names an unknown builder. Received: "
            f"builder={card.builder[:80]!r}"
        )
    try:
        if forbidden := NOT_OF_CARDS & card.arguments.keys():
            raise ValueError(f"{min(forbidden)} is no argument of a card")
        if not isinstance(weight, Foreign):  # whose tensors were compared already
            _check_size(weight.file, *family.least(card.arguments))
        model = family.build(**{**card.arguments, **arguments})
    except ContentError as error:
        raise WeightsError(f"{weight.file} cannot be read: {error}") from None
    except Exception as error:  # arguments may be of any kind
        whose = "these arguments do" if arguments else "its card does"
        text = f"{weight.name}: {whose} not fit {card.builder}: {reason(error)}"
        raise WeightsError(text) from None
    weight.load_into(model)
    return family.part(model, card.use.scale)


def _check_size(file: Path, layers: int, filters: int) -> None:
    """Refuse a network whose weights its file does not hold, before it is built."""
    if not layers:
        return
    sizes = array_sizes(file)
    if layers > len(sizes) or layers * 9 * filters**2 > sum(sizes):
        raise ValueError(
            f"its file of {sum(sizes):,} values cannot hold the weights of so many layers"
        )
