"""What all jobs share: the lane of a request, what is cancelled, and what a chunk is said to have cost."""

from collections.abc import Sequence

import pytest
from answering import Answering
from databases import Ledger, some

from copydesk.engine.base import Completion, Deliver, Finish, Message, Request, Stats
from copydesk.jobs import chunks
from copydesk.jobs.chunks import Item, Next, Tally
from copydesk.model import Lane, Status, Telemetry
from copydesk.settings import Sampling
from copydesk.store import Database, drafts, runs


@pytest.fixture
def ledger(sqlite_database: Database) -> Ledger:
    return Ledger(sqlite_database)


class Echo(Item):
    """Ready with the first text that is not blank; asks again after a round of blank ones."""

    def request(self, name: str, lane: Lane) -> Request:
        return Request(name, (Message("user", "say something"),), "", Sampling(), self.candidates, lane)

    def judge(self, completion: Completion) -> drafts.Outcome | Next:
        if completion.text:
            return drafts.Outcome(self.draft, Status.READY, completion.text, asks=self.asks)
        return Next.WAIT if self.awaits_more else Next.ASK


def written(
    ledger: Ledger, engine: Answering, run: int, candidates: int = 1, lane: Lane = Lane.CATALOG
) -> tuple[Tally, list[str]]:
    told: list[str] = []
    tally = chunks.write(
        ledger.database,
        engine,
        run,
        0,
        claim=drafts.claim,
        read=lambda claimed: Echo(claimed.id, candidates),
        lane=lane,
        lease_seconds=60,
        progress=told.append,
    )
    return tally, told


def said(request: Request, text: str = "words", index: int = 0) -> Completion:
    return Completion(request.id, index, text, Finish.STOP, 10, 20, "", 0.5, 0.75, 2.0)


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
        raise RuntimeError("lost")

    first = Answering(stop)
    with pytest.raises(RuntimeError, match="lost"):
        written(ledger, first, run)
    ledger.return_expired()
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
            deliver(Completion(requests[1].id, 0, "", Finish.CLOSED))

    engine = OneByOne(lambda request: [])
    with pytest.raises(RuntimeError, match="another worker takes it up"):
        written(ledger, engine, ledger.plan().run)

    assert engine.cancelled == [engine.asked[1].id]


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
    engine = Answering(lambda request: [said(request, ""), Completion(request.id, 0, "", Finish.CLOSED)])
    with pytest.raises(RuntimeError):
        written(ledger, engine, run)
    first = telemetry(ledger, run)
    ledger.return_expired()
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
