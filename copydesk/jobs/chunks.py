"""What every kind of work shares: a chunk is claimed, its items go through the engine, what comes back is written down.

A job says how to claim, what to ask for an item and what to make of an answer; everything else stands here.
"""

import contextlib
import threading
import time
import uuid
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import Enum
from queue import Empty, SimpleQueue
from typing import Any, Protocol, TypeVar

from copydesk.engine.base import Completion, Engine, EngineClosed, Finish, Request
from copydesk.errors import ConfigurationError, CopydeskError, StoreUnavailable
from copydesk.jobs import comparing, retry, stopping
from copydesk.model import Lane, Reason, Status, Telemetry
from copydesk.settings import Settings
from copydesk.store import Database, drafts, runs
from copydesk.store import comparing as comparisons

Progress = Callable[[str], None]
"""Told how a chunk goes, about once a second: "12/32 ok, 1 held, 0 failed | 85 tok/s, batch 41/48, wait 0.4 s"."""

SETTLE_AT_MOST_EVERY_SECONDS = 0.5
TELL_EVERY_SECONDS = 1.0

SCRIPTED = "scripted"
"""The engine without a model: what it writes goes to no run that was planned for one."""

LOOK_AGAIN_SECONDS = 2.0
"""After which a chunk is rung again whose crashed drafts had to wait for those of another chunk."""

UNAVAILABLE_SECONDS = 30.0
"""The same where what runs the model cannot be reached."""

LOOKED_UP_SECONDS = 60.0
"""For which a chunk that has just been rung waits for a database that is away; then it is rung again."""

REFUSED_OF_ANSWERED = 8
"""So many answers for each that did not come say that what runs the model can be reached."""

TROUBLE_SECONDS = 15.0
"""The same where this worker cannot work on it at all; another one may."""

_one_at_a_time = threading.Lock()
"""Of what was in flight when something crashed, a process has one draft in hand: so that a crash blames no other."""


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
    """One draft on its way. The loop keeps the counters (of asks, and of answers to the ask under way) and the time."""

    draft: int
    candidates: int
    asks: int = field(default=0, init=False)
    answers: int = field(default=0, init=False)
    prompt_tokens: int = field(default=0, init=False)
    completion_tokens: int = field(default=0, init=False)
    began_at: float = field(default=0.0, init=False)  # by time.monotonic()

    @property
    def awaits_more(self) -> bool:
        return self.answers < self.candidates

    @abstractmethod
    def request(self, name: str, lane: Lane) -> Request:
        """What to ask next, under this id."""

    @abstractmethod
    def judge(self, completion: Completion) -> drafts.Outcome | Next:
        """What to make of an answer, which has been counted already."""


NOT_ANSWERED = frozenset({Finish.CLOSED, Finish.CRASHED, Finish.UNAVAILABLE})

Claimed_co = TypeVar("Claimed_co", covariant=True)
Taken = TypeVar("Taken")
Made = TypeVar("Made")


class Claim(Protocol[Claimed_co]):
    """A query of the store that takes what waits in a chunk."""

    def __call__(
        self, connection: Any, run: int, chunk: int, *, token: str, lease_seconds: float, alone: bool
    ) -> Sequence[Claimed_co]: ...


class Settle(Protocol):
    """What the store does with outcomes, each on condition of the lease."""

    def __call__(self, connection: Any, token: str, outcomes: Sequence[drafts.Outcome]) -> drafts.Settled: ...


def engine_failed(completion: Completion) -> Reason:
    """Why a request that the engine gave up has no text."""
    return Reason("engine.failed", f"the model could not answer: {completion.error}")


def asked(database: Database, settings: Settings, run: int) -> runs.Asked:
    """What a run was planned with. Workers may run its model on different engines.

    Raises:
        NotFound: there is no such run.
        ConfigurationError: it was planned for another model than this worker's settings name.
    """
    found = planned(database, run)
    engine, model = found.recipe["engine"], found.recipe["model"]
    if model != settings.model or (SCRIPTED in {engine, settings.engine} and engine != settings.engine):
        raise ConfigurationError(
            f"run {run} was planned for {model} on {engine}, a worker has {settings.model} on "
            f"{settings.engine}: give producer and worker the same COPYDESK_MODEL and COPYDESK_ENGINE"
        )
    return found


def planned(database: Database, run: int) -> runs.Asked:
    """What a run was planned with, for whichever model. Raises NotFound."""
    return looked_up(database, lambda connection: runs.asked(connection, run))


def looked_up(database: Database, query: Callable[[Any], Made]) -> Made:
    """What a query says; a database that is away for a moment is asked again."""

    def read() -> Made:
        with database.read() as connection:
            return query(connection)

    return retry.persist(read, for_seconds=LOOKED_UP_SECONDS)


def write(
    database: Database,
    settings: Settings,
    engine: Engine,
    run: int,
    chunk: int,
    *,
    claim: Claim[Taken],
    read: Callable[[Taken], Item | drafts.Outcome],
    lane: Lane,
    progress: Progress,
    settle: Settle = drafts.settle,
) -> Tally:
    """Write every draft of a chunk that waits and that nobody else holds; does nothing when there is none.

    What was in flight when a worker or an engine crashed is claimed and asked for by itself, one after the other. What
    cannot be finished (the engine is closed, has crashed or cannot be reached) waits again, and so does the chunk.
    An error that nobody expected counts as a crash of everything in hand.
    """
    lease = _Lease(database, run, chunk, settings, settle)
    writing = _Writing(engine, lane, lease, progress)
    try:
        _write_fresh(writing, claim, read)
        look_again_seconds = _write_crashed(writing, claim, read)
    except BaseException as error:
        engine.cancel(list(writing.items))
        lease.patience_seconds = 0
        is_foreseen = isinstance(error, CopydeskError) or not isinstance(error, Exception)
        with contextlib.suppress(StoreUnavailable):  # then the lease runs out by itself
            lease.let_go(crashed=() if is_foreseen else {item.draft for item in writing.items.values()})
            lease.end(writing.measured(), look_again_seconds=TROUBLE_SECONDS)
        raise
    if writing.unavailable:
        look_again_seconds = UNAVAILABLE_SECONDS
    lease.end(writing.tally, look_again_seconds=look_again_seconds, trouble=writing.unavailable)
    return writing.tally


def _write_fresh(writing: "_Writing", claim: Claim[Taken], read: Callable[[Taken], Item | drafts.Outcome]) -> None:
    stale = -1
    while stale < writing.tally.stale:  # again, for the successors of drafts that went stale under our hands
        stale = writing.tally.stale
        writing.claim_and_write(claim, read, alone=False)


def _write_crashed(writing: "_Writing", claim: Claim[Taken], read: Callable[[Taken], Item | drafts.Outcome]) -> float:
    """What was in flight when something crashed; seconds until somebody should look again."""
    if writing.interrupted or not writing.lease.crashed_wait():
        return 0.0
    if not _one_at_a_time.acquire(blocking=False):
        return LOOK_AGAIN_SECONDS
    try:
        while writing.claim_and_write(claim, read, alone=True):
            pass
    finally:
        _one_at_a_time.release()
    return 0.0


def put_back(database: Database, run: int, chunk: int, trouble: str, *, for_seconds: float = TROUBLE_SECONDS) -> None:
    """A worker that cannot work on a chunk leaves it to others, a little later, and says why."""
    with database.write() as connection:
        drafts.wait_for_next(connection, run, chunk, not_before_seconds=for_seconds)
        runs.note_trouble(connection, run, trouble)


class _Lease:
    """This worker's hold on the drafts of one chunk. Every transaction is tried again while it is of use."""

    def __init__(self, database: Database, run: int, chunk: int, settings: Settings, settle: Settle) -> None:
        self.token = uuid.uuid4().hex
        self._database = database
        self._place = (run, chunk)
        self._seconds = settings.lease_seconds
        self._pauses = retry.crash_pauses(settings.max_attempts)
        self._settle = settle
        self._renewed_at = 0.0
        self.patience_seconds: float = settings.lease_seconds  # with a database that is away

    def _do(self, action: Callable[[Any], Made], *, writes: bool = True) -> Made:
        def transaction() -> Made:
            with self._database.write() if writes else self._database.read() as connection:
                return action(connection)

        return retry.persist(transaction, for_seconds=self.patience_seconds)

    def claim(self, claim: Claim[Taken], *, alone: bool) -> Sequence[Taken]:
        self._renewed_at = time.monotonic()
        token, seconds = self.token, self._seconds
        return self._do(
            lambda connection: claim(connection, *self._place, token=token, lease_seconds=seconds, alone=alone)
        )

    def crashed_wait(self) -> bool:
        """Do drafts wait that were in flight when something crashed?"""
        return self._do(lambda connection: drafts.crashed_wait(connection, *self._place), writes=False)

    def held(self) -> set[int]:
        return self._do(lambda connection: drafts.held(connection, *self._place, self.token), writes=False)

    def renew_when_due(self, engine: Engine) -> None:
        """Not while the engine makes no progress: then others shall have the drafts."""
        if time.monotonic() - self._renewed_at < self._seconds / 3:
            return
        if engine.stats().stalled_seconds >= self._seconds / 3:
            return
        self._renewed_at = time.monotonic()
        self._do(lambda connection: drafts.renew(connection, *self._place, self.token, self._seconds))

    def settle(self, outcomes: Sequence[drafts.Outcome]) -> drafts.Settled:
        """Tried again after a lost answer, what was settled already is merely fenced out."""

        def action(connection: Any) -> drafts.Settled:
            settled = self._settle(connection, self.token, outcomes)
            runs.note_settled(connection, *self._place)
            return settled

        return self._do(action)

    def let_go(self, crashed: Collection[int]) -> None:
        self._do(
            lambda connection: drafts.let_go(connection, *self._place, self.token, crashed=crashed, pauses=self._pauses)
        )

    def end(self, tally: Tally, *, look_again_seconds: float, trouble: str = "") -> None:
        """What was done is added to the chunk and its run, which end if they owe nothing more.

        A run that owes only the comparison of its texts is compared here and now.
        """
        run, chunk = self._place

        def action(connection: Any) -> tuple[list[tuple[int, str]], datetime | None]:
            drafts.wait_for_next(connection, run, chunk, not_before_seconds=look_again_seconds)
            if tally.total:
                runs.add_telemetry(connection, run, chunk, tally.telemetry)
            if trouble:
                runs.note_trouble(connection, run, trouble)
            runs.close_chunks(connection, only=self._place)
            runs.finalize(connection, run)
            compare_until = comparisons.begin(connection, run, comparing.LEASE_SECONDS)
            return runs.over_budget(connection, run), compare_until

        over_budget, compare_until = self._do(action)
        for over, why in over_budget:
            stopping.stop(self._database, over, why)
        if compare_until is not None:
            with contextlib.suppress(StoreUnavailable):  # then the sweep does
                comparing.compare(self._database, run, compare_until)


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
        self.alone = False
        self.crashed: set[int] = set()  # drafts that the engine worked on when it crashed
        self.interrupted = False
        self.unavailable = ""
        self.unreached: dict[int, Completion] = {}
        self.answered = 0

    def claim_and_write(
        self, claim: Claim[Taken], read: Callable[[Taken], Item | drafts.Outcome], *, alone: bool
    ) -> bool:
        """False when there was nothing to claim, or when the engine could not finish what there was."""
        claimed = () if self.interrupted else self.lease.claim(claim, alone=alone)
        if claimed:
            self.tally.total += len(claimed)
            self.alone = alone
            self._write([read(one) for one in claimed])
        return bool(claimed) and not self.interrupted

    def _write(self, read: Sequence[Item | drafts.Outcome]) -> None:
        self.outcomes += [one for one in read if isinstance(one, drafts.Outcome)]
        self._ask([one for one in read if isinstance(one, Item)])
        settled_at = told_at = time.monotonic()
        while self.items:
            self._receive()
            self.lease.renew_when_due(self.engine)
            now = time.monotonic()
            if now - settled_at >= SETTLE_AT_MOST_EVERY_SECONDS:
                self._settle()
                settled_at = now
            if now - told_at >= TELL_EVERY_SECONDS:
                self._drop_what_is_lost()
                self.progress(str(self.measured()))
                told_at = now
        self._settle()
        if self.interrupted:
            self._give_up_what_is_refused()
            self.lease.let_go(self.crashed)
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
            requests.append(replace(item.request(self._name(item), self.lane), alone=self.alone))
            item.began_at = item.began_at or time.monotonic()
            item.asks += 1
            item.answers = 0
            self.items[self._name(item)] = item
        if not requests:
            return
        try:
            self.engine.submit(requests, self.inbox.put)
        except EngineClosed:
            self.interrupted = True
            for request in requests:
                del self.items[request.id]

    def _receive(self) -> None:
        try:
            completion = self.inbox.get(timeout=SETTLE_AT_MOST_EVERY_SECONDS)
        except Empty:
            return
        if completion.finish is Finish.CANCELLED:
            return
        item = self.items.get(completion.request_id)
        if completion.finish in NOT_ANSWERED:
            self._interrupt(completion)
            return
        self.meter.count(completion)
        self.answered += 1
        if item is not None:  # a candidate that comes after the item was done is not needed
            self._judge(item, completion)

    def _interrupt(self, completion: Completion) -> None:
        """The item goes back; the others end as they may, and nothing more is asked."""
        self.interrupted = True
        self.engine.cancel([completion.request_id])  # its other candidates
        item = self.items.pop(completion.request_id, None)
        if completion.finish is Finish.UNAVAILABLE:
            self.unavailable = completion.error
            if item is not None:
                self.unreached[item.draft] = completion
        elif completion.finish is Finish.CRASHED and item is not None:
            self.crashed.add(item.draft)

    def _give_up_what_is_refused(self) -> None:
        """Where nearly all of a chunk was answered, what was not is to blame itself, not what runs the model."""
        if len(self.unreached) * REFUSED_OF_ANSWERED > self.answered:
            return
        self.outcomes += [
            drafts.Outcome(draft, Status.FAILED, reasons=(engine_failed(completion),))
            for draft, completion in self.unreached.items()
        ]
        self._settle()

    def _judge(self, item: Item, completion: Completion) -> None:
        item.answers += 1
        item.prompt_tokens += completion.prompt_tokens
        item.completion_tokens += completion.completion_tokens
        made = item.judge(completion)
        if made is Next.ASK and self.interrupted:
            del self.items[completion.request_id]
        elif made is Next.ASK:
            self._ask([item])
        elif isinstance(made, drafts.Outcome):
            del self.items[completion.request_id]
            self.outcomes.append(replace(made, seconds=time.monotonic() - item.began_at))
            if item.awaits_more:
                self.engine.cancel([completion.request_id])

    def _drop_what_is_lost(self) -> None:
        """Drafts that are not ours any more: their run was cancelled, or a sweep took us for dead."""
        held = self.lease.held()
        lost = [name for name, item in self.items.items() if item.draft not in held]
        self.engine.cancel(lost)
        for name in lost:
            del self.items[name]

    def _settle(self) -> None:
        if not self.outcomes:
            return
        settled = self.lease.settle(self.outcomes)
        for outcome in self.outcomes:
            if outcome.draft in settled.accepted:
                setattr(self.tally, outcome.status.value, getattr(self.tally, outcome.status.value) + 1)
        self.tally.stale += settled.stale
        self.outcomes.clear()
