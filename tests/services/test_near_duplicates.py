"""Near-duplicates in a run that real workers write: written again, held in the end, and shown."""

from services.conftest import OpenDesk
from services.desks import until

SKUS = [f"stool-{number:02}" for number in range(16)]
ONCE, ALWAYS = ("stool-05", "stool-11"), ("stool-02", "stool-07")
"""Whose text is the same the first time that an engine is asked, and always; the first of them all stays as it is."""


def test_workers_write_near_duplicates_again_and_hold_what_stays_one(open_desk: OpenDesk) -> None:
    desk = open_desk(chunk_size=4, chunks_in_flight=3, sweep_seconds=600)
    markers = {sku.replace("-", "_"): "same" for sku in ALWAYS} | {sku.replace("-", "_"): "same*1" for sku in ONCE}
    desk.start_broker()
    workers = [desk.start_worker(), desk.start_worker()]
    desk.import_products(SKUS, **markers)

    run = desk.describe()
    until("the run ends", lambda: desk.finished(run), 60)

    assert desk.states(run) == {"ready": 15, "held": 1}
    found = "SELECT sku, drafts.state FROM drafts JOIN products ON products.id = product_id"
    again = desk.query(f"{found} WHERE resampled > 0 ORDER BY sku")
    assert again == [("stool-05", "ready"), ("stool-07", "held"), ("stool-11", "ready")]
    assert desk.value("SELECT max(resampled) FROM drafts") == 2
    status = desk.json("status", run)
    assert (status["detail"]["resampled"], status["detail"]["reasons"]) == (3, {"duplicate": 1})
    assert "3 texts were nearly another product's and written again" in desk.copydesk("status", run).stdout
    page = desk.folder / "report.html"
    desk.copydesk("report", run, "--html", page)
    assert "3 were nearly another product" in page.read_text("utf-8")
    assert "% the same as the text of stool-02" in page.read_text("utf-8")
    assert all(worker.alive for worker in workers)


def test_what_a_worker_began_to_compare_and_did_not_end_a_sweep_compares(open_desk: OpenDesk) -> None:
    desk = open_desk(chunk_size=8)
    desk.count_writes()
    desk.start_broker()
    desk.import_products(SKUS, "slow", stool_02="same", stool_07="same*1")
    worker = desk.start_worker()
    run = desk.describe()
    until("the run is on its way", lambda: desk.value("SELECT started_at FROM runs"))
    # As if the worker of the last chunk had begun, and died at once.
    desk.execute("UPDATE runs SET comparing_until = '2999-01-01 00:00:00.000000'")
    until("all is written", lambda: desk.states(run) == {"ready": 16})
    desk.start_beat()
    until("sweeps leave it to whoever has it", lambda: worker.output.count("rung'") >= 3)
    assert not desk.finished(run)

    desk.execute("UPDATE runs SET comparing_until = '2000-01-01 00:00:00.000000'")
    until("the run ends", lambda: desk.finished(run))

    assert desk.states(run) == {"ready": 16}
    assert desk.query("SELECT id FROM drafts WHERE resampled = 1") == [(8,)]
    assert desk.writes("runs") == {run: 1}
    assert desk.writes("drafts") == {draft: 2 if draft == 8 else 1 for draft in range(1, 17)}
