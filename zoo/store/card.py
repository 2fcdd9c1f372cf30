"""A card: which network a weights file is of, how it is used, and what was measured of it.

It is a JSON file beside the weights, written by recipes and importers, and perhaps by strangers:
what is read of it has the types that are said here, or the card is refused.
"""

import json
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import TypeAlias, TypeVar

from zoo.machine.failures import ZooError, reason
from zoo.machine.files import write_atomically

LARGEST_SCALE = 64  # of what a network may enlarge by: a picture of more would fit nowhere
COLOURS = ("grey", "rgb", "cmyk", "bands")
WHITE = 255.0  # cards and texts tell levels of noise in grey levels, the program in image units
LONGEST = 2**20  # bytes of a card
Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"
Argument: TypeAlias = "bool | int | float | str | None"
Kind = TypeVar("Kind", bool, int, float, str, list[Json], dict[str, Json])


class WeightsError(ZooError):
    """Weights that cannot be found, trusted or fitted, with the reason in one sentence."""


@dataclass(frozen=True)
class Use:
    """What stands around a network, and which pictures it is for.

    Attributes:
        scale: Factor by which image and network together enlarge; 1 for a denoiser.
        enlarge_first: Whether the network takes the image after bicubic enlargement by `scale`.
        takes_sigma: Whether the network's second input is the level of the noise.
        levels: Lowest and highest level of the noise that it is for, in image units; on the card in
            grey levels of 255.
        level: The one level that it was trained for, as `levels`: for another one the contrast of
            the picture is changed meanwhile, see `zoo.restoring.contrast`.
        colours: The pictures that it is for, of `COLOURS`; None where nothing is known.
        jpeg_below: Quality below which files of JPEG are what it is for; 0: it is for any picture.
        linear: Whether it takes and returns linear light, not values of sRGB.
    """

    scale: int = 1
    enlarge_first: bool = False
    takes_sigma: bool = False
    levels: tuple[float, float] | None = None
    level: float | None = None
    colours: tuple[str, ...] | None = None
    jpeg_below: int = 0
    linear: bool = False

    def __post_init__(self) -> None:
        """Refuse a use that cannot be.

        That is a factor below 1, levels that are none or lie in no order, a level for which the
        contrast cannot be changed, unknown colours, and a quality that is none.
        """
        low, high = self.levels or (0.0, 0.0)
        alone = self.level is None or (0 < low and 0 < self.level <= high)
        known = {*(self.colours or ())} <= {*COLOURS}
        known = known and 0 <= self.jpeg_below <= 100
        if self.scale < 1 or not 0 <= low <= high < math.inf or not alone or not known:
            raise WeightsError(
                f"a network cannot be used so. Received: use={_short(self.to_json())}"
            )

    @property
    def denoises(self) -> bool:
        """Whether it is for noise, of a level that it is given or that it is for."""
        return self.takes_sigma or self.levels is not None

    @classmethod
    def from_json(cls, said: dict[str, Json]) -> "Use":
        """Return the use that a card says; refuse one of other types, or that cannot be."""
        scale = take(said, "scale", int, 1)
        if scale > LARGEST_SCALE:
            known = f"no network enlarges by more than {LARGEST_SCALE}"
            raise WeightsError(f"{known}. Received: scale={scale}")
        levels = None
        if "levels" in said:
            pair = take(said, "levels", list)
            ends = {str(n): end for n, end in enumerate(pair)}
            levels = take(ends, "0", float) / WHITE, take(ends, "1", float) / WHITE
        return cls(
            scale=scale,
            enlarge_first=take(said, "enlarge_first", bool, False),
            takes_sigma=take(said, "takes_sigma", bool, False),
            levels=levels,
            level=take(said, "level", float) / WHITE if "level" in said else None,
            colours=tuple(map(str, take(said, "colours", list))) if "colours" in said else None,
            jpeg_below=take(said, "jpeg_below", int, 0),
            linear=take(said, "linear", bool, False),
        )

    def to_json(self) -> dict[str, Json]:
        """Return what a card says: what differs from the defaults, levels in grey levels."""
        said: dict[str, Json] = {
            "scale": self.scale,
            "enlarge_first": self.enlarge_first,
            "takes_sigma": self.takes_sigma,
            "levels": None if self.levels is None else [*map(_grey, self.levels)],
            "level": None if self.level is None else _grey(self.level),
            "colours": None if self.colours is None else [*self.colours],
            "jpeg_below": self.jpeg_below,
            "linear": self.linear,
        }
        return {name: value for name, value in said.items() if value != getattr(Use, name)}


@dataclass(frozen=True)
class Test:
    """What was measured of a weight.

    Attributes:
        data: Name of the folder of the images, in lower case.
        task: What was asked for, as `zoo.scoring.tasks.parse` reads it: `"x3"`, `"sigma25"`.
        psnr: Mean over the images in dB; `ssim`, `rmse` and `nrmse` alike.
        images: How many.
        protocol: How it was measured.
        published: Number of the literature to compare the PSNR with, in dB; 0: there is none.
        published_note: What that is.
    """

    data: str
    task: str
    psnr: float
    ssim: float = 0.0
    rmse: float = 0.0
    nrmse: float = 0.0
    images: int = 0
    protocol: str = ""
    published: float = 0.0
    published_note: str = ""

    @classmethod
    def from_json(cls, said: dict[str, Json]) -> "Test":
        """Return the test that a card says; refuse one that lacks something, as `take` does."""
        return cls(
            data=take(said, "data", str),
            task=take(said, "task", str),
            psnr=take(said, "psnr", float),
            ssim=take(said, "ssim", float, 0.0),
            rmse=take(said, "rmse", float, 0.0),
            nrmse=take(said, "nrmse", float, 0.0),
            images=take(said, "images", int, 0),
            protocol=take(said, "protocol", str, ""),
            published=take(said, "published", float, 0.0),
            published_note=take(said, "published_note", str, ""),
        )

    def __str__(self) -> str:
        return f"{self.data} ({self.images}), {self.task}"

    def beside(self) -> str:
        """Return the number in the literature to compare with, and what it is."""
        note = f" ({self.published_note})" if self.published_note else ""
        return f"{self.published:.2f}{note}" if self.published else ""


@dataclass(frozen=True)
class Card:
    """What is known of a weights file.

    Attributes:
        builder: Name of the function that builds the network.
        arguments: Those of the builder.
        use: How the network is used.
        training: Data, settings, versions and hardware, as the recipe wrote them.
        file: Name of the weights file.
        sha256: Of that file.
        bytes: Its size.
        parameters: Of the network.
        url: Where the file is fetched from, where it does not come with the package.
        more: What else stands on the card: licence, note, commit, ...
        tests: What was measured.
    """

    builder: str
    arguments: Mapping[str, Argument]
    use: Use
    training: Mapping[str, Json] = field(default_factory=dict)
    file: str = ""
    sha256: str = ""
    bytes: int = 0
    parameters: int = 0
    url: str = ""
    more: Mapping[str, Json] = field(default_factory=dict)
    tests: Sequence[Test] = ()

    @classmethod
    def from_json(cls, said: dict[str, Json]) -> "Card":
        """Return the card that a file says; refuse one that lacks something, as `take` does."""
        arguments: dict[str, Argument] = {}
        for name, value in take(said, "arguments", dict).items():
            if isinstance(value, list | dict):
                raise WeightsError(f"an argument is one value. Received: {name}={_short(value)}")
            arguments[name] = value
        tests = {str(n): test for n, test in enumerate(take(said, "tests", list, []))}
        known = {each.name for each in fields(cls)}
        return cls(
            builder=take(said, "builder", str),
            arguments=arguments,
            use=Use.from_json(take(said, "use", dict)),
            training=take(said, "training", dict, {}),
            file=take(said, "file", str, ""),
            sha256=take(said, "sha256", str),
            bytes=take(said, "bytes", int, 0),
            parameters=take(said, "parameters", int, 0),
            url=take(said, "url", str, ""),
            more={name: value for name, value in said.items() if name not in known},
            tests=tuple(Test.from_json(take(tests, number, dict)) for number in tests),
        )

    def to_json(self) -> dict[str, Json]:
        """Return the content of the file: what is known."""
        said: dict[str, Json] = {
            "training": dict(self.training),
            "file": self.file,
            "sha256": self.sha256,
            "bytes": self.bytes,
            "parameters": self.parameters,
            "url": self.url,
            **self.more,
            "tests": [{k: v for k, v in asdict(test).items() if v} for test in self.tests],
        }
        return {
            "builder": self.builder,
            "arguments": dict(self.arguments),
            "use": self.use.to_json(),
            **{name: value for name, value in said.items() if value},
        }

    def with_more(self, **more: Json) -> "Card":
        """Return the card with further facts beside those that have a name here."""
        return replace(self, more={**self.more, **more})

    def write(self, path: Path) -> None:
        """Write the file, whole or not at all."""
        write_atomically(path, (json.dumps(self.to_json(), indent=2) + "\n").encode())


def read_card(path: str | os.PathLike[str]) -> Card:
    """Read a card; refuse one whose content has other types than it must have."""
    try:
        with open(path, "rb") as file:
            content = file.read(LONGEST + 1)
        if len(content) > LONGEST:
            raise ValueError(f"it has more than {LONGEST} bytes")
        said: Json = json.loads(content)
    except (OSError, ValueError, RecursionError) as error:
        raise WeightsError(f"the card {path} cannot be read: {reason(error)}") from None
    try:
        return Card.from_json(take({"card": said}, "card", dict))
    except WeightsError as error:
        raise WeightsError(f"the card {path} cannot be used: {error}") from None


def take(
    said: Mapping[str, Json], name: str, kind: type[Kind], default: Kind | None = None
) -> Kind:
    """Return a value of JSON that has a type; whole numbers are numbers, too.

    Refused is one of another type, and one that is not there and has no default.
    """
    if name not in said and default is not None:
        return default
    value = said.get(name)
    if kind is float and type(value) is int and abs(value) < 2**1000:
        value = float(value)
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        lacks = f"it lacks {name!r}, a value of the type {kind.__name__}"
        raise WeightsError(f"{lacks}. Received: {name}={_short(value)}")
    return value


def _grey(level: float) -> float:
    """Return a level in grey levels, without what the division and back add to it."""
    return round(level * WHITE, 9)


def _short(value: Json) -> str:
    return repr(value)[:80]
