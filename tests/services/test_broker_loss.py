"""The broker goes away: under a worker with a chunk in hand, before a producer asks, and before a worker starts."""

from pathlib import Path

from services.conftest import OpenDesk
from services.desks import desk_in, until

SKUS = [f"stool-{number}" for number in range(6)]


def test_a_worker_outlives_its_broker_with_a_chunk_in_hand_and_the_run_finishes(open_desk: OpenDesk) -> None:
    one_by_one = {"chunk_size": 3, "batch_size": 1, "chunks_in_flight": 1}
    desk = open_desk(**one_by_one, visibility_timeout_seconds=2)
    desk.start_broker()
    beat = desk.start_beat()
    worker = desk.start_worker(gossip=True)  # as deployments start it: gossip meets the lost connection too
    desk.import_products(SKUS, "slow")
    desk.describe()

    until("the first chunk is in hand, the second queued", lambda: desk.states(1).get("writing"))
    desk.kill_broker()
    until("it is written while the broker is away", lambda: desk.states(1).get("ready") == 3)
    assert "onnection to broker lost" in worker.output
    assert worker.alive
    desk.start_broker()

    until("the second chunk is in hand", lambda: desk.states(1).get("writing"), 40)
    desk.kill_broker()
    desk.start_broker()  # back before the chunk ends: its own bell comes again, to the worker that holds it
    until("the run finishes", lambda: desk.finished(1), 40)

    assert worker.alive
    assert beat.alive
    assert "Unrecoverable error" not in worker.output
    assert desk.query("SELECT DISTINCT state, attempt, asks FROM drafts") == [("ready", 1, 1)]
    assert worker.stop() == 0, "and it still closes well"


def test_a_worker_waits_for_tables_and_broker_and_a_run_planned_meanwhile_is_rung_once_they_are_there(
    tmp_path: Path,
) -> None:
    with desk_in(tmp_path / "desk", sweep_seconds=1) as desk:
        worker = desk.start_worker(ready=False)
        worker.says("run `copydesk migrate`; trying again")
        desk.copydesk("migrate")
        worker.says("Cannot connect to redis://")
        desk.import_products(SKUS[:2])
        asked = desk.copydesk("describe", "--shop", "acme", status=0)
        assert "warning: the broker does not answer; run 1 is planned" in asked.stderr
        assert "run 1: 2 queued" in asked.stdout
        assert desk.query("SELECT state FROM chunks") == [("waiting",)], "the bell was taken back"

        desk.start_broker()
        worker.says(" ready.", 40)
        desk.start_beat()
        until("the run is rung and finishes", lambda: desk.finished(1))
        assert desk.states(1) == {"ready": 2}


def test_enqueueing_when_no_worker_listens_warns_and_names_the_run(open_desk: OpenDesk) -> None:
    desk = open_desk()
    desk.start_broker()
    desk.import_products(SKUS[:1])
    asked = desk.copydesk("describe", "--shop", "acme", status=0)
    assert "warning: no worker listens; run 1 waits" in asked.stderr
    assert desk.broker().llen("catalog") == 1
