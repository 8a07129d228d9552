"""Bells that the broker loses, one by one or all at once, are missed by name and rung again."""

import time

import pytest

from services.conftest import OpenDesk
from services.desks import Desk, until

SKUS = [f"stool-{number}" for number in range(12)]
SWEEP_SECONDS = 1
FOUND_SECONDS = SWEEP_SECONDS + 5 + 1
"""Within which a lost bell is rung again; the last second is the sweep's own, on a busy machine."""

ONE_BY_ONE = {"chunk_size": 2, "chunks_in_flight": 1, "batch_size": 1, "sweep_seconds": SWEEP_SECONDS}


def rings(desk: Desk) -> dict[int, int]:
    return dict(desk.query("SELECT number, rings FROM chunks"))


def test_lost_bells_are_missed_by_name_while_others_wait_in_the_broker(open_desk: OpenDesk) -> None:
    desk = open_desk(**ONE_BY_ONE)
    desk.count_writes()
    desk.start_broker()
    desk.start_beat()
    desk.start_worker()
    desk.import_products(SKUS, "slow")
    desk.describe()
    until("one chunk is in hand and five bells wait", lambda: desk.broker().llen("catalog") == 5)
    rung = dict.fromkeys(range(6), 1)
    assert rings(desk) == rung

    lost_at = time.monotonic()
    assert desk.broker().rpop("catalog", 2), "those of chunks 1 and 2"
    until("they are rung again", lambda: rings(desk) == {**rung, 1: 2, 2: 2}, FOUND_SECONDS)
    assert desk.states(1).get("pending"), "while others wait"
    assert time.monotonic() - lost_at <= FOUND_SECONDS
    until("the run finishes", lambda: desk.finished(1))
    assert rings(desk) == {**rung, 1: 2, 2: 2}, "no other was missed"
    assert desk.query("SELECT DISTINCT state, attempt, asks FROM drafts") == [("ready", 1, 1)]
    assert list(desk.writes("drafts").values()) == [1] * len(SKUS)


@pytest.mark.parametrize("fault", ["flushed", "killed"])
def test_a_broker_that_forgets_with_chunks_in_hand_and_queued_costs_a_moment_and_no_item(
    fault: str, open_desk: OpenDesk
) -> None:
    desk = open_desk(**{**ONE_BY_ONE, "chunks_in_flight": 2}, visibility_timeout_seconds=3)
    desk.count_writes()
    desk.start_broker()
    desk.start_beat()
    worker = desk.start_worker()
    desk.import_products(SKUS, "slow")
    desk.describe()
    until("two chunks are in hand and four wait", lambda: desk.states(1).get("writing") == 4)

    if fault == "flushed":
        desk.broker().flushall()
    else:
        desk.kill_broker()
        desk.start_broker()
    until("the run finishes", lambda: desk.finished(1), 40)
    assert desk.query("SELECT DISTINCT state, attempt, asks FROM drafts") == [("ready", 1, 1)]
    assert list(desk.writes("drafts").values()) == [1] * len(SKUS)
    assert desk.writes("runs") == {1: 1}
    assert max(rings(desk).values()) == (2 if fault == "flushed" else 1)
    assert worker.alive
