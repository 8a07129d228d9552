"""What keeps runs moving when something broke, and the ledger free of what it shall not keep."""

from collections.abc import Callable, Collection
from dataclasses import astuple, dataclass

from copydesk.jobs import comparing, publishing, retry, stopping
from copydesk.store import Database, drafts, products, retention, reviews, runs
from copydesk.store.reviews import Forgotten

PATIENCE_SECONDS = 5.0
"""Not zero: a chunk is marked as rung a moment before its bell is sent."""

FORGOTTEN_AT_ONCE = 500
"""Reviews that one transaction blanks; and one sweep, the next one takes the rest."""


@dataclass(frozen=True, slots=True)
class Swept:
    """What one sweep put right, how many drafts it cancelled, and how many reviews it blanked for their age."""

    returned: int
    failed: int
    rung_again: int
    cancelled: int
    finished: int
    published: int
    forgotten: int = 0

    def __bool__(self) -> bool:
        return any(astuple(self))


def sweep(
    database: Database,
    *,
    max_attempts: int,
    heard: Collection[tuple[int, int]],
    rule_is_on: Callable[[str], bool],
    keep_reviews_days: float | None = None,
) -> Swept:
    """Put right what crashed workers and lost messages left behind. Safe to run at any time, also twice at once.

    Args:
        max_attempts: a draft whose worker or engine crashed this often is failed, not tried again.
        heard: chunks (run, number) whose bell is queued or in a worker's hands; every other has lost its own.
        rule_is_on: does the shop's auto-publish rule stand now?
        keep_reviews_days: how long what a review says is kept; None for ever.
    """
    cancelled = stopping.go_on(database)
    with database.write() as connection:
        returned, failed = drafts.return_expired(connection, retry.crash_pauses(max_attempts))
        rung_again = runs.wait_again(connection, heard, rung_before_seconds=PATIENCE_SECONDS)
    finished = _finish(database) + comparing.compare_due(database)
    # In a transaction of its own: a worker that ends a chunk holds the chunk before the run.
    with database.write() as connection:
        runs.close_chunks(connection)
    published = publishing.publish_by_rule(database, rule_is_on)
    forgotten = 0 if keep_reviews_days is None else _forget_old(database, keep_reviews_days)
    return Swept(returned, failed, rung_again, cancelled, finished, published, forgotten)


def _finish(database: Database) -> int:
    with database.write() as connection:
        return sum(runs.finalize(connection, run) for run in runs.running(connection))


def clean(database: Database, keep_runs_days: float) -> int:
    """Remove what runs that ended so many days ago left behind and nothing needs any more; returns how many drafts."""
    with database.write() as connection:
        retention.forget_files(connection, keep_runs_days)
    removed = 0
    while True:
        with database.write() as connection:
            some = retention.remove_some(connection, keep_runs_days)
            if not some:
                retention.remove_empty(connection, keep_runs_days)
                return removed
        removed += some


def _forget_old(database: Database, days: float) -> int:
    with database.read() as connection:
        old = reviews.older_than(connection, days, FORGOTTEN_AT_ONCE)
    return _forget(database, old).reviews


def forget(database: Database, *, reviewer: str, shop: str | None = None) -> Forgotten:
    """Blank every review of a reviewer, by name, e-mail or id, and the replies to them; in one shop or in all.

    Raises:
        NotFound: there is no such shop.
    """
    with database.read() as connection:
        shop_id = None if shop is None else products.find_shop(connection, shop)
        ids = reviews.by_reviewer(connection, reviewer, shop_id)
    batches = drafts.batched(ids, FORGOTTEN_AT_ONCE)
    return sum((_forget(database, batch) for batch in batches), Forgotten())


def _forget(database: Database, ids: list[int]) -> Forgotten:
    if not ids:
        return Forgotten()
    with database.write() as connection:
        return reviews.forget(connection, ids)
