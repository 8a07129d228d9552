"""The whole way, from the ring to the finished run, against the same engine fed directly and against plain Celery.

    .venv/bin/python benchmarks/pipeline.py [--items 512] [--databases sqlite,postgresql] [--seed 1] [--skip-plain]

`direct` submits the very requests of the run to the same engine adapter at once; `own generate()` is the library's
call over the list. `plain task` is a Celery task per item that calls transformers' generate(), `plain chunk` one for a
padded static batch of 64, both in bf16 where the CPU has it and else in fp32; they get fewer items, and the items/s are
compared. Everything is greedy, at most 80 tokens, asked once; each starts after a warm-up on other products.
"""

import argparse
import os
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import engines
import workload
from installation import Desk, databases, installation

from copydesk import prompts
from copydesk import settings as copydesk_settings
from copydesk.engine.base import Message, Request
from copydesk.model import DESCRIPTION, Product
from copydesk.settings import Sampling, Settings
from copydesk.store import runs

MAX_TOKENS = 80
WARM_UP = 64
PLAIN_ITEMS, PLAIN_CHUNKS = 24, 3
CHUNK = 64


def requests_of(made: list[Product]) -> list[Request]:
    """What a run over these products asks the engine."""
    sampling = Sampling(max_tokens=MAX_TOKENS, temperature=0)
    asked = []
    for number, product in enumerate(made):
        prompt = prompts.render(DESCRIPTION, product.facts)
        turns = tuple(Message(role, content) for role, content in prompt.turns)
        asked.append(Request(str(number), turns, prompt.plain, sampling))
    return asked


def direct(settings: Settings, made: list[Product], warm: list[Product]) -> dict[str, Any]:
    row, _ = engines.ours(settings, requests_of(made), requests_of(warm))
    return {"how": "direct", **row}


def whole(desk: Desk, made: list[Product], warm: list[Product], kind: str) -> dict[str, Any]:
    desk.take_in([*warm, *made])
    desk.timed(desk.plan(skus=[product.sku for product in warm]))
    run = desk.plan(skus=[product.sku for product in made])
    seconds = desk.timed(run)
    with desk.database.read() as connection:
        found = runs.find(connection, run)
        telemetry = runs.detail(connection, run).telemetry
    row = engines.figures(len(made), found.completion_tokens, seconds)
    return {
        "how": f"pipeline, {kind}",
        **row,
        "busy": telemetry.busy_seconds / telemetry.wall_seconds,
        "batch": telemetry.sequence_seconds / telemetry.busy_seconds,
    }


def plain(folder: Path, made: list[Product]) -> list[dict[str, Any]]:
    """The two plain ways, through a Celery worker of their own."""
    from celery import Celery

    items = [
        {
            "id": request.id,
            "messages": [{"role": message.role, "content": message.content} for message in request.messages],
            "max_tokens": MAX_TOKENS,
        }
        for request in requests_of(made)
    ]
    database = folder / "plain.db"
    command = [
        sys.executable,
        "-m",
        "celery",
        "-A",
        "plain_tasks",
        "worker",
        "-P",
        "threads",
        "-c",
        "1",
        "-l",
        "WARNING",
    ]
    env = {**os.environ, "PLAIN_DATABASE": str(database)}
    worker = subprocess.Popen(
        command, cwd=Path(__file__).parent, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    rows = []
    try:
        with Celery(broker=os.environ["COPYDESK_BROKER_URL"]) as client:

            def run(name: str, task: str, some: list[Any]) -> None:
                stored, count = rows_in(database), len(some) * (CHUNK if task == "plain.chunk" else 1)
                began = time.perf_counter()
                for item in some:
                    client.send_task(task, args=[item], queue="plain")
                while rows_in(database) < stored + count:
                    time.sleep(0.02)
                seconds = time.perf_counter() - began
                rows.append({"how": name, "items": count, "seconds": seconds, "items/s": count / seconds})

            run("warm-up", "plain.one", items[:2])
            run("plain task", "plain.one", items[2 : 2 + PLAIN_ITEMS])
            chunks = [items[start : start + CHUNK] for start in range(0, PLAIN_CHUNKS * CHUNK, CHUNK)]
            run("plain chunk", "plain.chunk", chunks)
    finally:
        worker.kill()
        worker.wait()
    return rows[1:]


def rows_in(database: Path) -> int:
    if not database.exists():
        return 0
    try:
        with sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=30) as connection:
            return int(connection.execute("SELECT count(*) FROM texts").fetchone()[0])
    except sqlite3.OperationalError:  # the table is not made yet
        return 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, default=512)
    parser.add_argument("--databases", default="sqlite,postgresql")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--skip-plain", action="store_true")
    arguments = parser.parse_args()
    products = workload.products(arguments.items + WARM_UP, arguments.seed)
    warm, made = products[:WARM_UP], products[WARM_UP:]
    rows: list[dict[str, Any]] = []
    with installation() as installed, databases(installed.folder, arguments.databases.split(",")) as urls:
        settings = copydesk_settings.load()

        def add(row: dict[str, Any]) -> None:
            rows.append(row)
            print(f"{row['how']}: {row['items/s']:.2f} items/s", flush=True)

        for kind, url in urls.items():  # side by side: the machine's speed drifts by some per cent in a minute
            generated, _ = engines.own_generate(settings, requests_of(made), requests_of(warm))
            add({"how": "own generate()", **generated})
            add(direct(settings, made, warm))
            own = {"max_asks": 1, "sampling__max_tokens": MAX_TOKENS, "sampling__temperature": 0}
            with installed.worker(url, **own) as desk:
                add(whole(desk, made, warm, kind))
        if not arguments.skip_plain:
            for row in plain(installed.folder, made):
                add(row)
    for place, row in enumerate(rows):
        if row["how"].startswith("pipeline"):
            nearest = {other["how"]: other["items/s"] for other in [*rows[place:], *rows[:place]]}
            for base in ("direct", "own generate()", "plain task", "plain chunk"):
                row[f"to {base}"] = row["items/s"] / nearest[base] if base in nearest else ""
    workload.report("pipeline", rows, model=copydesk_settings.load().model, seed=arguments.seed)


if __name__ == "__main__":
    main()
