"""What the tasks of this process work with. The worker provides it once, before the first task runs."""

import contextlib
import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from copydesk.engine.base import Engine
from copydesk.errors import ConfigurationError, CopydeskError, StoreUnavailable
from copydesk.jobs import batch, chunks, copywriting, posting, replies, sentiments, upkeep
from copydesk.jobs.chunks import Progress, Tally
from copydesk.settings import Settings
from copydesk.store import Database, runs
from tasks import bells, schedule

log = logging.getLogger("copydesk.desk")


LOST_NIGHT = timedelta(hours=1)
"""How long after a slot of the nightly schedule the sweep makes up for a message that never came."""


class OpenedOnce:
    """An engine that whoever needs it first opens; the others wait, and get the same.

    Args:
        open_it: opens it; it is given what to call when the engine cannot go on, after which another is opened.
    """

    def __init__(self, open_it: Callable[[Callable[[str], None]], Engine]) -> None:
        self._open = open_it
        self._lock = threading.Lock()
        self._opened: Engine | None = None

    def __call__(self) -> Engine:
        """Raises as opening does; the next one to call tries again."""
        with self._lock:
            opened = self._opened = self._opened or self._open(self._forget)
            return opened

    def _forget(self, _why: str) -> None:
        self._opened = None  # without the lock: close() holds it while it waits for the thread that calls this

    def close(self) -> None:
        """Closes what was opened."""
        with self._lock:
            if self._opened is not None:
                self._opened.close()


@dataclass(frozen=True, slots=True)
class Desk:
    """One worker process: its settings, its database, its engine, and the classifier, opened when it is needed."""

    settings: Settings
    database: Database
    engine: Engine
    classifier: OpenedOnce
    _relay: bells.Relay = field(default_factory=bells.Relay, init=False, repr=False)
    _posting: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False)
    _draining: threading.Event = field(default_factory=threading.Event, init=False, repr=False)

    def describe_chunk(self, run: int, chunk: int, progress: Progress) -> str:
        return self._write(copywriting.write_chunk, self.engine, run, chunk, progress)

    def batch_chunk(self, run: int, chunk: int, progress: Progress) -> str:
        return self._write(batch.write_chunk, self.engine, run, chunk, progress)

    def reply_chunk(self, run: int, chunk: int, progress: Progress) -> str:
        return self._write(replies.write_chunk, self.engine, run, chunk, progress)

    def sentiment_chunk(self, run: int, chunk: int, progress: Progress) -> str:
        return self._write(sentiments.write_chunk, self.classifier, run, chunk, progress)

    def _write(self, job: Callable[..., Tally], engine: object, run: int, chunk: int, progress: Progress) -> str:
        """How a chunk went, as the task's result. Others are rung: a bell has been taken, and a chunk has ended."""
        self._ring_if_few()
        try:
            tally = job(self.database, self.settings, engine, run, chunk, progress)
        except (
            ConfigurationError
        ) as error:  # another worker can; this one keeps a place busy, so as not to take it again
            chunks.put_back(self.database, run, chunk, str(error), for_seconds=1)
            self._draining.wait(chunks.TROUBLE_SECONDS)
            raise
        except Exception as error:
            with contextlib.suppress(StoreUnavailable):  # then the sweep finds a chunk that is rung and silent
                chunks.put_back(self.database, run, chunk, str(error) or type(error).__name__)
            raise
        self._ring_if_few()
        return str(tally)

    def _ring_if_few(self) -> None:
        """A broker or a database that is away for a moment costs nothing: the next sweep rings."""
        try:
            self._ring(room=(self.settings.max_chunks_in_broker + 1) // 2)
        except (bells.BrokerAway, StoreUnavailable) as error:
            log.warning("nothing was rung: %s", error)

    def drain(self) -> None:
        """Finish what decodes, and leave the rest to others; nothing is begun any more."""
        self._draining.set()
        self.engine.drain(self.settings.shutdown_seconds)
        self.classifier.close()

    def sweep(self) -> str:
        swept = upkeep.sweep(
            self.database,
            max_attempts=self.settings.max_attempts,
            heard=bells.heard(),
            rule_is_on=lambda shop: self.settings.shop(shop).auto_publish,
            keep_reviews_days=self.settings.keep_reviews_days,
        )
        if swept:
            log.info("swept: %s", swept)
        self._make_up_for_a_lost_night()
        return f"{swept}, {self._ring()} rung{self._post()}"

    def clean(self) -> str:
        """Remove what ended runs left behind and is older than the settings keep."""
        days = self.settings.keep_runs_days
        return f"{0 if days is None else upkeep.clean(self.database, days)} drafts removed"

    def _post(self) -> str:
        """What is approved goes to the webhooks of the shops that have one; what came of it, as the sweep tells it.

        Sweeps that end while one thread posts leave it to that one: slow receivers hold one thread, not all.
        """
        if not self._posting.acquire(blocking=False):
            return ""
        try:
            posted = posting.post_due(self.database, self.settings)
        except CopydeskError as error:
            log.error("replies cannot be posted: %s", error)
            return ", none posted"
        finally:
            self._posting.release()
        return f", posted: {dict(posted)}" if posted else ""

    def _make_up_for_a_lost_night(self) -> None:
        """Beat's message for the night may have met a broker or a database that was away, or been flushed."""
        slot = schedule.last_slot(self.settings.nightly, datetime.now(UTC))
        if datetime.now(UTC) - slot > LOST_NIGHT:
            return
        for shop in self.settings.nightly.shops:
            with self.database.read() as connection:
                planned = runs.key_is_used(connection, shop, nightly_key(slot))
            if not planned:
                try:
                    log.info("the nightly message of %s was lost; %s", shop, self.nightly(shop))
                except CopydeskError:
                    log.exception("the nightly run of %s cannot be planned", shop)

    def nightly(self, shop: str) -> str:
        """Two beats make one run: its key is the schedule's slot."""
        slot = schedule.last_slot(self.settings.nightly, datetime.now(UTC))
        planned = copywriting.plan(self.database, self.settings, shop, nightly_key(slot))
        self._ring()
        return (
            f"run {planned.run}: {planned.queued} queued" if planned.created else f"run {planned.run} was there already"
        )

    def _ring(self, room: int = 1) -> int:
        return self._relay.ring(self.database, self.settings.max_chunks_in_broker, room)


def nightly_key(slot: datetime) -> str:
    """The run key that everybody gives the run of this slot."""
    return f"nightly {slot:%Y-%m-%d %H:%M}"


_current: Desk | None = None


def provide(desk: Desk | None) -> None:
    """Called by the worker when it starts, and with None when it ends."""
    global _current  # noqa: PLW0603 - one process, one desk
    _current = desk


def current() -> Desk:
    """Raises ConfigurationError in a process that is not a worker."""
    if _current is None:
        raise ConfigurationError("no desk in this process: start the worker with `celery -A workers.main worker`")
    return _current
