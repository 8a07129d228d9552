"""Workers on several hosts: other engine settings, another model, and a host that is cut off and comes back."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
from psycopg import conninfo

from producer.services import free_port
from services.conftest import OpenDesk
from services.desks import Desk, Running, until

SKUS = [f"stool-{number}" for number in range(12)]

FORWARD = """
import asyncio, sys

async def pump(reader, writer):
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except OSError:
        pass
    finally:
        writer.close()

def to(connect, *where):
    async def serve(reader, writer):
        there, back = await connect(*where)
        await asyncio.gather(pump(reader, back), pump(there, writer))
    return serve

async def main():
    host, port, broker, postgresql = sys.argv[1:]
    await asyncio.start_server(to(asyncio.open_connection, "127.0.0.1", int(broker)), host, int(broker))
    await asyncio.start_server(to(asyncio.open_unix_connection, postgresql), host, int(port))
    print("forwards", flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""
"""Brings what knocks at one address to the broker on loopback and to the socket of PostgreSQL."""


def took(worker: Running, run: int, how: str = "succeeded") -> set[int]:
    """Chunks of a run whose bells a worker has answered, or "received"."""
    chunks = re.findall(rf"describe_chunk\[run-{run}\.chunk-(\d+)\.ring-\d+\] {how}", worker.output)
    return set(map(int, chunks))


def holds(desk: Desk, worker: Running, run: int) -> set[int]:
    """Chunks of a run that a worker is at."""
    rows = desk.query("SELECT DISTINCT chunk FROM drafts WHERE run_id = ? AND state = 'writing'", run)
    return (took(worker, run, "received") - took(worker, run)) & {row[0] for row in rows}


def test_workers_with_other_engine_settings_share_a_run_and_one_with_another_model_leaves_it_alone(
    open_desk: OpenDesk,
) -> None:
    desk = open_desk(chunk_size=2)
    desk.count_writes()
    desk.start_broker()
    desk.start_beat()
    desk.set(model="another-model")
    other = desk.start_worker()
    desk.import_products(SKUS[:2], shop="first")
    first = desk.describe("first")
    trouble = until("somebody says what is wrong", lambda: desk.json("status", first)["trouble"])
    assert "was planned for smollm2-135m-instruct on scripted, a worker has another-model" in trouble
    assert desk.states(first) == {"pending": 2}
    assert other.stop() == 0
    desk.execute("UPDATE chunks SET next_attempt_at = NULL")  # as if its pause of 15 s were over

    desk.set(model="smollm2-135m-instruct", batch_size=1, chunks_in_flight=1)
    narrow = desk.start_worker(ready=False)
    desk.set(batch_size=3, chunks_in_flight=2)
    wide = desk.start_worker(ready=False)
    for worker in (narrow, wide):
        worker.says(" ready.", 60)
    desk.import_products(SKUS, "slow")
    run = desk.describe()
    until("both runs finish", lambda: desk.finished(first) and desk.finished(run))

    assert took(narrow, run)
    assert took(wide, run)
    assert took(narrow, first) | took(wide, first)
    assert desk.query("SELECT DISTINCT state, attempt, asks FROM drafts") == [("ready", 1, 1)]
    assert list(desk.writes("drafts").values()) == [1] * (2 + len(SKUS))
    assert desk.json("status", first)["trouble"] is None


@dataclass(frozen=True)
class Cable:
    """Between this machine and a network namespace that stands for another one; `host` is our end's address."""

    ours: str
    theirs: str
    host: str
    namespace: "subprocess.Popen[bytes]"

    @property
    def within(self) -> Sequence[str]:
        """Before a command that is to run over there."""
        return ("nsenter", f"--net=/proc/{self.namespace.pid}/ns/net")

    def lay(self) -> None:
        ip = ("ip",)
        there = (*self.within, "ip")
        network = self.host.rpartition(".")[0]
        _do(*ip, "link", "add", self.ours, "type", "veth", "peer", self.theirs, "netns", str(self.namespace.pid))
        _do(*ip, "address", "add", f"{self.host}/30", "dev", self.ours)
        _do(*there, "address", "add", f"{network}.2/30", "dev", self.theirs)
        _do(*ip, "link", "set", self.ours, "up")
        for device in ("lo", self.theirs):
            _do(*there, "link", "set", device, "up")

    def set(self, state: str) -> None:
        """Over there, so that nothing for them is sent anywhere else meanwhile."""
        _do(*self.within, "ip", "link", "set", self.theirs, state)

    def take_away(self) -> None:
        with suppress(subprocess.CalledProcessError):  # it went with the namespace, or never was
            _do("ip", "link", "delete", self.ours)
        self.namespace.kill()
        self.namespace.wait(10)


def _do(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True, timeout=10)


@pytest.fixture
def cable() -> Iterator[Cable]:
    """Its interfaces and its namespace go with the test."""
    if os.geteuid() or not all(map(shutil.which, ("ip", "unshare", "nsenter"))):
        pytest.skip("network namespaces need root, ip, unshare and nsenter")
    number = os.getpid() % 250
    namespace = subprocess.Popen(["unshare", "--net", "sleep", "infinity"])
    laid = Cable(f"desk{number}a", f"desk{number}b", f"198.18.{number}.1", namespace)
    own = Path("/proc/self/ns/net").readlink()
    try:
        try:
            until("the namespace is there", lambda: Path(f"/proc/{namespace.pid}/ns/net").readlink() != own, 5)
            laid.lay()
        except (AssertionError, OSError, subprocess.CalledProcessError) as error:
            pytest.skip(f"no network namespace can be made here: {getattr(error, 'stderr', error)!r}")
        yield laid
    finally:
        laid.take_away()


def start_far_worker(desk: Desk, cable: Cable) -> Running:
    """Over there, where broker and database have another address."""
    known = conninfo.conninfo_to_dict(desk.database_url)
    port = free_port()
    socket = f"{known['host']}/.s.PGSQL.{known.get('port', 5432)}"
    desk.start_python(FORWARD, cable.host, str(port), str(desk.port), socket).says("forwards")
    return desk.start_worker(
        within=cable.within,
        COPYDESK_BROKER_URL=f"redis://{cable.host}:{desk.port}/0",
        COPYDESK_DATABASE_URL=f"postgresql+psycopg://{known['user']}@{cable.host}:{port}/{known['dbname']}",
    )


def test_a_host_that_is_cut_off_loses_its_chunk_to_another_and_works_on_when_it_is_back(
    open_desk: OpenDesk, postgresql_url: str, cable: Cable
) -> None:
    one_by_one = {"chunk_size": 2, "batch_size": 1, "chunks_in_flight": 1}
    desk = open_desk(postgresql_url, **one_by_one, lease_seconds=3, visibility_timeout_seconds=3)
    desk.count_writes()
    desk.start_broker()
    far = start_far_worker(desk, cable)
    near = desk.start_worker()
    desk.start_beat()
    desk.import_products(SKUS[:6], "slow")
    desk.describe()
    cut_off = until("both hold a chunk", lambda: holds(desk, near, 1) and holds(desk, far, 1))

    cable.set("down")
    until("the run finishes without the host that was cut off", lambda: desk.finished(1), 40)
    done = desk.query("SELECT id, text, settled_at FROM drafts ORDER BY id")
    assert desk.query("SELECT DISTINCT state FROM drafts") == [("ready",)]
    assert {row[0] for row in desk.query("SELECT chunk FROM drafts WHERE attempt = 2")} == cut_off, "and no other"

    cable.set("up")
    until("it finds that its chunk is another's", lambda: took(far, 1) >= cut_off, 40)
    assert desk.query("SELECT id, text, settled_at FROM drafts ORDER BY id") == done, "it was fenced out"
    desk.import_products(
        SKUS, "slow", shop="next"
    )  # enough that the near one has not taken all before the far one is back
    run = desk.describe("next")
    until("it works on", lambda: took(far, run), 40)
    until("the next run finishes", lambda: desk.finished(run), 40)
    assert set(desk.writes("drafts").values()) == {1}
    assert desk.writes("runs") == {1: 1, run: 1}
    assert far.alive
    assert "Traceback" not in far.output
