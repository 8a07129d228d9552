"""Runs and their chunks: planned in one transaction, rung by the relay, finalized exactly once."""

from collections import Counter, deque
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple

import sqlalchemy as sa

from copydesk.errors import IllegalMove, NotFound
from copydesk.model import DESCRIPTION, NO_COPY, OPEN, Facts, Lane, Status, Telemetry
from copydesk.store.products import hold_planning, insert_ignoring_twins, insert_selected, lock, read_by, shown
from copydesk.store.tables import (
    chunks,
    drafts,
    is_not_done,
    is_open,
    is_resampled,
    live_texts,
    now,
    products,
    runs,
    shops,
    storable,
)

BEING_WRITTEN = "already being written"

PLACES_AT_ONCE = 1000
"""Chunks that one statement names."""

RUNS_LOOKED_AT = 20
"""Ended runs that an estimate is made from."""

TROUBLE_KEPT = 500
"""Characters."""


class State(StrEnum):
    """Where a run is. Only what runs is rung and claimed; it ends when no draft of it is open, whatever its state."""

    RUNNING = "running"
    PAUSED = "paused"  # by a person, who may resume it
    STOPPING = "stopping"  # cancelled, or over its budget: what is not written yet is being cancelled
    FINISHED = "finished"
    CANCELLED = "cancelled"  # ended so


OUTCOMES = tuple(
    state.value for state in (Status.READY, Status.HELD, Status.FAILED, Status.STALE, Status.IGNORED, Status.CANCELLED)
)
"""What the desk can make of a draft; a run's counts of them add up to what was queued. Only reviews are ignored."""
WRITTEN = (Status.READY.value, Status.HELD.value, Status.FAILED.value)
WAITING, RUNG, DONE = "waiting", "rung", "done"


@dataclass(frozen=True, slots=True)
class Budget:
    """What a run may cost before it is stopped: tokens in and out together, minutes since its first claim."""

    max_tokens: int | None = None
    max_minutes: int | None = None


NO_BUDGET = Budget()


@dataclass(frozen=True, slots=True)
class Order:
    """What a producer asks for.

    Args:
        kind: of the copy.
        language: the one that live texts are translated into; "" for copy in the product's own.
        recipe: how the copy is made (model, sampling, prompts, rules, voice ...), stored with the run.
        recipe_hashes: per language, the fingerprint of everything but the facts that decides a text;
            a product whose language is not a key is not planned.
        skus: only these products; None for all.
        everything: also products whose facts and recipe have not changed.
        limit: at most this many products.
        lane: who waits for it.
        budget: what the run may cost.
    """

    run_key: str
    recipe: Mapping[str, Any]
    recipe_hashes: Mapping[str, str]
    chunk_size: int
    kind: str = DESCRIPTION
    language: str = ""
    everything: bool = False
    skus: Sequence[str] | None = None
    limit: int | None = None
    auto_publish: bool = False
    lane: str = Lane.CATALOG
    budget: Budget = NO_BUDGET


@dataclass(frozen=True, slots=True)
class Planned:
    """The run that answers an order. `skipped` counts, by reason, the products that get no draft."""

    run: int
    created: bool
    queued: int
    skipped: Mapping[str, int]


class Spent(NamedTuple):
    """What some runs took together, and how many drafts came of it."""

    runs: int
    items: int
    tokens: int
    seconds: float


class Bell(NamedTuple):
    """One chunk to be rung; `rings` counts how often it has been, this time included."""

    run: int
    chunk: int
    shop: str
    rings: int
    kind: str = DESCRIPTION
    lane: str = Lane.CATALOG


class Asked(NamedTuple):
    """How a run's work is done, for which shop, of which kind, and who waits for it.

    `auto_publish` says that a rule may approve what comes of it.
    """

    recipe: Mapping[str, Any]
    lane: str
    shop: str
    auto_publish: bool
    kind: str


@dataclass(frozen=True, slots=True)
class Run:
    """A run as it stands. `counts` holds today's drafts by state, `outcomes` what the desk made of them.

    Tokens are those of chunks that have ended. `trouble` says why a worker could not go on, until one can.
    """

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
    budget: Budget = NO_BUDGET
    stopped_because: str | None = None
    trouble: str | None = None

    @property
    def settled(self) -> int:
        return sum(self.outcomes.values())

    def seconds(self, until: datetime) -> float:
        """From the first claim to the end, or to `until` while the run goes on; 0.0 before the first claim."""
        return ((self.finished_at or until) - self.started_at).total_seconds() if self.started_at else 0.0


@dataclass(frozen=True, slots=True)
class Detail:
    """How a run stands: chunks by state, the last settled draft, leases that ran out, refusals by reason code.

    `telemetry` is that of all its chunks together. `resampled` drafts were written again for being nearly another
    product's text; `is_being_compared` says that somebody looks for such ones right now.
    """

    chunks: Mapping[str, int]
    last_settled_at: datetime | None
    lapsed: int
    reasons: Mapping[str, int]
    telemetry: Telemetry
    resampled: int = 0
    is_being_compared: bool = False


def plan(connection: sa.Connection, shop_id: int, order: Order) -> Planned:
    """Write the run, its drafts and its chunks, server-side; a run key used before gives that run again."""
    opened = open_run(
        connection,
        shop_id,
        order.kind,
        order.run_key,
        order.recipe,
        lane=order.lane,
        auto_publish=order.auto_publish,
        budget=order.budget,
    )
    if not opened.created:
        return opened
    chosen = _chosen(shop_id, order).into("chosen", temporary=True)  # asked once: of a million it takes a while
    connection.execute(chosen)
    skipped = _counted(connection, chosen.table)
    due = skipped.pop("due", 0)
    queued = fill(connection, opened.run, _drafts_of(chosen.table, order))
    if meanwhile := (due if order.limit is None else min(due, order.limit)) - queued:
        skipped[BEING_WRITTEN] = skipped.get(BEING_WRITTEN, 0) + meanwhile
    chosen.table.drop(connection)
    return Planned(opened.run, created=True, queued=queued, skipped=skipped)


def open_run(
    connection: sa.Connection,
    shop_id: int,
    kind: str,
    run_key: str,
    recipe: Mapping[str, Any],
    *,
    lane: str,
    auto_publish: bool = False,
    budget: Budget = NO_BUDGET,
) -> Planned:
    """Write a run without drafts; a run key used before gives that run again.

    If somebody waits for it by now, what is left of it goes first from here on.
    """
    hold_planning(connection, shop_id, alone=False)
    made = connection.scalar(
        insert_ignoring_twins(connection, runs)
        .values(
            shop_id=shop_id,
            kind=kind,
            run_key=run_key,
            state=State.RUNNING.value,
            recipe=dict(recipe),
            auto_publish=auto_publish,
            lane=lane,
            queued=0,
            created_at=now(),
            **asdict(budget),
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
        connection.execute(sa.update(runs).where(runs.c.id == twin.id, runs.c.finished_at.is_(None)).values(lane=lane))
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
    language = sa.literal(order.language) if order.language else products.c.language
    recipe_hash = sa.case(order.recipe_hashes, value=language, else_="")
    facts_hash = read_by(sa.literal(order.kind))
    earlier = drafts.alias("earlier")
    is_being_written = sa.exists().where(
        earlier.c.product_id == products.c.id,
        earlier.c.kind == order.kind,
        earlier.c.state.in_([state.value for state in OPEN]),
    )
    newest = _newest_of_each(shop_id, order.kind)
    last = drafts.alias("last")
    is_unchanged = sa.and_(last.c.recipe_hash == recipe_hash, last.c.facts_hash == facts_hash)
    conditions = [
        (language.not_in(list(order.recipe_hashes)), "no prompt for the language"),
        *_not_to_be_translated(order.language),
        (live_texts.c.by_person.is_(True), "text edited by a person"),
        (is_being_written, BEING_WRITTEN),
    ]
    if not order.everything:
        conditions.append((is_unchanged, "unchanged"))
    why = sa.case(*[(condition, sa.literal(reason)) for condition, reason in conditions], else_="due")
    query = (
        sa.select(
            products.c.id,
            language.label("language"),
            facts_hash.label("facts_hash"),
            recipe_hash.label("recipe_hash"),
            why.label("why"),
        )
        .outerjoin(
            live_texts,
            sa.and_(
                live_texts.c.product_id == products.c.id,
                live_texts.c.kind == order.kind,
                live_texts.c.current.is_(True),
            ),
        )
        .outerjoin(newest, newest.c.product_id == products.c.id)
        .outerjoin(last, last.c.id == newest.c.id)
        .where(products.c.shop_id == shop_id)
    )
    return query if order.skus is None else query.where(products.c.sku.in_(order.skus))


def _not_to_be_translated(language: str) -> list[tuple[sa.ColumnElement[bool], str]]:
    if not language:
        return []
    return [
        (products.c.language == language, "already in the language"),
        (sa.func.trim(sa.func.coalesce(shown("text"), "")) == "", "no live text to translate"),
    ]


def _newest_of_each(shop_id: int, kind: str) -> sa.Subquery:
    """Of each product the newest draft that counts as written.

    As one set: asked product by product, PostgreSQL took 48 s for a million whose drafts had all just been updated.
    """
    does_not_count = [Status.STALE.value, Status.FAILED.value, Status.CANCELLED.value]
    return (
        sa.select(drafts.c.product_id, sa.func.max(drafts.c.id).label("id"))
        .join(products, products.c.id == drafts.c.product_id)
        .where(products.c.shop_id == shop_id, drafts.c.kind == kind, drafts.c.state.not_in(does_not_count))
        .group_by(drafts.c.product_id)
        .subquery("newest")
    )


def _drafts_of(chosen: sa.FromClause, order: Order) -> sa.Select[Any]:
    due = sa.select(
        chunk_of(chosen.c.id, order.chunk_size).label("chunk"),
        chosen.c.id.label("product_id"),
        sa.literal(order.kind).label("kind"),
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


def _counted(connection: sa.Connection, chosen: sa.FromClause) -> dict[str, int]:
    """How many products are due, and by reason how many are not."""
    query = sa.select(chosen.c.why, sa.func.count()).group_by(chosen.c.why)
    return {str(why): int(number) for why, number in connection.execute(query)}


def survey(connection: sa.Connection, shop_id: int, order: Order) -> dict[str, int]:
    """How many products an order would write ("due"), and by reason how many not; nothing is stored."""
    return _counted(connection, _chosen(shop_id, order).subquery())


def due_facts(connection: sa.Connection, shop_id: int, order: Order, limit: int) -> list[Facts]:
    """The facts of some products that an order would write."""
    chosen = _chosen(shop_id, order).subquery()
    due = sa.select(chosen.c.id).where(chosen.c.why == "due").limit(limit)
    return [
        Facts.from_json(one) for one in connection.scalars(sa.select(products.c.facts).where(products.c.id.in_(due)))
    ]


def spent_by(connection: sa.Connection, kind: str, model: str) -> Spent:
    """What the latest ended runs of a kind with this model took."""
    query = sa.select(runs).where(runs.c.kind == kind, runs.c.finished_at.is_not(None), runs.c.completion_tokens > 0)
    latest_ones = connection.execute(query.order_by(runs.c.id.desc()).limit(RUNS_LOOKED_AT)).all()
    alike = [row for row in latest_ones if row.recipe.get("model") == model]
    written = [sum((row.outcomes or {}).get(name, 0) for name in WRITTEN) for row in alike]
    return Spent(
        runs=len(alike),
        items=sum(written),
        tokens=sum(row.prompt_tokens + row.completion_tokens for row in alike),
        seconds=sum((row.finished_at - row.started_at).total_seconds() for row in alike),
    )


def claim_bells(connection: sa.Connection, number: int, lane: str = Lane.CATALOG) -> list[Bell]:
    """At most so many chunks of a lane to ring now; each next one is of the shop that has the fewest rung."""
    if connection.dialect.name == "postgresql":  # two relays choose one after the other
        connection.execute(sa.text("SELECT pg_advisory_xact_lock(620060002)"))
    chosen = _in_turns(connection, _with_chunks_to_ring(connection, lane), number)
    if not chosen:
        return []
    ring = sa.update(chunks).values(state=RUNG, rung_at=now(), rings=chunks.c.rings + 1, next_attempt_at=None)
    ring = ring.returning(chunks.c.run_id, chunks.c.number, chunks.c.rings)
    claimed = [row for these in _among(chosen) for row in connection.execute(ring.where(these))]
    bells = {
        (row.run_id, row.number): Bell(
            row.run_id,
            row.number,
            chosen[row.run_id, row.number].name,
            row.rings,
            chosen[row.run_id, row.number].kind,
            lane,
        )
        for row in claimed
    }
    return [bells[place] for place in chosen]


_MAY_BE_RUNG = sa.and_(
    chunks.c.state == WAITING, sa.or_(chunks.c.next_attempt_at.is_(None), chunks.c.next_attempt_at <= now())
)


def _with_chunks_to_ring(connection: sa.Connection, lane: str) -> Sequence[Any]:
    """The runs of a lane that have some, oldest first, and how many chunks of each are rung."""
    own = chunks.c.run_id == runs.c.id
    rung = sa.select(sa.func.count()).select_from(chunks).where(own, chunks.c.state == RUNG).scalar_subquery()
    query = (
        sa.select(runs.c.id, runs.c.shop_id, runs.c.kind, shops.c.name, rung.label("rung"))
        .join(shops)
        .where(runs.c.state == State.RUNNING.value, runs.c.finished_at.is_(None), runs.c.lane == lane)
        .where(sa.exists().where(own, _MAY_BE_RUNG))
        .order_by(runs.c.id)
    )
    return connection.execute(query).all()


def _in_turns(connection: sa.Connection, waiting: Sequence[Any], number: int) -> dict[tuple[int, int], Any]:
    """Up to `number` chunks of these runs, (run, chunk) -> its run, in the order to ring them in."""
    rung: Counter[int] = Counter()
    left: dict[int, deque[Iterator[tuple[int, int]]]] = {}
    of = {run.id: run for run in waiting}
    for run in waiting:
        rung[run.shop_id] += run.rung
        left.setdefault(run.shop_id, deque()).append(_to_ring(connection, run.id, number))
    chosen: dict[tuple[int, int], Any] = {}
    while left and len(chosen) < number:
        shop = min(left, key=lambda one: rung[one])  # of several, the one whose run is the oldest
        place = next(left[shop][0], None)
        if place is not None:
            chosen[place] = of[place[0]]
            rung[shop] += 1
            continue
        left[shop].popleft()
        if not left[shop]:
            del left[shop]
    return chosen


def _among(places: Collection[tuple[int, int]]) -> Iterator[sa.ColumnElement[bool]]:
    """Conditions for these chunks (run, number), run by run: for pairs of values SQLite reads the whole table."""
    for run in sorted({run for run, _ in places}):
        numbers = sorted(number for of, number in places if of == run)
        for begin in range(0, len(numbers), PLACES_AT_ONCE):
            yield sa.and_(chunks.c.run_id == run, chunks.c.number.in_(numbers[begin : begin + PLACES_AT_ONCE]))


def _to_ring(connection: sa.Connection, run: int, number: int) -> Iterator[tuple[int, int]]:
    query = sa.select(chunks.c.number).where(chunks.c.run_id == run, _MAY_BE_RUNG)
    for one in connection.scalars(query.order_by(chunks.c.number).limit(number)).all():
        yield run, one


def unring(connection: sa.Connection, bells: Sequence[Bell]) -> None:
    """The broker did not take these bells: their chunks wait again."""
    for bell in bells:
        mine = sa.and_(chunks.c.run_id == bell.run, chunks.c.number == bell.chunk, chunks.c.rings == bell.rings)
        connection.execute(sa.update(chunks).where(mine, chunks.c.state == RUNG).values(state=WAITING))


def wait_again(connection: sa.Connection, heard: Collection[tuple[int, int]], *, rung_before_seconds: float) -> int:
    """Lost bells: chunks (run, number) that are not `heard`, with work left and nobody at it, wait to be rung again."""
    rung = sa.select(chunks.c.run_id, chunks.c.number).join(runs, runs.c.id == chunks.c.run_id)
    rung = rung.where(is_not_done, chunks.c.state == RUNG, chunks.c.rung_at < now(-rung_before_seconds))
    silent = [place for row in connection.execute(rung) if (place := (row.run_id, row.number)) not in heard]
    own = sa.and_(drafts.c.run_id == chunks.c.run_id, drafts.c.chunk == chunks.c.number)
    again = 0
    for these in _among(silent):
        again += connection.execute(
            sa.update(chunks)
            .where(
                these,
                chunks.c.state == RUNG,
                sa.exists().where(own, is_open, drafts.c.state == Status.PENDING.value),
                ~sa.exists().where(own, is_open, drafts.c.state == Status.WRITING.value),
            )
            .values(state=WAITING)
        ).rowcount
    return again


def close_chunks(connection: sa.Connection, only: tuple[int, int] | None = None) -> int:
    """Chunks that owe nothing more are done: those that are rung or whose run has ended, or `only` this one."""
    own = sa.and_(drafts.c.run_id == chunks.c.run_id, drafts.c.chunk == chunks.c.number)
    nothing_open = ~sa.exists().where(own, is_open)
    goes_on = sa.select(runs.c.id).where(runs.c.finished_at.is_(None))
    which = (
        sa.or_(chunks.c.state == RUNG, chunks.c.run_id.not_in(goes_on))
        if only is None
        else sa.and_(chunks.c.run_id == only[0], chunks.c.number == only[1])
    )
    # Locked first, looked at in statements of their own: drafts may be taken up again while we wait for the lock.
    place = (chunks.c.run_id, chunks.c.number)
    free = sa.select(*place).where(is_not_done, which, nothing_open).order_by(chunks.c.state, *place)
    places = [(row.run_id, row.number) for row in connection.execute(free.with_for_update())]
    done = sa.update(chunks).values(state=DONE)
    return sum(connection.execute(done.where(these, nothing_open)).rowcount for these in _among(places))


def add_telemetry(connection: sa.Connection, run: int, chunk: int, telemetry: Telemetry) -> None:
    """What one go at a chunk cost, on top of the goes before; and that the run can be worked on."""
    mine = sa.and_(chunks.c.run_id == run, chunks.c.number == chunk)
    before = connection.scalar(sa.select(chunks.c.telemetry).where(mine).with_for_update())
    together = Telemetry(**before) + telemetry if before else telemetry
    connection.execute(sa.update(chunks).where(mine).values(telemetry=together.as_json()))
    connection.execute(
        sa.update(runs)
        .where(runs.c.id == run)
        .values(
            prompt_tokens=runs.c.prompt_tokens + telemetry.prompt_tokens,
            completion_tokens=runs.c.completion_tokens + telemetry.completion_tokens,
            trouble=None,
        )
    )


def note_settled(connection: sa.Connection, run: int, chunk: int) -> None:
    """Something of this chunk was written down just now."""
    mine = sa.and_(chunks.c.run_id == run, chunks.c.number == chunk)
    connection.execute(sa.update(chunks).where(mine).values(settled_at=now()))


def note_trouble(connection: sa.Connection, run: int, trouble: str) -> None:
    """Why a worker could not go on with a run, for `copydesk status`."""
    connection.execute(sa.update(runs).where(runs.c.id == run).values(trouble=storable(trouble)[:TROUBLE_KEPT]))


def over_budget(connection: sa.Connection, run: int | None = None) -> list[tuple[int, str]]:
    """Runs (or this one) that owe something, go on and have used up what they may cost, and in what way."""
    owes = sa.exists().where(drafts.c.run_id == runs.c.id, is_open)
    query = sa.select(runs.c.id, runs.c.max_tokens, runs.c.max_minutes, _SPENT.label("spent")).where(
        runs.c.finished_at.is_(None), runs.c.state != State.STOPPING.value, _is_used_up(connection), owes
    )
    query = query if run is None else query.where(runs.c.id == run)
    return [(row.id, _why_over(row)) for row in connection.execute(query)]


def has_used_up(connection: sa.Connection, run: int) -> bool:
    """Has a run used up what it may cost?"""
    query = sa.select(runs.c.id).where(runs.c.id == run, _is_used_up(connection))
    return connection.scalar(query) is not None


_SPENT = runs.c.prompt_tokens + runs.c.completion_tokens


def _is_used_up(connection: sa.Connection) -> sa.ColumnElement[bool]:
    is_late = _is_before_now(connection, runs.c.started_at, sa.func.coalesce(runs.c.max_minutes, 0))
    return sa.or_(runs.c.max_tokens <= _SPENT, sa.and_(runs.c.max_minutes.is_not(None), is_late))


def _is_before_now(
    connection: sa.Connection, moment: sa.ColumnElement[Any], minutes: sa.ColumnElement[int]
) -> sa.ColumnElement[bool]:
    """Have so many minutes passed since the moment, by the database's clock?"""
    if connection.dialect.name == "sqlite":
        return sa.func.julianday(moment) + minutes / 1440.0 <= sa.func.julianday(now())
    return moment + sa.func.make_interval(0, 0, 0, 0, 0, minutes) <= now()


def _why_over(row: Any) -> str:
    if row.max_tokens is not None and row.spent >= row.max_tokens:
        return f"the run reached its budget: {row.spent:,} of {row.max_tokens:,} tokens"
    return f"the run reached its budget of {row.max_minutes} minutes"


def pause(connection: sa.Connection, run: int) -> str:
    """Ring and claim nothing more of a run; chunks in hand are finished. Raises NotFound, IllegalMove."""
    return _move(connection, run, State.RUNNING, State.PAUSED)


def resume(connection: sa.Connection, run: int) -> str:
    """What was paused goes on. Raises NotFound, IllegalMove."""
    return _move(connection, run, State.PAUSED, State.RUNNING)


def _move(connection: sa.Connection, run: int, before: State, to: State) -> str:
    """Change a run's state; returns the shop's name."""
    changes = sa.update(runs).where(runs.c.id == run, runs.c.state == before.value, runs.c.finished_at.is_(None))
    moved = connection.execute(changes.values(state=to.value)).rowcount
    found = connection.execute(sa.select(runs.c.state, shops.c.name).join(shops).where(runs.c.id == run)).one_or_none()
    if found is None:
        raise _no_such_run(run)
    if not moved:
        raise IllegalMove(f"run {run} is {found.state}: only one that is {before.value} can become {to.value}")
    return str(found.name)


def stop(connection: sa.Connection, run: int, why: str) -> bool:
    """Ring and claim nothing more of a run that goes on; its open drafts are to be cancelled. False if it has ended."""
    changes = sa.update(runs).where(runs.c.id == run, runs.c.finished_at.is_(None))
    return bool(connection.execute(changes.values(state=State.STOPPING.value, stopped_because=why)).rowcount)


def stopping(connection: sa.Connection) -> list[tuple[int, str]]:
    """Runs whose open drafts are being cancelled, and why."""
    query = sa.select(runs.c.id, runs.c.stopped_because).where(
        runs.c.finished_at.is_(None), runs.c.state == State.STOPPING.value
    )
    return [(row.id, row.stopped_because or "") for row in connection.execute(query)]


def reopen(connection: sa.Connection, run: int, budget: Budget) -> None:
    """A run that had ended goes on, for drafts of it that wait again.

    The budget counts the whole run's tokens, and minutes from the next claim on.
    """
    changes = {
        "state": State.RUNNING.value,
        "started_at": None,
        "finished_at": None,
        "outcomes": None,
        "stopped_because": None,
        "comparing_until": None,
        "compared_at": None,
    }
    ended = sa.update(runs).where(runs.c.id == run, runs.c.finished_at.is_not(None))
    connection.execute(ended.values(**changes, **asdict(budget)))


def finalize(connection: sa.Connection, run: int) -> bool:
    """End the run if no draft of it is open, and its texts are compared; True for the one caller that ended it."""
    # In an order, so that it is looked up: without, PostgreSQL thinks it meets one soon if it reads all from the start.
    owed = sa.select(drafts.c.id).where(drafts.c.run_id == run, is_open).order_by(drafts.c.chunk).limit(1)
    if connection.scalar(owed) is not None:
        return False
    lock(connection, runs, runs.c.id == run)  # and looked at once more: drafts may have been taken up again meanwhile
    was_stopped = runs.c.state == State.STOPPING.value
    ended = connection.execute(
        sa.update(runs)
        .where(runs.c.id == run, runs.c.finished_at.is_(None), owed.scalar_subquery().is_(None), _is_compared())
        .values(
            state=sa.case((was_stopped, State.CANCELLED.value), else_=State.FINISHED.value),
            finished_at=now(),
            trouble=None,
        )
    ).rowcount
    if not ended:
        return False
    outcomes = _outcomes(connection, [run]).get(run, {})
    connection.execute(sa.update(runs).where(runs.c.id == run).values(outcomes=outcomes, queued=sum(outcomes.values())))
    return True


def _is_compared() -> sa.ColumnElement[bool]:
    """Nobody has to look for near-duplicates among the run's texts any more, or ever had to (store/comparing.py)."""
    is_ready = sa.exists().where(drafts.c.run_id == runs.c.id, drafts.c.state == Status.READY.value)
    return sa.or_(
        runs.c.compared_at.is_not(None), runs.c.kind.in_(NO_COPY), runs.c.state == State.STOPPING.value, ~is_ready
    )


def running(connection: sa.Connection) -> list[int]:
    """Runs that have not ended."""
    return list(connection.scalars(sa.select(runs.c.id).where(runs.c.finished_at.is_(None))))


def to_publish_by_rule(connection: sa.Connection) -> list[tuple[str, int, int, str]]:
    """(shop, shop id, run, kind) of finished runs whose rule publishes and that still have ready or approved drafts.

    Of a cancelled run a person decides, who may not have liked what it wrote.
    """
    left = sa.exists().where(drafts.c.run_id == runs.c.id, drafts.c.state.in_(["ready", "approved"]))
    query = sa.select(shops.c.name, runs.c.shop_id, runs.c.id, runs.c.kind).join(shops)
    query = query.where(
        runs.c.auto_publish.is_(True),
        runs.c.kind.not_in(NO_COPY),
        runs.c.state == State.FINISHED.value,
        left,
    )
    return [(row.name, row.shop_id, row.id, row.kind) for row in connection.execute(query)]


def detail(connection: sa.Connection, run: int) -> Detail:
    """What `copydesk status RUN` says beyond the counts."""
    chunk_states = connection.execute(
        sa.select(chunks.c.state, sa.func.count()).where(chunks.c.run_id == run).group_by(chunks.c.state)
    )
    last = connection.scalar(sa.select(sa.func.max(chunks.c.settled_at)).where(chunks.c.run_id == run))
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
    codes = Counter(reason["code"] for reasons in refused for reason in reasons if not reason.get("warns"))
    by_state = {str(row[0]): int(row[1]) for row in chunk_states}
    resampled = sa.select(sa.func.count()).where(drafts.c.run_id == run, is_resampled)
    compared = sa.select(runs.c.id).where(runs.c.id == run, runs.c.comparing_until > now())
    return Detail(
        by_state, last, lapsed or 0, dict(codes.most_common()), _telemetry(connection, run),
        connection.scalar(resampled) or 0, connection.scalar(compared) is not None,
    )  # fmt: skip


def _telemetry(connection: sa.Connection, run: int) -> Telemetry:
    told = sa.select(chunks.c.telemetry).where(chunks.c.run_id == run, chunks.c.telemetry.is_not(None))
    return sum((Telemetry(**one) for one in connection.scalars(told) if one), Telemetry())


def key_is_used(connection: sa.Connection, shop: str, run_key: str) -> bool:
    """Has the shop a run with this key?"""
    query = sa.select(runs.c.id).join(shops).where(shops.c.name == shop, runs.c.run_key == run_key)
    return connection.execute(query).first() is not None


def asked(connection: sa.Connection, run: int) -> Asked:
    """What a run was planned with; nothing of it is counted. Raises NotFound."""
    query = sa.select(runs.c.recipe, runs.c.lane, shops.c.name, runs.c.auto_publish, runs.c.kind).join(shops)
    row = connection.execute(query.where(runs.c.id == run)).one_or_none()
    if row is None:
        raise _no_such_run(run)
    return Asked(*row)


def find(connection: sa.Connection, run: int) -> Run:
    """One run with its counts. Raises NotFound."""
    found = latest(connection, only=run)
    if not found:
        raise _no_such_run(run)
    return found[0]


def _no_such_run(run: int) -> NotFound:
    return NotFound(f"there is no run {run}: `copydesk status` lists them")


def latest(connection: sa.Connection, limit: int = 20, only: int | None = None) -> list[Run]:
    """The newest runs first, with their counts."""
    query = sa.select(runs, shops.c.name.label("shop")).join(shops).order_by(runs.c.id.desc()).limit(limit)
    rows = connection.execute(query if only is None else query.where(runs.c.id == only)).all()
    ids = [row.id for row in rows]
    counts, outcomes = _counts(connection, ids), _outcomes(connection, ids)
    return [
        Run(
            row.id, row.shop, row.kind, row.lane, row.run_key, row.state, row.queued, row.recipe,
            counts.get(row.id, {}), row.outcomes or outcomes.get(row.id, {}),
            row.prompt_tokens, row.completion_tokens, row.created_at, row.started_at, row.finished_at,
            Budget(row.max_tokens, row.max_minutes), row.stopped_because, row.trouble,
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
