"""Reviews for the tests: a shop's ledger with reviews in it, and what triage would have said of them."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from databases import MINE, Ledger

from copydesk.model import (
    Opinion,
    Platform,
    Polarity,
    Policy,
    Reason,
    Review,
    Reviewer,
    Route,
    Sentiment,
    Status,
    Triage,
)
from copydesk.store import drafts, replies, reviews, runs, tables
from copydesk.store.replies import Claimed, Delivery, Reply, Submission

WORDS = Sentiment(Polarity.POSITIVE, 0.9, 0.07, 0.03, "words/en@1")


def review(number: int = 1, text: str = "Lovely, and it came quickly.", **changes: Any) -> Review:
    values: dict[str, Any] = {
        "title": "Good",
        "rating": 5,
        "sku": f"sku{number}",
        "reviewer": Reviewer(f"Dana Quillfeather {number}", f"dana{number}@quill.example", f"U-{number}"),
        "written_at": datetime(2026, 11, 1 + number % 28, 12, tzinfo=UTC),
        "source": {"reviewer_name": f"Dana Quillfeather {number}", "body": text},
    }
    return Review(f"r{number}", text, changes.pop("platform", Platform.JUDGEME), **{**values, **changes})


def triaged(one: Review, policy: Policy = Policy.DRAFT, **changes: Any) -> tuple[Review, Triage]:
    """The review with what triage might say of it."""
    why = (Reason("route.safety", f"it speaks of glass: {one.text}", "glass"),)
    values: dict[str, Any] = {
        "language": "en",
        "title": one.title,
        "text": one.text,
        "route": Route.SAFETY if policy is Policy.PERSON else Route.ORDINARY,
        "sentiment": WORDS,
        "opinions": (Opinion("quality", Polarity.POSITIVE, one.text),),
        "policy": policy,
        "reasons": why if policy in (Policy.PERSON, Policy.IGNORE) else (),
    }
    return one, Triage(**{**values, **changes})


def some_reviews(number: int, policy: Policy = Policy.DRAFT) -> list[tuple[Review, Triage]]:
    return [triaged(review(place), policy) for place in range(1, number + 1)]


def edited(one: tuple[Review, Triage], text: str = "It broke after a day.", **changes: Any) -> tuple[Review, Triage]:
    """The same review, saying something else."""
    said, found = one
    return replace(said, text=text), replace(found, text=text, **changes)


class Desk(Ledger):
    """One shop of a database with reviews, each query in a transaction of its own."""

    def take(self, *batch: tuple[Review, Triage]) -> reviews.Imported:
        with self.database.write() as connection:
            return reviews.take_in(connection, self.shop_id, batch)

    def plan_replies(self, run_key: str = "first", chunk_size: int = 16, **order: Any) -> runs.Planned:
        made = replies.Order(run_key, {"model": "tiny"}, "hash", chunk_size, **order)
        with self.database.write() as connection:
            return replies.plan(connection, self.shop_id, made)

    def claim_replies(self, run: int, chunk: int = 0, *, token: str = MINE, lease_seconds: float = 60) -> list[Claimed]:
        with self.database.write() as connection:
            return replies.claim(connection, run, chunk, token=token, lease_seconds=lease_seconds)

    def answer(self, run: int, status: Status = Status.READY, text: str = "Thank you for number {id}.") -> None:
        """Claim and settle the whole run, and end it."""
        for number in self.chunks(run):
            while claimed := self.claim_replies(run, number, token="writer"):
                self.settle(*[written(one, status, text) for one in claimed], token="writer")
        with self.database.write() as connection:
            runs.close_chunks(connection)
            runs.finalize(connection, run)

    def approved_reply(self, **review_changes: Any) -> int:
        """One review with an approved reply; returns the reply's number."""
        self.take(triaged(review(**review_changes)))
        planned = self.plan_replies(f"run {len(self.replies(every=True))}")
        self.answer(planned.run)
        draft = self.replies(run=planned.run)[-1].id
        self.say(draft, Status.APPROVED)
        return draft

    def replies(self, **conditions: Any) -> list[Reply]:
        with self.database.read() as connection:
            return replies.listed(connection, shop=self.shop, **conditions)

    def reply_states(self, **conditions: Any) -> list[str]:
        return [reply.state.value for reply in self.replies(**conditions)]

    def say(self, draft: int, to: Status, text: str | None = None) -> None:
        with self.database.write() as connection:
            replies.decide(connection, draft, to, by="ann", text=text)

    def hand_over(self, *platforms: Platform) -> list[Reply]:
        with self.database.write() as connection:
            return replies.hand_over(connection, self.shop_id, platforms or None)

    def open_submissions(self) -> int:
        with self.database.write() as connection:
            return replies.open_submissions(connection, self.shop_id)

    def due(self, limit: int = 10, lease_seconds: float = 60) -> list[Submission]:
        with self.database.write() as connection:
            return replies.due_submissions(connection, limit, lease_seconds)

    def post(self, one: Submission, state: Delivery = Delivery.SUBMITTED, **more: Any) -> bool:
        with self.database.write() as connection:
            return replies.settle_submission(connection, one, state, **more)

    def mark(self, draft: int, state: Delivery) -> None:
        with self.database.write() as connection:
            replies.mark(connection, draft, state)

    def forget(self, reviewer: str) -> reviews.Forgotten:
        with self.database.write() as connection:
            return reviews.forget(connection, reviews.by_reviewer(connection, reviewer))

    def rows(self, table: sa.Table = tables.reviews) -> Sequence[Any]:
        with self.database.read() as connection:
            return connection.execute(sa.select(table).order_by(table.c.id)).all()

    def everything(self) -> str:
        """All that the database holds, as text."""
        with self.database.read() as connection:
            return "\n".join(
                str(tuple(row)) for table in tables.metadata.sorted_tables for row in connection.execute(table.select())
            )


def written(
    claimed: Claimed, status: Status = Status.READY, text: str = "Thank you for number {id}."
) -> drafts.Outcome:
    return drafts.Outcome(claimed.id, status, text.format(id=claimed.id), (), 1, "tiny", "reply/en@1", {}, 3, 4)
