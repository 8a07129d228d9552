"""Everything twice: beats, workers that sweep, producers. One run, one end, each draft once."""

import re

from services.conftest import OpenDesk
from services.desks import BIN, until

SKUS = [f"stool-{number}" for number in range(24)]
NIGHT = """
from tasks.app import app
app.send_task("copydesk.nightly", kwargs={"shop": "night"})
"""


def test_two_beats_two_sweeping_workers_and_two_producers_make_one_run_that_ends_once(
    open_desk: OpenDesk, postgresql_url: str
) -> None:
    desk = open_desk(postgresql_url, chunk_size=3, nightly__shops=["night"])
    desk.count_writes()
    desk.start_broker()
    for shop in ("acme", "night"):
        desk.import_products(SKUS, shop=shop)
    workers = [desk.start_worker(ready=False) for _ in range(2)]
    for worker in workers:
        worker.says(" ready.", 60)
    for name in ("beat", "twin"):
        desk.start_beat(name)

    describe = (str(BIN / "copydesk"), "describe", "--shop", "acme", "--key", "same")
    producers = [desk.start("producer", *describe) for _ in range(2)] + [desk.start_python(NIGHT) for _ in range(2)]
    for producer in producers:
        assert producer.process.wait(30) == 0, producer.output
    until("both runs finish", lambda: desk.value("SELECT count(*) FROM runs WHERE finished_at IS NOT NULL") == 2)
    until("each worker has swept", lambda: all("copydesk.sweep[" in worker.output for worker in workers))

    assert desk.query("SELECT name, queued FROM runs JOIN shops ON shops.id = shop_id ORDER BY name") == [
        ("acme", 24),
        ("night", 24),
    ]
    assert list(desk.writes("runs").values()) == [1, 1]
    assert list(desk.writes("drafts").values()) == [1] * 48
    assert desk.query("SELECT DISTINCT state, attempt, asks FROM drafts") == [("ready", 1, 1)]
    assert desk.query("SELECT DISTINCT state, rings FROM chunks") == [("done", 1)]
    assert desk.value("SELECT count(DISTINCT product_id) FROM drafts") == 48
    assert all(worker.alive for worker in workers)


def test_sweeps_at_once_return_what_a_dead_worker_held_once(open_desk: OpenDesk, postgresql_url: str) -> None:
    desk = open_desk(postgresql_url, chunk_size=2, batch_size=1, lease_seconds=4, visibility_timeout_seconds=2)
    desk.count_writes()
    desk.start_broker()
    dead = desk.start_worker()
    desk.import_products(SKUS[:4], "slow")
    desk.describe()
    until("it holds two chunks", lambda: desk.states(1).get("writing", 0) + desk.states(1).get("ready", 0) == 4)
    dead.kill()
    held = desk.states(1)["writing"]
    workers = [desk.start_worker(ready=False) for _ in range(2)]
    for worker in workers:
        worker.says(" ready.", 60)

    def finished() -> bool:
        if not desk.broker().llen("upkeep"):
            desk.send("copydesk.sweep", "upkeep", 4)
        return desk.finished(1)

    until("the run finishes", finished, 60)
    swept = [int(number) for worker in workers for number in re.findall(r"swept: Swept\(returned=(\d+)", worker.output)]
    assert sum(swept) == held, "each draft was returned by one sweep"
    assert desk.states(1) == {"ready": 4}
    assert set(desk.query("SELECT DISTINCT attempt FROM drafts")) <= {(1,), (2,)}
    assert list(desk.writes("drafts").values()) == [1] * 4
    assert desk.writes("runs") == {1: 1}
