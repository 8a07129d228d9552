"""What an ended run leaves behind, removed once it is old and nothing needs it any more.

The run itself stays, with its counts; so do live texts and every version of them, and reviews.
"""

import sqlalchemy as sa

from copydesk.model import BATCH, OPEN, SENTIMENT, Status
from copydesk.store.tables import batch_requests, chunks, drafts, live_texts, now, runs

REMOVED_AT_ONCE = 5_000
"""Drafts that one transaction removes."""


def forget_files(connection: sa.Connection, days: float) -> None:
    """A batch file whose answers go is asked anew when it comes again."""
    gone = sa.update(runs).where(runs.c.id.in_(_old(days)), runs.c.kind == BATCH, runs.c.run_key.not_like("removed %"))
    connection.execute(gone.values(run_key=sa.literal("removed ") + sa.cast(runs.c.id, sa.Text)))


def remove_some(connection: sa.Connection, days: float) -> int:
    """Remove drafts of runs that ended so many days ago; returns how many. Call again until none is left.

    Removed are answers to batch files, sentiments, and copy that newer copy of its kind has taken the place of. What
    stays is what a live text came from, and what is approved and not published yet.
    """
    newer = drafts.alias("newer")
    is_replaced = sa.exists().where(
        newer.c.product_id == drafts.c.product_id,
        newer.c.kind == drafts.c.kind,
        newer.c.id > drafts.c.id,
        newer.c.state.not_in([state.value for state in (Status.STALE, Status.FAILED, Status.CANCELLED, *OPEN)]),
    )
    of_product = sa.and_(drafts.c.product_id.is_not(None), drafts.c.state != Status.APPROVED.value, is_replaced)
    went_live = sa.exists().where(live_texts.c.draft_id == drafts.c.id)
    query = (
        sa.select(drafts.c.id)
        .where(
            drafts.c.run_id.in_(_old(days)),
            sa.or_(of_product, drafts.c.kind.in_([BATCH, SENTIMENT])),
            ~went_live,
        )
        .limit(REMOVED_AT_ONCE)
    )
    return connection.execute(sa.delete(drafts).where(drafts.c.id.in_(list(connection.scalars(query))))).rowcount


def remove_empty(connection: sa.Connection, days: float) -> None:
    """Remove the chunks and the requests of such runs that have no draft left."""
    for table in (chunks, batch_requests):
        left = sa.exists().where(drafts.c.run_id == table.c.run_id)
        connection.execute(sa.delete(table).where(table.c.run_id.in_(_old(days)), ~left))


def _old(days: float) -> sa.Select[tuple[int]]:
    return sa.select(runs.c.id).where(runs.c.finished_at < now(-days * 86_400))
