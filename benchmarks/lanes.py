"""How long a reply takes while bulk work saturates the engine, and what that costs the bulk, by width of its batch.

    .venv/bin/python benchmarks/lanes.py [--widths 12,20,32,64] [--replies 20] [--seed 1]

A reply is the answer to one review, 30 new tokens at most, asked once: from its POST to `copydesk serve` to its row in
the database, through broker and worker. First on an idle system, then with a bulk run of enough products for the whole
measurement: the bulk's own throughput alone, at the width that it has then (`batch_size`); the first reply after that,
which meets the wide batch; and replies one after another, beside a batch of the width under test
(`batch_size_beside_replies`), once that is what runs.
"""

import argparse
import os
import random
import secrets
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx2
import workload
from installation import SHOP, Desk, Installation, databases, installation

from copydesk.model import Platform, Status
from copydesk.store import products, runs, standing
from producer.services import Services, free_port

IDLE_REPLIES = 15
PAUSE_SECONDS = 1.0
"""Between the end of one reply and the next."""
WARM, TIMED = 96, 192
"""Items of the bulk run: until the rows of its batch end at different times, and whose time is taken alone."""
BULK = 3000
REPLY_TOKENS = 30
BULK_TOKENS = 80


@dataclass(slots=True)
class Front:
    """The HTTP endpoint, and where to look for what came of a review."""

    desk: Desk
    client: httpx2.Client
    shop_id: int
    texts: Iterator[tuple[str, int]]
    number: int = 0

    def reply(self) -> float:
        """Seconds from the POST of a review to the settled row of its reply."""
        self.number += 1
        (text, rating), name = next(self.texts), f"review-{self.number}"
        began = time.perf_counter()
        answer = self.client.post("/v1/reviews", json={"review_id": name, "text": text, "rating": rating})
        answer.raise_for_status()
        while not self.settled(name):
            time.sleep(0.02)  # looking more often would slow the engine down
        return time.perf_counter() - began

    def settled(self, name: str) -> bool:
        with self.desk.database.read() as connection:
            found = standing.find(connection, self.shop_id, Platform.OWN, name)
        return found is not None and found.state in (Status.READY, Status.HELD, Status.FAILED)

    def replies(self, count: int) -> list[float]:
        taken = []
        for _ in range(count):
            taken.append(self.reply())
            time.sleep(PAUSE_SECONDS)
        return taken


def texts(seed: int) -> Iterator[tuple[str, int]]:
    """Distinct reviews, and their stars."""
    chosen = random.Random(seed)
    while True:
        thing, first, second = chosen.choice(workload.THINGS), *chosen.sample(workload.WORDS, 2)
        if chosen.random() < 0.5:
            yield (
                f"The {first} {thing.lower()} is great, we love it. The {second} one we had before was not as good.",
                5,
            )
        else:
            yield f"The {first} {thing.lower()} is a disappointment, and the {second} part came off after a week.", 2


@contextmanager
def front(services: Services, desk: Desk, seed: int) -> Iterator[Front]:
    """`copydesk serve` beside the worker; what it plans is short."""
    port = free_port()
    key = secrets.token_urlsafe()
    own = {"API_KEYS": f"{SHOP}:{key}", "SERVE__PORT": port, "SAMPLING__MAX_TOKENS": REPLY_TOKENS}
    env = {**os.environ, **{f"COPYDESK_{name}": str(value) for name, value in own.items()}}
    server = subprocess.Popen([sys.executable, "-m", "producer.cli", "serve"], env=env)
    try:
        with httpx2.Client(base_url=f"http://127.0.0.1:{port}", headers={"X-API-Key": key}, timeout=30) as client:
            while not answers(client):
                services.check()
                time.sleep(0.1)
            with desk.database.read() as connection:
                shop_id = products.find_shop(connection, SHOP)
            yield Front(desk, client, shop_id, texts(seed))
    finally:
        server.terminate()
        server.wait()


def answers(client: httpx2.Client) -> bool:
    try:
        return client.get("/health").is_success
    except httpx2.TransportError:
        return False


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
    with installed.worker(url, **own) as desk:
        desk.take_in(workload.products(BULK, seed))
        with front(installed.services, desk, seed) as asks:
            return beside(desk, asks, width, count)


def beside(desk: Desk, asks: Front, width: int | None, count: int) -> dict[str, Any]:
    asks.reply()
    idle = asks.replies(IDLE_REPLIES)
    run = desk.plan()
    desk.ring()
    pass_by(desk, run, WARM)
    began = settled(desk, run), time.perf_counter()
    pass_by(desk, run, TIMED)
    alone = rate(desk, run, began)
    first = asks.reply()
    pass_by(desk, run, WARM)  # the batch becomes narrow
    began = settled(desk, run), time.perf_counter()
    loaded = asks.replies(count)
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
