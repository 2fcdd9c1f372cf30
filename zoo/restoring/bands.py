"""A picture through a network, tile by tile: what comes out is the restored picture by rows."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import keras
import numpy as np

from asykeras.resize import bicubic_resize, mirror_border
from zoo.pictures.picture import Picture, Rows, picture_of
from zoo.restoring.channels import BICUBIC_MARGIN, SPREAD, Channels, channels_for, without_hidden
from zoo.restoring.contrast import at_contrast, contrast
from zoo.restoring.network import Network
from zoo.runtimes.signatures import Engine
from zoo.tiling import tiles as tiling
from zoo.tiling.reach import Reach

BAND_BYTES = 64 * 2**20  # of the restored rows that wait to be written


@dataclass(frozen=True)
class Settings:
    """How pictures are restored.

    Attributes:
        sigma: Level of the noise in image units: 25 grey levels are 25 / 255.
        tile: Pixels of the input that are kept of a tile, a side; None: by the free memory.
        self_ensemble: Whether to restore all eight turns and mirror images, and take the mean.
        strength: Share of the restored picture in the result, 0 to 1; the rest is the input.
    """

    sigma: float | None = None
    tile: int | None = None
    self_ensemble: bool = False
    strength: float = 1.0

    def __post_init__(self) -> None:
        """Refuse a tile of no size and a strength that is no share."""
        if self.tile is not None and self.tile < 1:
            raise ValueError(f"tile must be 1 or more. Received: tile={self.tile}")
        if not 0 <= self.strength <= 1:
            raise ValueError(f"strength must be from 0 to 1. Received: strength={self.strength}")


@dataclass(frozen=True)
class Plan:
    """How a picture goes through a network.

    Attributes:
        network: What `open_network` returned.
        picture: Size, channels and depth.
        settings: How it is restored.
        ways: Of the channels through each stage of the network.
        rows: Of the tiles, from the top.
        columns: Of the tiles, from the left.
        at_once: Tiles per batch.
        height: Rows that the tiles cover: those of the picture, or more where it is mirrored to a
            multiple.
        width: Columns that they cover.
    """

    network: Network
    picture: Picture
    settings: Settings
    ways: list[Channels]
    rows: list[tiling.Span]
    columns: list[tiling.Span]
    at_once: int
    height: int
    width: int


def plan(network: Network, picture: Picture, settings: Settings) -> Plan:
    """Return how a picture goes through a network."""
    colours = picture.channels - picture.alpha
    ways = [
        channels_for(picture.colour, colours, each.channels, each.use.scale)
        for each in network.stages
    ]
    height, width, its_reach = picture.height, picture.width, network.reach
    if its_reach is None:
        if settings.self_ensemble and len({*network.size}) > 1:
            raise ValueError(
                f"{network.name} takes no turned pictures. Received: self_ensemble=True"
            )
        rows, columns = (
            _fixed_spans(side, network, its_only)
            for side, its_only in zip((height, width), network.size, strict=True)
        )
        height, width = rows[-1].stop, columns[-1].stop
        return Plan(network, picture, settings, ways, rows, columns, 1, height, width)
    step, margin = its_reach.step, _margin(its_reach, picture)
    height, width = (-(-side // step) * step for side in (height, width))
    held = replace(its_reach, floats=_floats(network, ways, colours))
    budget, per_pixel = tiling.memory_budget(), tiling.bytes_per_pixel(held, 1, picture.channels)
    keep = settings.tile or tiling.automatic_tile(its_reach, per_pixel, budget)
    low = settings.tile or min(keep, _rows_per_band(picture, its_reach))
    rows, columns = tiling.spans(height, low, margin, step), tiling.spans(width, keep, margin, step)
    at_once = tiling.tiles_at_once(its_reach, per_pixel, keep, budget)
    return Plan(network, picture, settings, ways, rows, columns, at_once, height, width)


def middle(plan: Plan, side: int) -> Plan:
    """Return a plan that restores the middle of a picture alone, to the pixel as the whole plan.

    It is so many pixels high and wide, or as many as the picture has.
    """
    its_reach, picture = plan.network.reach, plan.picture
    if its_reach is None:
        raise ValueError(f"{plan.network.name} takes whole pictures, so it cannot show the middle")
    margin = _margin(its_reach, picture)
    rows, columns = (
        [tiling.middle_span(length, side, margin, its_reach.step)]
        for length in (picture.height, picture.width)
    )
    return replace(plan, rows=rows, columns=columns, at_once=1)


def _margin(reach: Reach, picture: Picture) -> int:
    """Return the pixels beyond a tile that its result depends on, alpha and colour included."""
    margin = reach.margin
    if reach.scale > 1:
        margin = max(margin, -(-BICUBIC_MARGIN // reach.step) * reach.step)
    if picture.alpha:
        margin += -(-SPREAD // reach.step) * reach.step
    return margin


def _floats(network: Network, ways: list[Channels], colours: int) -> float:
    """Return the numbers per pixel of the picture that the largest step of a network holds."""
    floats, scale = 0.0, 1
    for each, way in zip(network.stages, ways, strict=True):
        if each.reach is not None:
            images = way.images * (colours if each.channels is None else 1)
            floats = max(floats, images * each.reach.floats * scale**2)
        scale *= each.use.scale
    return floats


def _fixed_spans(length: int, network: Network, size: int | None) -> list[tiling.Span]:
    """Return the whole of an axis, a multiple of what it must be; or tiles of the only size.

    What such tiles should share is not known: it is an eighth of them on each side, and what
    bicubic enlargement needs.
    """
    if size is None:
        length = -(-length // network.step) * network.step
        return [tiling.Span(0, length, 0, length)]
    margin = max(size // 8, BICUBIC_MARGIN if network.use.scale > 1 else 0)
    margin = min(margin, (size - 1) // 2)
    return tiling.spans(max(length, size), size - 2 * margin, margin)


def _rows_per_band(picture: Picture, reach: Reach) -> int:
    """Return how many rows of a wide picture are restored at a time, to be held in memory."""
    row = picture.width * picture.channels * picture.dtype.itemsize * reach.scale**2
    return max(BAND_BYTES // row, reach.margin, 16)


def restore_bands(plan: Plan, rows: Rows) -> Iterator[np.ndarray]:
    """Yield the restored picture from the top, in its dtype, one row of tiles after the other."""
    scale, picture = plan.network.use.scale, plan.picture
    left = plan.columns[0].first
    width = min(plan.columns[-1].last, picture.width) - left
    for row in plan.rows:
        band = _read(plan, rows, row)
        last = min(row.last, picture.height)
        shape = ((last - row.first) * scale, width * scale, picture.channels)
        restored = np.empty(shape, picture.dtype)
        for batch in tiling.batches(plan.columns, plan.at_once):
            tiles = np.stack([band[:, column.start : column.stop] for column in batch])
            # as `placed_network` takes them
            places = [(row.start, plan.height, each.start, plan.width) for each in batch]
            results = _restore_tiles(plan, tiles, np.array(places, np.float32))
            for column, result in zip(batch, results, strict=True):
                kept = result[
                    (row.first - row.start) * scale : (last - row.start) * scale,
                    (column.first - column.start) * scale : (column.last - column.start) * scale,
                ]
                into = restored[:, (column.first - left) * scale : (column.last - left) * scale]
                into[:] = kept[:, : into.shape[1]]
        yield restored


def eightfold(engine: Engine) -> Engine:
    """Return an engine that gives the mean over the eight turns and mirror images, undone.

    Reference: Timofte et al., "Seven ways to improve example-based single image super resolution",
    CVPR 2016, Sec. 3.5; the "self-ensemble" of EDSR.
    """

    def run(inputs: list[np.ndarray]) -> np.ndarray:
        images, *others = inputs
        results = []
        for turns in range(4):
            for mirror in (False, True):
                turned = np.rot90(images, turns, axes=(1, 2))
                turned = np.ascontiguousarray(turned[:, :, ::-1] if mirror else turned)
                moved = [_turn_place(each, images.shape, turns, mirror) for each in others]
                result = engine([turned, *moved])
                result = result[:, :, ::-1] if mirror else result
                results.append(np.rot90(result, -turns, axes=(1, 2)))
        return np.asarray(np.mean(results, axis=0, dtype=np.float32))

    return run


def restore_array(network: Network, image: np.ndarray, settings: Settings) -> np.ndarray:
    """Return an image `(height, width, channels)` restored, in its dtype."""
    return restore_whole(plan(network, picture_of(image), settings), image)


def restore_whole(plan: Plan, image: np.ndarray) -> np.ndarray:
    """Return the restored picture as one array, from the pixels of the picture as one."""
    return np.concatenate(list(restore_bands(plan, lambda top, end: image[top:end])))


def _read(plan: Plan, rows: Rows, row: tiling.Span) -> np.ndarray:
    """Return the rows of a row of tiles, mirrored where they go beyond the picture."""
    picture = plan.picture
    numbers = mirror_border(np.arange(row.start, row.stop), np.array(picture.height))
    first = int(numbers.min())
    band = rows(first, int(numbers.max()) + 1)
    if row.stop > picture.height:
        band = band[numbers - first]
    if plan.width > picture.width:
        band = band[:, mirror_border(np.arange(plan.width), np.array(picture.width))]
    return band


def _restore_tiles(plan: Plan, tiles: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Return restored tiles `(n, scale * h, scale * w, channels)`, in the picture's dtype."""
    picture, scale = plan.picture, plan.network.use.scale
    values = tiles.astype(np.float64) / picture.white
    colour, alpha = np.split(values, [picture.channels - picture.alpha], axis=-1)
    restored = shown = without_hidden(colour, alpha) if picture.alpha else colour
    for stage, way in zip(plan.network.stages, plan.ways, strict=True):
        restored = _through(stage, way, plan.settings, restored, places)
        places = places * stage.use.scale
    strength = plan.settings.strength
    if strength < 1:
        before = shown if scale == 1 else keras.ops.convert_to_numpy(bicubic_resize(shown, scale))
        restored = strength * restored + (1 - strength) * before
    if picture.alpha:
        restored = np.where(alpha > 0, restored, colour) if scale == 1 else restored
        alpha = alpha if scale == 1 else bicubic_resize(alpha, scale)
        restored = np.concatenate([restored, keras.ops.convert_to_numpy(alpha)], axis=-1)
    return picture.quantize(restored)


def _through(
    network: Network, way: Channels, settings: Settings, tiles: np.ndarray, places: np.ndarray
) -> np.ndarray:
    """Return what a network makes of tiles without alpha, float64 with white at 1."""
    images, aside = way.apart(tiles)
    if network.use.enlarge_first:
        images = keras.ops.convert_to_numpy(bicubic_resize(images, network.use.scale))
    restored = _run(network, settings, images, places[way.owners(len(tiles))])
    return way.together(restored, aside)


def _run(
    network: Network, settings: Settings, images: np.ndarray, places: np.ndarray
) -> np.ndarray:
    """Return what a network makes of images `(n, h, w, channels)`, float64."""
    engine = eightfold(network.engine) if settings.self_ensemble else network.engine
    more = []
    if network.use.takes_sigma:
        more.append(np.full((len(images), 1), settings.sigma, np.float32))
    if network.reach is not None and network.reach.placed:
        more.append(places)

    def run(images: np.ndarray) -> np.ndarray:
        return engine([images.astype(np.float32), *more]).astype(np.float64)

    factor = contrast(network.use, settings.sigma)
    return run(images) if factor == 1 else at_contrast(run, images, factor)


def _turn_place(values: np.ndarray, shape: tuple[int, ...], turns: int, mirror: bool) -> np.ndarray:
    """Return where tiles of a shape lie when the whole image is turned; noise levels stay."""
    if values.shape[1] != 4:
        return values
    top, rows, left, columns = values.T
    height, width = shape[1:3]
    for _ in range(turns):
        top, rows, left, columns = columns - left - width, columns, top, rows
        height, width = width, height
    if mirror:
        left = columns - left - width
    return np.stack([top, rows, left, columns], axis=1)
