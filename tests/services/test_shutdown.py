"""SIGTERM under load: what decodes is finished, the rest goes back uncounted, and the worker is gone in time."""

import time

import pytest

from services.conftest import OpenDesk
from services.desks import Desk, Running, until

SKUS = [f"stool-{number}" for number in range(16)]
SHUTDOWN_SECONDS = 6
IN_FLIGHT = {"chunk_size": 4, "chunks_in_flight": 3, "batch_size": 4}
NEVER_EXPIRES = {"lease_seconds": 300, "visibility_timeout_seconds": 300}
"""What is taken up again was given back, and not found later."""


def stopped_in(worker: Running) -> float:
    """Seconds from SIGTERM to a good end."""
    began = time.monotonic()
    assert worker.stop(SHUTDOWN_SECONDS + 20) == 0, worker.output
    return time.monotonic() - began


def settled(desk: Desk) -> set[tuple[object, ...]]:
    return set(desk.query("SELECT id, text, settled_at, attempt, asks FROM drafts WHERE outcome IS NOT NULL"))


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_a_worker_that_is_stopped_finishes_what_decodes_gives_back_the_rest_and_counts_no_attempt(
    database: str, open_desk: OpenDesk, request: pytest.FixtureRequest
) -> None:
    url = request.getfixturevalue("postgresql_url") if database == "postgresql" else ""
    desk = open_desk(url, **IN_FLIGHT, **NEVER_EXPIRES, shutdown_seconds=SHUTDOWN_SECONDS)
    desk.count_writes()
    desk.start_broker()
    first = desk.start_worker()
    desk.import_products(SKUS, "slow")
    desk.describe()

    until("some are written and several chunks in hand", lambda: desk.states(1).get("ready", 0) >= 4)
    assert desk.states(1)["writing"] >= 5, "stopped under load"
    at_sigterm = desk.states(1)["ready"]
    took = stopped_in(first)
    left = desk.states(1)
    assert took < SHUTDOWN_SECONDS, "what decoded needed a second, and nothing else was begun"
    assert set(left) == {"ready", "pending"}, "nobody waits for a lease"
    assert at_sigterm + 1 <= left["ready"] <= at_sigterm + 8, "what decoded is kept"
    assert desk.query("SELECT DISTINCT attempt FROM drafts WHERE state = 'pending'") == [(0,)]
    assert not desk.broker().hlen("unacked"), "nor does the broker hold anything for it"
    before = settled(desk)

    desk.start_worker()
    desk.send("copydesk.sweep", "upkeep")
    until("the run finishes", lambda: desk.finished(1))
    assert before <= settled(desk), "what was accepted before is not written again"
    assert desk.query("SELECT DISTINCT state, attempt, asks FROM drafts") == [("ready", 1, 1)]
    assert list(desk.writes("drafts").values()) == [1] * len(SKUS)
    assert desk.writes("runs") == {1: 1}


def test_a_worker_whose_engine_hangs_is_gone_in_time_all_the_same(open_desk: OpenDesk) -> None:
    desk = open_desk(**IN_FLIGHT, **NEVER_EXPIRES, shutdown_seconds=2)
    desk.start_broker()
    worker = desk.start_worker()
    desk.import_products(SKUS[:10], stool_1="hang")
    desk.describe()
    until("every chunk is in hand", lambda: desk.states(1).get("writing", 0) == 10)

    assert stopped_in(worker) < 2 + 4
    assert desk.states(1) == {"pending": 10}
    assert desk.query("SELECT DISTINCT attempt FROM drafts") == [(0,)], "stopping it was not the drafts' fault"
