"""`copydesk up` and `copydesk demo`: everything in one terminal, and nothing left behind."""

import json
import os
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from copydesk.settings import EMBEDDED_BROKER
from producer.services import FIRM_SECONDS, free_port
from services.conftest import OpenDesk
from services.desks import BIN, Desk, Running, desk_in, listens, marked, until

EMBEDDED_PORT = int(EMBEDDED_BROKER.rpartition(":")[2].partition("/")[0])


def start_up(desk: Desk) -> Running:
    return desk.start("up", str(BIN / "copydesk"), "up")


def pid_of(desk: Desk, word: str) -> int:
    """The one process of the desk whose command line has the word."""
    found = []
    for pid in marked(desk.folder):
        arguments = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        if word.encode() in arguments:
            found.append(pid)
    assert len(found) == 1, f"{word}: {found}"
    return found[0]


def celery_processes(desk: Desk) -> list[bytes]:
    command_lines = [Path(f"/proc/{pid}/cmdline") for pid in desk.left()]
    return [line for file in command_lines if file.exists() and b"celery" in (line := file.read_bytes())]


@contextmanager
def taken(port: int) -> Iterator[None]:
    """The port is in use, by us if by nobody else."""
    with socket.socket() as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            holder.bind(("127.0.0.1", port))
            holder.listen()
        except OSError:
            assert listens(port)
        yield


def test_up_runs_everything_restarts_what_dies_and_closes_it_all_on_ctrl_c(tmp_path: Path) -> None:
    if listens(EMBEDDED_PORT):
        pytest.skip(f"port {EMBEDDED_PORT} is in use: another Copydesk is up")
    flower_port = free_port()
    with desk_in(tmp_path / "desk", sweep_seconds=1, flower_port=flower_port, broker_url=EMBEDDED_BROKER) as desk:
        up = start_up(desk)
        up.says(" ready.", 60)
        started_at = Path(f"/proc/{pid_of(desk, 'worker')}").stat().st_ctime
        until("Flower listens", lambda: listens(flower_port))
        for label in ("copydesk |", "worker |", "flower |", "broker |"):
            up.says(label)
        assert (desk.data / "flower-login").read_text() in up.output, "the login is shown to who sits there"

        checks = {check["part"]: check for check in desk.json("doctor", status=None)}
        assert [part for part, check in checks.items() if check["remedy"]] == ["engine"], "only the scripted engine"
        assert checks["broker safety"]["found"] == "append-only file, no eviction"
        assert checks["worker"]["found"].startswith("worker@")

        desk.import_products(["stool-1", "stool-2"])
        assert desk.json("describe", "--shop", "acme", "--wait")["ready"] == 2

        until("the worker stands firm", lambda: time.time() - started_at > FIRM_SECONDS + 1)
        os.kill(pid_of(desk, "worker"), signal.SIGKILL)
        up.says("ended with status -9; starting it again")
        until("it is ready again", lambda: up.output.count(" ready.") == 2, 40)

        up.signal(signal.SIGINT)
        assert up.process.wait(20) == 0, up.output
        assert desk.left() == []
        assert not listens(EMBEDDED_PORT)
        assert not listens(flower_port)
        assert "Traceback" not in up.output, up.output


def test_a_second_ctrl_c_leaves_the_chunk_but_no_process(open_desk: OpenDesk) -> None:
    desk = open_desk(flower_port=free_port())
    desk.start_broker()
    up = start_up(desk)
    up.says(" ready.", 60)
    desk.import_products([f"stool-{number}" for number in range(30)], "slow")
    desk.describe()
    until("a chunk is in hand", lambda: "writing" in desk.states(1))
    assert pid_of(desk, "worker")

    up.signal(signal.SIGINT)
    up.says("once more Ctrl-C")
    up.signal(signal.SIGINT)
    up.process.wait(15)
    until("worker, beat and Flower are gone", lambda: not celery_processes(desk), 5)


def test_a_taken_port_is_refused_with_a_remedy_that_works(tmp_path: Path) -> None:
    with (
        taken(EMBEDDED_PORT),
        desk_in(tmp_path / "desk", broker_url=EMBEDDED_BROKER, flower_port=free_port()) as desk,
    ):
        refused = desk.copydesk("up", status=2)
        assert f"port {EMBEDDED_PORT} is taken" in refused.stderr
        assert "set COPYDESK_BROKER_URL to another port" in refused.stderr
        assert desk.left() == []

        desk.set(broker_url=desk.broker_url)  # the remedy
        up = start_up(desk)
        until("the embedded broker runs on the other port", lambda: listens(desk.port), 10)
        assert up.alive
        # Closed in good order: Valkey rewrites its environment, and the finalizer would not know it again.
        up.signal(signal.SIGINT)
        assert up.process.wait(30) == 0, up.output


def test_a_demo_that_is_ended_leaves_no_process_and_the_next_one_finishes(tmp_path: Path) -> None:
    with desk_in(tmp_path / "desk", model=tmp_path) as desk:  # a folder, so that no model is pulled
        demo = desk.start("demo", str(BIN / "copydesk"), "demo")
        demo.says("3. broker, worker, beat and Flower run", 30)
        demo.signal(signal.SIGTERM)
        assert demo.process.wait(25) == 128 + signal.SIGTERM, demo.output
        assert desk.left() == []
        assert "Traceback" not in demo.output

        desk.copydesk("demo", seconds=60)
        assert desk.left() == []
        summary = json.loads((desk.data / "demo" / "summary.json").read_text())
        assert summary["queued"] > 0, summary
        assert summary["ready"] + summary["held"] + summary["failed"] + summary["stale"] == summary["queued"]


def test_a_demo_of_the_scripted_engine_pulls_no_model_and_a_second_one_asks_for_nothing(tmp_path: Path) -> None:
    with desk_in(tmp_path / "desk") as desk:
        desk.env["PIP_NO_INDEX"] = "1"
        desk.copydesk("demo", seconds=60)
        assert desk.left() == []
        folder = desk.data / "demo"
        summary = json.loads((folder / "summary.json").read_text())
        assert set(summary) >= {
            "queued", "ready", "held", "failed", "stale", "items_per_s", "tokens_per_s", "model", "engine", "broker",
            "database",
        }  # fmt: skip
        assert summary["queued"] == 50 == sum(summary[name] for name in ("ready", "held", "failed", "stale"))
        assert summary["ready"] >= 30, summary
        written = len((folder / "export-shopify.csv").read_text("utf-8").splitlines()) - 1
        assert written == summary["ready"]

        desk.copydesk("demo", seconds=20)
        again = json.loads((folder / "summary.json").read_text())
        assert (again["queued"], again["model_calls"]) == (0, 0), "nothing changed, so nothing is asked"
