"""What a worker leaves behind when it dies of kill -9, and what a bell that rings again and again does."""

import pytest

from services.conftest import OpenDesk
from services.desks import Desk, until

SKUS = [f"stool-{number}" for number in range(6)]
SHORT = {"lease_seconds": 2, "sweep_seconds": 1, "visibility_timeout_seconds": 2, "chunk_size": 3, "batch_size": 1}


def settled(desk: Desk) -> dict[int, tuple[object, ...]]:
    rows = desk.query("SELECT id, text, settled_at, attempt, asks FROM drafts WHERE outcome IS NOT NULL")
    return {row[0]: tuple(row[1:]) for row in rows}


def queue_is_empty(desk: Desk) -> bool:
    broker = desk.broker()
    return not broker.llen("catalog") and not broker.hlen("unacked")


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_a_worker_killed_in_the_middle_costs_no_item_and_doubles_none(
    database: str, open_desk: OpenDesk, request: pytest.FixtureRequest
) -> None:
    url = request.getfixturevalue("postgresql_url") if database == "postgresql" else ""
    desk = open_desk(url, **SHORT)
    desk.start_broker()
    desk.start_beat()
    first = desk.start_worker()
    desk.import_products(SKUS, "slow")
    desk.describe()

    until("one draft is ready and others are in hand", lambda: desk.states(1).get("ready", 0) >= 1)
    first.kill()
    before = settled(desk)
    in_hand = desk.states(1).get("writing", 0)
    assert 1 <= len(before) < len(SKUS)
    assert in_hand, "the worker was killed in the middle"

    desk.start_worker()
    until("the run finishes", lambda: desk.finished(1), 60)

    after = settled(desk)
    assert {draft: after[draft] for draft in before} == before, "what was accepted before is not written again"
    per_product = "SELECT sku, count(*) FROM drafts JOIN products ON products.id = product_id GROUP BY sku ORDER BY sku"
    assert desk.query(per_product) == [(sku, 1) for sku in SKUS]
    assert desk.states(1) == {"ready": len(SKUS)}
    assert {row[2] for draft, row in after.items() if draft not in before} <= {1, 2}
    assert sum(row[2] == 2 for row in after.values()) == in_hand, "what it held was taken up once more, and only that"
    run = desk.json("status", 1)
    assert (run["queued"], run["ready"], run["held"], run["failed"], run["stale"]) == (len(SKUS), len(SKUS), 0, 0, 0)
    assert run["detail"]["chunks"] == {"done": 2}


def test_bells_that_ring_again_and_again_write_nothing_twice(open_desk: OpenDesk) -> None:
    desk = open_desk(lease_seconds=60)
    desk.start_broker()
    worker = desk.start_worker()
    desk.import_products(SKUS[:3], "slow")
    desk.describe()
    until("the chunk is in hand", lambda: "writing" in desk.states(1))

    desk.send("copydesk.describe_chunk", "catalog", 15, run=1, chunk=0, shop="acme")
    until("the run finishes", lambda: desk.finished(1))
    once = settled(desk)
    desk.send("copydesk.describe_chunk", "catalog", 15, run=1, chunk=0, shop="acme")
    until("every bell is answered", lambda: worker.output.count("describe_chunk[") >= 62 and queue_is_empty(desk))

    assert worker.output.count("0/0 ok, 0 held, 0 failed") == 30, "each further delivery claims nothing"
    assert settled(desk) == once
    assert [row[2:] for row in once.values()] == [(1, 1)] * 3, "one attempt and one ask each"
    assert desk.value("SELECT count(*) FROM drafts") == 3


def test_a_product_that_kills_the_engine_is_failed_after_the_attempts_and_the_worker_goes_on(
    open_desk: OpenDesk,
) -> None:
    desk = open_desk(**{**SHORT, "chunk_size": 2, "max_attempts": 2, "chunks_in_flight": 1})
    desk.start_broker()
    desk.start_beat()
    worker = desk.start_worker()
    desk.import_products(["good-1", "good-2", "bad", "good-3"], bad="crash")
    desk.describe()
    until("the run finishes", lambda: desk.finished(1))

    assert worker.alive
    assert worker.output.count("the engine was ended by SIGKILL; starting it again") == 2
    states = dict(desk.query("SELECT sku, state FROM drafts JOIN products ON products.id = product_id"))
    assert states == {"good-1": "ready", "good-2": "ready", "bad": "failed", "good-3": "ready"}, "it fails alone"
    [bad] = desk.json("drafts", "list", "--sku", "bad")
    assert [reason["code"] for reason in bad["reasons"]] == ["attempts.used_up"]
    run = desk.json("status", 1)
    assert run["ready"] + run["held"] + run["failed"] + run["stale"] == run["queued"] == 4


def test_an_engine_that_hangs_is_replaced_and_its_chunk_written_by_the_next(open_desk: OpenDesk) -> None:
    desk = open_desk(**SHORT, engine_hang_seconds=1)
    desk.start_broker()
    desk.start_beat()
    worker = desk.start_worker()
    desk.import_products(SKUS[:3], stool_1="hang*1")
    desk.describe()
    until("the hang is noticed", lambda: "no sign of life" in worker.output)
    # The script counts within one engine process: the next one would hang as well, were it not for its facts.
    desk.import_products(SKUS[:3])
    until("the run finishes", lambda: desk.finished(1))
    assert desk.states(1)["ready"] == 3
    assert worker.alive


def test_an_engine_that_only_dies_ends_its_worker(open_desk: OpenDesk) -> None:
    desk = open_desk(**{**SHORT, "chunk_size": 1, "max_attempts": 5, "chunks_in_flight": 1})
    desk.start_broker()
    desk.start_beat()
    worker = desk.start_worker()
    desk.import_products(["bad-1", "bad-2", "bad-3"], bad_1="crash", bad_2="crash", bad_3="crash")
    desk.describe()
    until("the worker has ended", lambda: not worker.alive)
    assert "the engine cannot go on" in worker.output
    assert worker.process.returncode == 0, "a warm shutdown"
    assert desk.states(1) == {"pending": 3}, "nothing is lost: another worker may try"
