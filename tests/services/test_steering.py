"""What the person on duty does to a run: estimate, pause, resume, cancel, budget, redrive."""

import re

from services.conftest import OpenDesk
from services.desks import Desk, Running, until

SKUS = [f"stool-{number}" for number in range(10)]
ONE_BY_ONE = {"chunk_size": 2, "chunks_in_flight": 2, "batch_size": 1}


def begun(worker: Running, run: int) -> set[str]:
    return set(re.findall(rf"describe_chunk\[(run-{run}\.chunk-\d+\.ring-\d+)\] received", worker.output))


def ended(worker: Running, run: int) -> set[str]:
    return set(re.findall(rf"describe_chunk\[(run-{run}\.chunk-\d+\.ring-\d+)\] succeeded", worker.output))


def sweep_twice(desk: Desk, worker: Running) -> None:
    """Whatever a sweep rings is in the queue after it, and taken from there."""
    swept = worker.output.count("rung'")
    desk.send("copydesk.sweep", "upkeep", 2)
    until("both sweeps are through", lambda: worker.output.count("rung'") >= swept + 2)
    until("nothing is queued", lambda: not desk.broker().llen("catalog"))


def test_a_paused_run_ends_what_is_in_hand_begins_nothing_more_and_goes_on_when_it_is_resumed(
    open_desk: OpenDesk,
) -> None:
    desk = open_desk(**{**ONE_BY_ONE, "batch_size": 2})
    desk.start_broker()
    worker = desk.start_worker()
    desk.import_products(SKUS, "slow")
    desk.describe()
    until("the run is on its way", lambda: desk.states(1).get("ready", 0) >= 1)
    desk.copydesk("pause", 1)
    in_hand = desk.states(1)["writing"]
    until("what was in hand ends", lambda: "writing" not in desk.states(1))
    still = desk.states(1)
    assert in_hand
    assert set(still) == {"ready", "pending"}

    sweep_twice(desk, worker)
    assert desk.states(1) == still, "nothing more is begun"
    until("every bell is answered", lambda: ended(worker, 1) == begun(worker, 1))
    assert desk.value("SELECT state FROM runs") == "paused"

    desk.copydesk("resume", 1)
    until("the run finishes", lambda: desk.finished(1))
    assert desk.query("SELECT DISTINCT state, attempt, asks FROM drafts") == [("ready", 1, 1)]


def test_a_cancelled_run_keeps_what_is_written_and_frees_its_workers_at_once(open_desk: OpenDesk) -> None:
    desk = open_desk(**{**ONE_BY_ONE, "chunk_size": 12})
    desk.count_writes()
    desk.start_broker()
    worker = desk.start_worker()
    slow = [f"slow-{number}" for number in range(36)]
    desk.import_products(slow, "slow")
    desk.import_products(["next-1", "next-2"], shop="next")
    desk.describe()
    until("the worker is busy for 20 s", lambda: desk.states(1).get("ready", 0) >= 1 and desk.states(1)["writing"] > 18)

    assert "drafts cancelled" in desk.copydesk("cancel", 1).stdout
    assert desk.finished(1), "the command leaves nothing open"
    at_cancel = desk.states(1)
    until("the worker drops what it had of it", lambda: ended(worker, 1) >= begun(worker, 1), 3)
    run = desk.describe("next")
    until("the next run has the engine to itself", lambda: desk.finished(run), 3)

    assert desk.states(1) == at_cancel, "what the worker still made of it was not accepted"
    assert set(at_cancel) == {"ready", "cancelled"}
    found = desk.json("status", 1)
    assert found["state"] == "cancelled"
    assert found["stopped_because"].startswith("cancelled by ")
    assert found["ready"] + found["cancelled"] == found["queued"] == 36
    assert set(desk.writes("drafts").values()) == {1}
    assert desk.writes("runs") == {1: 1, run: 1}
    assert worker.alive


def test_an_estimate_enqueues_nothing_and_a_run_over_its_budget_stops_and_keeps_what_is_done(
    open_desk: OpenDesk,
) -> None:
    desk = open_desk(**{**ONE_BY_ONE, "chunks_in_flight": 1})
    desk.start_broker()
    desk.start_worker()
    desk.import_products(SKUS)
    expected = desk.json("describe", "--shop", "acme", "--estimate")
    assert expected["items"] == len(SKUS)
    assert expected["tokens"] > 20 * len(SKUS)
    assert expected["minutes"] is None, "no run has been timed yet"
    assert desk.value("SELECT count(*) FROM runs") == 0
    assert not desk.broker().llen("catalog")

    budget = 200
    planned = desk.copydesk("describe", "--shop", "acme", "--max-tokens", budget)
    assert "10 products: about" in planned.stdout, "the estimate comes first"
    until("the run is stopped", lambda: desk.finished(1))

    [(state, why, spent)] = desk.query(
        "SELECT state, stopped_because, prompt_tokens + completion_tokens FROM runs WHERE id = 1"
    )
    assert state == "cancelled"
    assert "the run reached its budget" in why
    ready, cancelled = (desk.states(1)[name] for name in ("ready", "cancelled"))
    assert ready + cancelled == len(SKUS)
    assert budget <= spent < budget + 2 * 2 * spent / ready, "over it by the chunks in hand at most"
    assert desk.value("SELECT count(*) FROM drafts WHERE state = 'ready' AND text = ''") == 0

    assert f"{cancelled} drafts wait again" in desk.copydesk("redrive", 1, "--cancelled").stdout
    until("the run finishes", lambda: desk.finished(1))
    assert desk.states(1) == {"ready": len(SKUS)}
    assert desk.value("SELECT state FROM runs") == "finished"


def test_failed_drafts_are_written_once_more_when_somebody_says_so(open_desk: OpenDesk) -> None:
    desk = open_desk(**ONE_BY_ONE)
    desk.start_broker()
    desk.start_worker()
    desk.import_products(SKUS[:4], stool_2="fail*6")  # as often as it is asked for
    run = desk.describe()
    until("the run finishes", lambda: desk.finished(run))
    assert desk.states(run) == {"ready": 3, "failed": 1}
    [failed] = desk.json("drafts", "list", "--state", "failed")
    assert [reason["code"] for reason in failed["reasons"]] == ["engine.failed"]

    assert "1 drafts wait again" in desk.copydesk("redrive", run, "--reason", "engine.failed").stdout
    until("it is written", lambda: desk.finished(run))
    assert desk.states(run) == {"ready": 4}
    assert desk.query("SELECT state, queued FROM runs") == [("finished", 4)]
