"""The nightly refresh: two beats make one run, and only a rule that someone switched on publishes."""

from services.conftest import OpenDesk
from services.desks import until

SKUS = [f"stool-{number}" for number in range(4)]
SEND = """
from tasks.app import app
for _ in range(3):
    for shop in ("open", "asks"):
        app.send_task("copydesk.nightly", kwargs={"shop": shop})
"""


def test_two_beats_make_one_run_and_only_the_shop_with_the_rule_publishes(open_desk: OpenDesk) -> None:
    desk = open_desk(
        shops={"open": {"auto_publish": True}, "asks": {"auto_publish": False}}, nightly__shops=["open", "asks"]
    )
    desk.start_broker()
    worker = desk.start_worker()
    for shop in ("open", "asks"):
        desk.import_products(SKUS, shop=shop)
    producers = [desk.start_python(SEND) for _ in range(2)]
    for producer in producers:
        assert producer.process.wait(30) == 0, producer.output
    until("every message is answered", lambda: worker.output.count("copydesk.nightly[") >= 24)
    until("both runs finish", lambda: desk.value("SELECT count(*) FROM runs WHERE finished_at IS NOT NULL") == 2)
    assert worker.output.count("4 queued'") == 2, "one message of twelve made each run"
    assert worker.output.count("was there already'") == 10
    assert desk.query("SELECT count(*), count(DISTINCT product_id) FROM drafts") == [(8, 8)]
    keys = desk.query("SELECT DISTINCT run_key FROM runs")
    assert len(keys) == 1
    assert keys[0][0].startswith("nightly ")

    desk.start_beat()
    of_shop = (
        "SELECT shops.name, drafts.state, count(*) FROM drafts JOIN runs ON runs.id = run_id"
        " JOIN shops ON shops.id = shop_id GROUP BY 1, 2 ORDER BY 1"
    )
    wanted = [("asks", "ready", 4), ("open", "published", 4)]
    until("the rule has published", lambda: desk.query(of_shop) == wanted)
    by = desk.query("SELECT DISTINCT author FROM live_texts WHERE origin = 'draft'")
    assert by == [("rule:auto_publish",)], "the ledger says that no person approved it"
