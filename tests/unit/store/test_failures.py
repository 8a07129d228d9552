"""What the errors of both drivers mean."""

import sqlite3

import psycopg
import pytest

from copydesk.errors import Failure
from copydesk.store.failures import remedy_of


@pytest.mark.parametrize(
    ("error", "failure"),
    [
        (psycopg.errors.DeadlockDetected("deadlock detected"), Failure.CONFLICT),
        (psycopg.errors.SerializationFailure("could not serialize access"), Failure.CONFLICT),
        (psycopg.errors.LockNotAvailable("canceling statement due to lock timeout"), Failure.CONFLICT),
        (psycopg.errors.AdminShutdown("terminating connection due to administrator command"), Failure.AWAY),
        (psycopg.errors.CrashShutdown("terminating connection because of crash"), Failure.AWAY),
        (psycopg.errors.CannotConnectNow("the database system is starting up"), Failure.AWAY),
        (psycopg.errors.ConnectionFailure("connection failure"), Failure.AWAY),
        (psycopg.errors.TooManyConnections("sorry, too many clients already"), Failure.AWAY),
        (psycopg.errors.ReadOnlySqlTransaction("cannot execute UPDATE in a read-only transaction"), Failure.AWAY),
        (psycopg.errors.IdleInTransactionSessionTimeout("terminating connection"), Failure.AWAY),
        (psycopg.OperationalError("connection refused"), Failure.AWAY),
        (psycopg.OperationalError("server closed the connection unexpectedly"), Failure.AWAY),
        (psycopg.InterfaceError("the connection is closed"), Failure.AWAY),
        (psycopg.errors.DiskFull("could not extend file"), Failure.FULL),
        (psycopg.errors.UndefinedTable('relation "runs" does not exist'), Failure.UNFIT),
        (sqlite3.OperationalError("database is locked"), Failure.CONFLICT),
        (sqlite3.OperationalError("database or disk is full"), Failure.FULL),
        (sqlite3.OperationalError("disk I/O error"), Failure.FULL),
        (sqlite3.OperationalError("no such table: runs"), Failure.UNFIT),
        (sqlite3.OperationalError("unable to open database file"), Failure.UNFIT),
        (sqlite3.DatabaseError("file is not a database"), Failure.UNFIT),
    ],
)
def test_each_error_has_its_failure_and_a_remedy(error: Exception, failure: Failure) -> None:
    meant = remedy_of(error)

    assert meant is not None
    assert meant[0] is failure
    assert meant[1]


@pytest.mark.parametrize(
    "error",
    [
        psycopg.errors.UniqueViolation("duplicate key value violates unique constraint"),
        psycopg.errors.SyntaxError("syntax error at or near"),
        sqlite3.IntegrityError("UNIQUE constraint failed: drafts.product_id"),
    ],
)
def test_a_mistake_in_a_statement_is_no_failure_of_the_database(error: Exception) -> None:
    assert remedy_of(error) is None
