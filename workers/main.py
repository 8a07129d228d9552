"""The worker: `celery -A workers.main worker`. Opens the engine and the database first, closes them last."""

import os
import signal
import sys
import threading
import time
from typing import Any

from celery.signals import celeryd_init, worker_shutdown, worker_shutting_down

from copydesk import settings as copydesk_settings
from copydesk.engine.open import open_classifier, open_engine
from copydesk.errors import CopydeskError, StoreUnavailable
from copydesk.jobs import posting, retry
from copydesk.store import Database
from tasks import desk
from tasks.app import app
from workers.heartbeat import Heartbeat
from workers.lanes import CatalogCap

DATABASE_RETRY_SECONDS = 2.0

app.steps["consumer"].update({Heartbeat, CatalogCap})


@celeryd_init.connect  # type: ignore[untyped-decorator] # celery is untyped
def open_desk(**_: Any) -> None:
    """Refuses to start, with one line and no traceback, when the settings or the model are wrong."""
    try:
        settings = copydesk_settings.load()
        posting.check(settings)
        database = Database(settings.database)
        engine = open_engine(settings, on_broken=end)  # first: a model that is missing should be heard of at once
        wait_for(database)
        classifier = desk.OpenedOnce(lambda on_broken: open_classifier(settings, on_broken))
        desk.provide(desk.Desk(settings, database, engine, classifier))
    except CopydeskError as error:
        # Celery swallows every other exception of a signal, and would run on without an engine.
        raise SystemExit(f"copydesk worker: {error}") from error


@worker_shutting_down.connect  # type: ignore[untyped-decorator]
def drain_desk(**_: Any) -> None:
    """SIGTERM came: what decodes is finished, the rest goes back. In a thread: this is a signal handler."""
    stopped = desk.current()
    threading.Thread(target=stopped.drain, name="drain", daemon=True).start()
    give_up = threading.Timer(stopped.settings.shutdown_seconds, retry.give_up)  # on a database that is away
    give_up.daemon = True
    give_up.start()


@worker_shutdown.connect  # type: ignore[untyped-decorator]
def close_desk(**_: Any) -> None:
    opened = desk.current()
    opened.engine.close()
    opened.classifier.close()
    opened.database.close()
    desk.provide(None)


def end(_why: str) -> None:
    """A worker without an engine is of no use: a warm shutdown, and whoever watches over us starts another."""
    os.kill(os.getpid(), signal.SIGTERM)


def wait_for(database: Database) -> None:
    """Returns once the database answers and is migrated; says every few seconds what it waits for."""
    while True:
        try:
            return database.check()
        except StoreUnavailable as error:
            print(f"copydesk worker: {error}; trying again", file=sys.stderr)  # noqa: T201 - logging is not set up yet
            time.sleep(DATABASE_RETRY_SECONDS)
