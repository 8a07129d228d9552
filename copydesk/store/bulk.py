"""Thousands of rows at a time: what the two databases do differently, and fast."""

from collections.abc import Collection, Iterable, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

CACHED_KIB = 32 << 10
"""SQLite's page cache in bulk transactions, 2 MiB by default: indexes that outgrow it are written over and over."""


def begin(connection: sa.Connection) -> None:
    """Prepare a transaction for bulk work on tables of any size, about which the database may know nothing yet."""
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql(f"PRAGMA cache_size=-{CACHED_KIB}")
    else:
        # A few thousand keys are found through an index; a table read whole for each batch makes an import quadratic.
        connection.exec_driver_sql("SET LOCAL enable_seqscan = off; SET LOCAL jit = off")


def among(connection: sa.Connection, column: sa.ColumnElement[Any], values: Collection[Any]) -> sa.ColumnElement[bool]:
    """`column IN values`; one parameter on PostgreSQL, which is slow with thousands of them."""
    if connection.dialect.name == "sqlite":
        return column.in_(values)
    return column == sa.any_(sa.literal(list(values), postgresql.ARRAY(column.type)))


def stream(connection: sa.Connection, query: sa.Select[Any]) -> sa.CursorResult[Any]:
    """All rows of a query, of which a thousand at a time are in memory."""
    if connection.dialect.name != "sqlite":
        # By default a cursor's plan is the one that is quick for the first tenth of its rows, at any cost for the rest.
        connection.exec_driver_sql("SET LOCAL cursor_tuple_fraction = 1")
    return connection.execute(query, execution_options={"yield_per": 1000})


def add_rows(connection: sa.Connection, table: sa.Table, names: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Insert rows, by COPY on PostgreSQL. Values are the driver's: JSON and moments are text.

    Raises:
        sqlalchemy.exc.DBAPIError: as any statement does.
    """
    columns = ", ".join(names)
    if connection.dialect.name == "sqlite":
        marks = ", ".join("?" * len(names))
        connection.exec_driver_sql(f"INSERT INTO {table.name} ({columns}) VALUES ({marks})", list(map(tuple, rows)))  # noqa: S608
    else:
        _copy(connection, f"COPY {table.name} ({columns}) FROM STDIN", rows)


def update_rows(
    connection: sa.Connection, table: sa.Table, names: Sequence[str], rows: Iterable[Sequence[Any]]
) -> None:
    """Update rows by their id, which is the last of `names`. Values as for `add_rows`."""
    mark = "?" if connection.dialect.name == "sqlite" else "%s"
    changes = ", ".join(f"{name} = {mark}" for name in names[:-1])
    statement = f"UPDATE {table.name} SET {changes} WHERE {names[-1]} = {mark}"  # noqa: S608 - names are our own
    connection.exec_driver_sql(statement, list(map(tuple, rows)))


def _copy(connection: sa.Connection, statement: str, rows: Iterable[Sequence[Any]]) -> None:
    driver: Any = connection.dialect.loaded_dbapi
    own: Any = connection.connection.driver_connection
    try:
        with own.cursor() as cursor, cursor.copy(statement) as copy:
            for row in rows:
                copy.write_row(row)
    except driver.Error as error:  # SQLAlchemy knows nothing of COPY
        raise sa.exc.DBAPIError.instance(statement, None, error, driver.Error, hide_parameters=True) from error
