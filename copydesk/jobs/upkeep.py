"""What keeps runs moving when something broke: leases that ran out, lost bells, runs that only need an end."""

from collections.abc import Callable
from dataclasses import dataclass

from copydesk.jobs import publishing
from copydesk.store import Database, drafts, runs

PATIENCE_SECONDS = 600.0
"""How long a rung chunk may stay untouched while the broker holds bells. A second bell is harmless, only waste."""

PATIENCE_WITH_EMPTY_BROKER_SECONDS = 5.0
"""Not zero: a chunk is marked as rung a moment before its bell is sent."""


@dataclass(frozen=True, slots=True)
class Swept:
    """What one sweep put right."""

    returned: int
    failed: int
    rung_again: int
    finished: int
    published: int

    def __bool__(self) -> bool:
        return any((self.returned, self.failed, self.rung_again, self.finished, self.published))


def sweep(database: Database, *, max_attempts: int, broker_is_empty: bool, rule_is_on: Callable[[str], bool]) -> Swept:
    """Put right what crashed workers and lost messages left behind. Safe to run at any time, also twice at once.

    Args:
        max_attempts: a draft whose worker stopped this often is failed, not tried again.
        rule_is_on: does the shop's auto-publish rule stand now?
        broker_is_empty: no bell is queued or in a worker's hands, so every untouched chunk has lost its own.
    """
    with database.write() as connection:
        returned, failed = drafts.return_expired(connection, max_attempts)
        patience = PATIENCE_WITH_EMPTY_BROKER_SECONDS if broker_is_empty else PATIENCE_SECONDS
        rung_again = runs.wait_again(connection, rung_before_seconds=patience)
        runs.close_chunks(connection)
        finished = sum(runs.finalize(connection, run) for run in runs.running(connection))
    return Swept(returned, failed, rung_again, finished, publishing.publish_by_rule(database, rule_is_on))
