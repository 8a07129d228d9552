"""How long a reply takes while bulk work saturates the engine, and what that costs the bulk, by width of its batch.

    .venv/bin/python benchmarks/lanes.py [--widths 12,20,32,64] [--replies 20] [--seed 1]

A reply is one urgent product, 30 new tokens, from planning it to its row in the database, through broker and worker.
First on an idle system, then with a bulk run of enough products for the whole measurement: the bulk's own throughput
alone, at the width that it has then (`batch_size`); the first reply after that, which meets the wide batch; and replies
one after another, beside a batch of the width under test (`batch_size_beside_replies`), once that is what runs.
"""

import argparse
import statistics
import time
from typing import Any

import workload
from installation import Desk, Installation, databases, installation

from copydesk.store import runs

IDLE_REPLIES = 15
PAUSE_SECONDS = 1.0
"""Between the end of one reply and the next."""
WARM, TIMED = 96, 192
"""Items of the bulk run: until the rows of its batch end at different times, and whose time is taken alone."""
BULK = 3000
REPLY_TOKENS = 30
BULK_TOKENS = 80


def reply(desk: Desk, sku: str) -> float:
    """Seconds from planning one urgent product to its settled row."""
    settings = desk.settings
    desk.settings = settings.model_copy(
        update={"sampling": settings.sampling.model_copy(update={"max_tokens": REPLY_TOKENS})}
    )
    began = time.perf_counter()
    run = desk.plan(skus=[sku], lane="replies")
    desk.ring()
    desk.settings = settings
    while not desk.finished(run):
        time.sleep(0.02)  # looking more often would slow the engine down
    return time.perf_counter() - began


def replies(desk: Desk, skus: list[str]) -> list[float]:
    taken = []
    for sku in skus:
        taken.append(reply(desk, sku))
        time.sleep(PAUSE_SECONDS)
    return taken


def settled(desk: Desk, run: int) -> int:
    with desk.database.read() as connection:
        return runs.find(connection, run).settled


def pass_by(desk: Desk, run: int, items: int) -> None:
    """Returns once so many more items of a run are settled."""
    until = settled(desk, run) + items
    while settled(desk, run) < until:
        time.sleep(0.2)


def rate(desk: Desk, run: int, began: tuple[int, float]) -> float:
    """Items/s of a run since `began`, a count and a moment."""
    return (settled(desk, run) - began[0]) / (time.perf_counter() - began[1])


def measure(installed: Installation, url: str, width: int | None, count: int, seed: int) -> dict[str, Any]:
    own: dict[str, object] = {"max_asks": 1, "sampling__max_tokens": BULK_TOKENS}
    if width:
        own["batch_size_beside_replies"] = width
    made = workload.products(BULK + count + IDLE_REPLIES + 10, seed)
    skus = [product.sku for product in made]
    with installed.worker(url, **own) as desk:
        desk.take_in(made)
        urgent = iter(skus[BULK:])
        reply(desk, next(urgent))
        idle = replies(desk, [next(urgent) for _ in range(IDLE_REPLIES)])
        run = desk.plan(skus=skus[:BULK])
        desk.ring()
        pass_by(desk, run, WARM)
        began = settled(desk, run), time.perf_counter()
        pass_by(desk, run, TIMED)
        alone = rate(desk, run, began)
        first = reply(desk, next(urgent))
        pass_by(desk, run, WARM)  # the batch becomes narrow
        began = settled(desk, run), time.perf_counter()
        loaded = replies(desk, [next(urgent) for _ in range(count)])
        shared = rate(desk, run, began)
        if settled(desk, run) >= BULK - 100:
            raise SystemExit("the bulk run ended before the measurement did: raise BULK")
    return {
        "width": width or "default",
        "idle p50 s": statistics.median(idle),
        "first s": first,
        "loaded p50 s": statistics.median(loaded),
        "p50 ratio": statistics.median(loaded) / statistics.median(idle),
        "p99 ratio": sorted(loaded)[-1 - len(loaded) // 100] / statistics.median(idle),
        "bulk items/s": alone,
        "with replies": shared,
        "bulk kept": shared / alone,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--widths", default="12,20,32,64")
    parser.add_argument("--replies", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    rows = []
    with installation() as installed:
        for width in map(int, arguments.widths.split(",")):
            with databases(installed.folder / f"width-{width}", ["sqlite"]) as urls:
                rows.append(measure(installed, urls["sqlite"], width, arguments.replies, arguments.seed))
                print(rows[-1], flush=True)
    workload.report("lanes", rows, seed=arguments.seed, replies=arguments.replies)


if __name__ == "__main__":
    main()
