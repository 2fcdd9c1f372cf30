r"""Restore very many pictures on all machines of a Ray cluster, or on all cores of this one.

    python -m recipes.restore_ray photos large --weights edsr-baseline-x4
    python -m recipes.restore_ray s3://bucket/photos s3://bucket/large --weights edsr-baseline-x4 \
        --address auto --workers 16 --cores 4

Every worker opens the network once. IN and OUT are folders, or addresses of fsspec; every machine
of the cluster must see them. A result keeps name and format of its picture, takes its name when it
is whole, and is not made again: run the command again after any failure, a kill included. What
cannot be restored is a row of the report, OUT/restored.csv, and makes the exit code 1.
"""

import argparse
import csv
import io
import os
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from recipes.scale.places import Place
from recipes.scale.worker import Orders, Row, Worker
from zoo.app.command import UsageError, Work, command
from zoo.app.folder import LOCK
from zoo.machine.dtype import PRECISIONS
from zoo.machine.failures import printable, reason
from zoo.machine.files import make_folder
from zoo.machine.locks import locked
from zoo.restoring.network import open_network

REPORT = "restored.csv"
COLUMNS = ("name", "result", "remark", "seconds")
LONGEST_BLOCK = 16  # pictures that are given to a worker at once, and again when it is killed


@command
def main(parser: argparse.ArgumentParser) -> Work:
    """Add the options; return what is done with them."""
    parser.add_argument("source", metavar="IN", help="folder or address of the pictures")
    parser.add_argument("target", metavar="OUT", help="folder or address of the results")
    parser.add_argument("--weights", required=True, metavar="NAME", help="as of asykeras restore")
    parser.add_argument("--sigma", type=float, metavar="S", help="noise in grey levels of 255")
    parser.add_argument("--strength", type=float, default=1.0, metavar="S", help="0 to 1")
    parser.add_argument("--tile", type=int, metavar="N", help="side of the tiles in pixels")
    parser.add_argument("--dtype", choices=PRECISIONS, default="float32", help="to compute in")
    parser.add_argument("--overwrite", action="store_true", help="also what is there already")
    parser.add_argument("--workers", type=int, default=1, metavar="N", help="networks at once")
    text = "of each worker; default: those of this machine, divided by the workers"
    parser.add_argument("--cores", type=int, metavar="N", help=text)
    parser.add_argument("--gpus", type=float, default=0.0, metavar="N", help="of each worker")
    text = "of a cluster, or auto; default: Ray is started on this machine, and ended"
    parser.add_argument("--address", metavar="RAY", help=text)
    return work


def work(options: argparse.Namespace) -> int:
    """Restore what is waiting; return the exit code.

    Raises:
        UsageError: for numbers that cannot be, and without Ray.
    """
    if options.workers < 1 or (options.cores is not None and options.cores < 1):
        raise UsageError("--workers and --cores must be from 1")
    orders = _orders(options)
    # What is wrong with the network is said here, once, and not by every worker.
    open_network(orders.weights, dtype=orders.dtype)
    with _alone(orders.target):
        waiting = _waiting(orders)
        began = time.monotonic()
        rows = []
        for row in _restored(waiting, orders, options) if waiting else ():
            rows.append(row)
            if row["result"] == "failed":
                print(f"restore_ray: {printable(row['remark'])}", file=sys.stderr, flush=True)
        orders.target.write(REPORT, _table(rows))
    counts, seconds = Counter(row["result"] for row in rows), time.monotonic() - began
    told = ", ".join(f"{count} {result}" for result, count in sorted(counts.items()))
    print(f"{told or 'nothing was waiting'}; {seconds:.1f} s; {orders.target.address}/{REPORT}")
    return int(counts["failed"] > 0)


def _orders(options: argparse.Namespace) -> Orders:
    source, target = Place(options.source), Place(options.target)
    if source == target:
        raise UsageError(f"{options.source} cannot be both input and output")
    return Orders(
        source,
        target,
        options.weights,
        None if options.sigma is None else options.sigma / 255,
        options.strength,
        options.tile,
        options.dtype,
        options.overwrite,
        options.cores or max(1, (os.cpu_count() or 1) // options.workers),
    )


def _waiting(orders: Orders) -> list[str]:
    """Return the names of the pictures that have no result yet."""
    names = orders.source.pictures(without=orders.target)
    there = orders.target.names()
    orders.target.remove_parts(there)
    done = set() if orders.overwrite else set(there)
    waiting = [name for name in names if name not in done]
    if kept := len(names) - len(waiting):
        print(f"{kept} results are there already and kept (--overwrite replaces them)", flush=True)
    return waiting


def _restored(waiting: list[str], orders: Orders, options: argparse.Namespace) -> Iterator[Row]:
    """Yield the rows of the report as the workers finish."""
    ray = _ray()
    with _running(ray, options.address, orders, options.workers):
        longest = min(LONGEST_BLOCK, -(-len(waiting) // (4 * options.workers)))
        rows = ray.data.from_items(
            [{"name": name} for name in waiting], override_num_blocks=-(-len(waiting) // longest)
        )
        done = rows.map(
            Worker,
            fn_constructor_args=(orders,),
            compute=ray.data.ActorPoolStrategy(size=options.workers),
            num_cpus=orders.cores,
            num_gpus=options.gpus or None,
        )
        yield from done.iter_rows()


def _ray() -> Any:
    try:
        import ray
        import ray.data
    except ModuleNotFoundError:
        raise UsageError("restoring on a cluster needs Ray: pip install 'asykeras[ray]'") from None
    except ImportError as error:  # of what Ray itself needs
        raise UsageError(f"Ray cannot be used: {reason(error)}") from None
    return ray


@contextmanager
def _running(ray: Any, address: str | None, orders: Orders, workers: int) -> Iterator[None]:
    """Join a cluster, or start Ray on this machine, for the block."""
    given: dict[str, Any] = {"address": address}
    if address is None:
        given = {"num_cpus": max(orders.cores * workers, os.cpu_count() or 1)}
        os.environ.setdefault("RAY_worker_niceness", "0")  # 15 would wait for any other program
    ray.init(include_dashboard=False, log_to_driver=False, logging_level="error", **given)
    try:
        context = ray.data.DataContext.get_current()
        context.enable_progress_bars = False
        yield
    finally:
        ray.shutdown()


@contextmanager
def _alone(target: Place) -> Iterator[None]:
    """Keep other runs out of a folder of this machine."""
    if not target.is_local:
        yield
        return
    make_folder(target.address)
    with locked(Path(target.address) / LOCK) as held:
        if held is False:
            raise UsageError(f"another run is writing into {target.address}")
        yield


def _table(rows: list[Row]) -> bytes:
    text = io.StringIO()
    table = csv.DictWriter(text, COLUMNS)
    table.writeheader()
    table.writerows(sorted(rows, key=lambda row: str(row["name"])))
    return text.getvalue().encode()


if __name__ == "__main__":
    raise SystemExit(main())
