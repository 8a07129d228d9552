"""A small shop that comes late waits for a few chunks of the large one, not for its run."""

import json
import statistics
from datetime import datetime

from services.conftest import OpenDesk
from services.desks import Desk, until

LARGE = [f"large-{number}" for number in range(3000)]
SMALL = [f"small-{number}" for number in range(100)]
SETTLE_SECONDS = 0.5
"""Results are written down twice a second."""


def chunk_seconds(desk: Desk, run: int) -> float:
    """From the claim of a chunk to its end, as the worker measured it; the median."""
    told = desk.query("SELECT telemetry FROM chunks WHERE run_id = ? AND telemetry IS NOT NULL", run)
    return statistics.median(json.loads(row[0])["wall_seconds"] for row in told)


def first_result_seconds(desk: Desk, run: int) -> float:
    """From planning a run to its first draft that is written, by the database's clock."""
    planned = desk.value("SELECT created_at FROM runs WHERE id = ?", run)
    written = desk.value("SELECT min(settled_at) FROM drafts WHERE run_id = ?", run)
    return (datetime.fromisoformat(written) - datetime.fromisoformat(planned)).total_seconds()


def test_a_shop_of_100_gets_its_first_result_within_three_chunks_behind_a_shop_of_thousands(
    open_desk: OpenDesk,
) -> None:
    desk = open_desk(chunk_size=16, batch_size=96)  # as many chunks in hand and in the broker as by default
    desk.start_broker()
    desk.start_worker()
    desk.import_products(LARGE, "slow")
    desk.import_products(SMALL, "slow", shop="small")
    desk.describe()
    done = "SELECT count(*) FROM chunks WHERE run_id = 1 AND state = 'done'"
    until("the large shop fills worker and broker", lambda: desk.value(done) >= 12)
    until("chunks of it wait in the broker", lambda: desk.broker().llen("catalog") >= 3)

    run = desk.json("describe", "--shop", "small")["run"]
    until("the small shop has a result", lambda: desk.states(run).get("ready"))
    took, chunk = first_result_seconds(desk, run), chunk_seconds(desk, 1)
    assert chunk > 1
    assert took <= 3 * chunk + SETTLE_SECONDS, f"{took:.1f} s, where a chunk takes {chunk:.1f} s"
    assert not desk.finished(1), "the large shop was not done before"
