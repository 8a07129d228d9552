"""The ledger's tables. docs/lifecycle.md explains the states; migrations/ creates what stands here."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

from copydesk.model import OPEN, REPLY, SENTIMENT, Lane, Status


class UtcDateTime(sa.types.TypeDecorator[datetime]):
    """A moment with its zone on both databases; SQLite stores UTC without saying so."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        if value is None:
            return None
        return value.astimezone(UTC).replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if dialect.name == "sqlite" else value.astimezone(UTC)


class now(FunctionElement[datetime]):  # reads as the SQL function it is
    """The database's clock plus some seconds: leases of several hosts are compared on one clock only."""

    type = UtcDateTime()
    inherit_cache = True

    def __init__(self, plus_seconds: float = 0) -> None:
        super().__init__(sa.literal(float(plus_seconds), sa.Float))


@compiles(now, "sqlite")
def _now_on_sqlite(element: now, compiler: Any, **kw: Any) -> str:
    seconds = compiler.process(element.clauses, **kw)
    # The layout SQLAlchemy stores, so that the text compares in order.
    return f"strftime('%Y-%m-%d %H:%M:%f000', 'now', {seconds} || ' seconds')"


@compiles(now, "postgresql")
def _now_on_postgresql(element: now, compiler: Any, **kw: Any) -> str:
    return f"clock_timestamp() + make_interval(secs => {compiler.process(element.clauses, **kw)})"


Json = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
AsWritten = sa.JSON(none_as_null=True)  # any text at all; JSONB takes neither NUL nor half a surrogate pair
Id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")  # SQLite numbers rows by itself for INTEGER only

metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


REPLY_STANDS = tuple(
    state.value for state in Status if state not in (Status.FAILED, Status.STALE, Status.UNDONE, Status.CANCELLED)
)
"""States in which a reply draft is the answer to its version of the review, or an answer of it is not wanted."""


def storable(text: str) -> str:
    """PostgreSQL stores no NUL, and nobody half a surrogate pair; models and customers write both."""
    return text.replace("\0", "").encode("utf-8", "replace").decode()


def _id() -> sa.Column[int]:
    return sa.Column("id", Id, primary_key=True)


def _moment(name: str, *, always: bool = False) -> sa.Column[datetime]:
    return sa.Column(name, UtcDateTime(), nullable=not always)


shops = sa.Table(
    "shops",
    metadata,
    _id(),
    sa.Column("name", sa.Text, nullable=False, unique=True),
    _moment("created_at", always=True),
)

products = sa.Table(
    "products",
    metadata,
    _id(),
    sa.Column("shop_id", Id, sa.ForeignKey("shops.id"), nullable=False),
    sa.Column("sku", sa.Text, nullable=False),
    sa.Column("language", sa.Text, nullable=False),
    sa.Column("facts", Json, nullable=False),
    sa.Column("facts_hash", sa.Text, nullable=False),
    sa.Column("text_format", sa.Text, nullable=False),
    sa.Column("dialect", sa.Text, nullable=False),
    sa.Column("source", Json, nullable=False),
    _moment("updated_at", always=True),
    sa.UniqueConstraint("shop_id", "sku"),
)

live_texts = sa.Table(
    "live_texts",
    metadata,
    _id(),
    sa.Column("product_id", Id, sa.ForeignKey("products.id"), nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("current", sa.Boolean, nullable=False),
    sa.Column("text", sa.Text, nullable=False),
    sa.Column("origin", sa.Text, nullable=False),  # imported, draft, undo
    sa.Column("by_person", sa.Boolean, nullable=False),  # then no run overwrites it
    sa.Column("draft_id", Id, sa.ForeignKey("drafts.id")),
    sa.Column("undo_to", sa.Integer),  # the version that undo brings back; none for the first
    sa.Column("author", sa.Text, nullable=False),
    _moment("created_at", always=True),
    sa.UniqueConstraint("product_id", "kind", "version"),
)
sa.Index(
    "uq_live_texts_current",
    live_texts.c.product_id,
    live_texts.c.kind,
    unique=True,
    sqlite_where=sa.text("current IS 1"),
    postgresql_where=sa.text("current IS TRUE"),
)

sa.Index(
    "ix_live_texts_draft_id",
    live_texts.c.draft_id,
    sqlite_where=live_texts.c.draft_id.is_not(None),
    postgresql_where=live_texts.c.draft_id.is_not(None),
)

runs = sa.Table(
    "runs",
    metadata,
    _id(),
    sa.Column("shop_id", Id, sa.ForeignKey("shops.id"), nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("run_key", sa.Text, nullable=False),  # two schedulers with one key make one run
    sa.Column("state", sa.Text, nullable=False),  # see copydesk.store.runs.State
    sa.Column("recipe", Json, nullable=False),
    sa.Column("auto_publish", sa.Boolean, nullable=False),
    sa.Column("lane", sa.Text, nullable=False, server_default=Lane.CATALOG),
    sa.Column("queued", sa.Integer, nullable=False),
    sa.Column("outcomes", Json),  # counts, written once, when the run ends
    # What it cost, of which a chunk's share is added when the chunk ends; and what it may cost.
    sa.Column("prompt_tokens", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("completion_tokens", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("max_tokens", sa.BigInteger),
    sa.Column("max_minutes", sa.Integer),
    sa.Column("stopped_because", sa.Text),
    sa.Column("trouble", sa.Text),  # why a worker could not go on with it; none since one could
    _moment("created_at", always=True),
    _moment("started_at"),
    _moment("comparing_until"),  # somebody looks for near-duplicates among its texts right now
    _moment("compared_at"),  # nobody needs to any more
    _moment("finished_at"),
    sa.UniqueConstraint("shop_id", "kind", "run_key"),
)
sa.Index(
    "ix_runs_open",
    runs.c.id,
    sqlite_where=runs.c.finished_at.is_(None),
    postgresql_where=runs.c.finished_at.is_(None),
)

chunks = sa.Table(
    "chunks",
    metadata,
    sa.Column("run_id", Id, sa.ForeignKey("runs.id"), primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("state", sa.Text, nullable=False),  # waiting, rung, done
    sa.Column("rings", sa.Integer, nullable=False),
    _moment("rung_at"),
    _moment("next_attempt_at"),  # a waiting chunk is not rung before
    _moment("settled_at"),  # when a worker last wrote down something of it
    sa.Column("telemetry", Json),
)
is_not_done = chunks.c.state != sa.literal_column("'done'")
"""Written out for the same reason as is_open."""

sa.Index(
    "ix_chunks_open",
    chunks.c.state,
    chunks.c.run_id,
    chunks.c.number,
    sqlite_where=is_not_done,
    postgresql_where=is_not_done,
)

batch_requests = sa.Table(
    "batch_requests",
    metadata,
    _id(),
    sa.Column("run_id", Id, sa.ForeignKey("runs.id"), nullable=False),
    sa.Column("number", sa.Integer, nullable=False),  # of its line in the file
    sa.Column("custom_id", sa.Text),
    sa.Column("body", AsWritten),  # what is asked; none where `error` says why it cannot be
    sa.Column("error", AsWritten),
    sa.UniqueConstraint("run_id", "number"),
)

reviews = sa.Table(
    "reviews",
    metadata,
    _id(),
    sa.Column("shop_id", Id, sa.ForeignKey("shops.id"), nullable=False),
    sa.Column("platform", sa.Text, nullable=False),
    sa.Column("review_id", sa.Text, nullable=False),  # the platform's key
    sa.Column("product_id", Id, sa.ForeignKey("products.id")),  # none while the shop has no such sku
    sa.Column("sku", sa.Text, nullable=False),
    sa.Column("rating", sa.Integer),
    # Personal data as it came, to forget by and to export with; no prompt, log or message sees it.
    sa.Column("reviewer_name", sa.Text, nullable=False),
    sa.Column("reviewer_email", sa.Text, nullable=False),
    sa.Column("reviewer_id", sa.Text, nullable=False),
    sa.Column("source", Json, nullable=False),
    sa.Column("title", sa.Text, nullable=False),  # masked, and so is the text
    sa.Column("text", sa.Text, nullable=False),
    sa.Column("language", sa.Text, nullable=False),
    sa.Column("content_hash", sa.Text, nullable=False),  # of what the reviewer says, unmasked
    sa.Column("version", sa.Integer, nullable=False),  # counts from 1, one more whenever that changes
    sa.Column("platform_reply", sa.Text, nullable=False),  # what the platform shows under the review
    sa.Column("answered_version", sa.Integer, nullable=False),  # which version that answers; 0 for none
    sa.Column("route", sa.Text, nullable=False),
    sa.Column("policy", sa.Text, nullable=False),
    sa.Column("sentiment", sa.Text, nullable=False),
    sa.Column("probabilities", Json, nullable=False),  # positive, neutral, negative
    sa.Column("sentiment_by", sa.Text, nullable=False),
    sa.Column("disagrees", sa.Boolean, nullable=False),
    sa.Column("opinions", Json, nullable=False),
    sa.Column("reasons", Json, nullable=False),
    _moment("written_at"),
    _moment("imported_at", always=True),  # what it says by now
    _moment("forgotten_at"),  # then nothing of it is left, and nothing of it comes back
    sa.UniqueConstraint("shop_id", "platform", "review_id"),
    sa.Index(None, "product_id"),
)
sa.Index(
    "ix_reviews_kept",
    reviews.c.imported_at,
    sqlite_where=reviews.c.forgotten_at.is_(None),
    postgresql_where=reviews.c.forgotten_at.is_(None),
)

drafts = sa.Table(
    "drafts",
    metadata,
    _id(),
    sa.Column("run_id", Id, sa.ForeignKey("runs.id"), nullable=False),
    sa.Column("chunk", sa.Integer, nullable=False),
    sa.Column("product_id", Id, sa.ForeignKey("products.id")),  # or
    sa.Column("batch_request_id", Id, sa.ForeignKey("batch_requests.id")),  # or
    sa.Column("review_id", Id, sa.ForeignKey("reviews.id")),
    sa.Column("review_version", sa.Integer),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("language", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("outcome", sa.Text),  # what the desk made of it: ready, held, failed, stale, ignored
    sa.Column("facts_hash", sa.Text, nullable=False),  # of a review's draft, its content_hash
    sa.Column("recipe_hash", sa.Text, nullable=False),
    sa.Column("text", sa.Text, nullable=False),
    sa.Column("model_text", sa.Text),  # the model's own words, once a person has edited them
    sa.Column(
        "choices", AsWritten
    ),  # of a batch request the texts, and why each ended; of a sentiment the probabilities
    sa.Column("reasons", Json, nullable=False),
    sa.Column("attempt", sa.Integer, nullable=False),  # claims that ended in a crash, and the one under way
    sa.Column("alone", sa.Boolean, nullable=False, server_default=sa.false()),  # may be what crashes them
    sa.Column("asks", sa.Integer, nullable=False),
    sa.Column("lease_token", sa.Text),
    _moment("lease_until"),
    _moment("next_attempt_at"),  # a draft that waits is not claimed before
    sa.Column("model", sa.Text),
    sa.Column("prompt", sa.Text),
    sa.Column("sampling", Json),
    sa.Column("prompt_tokens", sa.Integer, nullable=False),
    sa.Column("completion_tokens", sa.Integer, nullable=False),
    sa.Column("seconds", sa.Float),  # from the first ask to the last answer
    sa.Column("resampled", sa.Integer, nullable=False, server_default="0"),  # for being nearly another product's text
    sa.Column("first_approved_by", sa.Text),  # where two persons have to say yes
    sa.Column("decided_by", sa.Text),
    _moment("created_at", always=True),
    _moment("settled_at"),
    _moment("decided_at"),
    # Every draft is written three times, and each time into each index that it is in: so most are partial.
    sa.Index(None, "run_id", "state", "outcome"),  # holds all that progress is counted from
)
for columns, is_unique in ((["product_id", "kind"], False), (["batch_request_id"], True), (["review_id"], False)):
    given = drafts.c[columns[0]].is_not(None)
    sa.Index(None, *[drafts.c[name] for name in columns], unique=is_unique, sqlite_where=given, postgresql_where=given)


def _in(states: Iterable[str]) -> sa.ColumnElement[bool]:
    return drafts.c.state.in_([sa.literal_column(f"'{state}'") for state in sorted(states)])


def _is(kind: str) -> sa.ColumnElement[bool]:
    return drafts.c.kind == sa.literal_column(f"'{kind}'")


is_open = _in(state.value for state in OPEN)
"""A draft that a worker still owes. Written out, not as parameters: else SQLite takes no partial index."""
sa.Index(
    "ix_drafts_open_of_chunk",
    drafts.c.run_id,
    drafts.c.chunk,
    drafts.c.state,
    sqlite_where=is_open,
    postgresql_where=is_open,
)
sa.Index(
    "uq_drafts_open",  # one open draft per product and kind, however many producers plan at once
    drafts.c.product_id,
    drafts.c.kind,
    unique=True,
    sqlite_where=is_open,
    postgresql_where=is_open,
)
is_resampled = drafts.c.resampled > sa.literal_column("0")
"""Written again for being nearly another product's text: a few of a run, counted without reading the rest of it."""
sa.Index("ix_drafts_resampled", drafts.c.run_id, sqlite_where=is_resampled, postgresql_where=is_resampled)
_is_reply = sa.and_(_is(REPLY), _in(REPLY_STANDS))
sa.Index(
    "uq_drafts_reply",  # one reply per version of a review
    drafts.c.review_id,
    drafts.c.review_version,
    unique=True,
    sqlite_where=_is_reply,
    postgresql_where=_is_reply,
)
_is_open_sentiment = sa.and_(_is(SENTIMENT), is_open)
sa.Index(
    "uq_drafts_sentiment",
    drafts.c.review_id,
    drafts.c.review_version,
    unique=True,
    sqlite_where=_is_open_sentiment,
    postgresql_where=_is_open_sentiment,
)
sa.Index(
    "ix_drafts_lease",
    drafts.c.lease_until,
    sqlite_where=drafts.c.state == "writing",
    postgresql_where=drafts.c.state == "writing",
)

submissions = sa.Table(
    "submissions",
    metadata,
    _id(),
    sa.Column("draft_id", Id, sa.ForeignKey("drafts.id"), nullable=False, unique=True),
    sa.Column("channel", sa.Text, nullable=False),  # file, webhook
    sa.Column("idempotency_key", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),  # see copydesk.store.replies.Delivery
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("error", sa.Text, nullable=False),
    _moment("created_at", always=True),
    _moment("next_attempt_at"),
    _moment("lease_until"),  # somebody posts it right now
    _moment("submitted_at"),
    _moment("settled_at"),
)
sa.Index(
    "ix_submissions_due",
    submissions.c.next_attempt_at,
    sqlite_where=submissions.c.state == "waiting",
    postgresql_where=submissions.c.state == "waiting",
)
