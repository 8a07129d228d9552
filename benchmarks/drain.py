"""A whole catalog planned, written by one worker with the scripted engine, and planned again unchanged.

    .venv/bin/python benchmarks/drain.py [--items 10000,1000000] [--databases sqlite,postgresql] [--chunk-size 64]

Broker, worker and beat are real, on the same cores as the database; PostgreSQL with its defaults, fsync included. The
catalog comes in by `copydesk import`, and the run is made by `copydesk describe`, each a process of its own with its
peak memory. Draining counts from the first claim to the end of the run.
"""

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

import redis
import scale
import workload
from installation import SHOP, Desk, Installation, databases, installation

from copydesk.store import runs

LOOK_EVERY_SECONDS = 1.0

Row = dict[str, Any]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", default="10000,1000000")
    parser.add_argument("--databases", default="sqlite,postgresql")
    parser.add_argument("--chunk-size", type=int, default=64)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    rows: list[Row] = []
    with installation() as installed:
        for kind in arguments.databases.split(","):
            for items in map(int, arguments.items.split(",")):
                row = {"database": kind, "items": items, **one(installed, kind, items, arguments)}
                print(json.dumps(row), flush=True)
                rows.append(row)
    for row in rows:
        first = next(other for other in rows if other["database"] == row["database"])
        row["cost to smallest"] = first["drain items/s"] / row["drain items/s"]
    workload.report("drain", rows, seed=arguments.seed, chunk_size=arguments.chunk_size)


def one(installed: Installation, kind: str, items: int, arguments: argparse.Namespace) -> Row:
    """One size on one database, in a folder of its own."""
    with tempfile.TemporaryDirectory(prefix="copydesk-drain-") as name:
        folder = Path(name)
        scale.write_catalogs(folder, "jsonl", items, arguments.seed)
        with (
            databases(folder, [kind]) as urls,
            installed.worker(
                urls[kind], engine="scripted", max_asks=1, chunk_size=arguments.chunk_size, beat=True
            ) as desk,
        ):
            return steps(desk, folder, urls[kind], items)


def steps(desk: Desk, folder: Path, url: str, items: int) -> Row:
    """What each step took, and what the broker and the producer needed in memory."""
    environment = {"COPYDESK_DATABASE_URL": url}
    broker = redis.Redis.from_url(desk.settings.broker_url)
    before = memory_of(broker)
    taken = scale.copydesk(environment, "import", "products", str(folder / "catalog"), "--shop", SHOP)
    planned = scale.copydesk(environment, "describe", "--shop", SHOP)
    peak = 0.0
    while not desk.finished(1):
        peak = max(peak, memory_of(broker) - before)
        desk.pause(LOOK_EVERY_SECONDS)
    again = scale.copydesk(environment, "describe", "--shop", SHOP)
    with desk.database.read() as connection:
        run, second = runs.find(connection, 1), runs.find(connection, 2)
    if (run.settled, second.queued) != (items, 0):
        raise SystemExit(f"{run.settled} of {items} were written, then {second.queued} were planned again")
    seconds = run.seconds(run.created_at)
    return {
        "import items/s": items / taken["seconds"],
        "plan s": planned["seconds"],
        "drain items/s": items / seconds,
        "plan again s": again["seconds"],
        "producer peak MB": max(taken["peak MB"], planned["peak MB"], again["peak MB"]),
        "broker peak MB": peak,
        "held": run.outcomes.get("held", 0),
    }


def memory_of(broker: redis.Redis) -> float:
    """MB that the broker's data takes."""
    told: dict[str, Any] = broker.info("memory")  # type: ignore[assignment]
    return float(told["used_memory"]) / 1e6


if __name__ == "__main__":
    main()
