"""What every kind of work shares: a chunk is claimed, its items go through the engine, what comes back is written down.

A job says how to claim, what to ask for an item and what to make of an answer; everything else stands here.
"""

import contextlib
import time
import uuid
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from queue import Empty, SimpleQueue
from typing import Any, Protocol, TypeVar

from copydesk.engine.base import Completion, Engine, Finish, Request
from copydesk.errors import ConfigurationError, StoreUnavailable
from copydesk.model import Lane, Reason, Telemetry
from copydesk.settings import Settings
from copydesk.store import Database, drafts, runs

Progress = Callable[[str], None]
"""Told how a chunk goes, about once a second: "12/32 ok, 1 held, 0 failed | 85 tok/s, batch 41/48, wait 0.4 s"."""

SETTLE_AT_MOST_EVERY_SECONDS = 0.5
TELL_EVERY_SECONDS = 1.0

SETTLE_PAUSES_SECONDS = (0.2, 1.0, 5.0)
"""Before a result is tried to be written again; together well within a lease."""


@dataclass(slots=True)
class Tally:
    """How a chunk stands, and what it took."""

    total: int = 0
    ready: int = 0
    held: int = 0
    failed: int = 0
    stale: int = 0
    telemetry: Telemetry = field(default_factory=Telemetry)

    def __str__(self) -> str:
        counts = f"{self.ready}/{self.total} ok, {self.held} held, {self.failed} failed"
        return " | ".join(filter(None, (counts, str(self.telemetry))))


class Next(Enum):
    """What an item needs when it is not done."""

    WAIT = "another candidate of this ask comes"
    ASK = "all candidates came, and none will do"


@dataclass(slots=True)
class Item(ABC):
    """One draft on its way. The counters are kept by the loop: of asks, and of answers to the ask under way."""

    draft: int
    candidates: int
    asks: int = field(default=0, init=False)
    answers: int = field(default=0, init=False)
    prompt_tokens: int = field(default=0, init=False)
    completion_tokens: int = field(default=0, init=False)

    @property
    def awaits_more(self) -> bool:
        return self.answers < self.candidates

    @abstractmethod
    def request(self, name: str, lane: Lane) -> Request:
        """What to ask next, under this id."""

    @abstractmethod
    def judge(self, completion: Completion) -> drafts.Outcome | Next:
        """What to make of an answer, which has been counted already."""


Claimed_co = TypeVar("Claimed_co", covariant=True)
Taken = TypeVar("Taken")


class Claim(Protocol[Claimed_co]):
    """A query of the store that takes what waits in a chunk."""

    def __call__(
        self, connection: Any, run: int, chunk: int, *, token: str, lease_seconds: float
    ) -> Sequence[Claimed_co]: ...


class Settle(Protocol):
    """What the store does with outcomes, each on condition of the lease."""

    def __call__(self, connection: Any, token: str, outcomes: Sequence[drafts.Outcome]) -> drafts.Settled: ...


def engine_failed(completion: Completion) -> Reason:
    """Why a request that the engine gave up has no text."""
    return Reason("engine.failed", f"the model could not answer: {completion.error}")


def asked(database: Database, settings: Settings, run: int) -> runs.Asked:
    """What a run was planned with.

    Raises:
        NotFound: there is no such run.
        ConfigurationError: it was planned for another model than this worker's settings name.
    """
    found = planned(database, run)
    engine, model = found.recipe["engine"], found.recipe["model"]
    if (engine, model) != (settings.engine, settings.model):
        raise ConfigurationError(
            f"run {run} was planned for {model} on {engine}, this worker has {settings.model} on "
            f"{settings.engine}: give producer and worker the same COPYDESK_MODEL and COPYDESK_ENGINE"
        )
    return found


def planned(database: Database, run: int) -> runs.Asked:
    """What a run was planned with, for whichever model. Raises NotFound."""
    with database.read() as connection:
        return runs.asked(connection, run)


def write(
    database: Database,
    engine: Engine,
    run: int,
    chunk: int,
    *,
    claim: Claim[Taken],
    read: Callable[[Taken], Item | drafts.Outcome],
    lane: Lane,
    lease_seconds: float,
    progress: Progress,
    settle: Settle = drafts.settle,
) -> Tally:
    """Write every draft of a chunk that nobody else holds; does nothing when there is none.

    An error ends the lease at once, so that the next sweep gives the drafts to another worker.
    """
    lease = _Lease(database, uuid.uuid4().hex, lease_seconds, settle)
    writing = _Writing(engine, lane, lease, progress)
    try:
        stale = -1
        while stale < writing.tally.stale:  # again, for the successors of drafts that went stale under our hands
            stale = writing.tally.stale
            if claimed := lease.claim(claim, run, chunk):
                writing.tally.total += len(claimed)
                writing.write([read(one) for one in claimed])
    except BaseException:
        engine.cancel(list(writing.items))
        with contextlib.suppress(StoreUnavailable):  # then the lease runs out by itself
            lease.let_go()
            _end(database, run, chunk, writing.measured(), closes=False)
        raise
    _end(database, run, chunk, writing.tally, closes=True)
    return writing.tally


def _end(database: Database, run: int, chunk: int, tally: Tally, *, closes: bool) -> None:
    with database.write() as connection:
        if tally.total:
            runs.add_telemetry(connection, run, chunk, tally.telemetry)
        if closes:
            runs.close_chunks(connection, only=(run, chunk))
            runs.finalize(connection, run)


@dataclass(slots=True)
class _Lease:
    """This worker's hold on the drafts of one chunk."""

    database: Database
    token: str
    seconds: float
    write: Settle
    renewed_at: float = 0.0

    def claim(self, claim: Claim[Taken], run: int, chunk: int) -> Sequence[Taken]:
        self.renewed_at = time.monotonic()
        with self.database.write() as connection:
            return claim(connection, run, chunk, token=self.token, lease_seconds=self.seconds)

    def renew_when_due(self) -> None:
        if time.monotonic() - self.renewed_at < self.seconds / 3:
            return
        self.renewed_at = time.monotonic()
        with self.database.write() as connection:
            drafts.renew(connection, self.token, self.seconds)

    def settle(self, outcomes: Sequence[drafts.Outcome]) -> drafts.Settled:
        """Tried again when the database is away for a moment: what was settled already is merely fenced out."""
        pauses = iter(SETTLE_PAUSES_SECONDS)
        while True:
            try:
                with self.database.write() as connection:
                    return self.write(connection, self.token, outcomes)
            except StoreUnavailable:
                pause_seconds = next(pauses, None)
                if pause_seconds is None:
                    raise
                time.sleep(pause_seconds)

    def let_go(self) -> None:
        with self.database.write() as connection:
            drafts.let_go(connection, self.token)


class _Meter:
    """What one go at a chunk costs, and what the engine does meanwhile."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._began_at = time.monotonic()
        self._before = engine.stats()
        self._sums = Telemetry()

    def count(self, completion: Completion) -> None:
        self._sums += Telemetry(
            completions=1,
            prompt_tokens=completion.prompt_tokens,
            completion_tokens=completion.completion_tokens,
            queue_seconds=completion.queue_seconds,
            first_token_seconds=completion.first_token_seconds,
            seconds=completion.seconds,
        )

    def read(self) -> Telemetry:
        before, now = self._before, self._engine.stats()
        return replace(
            self._sums,
            wall_seconds=time.monotonic() - self._began_at,
            busy_seconds=now.busy_seconds - before.busy_seconds,
            sequence_seconds=now.sequence_seconds - before.sequence_seconds,
            width=now.width,
        )


class _Writing:
    """The claimed drafts of one chunk, between the engine and the ledger."""

    def __init__(self, engine: Engine, lane: Lane, lease: _Lease, progress: Progress) -> None:
        self.engine = engine
        self.lane = lane
        self.lease = lease
        self.progress = progress
        self.tally = Tally()
        self.items: dict[str, Item] = {}
        self.outcomes: list[drafts.Outcome] = []
        self.inbox: SimpleQueue[Completion] = SimpleQueue()
        self.meter = _Meter(engine)

    def write(self, read: Sequence[Item | drafts.Outcome]) -> None:
        self.outcomes += [one for one in read if isinstance(one, drafts.Outcome)]
        self._ask([one for one in read if isinstance(one, Item)])
        settled_at = told_at = time.monotonic()
        while self.items:
            self._receive()
            self.lease.renew_when_due()
            now = time.monotonic()
            if now - settled_at >= SETTLE_AT_MOST_EVERY_SECONDS:
                self._settle()
                settled_at = now
            if now - told_at >= TELL_EVERY_SECONDS:
                self.progress(str(self.measured()))
                told_at = now
        self._settle()
        self.progress(str(self.measured()))

    def measured(self) -> Tally:
        self.tally.telemetry = self.meter.read()
        return self.tally

    def _name(self, item: Item) -> str:
        """Unique in the engine, also when somebody else of this process took the draft over from us."""
        return f"{self.lease.token}.{item.draft}"

    def _ask(self, items: Sequence[Item]) -> None:
        requests = []
        for item in items:
            requests.append(item.request(self._name(item), self.lane))
            item.asks += 1
            item.answers = 0
            self.items[self._name(item)] = item
        if requests:
            self.engine.submit(requests, self.inbox.put)

    def _receive(self) -> None:
        try:
            completion = self.inbox.get(timeout=SETTLE_AT_MOST_EVERY_SECONDS)
        except Empty:
            return
        if completion.finish is Finish.CLOSED:
            raise RuntimeError("the engine was closed while this chunk was being written; another worker takes it up")
        if completion.finish is Finish.CANCELLED:
            return
        self.meter.count(completion)
        item = self.items.get(completion.request_id)
        if item is not None:  # a candidate that comes after the item was done is not needed
            self._judge(item, completion)

    def _judge(self, item: Item, completion: Completion) -> None:
        item.answers += 1
        item.prompt_tokens += completion.prompt_tokens
        item.completion_tokens += completion.completion_tokens
        made = item.judge(completion)
        if made is Next.ASK:
            self._ask([item])
        elif isinstance(made, drafts.Outcome):
            del self.items[completion.request_id]
            self.outcomes.append(made)
            if item.awaits_more:
                self.engine.cancel([completion.request_id])

    def _settle(self) -> None:
        if not self.outcomes:
            return
        settled = self.lease.settle(self.outcomes)
        for outcome in self.outcomes:
            if outcome.draft in settled.accepted:
                setattr(self.tally, outcome.status.value, getattr(self.tally, outcome.status.value) + 1)
        self.tally.stale += settled.stale
        self.outcomes.clear()
