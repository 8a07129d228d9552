"""Sentiments: reviews that a model judges once more, through the same runs, chunks and leases as everything else."""

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from copydesk.model import SENTIMENT, Lane, Route
from copydesk.store import drafts as ledger
from copydesk.store import reviews as store_reviews
from copydesk.store import runs
from copydesk.store.products import lock
from copydesk.store.tables import drafts, reviews


def plan(
    connection: sa.Connection, shop_id: int, run_key: str, recipe: Mapping[str, Any], *, by: str, chunk_size: int
) -> runs.Planned:
    """Write the run, with one draft for every review that says something and that `by` has not judged.

    A run key used before gives that run again.
    """
    opened = runs.open_run(connection, shop_id, SENTIMENT, run_key, recipe, lane=Lane.CATALOG)
    if not opened.created:
        return opened
    queued = runs.fill(connection, opened.run, _drafts_of(shop_id, by, chunk_size))
    return runs.Planned(opened.run, created=True, queued=queued, skipped={})


def _drafts_of(shop_id: int, by: str, chunk_size: int) -> sa.Select[Any]:
    fresh = store_reviews.begun(sa.true())
    return (
        sa.select(
            runs.chunk_of(reviews.c.id, chunk_size).label("chunk"),
            sa.literal(SENTIMENT).label("kind"),
            sa.literal("").label("recipe_hash"),
            *[value.label(name) for name, value in fresh.items()],
        )
        .where(
            reviews.c.shop_id == shop_id,
            reviews.c.sentiment_by != by,
            reviews.c.route == Route.ORDINARY,
            reviews.c.forgotten_at.is_(None),
        )
        .order_by(reviews.c.id)
    )


def settle(
    connection: sa.Connection,
    token: str,
    outcomes: Sequence[ledger.Outcome],
    judgements: Mapping[int, store_reviews.Judgement],
) -> ledger.Settled:
    """Write outcomes as drafts.settle does, and with each accepted one what it says of its review."""
    these = sa.select(drafts.c.review_id).where(drafts.c.id.in_([outcome.draft for outcome in outcomes]))
    lock(connection, reviews, reviews.c.id.in_(these))
    settled = ledger.settle(connection, token, outcomes)
    store_reviews.judge(connection, {draft: judgements[draft] for draft in settled.accepted & judgements.keys()})
    return settled
