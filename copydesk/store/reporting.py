"""What the report of a run is made of: its head, all that it wrote, streamed, and single texts with the ones before."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from copydesk.errors import NotFound
from copydesk.model import DUPLICATE, Facts, Reason, Status, Telemetry, TextFormat, stored_as
from copydesk.store.products import read_by
from copydesk.store.tables import chunks, drafts, live_texts, products, reviews, runs, shops

READ_AT_ONCE = 500
"""Rows in memory at a time."""

ITEMS_AT_ONCE = 100

TOKENS = ("prompt_tokens", "completion_tokens")


@dataclass(frozen=True, slots=True)
class By:
    """Who wrote how many texts of a run: a model, by a version of a prompt."""

    model: str
    prompt: str
    texts: int


@dataclass(frozen=True, slots=True)
class Head:
    """A run as its report opens. `outcomes` counts what is settled, drafts included that were removed since.

    `asks` counts how often a model was asked for what is left.

    `first_settled_at` and `last_settled_at` are None until something is.
    """

    run: int
    shop: str
    kind: str
    lane: str
    run_key: str
    state: str
    stopped_because: str | None
    queued: int
    recipe: Mapping[str, Any]
    outcomes: Mapping[str, int]
    by: Sequence[By]
    left: int
    asks: int
    prompt_tokens: int
    completion_tokens: int
    telemetry: Telemetry
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    first_settled_at: datetime | None
    last_settled_at: datetime | None

    @property
    def settled(self) -> int:
        return sum(self.outcomes.values())

    @property
    def removed(self) -> int:
        """Settled drafts that are no longer there."""
        return max(0, self.settled - self.left)


@dataclass(frozen=True, slots=True)
class Settled:
    """What became of one draft, as far as a run's sums need it. `at` is None where no worker had to look at it.

    `name` is the product's title, "" where there is none; `codes` of the reasons against the text, `marks` the spans
    of those that only warn. `key` is the product's, "" where there is none; `resampled` counts how often the text was
    written again for being nearly another product's, and `twin` says whose it is by now.
    """

    outcome: str
    name: str
    text: str
    codes: Sequence[str]
    marks: Sequence[str]
    at: datetime | None
    key: str = ""
    resampled: int = 0
    twin: str = ""


@dataclass(frozen=True, slots=True)
class Reviewed:
    """The review that a reply is to; title and text are masked."""

    title: str
    text: str
    rating: int | None
    language: str


@dataclass(frozen=True, slots=True)
class Item:
    """One draft to be shown. `key` is the product's or the review's, `facts` what may be said today ("" where unknown).

    `before` is the live text of the moment the draft was settled, in `before_format`; None where there was none.
    `is_outdated`: product or review say something else by now.
    """

    draft: int
    key: str
    language: str
    state: Status
    text: str
    by_person: bool
    reasons: tuple[Reason, ...]
    asks: int
    facts: Facts | None
    is_outdated: bool
    before: str | None
    before_format: TextFormat
    review: Reviewed | None


def head(connection: sa.Connection, run: int) -> Head:
    """How the run was made and what it came to. Raises NotFound."""
    row = connection.execute(
        sa.select(runs, shops.c.name.label("shop")).join(shops).where(runs.c.id == run)
    ).one_or_none()
    if row is None:
        raise NotFound(f"there is no run {run}: `copydesk status` lists them")
    sums = [one for one in _sums(connection, run) if one.outcome is not None]
    moments = [at for one in sums for at in (one.first, one.last) if at is not None]
    read, written = (max(row._mapping[name], sum(getattr(one, name) for one in sums)) for name in TOKENS)
    return Head(
        run, row.shop, row.kind, row.lane, row.run_key, row.state, row.stopped_because, row.queued, row.recipe,
        row.outcomes or {one.outcome: one.texts for one in sums}, _by(connection, run),
        sum(one.texts for one in sums), sum(one.asks for one in sums), read, written, _telemetry(connection, run),
        row.created_at, row.started_at, row.finished_at, min(moments, default=None), max(moments, default=None),
    )  # fmt: skip


def _sums(connection: sa.Connection, run: int) -> Sequence[sa.Row[Any]]:
    spent = [sa.func.sum(drafts.c[name]).label(name) for name in ("asks", *TOKENS)]
    query = sa.select(
        drafts.c.outcome,
        sa.func.count().label("texts"),
        sa.func.min(drafts.c.settled_at).label("first"),
        sa.func.max(drafts.c.settled_at).label("last"),
        *spent,
    )
    return connection.execute(query.where(drafts.c.run_id == run).group_by(drafts.c.outcome)).all()


def _by(connection: sa.Connection, run: int) -> list[By]:
    query = (
        sa.select(drafts.c.model, drafts.c.prompt, sa.func.count())
        .where(drafts.c.run_id == run, drafts.c.model != "")
        .group_by(drafts.c.model, drafts.c.prompt)
        .order_by(sa.func.count().desc(), drafts.c.model, drafts.c.prompt)
    )
    return [By(model, prompt or "", texts) for model, prompt, texts in connection.execute(query)]


def _telemetry(connection: sa.Connection, run: int) -> Telemetry:
    told = sa.select(chunks.c.telemetry).where(chunks.c.run_id == run, chunks.c.telemetry.is_not(None))
    rows = connection.execute(told, execution_options={"yield_per": READ_AT_ONCE}).scalars()
    return sum((Telemetry(**one) for one in rows if one), Telemetry())


def settled(connection: sa.Connection, run: int) -> Iterator[Settled]:
    """Every settled draft of a run, streamed, in no order."""
    columns = [drafts.c[name] for name in ("outcome", "text", "reasons", "settled_at", "resampled")]
    query = (
        sa.select(*columns, products.c.sku, products.c.facts["title"].as_string().label("name"))
        .outerjoin(products, products.c.id == drafts.c.product_id)
        .where(drafts.c.run_id == run, drafts.c.outcome.is_not(None))
    )
    for row in connection.execute(query, execution_options={"yield_per": READ_AT_ONCE}):
        reasons = [Reason(**one) for one in row.reasons]
        codes = [one.code for one in reasons if not one.warns]
        marks = [one.span for one in reasons if one.warns]
        twin = next((one.message for one in reasons if one.code == DUPLICATE), "")
        yield Settled(
            row.outcome, row.name or "", row.text, codes, marks, row.settled_at, row.sku or "", row.resampled, twin
        )


def items(connection: sa.Connection, run: int, outcome: str, limit: int) -> Iterator[Item]:
    """The first `limit` drafts with an outcome, those that still wait for somebody before the others."""
    waits = drafts.c.state == outcome
    query = sa.select(drafts.c.id).where(drafts.c.run_id == run, drafts.c.outcome == outcome)
    return _items(connection, connection.scalars(query.order_by(waits.desc(), drafts.c.id).limit(limit)).all())


def sample(connection: sa.Connection, run: int, outcome: str, limit: int) -> Iterator[Item]:
    """Up to `limit` drafts with an outcome, spread evenly over the run; the same ones each time."""
    place = (sa.func.row_number().over(order_by=drafts.c.id) - 1).label("place")
    found = sa.select(drafts.c.id, place).where(drafts.c.run_id == run, drafts.c.outcome == outcome).subquery()
    count = connection.scalar(sa.select(sa.func.count()).select_from(found)) or 0
    query = sa.select(found.c.id).order_by(found.c.id).limit(limit)
    if count > limit:
        query = query.where(found.c.place * limit % count < limit)
    return _items(connection, connection.scalars(query).all())


def _items(connection: sa.Connection, ids: Sequence[int]) -> Iterator[Item]:
    for start in range(0, len(ids), ITEMS_AT_ONCE):
        some = ids[start : start + ITEMS_AT_ONCE]
        rows = {row.id: row for row in connection.execute(_shown().where(drafts.c.id.in_(some)))}
        yield from (_item(rows[draft]) for draft in some)


def _shown() -> sa.Select[Any]:
    of_review = ("review_id", "title", "text", "rating", "language", "content_hash")
    return (
        sa.select(
            *[drafts.c[name] for name in ("id", "kind", "language", "state", "text", "model_text", "reasons", "asks")],
            drafts.c.facts_hash.label("read"),
            *[products.c[name] for name in ("sku", "facts", "text_format")],
            read_by(drafts.c.kind).label("facts_hash"),
            *[reviews.c[name].label(f"review_{name}") for name in of_review],
            _before().label("before"),
        )
        .outerjoin(reviews, reviews.c.id == drafts.c.review_id)
        .outerjoin(products, products.c.id == sa.func.coalesce(drafts.c.product_id, reviews.c.product_id))
    )


def _before() -> sa.ScalarSelect[str]:
    """The product's live text when the draft was settled; what was published of the draft itself came later."""
    earlier = live_texts.alias("before")
    query = sa.select(earlier.c.text).where(
        earlier.c.product_id == drafts.c.product_id,
        earlier.c.kind == drafts.c.kind,
        earlier.c.created_at <= sa.func.coalesce(drafts.c.settled_at, drafts.c.created_at),
        sa.func.coalesce(earlier.c.draft_id, 0) < drafts.c.id,
    )
    return query.order_by(earlier.c.version.desc()).limit(1).scalar_subquery()


def _item(row: sa.Row[Any]) -> Item:
    is_reply = row.review_review_id is not None
    today = row.review_content_hash if is_reply else row.facts_hash
    review = Reviewed(row.review_title, row.review_text, row.review_rating, row.review_language) if is_reply else None
    return Item(
        row.id, row.review_review_id if is_reply else row.sku or "", row.language, Status(row.state), row.text,
        row.model_text is not None, tuple(Reason(**one) for one in row.reasons), row.asks,
        None if row.facts is None else Facts.from_json(row.facts), today != row.read,
        row.before, stored_as(row.kind, TextFormat(row.text_format or TextFormat.PLAIN)), review,
    )  # fmt: skip
