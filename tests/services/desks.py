"""A whole Copydesk of one test's own: folder, ports, broker, worker, beat, Flower and console script, all real.

Nothing here sleeps and hopes: `until` polls a condition and fails with every log when its deadline passes.
"""

import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

import redis
from celery import Celery

from copydesk.jobs import copywriting
from copydesk.settings import Settings
from copydesk.store import Database
from producer import importing
from producer.services import Services, free_port

BIN = Path(sys.executable).parent
ROOT = Path(__file__).parents[2]
MARK = "DESK_OF_TEST"
"""A variable that every process of a test's desk inherits; by it the finalizer finds what nobody closed."""

Found = TypeVar("Found")


_COUNT_IN_SQLITE = """
CREATE TABLE written (what TEXT, id INTEGER);
CREATE TRIGGER draft_written AFTER UPDATE OF outcome ON drafts WHEN NEW.outcome IS NOT NULL
    BEGIN INSERT INTO written VALUES ('drafts', NEW.id); END;
CREATE TRIGGER run_ended AFTER UPDATE OF finished_at ON runs WHEN NEW.finished_at IS NOT NULL
    BEGIN INSERT INTO written VALUES ('runs', NEW.id); END;
"""
_COUNT_IN_POSTGRESQL = """
CREATE TABLE written (what TEXT, id BIGINT);
CREATE FUNCTION write_down() RETURNS trigger LANGUAGE plpgsql
    AS $$ BEGIN INSERT INTO written VALUES (TG_TABLE_NAME, NEW.id); RETURN NULL; END $$;
CREATE TRIGGER draft_written AFTER UPDATE OF outcome ON drafts FOR EACH ROW
    WHEN (NEW.outcome IS NOT NULL) EXECUTE FUNCTION write_down();
CREATE TRIGGER run_ended AFTER UPDATE OF finished_at ON runs FOR EACH ROW
    WHEN (NEW.finished_at IS NOT NULL) EXECUTE FUNCTION write_down();
"""


class Late(AssertionError):
    """A condition did not come true in time."""


def until(what: str, condition: Callable[[], Found], seconds: float = 30) -> Found:
    """The first true value of `condition`."""
    deadline = time.monotonic() + seconds
    while True:
        found = condition()
        if found:
            return found
        if time.monotonic() > deadline:
            raise Late(f"not within {seconds:.0f} s: {what} (last seen: {found!r})")
        time.sleep(0.05)


class Running:
    """One child in a session of its own, its output in a file."""

    def __init__(self, name: str, command: Sequence[str], env: dict[str, str], cwd: Path, log: Path) -> None:
        self.name, self.log = name, log
        with log.open("ab") as stream:
            self.process = subprocess.Popen(
                command,
                env=env,
                cwd=cwd,
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def output(self) -> str:
        return self.log.read_text("utf-8", "replace")

    @property
    def alive(self) -> bool:
        return self.process.poll() is None

    def says(self, words: str, seconds: float = 30) -> None:
        def said() -> bool:
            if words in self.output:
                return True
            if not self.alive:
                raise Late(f"{self.name} ended with {self.process.returncode} and never said {words!r}")
            return False

        until(f"{self.name} says {words!r}", said, seconds)

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    def kill(self) -> None:
        """kill -9, of the whole group."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(10)

    def stop(self, seconds: float = 20) -> int:
        """SIGTERM; returns the exit status."""
        self.signal(signal.SIGTERM)
        return self.process.wait(seconds)


class Desk:
    """One test's installation in `folder`, settings by environment as any deployment would."""

    def __init__(self, folder: Path, database_url: str = "", **settings: object) -> None:
        self.folder = folder
        self.data = folder / "data"
        self.data.mkdir(parents=True)
        self.port = free_port()
        self.broker_url = f"redis://127.0.0.1:{self.port}/0"
        self.database_url = database_url or f"sqlite:///{self.data / 'copydesk.db'}"
        self.children: list[Running] = []
        self.services: Services | None = None
        self.broker_log: list[str] = []
        self._readers: list[threading.Thread] = []
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("COPYDESK_", "FLOWER_"))}
        self.env = {**clean, MARK: str(folder), "PYTHONUNBUFFERED": "1", "COLUMNS": "200", "NO_COLOR": "1"}
        own = {"data_dir": self.data, "database_url": self.database_url, "broker_url": self.broker_url}
        self.set(**{"engine": "scripted", **own, **settings})

    def set(self, **settings: object) -> None:
        """Settings for processes started from now on."""
        for name, value in settings.items():
            self.env[f"COPYDESK_{name.upper()}"] = value if isinstance(value, str | Path) else json.dumps(value)
        self.env = {name: str(value) for name, value in self.env.items()}

    # -- the console script

    def copydesk(
        self, *arguments: str | Path | int, status: int | None = 0, seconds: float = 60
    ) -> "subprocess.CompletedProcess[str]":
        """Run the real `copydesk`; its exit status must be `status` (None: any), and never may it show a traceback."""
        done = subprocess.run(
            [str(BIN / "copydesk"), *map(str, arguments)],
            check=False,
            env=self.env,
            cwd=self.folder,
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=seconds,
            stdin=subprocess.DEVNULL,
        )
        shown = f"copydesk {' '.join(map(str, arguments))} ended with {done.returncode}\n{done.stdout}\n{done.stderr}"
        assert status is None or done.returncode == status, shown
        assert "Traceback" not in done.stdout + done.stderr, shown
        return done

    def json(self, *arguments: str | Path | int, status: int | None = 0, seconds: float = 60) -> Any:
        return json.loads(self.copydesk(*arguments, "--json", status=status, seconds=seconds).stdout)

    # -- the processes

    def start(self, name: str, *command: str, cwd: Path | None = None, **env: str) -> Running:
        log = self.folder / f"{name}-{len(self.children)}.log"
        child = Running(name, command, {**self.env, **env}, cwd or self.folder, log)
        self.children.append(child)
        return child

    def start_broker(self) -> None:
        """The embedded Valkey, started by the very code that `copydesk up` uses."""
        settings = Settings(data_dir=self.data, broker_url=self.broker_url, engine="scripted")
        self.services = Services(settings, lambda name, line: self.broker_log.append(line))
        others = set(threading.enumerate())
        os.environ[MARK] = str(self.folder)  # Services hands its own environment on
        try:
            self.services.start_broker()
        finally:
            del os.environ[MARK]
            self._readers = [thread for thread in threading.enumerate() if thread not in others]

    def kill_broker(self) -> None:
        for child in self.services.children if self.services else ():
            child.process.kill()
            child.process.wait(10)
            for reader in self._readers:
                reader.join(10)
            if child.process.stdout is not None:
                child.process.stdout.close()
        self.services = None

    def start_worker(
        self, *, ready: bool = True, gossip: bool = False, within: Sequence[str] = (), **env: str
    ) -> Running:
        """`within` is a command that runs another one, somewhere else."""
        name = f"worker{len(self.children)}"
        # Mingling with other workers takes a second, and changes nothing here.
        quick = () if gossip else ("--without-mingle", "--without-gossip")
        options = ("--loglevel", "INFO", "--hostname", f"{name}@%h", *quick)
        child = self.start(name, *within, str(BIN / "celery"), "-A", "workers.main", "worker", *options, **env)
        if ready:
            child.says(" ready.", 60)
        return child

    def start_beat(self, name: str = "beat") -> Running:
        schedule = self.folder / f"{name}-schedule"
        return self.start(
            name, str(BIN / "celery"), "-A", "tasks.app", "beat", "--loglevel", "INFO", "--schedule", str(schedule)
        )

    def start_flower(self, *options: str, cwd: Path | None = None, **env: str) -> Running:
        return self.start("flower", str(BIN / "celery"), "-A", "tasks.app", "flower", *options, cwd=cwd, **env)

    def start_python(self, code: str, *arguments: str) -> Running:
        """A producer of its own: Python in a process with this desk's settings."""
        return self.start("python", sys.executable, "-c", code, *arguments)

    def send(self, task: str, queue: str, times: int = 1, **kwargs: object) -> None:
        """Messages from a bare Celery client, which knows the names on the wire and nothing else."""
        with Celery(broker=self.broker_url) as client:
            for _ in range(times):
                client.send_task(task, kwargs=kwargs, queue=queue)

    def describe(self, shop: str = "acme") -> int:
        """Plan a run and have the worker's own sweep ring for it; tests/walk asks by the console script."""
        settings = Settings(engine="scripted", chunk_size=int(self.env.get("COPYDESK_CHUNK_SIZE", 32)))
        with self._database() as database:
            run = copywriting.plan(database, settings, shop, f"test {time.monotonic()}").run
        self.send("copydesk.sweep", "upkeep")
        return run

    def broker(self) -> "redis.Redis":
        return redis.Redis(port=self.port, socket_timeout=5, decode_responses=True)

    # -- the ledger, read as it is

    def query(self, sql: str, *values: object) -> list[Any]:
        """Rows of the database, read past all of Copydesk's own code."""
        if self.database_url.startswith("sqlite"):
            path = self.database_url.removeprefix("sqlite:///")
            connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=30)
            try:
                return connection.execute(sql, values).fetchall()
            finally:
                connection.close()
        import psycopg

        with psycopg.connect(self.database_url.replace("postgresql+psycopg", "postgresql")) as opened:
            return opened.execute(sql.replace("?", "%s"), values).fetchall()

    def value(self, sql: str, *values: object) -> Any:
        return self.query(sql, *values)[0][0]

    def states(self, run: int) -> dict[str, int]:
        """How many drafts of a run are in which state."""
        return dict(self.query("SELECT state, count(*) FROM drafts WHERE run_id = ? GROUP BY state", run))

    def import_products(self, skus: Sequence[str], marker: str = "", shop: str = "acme", **markers: str) -> None:
        """Into the ledger, without the price of a process; tests/walk imports by the console script."""
        file = catalog(self.folder / f"{shop}.jsonl", skus, marker, **markers)
        with self._database() as database:
            importing.take_in(database, shop, file, "jsonl", self.folder / f"{shop}-report.csv")

    def migrate(self) -> None:
        with self._database() as database:
            database.migrate()

    @contextmanager
    def _database(self) -> Iterator[Database]:
        database = Database(self.database_url)
        try:
            yield database
        finally:
            database.close()

    def count_writes(self) -> None:
        """From now on triggers in the database count how often a draft's outcome and a run's end are written."""
        self.execute(_COUNT_IN_SQLITE if self.database_url.startswith("sqlite") else _COUNT_IN_POSTGRESQL)

    def execute(self, sql: str) -> None:
        """Change the database past all of Copydesk's own code."""
        if self.database_url.startswith("sqlite"):
            with closing(sqlite3.connect(self.database_url.removeprefix("sqlite:///"), timeout=30)) as connection:
                connection.executescript(sql)
            return
        import psycopg

        with psycopg.connect(self.database_url.replace("postgresql+psycopg", "postgresql")) as opened:
            opened.execute(sql)

    def writes(self, table: str) -> dict[int, int]:
        """How often each draft's outcome ("drafts") or each run's end ("runs") was written."""
        return dict(self.query("SELECT id, count(*) FROM written WHERE what = ? GROUP BY id", table))

    def finished(self, run: int) -> bool:
        return bool(self.value("SELECT count(*) FROM runs WHERE id = ? AND finished_at IS NOT NULL", run))

    # -- the end

    def left(self) -> list[int]:
        """Processes of this desk that still run."""
        return [pid for pid in marked(self.folder) if not _is_dead(pid)]

    def close(self) -> None:
        """SIGKILL whatever is left, known or not."""
        for child in self.children:
            child.kill()
        self.kill_broker()
        for pid in self.left():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def logs(self) -> str:
        ends = [f"--- {child.log.name} (alive: {child.alive})\n{child.output[-3000:]}" for child in self.children]
        return "\n".join([*ends, "--- broker", *self.broker_log[-20:]])


@contextmanager
def desk_in(folder: Path, database_url: str = "", **settings: object) -> Iterator[Desk]:
    """A desk that is torn down whatever happens; when the test fails its logs are printed."""
    desk = Desk(folder, database_url, **settings)
    try:
        yield desk
    except BaseException:
        print(desk.logs())  # noqa: T201 - pytest shows it with the failure
        raise
    finally:
        desk.close()


def marked(folder: Path) -> list[int]:
    """Pids of processes whose environment says that they belong to the desk in `folder`."""
    mark = f"{MARK}={folder}".encode()
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            with suppress(OSError):
                if mark in (entry / "environ").read_bytes().split(b"\0"):
                    found.append(int(entry.name))
    return found


def _is_dead(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "ZX"
    except OSError:
        return True


def listens(port: int, host: str = "127.0.0.1") -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((host, port)) == 0


def _letters(number: int) -> str:
    """A name of its own for each product, or their texts would be near-duplicates: a, b, ... z, ba, bb ..."""
    return (_letters(number // 26) if number >= 26 else "") + "abcdefghijklmnopqrstuvwxyz"[number % 26]


def catalog(path: Path, skus: Sequence[str], marker: str = "", **markers: str) -> Path:
    """JSON lines with one product per sku; a marker (see copydesk/engine/scripted.py) goes into its facts."""
    lines = []
    for number, sku in enumerate(skus):
        told = markers.get(sku.replace("-", "_"), marker)
        attributes = {"Colour": "blue", "Material": "oak", **({"Note": f"[[scripted:{told}]]"} if told else {})}
        product = {
            "sku": sku,
            "title": f"Plain Stool {_letters(number)}",
            "attributes": attributes,
            "description": f"The old text of {sku}.",
            "locale": "en",
        }
        lines.append(json.dumps(product))
    path.write_text("\n".join(lines) + "\n", "utf-8")
    return path
