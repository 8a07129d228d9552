"""The tasks. A task body is one call; what it does stands in copydesk.jobs."""

import contextlib
from collections.abc import Callable
from typing import Any

from celery import Task

from copydesk.errors import ConfigurationError
from copydesk.jobs.chunks import Progress
from tasks import desk
from tasks.app import app
from tasks.names import BATCH_CHUNK, CLEAN, DESCRIBE_CHUNK, NIGHTLY, REPLY_CHUNK, ROUTES, SENTIMENT_CHUNK, SWEEP


def task(name: str) -> Callable[[Callable[..., str]], Any]:
    """Register a task under its explicit name; one without a route would wait in a queue that nobody reads."""
    if name not in ROUTES:
        raise ConfigurationError(f"the task {name} has no route: add it to tasks/names.py")
    register: Callable[[Callable[..., str]], Any] = app.task(name=name, bind=True)
    return register


def tell_flower(running: Task) -> Progress:
    """Shows how a chunk goes as the task's result while it runs."""

    def tell(line: str) -> None:
        # While the broker is away an event raises; nobody can see it then, and the chunk goes on.
        with contextlib.suppress(Exception):
            running.send_event("task-progress", result=line)

    return tell


@task(DESCRIBE_CHUNK)
def describe_chunk(self: Task, *, run: int, chunk: int, shop: str) -> str:  # noqa: ARG001 - shop is for Flower's reader
    """Write the copy of one chunk, of whatever kind."""
    return desk.current().describe_chunk(run, chunk, tell_flower(self))


@task(BATCH_CHUNK)
def batch_chunk(self: Task, *, run: int, chunk: int, shop: str) -> str:  # noqa: ARG001
    """Answer the requests of one chunk of a batch file."""
    return desk.current().batch_chunk(run, chunk, tell_flower(self))


@task(REPLY_CHUNK)
def reply_chunk(self: Task, *, run: int, chunk: int, shop: str) -> str:  # noqa: ARG001
    """Write the replies to the reviews of one chunk."""
    return desk.current().reply_chunk(run, chunk, tell_flower(self))


@task(SENTIMENT_CHUNK)
def sentiment_chunk(self: Task, *, run: int, chunk: int, shop: str) -> str:  # noqa: ARG001
    """Have the classifier judge the reviews of one chunk."""
    return desk.current().sentiment_chunk(run, chunk, tell_flower(self))


@task(SWEEP)
def sweep(self: Task) -> str:  # noqa: ARG001
    """Put right what crashed workers and lost messages left behind."""
    return desk.current().sweep()


@task(CLEAN)
def clean(self: Task) -> str:  # noqa: ARG001
    """Remove what old runs left behind."""
    return desk.current().clean()


@task(NIGHTLY)
def nightly(self: Task, *, shop: str) -> str:  # noqa: ARG001
    """Plan and ring the nightly refresh of one shop."""
    return desk.current().nightly(shop)
