"""Runs and their chunks: planned in one transaction, rung by the relay, finalized exactly once."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

import sqlalchemy as sa

from copydesk.errors import NotFound
from copydesk.model import DESCRIPTION, OPEN, Lane, Status, Telemetry
from copydesk.store.products import insert_ignoring_twins, insert_selected
from copydesk.store.tables import chunks, drafts, live_texts, now, products, runs, shops

RUNNING, FINISHED = "running", "finished"
OUTCOMES = tuple(state.value for state in (Status.READY, Status.HELD, Status.FAILED, Status.STALE, Status.IGNORED))
"""What the desk can make of a draft; a run's counts of them add up to what was queued. Only reviews are ignored."""
WAITING, RUNG, DONE = "waiting", "rung", "done"


@dataclass(frozen=True, slots=True)
class Order:
    """What a producer asks for.

    Args:
        recipe: how the copy is made (model, sampling, prompts, rules, voice ...), stored with the run.
        recipe_hashes: per language, the fingerprint of everything but the facts that decides a text;
            a product whose language is not a key is not planned.
        skus: only these products; None for all.
        everything: also products whose facts and recipe have not changed.
        limit: at most this many products.
        lane: who waits for it.
    """

    run_key: str
    recipe: Mapping[str, Any]
    recipe_hashes: Mapping[str, str]
    chunk_size: int
    everything: bool = False
    skus: Sequence[str] | None = None
    limit: int | None = None
    auto_publish: bool = False
    lane: str = Lane.CATALOG


@dataclass(frozen=True, slots=True)
class Planned:
    """The run that answers an order. `skipped` counts, by reason, the products that get no draft."""

    run: int
    created: bool
    queued: int
    skipped: Mapping[str, int]


class Bell(NamedTuple):
    """One chunk to be rung; `rings` counts how often it has been, this time included."""

    run: int
    chunk: int
    shop: str
    rings: int
    kind: str = DESCRIPTION
    lane: str = Lane.CATALOG


class Asked(NamedTuple):
    """How a run's copy is made, for which shop, and who waits for it.

    `auto_publish` says that a rule may approve what comes of it.
    """

    recipe: Mapping[str, Any]
    lane: str
    shop: str
    auto_publish: bool


@dataclass(frozen=True, slots=True)
class Run:
    """A run as it stands. `counts` holds today's drafts by state, `outcomes` what the desk made of them."""

    id: int
    shop: str
    kind: str
    lane: str
    run_key: str
    state: str
    queued: int
    recipe: Mapping[str, Any]
    counts: Mapping[str, int]
    outcomes: Mapping[str, int]
    prompt_tokens: int
    completion_tokens: int
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None

    @property
    def settled(self) -> int:
        return sum(self.outcomes.values())

    def seconds(self, until: datetime) -> float:
        """From the first claim to the end, or to `until` while the run goes on; 0.0 before the first claim."""
        return ((self.finished_at or until) - self.started_at).total_seconds() if self.started_at else 0.0


@dataclass(frozen=True, slots=True)
class Detail:
    """How a run stands: chunks by state, the last settled draft, leases that ran out, refusals by reason code.

    `telemetry` is that of all its chunks together.
    """

    chunks: Mapping[str, int]
    last_settled_at: datetime | None
    lapsed: int
    reasons: Mapping[str, int]
    telemetry: Telemetry


def plan(connection: sa.Connection, shop_id: int, order: Order) -> Planned:
    """Write the run, its drafts and its chunks, server-side; a run key used before gives that run again."""
    opened = open_run(
        connection, shop_id, DESCRIPTION, order.run_key, order.recipe, lane=order.lane, auto_publish=order.auto_publish
    )
    if not opened.created:
        return opened
    chosen = _chosen(shop_id, order).subquery()
    queued = fill(connection, opened.run, _drafts_of(chosen, order))
    return Planned(opened.run, created=True, queued=queued, skipped=_skipped(connection, opened.run, chosen))


def open_run(
    connection: sa.Connection,
    shop_id: int,
    kind: str,
    run_key: str,
    recipe: Mapping[str, Any],
    *,
    lane: str,
    auto_publish: bool = False,
) -> Planned:
    """Write a run without drafts; a run key used before gives that run again.

    If somebody waits for it by now, what is left of it goes first from here on.
    """
    made = connection.scalar(
        insert_ignoring_twins(connection, runs)
        .values(
            shop_id=shop_id,
            kind=kind,
            run_key=run_key,
            state=RUNNING,
            recipe=dict(recipe),
            auto_publish=auto_publish,
            lane=lane,
            queued=0,
            created_at=now(),
        )
        .returning(runs.c.id)
    )
    if made is not None:
        return Planned(int(made), created=True, queued=0, skipped={})
    twin = connection.execute(
        sa.select(runs.c.id, runs.c.queued).where(
            runs.c.shop_id == shop_id, runs.c.kind == kind, runs.c.run_key == run_key
        )
    ).one()
    if lane == Lane.REPLIES:
        connection.execute(sa.update(runs).where(runs.c.id == twin.id, runs.c.state == RUNNING).values(lane=lane))
    return Planned(twin.id, created=False, queued=twin.queued, skipped={})


def fill(connection: sa.Connection, run: int, query: sa.Select[Any]) -> int:
    """Give a new run its drafts, by a query that names their columns, and its chunks; returns how many drafts.

    A draft waits to be written unless the query says otherwise. A run without any that waits is ended.
    """
    begun: dict[str, sa.ColumnElement[Any]] = {
        "run_id": sa.literal(run),
        "state": sa.literal(Status.PENDING.value),
        "text": sa.literal(""),
        "reasons": sa.literal([], drafts.c.reasons.type),
        **{name: sa.literal(0) for name in ("attempt", "asks", "prompt_tokens", "completion_tokens")},
        "created_at": now(),
    }
    named = {column.name for column in query.selected_columns}
    rest = [value.label(name) for name, value in begun.items() if name not in named]
    queued = insert_selected(connection, drafts, query.add_columns(*rest))
    connection.execute(sa.update(runs).where(runs.c.id == run).values(queued=queued))
    if not _add_chunks(connection, run):
        finalize(connection, run)
    return queued


def chunk_of(
    order_by: sa.ColumnElement[Any], chunk_size: int, partition_by: sa.ColumnElement[Any] | None = None
) -> sa.ColumnElement[int]:
    """The chunk of each row of a query; rows of several partitions are counted apart."""
    place = sa.func.row_number().over(order_by=order_by, partition_by=partition_by) - 1
    return place // sa.literal(chunk_size)


def _chosen(shop_id: int, order: Order) -> sa.Select[Any]:
    """The products an order names, each with why it is, or is not, to be written ("due")."""
    draft = drafts.alias("earlier")
    same = sa.and_(draft.c.product_id == products.c.id, draft.c.kind == DESCRIPTION)
    recipe_hash = sa.case(order.recipe_hashes, value=products.c.language, else_="")
    is_open = sa.exists().where(same, draft.c.state.in_([state.value for state in OPEN]))
    later = drafts.alias("later")
    counts = sa.and_(
        later.c.product_id == products.c.id,
        later.c.kind == DESCRIPTION,
        later.c.state.not_in([Status.STALE.value, Status.FAILED.value]),
    )
    is_unchanged = sa.exists().where(
        same,
        draft.c.id == sa.select(sa.func.max(later.c.id)).where(counts).correlate(products).scalar_subquery(),
        draft.c.recipe_hash == recipe_hash,
        draft.c.facts_hash == products.c.facts_hash,
    )
    conditions = [
        (products.c.language.not_in(list(order.recipe_hashes)), "no prompt for the language"),
        (live_texts.c.by_person.is_(True), "text edited by a person"),
        (is_open, "already being written"),
    ]
    if not order.everything:
        conditions.append((is_unchanged, "unchanged"))
    why = sa.case(*[(condition, sa.literal(reason)) for condition, reason in conditions], else_="due")
    query = (
        sa.select(
            products.c.id,
            products.c.language,
            products.c.facts_hash,
            recipe_hash.label("recipe_hash"),
            why.label("why"),
        )
        .outerjoin(
            live_texts,
            sa.and_(
                live_texts.c.product_id == products.c.id,
                live_texts.c.kind == DESCRIPTION,
                live_texts.c.current.is_(True),
            ),
        )
        .where(products.c.shop_id == shop_id)
    )
    return query if order.skus is None else query.where(products.c.sku.in_(order.skus))


def _drafts_of(chosen: sa.Subquery, order: Order) -> sa.Select[Any]:
    due = sa.select(
        chunk_of(chosen.c.id, order.chunk_size).label("chunk"),
        chosen.c.id.label("product_id"),
        sa.literal(DESCRIPTION).label("kind"),
        chosen.c.language,
        chosen.c.facts_hash,
        chosen.c.recipe_hash,
    )
    return due.where(chosen.c.why == "due").order_by(chosen.c.id).limit(order.limit)


def _add_chunks(connection: sa.Connection, run: int) -> int:
    numbers = (
        sa.select(
            drafts.c.run_id,
            drafts.c.chunk.label("number"),
            sa.literal(WAITING).label("state"),
            sa.literal(0).label("rings"),
        )
        .where(drafts.c.run_id == run, drafts.c.state == Status.PENDING.value)
        .distinct()
    )
    return insert_selected(connection, chunks, numbers)


def _skipped(connection: sa.Connection, run: int, chosen: sa.Subquery) -> dict[str, int]:
    """Why products got no draft, asked before anything else happens to the run.

    The run's own drafts count as "already being written" by now, so they are taken out.
    """
    mine = sa.select(drafts.c.product_id).where(drafts.c.run_id == run)
    query = (
        sa.select(chosen.c.why, sa.func.count())
        .where(chosen.c.why != "due", chosen.c.id.not_in(mine))
        .group_by(chosen.c.why)
    )
    return {str(why): int(number) for why, number in connection.execute(query)}


def claim_bells(connection: sa.Connection, limit: int, lane: str = Lane.CATALOG, *, room: int = 1) -> list[Bell]:
    """Chunks of a lane to ring now: at most `limit` rung ones of it in all, shops taking turns.

    None while fewer than `room` more would be allowed: ranking all that wait is not for every chunk that ends.
    """
    if connection.dialect.name == "postgresql":  # two relays count one after the other
        connection.execute(sa.text("SELECT pg_advisory_xact_lock(620060002)"))
    of_lane = sa.select(sa.func.count()).select_from(chunks.join(runs)).where(runs.c.lane == lane)
    rung = connection.scalar(of_lane.where(chunks.c.state == RUNG)) or 0
    if limit - rung < max(room, 1):
        return []
    turn = sa.func.row_number().over(
        partition_by=runs.c.shop_id, order_by=(chunks.c.state != RUNG, chunks.c.run_id, chunks.c.number)
    )
    waiting = (  # the rung ones have had their turn
        sa.select(chunks.c.run_id, chunks.c.number, chunks.c.state, turn.label("turn"))
        .join(runs, runs.c.id == chunks.c.run_id)
        .where(chunks.c.state.in_([WAITING, RUNG]), runs.c.lane == lane)
        .subquery()
    )
    chosen = (
        sa.select(waiting.c.run_id, waiting.c.number)
        .where(waiting.c.state == WAITING)
        .order_by(waiting.c.turn, waiting.c.run_id)
        .limit(limit - rung)
    )
    claimed = connection.execute(
        sa.update(chunks)
        .where(chunks.c.state == WAITING, sa.tuple_(chunks.c.run_id, chunks.c.number).in_(chosen))
        .values(state=RUNG, rung_at=now(), rings=chunks.c.rings + 1)
        .returning(chunks.c.run_id, chunks.c.number, chunks.c.rings)
    ).all()
    ids = {row.run_id for row in claimed}
    of = connection.execute(sa.select(runs.c.id, shops.c.name, runs.c.kind).join(shops).where(runs.c.id.in_(ids)))
    run = {row.id: row for row in of}
    return sorted(
        Bell(row.run_id, row.number, run[row.run_id].name, row.rings, run[row.run_id].kind, lane) for row in claimed
    )


def unring(connection: sa.Connection, bells: Sequence[Bell]) -> None:
    """The broker did not take these bells: their chunks wait again."""
    for bell in bells:
        mine = sa.and_(chunks.c.run_id == bell.run, chunks.c.number == bell.chunk, chunks.c.rings == bell.rings)
        connection.execute(sa.update(chunks).where(mine, chunks.c.state == RUNG).values(state=WAITING))


def wait_again(connection: sa.Connection, *, rung_before_seconds: float) -> int:
    """Lost bells: chunks rung that long ago, with work left and nobody at it, wait to be rung again."""
    own = sa.and_(drafts.c.run_id == chunks.c.run_id, drafts.c.chunk == chunks.c.number)
    return connection.execute(
        sa.update(chunks)
        .where(
            chunks.c.state == RUNG,
            chunks.c.rung_at < now(-rung_before_seconds),
            sa.exists().where(own, drafts.c.state == Status.PENDING.value),
            ~sa.exists().where(own, drafts.c.state == Status.WRITING.value),
        )
        .values(state=WAITING)
    ).rowcount


def close_chunks(connection: sa.Connection, only: tuple[int, int] | None = None) -> int:
    """Chunks that owe nothing more are done: all of them, or `only` this (run, number)."""
    own = sa.and_(drafts.c.run_id == chunks.c.run_id, drafts.c.chunk == chunks.c.number)
    query = sa.update(chunks).where(
        chunks.c.state != DONE, ~sa.exists().where(own, drafts.c.state.in_([state.value for state in OPEN]))
    )
    if only is not None:
        query = query.where(chunks.c.run_id == only[0], chunks.c.number == only[1])
    return connection.execute(query.values(state=DONE)).rowcount


def add_telemetry(connection: sa.Connection, run: int, chunk: int, telemetry: Telemetry) -> None:
    """What one go at a chunk cost, on top of the goes before."""
    mine = sa.and_(chunks.c.run_id == run, chunks.c.number == chunk)
    before = connection.scalar(sa.select(chunks.c.telemetry).where(mine).with_for_update())
    together = Telemetry(**before) + telemetry if before else telemetry
    connection.execute(sa.update(chunks).where(mine).values(telemetry=together.as_json()))


def finalize(connection: sa.Connection, run: int) -> bool:
    """End the run if no draft of it is open; True for the one caller that ended it."""
    still_open = sa.exists().where(drafts.c.run_id == run, drafts.c.state.in_([state.value for state in OPEN]))
    ended = connection.execute(
        sa.update(runs)
        .where(runs.c.id == run, runs.c.state == RUNNING, ~still_open)
        .values(state=FINISHED, finished_at=now())
    ).rowcount
    if not ended:
        return False
    outcomes = _outcomes(connection, [run]).get(run, {})
    connection.execute(sa.update(runs).where(runs.c.id == run).values(outcomes=outcomes, queued=sum(outcomes.values())))
    return True


def running(connection: sa.Connection) -> list[int]:
    return list(connection.scalars(sa.select(runs.c.id).where(runs.c.state == RUNNING)))


def to_publish_by_rule(connection: sa.Connection) -> list[tuple[str, int, int]]:
    """(shop, shop id, run) of ended runs whose rule publishes and that still have ready or approved drafts."""
    left = sa.exists().where(drafts.c.run_id == runs.c.id, drafts.c.state.in_(["ready", "approved"]))
    query = sa.select(shops.c.name, runs.c.shop_id, runs.c.id).join(shops)
    query = query.where(runs.c.auto_publish.is_(True), runs.c.kind == DESCRIPTION, runs.c.state == FINISHED, left)
    return [(row.name, row.shop_id, row.id) for row in connection.execute(query)]


def detail(connection: sa.Connection, run: int) -> Detail:
    """What `copydesk status RUN` says beyond the counts."""
    chunk_states = connection.execute(
        sa.select(chunks.c.state, sa.func.count()).where(chunks.c.run_id == run).group_by(chunks.c.state)
    )
    last = connection.scalar(sa.select(sa.func.max(drafts.c.settled_at)).where(drafts.c.run_id == run))
    lapsed = connection.scalar(
        sa.select(sa.func.count()).where(
            drafts.c.run_id == run, drafts.c.state == Status.WRITING.value, drafts.c.lease_until < now()
        )
    )
    refused = connection.scalars(
        sa.select(drafts.c.reasons).where(
            drafts.c.run_id == run, drafts.c.outcome.in_([Status.HELD.value, Status.FAILED.value])
        )
    )
    codes = Counter(reason["code"] for reasons in refused for reason in reasons)
    by_state = {str(row[0]): int(row[1]) for row in chunk_states}
    return Detail(by_state, last, lapsed or 0, dict(codes.most_common()), _telemetry(connection, run))


def _telemetry(connection: sa.Connection, run: int) -> Telemetry:
    told = sa.select(chunks.c.telemetry).where(chunks.c.run_id == run, chunks.c.telemetry.is_not(None))
    return sum((Telemetry(**one) for one in connection.scalars(told) if one), Telemetry())


def key_is_used(connection: sa.Connection, shop: str, run_key: str) -> bool:
    """Has the shop a run with this key?"""
    query = sa.select(runs.c.id).join(shops).where(shops.c.name == shop, runs.c.run_key == run_key)
    return connection.execute(query).first() is not None


def asked(connection: sa.Connection, run: int) -> Asked:
    """What a worker has to know of a run. Raises NotFound."""
    query = sa.select(runs.c.recipe, runs.c.lane, shops.c.name, runs.c.auto_publish).join(shops)
    row = connection.execute(query.where(runs.c.id == run)).one_or_none()
    if row is None:
        raise NotFound(f"there is no run {run}: `copydesk status` lists them")
    return Asked(*row)


def find(connection: sa.Connection, run: int) -> Run:
    """One run with its counts. Raises NotFound."""
    found = latest(connection, only=run)
    if not found:
        raise NotFound(f"there is no run {run}: `copydesk status` lists them")
    return found[0]


def latest(connection: sa.Connection, limit: int = 20, only: int | None = None) -> list[Run]:
    """The newest runs first, with their counts."""
    query = sa.select(runs, shops.c.name.label("shop")).join(shops).order_by(runs.c.id.desc()).limit(limit)
    rows = connection.execute(query if only is None else query.where(runs.c.id == only)).all()
    ids = [row.id for row in rows]
    counts, outcomes = _counts(connection, ids), _outcomes(connection, ids)
    spent = {
        row.run_id: (row.asked, row.written)
        for row in connection.execute(
            sa.select(
                drafts.c.run_id,
                sa.func.sum(drafts.c.prompt_tokens).label("asked"),
                sa.func.sum(drafts.c.completion_tokens).label("written"),
            )
            .where(drafts.c.run_id.in_(ids))
            .group_by(drafts.c.run_id)
        )
    }
    return [
        Run(
            row.id, row.shop, row.kind, row.lane, row.run_key, row.state, row.queued, row.recipe,
            counts.get(row.id, {}), row.outcomes or outcomes.get(row.id, {}), *spent.get(row.id, (0, 0)),
            row.created_at, row.started_at, row.finished_at,
        )
        for row in rows
    ]  # fmt: skip


def _counts(connection: sa.Connection, ids: Sequence[int]) -> dict[int, dict[str, int]]:
    return _tally(connection, drafts.c.state, ids)


def _outcomes(connection: sa.Connection, ids: Sequence[int]) -> dict[int, dict[str, int]]:
    return _tally(connection, drafts.c.outcome, ids)


def _tally(connection: sa.Connection, column: sa.Column[Any], ids: Sequence[int]) -> dict[int, dict[str, int]]:
    query = (
        sa.select(drafts.c.run_id, column, sa.func.count())
        .where(drafts.c.run_id.in_(ids), column.is_not(None))
        .group_by(drafts.c.run_id, column)
    )
    tally: dict[int, dict[str, int]] = {}
    for run, value, number in connection.execute(query):
        tally.setdefault(run, {})[value] = number
    return tally
