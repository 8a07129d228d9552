"""Ringing for a planned run, and the warnings that belong to it."""

import secrets
import time
from datetime import UTC, datetime

import typer

from copydesk.model import Lane
from copydesk.settings import Settings
from copydesk.store import Database, runs
from copydesk.store.runs import Planned
from producer.services import ServiceError, Services


def new_key() -> str:
    """A run key that no other run has."""
    return f"manual {datetime.now(UTC):%Y-%m-%d %H:%M:%S} {secrets.token_hex(2)}"


def ring(settings: Settings, database: Database, planned: Planned, lane: Lane = Lane.CATALOG) -> None:
    """Ring for a run that was just planned in this lane, as ring_for does."""
    if planned.queued:
        _ring(settings, database, planned.run, lane)


def ring_for(settings: Settings, database: Database, run: int) -> None:
    """Ring; a broker that is away, or workers that are, are warned of and lose nothing."""
    with database.read() as connection:
        lane = runs.asked(connection, run).lane
    _ring(settings, database, run, Lane(lane))


def _ring(settings: Settings, database: Database, run: int, lane: Lane) -> None:
    from tasks import bells

    try:
        bells.ring(database, settings.max_chunks_in_broker)
        listening = bells.listening_workers(lane)
    except bells.BrokerAway:
        _warn(f"the broker does not answer; run {run} is planned and starts when broker, worker and beat are up")
        return
    if not listening:
        _warn(f"no worker listens; run {run} waits for one: `copydesk up`, or celery -A workers.main worker")


def wait_for_worker(services: Services, timeout_seconds: float) -> None:
    """Returns once a worker listens.

    Raises:
        ServiceError: a service ended, or no worker listened in time.
    """
    from tasks import bells

    deadline = time.monotonic() + timeout_seconds
    while not bells.listening_workers():
        services.check()
        if time.monotonic() > deadline:
            raise ServiceError(f"no worker listened within {timeout_seconds:.0f} s; the services' output says why")


def _warn(message: str) -> None:
    typer.secho(f"warning: {message}", fg=typer.colors.YELLOW, err=True)
