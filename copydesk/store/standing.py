"""How one review stands, for whoever brought it and asks again."""

from dataclasses import dataclass

import sqlalchemy as sa

from copydesk.model import REPLY, Platform, Polarity, Policy, Reason, Route, Status
from copydesk.store.replies import Delivery
from copydesk.store.tables import drafts, reviews, submissions


@dataclass(frozen=True, slots=True)
class Standing:
    """A review and the newest reply to what it says now; without one `state` is None. `id` is the database's key."""

    id: int
    review_id: str
    version: int
    sku: str
    rating: int | None
    language: str
    route: Route
    sentiment: Polarity
    policy: Policy
    state: Status | None
    text: str
    reasons: tuple[Reason, ...]
    delivery: Delivery | None


def find(connection: sa.Connection, shop_id: int, platform: Platform, review_id: str) -> Standing | None:
    """The review with the platform's key; None where the shop has none, or was told to forget it."""
    mine = sa.and_(
        drafts.c.review_id == reviews.c.id, drafts.c.review_version == reviews.c.version, drafts.c.kind == REPLY
    )
    of_review = ("id", "version", "sku", "rating", "language", "route", "sentiment", "policy")
    query = (
        sa.select(
            *[reviews.c[name] for name in of_review],
            reviews.c.reasons.label("why"),
            drafts.c.state,
            drafts.c.text,
            drafts.c.reasons,
            submissions.c.state.label("delivery"),
        )
        .select_from(reviews.outerjoin(drafts, mine).outerjoin(submissions, submissions.c.draft_id == drafts.c.id))
        .where(
            reviews.c.shop_id == shop_id,
            reviews.c.platform == platform.value,
            reviews.c.review_id == review_id,
            reviews.c.forgotten_at.is_(None),
        )
        .order_by(drafts.c.id.desc())
        .limit(1)
    )
    row = connection.execute(query).mappings().one_or_none()
    return None if row is None else _standing(review_id, row)


def _standing(review_id: str, row: sa.RowMapping) -> Standing:
    state = None if row["state"] is None else Status(row["state"])
    return Standing(
        id=row["id"],
        review_id=review_id,
        version=row["version"],
        sku=row["sku"],
        rating=row["rating"],
        language=row["language"],
        route=Route(row["route"]),
        sentiment=Polarity(row["sentiment"]),
        policy=Policy(row["policy"]),
        state=state,
        text=row["text"] or "",
        reasons=tuple(Reason(**one) for one in (row["why"] if state is None else row["reasons"])),
        delivery=None if row["delivery"] is None else Delivery(row["delivery"]),
    )
