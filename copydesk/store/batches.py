"""Batches: files of chat requests that are answered through the same runs, chunks and leases as everything else."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any

import sqlalchemy as sa

from copydesk.model import BATCH, Reason, Status
from copydesk.store import runs
from copydesk.store.drafts import taken
from copydesk.store.products import add_shop
from copydesk.store.tables import batch_requests, drafts

SHOP = "batch"
"""Every run is of a shop; batches take their turns as this one."""

INSERTED_AT_ONCE = 500
READ_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Order:
    """A file that a producer wants to be answered."""

    run_key: str
    recipe: Mapping[str, Any]
    chunk_size: int
    lane: str
    budget: runs.Budget = runs.NO_BUDGET


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the file: what it asks, or why it asks nothing that can be answered."""

    number: int
    custom_id: str | None
    body: Mapping[str, Any] | None = None
    error: Reason | None = None


@dataclass(frozen=True, slots=True)
class Claimed:
    """One request that this worker now owes an answer."""

    id: int
    body: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Answer:
    """One line of an ended run: `choices` (text and finish) by index, or the error."""

    number: int
    custom_id: str | None
    choices: Sequence[Mapping[str, Any]]
    error: Reason | None
    model: str | None
    prompt_tokens: int
    completion_tokens: int
    answered_at: datetime | None


def plan(connection: sa.Connection, order: Order, lines: Iterable[Line]) -> runs.Planned:
    """Write the run, its requests, drafts and chunks; a run key used before gives that run again, and reads no line."""
    shop_id = add_shop(connection, SHOP)
    opened = runs.open_run(
        connection, shop_id, BATCH, order.run_key, order.recipe, lane=order.lane, budget=order.budget
    )
    if not opened.created:
        return opened
    left = iter(lines)
    while some := list(islice(left, INSERTED_AT_ONCE)):
        connection.execute(sa.insert(batch_requests), [_row(opened.run, line) for line in some])
    queued = runs.fill(connection, opened.run, _drafts_of(opened.run, order.chunk_size))
    return runs.Planned(opened.run, created=True, queued=queued, skipped={})


def _row(run: int, line: Line) -> dict[str, Any]:
    error = None if line.error is None else {"code": line.error.code, "message": line.error.message}
    return {"run_id": run, "number": line.number, "custom_id": line.custom_id, "body": line.body, "error": error}


def _drafts_of(run: int, chunk_size: int) -> sa.Select[Any]:
    nothing = ("language", "facts_hash", "recipe_hash")
    return (
        sa.select(
            runs.chunk_of(batch_requests.c.number, chunk_size).label("chunk"),
            batch_requests.c.id.label("batch_request_id"),
            sa.literal(BATCH).label("kind"),
            *[sa.literal("").label(name) for name in nothing],
        )
        .where(batch_requests.c.run_id == run, batch_requests.c.error.is_(None))
        .order_by(batch_requests.c.number)
    )


def claim(
    connection: sa.Connection, run: int, chunk: int, *, token: str, lease_seconds: float, alone: bool = False
) -> list[Claimed]:
    """Take requests that wait in a chunk, as drafts.claim does; a second delivery of the same bell takes nothing."""
    query = (
        sa.select(drafts.c.id, batch_requests.c.body)
        .join(batch_requests)
        .where(taken(connection, run, chunk, token=token, lease_seconds=lease_seconds, alone=alone))
        .order_by(drafts.c.id)
    )
    return [Claimed(row.id, row.body) for row in connection.execute(query)]


def answers(connection: sa.Connection, run: int) -> Iterator[Answer]:
    """Every line of a run in the file's order, streamed."""
    columns = ("choices", "state", "reasons", "model", "prompt_tokens", "completion_tokens", "settled_at")
    query = (
        sa.select(
            batch_requests.c.number,
            batch_requests.c.custom_id,
            batch_requests.c.error,
            *[drafts.c[name] for name in columns],
        )
        .outerjoin(drafts)
        .where(batch_requests.c.run_id == run)
        .order_by(batch_requests.c.number)
    )
    for row in connection.execution_options(yield_per=READ_AT_ONCE).execute(query):
        yield Answer(
            row.number, row.custom_id, row.choices or (), _error(row), row.model, row.prompt_tokens or 0,
            row.completion_tokens or 0, row.settled_at,
        )  # fmt: skip


def _error(row: sa.Row[Any]) -> Reason | None:
    if row.error:
        return Reason(**row.error)
    return None if row.state == Status.READY.value else Reason(**row.reasons[0])
