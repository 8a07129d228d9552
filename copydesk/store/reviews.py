"""Reviews: taken in with what triage found, judged again by a model, and forgotten without a trace."""

import unicodedata
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from copydesk.model import (
    OPEN,
    REPLY,
    Counts,
    Opinion,
    Polarity,
    Policy,
    Reason,
    Review,
    Route,
    Sentiment,
    Status,
    Triage,
)
from copydesk.store.products import lock
from copydesk.store.tables import drafts, now, products, reviews, shops, storable, submissions

STREAMED = {"yield_per": 1000}

ABOUT_OTHER_WORDS = (Status.READY, Status.HELD, Status.APPROVED, Status.IGNORED)
"""Replies that an edit of the review makes stale; the open ones are replaced by the worker that meets them."""

UNSENT = (*OPEN, *ABOUT_OTHER_WORDS)
"""Replies that need not be sent any more once somebody answered on the platform, or the review is forgotten."""


@dataclass(frozen=True, slots=True)
class Imported(Counts):
    """What one batch of reviews changed, and which products their shop does not have."""

    new: int = 0
    changed: int = 0
    unchanged: int = 0
    replies_made_stale: int = 0
    unknown: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a model made of a review; it replaces what the word lists had said."""

    sentiment: Sentiment
    disagrees: bool
    policy: Policy
    reasons: tuple[Reason, ...]


@dataclass(frozen=True, slots=True)
class Told:
    """One review as a digest counts it; `review` is the platform's key, `at` when it was written, or came in."""

    review: str
    sku: str
    rating: int | None
    sentiment: Polarity
    opinions: tuple[Opinion, ...]
    route: Route
    at: datetime


@dataclass(frozen=True, slots=True)
class Forgotten(Counts):
    """How many reviews were blanked, and how many replies to them."""

    reviews: int = 0
    replies: int = 0


# Taking in ------------------------------------------------------------------------------------------------------------


def take_in(connection: sa.Connection, shop_id: int, batch: Sequence[tuple[Review, Triage]]) -> Imported:
    """Store a batch of reviews: new ones added, edited ones a version further, which makes their replies stale.

    Of one that says the same as before only what surrounds it is brought up to date: the platform's reply, the raw
    cells, the product. One that was forgotten stays so. Of two with the same key the later counts.
    """
    if not batch:
        return Imported()
    _lock(connection, shop_id, batch)
    known = _known(connection, shop_id, batch)
    products_of = _products_of(connection, shop_id, {storable(review.sku) for review, _ in batch})
    rows = {key: _row(review, triage, products_of, known.get(key)) for review, triage in batch if (key := _key(review))}
    new = [{**row, **_first(row), "shop_id": shop_id} for key, row in rows.items() if key not in known]
    kept = {key: row for key, row in rows.items() if key in known and known[key].forgotten_at is None}
    edited = {key: row for key, row in kept.items() if row["content_hash"] != known[key].content_hash}
    answers = _our_answers(connection, [known[key].id for key in kept])
    if new:
        connection.execute(sa.insert(reviews).values(imported_at=now()), new)
    _update(connection, [_next(row, known[key], answers) for key, row in edited.items()], imported_at=now())
    around = [_around(row, known[key], answers) for key, row in kept.items() if key not in edited]
    _update(connection, [row for row in around if row])
    stale = _withdraw_outdated(connection, [known[key].id for key in kept])
    unknown = {row["sku"] for row in rows.values() if row["sku"] and row["product_id"] is None}
    return Imported(len(new), len(edited), len(batch) - len(new) - len(edited), stale, tuple(sorted(unknown)))


def _key(review: Review) -> tuple[str, str]:
    return review.platform.value, storable(review.id)


def _these(shop_id: int, batch: Sequence[tuple[Review, Triage]]) -> sa.ColumnElement[bool]:
    """The reviews with these keys. Also one of another platform with the same key: PostgreSQL is slow with pairs."""
    platforms, keys = zip(*{_key(review) for review, _ in batch}, strict=True)
    return sa.and_(reviews.c.shop_id == shop_id, reviews.c.platform.in_(set(platforms)), reviews.c.review_id.in_(keys))


def _lock(connection: sa.Connection, shop_id: int, batch: Sequence[tuple[Review, Triage]]) -> None:
    """Imports of one shop go one after the other; settling waits for the reviews that it shares with one."""
    connection.execute(sa.select(shops.c.id).where(shops.c.id == shop_id).with_for_update(key_share=True)).all()
    lock(connection, reviews, _these(shop_id, batch))


def _known(
    connection: sa.Connection, shop_id: int, batch: Sequence[tuple[Review, Triage]]
) -> dict[tuple[str, str], sa.Row[Any]]:
    rows = connection.execute(sa.select(reviews).where(_these(shop_id, batch)))
    return {(row.platform, row.review_id): row for row in rows}


def _products_of(connection: sa.Connection, shop_id: int, skus: Collection[str]) -> dict[str, int]:
    query = sa.select(products.c.sku, products.c.id).where(products.c.shop_id == shop_id, products.c.sku.in_(skus))
    return {row.sku: row.id for row in connection.execute(query)}


AROUND = (
    "product_id", "sku", "reviewer_name", "reviewer_email", "reviewer_id", "source", "written_at", "platform_reply",
)  # fmt: skip
"""What may change without the reviewer having said anything else."""

FOUND = ("title", "text", "language", "route", "opinions")
JUDGED = ("sentiment", "probabilities", "sentiment_by", "disagrees", "policy", "reasons")
"""What triage makes of the same words by today's lists and the shop's rules of today."""

BY_LISTS = ("words/", "stars")

NO_MODEL = (Policy.PERSON.value, Policy.IGNORE.value)
"""Policies under which no model writes the reply."""


def _row(review: Review, triage: Triage, products_of: Mapping[str, int], known: sa.Row[Any] | None) -> dict[str, Any]:
    sku = storable(review.sku)
    reply_before = "" if known is None else known.platform_reply
    return {
        "platform": review.platform.value,
        "review_id": storable(review.id),
        "product_id": products_of.get(sku),
        "sku": sku,
        "rating": review.rating,
        "reviewer_name": storable(review.reviewer.name),
        "reviewer_email": storable(review.reviewer.email),
        "reviewer_id": storable(review.reviewer.id),
        "source": {storable(name): storable(cell) for name, cell in review.source.items()},
        "title": storable(triage.title),
        "text": storable(triage.text),
        "language": triage.language,
        "content_hash": review.content_hash,
        "platform_reply": reply_before if review.reply is None else storable(review.reply),
        "written_at": review.written_at,
        "route": triage.route.value,
        "opinions": [_opinion(opinion) for opinion in triage.opinions],
        **_judged(Judgement(triage.sentiment, triage.disagrees, triage.policy, triage.reasons)),
    }


def _judged(judgement: Judgement) -> dict[str, Any]:
    sentiment = judgement.sentiment
    return {
        "sentiment": sentiment.polarity.value,
        "probabilities": {name: getattr(sentiment, name) for name in ("positive", "neutral", "negative")},
        "sentiment_by": sentiment.by,
        "disagrees": judgement.disagrees,
        "policy": judgement.policy.value,
        "reasons": as_json(judgement.reasons),
    }


def as_json(reasons: Sequence[Reason]) -> list[dict[str, Any]]:
    """They quote texts."""
    return [
        {
            "code": reason.code,
            "message": storable(reason.message),
            "span": storable(reason.span),
            **({"warns": True} if reason.warns else {}),
        }
        for reason in reasons
    ]


def _opinion(opinion: Opinion) -> dict[str, str]:
    return {"topic": opinion.topic, "polarity": opinion.polarity.value, "sentence": storable(opinion.sentence)}


def _first(row: Mapping[str, Any]) -> dict[str, Any]:
    return {"version": 1, "answered_version": 1 if row["platform_reply"].strip() else 0}


def _next(row: Mapping[str, Any], known: sa.Row[Any], answers: Mapping[tuple[int, str], int]) -> dict[str, Any]:
    version = known.version + 1
    answered = _answered(row, known, answers, version)
    return {**row, "known_id": known.id, "version": version, "answered_version": answered}


def _around(row: Mapping[str, Any], known: sa.Row[Any], answers: Mapping[tuple[int, str], int]) -> dict[str, Any]:
    """What surrounds an unchanged review, and what triage makes of it today, where any of that changed.

    What a model said of its sentiment stays, unless a person has to answer the review by now.
    """
    by_lists = known.sentiment_by.startswith(BY_LISTS) or row["policy"] in NO_MODEL
    judged = {name: row[name] if by_lists else getattr(known, name) for name in JUDGED}
    changed = {**{name: row[name] for name in (*AROUND, *FOUND)}, **judged}
    if all(value == getattr(known, name) for name, value in changed.items()):
        return {}
    return {**changed, "known_id": known.id, "answered_version": _answered(row, known, answers, known.version)}


def _answered(row: Mapping[str, Any], known: sa.Row[Any], answers: Mapping[tuple[int, str], int], version: int) -> int:
    """The version that the platform's reply answers: an edit of the review leaves the reply to the one before it."""
    reply = row["platform_reply"].strip()
    if not reply:
        return 0
    if reply == known.platform_reply.strip():
        return int(known.answered_version)
    return answers.get((known.id, reply), version)


def _our_answers(connection: sa.Connection, ids: Sequence[int]) -> dict[tuple[int, str], int]:
    """By review and text, which version of it our replies are to that were sent, or may have been."""
    may_be_sent = sa.exists().where(submissions.c.draft_id == drafts.c.id)
    query = sa.select(drafts.c.review_id, drafts.c.text, drafts.c.review_version).where(
        drafts.c.review_id.in_(ids),
        drafts.c.kind == REPLY,
        sa.or_(drafts.c.state == Status.PUBLISHED.value, may_be_sent),
    )
    return {(row.review_id, row.text.strip()): row.review_version for row in connection.execute(query)}


def _update(connection: sa.Connection, rows: Sequence[Mapping[str, Any]], **fixed: Any) -> None:
    if not rows:
        return
    columns: dict[str, Any] = {name: sa.bindparam(name) for name in rows[0] if name != "known_id"}
    update = sa.update(reviews).where(reviews.c.id == sa.bindparam("known_id")).values(**columns, **fixed)
    connection.execute(update, list(rows))


def _withdraw_outdated(connection: sa.Connection, ids: Sequence[int]) -> int:
    """Replies to what is not said any more, or to what somebody answered on the platform, go stale; how many."""
    if not ids:
        return 0
    mine = sa.and_(drafts.c.review_id == reviews.c.id, reviews.c.id.in_(ids))
    replies = sa.and_(drafts.c.kind == REPLY, drafts.c.review_id.in_(ids))
    edited = sa.exists().where(mine, drafts.c.review_version != reviews.c.version)
    answered = sa.exists().where(mine, reviews.c.answered_version == reviews.c.version)
    stale = _withdraw(connection, sa.and_(replies, edited), ABOUT_OTHER_WORDS, by="import")
    return stale + _withdraw(connection, sa.and_(replies, answered), UNSENT, by="import")


def _withdraw(connection: sa.Connection, which: sa.ColumnElement[bool], states: Collection[Status], *, by: str) -> int:
    return connection.execute(
        sa.update(drafts)
        .where(which, drafts.c.state.in_([state.value for state in states]))
        .values(
            state=Status.STALE.value,
            outcome=sa.func.coalesce(drafts.c.outcome, Status.STALE.value),
            lease_token=None,
            lease_until=None,
            settled_at=sa.func.coalesce(drafts.c.settled_at, now()),
            decided_by=by,
            decided_at=now(),
        )
    ).rowcount


# Asking ---------------------------------------------------------------------------------------------------------------


def may_be_written() -> sa.ColumnElement[bool]:
    """Is a model to write the reply? Else a person is, or nobody."""
    return reviews.c.policy.not_in(NO_MODEL)


def begun(
    is_asked: sa.ColumnElement[bool], reasons: sa.ColumnElement[Any] = reviews.c.reasons
) -> dict[str, sa.ColumnElement[Any]]:
    """What a new draft of a review begins as; one that is not asked for has its outcome at once, and says why."""
    decided = sa.case((reviews.c.policy == Policy.IGNORE.value, Status.IGNORED.value), else_=Status.HELD.value)
    return {
        "review_id": reviews.c.id,
        "review_version": reviews.c.version,
        "language": reviews.c.language,
        "facts_hash": reviews.c.content_hash,
        "state": sa.case((is_asked, Status.PENDING.value), else_=decided),
        "outcome": sa.case((is_asked, sa.null()), else_=decided),
        "reasons": sa.case((is_asked, sa.literal([], drafts.c.reasons.type)), else_=reasons),
        "settled_at": sa.case((is_asked, sa.null()), else_=now()),
    }


def judge(connection: sa.Connection, judgements: Mapping[int, Judgement]) -> None:
    """Write what a model made of reviews, by the draft that asked for it."""
    rows = connection.execute(sa.select(drafts.c.id, drafts.c.review_id).where(drafts.c.id.in_(list(judgements))))
    _update(connection, [{"known_id": row.review_id, **_judged(judgements[row.id])} for row in rows])


def told(connection: sa.Connection, shop_id: int, since: datetime, until: datetime) -> Iterator[Told]:
    """The reviews of a span of time (by when they were written, or came in), oldest first, streamed."""
    at = sa.func.coalesce(reviews.c.written_at, reviews.c.imported_at, type_=reviews.c.imported_at.type)
    query = (
        sa.select(reviews, at.label("at"))
        .where(reviews.c.shop_id == shop_id, reviews.c.forgotten_at.is_(None), at >= since, at < until)
        .order_by(at, reviews.c.id)
    )
    for row in connection.execute(query, execution_options=STREAMED):
        opinions = opinions_of(row.opinions)
        yield Told(row.review_id, row.sku, row.rating, Polarity(row.sentiment), opinions, Route(row.route), row.at)


def opinions_of(stored: Sequence[Mapping[str, str]]) -> tuple[Opinion, ...]:
    """Opinions as the column keeps them."""
    return tuple(Opinion(one["topic"], Polarity(one["polarity"]), one["sentence"]) for one in stored)


# Forgetting -----------------------------------------------------------------------------------------------------------


def by_reviewer(connection: sa.Connection, reviewer: str, shop_id: int | None = None) -> list[int]:
    """Ids of the reviews whose reviewer has this name, e-mail or id, in whatever case, and nothing besides."""
    wanted = _folded(reviewer)
    columns = (reviews.c.reviewer_name, reviews.c.reviewer_email, reviews.c.reviewer_id)
    query = sa.select(reviews.c.id, *columns).where(reviews.c.forgotten_at.is_(None))
    if shop_id is not None:
        query = query.where(reviews.c.shop_id == shop_id)
    # Here and not in SQL: SQLite's lower() knows ASCII only.
    rows = connection.execute(query, execution_options=STREAMED)
    return [row.id for row in rows if wanted and wanted in map(_folded, row[1:])]


def _folded(name: str) -> str:
    """The same for one name however its accents, blanks and capitals are written."""
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split())


def older_than(connection: sa.Connection, days: float, limit: int) -> list[int]:
    """Ids of reviews that have said what they say for longer than so many days, the oldest first."""
    query = sa.select(reviews.c.id).where(reviews.c.imported_at < now(-days * 86_400), reviews.c.forgotten_at.is_(None))
    return list(connection.scalars(query.order_by(reviews.c.imported_at).limit(limit)))


def forget(connection: sa.Connection, ids: Sequence[int]) -> Forgotten:
    """Blank what these reviews say, who said it, and every reply; what is not sent yet is not sent.

    Keys and hashes stay, so that the same file does not bring the review back.
    """
    lock(connection, reviews, reviews.c.id.in_(ids))
    mine = drafts.c.review_id.in_(ids)
    theirs = submissions.c.draft_id.in_(sa.select(drafts.c.id).where(mine))
    connection.execute(
        sa.update(submissions).where(theirs).values(error="")
    )  # before the drafts, as posting locks them
    _withdraw(connection, mine, UNSENT, by="forget")
    replies = _blank(connection, drafts, sa.and_(mine, drafts.c.kind == REPLY), text="", model_text=None)
    blank: dict[str, Any] = dict.fromkeys(
        ("reviewer_name", "reviewer_email", "reviewer_id", "title", "text", "platform_reply"), ""
    )
    kept = sa.and_(reviews.c.id.in_(ids), reviews.c.forgotten_at.is_(None))
    forgotten = _blank(connection, reviews, kept, source={}, opinions=[], forgotten_at=now(), **blank)
    return Forgotten(forgotten, replies)


def _blank(connection: sa.Connection, table: sa.Table, which: sa.ColumnElement[bool], **values: Any) -> int:
    """Blank these rows; of their reasons only the codes stay, as the rest quotes. Returns how many rows."""
    found = connection.execute(sa.select(table.c.id, table.c.reasons).where(which)).all()
    connection.execute(sa.update(table).where(which).values(**values))
    quoting = [{"row_id": row.id, "reasons": _codes_only(row.reasons)} for row in found if row.reasons]
    if quoting:
        update = sa.update(table).where(table.c.id == sa.bindparam("row_id")).values(reasons=sa.bindparam("reasons"))
        connection.execute(update, quoting)
    return len(found)


def _codes_only(reasons: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    return [{**reason, "message": "", "span": ""} for reason in reasons]
