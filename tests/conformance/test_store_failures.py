"""A database that fails in the middle: full, cut off, at odds with another; what was tried again is written once."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import Any

import pytest
import sqlalchemy as sa
from databases import MINE, PATIENCE_SECONDS, Ledger, Meanwhile, PostgreSQL, just_before, outcome, some

from copydesk.errors import Failure, StoreUnavailable
from copydesk.jobs import retry
from copydesk.model import Status
from copydesk.store import Database, drafts, runs, tables

LONG = "long words " * 20_000
"""More than fits into pages that are free already."""


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retry, "STORE_PAUSES_SECONDS", dict.fromkeys(retry.STORE_PAUSES_SECONDS, (0.0,)))


class Trying:
    """Settles a chunk as a worker does, and notes how each try ended; `before` each it is told how many there were."""

    def __init__(self, ledger: Ledger, text: str = "new {sku}") -> None:
        ledger.take_in(*some(4))
        self.run = ledger.plan().run
        self.claimed = ledger.claim(self.run)
        self.failures: list[Failure] = []
        self._ledger = ledger
        self._outcomes = [outcome(one, text=text) for one in self.claimed]

    def settle(self, harm: Callable[[sa.Connection, int], Any]) -> drafts.Settled:
        def transaction() -> drafts.Settled:
            try:
                with self._ledger.database.write() as connection:
                    harm(connection, len(self.failures))
                    settled = drafts.settle(connection, MINE, self._outcomes)
                    runs.note_settled(connection, self.run, 0)
                    harm(connection, len(self.failures))
                    return settled
            except StoreUnavailable as error:
                self.failures.append(error.failure)
                assert self.written() == {("writing", "", None, None)}, "something is half written"
                raise

        return retry.persist(transaction, for_seconds=PATIENCE_SECONDS)

    def written(self) -> set[tuple[Any, ...]]:
        """State, text and moment of the drafts, and the chunk's moment."""
        own, of_chunk = tables.drafts.c, tables.chunks
        query = sa.select(own.state, own.text, own.settled_at, of_chunk.c.settled_at.label("last"))
        with self._ledger.database.read() as connection:
            rows = connection.execute(query.join(of_chunk, of_chunk.c.run_id == own.run_id))
            return {tuple(row) for row in rows}


# A full SQLite -------------------------------------------------------------------------------------------------------


class Room:
    """How far a SQLite file may grow."""

    def __init__(self, database: Database) -> None:
        self._is_full = False
        sa.event.listen(database._engine, "begin", self._tell)

    def _tell(self, connection: sa.Connection) -> None:
        pages = 1 if self._is_full else 1 << 30  # never fewer than there are
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")

    def use_up(self) -> None:
        self._is_full = True

    def make(self) -> None:
        self._is_full = False


@pytest.fixture
def room(sqlite_database: Database) -> Room:
    return Room(sqlite_database)


def test_what_a_full_database_refused_is_written_once_there_is_room(sqlite_database: Database, room: Room) -> None:
    trying = Trying(Ledger(sqlite_database), LONG)
    room.use_up()

    def free_some(_connection: sa.Connection, failures: int) -> None:
        if failures == 2:
            room.make()

    # The room is made within the third try, and known to the fourth.
    settled = trying.settle(free_some)

    assert len(settled.accepted) == 4
    assert trying.failures == [Failure.FULL] * 3
    assert {text for _, text, *_ in trying.written()} == {LONG}


def test_a_full_database_says_so_and_names_the_remedy(sqlite_database: Database, room: Room) -> None:
    ledger = Ledger(sqlite_database)
    ledger.take_in(*some(1))
    claimed = ledger.claim(ledger.plan().run)
    room.use_up()

    with pytest.raises(StoreUnavailable, match="no room is left") as refused:
        ledger.settle(outcome(claimed[0], text=LONG))

    assert refused.value.failure is Failure.FULL
    assert ledger.states() == ["writing"]
    room.make()
    assert len(ledger.settle(outcome(claimed[0], text=LONG)).accepted) == 1


def test_a_full_database_is_tried_again_only_while_that_is_of_use(sqlite_database: Database, room: Room) -> None:
    ledger = Ledger(sqlite_database)
    ledger.take_in(*some(1))
    claimed = ledger.claim(ledger.plan().run)
    room.use_up()

    with pytest.raises(StoreUnavailable, match="no room is left"):
        retry.persist(lambda: ledger.settle(outcome(claimed[0], text=LONG)), for_seconds=-1)


# PostgreSQL cut off --------------------------------------------------------------------------------------------------


@pytest.fixture
def cut(postgresql: PostgreSQL) -> Callable[[sa.Connection], None]:
    """Ends the server's side of a connection."""

    def end(connection: sa.Connection) -> None:
        number = connection.connection.driver_connection.info.backend_pid  # type: ignore[union-attr]
        postgresql.execute(f"SELECT pg_terminate_backend({number}, 10000)")

    return end


Cut = Callable[[sa.Connection], None]


@pytest.fixture
def trying(postgresql_database: Database) -> Trying:
    return Trying(Ledger(postgresql_database))


def test_a_connection_that_is_cut_before_or_after_the_outcomes_are_written_is_opened_anew(
    trying: Trying, cut: Cut
) -> None:
    calls: list[int] = []

    def harm(connection: sa.Connection, failures: int) -> None:
        calls.append(failures)
        if len(calls) in (1, 3):  # at the begin of the first try, at the end of the second
            cut(connection)

    assert len(trying.settle(harm).accepted) == 4
    assert trying.failures == [Failure.AWAY, Failure.AWAY]
    assert {state for state, *_ in trying.written()} == {"ready"}


@pytest.mark.parametrize("statement", ["SELECT products", "SELECT drafts", "UPDATE drafts", "UPDATE chunks"])
def test_a_connection_that_is_cut_in_the_middle_leaves_nothing_half_written(
    trying: Trying, cut: Cut, statement: str
) -> None:
    with ExitStack() as until_the_end:

        def harm(connection: sa.Connection, failures: int) -> None:
            if not failures:
                until_the_end.enter_context(just_before(connection, statement, lambda: cut(connection)))

        assert len(trying.settle(harm).accepted) == 4

    assert trying.failures == [Failure.AWAY]
    assert {state for state, *_ in trying.written()} == {"ready"}


def test_every_connection_of_the_pool_may_be_cut_at_once(trying: Trying, postgresql_database: Database) -> None:
    others = "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    with postgresql_database.read(), postgresql_database.read():
        pass  # two are in the pool from here on
    with postgresql_database.read() as connection:
        killed = connection.exec_driver_sql(f"SELECT pg_terminate_backend(pid, 10000) {others}").all()

    assert len(killed) == 1
    assert len(trying.settle(lambda *_: None).accepted) == 4
    assert trying.failures == []


def test_an_answer_that_was_lost_after_the_commit_costs_nothing(ledger: Ledger) -> None:
    ledger.take_in(*some(4))
    run = ledger.plan().run
    claimed = ledger.claim(run)
    settled: list[drafts.Settled] = []

    def transaction() -> drafts.Settled:
        settled.append(ledger.settle(*map(outcome, claimed)))
        if len(settled) == 1:
            raise StoreUnavailable("the server closed the connection", Failure.AWAY)
        return settled[-1]

    again = retry.persist(transaction, for_seconds=PATIENCE_SECONDS)

    assert again == drafts.Settled(frozenset(), 0, 4)
    assert ledger.states() == ["ready"] * 4


# Two at odds ---------------------------------------------------------------------------------------------------------


def lock_both(connection: sa.Connection, ids: Sequence[int], between: Callable[[], Any] = lambda: None) -> None:
    connection.exec_driver_sql("SET LOCAL deadlock_timeout = '50ms'")
    query = sa.select(tables.drafts.c.id).with_for_update()
    connection.execute(query.where(tables.drafts.c.id == ids[0])).one()
    between()
    connection.execute(query.where(tables.drafts.c.id == ids[1])).one()


def test_of_two_that_wait_for_each_other_one_is_told_of_a_conflict_and_succeeds_when_it_tries_again(
    postgresql_database: Database,
) -> None:
    ledger, meanwhile = Ledger(postgresql_database), Meanwhile(postgresql_database)
    ledger.take_in(*some(2))
    ledger.plan()
    first, second = (draft.id for draft in ledger.drafts())
    failures: list[Failure] = []

    def locking(ids: Sequence[int], between: Callable[[], Any] = lambda: None) -> str:
        def transaction() -> str:
            try:
                with postgresql_database.write() as connection:
                    lock_both(connection, ids, between if not failures else lambda: None)
                    return "done"
            except StoreUnavailable as error:
                failures.append(error.failure)
                raise

        return retry.persist(transaction, for_seconds=PATIENCE_SECONDS)

    others: list[Any] = []
    mine = locking([first, second], lambda: others.append(meanwhile.start(lambda: locking([second, first]))))

    assert [mine, others[0].result(PATIENCE_SECONDS)] == ["done", "done"]
    assert failures == [Failure.CONFLICT]
    meanwhile.close()


def test_a_lock_that_is_not_to_be_had_is_a_conflict(postgresql_database: Database) -> None:
    ledger, meanwhile = Ledger(postgresql_database), Meanwhile(postgresql_database)
    ledger.take_in(*some(1))
    run = ledger.plan().run

    def impatient() -> None:
        with postgresql_database.write() as connection:
            connection.exec_driver_sql("SET LOCAL lock_timeout = '50ms'")
            drafts.claim(connection, run, 0, token=MINE, lease_seconds=60)

    with postgresql_database.write() as connection:
        connection.execute(sa.select(tables.drafts.c.id).with_for_update()).all()
        with pytest.raises(StoreUnavailable, match="held the same rows") as refused:
            meanwhile.start(impatient).result(PATIENCE_SECONDS)

    assert refused.value.failure is Failure.CONFLICT
    assert ledger.states() == [Status.PENDING.value]
    meanwhile.close()
