"""Following a run to its end in the terminal."""

import time
from datetime import UTC, datetime, timedelta

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from copydesk.model import Status
from copydesk.store import Database, runs
from copydesk.store.runs import Run

POLL_SECONDS = 0.5
LINE_EVERY_SECONDS = 5.0


def watch(database: Database, run: int, *, quiet: bool = False) -> Run:
    """Returns the run once it has ended. On a terminal a live bar, elsewhere a line now and then."""
    console = Console(stderr=True, quiet=quiet)
    return _with_bar(database, run, console) if console.is_terminal else _with_lines(database, run, console)


def line(run: Run) -> str:
    """One line about a run: "31/50 · 4.2 items/s · 5 s left · 28 ready, 3 held, 0 failed, 0 stale"."""
    named = [name for name in runs.OUTCOMES if name != Status.IGNORED or name in run.outcomes]
    counts = ", ".join(f"{run.outcomes.get(name, 0)} {name}" for name in named)
    rate = items_per_second(run)
    left = timedelta(seconds=round((run.queued - run.settled) / rate)) if rate else "?"
    end = "finished" if run.finished_at else f"{left} left"
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
        while True:
            now = find(database, run)
            progress.update(bar, completed=now.settled, total=now.queued, line=line(now).partition(" · ")[2])
            if now.finished_at:
                return now
            time.sleep(POLL_SECONDS)


def _with_lines(database: Database, run: int, console: Console) -> Run:
    said_at = 0.0
    while True:
        now = find(database, run)
        if now.finished_at or time.monotonic() - said_at >= LINE_EVERY_SECONDS:
            console.print(f"run {run}: {line(now)}", highlight=False)
            said_at = time.monotonic()
        if now.finished_at:
            return now
        time.sleep(POLL_SECONDS)
