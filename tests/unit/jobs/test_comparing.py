"""The worker that ends a run's last chunk compares its texts; the store's own part is in tests/conformance."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from databases import Ledger, product, some
from engines import in_thread

from copydesk.engine.base import Request
from copydesk.engine.hosted import HostedEngine
from copydesk.engine.scripted import Behaviour, ScriptedBackend
from copydesk.errors import StoreUnavailable
from copydesk.jobs import comparing, copywriting, upkeep
from copydesk.settings import Sampling, Settings
from copydesk.store import Database, tables

SETTINGS = Settings(engine="scripted", chunk_size=2, max_asks=3, sampling=Sampling(seed=7))


@pytest.fixture
def ledger(sqlite_database: Database) -> Ledger:
    return Ledger(sqlite_database)


class Parrot:
    """What a scripted engine was asked; it says the same of everything the first `times` that it is asked for it."""

    def __init__(self, times: int) -> None:
        self.asked: list[Request] = []
        self._times = times

    def __call__(self, request: Request) -> Behaviour | None:
        self.asked.append(request)
        before = sum(one.messages[-1].content == request.messages[-1].content for one in self.asked)
        return Behaviour.SAME if before <= self._times else None


@pytest.fixture
def opened() -> Iterator[Callable[[Parrot], HostedEngine]]:
    engines: list[HostedEngine] = []

    def open_one(parrot: Parrot) -> HostedEngine:
        engines.append(in_thread(lambda: ScriptedBackend(behave=parrot)))
        return engines[-1]

    yield open_one
    for engine in engines:
        engine.close()


def write(ledger: Ledger, engine: HostedEngine, run: int) -> None:
    """Ring and write until nothing is left to ring."""
    while bells := ledger.bells(9):
        for bell in bells:
            copywriting.write_chunk(ledger.database, SETTINGS, engine, run, bell.chunk, lambda line: None)


def planned(ledger: Ledger) -> int:
    return copywriting.plan(ledger.database, SETTINGS, ledger.shop, "night").run


def test_the_worker_of_the_last_chunk_puts_near_duplicates_back_and_the_next_one_ends_the_run(
    ledger: Ledger, opened: Callable[[Parrot], HostedEngine]
) -> None:
    ledger.take_in(*some(5))
    parrot = Parrot(times=1)
    run = planned(ledger)

    write(ledger, opened(parrot), run)

    found = ledger.run(run)
    assert (found.state, found.outcomes) == ("finished", {"ready": 5})
    assert len(parrot.asked) == 5 + 4
    assert len({draft.text for draft in ledger.drafts()}) == 5


def test_each_further_text_is_sampled_otherwise_than_all_before(
    ledger: Ledger, opened: Callable[[Parrot], HostedEngine]
) -> None:
    ledger.take_in(*some(2))
    parrot = Parrot(times=9)
    run = planned(ledger)

    write(ledger, opened(parrot), run)

    assert [draft.state.value for draft in ledger.drafts()] == ["ready", "held"]
    of_second = [request.sampling for request in parrot.asked if "Thing 2" in request.messages[-1].content]
    assert [(one.seed, one.temperature) for one in of_second] == [(7, None), (10, 0.8), (13, 0.8)]


def test_a_database_that_is_away_costs_no_chunk_and_a_sweep_compares(
    ledger: Ledger, opened: Callable[[Parrot], HostedEngine], monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger.take_in(product())
    run = planned(ledger)

    def away(*_: object) -> bool:
        raise StoreUnavailable("it is away")

    with monkeypatch.context() as patch:
        patch.setattr(comparing, "compare", away)
        write(ledger, opened(Parrot(times=0)), run)
    assert (ledger.states(), ledger.run(run).state) == (["ready"], "running")

    with ledger.database.write() as connection:
        connection.execute(sa.update(tables.runs).values(comparing_until=tables.now(-1)))
    upkeep.sweep(ledger.database, max_attempts=3, heard=(), rule_is_on=lambda _: False)
    assert ledger.run(run).state == "finished"


def test_a_run_over_its_budget_when_all_is_written_is_finished_not_cancelled(
    ledger: Ledger, opened: Callable[[Parrot], HostedEngine]
) -> None:
    ledger.take_in(*some(2))
    run = planned(ledger)
    with ledger.database.write() as connection:
        connection.execute(sa.update(tables.runs).values(max_tokens=1))

    write(ledger, opened(Parrot(times=9)), run)

    found = ledger.run(run)
    assert (found.state, found.outcomes) == ("finished", {"ready": 1, "held": 1})


def test_a_run_that_cannot_be_compared_holds_up_no_other(
    ledger: Ledger,
    opened: Callable[[Parrot], HostedEngine],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    ledger.take_in(*some(3))
    broken = planned(ledger)
    honest = comparing.compare

    def compare(database: Database, run: int, until: Any) -> bool:
        if run == broken:
            raise MemoryError("too many")
        return honest(database, run, until)

    monkeypatch.setattr(comparing, "compare", compare)
    with pytest.raises(MemoryError):
        write(ledger, opened(Parrot(times=0)), broken)
    with ledger.database.write() as connection:
        connection.execute(sa.update(tables.runs).values(comparing_until=None))
    assert comparing.compare_due(ledger.database) == 0
    assert f"run {broken} cannot be compared" in caplog.text
    monkeypatch.setattr(comparing, "compare", honest)
    with ledger.database.write() as connection:
        connection.execute(sa.update(tables.runs).values(comparing_until=None))
    assert comparing.compare_due(ledger.database) == 1
