"""Following a run to its end in the terminal."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from copydesk.model import Status
from copydesk.store import Database, runs
from copydesk.store.runs import Run, State

POLL_SECONDS, LOOKING_SHARE = 0.5, 0.1
"""How often a run is looked at; less often where that would keep the database busy for more than this share."""
LINE_EVERY_SECONDS = 5.0

SELDOM = (Status.IGNORED, Status.CANCELLED)
"""Outcomes that are named only where there are some."""


def watch(database: Database, run: int, *, quiet: bool = False) -> Run:
    """Returns the run once it has ended. On a terminal a live bar, elsewhere a line now and then."""
    console = Console(stderr=True, quiet=quiet)
    return _with_bar(database, run, console) if console.is_terminal else _with_lines(database, run, console)


def line(run: Run) -> str:
    """One line about a run: "31/50 · 4.2 items/s · 5 s left · 28 ready, 3 held, 0 failed, 0 stale"."""
    named = [name for name in runs.OUTCOMES if name not in SELDOM or name in run.outcomes]
    counts = ", ".join(f"{run.outcomes.get(name, 0)} {name}" for name in named)
    rate = items_per_second(run)
    left = timedelta(seconds=round((run.queued - run.settled) / rate)) if rate else "?"
    end = run.state if run.finished_at or run.state != State.RUNNING else f"{left} left"
    return f"{run.settled}/{run.queued} · {rate:.1f} items/s · {end} · {counts}"


def items_per_second(run: Run) -> float:
    """Settled drafts per second since the first claim; 0.0 before it."""
    seconds = run.seconds(datetime.now(UTC))
    return run.settled / seconds if seconds else 0.0


def find(database: Database, run: int) -> Run:
    """The run as it stands. Raises NotFound."""
    with database.read() as connection:
        return runs.find(connection, run)


def _with_bar(database: Database, run: int, console: Console) -> Run:
    columns = (
        TextColumn("run {task.fields[run]}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[line]}"),
    )
    with Progress(*columns, console=console) as progress:
        bar = progress.add_task("", run=run, line="", total=None)
        for now in _looks(database, run):
            progress.update(bar, completed=now.settled, total=now.queued, line=line(now).partition(" · ")[2])
    return now


def _with_lines(database: Database, run: int, console: Console) -> Run:
    said_at = 0.0
    for now in _looks(database, run):
        if now.finished_at or time.monotonic() - said_at >= LINE_EVERY_SECONDS:
            console.print(f"run {run}: {line(now)}", highlight=False)
            said_at = time.monotonic()
    return now


def _looks(database: Database, run: int) -> Iterator[Run]:
    """The run as it stands, again and again, until it has ended."""
    while True:
        began = time.monotonic()
        now = find(database, run)
        took = time.monotonic() - began
        yield now
        if now.finished_at:
            return
        time.sleep(max(POLL_SECONDS, took / LOOKING_SHARE))
