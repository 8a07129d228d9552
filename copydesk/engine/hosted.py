"""The engine as the rest of the system sees it: a process of its own on the other end of a pipe, watched.

A process that dies or hangs is ended and started again. What it had in hand is delivered as CRASHED, what waited as
CLOSED, so that whoever asked lets go of it. See loop.py for the other end.
"""

import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from queue import SimpleQueue
from typing import Protocol

from copydesk.engine.backend import said
from copydesk.engine.base import Completion, Deliver, EngineClosed, Finish, Request, Stats
from copydesk.engine.loop import (
    CLOSED_BEFORE_TURN,
    Cancel,
    Command,
    Drain,
    Event,
    InHand,
    NotOpened,
    Opened,
    Progress,
    Submit,
)
from copydesk.errors import CopydeskError, ModelError
from copydesk.settings import Settings

log = logging.getLogger(__name__)

POLL_SECONDS = 0.25

OPENING_SECONDS = 600.0
"""A large model takes minutes to load again; what waits for it keeps its lease for so long."""


DEATHS_IN_A_ROW = 3
"""So many processes that end before anything was answered, and the engine gives up."""

DRAIN_SECONDS = 0.5
"""Within which a process hands back what waits when it shall drain, unless its step is a long one or hangs."""


class Host(Protocol):
    """Where a loop runs, and our end of its pipe."""

    pipe: Connection

    def kill(self) -> str:
        """End it if it has not ended, however it hangs, and wait for that; how it ended, in words.

        The pipe then reads as ended. It is not closed: another thread may be waiting on it.
        """


class ChildProcess:
    """A loop in a new interpreter (spawned, not forked: CUDA does not survive a fork).

    `opens` says what of the settings it opens, the "engine" or the "classifier".
    """

    def __init__(self, settings: Settings, opens: str = "engine") -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            # The process dies with the thread that starts it (see child.py), and that thread lives as long as we do.
            self.process = subprocess.Popen(
                [sys.executable, "-m", "copydesk.engine.child", str(theirs.fileno()), str(os.getpid()), opens],
                pass_fds=(theirs.fileno(),),
                stdin=subprocess.DEVNULL,
            )
        self.pipe = Connection(ours.detach())
        self.pipe.send(settings)

    def kill(self) -> str:
        self.process.kill()
        status = self.process.wait()
        return f"was ended by {signal.Signals(-status).name}" if status < 0 else f"ended with status {status}"


@dataclass(slots=True)
class _Flight:
    """A request in the engine's hands, and which of its candidates are still owed."""

    request: Request
    deliver: Deliver
    owed: set[int]

    def give_back(self, finish: Finish, why: str) -> None:
        """Deliver everything that is owed without an answer."""
        for index in sorted(self.owed):
            self.land(Completion("", index, "", finish, error=why))

    def land(self, completion: Completion) -> None:
        self.owed.discard(completion.index)
        try:
            self.deliver(replace(completion, request_id=self.request.id))
        except Exception:  # the caller's mistake must not cost the other callers their engine
            log.exception("delivering a completion of request %s raised", self.request.id)


class HostedEngine:
    """See `copydesk.engine.base.Engine`.

    Args:
        start: starts a process with a loop in it.
        hang_seconds: after so long without a sign of life from a process that has work, it is ended.
        on_broken: told when the engine cannot be started again; it is closed then.

    Raises:
        CopydeskError: the model cannot be opened; which one, the process decides.
    """

    def __init__(
        self,
        start: Callable[[], Host],
        *,
        hang_seconds: float = 120.0,
        on_broken: Callable[[str], None] = lambda _why: None,
    ) -> None:
        self._start = start
        self._hang_seconds = hang_seconds
        self._on_broken = on_broken
        self._lock = threading.RLock()
        self._flights: dict[str, _Flight] = {}
        self._submitted = 0
        self._outbox: SimpleQueue[Command | None] = SimpleQueue()
        self._host: Host | None = None
        self._in_hand: frozenset[str] = frozenset()  # what the process works on; some of it may have ended
        self._has_answered = False  # the process that runs
        self._silent_seconds = 0.0  # while there was something in flight
        self._closing = False  # takes nothing more
        self._ending = False  # ends at once
        self._draining_since: float | None = None  # by time.monotonic()
        self._now = Stats()
        self._before = Stats()  # sums of processes that ended
        opened: Future[str] = Future()
        self._thread = threading.Thread(target=self._run, args=(opened,), name="copydesk-engine", daemon=True)
        self._thread.start()
        self._model = opened.result()

    @property
    def model(self) -> str:
        """The model as drafts record it."""
        return self._model

    def submit(self, requests: Sequence[Request], deliver: Deliver) -> None:
        """Queue requests and return at once; see the protocol."""
        with self._lock:
            if self._closing:
                raise EngineClosed("the engine is closed: open another one")
            sent = []
            for request in requests:
                self._submitted += 1
                # Two callers may use one id; on the pipe every request has its own.
                own = replace(request, id=str(self._submitted))
                self._flights[own.id] = _Flight(request, deliver, set(range(request.candidates)))
                sent.append(own)
            if sent:
                self._outbox.put(Submit(tuple(sent), time.monotonic()))

    def cancel(self, ids: Collection[str]) -> None:
        """See the protocol."""
        with self._lock:
            own = frozenset(own for own, flight in self._flights.items() if flight.request.id in ids)
            if own:
                self._outbox.put(Cancel(own))

    def stats(self) -> Stats:
        """See the protocol."""
        stalled_seconds = self._silent_seconds if self._flights else 0.0
        return replace(_added(self._before, self._now), stalled_seconds=stalled_seconds)

    def drain(self, timeout_seconds: float) -> None:
        """See the protocol."""
        with self._lock:
            self._closing = True
            self._draining_since = self._draining_since or time.monotonic()
            self._outbox.put(Drain())
        deadline = threading.Timer(timeout_seconds, self.close)
        deadline.daemon = True
        deadline.start()
        if threading.current_thread() is not self._thread:  # as it is in a deliver callback
            self._thread.join()
            deadline.cancel()

    def close(self) -> None:
        """See the protocol."""
        with self._lock:
            self._closing = self._ending = True
            host = self._host
        if threading.current_thread() is self._thread:  # a deliver callback closes the engine
            return
        if host is not None:
            host.kill()
        self._thread.join()

    # The engine's thread

    def _run(self, opened: "Future[str]") -> None:
        try:
            model = self._open()
        except BaseException as error:
            opened.set_exception(error)
            return
        opened.set_result(model)
        deaths = 0
        while True:
            why = self._listen()
            if self._has_answered:
                deaths = 0
            elif not self._had_only_alone_in_hand():
                deaths += 1
            self._give_up(why)
            if self._closing:
                return
            log.error("the engine %s; starting it again", why)
            self._before = replace(self.stats(), waiting=0, running=0, restarts=self._before.restarts + 1)
            self._now = Stats()
            try:
                if deaths == DEATHS_IN_A_ROW:
                    raise ModelError(f"the engine {why}, for the {deaths}th time without an answer in between")
                self._open()
            except CopydeskError as error:
                self._break(str(error))
                return

    def _open(self) -> str:
        host = self._start()
        with self._lock:
            self._host = host
        self._has_answered = False
        self._silent_seconds = 0.0
        try:
            event = self._opening(host)
        except (EOFError, OSError):
            ended = host.kill()
            host.pipe.close()
            raise ModelError(
                f"the engine's process {ended} while it opened the model: its output says why; if it was "
                "SIGKILL, the machine probably ran out of memory"
            ) from None
        if isinstance(event, NotOpened):
            host.kill()
            host.pipe.close()
            raise event.error
        assert isinstance(event, Opened)  # noqa: S101 - narrows the type; nothing else is ever sent first
        writer = threading.Thread(
            target=_write, args=(host.pipe, self._outbox), name="copydesk-engine-out", daemon=True
        )
        writer.start()
        return event.model

    def _opening(self, host: Host) -> Event:
        """The process's first word. Raises EOFError if it ends without one, or if we shall end meanwhile."""
        patience = OPENING_SECONDS / POLL_SECONDS
        while not host.pipe.poll(POLL_SECONDS):
            patience -= 1
            if patience < 0:
                self._count_silence()
            if self._closing:
                raise EOFError
        event: Event = host.pipe.recv()
        return event

    def _listen(self) -> str:
        """Deliver what comes until the process ends, hangs or shall end; why it is over, in words."""
        host = self._host
        assert host is not None  # noqa: S101 - _open sets it
        self._silent_seconds = 0.0
        trouble = ""
        try:
            while not (trouble or self._is_over()):
                if host.pipe.poll(POLL_SECONDS):
                    self._hear(host.pipe.recv())
                else:
                    trouble = self._look_for_hang()
                self._look_for_drain(host)
        except (EOFError, OSError):
            pass
        except Exception as error:  # such as the words of another version, installed while we run
            log.exception("the engine's process is not understood")
            trouble = f"said what is not understood ({said(error)})"
        ended = host.kill()
        self._hear_the_rest(host)
        host.pipe.close()
        return trouble or ended

    def _is_over(self) -> bool:
        """Closed, or drained: then nobody waits until the process has tidied up."""
        return self._ending or (self._closing and not self._flights)

    def _look_for_hang(self) -> str:
        """How it hangs, in words; empty while it does not. Of time in which we were stopped ourselves little counts."""
        self._count_silence()
        hangs = self._silent_seconds > self._hang_seconds
        return f"gave no sign of life for {self._silent_seconds:.0f} s" if hangs else ""

    def _count_silence(self) -> None:
        self._silent_seconds = self._silent_seconds + POLL_SECONDS if self._flights else 0.0

    def _look_for_drain(self, host: Host) -> None:
        """The process hands back what waits, between two steps; if a step takes long, we do."""
        if self._draining_since is None or time.monotonic() - self._draining_since < DRAIN_SECONDS:
            return
        if host.pipe.poll(0):  # so in_hand may be about to change
            return
        with self._lock:
            waiting = [own for own in self._flights if own not in self._in_hand]
            flights = [self._flights.pop(own) for own in waiting]
        for flight in flights:
            flight.give_back(Finish.CLOSED, CLOSED_BEFORE_TURN)

    def _hear_the_rest(self, host: Host) -> None:
        """What the process said before it was ended: a death must not lose what it had in hand."""
        with suppress(Exception):  # there may be half a message
            while not self._ending and host.pipe.poll(0):
                self._hear(host.pipe.recv())

    def _hear(self, event: Event) -> None:
        self._silent_seconds = 0.0
        if isinstance(event, InHand):
            self._in_hand = event.ids
        elif isinstance(event, Progress):
            self._now = event.stats
            for completion in event.completions:
                self._land(completion)

    def _land(self, completion: Completion) -> None:
        self._has_answered = self._has_answered or completion.finish in (Finish.STOP, Finish.LENGTH)
        with self._lock:
            flight = self._flights.get(completion.request_id)
            if flight is not None and flight.owed == {completion.index}:
                del self._flights[completion.request_id]
        if flight is not None:  # else it was handed back by _look_for_drain
            flight.land(completion)

    def _had_only_alone_in_hand(self) -> bool:
        """Then the request is to blame for a death, and not the engine."""
        begun = [flight for own, flight in self._flights.items() if own in self._in_hand]
        return bool(begun) and all(flight.request.alone for flight in begun)

    def _give_up(self, why: str) -> None:
        """The process is gone: everything in flight is handed back; the next process gets a new outbox."""
        with self._lock:
            flights, self._flights = self._flights, {}
            crashed = frozenset() if self._ending else self._in_hand
            self._in_hand = frozenset()
            self._outbox.put(None)
            self._outbox = SimpleQueue()
        reason = "the engine was closed before the end" if self._closing else f"the engine {why}"
        for own, flight in flights.items():
            if own in crashed:
                flight.give_back(Finish.CRASHED, f"the engine {why} while it worked on this")
            else:
                flight.give_back(Finish.CLOSED, reason)

    def _break(self, why: str) -> None:
        with self._lock:
            closing = self._closing
            self._closing = self._ending = True
        if closing:  # it was closed while it came back
            self._give_up(why)
            return
        log.critical("the engine cannot go on: %s", why)
        self._give_up(f"cannot go on: {why}")
        self._on_broken(why)


def _write(pipe: Connection, outbox: "SimpleQueue[Command | None]") -> None:
    """The process reads only between steps, and a full pipe would hold up whoever submits."""
    while (command := outbox.get()) is not None:
        try:
            pipe.send(command)
        except OSError:  # the process has ended; the engine's thread sees that too
            return


def _added(before: Stats, now: Stats) -> Stats:
    return replace(
        now,
        completed=before.completed + now.completed,
        prompt_tokens=before.prompt_tokens + now.prompt_tokens,
        completion_tokens=before.completion_tokens + now.completion_tokens,
        steps=before.steps + now.steps,
        busy_seconds=before.busy_seconds + now.busy_seconds,
        sequence_seconds=before.sequence_seconds + now.sequence_seconds,
        restarts=before.restarts,
    )
