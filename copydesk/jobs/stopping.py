"""A run that is to end before its time: cancelled by a person, or over its budget. What is done is kept."""

from copydesk.store import Database, drafts, runs


def stop(database: Database, run: int, why: str) -> int:
    """Cancel what of a run is not written yet; returns how many drafts. Killed halfway, the next sweep goes on with it.

    A worker that holds some of them drops them within a second or two.
    """
    with database.write() as connection:
        goes_on = runs.stop(connection, run, why)
    return _cancel(database, run, why) if goes_on else 0


def go_on(database: Database) -> int:
    """Stop what is over its budget, and finish what somebody began to stop; returns how many drafts were cancelled."""
    with database.write() as connection:
        for run, why in runs.over_budget(connection):
            runs.stop(connection, run, why)
        left = runs.stopping(connection)
    return sum(_cancel(database, run, why) for run, why in left)


def _cancel(database: Database, run: int, why: str) -> int:
    cancelled = 0
    while True:
        with database.write() as connection:
            some = drafts.cancel_some(connection, run, why)
        cancelled += some
        if not some:
            break
    with database.write() as connection:
        runs.finalize(connection, run)
    with database.write() as connection:
        runs.close_chunks(connection)
    return cancelled
