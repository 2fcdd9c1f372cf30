"""What one process of a cluster does: it opens the network once and restores what it is given."""

import os
import time
from dataclasses import dataclass
from typing import TypeAlias

from recipes.scale.places import Place

Row: TypeAlias = dict[str, str | float]


@dataclass(frozen=True)
class Orders:
    """How pictures are restored.

    Attributes:
        source: Where from.
        target: Where to, under the same names.
        weights: As `asykeras restore --weights` takes them.
        sigma: Level of the noise in image units, None where the network does not take it.
        strength: Share of the restored picture in the result.
        tile: Side of the tiles, None for what fits the memory.
        dtype: What the network computes in.
        overwrite: Whether what is there is restored again.
        cores: Of one worker.
    """

    source: Place
    target: Place
    weights: str
    sigma: float | None = None
    strength: float = 1.0
    tile: int | None = None
    dtype: str = "float32"
    overwrite: bool = False
    cores: int = 1


class Worker:
    """Restores one picture after the other with one network; an actor of Ray."""

    def __init__(self, orders: Orders) -> None:
        # Before the backend is imported: a worker leaves the other cores to the other workers.
        for name in ("TF_NUM_INTRAOP_THREADS", "OMP_NUM_THREADS"):
            os.environ[name] = str(orders.cores)
        from zoo.restoring.bands import Settings
        from zoo.restoring.network import open_network

        self.orders = orders
        self.settings = Settings(orders.sigma, orders.tile, strength=orders.strength)
        self.network = open_network(orders.weights, dtype=orders.dtype)

    def __call__(self, row: Row) -> Row:
        """Restore the picture of a row's `name`; what went wrong is told, not raised.

        The row of the report has name, result (`restored`, `kept` or `failed`), remark, seconds.
        """
        from zoo.machine.failures import sentence

        name, began = str(row["name"]), time.perf_counter()
        try:
            if not self.orders.overwrite and self.orders.target.has(name):
                result, remark = "kept", ""  # the worker before was killed after it was written
            else:
                result, remark = "restored", self._restore(name)
        except Exception as error:  # whatever it is, the other pictures are not to blame
            result, remark = "failed", sentence(error, name)
        seconds = round(time.perf_counter() - began, 3)
        return {"name": name, "result": result, "remark": remark, "seconds": seconds}

    def _restore(self, name: str) -> str:
        from zoo.app.folder import restore_file
        from zoo.app.progress import Job

        place = self.orders.target
        with self.orders.source.reading(name) as source, place.writing(name) as target:
            return restore_file(Job(source, target), lambda colour: self.network, self.settings)
