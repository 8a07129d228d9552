"""What all jobs share: the lane of a request, what is cancelled, and what a chunk is said to have cost."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from types import SimpleNamespace

import pytest
import sqlalchemy as sa
from answering import Answering
from databases import Ledger, some

from copydesk.engine.base import Completion, Deliver, EngineClosed, Finish, Message, Request, Stats
from copydesk.jobs import chunks, stopping
from copydesk.jobs.chunks import Item, Next, Tally
from copydesk.model import Lane, Status, Telemetry
from copydesk.settings import Sampling, Settings
from copydesk.store import Database, drafts, runs, tables


@pytest.fixture
def ledger(sqlite_database: Database) -> Ledger:
    return Ledger(sqlite_database)


class Echo(Item):
    """Ready with the first text that is not blank; asks again after a round of blank ones."""

    def request(self, name: str, lane: Lane) -> Request:
        return Request(name, (Message("user", "say something"),), "", Sampling(), self.candidates, lane)

    def judge(self, completion: Completion) -> drafts.Outcome | Next:
        if completion.text:
            return drafts.Outcome(self.draft, Status.READY, f"{completion.text} of draft {self.draft}", asks=self.asks)
        return Next.WAIT if self.awaits_more else Next.ASK


class Broken(Echo):
    """Whatever the model says, judging it fails."""

    def judge(self, completion: Completion) -> drafts.Outcome | Next:
        raise ValueError(f"{completion.text} cannot be judged")


def written(
    ledger: Ledger,
    engine: Answering,
    run: int,
    candidates: int = 1,
    lane: Lane = Lane.CATALOG,
    read: Callable[[drafts.Claimed], Item] | None = None,
    chunk: int = 0,
) -> tuple[Tally, list[str]]:
    told: list[str] = []
    tally = chunks.write(
        ledger.database,
        Settings(lease_seconds=60),
        engine,
        run,
        chunk,
        claim=drafts.claim,
        read=read or (lambda claimed: Echo(claimed.id, candidates)),
        lane=lane,
        progress=told.append,
    )
    return tally, told


def said(request: Request, text: str = "words", index: int = 0) -> Completion:
    return Completion(request.id, index, text, Finish.STOP, 10, 20, "", 0.5, 0.75, 2.0)


def ended(request: Request, how: Finish) -> Completion:
    return Completion(request.id, 0, "", how, error="why it is")


def telemetry(ledger: Ledger, run: int) -> Telemetry:
    with ledger.database.read() as connection:
        return runs.detail(connection, run).telemetry


@pytest.mark.parametrize("lane", Lane)
def test_requests_go_into_the_lane_of_their_run(ledger: Ledger, lane: Lane) -> None:
    ledger.take_in(*some(2))
    engine = Answering(lambda request: [said(request)])

    written(ledger, engine, ledger.plan().run, lane=lane)

    assert {request.lane for request in engine.asked} == {lane}


def test_what_two_workers_ask_for_one_draft_has_two_names(ledger: Ledger) -> None:
    """One of them may cancel while the other still waits, in one engine."""
    ledger.take_in(*some(1))
    run = ledger.plan().run

    def stop(request: Request) -> list[Completion]:
        raise ValueError("lost")

    first = Answering(stop)
    with pytest.raises(ValueError, match="lost"):
        written(ledger, first, run)
    second = Answering(lambda request: [said(request)])
    written(ledger, second, run)

    assert first.asked[0].id != second.asked[0].id


def test_candidates_that_are_not_needed_any_more_are_cancelled(ledger: Ledger) -> None:
    ledger.take_in(*some(1))
    engine = Answering(lambda request: [said(request, "", 0), said(request, "words", 1)])

    tally, _ = written(ledger, engine, ledger.plan().run, candidates=4)

    assert (tally.ready, engine.cancelled) == (1, [engine.asked[0].id])


def test_nothing_is_cancelled_when_every_candidate_came(ledger: Ledger) -> None:
    ledger.take_in(*some(1))
    engine = Answering(lambda request: [said(request, "", 0), said(request, "words", 1)])

    written(ledger, engine, ledger.plan().run, candidates=2)

    assert engine.cancelled == []


def test_a_cancelled_completion_is_passed_over_and_not_counted(ledger: Ledger) -> None:
    ledger.take_in(*some(1))
    run = ledger.plan().run
    engine = Answering(
        lambda request: [Completion(request.id, 0, "", Finish.CANCELLED, 99, 99), said(request, index=1)]
    )

    tally, _ = written(ledger, engine, run, candidates=2)

    assert (tally.ready, tally.telemetry.completions, tally.telemetry.prompt_tokens) == (1, 1, 10)


def test_whatever_stops_the_writing_cancels_what_is_in_flight(ledger: Ledger) -> None:
    ledger.take_in(*some(2))

    class OneByOne(Answering):
        def submit(self, requests: Sequence[Request], deliver: Deliver) -> None:
            self.asked += requests
            deliver(said(requests[0]))

    def read(claimed: drafts.Claimed) -> Item:
        return Broken(claimed.id, 1) if claimed.sku == "sku1" else Echo(claimed.id, 1)

    engine = OneByOne(lambda request: [])
    with pytest.raises(ValueError, match="cannot be judged"):
        written(ledger, engine, ledger.plan().run, read=read)

    assert sorted(engine.cancelled) == sorted(request.id for request in engine.asked)


class Busy(Answering):
    """Works four seconds, with three sequences of eight on average, between any two looks."""

    looks = 0

    def stats(self) -> Stats:
        self.looks += 1
        return Stats(width=8, busy_seconds=4.0 * self.looks, sequence_seconds=12.0 * self.looks)


def test_what_a_chunk_cost_is_kept_with_it(ledger: Ledger) -> None:
    ledger.take_in(*some(3))
    run = ledger.plan().run

    tally, _ = written(ledger, Busy(lambda request: [said(request)]), run)

    cost = telemetry(ledger, run)
    assert (cost.completions, cost.prompt_tokens, cost.completion_tokens) == (3, 30, 60)
    assert (cost.queue_seconds, cost.first_token_seconds, cost.seconds) == (1.5, 2.25, 6.0)
    assert cost.sequence_seconds / cost.busy_seconds == 3
    assert cost.width == 8
    assert cost.wall_seconds > 0
    assert cost == tally.telemetry


def test_several_goes_at_a_chunk_add_up(ledger: Ledger) -> None:
    """Also of the one that was stopped in the middle: the model did work for it."""
    ledger.take_in(*some(1))
    run = ledger.plan().run
    engine = Answering(lambda request: [said(request, ""), ended(request, Finish.CLOSED)])
    written(ledger, engine, run)
    first = telemetry(ledger, run)
    written(ledger, Answering(lambda request: [said(request)]), run)

    both = telemetry(ledger, run)
    assert (first.completions, both.completions, both.queue_seconds) == (1, 2, 1.0)
    assert both.wall_seconds > first.wall_seconds


def test_a_second_delivery_of_the_bell_costs_nothing(ledger: Ledger) -> None:
    ledger.take_in(*some(1))
    run = ledger.plan().run
    engine = Busy(lambda request: [said(request)])
    written(ledger, engine, run)
    once = telemetry(ledger, run)

    assert written(ledger, engine, run) == (Tally(), [])
    assert telemetry(ledger, run) == once


def test_flowers_reader_sees_counts_pace_batch_and_wait(ledger: Ledger) -> None:
    ledger.take_in(*some(2))

    tally, told = written(ledger, Busy(lambda request: [said(request)]), ledger.plan().run)

    counts, _, figures = told[-1].partition(" | ")
    assert counts == "2/2 ok, 0 held, 0 failed"
    assert figures.endswith(" tok/s, batch 3/8, wait 0.5 s")
    assert str(tally) == told[-1]


@pytest.mark.parametrize(
    ("cost", "line"),
    [
        (Telemetry(), ""),
        (Telemetry(wall_seconds=3.0, busy_seconds=2.0, sequence_seconds=9.0, width=8), ""),
        (Telemetry(completions=2, completion_tokens=170, queue_seconds=0.8, wall_seconds=2.0), "85 tok/s, wait 0.4 s"),
        (
            Telemetry(
                completions=2,
                completion_tokens=170,
                queue_seconds=0.8,
                wall_seconds=2.0,
                busy_seconds=2.0,
                sequence_seconds=82.0,
                width=48,
            ),
            "85 tok/s, batch 41/48, wait 0.4 s",
        ),
    ],
)
def test_figures_that_nobody_has_are_not_made_up(cost: Telemetry, line: str) -> None:
    assert str(cost) == line


def chunk_of(ledger: Ledger, run: int) -> tuple[str, bool]:
    """The first chunk's state, and whether it is to wait a while."""
    with ledger.database.read() as connection:
        row = connection.execute(sa.select(tables.chunks).where(tables.chunks.c.run_id == run)).first()
    assert row is not None
    return row.state, row.next_attempt_at is not None


def attempts(ledger: Ledger) -> list[int]:
    return [draft.attempt for draft in ledger.drafts()]


def test_what_a_closed_engine_leaves_goes_back_and_is_no_attempt(ledger: Ledger) -> None:
    ledger.take_in(*some(3))
    run = ledger.plan().run
    ledger.bells(1)

    def answer(request: Request) -> list[Completion]:
        is_first = request is engine.asked[0]
        return [said(request) if is_first else ended(request, Finish.CLOSED)]

    engine = Answering(answer)
    tally, _ = written(ledger, engine, run)

    assert (tally.total, tally.ready) == (3, 1)
    assert sorted(ledger.states()) == ["pending", "pending", "ready"]
    assert attempts(ledger) == [1, 0, 0]
    assert chunk_of(ledger, run) == ("waiting", False)


def test_an_engine_that_takes_nothing_any_more_costs_no_attempt(ledger: Ledger) -> None:
    ledger.take_in(*some(2))
    run = ledger.plan().run

    class Closed(Answering):
        def submit(self, requests: Sequence[Request], deliver: Deliver) -> None:
            raise EngineClosed("the engine is closed")

    written(ledger, Closed(lambda request: []), run)

    assert (ledger.states(), attempts(ledger)) == (["pending"] * 2, [0, 0])


def test_what_was_in_flight_in_a_crash_is_asked_for_alone_and_its_neighbours_succeed(ledger: Ledger) -> None:
    """The second product kills the engine whenever it is worked on."""
    ledger.take_in(*some(4))
    run = ledger.plan().run
    ids = [draft.id for draft in ledger.drafts()]

    def answer(request: Request) -> list[Completion]:
        is_poison = request.id.endswith(f".{ids[1]}")
        crashes = is_poison or not request.alone
        return [ended(request, Finish.CRASHED) if crashes else said(request)]

    engine = Answering(answer)
    for _ in range(6):
        written(ledger, engine, run)
        with ledger.database.write() as connection:  # no test waits for the pause before an attempt
            connection.execute(sa.update(tables.drafts).values(next_attempt_at=None))

    assert ledger.states() == ["ready", "failed", "ready", "ready"]
    assert [len({request.alone for request in engine.asked[:4]}), engine.asked[4].alone] == [1, True]
    assert attempts(ledger) == [2, 3, 2, 2]
    assert "3 times" in ledger.drafts()[1].reasons[0].message
    assert ledger.run(run).outcomes == {"ready": 3, "failed": 1}


def test_one_product_whose_text_breaks_the_desk_costs_its_neighbours_nothing(ledger: Ledger) -> None:
    ledger.take_in(*some(3))
    run = ledger.plan().run

    def read(claimed: drafts.Claimed) -> Item:
        return Broken(claimed.id, 1) if claimed.sku == "sku2" else Echo(claimed.id, 1)

    engine = Answering(lambda request: [said(request)])
    for _ in range(8):
        with suppress(ValueError):
            written(ledger, engine, run, read=read)
        with ledger.database.write() as connection:
            connection.execute(sa.update(tables.drafts).values(next_attempt_at=None))

    assert ledger.states() == ["ready", "failed", "ready"]


def test_while_one_chunk_has_a_crashed_draft_in_hand_another_chunk_waits(ledger: Ledger) -> None:
    ledger.take_in(*some(2))
    run = ledger.plan(chunk_size=2).run
    ledger.let_go(run, crashed=[one.id for one in ledger.claim(run)])

    def answer(request: Request) -> list[Completion]:
        assert written(ledger, Answering(lambda one: [said(one)]), run)[0].total == 0
        return [said(request)]

    tally, _ = written(ledger, Answering(answer), run)

    assert tally.ready == 2


def test_a_model_that_cannot_be_reached_fails_nothing_and_is_asked_again_later(ledger: Ledger) -> None:
    ledger.take_in(*some(2))
    run = ledger.plan().run

    written(ledger, Answering(lambda request: [ended(request, Finish.UNAVAILABLE)]), run)

    assert (ledger.states(), attempts(ledger)) == (["pending"] * 2, [0, 0])
    assert chunk_of(ledger, run) == ("waiting", True)
    assert ledger.run(run).trouble == "why it is"
    assert ledger.bells(10) == []


def test_what_alone_of_its_chunk_is_never_answered_fails_and_its_run_ends(ledger: Ledger) -> None:
    ledger.take_in(*some(9))
    run = ledger.plan(chunk_size=9).run
    bad = ledger.drafts()[3].id

    def answer(request: Request) -> list[Completion]:
        return [ended(request, Finish.UNAVAILABLE) if request.id.endswith(f".{bad}") else said(request)]

    written(ledger, Answering(answer), run)

    assert ledger.run(run).outcomes == {"ready": 8, "failed": 1}
    assert ledger.drafts(ids=[bad])[0].reasons[0].message == "the model could not answer: why it is"


def test_a_run_that_is_cancelled_is_dropped_by_the_worker_that_has_it_in_hand(ledger: Ledger) -> None:
    ledger.take_in(*some(3))
    run = ledger.plan().run

    class Slow(Answering):
        def submit(self, requests: Sequence[Request], deliver: Deliver) -> None:
            self.asked += requests
            stopping.stop(ledger.database, run, "cancelled by ann")

    engine = Slow(lambda request: [])
    tally, _ = written(ledger, engine, run)

    assert sorted(engine.cancelled) == sorted(request.id for request in engine.asked)
    assert tally.ready == 0
    assert ledger.states() == ["cancelled"] * 3
    assert (ledger.run(run).state, ledger.run(run).outcomes) == ("cancelled", {"cancelled": 3})


def test_a_paused_run_claims_nothing_and_its_chunk_waits(ledger: Ledger) -> None:
    ledger.take_in(*some(1))
    run = ledger.plan().run
    ledger.bells(1)
    with ledger.database.write() as connection:
        runs.pause(connection, run)

    assert written(ledger, Answering(lambda request: [said(request)]), run)[0] == Tally()
    assert chunk_of(ledger, run) == ("waiting", False)
    assert ledger.bells(1) == []
    with ledger.database.write() as connection:
        runs.resume(connection, run)
    assert [bell.rings for bell in ledger.bells(1)] == [2]


def test_a_budget_of_tokens_stops_a_run_and_keeps_what_is_done(ledger: Ledger) -> None:
    ledger.take_in(*some(6))
    run = ledger.plan(chunk_size=2, budget=runs.Budget(max_tokens=100)).run
    engine = Answering(lambda request: [said(request)])

    written(ledger, engine, run)
    assert ledger.run(run).state == "running"
    written(ledger, engine, run, chunk=1)

    found = ledger.run(run)
    assert (found.state, found.outcomes) == ("cancelled", {"ready": 4, "cancelled": 2})
    assert found.stopped_because == "the run reached its budget: 120 of 100 tokens"
    assert (found.queued, found.settled) == (6, 6)


def test_a_lease_is_not_renewed_while_the_engine_makes_no_progress(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    renewed: list[float] = []
    monkeypatch.setattr(drafts, "renew", lambda *_: renewed.append(1.0))

    class Stalled(Answering):
        stalled_seconds = 0.0

        def stats(self) -> Stats:
            return Stats(stalled_seconds=self.stalled_seconds)

    lease = chunks._Lease(ledger.database, 1, 0, Settings(lease_seconds=3), drafts.settle)
    engine = Stalled(lambda request: [])
    lease.renew_when_due(engine)
    engine.stalled_seconds = 1.5
    lease._renewed_at = 0.0
    lease.renew_when_due(engine)

    assert len(renewed) == 1


def test_a_draft_keeps_how_long_it_took_from_its_first_ask_to_its_last_answer(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger.take_in(*some(1))
    run = ledger.plan().run
    now = [100.0]

    def answer(request: Request) -> list[Completion]:
        now[0] += 5.0
        return [said(request, "" if now[0] < 112 else "words")]

    monkeypatch.setattr(chunks, "time", SimpleNamespace(monotonic=lambda: now[0]))
    written(ledger, Answering(answer), run)

    assert [draft.seconds for draft in ledger.drafts()] == [15.0]
