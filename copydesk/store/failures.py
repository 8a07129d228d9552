"""What a database error means: which kind of failure it is, and its remedy."""

from typing import Any

from copydesk.errors import Failure

REMEDIES = {
    Failure.CONFLICT: "another process held the same rows: try again",
    Failure.AWAY: "it does not answer: is the database up, is COPYDESK_DATABASE_URL right?",
    Failure.FULL: "no room is left: free some on its disk",
}

NO_TABLES = "it has no Copydesk tables: run `copydesk migrate`"
NO_FILE = "set COPYDESK_DATA_DIR or COPYDESK_DATABASE_URL to a place where a SQLite file can be"

_BY_SQLSTATE = {
    "40001": Failure.CONFLICT,  # serialization_failure
    "40P01": Failure.CONFLICT,  # deadlock_detected
    "55P03": Failure.CONFLICT,  # lock_not_available
    "25P03": Failure.AWAY,  # idle_in_transaction_session_timeout
    "25006": Failure.AWAY,  # read_only_sql_transaction: a standby that is not promoted yet
    "53300": Failure.AWAY,  # too_many_connections
    "53100": Failure.FULL,  # disk_full
}
_BY_CLASS = {"08": Failure.AWAY, "57": Failure.AWAY, "53": Failure.FULL}
"""connection_exception, operator_intervention (shut down, starting up), insufficient_resources."""

_BY_WORDS = {
    "database is locked": Failure.CONFLICT,  # SQLite, after BUSY_SECONDS
    "database or disk is full": Failure.FULL,
    "disk I/O error": Failure.FULL,
}


def remedy_of(error: Any) -> tuple[Failure, str] | None:
    """What a driver's error (psycopg's or sqlite3's) means; None where it is a mistake in a statement."""
    name, said = type(error).__name__, str(error)
    if "no such table" in said or name == "UndefinedTable":
        return Failure.UNFIT, NO_TABLES
    if "not a database" in said or "unable to open" in said:
        return Failure.UNFIT, NO_FILE
    failure = failure_of(getattr(error, "sqlstate", None) or "", said)
    is_about_the_connection = any(one.__name__ in ("OperationalError", "InterfaceError") for one in type(error).__mro__)
    if failure is None and is_about_the_connection:
        failure = Failure.AWAY
    return None if failure is None else (failure, REMEDIES[failure])


def failure_of(sqlstate: str, said: str) -> Failure | None:
    """By PostgreSQL's error code, or SQLite's words; None where neither says."""
    known = _BY_SQLSTATE.get(sqlstate) or _BY_CLASS.get(sqlstate[:2])
    return known or next((failure for words, failure in _BY_WORDS.items() if words in said), None)
