"""Bells that the broker loses, one by one or all at once, are missed by name and rung again."""

import re

from services.conftest import OpenDesk
from services.desks import Desk, until

SKUS = [f"stool-{number}" for number in range(8)]
SWEEP_SECONDS = 1
FOUND_SECONDS = SWEEP_SECONDS + 5 + 1
"""Within which a lost bell is rung again; the last second is the sweep's own, on a busy machine."""

ONE_BY_ONE = {"chunk_size": 1, "chunks_in_flight": 1, "batch_size": 1, "sweep_seconds": SWEEP_SECONDS}


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
    until(
        "a chunk is in hand and some wait", lambda: "writing" in desk.states(1) and desk.broker().llen("catalog") >= 4
    )
    [lost] = {int(number) for number in re.findall(r"run-1\.chunk-(\d+)\.ring-1", desk.broker().rpop("catalog"))}

    until("it is rung again", lambda: rings(desk)[lost] == 2, FOUND_SECONDS)
    assert desk.states(1).get("pending"), "while others wait"
    until("the run finishes", lambda: desk.finished(1))
    assert rings(desk) == {**dict.fromkeys(range(8), 1), lost: 2}, "no other was missed"
    assert desk.query("SELECT DISTINCT state, attempt, asks FROM drafts") == [("ready", 1, 1)]
    assert list(desk.writes("drafts").values()) == [1] * len(SKUS)


def test_a_broker_that_is_flushed_with_chunks_in_hand_and_queued_costs_a_moment_and_no_item(
    open_desk: OpenDesk,
) -> None:
    desk = open_desk(**{**ONE_BY_ONE, "chunk_size": 2, "chunks_in_flight": 2, "batch_size": 2})
    desk.count_writes()
    desk.start_broker()
    desk.start_beat()
    worker = desk.start_worker()
    desk.import_products(SKUS[:8], "slow")
    desk.describe()
    until("two chunks are in hand and two wait", lambda: desk.states(1).get("writing") == 4)

    desk.broker().flushall()
    until("those that waited are rung again", lambda: sorted(rings(desk).values()) == [1, 1, 2, 2], FOUND_SECONDS)
    until("the run finishes", lambda: desk.finished(1))
    assert sorted(rings(desk).values()) == [1, 1, 2, 2], "those in hand were not"
    assert desk.query("SELECT DISTINCT state, attempt, asks FROM drafts") == [("ready", 1, 1)]
    assert list(desk.writes("drafts").values()) == [1] * 8
    assert desk.writes("runs") == {1: 1}
    assert worker.alive
