"""What one would write without Copydesk: Celery tasks that call transformers' generate(). pipeline.py starts it.

    celery -A plain_tasks worker -P threads -c 1

`one` is a task per item, `chunk` a task for a padded static batch; both store their texts in SQLite themselves.
"""

import os
import sqlite3
from functools import cache
from types import SimpleNamespace
from typing import Any

from celery import Celery
from engines import Plain

from copydesk import settings as copydesk_settings

app = Celery("plain", broker=os.environ["COPYDESK_BROKER_URL"])
app.conf.update(task_ignore_result=True, task_default_queue="plain", task_acks_late=True, worker_prefetch_multiplier=1)
DATABASE = os.environ.get("PLAIN_DATABASE", "plain.db")


@cache
def plain() -> Plain:
    return Plain(copydesk_settings.load())


def write(items: list[dict[str, Any]], width: int) -> None:
    requests = [
        SimpleNamespace(
            messages=[SimpleNamespace(**message) for message in item["messages"]],
            sampling=SimpleNamespace(max_tokens=item["max_tokens"]),
        )
        for item in items
    ]
    _, texts = plain().run(requests, width)  # type: ignore[arg-type] # they have what it reads
    with sqlite3.connect(DATABASE, timeout=30) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS texts (id TEXT, text TEXT)")
        connection.executemany(
            "INSERT INTO texts VALUES (?, ?)", [(i["id"], t) for i, t in zip(items, texts, strict=True)]
        )


@app.task(name="plain.one")
def one(item: dict[str, Any]) -> None:
    write([item], 1)


@app.task(name="plain.chunk")
def chunk(items: list[dict[str, Any]]) -> None:
    write(items, len(items))
