"""Bells and the end of a run: bounded, fair, rung again when lost, ended exactly once."""

import pytest
from databases import Ledger, Meanwhile, at_once, outcome, product, some

from copydesk.model import Lane, Status
from copydesk.store import drafts, runs


def test_a_waiting_chunk_is_rung_once(ledger: Ledger) -> None:
    ledger.take_in(*some(6))
    run = ledger.plan(chunk_size=2).run

    assert ledger.bells(10) == [runs.Bell(run, number, "demo", 1) for number in range(3)]
    assert ledger.bells(10) == []


def test_as_many_bells_as_are_wanted_are_claimed_the_rest_waits(ledger: Ledger) -> None:
    ledger.take_in(*some(6))
    ledger.plan(chunk_size=1)

    assert [bell.chunk for bell in ledger.bells(4)] == [0, 1, 2, 3]
    assert ledger.bells(0) == []
    assert [bell.chunk for bell in ledger.bells(4)] == [4, 5]


def test_relays_that_claim_at_once_ring_each_chunk_once(ledger: Ledger) -> None:
    ledger.take_in(*some(30))
    ledger.plan(chunk_size=1)

    claimed = at_once([lambda: ledger.bells(10) for _ in range(6)])

    rung = [bell for bells in claimed for bell in bells]
    assert len(rung) == len(set(rung)) == 30


def test_a_chunk_that_is_to_wait_is_not_rung_before(ledger: Ledger) -> None:
    ledger.take_in(*some(2))
    run = ledger.plan(chunk_size=1).run
    ledger.bells(2)
    with ledger.database.write() as connection:
        drafts.wait_for_next(connection, run, 0, not_before_seconds=60)
        drafts.wait_for_next(connection, run, 1)

    assert [bell.chunk for bell in ledger.bells(10)] == [1]


def test_the_lanes_are_rung_apart(ledger: Ledger) -> None:
    ledger.take_in(*some(8))
    bulk = ledger.plan("bulk", chunk_size=1, skus=[f"sku{place}" for place in range(1, 6)]).run
    urgent = ledger.plan("urgent", chunk_size=1, lane=Lane.REPLIES).run

    assert [(bell.run, bell.lane) for bell in ledger.bells(4)] == [(bulk, "catalog")] * 4
    assert [(bell.run, bell.lane) for bell in ledger.bells(2, Lane.REPLIES)] == [(urgent, "replies")] * 2
    assert ledger.run(urgent).lane == "replies"


def test_shops_take_turns(ledger: Ledger) -> None:
    small = Ledger(ledger.database, "small")
    ledger.take_in(*some(20))
    small.take_in(*some(2))
    ledger.plan(chunk_size=1)
    small.plan(chunk_size=1)

    assert [bell.shop for bell in ledger.bells(5)] == ["demo", "small", "demo", "small", "demo"]


def test_runs_of_one_shop_go_one_after_the_other(ledger: Ledger) -> None:
    ledger.take_in(*some(4))
    first = ledger.plan("first", chunk_size=1, skus=["sku1", "sku2"]).run
    second = ledger.plan("second", chunk_size=1).run

    assert [bell.run for bell in ledger.bells(3)] == [first, first, second]


def test_a_small_shop_does_not_starve_when_places_come_free_one_at_a_time(ledger: Ledger) -> None:
    """The usual case: the big shop's bells fill every place before the small shop asks."""
    ledger.take_in(*some(30))
    big = ledger.plan(chunk_size=1).run
    ledger.bells(4)
    small = Ledger(ledger.database, "small")
    small.take_in(*some(2))
    small.plan(chunk_size=1)

    rung = []
    for number in range(4):
        ledger.settle(*[outcome(claimed) for claimed in ledger.claim(big, number)])
        ledger.close_chunks((big, number))
        rung += [bell.shop for bell in ledger.bells(1)]

    assert rung == ["small", "small", "demo", "demo"]


def test_a_bell_that_the_broker_did_not_take_waits_again(ledger: Ledger) -> None:
    ledger.take_in(*some(2))
    ledger.plan(chunk_size=1)
    _, second = ledger.bells(10)
    with ledger.database.write() as connection:
        runs.unring(connection, [second])

    assert ledger.bells(10) == [second._replace(rings=2)]

    with ledger.database.write() as connection:
        runs.unring(connection, [second])  # of the ring before: the one since stands
    assert ledger.bells(10) == []


def test_a_lost_bell_is_rung_again_only_when_it_is_old_enough(ledger: Ledger) -> None:
    ledger.take_in(*some(2))
    ledger.plan(chunk_size=1)
    ledger.bells(10)

    assert ledger.wait_again(rung_before_seconds=600) == 0
    assert ledger.wait_again() == 2
    assert [bell.rings for bell in ledger.bells(10)] == [2, 2]


def test_a_bell_that_is_queued_or_in_a_workers_hands_is_not_lost(ledger: Ledger) -> None:
    ledger.take_in(*some(3))
    run = ledger.plan(chunk_size=1).run
    ledger.bells(10)

    assert ledger.wait_again({(run, 0), (run, 2)}) == 1
    assert [bell.chunk for bell in ledger.bells(10)] == [1]


def test_a_chunk_that_somebody_writes_is_not_rung_again(ledger: Ledger) -> None:
    ledger.take_in(*some(4))
    run = ledger.plan(chunk_size=2).run
    ledger.bells(10)
    ledger.claim(run, 0)

    assert ledger.wait_again() == 1
    assert [bell.chunk for bell in ledger.bells(10)] == [1]


def test_a_finished_chunk_is_not_rung_again(ledger: Ledger) -> None:
    ledger.take_in(*some(2))
    run = ledger.plan(chunk_size=2).run
    ledger.bells(10)
    ledger.settle(*[outcome(claimed) for claimed in ledger.claim(run)])

    assert ledger.wait_again() == 0
    assert ledger.close_chunks() == 1
    assert ledger.close_chunks() == 0


def test_a_chunk_with_open_drafts_is_not_closed(ledger: Ledger) -> None:
    ledger.take_in(*some(4))
    run = ledger.plan(chunk_size=2).run
    first, _ = ledger.claim(run, 0)
    ledger.settle(outcome(first))

    assert ledger.close_chunks((run, 0)) == 0
    assert ledger.close_chunks() == 0


def test_closing_one_chunk_leaves_the_others(ledger: Ledger) -> None:
    ledger.take_in(*some(3))
    run = ledger.plan(chunk_size=1).run
    ledger.bells(10)
    for number in (0, 1):
        ledger.settle(*[outcome(claimed) for claimed in ledger.claim(run, number)])

    assert ledger.close_chunks((run, 0)) == 1
    assert ledger.close_chunks((run, 2)) == 0
    assert ledger.close_chunks() == 1


def test_a_run_is_ended_by_exactly_one_of_many(ledger: Ledger) -> None:
    ledger.take_in(*some(3))
    run = ledger.plan().run
    ledger.settle(*[outcome(claimed) for claimed in ledger.claim(run)])

    assert sorted(at_once([lambda: ledger.finalize(run) for _ in range(8)])) == [False] * 7 + [True]
    assert ledger.run(run).state == "finished"


@pytest.mark.parametrize("claimed", [False, True])
def test_a_run_with_open_drafts_does_not_end(ledger: Ledger, claimed: bool) -> None:
    ledger.take_in(product())
    run = ledger.plan().run
    if claimed:
        ledger.claim(run)

    assert not ledger.finalize(run)
    assert ledger.run(run).finished_at is None


def test_workers_that_settle_the_last_drafts_at_once_leave_an_ended_run(ledger: Ledger) -> None:
    ledger.take_in(*some(8))
    run = ledger.plan(chunk_size=1).run

    def work(number: int) -> bool:
        for claimed in ledger.claim(run, number, token=f"worker {number}"):
            ledger.settle(outcome(claimed), token=f"worker {number}")
        ledger.close_chunks((run, number))
        return ledger.finalize(run)

    ended = at_once([lambda number=number: work(number) for number in range(8)])

    assert ended.count(True) == 1
    with ledger.database.read() as connection:
        assert runs.detail(connection, run).chunks == {"done": 8}
    assert ledger.run(run).outcomes == {"ready": 8}


def test_an_ended_run_keeps_its_outcomes_whatever_becomes_of_the_drafts(ledger: Ledger) -> None:
    ledger.take_in(*some(3))
    run = ledger.plan().run
    first, second, third = ledger.claim(run)
    ledger.settle(outcome(first), outcome(second, Status.HELD), outcome(third, Status.FAILED))
    ledger.finalize(run)
    ledger.decide(first.id, Status.APPROVED)
    ledger.take_in(product(2, "blue"))

    found = ledger.run(run)

    assert found.outcomes == {"ready": 1, "held": 1, "failed": 1}
    assert found.counts == {"approved": 1, "stale": 1, "failed": 1}
    assert (found.queued, found.settled) == (3, 3)
    assert found.created_at <= found.started_at <= found.finished_at  # type: ignore[operator]


def test_a_run_waits_for_the_successor_of_a_stale_draft(ledger: Ledger, meanwhile: Meanwhile) -> None:
    """While the one becomes stale and the other is made, nobody sees the run without open drafts."""
    ledger.take_in(product())
    run = ledger.plan().run
    (claimed,) = ledger.claim(run)
    ledger.take_in(product(1, "blue"))

    with ledger.database.write() as connection:
        drafts.settle(connection, "mine", [outcome(claimed)])
        ended = meanwhile.start(lambda: ledger.finalize(run))

    assert ended.result(30) is False
    assert ledger.run(run).state == "running"
