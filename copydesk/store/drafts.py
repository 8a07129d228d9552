"""Drafts: claimed with a lease, settled on condition, decided by a person, returned by the sweep."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import islice
from typing import Any, TypeVar

import sqlalchemy as sa

from copydesk.errors import IllegalMove, InputError, NotFound
from copydesk.model import LEGAL_MOVES, REPLY, SENTIMENT, Counts, Facts, Reason, Route, Status
from copydesk.store import selecting
from copydesk.store.bulk import among
from copydesk.store.products import hold_planning, insert_selected, is_translation, lock, read_by, to_translate
from copydesk.store.reviews import as_json, begun, may_be_written
from copydesk.store.selecting import EVERY, Which
from copydesk.store.tables import chunks, drafts, is_open, now, products, reviews, runs, shops, storable

AT_ONCE = 10_000
"""Drafts that one transaction returns, cancels or takes up again; the next one takes the rest."""

One = TypeVar("One")


@dataclass(frozen=True, slots=True)
class Claimed:
    """One draft that this worker now owes, with the facts to write from; of a translation also the live text."""

    id: int
    sku: str
    facts: Facts
    attempt: int
    live_text: str = ""
    resampled: int = 0  # how often it was written before, and was nearly another product's text


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the desk made of one draft. `status` is READY, HELD or FAILED.

    `choices` are the answers to a batch request, or the probabilities of a sentiment.
    """

    draft: int
    status: Status
    text: str = ""
    reasons: tuple[Reason, ...] = ()
    asks: int = 0
    model: str = ""
    prompt: str = ""
    sampling: Mapping[str, Any] | None = None
    prompt_tokens: int = 0
    completion_tokens: int = 0
    seconds: float | None = None
    choices: Sequence[Mapping[str, Any]] | None = None


@dataclass(frozen=True, slots=True)
class Settled:
    """Which outcomes were accepted; the others were stale (asked for again) or fenced out (somebody else's now)."""

    accepted: frozenset[int]
    stale: int
    fenced: int


@dataclass(frozen=True, slots=True)
class Draft:
    """A draft as people see it."""

    id: int
    run: int
    shop: str
    sku: str
    kind: str
    language: str
    state: Status
    text: str
    reasons: tuple[Reason, ...]
    attempt: int
    model: str | None
    prompt: str | None
    asks: int
    facts: Facts
    model_text: str | None
    decided_by: str | None
    sampling: Mapping[str, Any] | None
    first_approved_by: str | None = None
    prompt_tokens: int = 0
    completion_tokens: int = 0
    seconds: float | None = None  # from the first ask to the last answer
    settled_at: datetime | None = None


def claim(
    connection: sa.Connection, run: int, chunk: int, *, token: str, lease_seconds: float, alone: bool = False
) -> list[Claimed]:
    """Take what waits in a chunk; a second delivery of the same bell takes nothing.

    Drafts whose product was edited since they were planned become stale first, and their successors are taken.

    Args:
        alone: take one draft of those that may be to blame for a crash; else take all others.
    """
    supersede(connection, waits(run, chunk))
    query = (
        sa.select(
            *[drafts.c[name] for name in ("id", "attempt", "resampled")],
            *[products.c[name] for name in ("sku", "facts")],
            to_translate(drafts.c.kind).label("live_text"),
        )
        .join(products)
        .where(taken(connection, run, chunk, token=token, lease_seconds=lease_seconds, alone=alone))
        .order_by(drafts.c.id)
    )
    return [
        Claimed(row.id, row.sku, Facts.from_json(row.facts), row.attempt, row.live_text or "", row.resampled)
        for row in connection.execute(query)
    ]


def taken(
    connection: sa.Connection, run: int, chunk: int, *, token: str, lease_seconds: float, alone: bool = False
) -> sa.ColumnElement[bool]:
    """Lease drafts of a chunk, as claim says; which ones this worker now holds, as a condition."""
    goes_on = sa.exists().where(runs.c.id == run, runs.c.state == "running")
    is_due = sa.or_(drafts.c.next_attempt_at.is_(None), drafts.c.next_attempt_at <= now())
    chosen = sa.and_(waits(run, chunk), goes_on, is_due, drafts.c.alone.is_(alone))
    if alone:
        first = sa.select(drafts.c.id).where(chosen).order_by(drafts.c.id).limit(1).with_for_update(skip_locked=True)
        chosen = drafts.c.id.in_(list(connection.scalars(first)))
    connection.execute(
        sa.update(drafts)
        .where(chosen)
        .values(
            state=Status.WRITING.value,
            lease_token=token,
            lease_until=now(lease_seconds),
            next_attempt_at=None,
            attempt=drafts.c.attempt + 1,
        )
    )
    connection.execute(sa.update(runs).where(runs.c.id == run, runs.c.started_at.is_(None)).values(started_at=now()))
    return _held(run, chunk, token)


def _held(run: int, chunk: int, token: str) -> sa.ColumnElement[bool]:
    return sa.and_(
        drafts.c.run_id == run,
        drafts.c.chunk == chunk,
        is_open,
        drafts.c.state == Status.WRITING.value,
        drafts.c.lease_token == token,
    )


def waits(run: int, chunk: int) -> sa.ColumnElement[bool]:
    """A draft of this chunk that nobody has claimed yet."""
    return sa.and_(drafts.c.run_id == run, drafts.c.chunk == chunk, is_open, drafts.c.state == Status.PENDING.value)


def held(connection: sa.Connection, run: int, chunk: int, token: str) -> set[int]:
    """The drafts of a chunk that are still this worker's."""
    return set(connection.scalars(sa.select(drafts.c.id).where(_held(run, chunk, token))))


def crashed_wait(connection: sa.Connection, run: int, chunk: int) -> bool:
    """Do drafts of a chunk wait that may be to blame for a crash?"""
    query = sa.select(sa.exists().where(waits(run, chunk), drafts.c.alone.is_(True)))
    return bool(connection.scalar(query))


def renew(connection: sa.Connection, run: int, chunk: int, token: str, lease_seconds: float) -> int:
    """Push the lease on; returns how many drafts are still this worker's."""
    return connection.execute(
        sa.update(drafts).where(_held(run, chunk, token)).values(lease_until=now(lease_seconds))
    ).rowcount


def let_go(
    connection: sa.Connection,
    run: int,
    chunk: int,
    token: str,
    *,
    crashed: Collection[int] = (),
    pauses: Sequence[float] = (),
) -> int:
    """End the lease: what this worker still holds waits again; returns how many drafts that were.

    Args:
        crashed: the drafts that were being worked on when the engine crashed. It counts as an attempt of theirs, and
            each waits for its pause, or has failed after the last. Of the others it was none.
        pauses: seconds to wait after a first, second, ... crash.
    """
    mine = _held(run, chunk, token)
    let = _crashed(connection, sa.and_(mine, drafts.c.id.in_(crashed)), pauses, alone_from=1) if crashed else 0
    freed = connection.execute(
        sa.update(drafts)
        .where(mine)
        .values(
            state=Status.PENDING.value,
            lease_token=None,
            lease_until=None,
            attempt=sa.case((drafts.c.attempt > 0, drafts.c.attempt - 1), else_=0),
        )
    )
    return let + freed.rowcount


def _crashed(
    connection: sa.Connection, which: sa.ColumnElement[bool], pauses: Sequence[float], *, alone_from: int
) -> int:
    """Drafts whose worker or engine ended over them wait for their next attempt, or have failed; returns how many.

    From which crash on each is written by itself.
    """
    reason = Reason("attempts.used_up", f"the worker or the model crashed {len(pauses) + 1} times over this")
    no_lease: dict[str, Any] = {"lease_token": None, "lease_until": None}
    failed = connection.execute(
        sa.update(drafts)
        .where(which, drafts.c.attempt > len(pauses))
        .values(
            state=Status.FAILED.value,
            outcome=Status.FAILED.value,
            reasons=as_json([reason]),
            settled_at=now(),
            **no_lease,
        )
    ).rowcount
    waiting = 0
    for crash, pause in enumerate(pauses, start=1):
        waiting += connection.execute(
            sa.update(drafts)
            .where(which, drafts.c.attempt == crash)
            .values(state=Status.PENDING.value, next_attempt_at=now(pause), alone=crash >= alone_from, **no_lease)
        ).rowcount
    return failed + waiting


def settle(connection: sa.Connection, token: str, outcomes: Sequence[Outcome]) -> Settled:
    """Write outcomes, each on condition: the lease is still this worker's, product or review say what it read."""
    ids = [outcome.draft for outcome in outcomes]
    these = drafts.c.id.in_(ids)
    lock(connection, products, products.c.id.in_(sa.select(drafts.c.product_id).where(these)), read=True)
    lock(connection, reviews, reviews.c.id.in_(sa.select(drafts.c.review_id).where(these)), read=True)
    mine = sa.and_(these, drafts.c.lease_token == token, drafts.c.state == Status.WRITING.value)
    acceptable = (
        sa.select(drafts.c.id)
        .where(mine, ~_is_outdated())
        .order_by(drafts.c.id)  # in one order for everybody who locks drafts
        .with_for_update(of=drafts)
    )
    accepted = frozenset(connection.scalars(acceptable))
    rows = {outcome.draft: _row(outcome) for outcome in outcomes if outcome.draft in accepted}
    if rows:
        fixed: dict[str, Any] = {"lease_token": None, "lease_until": None, "settled_at": now()}
        columns: dict[str, Any] = {name: sa.bindparam(name) for name in _row(outcomes[0]) if name != "draft"}
        update = sa.update(drafts).where(drafts.c.id == sa.bindparam("draft")).values(**fixed, **columns)
        connection.execute(update, [rows[draft] for draft in sorted(rows)])
    dropped = len(set(ids)) - len(accepted)
    stale = supersede(connection, mine) if dropped else 0
    return Settled(accepted, stale, dropped - stale)


def _row(outcome: Outcome) -> dict[str, Any]:
    return {
        "draft": outcome.draft,
        "state": outcome.status.value,
        "outcome": outcome.status.value,
        "text": storable(outcome.text),
        "choices": outcome.choices,
        "reasons": as_json(outcome.reasons),
        "asks": outcome.asks,
        "model": outcome.model,
        "prompt": outcome.prompt,
        "sampling": outcome.sampling,
        "prompt_tokens": outcome.prompt_tokens,
        "completion_tokens": outcome.completion_tokens,
        "seconds": outcome.seconds,
    }


def supersede(
    connection: sa.Connection, which: sa.ColumnElement[bool], *, also: sa.ColumnElement[bool] | None = None
) -> int:
    """Open drafts of edited products and reviews become stale; each gets a successor in the same chunk.

    The successor is about what product or review say today. `also` makes others stale.
    """
    outdated = _is_outdated() if also is None else sa.or_(_is_outdated(), also)
    stale = list(
        connection.scalars(
            sa.update(drafts)
            .where(which, outdated)
            .values(
                state=Status.STALE.value,
                outcome=Status.STALE.value,
                lease_token=None,
                lease_until=None,
                settled_at=now(),
            )
            .returning(drafts.c.id)
        )
    )
    if not stale:
        return 0
    made = _add_successors(connection, stale, products, _of_product())
    is_ordinary = sa.and_(drafts.c.kind == SENTIMENT, reviews.c.route == Route.ORDINARY)
    is_asked = sa.or_(is_ordinary, sa.and_(drafts.c.kind == REPLY, may_be_written()))
    made += _add_successors(connection, stale, reviews, begun(is_asked))
    run_ids = sa.select(drafts.c.run_id).where(drafts.c.id.in_(stale))
    connection.execute(sa.update(runs).where(runs.c.id.in_(run_ids)).values(queued=runs.c.queued + made))
    return len(stale)


def _is_outdated() -> sa.ColumnElement[bool]:
    """Does a draft's product or review say something else by now? Of a batch request there is nothing to say."""
    product = sa.exists().where(products.c.id == drafts.c.product_id, read_by(drafts.c.kind) != drafts.c.facts_hash)
    review = sa.exists().where(reviews.c.id == drafts.c.review_id, reviews.c.content_hash != drafts.c.facts_hash)
    return sa.or_(product, review)


def _of_product() -> dict[str, sa.ColumnElement[Any]]:
    return {
        "product_id": products.c.id,
        "language": sa.case((is_translation(drafts.c.kind), drafts.c.language), else_=products.c.language),
        "facts_hash": read_by(drafts.c.kind),
        "state": sa.literal(Status.PENDING.value),
        "reasons": sa.literal([], drafts.c.reasons.type),
    }


def _add_successors(
    connection: sa.Connection, stale: Sequence[int], subject: sa.Table, fresh: Mapping[str, sa.ColumnElement[Any]]
) -> int:
    kept = ("run_id", "chunk", "kind", "recipe_hash")
    blank: dict[str, sa.ColumnElement[Any]] = {
        "text": sa.literal(""),
        **{name: sa.literal(0) for name in ("attempt", "asks", "prompt_tokens", "completion_tokens")},
        "created_at": now(),
    }
    successors = (
        sa.select(*[drafts.c[name] for name in kept], *[one.label(name) for name, one in {**blank, **fresh}.items()])
        .select_from(drafts.join(subject))
        .where(drafts.c.id.in_(stale))
        .order_by(drafts.c.id)
    )
    return insert_selected(connection, drafts, successors)


def return_expired(connection: sa.Connection, pauses: Sequence[float]) -> tuple[int, int]:
    """End leases that ran out: (drafts that wait again, drafts out of attempts and therefore failed).

    Their chunks wait to be rung: whoever held them is gone. `pauses` as in let_go.
    """
    expired = sa.and_(drafts.c.state == Status.WRITING.value, drafts.c.lease_until < now())
    # What a late worker is settling at this moment is left to it; the next sweep looks again.
    first = sa.select(drafts.c.id).where(expired).order_by(drafts.c.lease_until).limit(AT_ONCE)
    ids = connection.scalars(first).all()
    free = sa.select(drafts.c.id, drafts.c.run_id, drafts.c.chunk, drafts.c.attempt)
    free = free.where(among(connection, drafts.c.id, ids), expired).order_by(drafts.c.id)
    rows = connection.execute(free.with_for_update(skip_locked=True)).all()
    for some in batched(rows, AT_ONCE // 10):
        # A dead worker cannot say what it had begun with. It nearly always died of something else: so the first time
        # all are written together, as quickly as they can be.
        _crashed(connection, drafts.c.id.in_([row.id for row in some]), pauses, alone_from=2)
    for run, chunk in sorted({(row.run_id, row.chunk) for row in rows}):
        wait_for_next(connection, run, chunk)
    failed = sum(row.attempt > len(pauses) for row in rows)
    return len(rows) - failed, failed


def wait_for_next(connection: sa.Connection, run: int, chunk: int, *, not_before_seconds: float = 0) -> None:
    """A chunk that still owes something, and that nobody works on, waits until its next draft may be claimed."""
    of_chunk = sa.and_(drafts.c.run_id == run, drafts.c.chunk == chunk)
    left = sa.select(
        sa.func.count().filter(drafts.c.state == Status.WRITING.value).label("in_hand"),
        sa.func.count().filter(drafts.c.state == Status.PENDING.value).label("pending"),
        sa.func.count().filter(drafts.c.next_attempt_at.is_(None)).label("at_once"),
        sa.func.min(drafts.c.next_attempt_at).label("first"),
    ).where(of_chunk, is_open)
    found = connection.execute(left).one()
    if found.in_hand or not found.pending:
        return
    first = None if found.at_once else found.first
    connection.execute(
        sa.update(chunks)
        .where(chunks.c.run_id == run, chunks.c.number == chunk, chunks.c.state != "done")
        .values(state="waiting", next_attempt_at=now(not_before_seconds) if not_before_seconds else first)
    )


def cancel_some(connection: sa.Connection, run: int, why: str) -> int:
    """Cancel up to AT_ONCE open drafts of a run, whoever holds them; returns how many. Call again until none is left.

    A worker that holds one finds that it does not any more; what it made of it is not written down.
    """
    open_ones = sa.and_(drafts.c.run_id == run, is_open)
    ids = list(
        connection.scalars(
            sa.select(drafts.c.id).where(open_ones).order_by(drafts.c.id).limit(AT_ONCE).with_for_update()
        )
    )
    for some in batched(ids, AT_ONCE // 10):
        connection.execute(
            sa.update(drafts)
            .where(drafts.c.id.in_(some))
            .values(
                state=Status.CANCELLED.value,
                outcome=Status.CANCELLED.value,
                reasons=as_json([Reason("run.cancelled", why)]),
                lease_token=None,
                lease_until=None,
                settled_at=now(),
            )
        )
    return len(ids)


def take_up_again(connection: sa.Connection, run: int, states: Collection[Status], reason: str | None = None) -> int:
    """Failed or cancelled drafts of a run wait once more, as if they had never been tried; returns how many.

    Those are left that something else has taken the place of since: a newer draft of the product, or of the review.

    Args:
        reason: only those with this reason code.
    """
    hold_planning(connection, sa.select(runs.c.shop_id).where(runs.c.id == run).scalar_subquery(), alone=True)
    lock(connection, runs, runs.c.id == run)
    newer = drafts.alias("newer")
    same = sa.or_(newer.c.product_id == drafts.c.product_id, newer.c.review_id == drafts.c.review_id)
    replaced = sa.exists().where(same, newer.c.kind == drafts.c.kind, newer.c.id > drafts.c.id)
    dead = (
        sa.select(drafts.c.id, drafts.c.chunk, drafts.c.reasons)
        .where(drafts.c.run_id == run, drafts.c.state.in_([state.value for state in states]), ~replaced)
        .order_by(drafts.c.id)
        .with_for_update(of=drafts)
    )
    rows = [row for row in connection.execute(dead) if reason is None or reason in {one["code"] for one in row.reasons}]
    for some in batched(rows, AT_ONCE // 10):
        connection.execute(
            sa.update(drafts)
            .where(drafts.c.id.in_([row.id for row in some]))
            .values(
                state=Status.PENDING.value,
                outcome=None,
                reasons=[],
                attempt=0,
                alone=False,
                next_attempt_at=None,
                settled_at=None,
            )
        )
    places = sorted({row.chunk for row in rows})
    for numbers in batched(places, AT_ONCE // 10):
        connection.execute(
            sa.update(chunks)
            .where(chunks.c.run_id == run, chunks.c.number.in_(numbers))
            .values(state="waiting", next_attempt_at=None)
        )
    return len(rows)


def listed(connection: sa.Connection, which: Which = EVERY, **narrower: Any) -> list[Draft]:
    """Drafts of products that meet every condition given, oldest first; `narrower` are fields of Which."""
    return [_draft(row) for row in connection.execute(_shown(connection, replace(which, **narrower)))]


def sample(connection: sa.Connection, which: Which, number: int) -> list[Draft]:
    """Some of the drafts, drawn at random, oldest first."""
    chosen = selecting.select(connection, which, drafts.c.id).subquery()
    drawn = sa.select(chosen.c.id).order_by(sa.func.random()).limit(number)
    return listed(connection, ids=list(connection.scalars(drawn)))


def _shown(connection: sa.Connection, which: Which) -> sa.Select[Any]:
    return selecting.select(connection, which, drafts, products.c.sku, products.c.facts, shops.c.name.label("shop"))


def find(connection: sa.Connection, draft: int) -> Draft:
    """One draft. Raises NotFound."""
    found = listed(connection, ids=[draft])
    if not found:
        raise NotFound(f"there is no draft {draft}: `copydesk drafts list` shows them")
    return found[0]


UNDECIDED = (Status.READY, Status.HELD)
"""States in which a draft waits for a person, and in which many may be decided on at once."""


def decide(
    connection: sa.Connection,
    draft: int,
    to: Status,
    *,
    by: str,
    text: str | None = None,
    kind: str | None = None,
    four_eyes: bool = False,
) -> Status:
    """A person's word on one draft; with `text` the person's own words replace the model's. Returns its new state.

    Args:
        kind: REPLY for a reply; None for copy of a product.
        four_eyes: two persons have to say yes. The first yes leaves the draft where it waits, under that person's
            name; new words are their writer's yes and void the other's.

    Raises:
        NotFound: there is no such draft.
        IllegalMove: the draft is in a state that does not allow it, or the second yes is the first person's again.
        InputError: the new text is blank.
    """
    if text is not None and not text.strip():
        raise InputError("the new text is blank: reject the draft if it shall not be used")
    if to not in (Status.APPROVED, Status.REJECTED):
        raise IllegalMove(f"draft {draft} cannot be made {to.value} by hand: approve, reject or publish it")
    allowed = [state for state, targets in LEGAL_MOVES.items() if to in targets]
    if text is not None:
        allowed = [*allowed, to]  # an approved draft may be edited again
    mine = sa.and_(drafts.c.id == draft, drafts.c.kind == kind if kind else drafts.c.product_id.is_not(None))
    standing = _locked(connection, mine, draft, kind)
    if to is Status.APPROVED and text is None and not standing.text.strip():
        raise InputError(
            f"draft {draft} has no text to approve: write one with `copydesk {_command(kind)} edit {draft}`"
        )
    if standing.state not in allowed:
        names = ", ".join(sorted(state.value for state in allowed))
        raise IllegalMove(f"draft {draft} is {standing.state}: only a draft that is {names} can become {to.value}")
    first = None if text is not None else standing.first_approved_by
    if four_eyes and to is Status.APPROVED and first == by:
        raise IllegalMove(f"draft {draft} has your yes already ({by}): a second person has to approve it")
    waits = four_eyes and to is Status.APPROVED and first is None
    changes = _first_yes(by) if waits else _word(to, by)
    if text is not None:
        changes |= {"text": storable(text), "model_text": sa.func.coalesce(drafts.c.model_text, drafts.c.text)}
    connection.execute(sa.update(drafts).where(drafts.c.id == draft).values(**changes))
    return _waiting(Status(standing.state)) if waits else to


def _locked(connection: sa.Connection, mine: sa.ColumnElement[bool], draft: int, kind: str | None) -> Any:
    """How the draft stands, held until the transaction ends. Raises NotFound."""
    query = sa.select(drafts.c.state, drafts.c.text, drafts.c.first_approved_by).where(mine)
    found = connection.execute(query.with_for_update(of=drafts)).one_or_none()
    if found is None:
        raise NotFound(f"there is no draft {draft}: `copydesk {_command(kind)} list` shows them")
    return found


def _command(kind: str | None) -> str:
    """What decides on drafts of a kind; of a batch request nobody decides anything."""
    return "replies" if kind == REPLY else "drafts"


def _word(to: Status, by: str) -> dict[str, Any]:
    """The columns of a draft that is decided on; a no voids the yes of a first person."""
    changes: dict[str, Any] = {"state": to.value, "decided_by": by, "decided_at": now()}
    return changes | ({"first_approved_by": None} if to is Status.REJECTED else {})


def _first_yes(by: str) -> dict[str, Any]:
    """The columns of a draft that waits for a second person's yes."""
    elsewhere = drafts.c.state.not_in([state.value for state in UNDECIDED])
    state = sa.case((elsewhere, Status.READY.value), else_=drafts.c.state)
    return {"first_approved_by": by, "state": state, "decided_by": None, "decided_at": None}


def _waiting(state: Status) -> Status:
    """Where a first yes leaves a draft: it waits again, if it had been decided on."""
    return state if state in UNDECIDED else Status.READY


@dataclass(frozen=True, slots=True)
class Said(Counts):
    """What came of a person's word on many drafts.

    `decided` were approved or rejected. Where two persons have to say yes, `first` have this one's now and wait for
    another's, `already` had this one's before. `without_text` there is nothing to approve of.
    """

    decided: int = 0
    first: int = 0
    already: int = 0
    without_text: int = 0


def decide_some(
    connection: sa.Connection, ids: Collection[int], to: Status, *, by: str, four_eyes: bool = False
) -> Said:
    """A person's word, APPROVED or REJECTED, on those of these drafts of products that still wait for one."""
    query = (
        sa.select(drafts.c.id, drafts.c.text, drafts.c.first_approved_by)
        .where(
            among(connection, drafts.c.id, ids),
            drafts.c.product_id.is_not(None),
            drafts.c.state.in_([state.value for state in UNDECIDED]),
        )
        .order_by(drafts.c.id)
        .with_for_update()
    )
    rows: Sequence[Any] = connection.execute(query).all()
    if to is Status.REJECTED:
        return Said(decided=_change(connection, rows, _word(to, by)))
    worded = [row for row in rows if row.text.strip()]
    again = [row for row in worded if four_eyes and row.first_approved_by == by]
    first = [row for row in worded if four_eyes and row.first_approved_by is None]
    rest = {row.id for row in worded}.difference(row.id for row in [*again, *first])
    _change(connection, first, _first_yes(by))
    decided = _change(connection, [row for row in worded if row.id in rest], _word(to, by))
    return Said(decided, len(first), len(again), len(rows) - len(worded))


def _change(connection: sa.Connection, rows: Sequence[Any], changes: Mapping[str, Any]) -> int:
    if rows:
        these = among(connection, drafts.c.id, [row.id for row in rows])
        connection.execute(sa.update(drafts).where(these).values(**changes))
    return len(rows)


def approve_all(connection: sa.Connection, run: int, *, by: str) -> int:
    """Approve every ready draft of a run, as the auto-publish rule does; returns how many."""
    ready = (drafts.c.run_id == run, drafts.c.state == Status.READY.value, drafts.c.product_id.is_not(None))
    return connection.execute(sa.update(drafts).where(*ready).values(**_word(Status.APPROVED, by))).rowcount


def open_ones(connection: sa.Connection) -> int:
    """How many drafts, of any run, a worker still owes."""
    query = sa.select(sa.func.count()).select_from(drafts).where(is_open)
    return int(connection.scalar(query) or 0)


def batched(values: Sequence[One], size: int) -> Iterator[list[One]]:
    """Lists of `size` values; the last may be shorter."""
    left = iter(values)
    while some := list(islice(left, size)):
        yield some


def _draft(row: sa.Row[Any]) -> Draft:
    return Draft(
        row.id, row.run_id, row.shop, row.sku, row.kind, row.language, Status(row.state), row.text,
        tuple(Reason(**reason) for reason in row.reasons), row.attempt, row.model, row.prompt, row.asks,
        Facts.from_json(row.facts), row.model_text, row.decided_by, row.sampling, row.first_approved_by,
        row.prompt_tokens, row.completion_tokens, row.seconds, row.settled_at,
    )  # fmt: skip
