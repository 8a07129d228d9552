"""Replies: one for each version of a review, handed to the platform once, and what the platform made of it.

A reply is a draft of the kind `reply`. It is `published` once it was exported or posted; from there on `submissions`
says how it stands with the platform.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

import sqlalchemy as sa

from copydesk.errors import IllegalMove, NotFound
from copydesk.model import (
    REPLY,
    Facts,
    Lane,
    Opinion,
    Platform,
    Polarity,
    Policy,
    Reason,
    Route,
    Status,
    fingerprint,
)
from copydesk.store import drafts as ledger
from copydesk.store import runs as store_runs
from copydesk.store.products import insert_ignoring_twins, lock
from copydesk.store.reviews import as_json, begun, may_be_written, opinions_of
from copydesk.store.tables import REPLY_STANDS, drafts, now, products, reviews, runs, shops, storable, submissions

FILE, WEBHOOK = "file", "webhook"
"""The channels by which replies go to a platform."""

OPENED_AT_ONCE = 500

RUNS_LOOKED_AT = 100
"""Of a shop, for its latest replies. A run of one reply each is what the HTTP endpoint makes."""

TAKEN_BACK = Reason("platform.rejected", "the platform did not accept the reply before this one: write it yourself")


class Delivery(StrEnum):
    """How a reply stands with its platform, once it was approved."""

    WAITING = "waiting"  # to be posted
    SUBMITTED = "submitted"  # exported, or taken by the webhook
    PENDING = "pending"  # the platform looks at it
    ACCEPTED = "accepted"  # the platform shows it
    REJECTED = "rejected"  # the platform does not
    FAILED = "failed"  # it could not be posted as often as it was tried


TOLD: Mapping[Delivery, frozenset[Delivery]] = {
    Delivery.SUBMITTED: frozenset({Delivery.PENDING, Delivery.ACCEPTED, Delivery.REJECTED}),
    Delivery.PENDING: frozenset({Delivery.PENDING, Delivery.ACCEPTED, Delivery.REJECTED}),
    Delivery.ACCEPTED: frozenset({Delivery.REJECTED}),
}
"""What a platform may say of a reply it was handed."""

NOT_SENT = (Delivery.WAITING, Delivery.FAILED)


@dataclass(frozen=True, slots=True)
class Order:
    """What a producer asks for.

    Args:
        recipe: how the replies are made, stored with the run; `recipe_hash` is its fingerprint with prompts and guards.
        by_rule: the shop's rule may approve what the guards pass.
        ids: only these reviews; None for all.
        limit: at most this many reviews.
    """

    run_key: str
    recipe: Mapping[str, Any]
    recipe_hash: str
    chunk_size: int
    by_rule: bool = False
    ids: Sequence[int] | None = None
    limit: int | None = None
    budget: store_runs.Budget = store_runs.NO_BUDGET


@dataclass(frozen=True, slots=True)
class Claimed:
    """One draft of a review that this worker now owes; title and text are masked, `reasons` the review's.

    `facts` is None where the shop does not have the product.
    """

    id: int
    title: str
    text: str
    language: str
    rating: int | None
    route: Route
    sentiment: Polarity
    reasons: tuple[Reason, ...]
    facts: Facts | None

    @property
    def words(self) -> str:
        """All that the reviewer says: the title, if there is one, and the text."""
        return "\n".join(filter(None, (self.title, self.text)))


@dataclass(frozen=True, slots=True)
class Reply:
    """A reply as people see it, with its review; `review_id` is the platform's key."""

    id: int
    run: int
    shop: str
    platform: Platform
    review_id: str
    version: int
    sku: str
    rating: int | None
    language: str
    route: Route
    sentiment: Polarity
    confidence: float
    opinions: tuple[Opinion, ...]
    title: str
    review: str
    state: Status
    text: str
    reasons: tuple[Reason, ...]
    attempt: int
    asks: int
    model: str | None
    prompt: str | None
    model_text: str | None
    decided_by: str | None
    decided_at: datetime | None
    delivery: Delivery | None
    error: str
    source: Mapping[str, str]

    @property
    def model_called(self) -> bool:
        """Has a model seen the review for this reply, or may it have?"""
        return self.asks > 0 or (self.attempt > 0 and self.state is not Status.HELD)


@dataclass(frozen=True, slots=True)
class Submission:
    """One approved reply that this process now owes the platform. `attempts` counts this one."""

    id: int
    draft: int
    shop: str
    platform: Platform
    review_id: str
    version: int
    sku: str
    rating: int | None
    language: str
    text: str
    idempotency_key: str
    attempts: int


# Planned and written --------------------------------------------------------------------------------------------------


def plan(connection: sa.Connection, shop_id: int, order: Order) -> store_runs.Planned:
    """Write the run, with one draft for every review that needs an answer; a run key used before gives that run again.

    Only those that a model may answer wait for a worker; the others are held for a person, or ignored, at once.
    """
    opened = store_runs.open_run(
        connection,
        shop_id,
        REPLY,
        order.run_key,
        order.recipe,
        lane=Lane.REPLIES,
        auto_publish=order.by_rule,
        budget=order.budget,
    )
    if not opened.created:
        return opened
    queued = store_runs.fill(connection, opened.run, _drafts_of(shop_id, order))
    skipped = _skipped(connection, opened.run, shop_id, order)
    return store_runs.Planned(opened.run, created=True, queued=queued, skipped=skipped)


def _why() -> sa.ColumnElement[str]:
    """Why a review is, or is not, to be answered ("due")."""
    conditions = [
        (reviews.c.forgotten_at.is_not(None), "forgotten"),
        (reviews.c.answered_version == reviews.c.version, "answered on the platform"),
        (_has_reply(REPLY_STANDS), "has a reply"),
    ]
    return sa.case(*[(condition, sa.literal(reason)) for condition, reason in conditions], else_="due")


def _has_reply(states: Collection[str]) -> sa.ColumnElement[bool]:
    earlier = drafts.alias("earlier")
    return sa.exists().where(
        earlier.c.review_id == reviews.c.id,
        earlier.c.review_version == reviews.c.version,
        earlier.c.kind == REPLY,
        earlier.c.state.in_(states),
    )


def _of(shop_id: int, order: Order) -> sa.ColumnElement[bool]:
    named = sa.true() if order.ids is None else reviews.c.id.in_(order.ids)
    return sa.and_(reviews.c.shop_id == shop_id, named)


def _drafts_of(shop_id: int, order: Order) -> sa.Select[Any]:
    was_taken_back = _has_reply([Status.UNDONE.value])
    is_asked = sa.and_(may_be_written(), ~was_taken_back)
    taken_back = sa.literal(as_json([TAKEN_BACK]), drafts.c.reasons.type)
    fresh = begun(is_asked, sa.case((was_taken_back, taken_back), else_=reviews.c.reasons))
    return (
        sa.select(
            store_runs.chunk_of(reviews.c.id, order.chunk_size, is_asked).label("chunk"),
            sa.literal(REPLY).label("kind"),
            sa.literal(order.recipe_hash).label("recipe_hash"),
            *[value.label(name) for name, value in fresh.items()],
        )
        .where(_of(shop_id, order), _why() == "due")
        .order_by(reviews.c.id)
        .limit(order.limit)
    )


def _skipped(connection: sa.Connection, run: int, shop_id: int, order: Order) -> dict[str, int]:
    """Why reviews got no draft. The run's own count as answered by now, so they are taken out."""
    mine = sa.select(drafts.c.review_id).where(drafts.c.run_id == run)
    reviewed = sa.select(_why().label("why")).where(_of(shop_id, order), reviews.c.id.not_in(mine)).subquery()
    query = sa.select(reviewed.c.why, sa.func.count()).where(reviewed.c.why != "due").group_by(reviewed.c.why)
    return {str(why): int(number) for why, number in connection.execute(query)}


def claim(
    connection: sa.Connection, run: int, chunk: int, *, token: str, lease_seconds: float, alone: bool = False
) -> list[Claimed]:
    """Take drafts that wait in a chunk, as drafts.claim does; a second delivery of the same bell takes nothing.

    Drafts whose review was edited since they were planned become stale first, as do those that no model may write any
    more, and their successors are taken: as far as a model may write those. Reviews are held first, so that none is
    edited between the look at who may answer it and the look at what it says.
    """
    waiting = sa.select(drafts.c.review_id).where(ledger.waits(run, chunk))
    lock(connection, reviews, reviews.c.id.in_(waiting), read=True)
    no_longer = sa.and_(
        drafts.c.kind == REPLY, sa.exists().where(reviews.c.id == drafts.c.review_id, ~may_be_written())
    )
    ledger.supersede(connection, ledger.waits(run, chunk), also=no_longer)
    query = (
        sa.select(drafts.c.id.label("draft"), reviews, products.c.facts)
        .join(reviews, reviews.c.id == drafts.c.review_id)
        .outerjoin(products, products.c.id == reviews.c.product_id)
        .where(ledger.taken(connection, run, chunk, token=token, lease_seconds=lease_seconds, alone=alone))
        .order_by(drafts.c.id)
    )
    return [_claimed(row) for row in connection.execute(query)]


def _claimed(row: sa.Row[Any]) -> Claimed:
    return Claimed(
        row.draft, row.title, row.text, row.language, row.rating, Route(row.route), Polarity(row.sentiment),
        tuple(Reason(**one) for one in row.reasons), None if row.facts is None else Facts.from_json(row.facts),
    )  # fmt: skip


def settle_by_rule(
    connection: sa.Connection, token: str, outcomes: Sequence[ledger.Outcome], *, by: str
) -> ledger.Settled:
    """Write outcomes as drafts.settle does, and approve the ready ones whose review says `auto`."""
    settled = ledger.settle(connection, token, outcomes)
    is_auto = sa.exists().where(reviews.c.id == drafts.c.review_id, reviews.c.policy == Policy.AUTO.value)
    connection.execute(
        sa.update(drafts)
        .where(drafts.c.id.in_(settled.accepted), drafts.c.state == Status.READY.value, is_auto)
        .values(state=Status.APPROVED.value, decided_by=by, decided_at=now())
    )
    return settled


def latest_texts(connection: sa.Connection, shop: str, limit: int) -> list[str]:
    """The texts of a shop's latest replies, the newest first."""
    newest = sa.select(runs.c.id).join(shops).where(shops.c.name == shop, runs.c.kind == REPLY)
    query = sa.select(drafts.c.text).where(
        drafts.c.run_id.in_(newest.order_by(runs.c.id.desc()).limit(RUNS_LOOKED_AT)),
        drafts.c.state.in_([Status.READY.value, Status.APPROVED.value, Status.PUBLISHED.value]),
    )
    return list(connection.scalars(query.order_by(drafts.c.id.desc()).limit(limit)))


# Looked at and decided ------------------------------------------------------------------------------------------------


def listed(
    connection: sa.Connection,
    *,
    ids: Collection[int] | None = None,
    shop: str | None = None,
    run: int | None = None,
    state: Status | None = None,
    sku: str | None = None,
    route: Route | None = None,
    every: bool = False,
    limit: int | None = None,
) -> list[Reply]:
    """Replies that meet every condition given, oldest first.

    Of each review only the newest, unless a run or drafts are named, or `every` one is wanted.
    """
    newer = drafts.alias("newer")
    is_superseded = sa.exists().where(
        newer.c.review_id == drafts.c.review_id, newer.c.kind == REPLY, newer.c.id > drafts.c.id
    )
    conditions = (
        (ids is not None, drafts.c.id.in_(ids or ())),
        (shop is not None, shops.c.name == shop),
        (run is not None, drafts.c.run_id == run),
        (state is not None, drafts.c.state == state),
        (sku is not None, reviews.c.sku == sku),
        (route is not None, reviews.c.route == route),
        (not every and ids is None and run is None, ~is_superseded),
    )
    query = _replies().where(*[condition for is_given, condition in conditions if is_given])
    return [_reply(row) for row in connection.execute(query.order_by(drafts.c.id).limit(limit))]


def _replies() -> sa.Select[Any]:
    of_review = (
        "platform", "sku", "rating", "language", "route", "sentiment", "probabilities", "opinions", "title", "source",
    )  # fmt: skip
    return (
        sa.select(
            *[column for column in drafts.c if column.name not in ("review_id", "language")],
            *[reviews.c[name] for name in of_review],
            reviews.c.review_id,
            reviews.c.text.label("review"),
            shops.c.name.label("shop"),
            submissions.c.state.label("delivery"),
            submissions.c.error,
        )
        .join(reviews, reviews.c.id == drafts.c.review_id)
        .join(shops, shops.c.id == reviews.c.shop_id)
        .outerjoin(submissions, submissions.c.draft_id == drafts.c.id)
        .where(drafts.c.kind == REPLY)
    )


def _reply(row: sa.Row[Any]) -> Reply:
    return Reply(
        row.id, row.run_id, row.shop, Platform(row.platform), row.review_id, row.review_version, row.sku, row.rating,
        row.language, Route(row.route), Polarity(row.sentiment), row.probabilities[row.sentiment],
        opinions_of(row.opinions), row.title, row.review, Status(row.state), row.text,
        tuple(Reason(**one) for one in row.reasons), row.attempt, row.asks, row.model, row.prompt, row.model_text,
        row.decided_by, row.decided_at, None if row.delivery is None else Delivery(row.delivery), row.error or "",
        row.source,
    )  # fmt: skip


def find(connection: sa.Connection, draft: int) -> Reply:
    """One reply. Raises NotFound."""
    found = listed(connection, ids=[draft])
    if not found:
        raise NotFound(f"there is no reply {draft}: `copydesk replies list` shows them")
    return found[0]


def decide(connection: sa.Connection, draft: int, to: Status, *, by: str, text: str | None = None) -> None:
    """A person's word on one reply, as drafts.decide has it; what waited to be posted of it is not posted.

    Raises:
        NotFound, IllegalMove, InputError: as drafts.decide; and where the review does not stand as it was answered.
    """
    about = sa.select(drafts.c.review_id).where(drafts.c.id == draft, drafts.c.kind == REPLY)
    lock(connection, reviews, reviews.c.id.in_(about), read=True)
    _take_from_post(connection, draft)
    ledger.decide(connection, draft, to, by=by, text=text, kind=REPLY)
    why = connection.scalar(
        sa.select(_why_not())
        .select_from(drafts.join(reviews, reviews.c.id == drafts.c.review_id))
        .where(drafts.c.id == draft)
    )
    if to is Status.APPROVED and why:
        raise IllegalMove(f"reply {draft} cannot be approved any more: {why}")


def _why_not() -> sa.ColumnElement[str]:
    return sa.case(
        (reviews.c.forgotten_at.is_not(None), "the review was forgotten"),
        (
            reviews.c.version != drafts.c.review_version,
            "the review was edited since; `copydesk reply` answers it again",
        ),
        (reviews.c.answered_version == reviews.c.version, "the platform shows an answer already"),
        else_="",
    )


def _take_from_post(connection: sa.Connection, draft: int) -> None:
    mine = sa.and_(submissions.c.draft_id == draft, submissions.c.state.in_([state.value for state in NOT_SENT]))
    is_posted_now = sa.func.coalesce(submissions.c.lease_until > now(), sa.false()).label("is_posted_now")
    found = connection.execute(sa.select(submissions.c.id, is_posted_now).where(mine).with_for_update()).one_or_none()
    if found is not None and found.is_posted_now:
        raise IllegalMove(f"reply {draft} is being posted right now: look at it again in a minute")
    if found is not None:
        connection.execute(sa.delete(submissions).where(submissions.c.id == found.id))


def approve_all(connection: sa.Connection, *, by: str, run: int | None = None, shop_id: int | None = None) -> int:
    """Approve every ready reply of a run or a shop; returns how many."""
    mine = sa.select(runs.c.id).where(runs.c.kind == REPLY)
    mine = mine if run is None else mine.where(runs.c.id == run)
    mine = mine if shop_id is None else mine.where(runs.c.shop_id == shop_id)
    return connection.execute(
        sa.update(drafts)
        .where(drafts.c.run_id.in_(mine), drafts.c.state == Status.READY.value)
        .values(state=Status.APPROVED.value, decided_by=by, decided_at=now())
    ).rowcount


# Handed to the platform -----------------------------------------------------------------------------------------------


def _approved(shop_id: int) -> sa.ColumnElement[bool]:
    """Approved replies of a shop to what their reviews say today; to be joined with reviews."""
    return sa.and_(
        drafts.c.kind == REPLY,
        drafts.c.state == Status.APPROVED.value,
        reviews.c.shop_id == shop_id,
        reviews.c.version == drafts.c.review_version,
        reviews.c.answered_version != reviews.c.version,
        reviews.c.forgotten_at.is_(None),
    )


def hand_over(connection: sa.Connection, shop_id: int, platforms: Collection[Platform] | None = None) -> list[Reply]:
    """Mark approved replies, of these platforms or of all, as submitted by file; the ones that became so now.

    What waits to be posted is left to the webhook.
    """
    wanted = _approved(shop_id)
    if platforms is not None:
        wanted = sa.and_(wanted, reviews.c.platform.in_([platform.value for platform in platforms]))
    query = (
        sa.select(drafts.c.id, drafts.c.text)
        .join(reviews, reviews.c.id == drafts.c.review_id)
        .where(wanted, ~_is_submitted(Delivery.WAITING))
        .order_by(drafts.c.id)
        .with_for_update(of=drafts)
    )
    found = connection.execute(query).all()
    ids = [row.id for row in found]
    failed = sa.and_(submissions.c.draft_id.in_(ids), submissions.c.state == Delivery.FAILED.value)
    connection.execute(sa.delete(submissions).where(failed))
    rows = [_submission(row.id, row.text, FILE, Delivery.SUBMITTED) for row in found]
    if rows:
        connection.execute(sa.insert(submissions).values(created_at=now(), submitted_at=now()), rows)
    _publish(connection, ids)
    return listed(connection, ids=ids)


def handed_over(connection: sa.Connection, shop_id: int, platforms: Collection[Platform] | None = None) -> list[Reply]:
    """Replies that were submitted by file, and of which the platform has said nothing yet."""
    mine = sa.and_(submissions.c.channel == FILE, submissions.c.state == Delivery.SUBMITTED.value)
    query = _replies().where(mine, reviews.c.shop_id == shop_id, reviews.c.forgotten_at.is_(None))
    if platforms is not None:
        query = query.where(reviews.c.platform.in_([platform.value for platform in platforms]))
    return [_reply(row) for row in connection.execute(query.order_by(drafts.c.id))]


def _is_submitted(*states: Delivery) -> sa.ColumnElement[bool]:
    mine = submissions.c.draft_id == drafts.c.id
    return sa.exists().where(mine, submissions.c.state.in_([state.value for state in states or Delivery]))


def _submission(draft: int, text: str, channel: str, state: Delivery) -> dict[str, Any]:
    return {
        "draft_id": draft,
        "channel": channel,
        "idempotency_key": fingerprint([draft, text])[:32],  # other words are another reply
        "state": state.value,
        "attempts": 0,
        "error": "",
    }


def _publish(connection: sa.Connection, ids: Sequence[int]) -> None:
    connection.execute(
        sa.update(drafts)
        .where(drafts.c.id.in_(ids), drafts.c.state == Status.APPROVED.value)
        .values(state=Status.PUBLISHED.value)
    )


def open_submissions(connection: sa.Connection, shop_id: int) -> int:
    """Put approved replies of a shop in line for its webhook; returns how many. Call it again until it is none."""
    query = (
        sa.select(drafts.c.id, drafts.c.text)
        .join(reviews, reviews.c.id == drafts.c.review_id)
        .where(_approved(shop_id), ~_is_submitted())
        .order_by(drafts.c.id)
        .limit(OPENED_AT_ONCE)
        .with_for_update(of=drafts)
    )
    rows = [_submission(row.id, row.text, WEBHOOK, Delivery.WAITING) for row in connection.execute(query)]
    if rows:
        insert = insert_ignoring_twins(connection, submissions)
        connection.execute(insert.values(created_at=now(), next_attempt_at=now()), rows)
    return len(rows)


def due_submissions(connection: sa.Connection, limit: int, lease_seconds: float) -> list[Submission]:
    """Take replies that are to be posted now; for as long as the lease nobody else takes them, or changes the reply.

    A reply that is not approved any more waits, and goes on once it is.
    """
    query = (
        sa.select(submissions.c.id)
        .join(drafts)
        .where(
            submissions.c.state == Delivery.WAITING.value,
            submissions.c.next_attempt_at <= now(),
            drafts.c.state == Status.APPROVED.value,
        )
        .order_by(submissions.c.next_attempt_at, submissions.c.id)
        .limit(limit)
        .with_for_update(of=submissions, skip_locked=True)
    )
    ids = list(connection.scalars(query))
    until = now(lease_seconds)
    connection.execute(
        sa.update(submissions)
        .where(submissions.c.id.in_(ids))
        .values(attempts=submissions.c.attempts + 1, lease_until=until, next_attempt_at=until)
    )
    taken = (
        sa.select(
            submissions, reviews, drafts.c.text.label("reply"), drafts.c.review_version, shops.c.name.label("shop")
        )
        .select_from(submissions.join(drafts).join(reviews, reviews.c.id == drafts.c.review_id).join(shops))
        .where(submissions.c.id.in_(ids))
        .order_by(submissions.c.id)
    )
    return [
        Submission(
            row.id, row.draft_id, row.shop, Platform(row.platform), row.review_id, row.review_version, row.sku,
            row.rating, row.language, row.reply, row.idempotency_key, row.attempts,
        )
        for row in connection.execute(taken)
    ]  # fmt: skip


def settle_submission(
    connection: sa.Connection,
    submission: Submission,
    state: Delivery,
    *,
    error: str = "",
    next_attempt_seconds: float | None = None,
) -> bool:
    """Write what became of a reply that was taken to be posted; False when somebody else took it meanwhile.

    Args:
        state: SUBMITTED, PENDING, ACCEPTED, REJECTED or FAILED.
        error: why not, for a person to read; no part of a review.
        next_attempt_seconds: given, the reply waits so long and is due again, whatever the state.
    """
    tried_again = next_attempt_seconds is not None
    state = Delivery.WAITING if tried_again else state
    mine = sa.and_(
        submissions.c.id == submission.id,
        submissions.c.attempts == submission.attempts,
        submissions.c.state == Delivery.WAITING.value,
    )
    values = {"error": storable(error), "lease_until": None, "next_attempt_at": now(next_attempt_seconds or 0)}
    if not connection.execute(sa.update(submissions).where(mine).values(**values)).rowcount:
        return False
    if state not in NOT_SENT:
        connection.execute(sa.update(submissions).where(submissions.c.id == submission.id).values(submitted_at=now()))
        _publish(connection, [submission.draft])
    _turn(connection, submission.draft, state)
    return True


def mark(connection: sa.Connection, draft: int, state: Delivery) -> None:
    """Write what the platform says of a reply. One that it rejects is taken back, and its review is a person's.

    Raises:
        NotFound: there is no such reply.
        IllegalMove: it was not submitted, or the platform cannot say this of it any more; the message names both.
    """
    reply = find(connection, draft)
    mine = sa.and_(
        submissions.c.draft_id == draft, submissions.c.state.in_([one.value for one in TOLD if state in TOLD[one]])
    )
    if connection.execute(sa.select(submissions.c.id).where(mine).with_for_update()).one_or_none() is None:
        stands = f"is {reply.delivery}" if reply.delivery else f"is {reply.state} and was not submitted"
        raise IllegalMove(f"reply {draft} {stands}: it cannot become {state}; `copydesk replies export` submits")
    _turn(connection, draft, state)


def _turn(connection: sa.Connection, draft: int, state: Delivery) -> None:
    is_over = state in (Delivery.ACCEPTED, Delivery.REJECTED, Delivery.FAILED)
    connection.execute(
        sa.update(submissions)
        .where(submissions.c.draft_id == draft)
        .values(state=state.value, settled_at=now() if is_over else None)
    )
    if state is Delivery.REJECTED:
        connection.execute(
            sa.update(drafts)
            .where(drafts.c.id == draft, drafts.c.state == Status.PUBLISHED.value)
            .values(state=Status.UNDONE.value, decided_by="platform", decided_at=now())
        )
