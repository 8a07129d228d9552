"""Opening the database: SQLite (WAL) or PostgreSQL, one short transaction at a time."""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from copydesk.errors import ConfigurationError, StoreUnavailable
from copydesk.store.failures import remedy_of

BUSY_SECONDS = 30  # how long a SQLite writer waits for another one before it gives up

# Of a host that is cut off neither side hears: we notice in half a minute, and the server drops its locks in one.
CONNECT_ARGS = {
    "connect_timeout": 5,
    "keepalives_idle": 15,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
}
IDLE_SECONDS = 60


class Database:
    """A pool of connections to one database; safe to share between threads.

    Args:
        url: an SQLAlchemy URL, `sqlite:///path` or `postgresql+psycopg://user:password@host/name`.

    Raises:
        ConfigurationError: the URL is malformed or names another kind of database.
    """

    def __init__(self, url: str) -> None:
        try:
            self.url = sa.make_url(url)
        except (sa.exc.ArgumentError, ValueError):  # not chained: the cause quotes the URL with its password
            raise ConfigurationError(
                "COPYDESK_DATABASE_URL is not a database URL: write sqlite:///var/copydesk.db "
                "or postgresql+psycopg://user:password@host/name"
            ) from None
        if self.url.drivername == "postgresql":
            self.url = self.url.set(drivername="postgresql+psycopg")
        if self.url.drivername not in ("sqlite", "postgresql+psycopg"):
            raise ConfigurationError(
                f"COPYDESK_DATABASE_URL names {self.url.drivername}: use sqlite or postgresql+psycopg"
            )
        self.is_sqlite = self.url.drivername == "sqlite"
        self._engine = self._open_sqlite() if self.is_sqlite else self._open_postgresql()

    def __str__(self) -> str:
        return self.url.render_as_string(hide_password=True)

    def _open_sqlite(self) -> sa.Engine:
        if self.url.database:
            try:
                Path(self.url.database).parent.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise StoreUnavailable(
                    f"the folder of {self.url.database} cannot be made ({error.strerror}): "
                    "set COPYDESK_DATA_DIR or COPYDESK_DATABASE_URL to a place that can be written"
                ) from error
        engine = sa.create_engine(self.url, hide_parameters=True, connect_args={"timeout": BUSY_SECONDS})

        @sa.event.listens_for(engine, "connect")
        def _configure(connection: Any, _record: Any) -> None:
            connection.isolation_level = None  # we send BEGIN ourselves, below
            _switch_to_wal(connection)
            connection.execute("PRAGMA synchronous=NORMAL")
            connection.execute("PRAGMA secure_delete=ON")  # what a reviewer wants forgotten is overwritten

        @sa.event.listens_for(engine, "begin")
        def _begin(connection: sa.Connection) -> None:
            options = connection.get_execution_options()
            # A migration rebuilds tables that others point to. Within a transaction SQLite overlooks this pragma.
            connection.exec_driver_sql(f"PRAGMA foreign_keys={'OFF' if options.get('rebuilds') else 'ON'}")
            # A reader that turns writer midway cannot wait its turn in SQLite: writers say so at once.
            connection.exec_driver_sql("BEGIN IMMEDIATE" if options.get("writes") else "BEGIN")

        return engine

    def _open_postgresql(self) -> sa.Engine:
        # hide_parameters: product texts do not belong in tracebacks, which Flower shows.
        engine = sa.create_engine(self.url, hide_parameters=True, pool_pre_ping=True, connect_args=CONNECT_ARGS)

        @sa.event.listens_for(engine, "connect")
        def _configure(connection: Any, _record: Any) -> None:
            connection.execute(f"SET idle_in_transaction_session_timeout = '{IDLE_SECONDS}s'")
            connection.commit()

        return engine

    @contextmanager
    def write(self) -> Iterator[sa.Connection]:
        """One transaction that writes: committed at the end, rolled back on any error."""
        with self._transaction(writes=True) as connection:
            yield connection

    @contextmanager
    def read(self) -> Iterator[sa.Connection]:
        """One transaction that only reads."""
        with self._transaction() as connection:
            yield connection

    @contextmanager
    def _transaction(self, **options: bool) -> Iterator[sa.Connection]:
        with (
            self._translated(),
            self._engine.connect().execution_options(**options) as connection,
            connection.begin(),
        ):
            yield connection

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """Errors of the database itself become StoreUnavailable, each with its own remedy; mistakes in SQL stay."""
        try:
            yield
        except sa.exc.DBAPIError as error:
            meant = remedy_of(error.orig)
            if meant is None:
                raise
            failure, remedy = meant
            cause = (str(error.orig).strip() or type(error.orig).__name__).splitlines()[0]
            raise StoreUnavailable(f"{self}: {cause}: {remedy}", failure) from error

    def _alembic(self) -> Config:
        config = Config()
        config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
        return config

    def migrate(self) -> None:
        """Bring the tables up to date; does nothing when they are."""
        config = self._alembic()
        with self._transaction(writes=True, rebuilds=True) as connection:
            if not self.is_sqlite:  # two deployments at once migrate one after the other
                connection.execute(sa.text("SELECT pg_advisory_xact_lock(620060001)"))
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
            if self.is_sqlite and (broken := connection.exec_driver_sql("PRAGMA foreign_key_check").first()):
                raise StoreUnavailable(f"{self}: a row of {broken[0]} would point to nowhere: restore a backup")

    def check(self) -> None:
        """Raises StoreUnavailable when the database cannot be reached or its tables are not up to date."""
        wanted = ScriptDirectory.from_config(self._alembic()).get_current_head()
        with self.read() as connection:
            found = MigrationContext.configure(connection).get_current_revision()
        if found != wanted:
            raise StoreUnavailable(
                f"{self} is at schema {found or 'none'}, this version needs {wanted}: run `copydesk migrate`"
            )

    def close(self) -> None:
        self._engine.dispose()


def _switch_to_wal(connection: Any) -> None:
    """The first switch of a new file does not wait for another process that switches it too; so we do."""
    deadline = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        else:
            return
