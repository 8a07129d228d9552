"""A run's texts against those of the shop's other products, before it ends: who compares, what with, what comes of it.

Whoever compares holds the run by a lease, the moment until which it is his. Every write of his names that moment: it is
refused once somebody else has taken the run over.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

import sqlalchemy as sa

from copydesk.model import NO_COPY, Counts, Reason, Status, TextFormat
from copydesk.store import bulk
from copydesk.store.drafts import batched
from copydesk.store.products import hold_planning, lock
from copydesk.store.reviews import as_json
from copydesk.store.runs import State, finalize, has_used_up
from copydesk.store.tables import chunks, drafts, is_open, live_texts, now, products, runs

READ_AT_ONCE = 1000

_owes = sa.exists().where(drafts.c.run_id == runs.c.id, is_open)


@dataclass(frozen=True, slots=True)
class Subject:
    """Whose texts a run's are compared with, and how it was planned."""

    shop_id: int
    kind: str
    recipe: Mapping[str, Any]


class Written(NamedTuple):
    """One text. `key` is the draft's id, or that of a live text below zero."""

    key: int
    product: int
    text: str
    text_format: TextFormat


class Named(NamedTuple):
    """What a text is of."""

    sku: str
    language: str
    is_live: bool


@dataclass(frozen=True, slots=True)
class Settled(Counts):
    """What was made of near-duplicates: how many drafts are written again, held, and marked."""

    again: int = 0
    held: int = 0
    marked: int = 0


def due(connection: sa.Connection) -> list[int]:
    """Runs that owe nothing but the comparison, and that nobody compares."""
    return list(connection.scalars(sa.select(runs.c.id).where(_is_due()).order_by(runs.c.id)))


def begin(connection: sa.Connection, run: int, seconds: float) -> datetime | None:
    """Take a run to compare it; the moment until which it is the caller's. None if there is nothing to be done."""
    taken = sa.update(runs).where(runs.c.id == run, _is_due()).values(comparing_until=now(seconds))
    until: datetime | None = connection.scalar(taken.returning(runs.c.comparing_until))
    return until


def _is_due() -> sa.ColumnElement[bool]:
    is_free = sa.or_(runs.c.comparing_until.is_(None), runs.c.comparing_until < now())
    return sa.and_(_is_to_be_compared(), is_free, ~_owes)


def _is_to_be_compared() -> sa.ColumnElement[bool]:
    return sa.and_(
        runs.c.finished_at.is_(None),
        runs.c.compared_at.is_(None),
        runs.c.state != State.STOPPING.value,
        runs.c.kind.not_in(NO_COPY),
    )


def renew(connection: sa.Connection, run: int, until: datetime, seconds: float) -> datetime | None:
    """Push the lease on; None if the run is not the caller's any more."""
    mine = sa.update(runs).where(_is_mine(run, until)).values(comparing_until=now(seconds))
    renewed: datetime | None = connection.scalar(mine.returning(runs.c.comparing_until))
    return renewed


def _is_mine(run: int, until: datetime) -> sa.ColumnElement[bool]:
    return sa.and_(runs.c.id == run, runs.c.comparing_until == until, _is_to_be_compared())


def subject(connection: sa.Connection, run: int) -> Subject:
    """What a run that there is is about."""
    row = connection.execute(sa.select(runs.c.shop_id, runs.c.kind, runs.c.recipe).where(runs.c.id == run)).one()
    return Subject(row.shop_id, row.kind, row.recipe)


def own(connection: sa.Connection, run: int, *, but_in: Collection[str] = ()) -> Iterator[Written]:
    """The run's texts that may be changed, oldest first, streamed; without those in some languages."""
    query = sa.select(drafts.c.id, drafts.c.product_id, drafts.c.text)
    query = query.where(_may_be_changed(run), drafts.c.language.not_in(but_in)).order_by(drafts.c.id)
    for row in bulk.stream(connection, query):
        yield Written(row.id, row.product_id, row.text, TextFormat.PLAIN)


def _may_be_changed(run: int) -> sa.ColumnElement[bool]:
    """Ready, and no person has said or written anything yet."""
    untouched = (drafts.c.first_approved_by.is_(None), drafts.c.model_text.is_(None))
    return sa.and_(drafts.c.run_id == run, drafts.c.state == Status.READY.value, *untouched)


def others(connection: sa.Connection, run: int, of: Subject) -> Iterator[Written]:
    """What the run's texts must differ from, streamed: live texts, and what is or will be approved.

    Of two runs that go on at once, the later one gives way.
    """
    live = sa.select(live_texts.c.id, live_texts.c.product_id, live_texts.c.text, products.c.text_format)
    live = live.join(products).where(
        products.c.shop_id == of.shop_id, live_texts.c.kind == of.kind, live_texts.c.current.is_(True)
    )
    for row in bulk.stream(connection, live):
        yield Written(-row.id, row.product_id, row.text, TextFormat(row.text_format))
    for row in bulk.stream(connection, _drafts_beside(run, of)):
        yield Written(row.id, row.product_id, row.text, TextFormat.PLAIN)


def _drafts_beside(run: int, of: Subject) -> sa.Select[Any]:
    """Of each product the newest draft that is ready or approved, and that the run does not change itself."""
    stands = [Status.READY.value, Status.APPROVED.value]
    goes_before = sa.or_(runs.c.finished_at.is_not(None), runs.c.id <= run)
    of_runs = sa.select(runs.c.id).where(runs.c.shop_id == of.shop_id, runs.c.kind == of.kind, goes_before)
    newer = drafts.alias("newer")
    is_replaced = sa.exists().where(
        newer.c.product_id == drafts.c.product_id,
        newer.c.kind == drafts.c.kind,
        newer.c.id > drafts.c.id,
        newer.c.state.in_(stands),
    )
    return sa.select(drafts.c.id, drafts.c.product_id, drafts.c.text).where(
        drafts.c.run_id.in_(of_runs), drafts.c.state.in_(stands), ~_may_be_changed(run), ~is_replaced
    )


def read(connection: sa.Connection, keys: Collection[int]) -> list[Written]:
    """Some of the texts once more."""
    return [
        Written(row.key, row.product_id, row.text, TextFormat.PLAIN if row.key > 0 else TextFormat(row.text_format))
        for row in _looked_up(connection, keys, "product_id", "text")
    ]


def named(connection: sa.Connection, keys: Collection[int]) -> dict[int, Named]:
    """Which products these texts are of."""
    found = _looked_up(connection, keys)
    return {row.key: Named(row.sku, row.language, row.key < 0) for row in found}


def _looked_up(connection: sa.Connection, keys: Collection[int], *columns: str) -> Iterator[sa.Row[Any]]:
    of = (products.c.sku, products.c.text_format)
    of_draft = sa.select(drafts.c.id.label("key"), drafts.c.language, *of).select_from(drafts.join(products))
    of_live = sa.select((-live_texts.c.id).label("key"), products.c.language, *of)
    of_live = of_live.select_from(live_texts.join(products))
    for table, query in ((drafts, of_draft), (live_texts, of_live)):
        ids = [abs(key) for key in keys if (key > 0) is (table is drafts)]
        chosen = query.add_columns(*[table.c[name] for name in columns])
        for some in batched(ids, READ_AT_ONCE):
            yield from connection.execute(chosen.where(bulk.among(connection, table.c.id, some)))


def settle(
    connection: sa.Connection, run: int, until: datetime, reasons: Mapping[int, Reason], *, most: int
) -> Settled | None:
    """Make something of drafts that are near-duplicates; None if the run is not the caller's any more.

    One whose reason warns is marked. Another waits to be written once more, in its own chunk, unless it was `most`
    times before, the run has used up its budget, or a newer draft of the product takes its place: then it is held.
    Drafts that people have had a look at meanwhile stay as they are.
    """
    hold_planning(connection, sa.select(runs.c.shop_id).where(runs.c.id == run).scalar_subquery(), alone=True)
    lock(connection, runs, runs.c.id == run)
    if connection.scalar(sa.select(runs.c.id).where(_is_mine(run, until))) is None:
        return None
    newer = drafts.alias("newer")
    is_replaced = sa.exists().where(
        newer.c.product_id == drafts.c.product_id, newer.c.kind == drafts.c.kind, newer.c.id > drafts.c.id
    )
    columns = [drafts.c[name] for name in ("id", "chunk", "resampled", "reasons")]
    query: sa.Select[Any] = sa.select(*columns, is_replaced.label("is_replaced"))
    found = connection.execute(
        query.where(_may_be_changed(run), bulk.among(connection, drafts.c.id, list(reasons)))
        .order_by(drafts.c.id)
        .with_for_update(of=drafts)
    ).all()
    marked = [row for row in found if reasons[row.id].warns]
    refused = [row for row in found if not reasons[row.id].warns]
    is_over = has_used_up(connection, run)
    held = [row for row in refused if row.resampled >= most or row.is_replaced or is_over]
    again = [row for row in refused if row not in held]
    _write_again(connection, run, again)
    _add_reasons(connection, held, reasons, state=Status.HELD.value, outcome=Status.HELD.value)
    fresh = [row for row in marked if reasons[row.id].code not in {one["code"] for one in row.reasons}]
    _add_reasons(connection, fresh, reasons)
    return Settled(len(again), len(held), len(fresh))


def _write_again(connection: sa.Connection, run: int, rows: Sequence[sa.Row[Any]]) -> None:
    if not rows:
        return
    connection.execute(
        sa.update(drafts)
        .where(bulk.among(connection, drafts.c.id, [row.id for row in rows]))
        .values(
            state=Status.PENDING.value,
            outcome=None,
            text="",
            reasons=[],
            attempt=0,
            alone=False,
            asks=0,
            resampled=drafts.c.resampled + 1,
            next_attempt_at=None,
            settled_at=None,
        )
    )
    numbers = sorted({row.chunk for row in rows})
    connection.execute(
        sa.update(chunks)
        .where(chunks.c.run_id == run, bulk.among(connection, chunks.c.number, numbers))
        .values(state="waiting", next_attempt_at=None)
    )


def _add_reasons(
    connection: sa.Connection, rows: Sequence[sa.Row[Any]], reasons: Mapping[int, Reason], **changes: Any
) -> None:
    if not rows:
        return
    update = sa.update(drafts).where(drafts.c.id == sa.bindparam("draft"))
    update = update.values(reasons=sa.bindparam("told"), **changes)
    told = [{"draft": row.id, "told": [*row.reasons, *as_json([reasons[row.id]])]} for row in rows]
    connection.execute(update, told)


def leave(connection: sa.Connection, run: int, until: datetime) -> None:
    """Something is written again: whoever finds the run with nothing open compares it once more."""
    connection.execute(sa.update(runs).where(_is_mine(run, until)).values(comparing_until=None))


def finish(connection: sa.Connection, run: int, until: datetime) -> bool:
    """Nothing is written again: the run ends. False if it is not the caller's any more, or owes something after all."""
    lock(connection, runs, runs.c.id == run)
    compared_at = sa.case((_owes, sa.null()), else_=now())  # drafts may have been taken up again meanwhile
    mine = sa.update(runs).where(_is_mine(run, until)).values(comparing_until=None, compared_at=compared_at)
    return bool(connection.execute(mine).rowcount) and finalize(connection, run)
