"""What runs in the engine's process: takes commands, admits rows, steps the backend, tells what ended.

The other end of the pipe is hosted.py. Messages are the small frozen classes below, pickled.
"""

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection

from copydesk.engine.backend import Backend, Broken, OutOfMemory, Prompt, PromptRefused, Row, Text, said
from copydesk.engine.base import Completion, Finish, Request, Stats
from copydesk.engine.scheduling import Scheduler

log = logging.getLogger(__name__)

TELL_EVERY_SECONDS = 0.5
"""How often a working engine says that it is alive, if nothing ends meanwhile."""

QUIET_SECONDS = 30.0
"""So long after the last reply the batch stays narrow: they seldom come alone, and what decodes is not stopped."""

FAULTS_IN_A_ROW = 3
"""So many steps that raise, with nothing that ends between them, and the process is of no use any more."""

CLOSED_BEFORE_TURN = "the engine was closed before this request's turn"


@dataclass(frozen=True, slots=True)
class Submit:
    """Answer these; `at` is when they were submitted, by the clock that all processes of a machine share."""

    requests: tuple[Request, ...]
    at: float


@dataclass(frozen=True, slots=True)
class Cancel:
    ids: frozenset[str]


@dataclass(frozen=True, slots=True)
class Drain:
    """Take nothing more, hand back what waits, finish what decodes, end."""


Command = Submit | Cancel | Drain


@dataclass(frozen=True, slots=True)
class Opened:
    """The model is loaded."""

    model: str


@dataclass(frozen=True, slots=True)
class NotOpened:
    """It could not be; the error is one of copydesk.errors."""

    error: Exception


@dataclass(frozen=True, slots=True)
class InHand:
    """From now on the model works on these requests, reading or decoding, and on no other.

    Told before it does: a death of the process that one of them brings about cannot lose it.
    """

    ids: frozenset[str]


@dataclass(frozen=True, slots=True)
class Progress:
    """The engine is alive, and these ended."""

    completions: tuple[Completion, ...]
    stats: Stats


Event = Opened | NotOpened | InHand | Progress


class Loop:
    """One backend, its scheduler and its end of the pipe; `width_beside_replies` wins over the backend's own."""

    def __init__(self, backend: Backend, pipe: Connection, *, width_beside_replies: int | None = None) -> None:
        self.backend = backend
        self.pipe = pipe
        self.scheduler = Scheduler(
            backend.width,
            backend.capacity_tokens,
            width_beside_replies=width_beside_replies or backend.width_beside_replies,
            static=backend.static,
        )
        self.stats = Stats(width=backend.width)
        self.ended: list[Completion] = []
        self.in_hand: frozenset[str] = frozenset()  # as was told
        self.has_read = False  # since then
        self.told_at = 0.0
        self.reply_at = -QUIET_SECONDS  # when the last one was in hand
        self.faults = 0
        self.draining = False

    def run(self) -> None:
        """Until the pipe closes or, after Drain, nothing decodes any more. Raises Broken."""
        try:
            while self._works or not self.draining:
                self._take_commands()
                self._look_for_replies()
                self._admit()
                if self.scheduler.running:
                    self._step()
                self._tell()
        except (EOFError, BrokenPipeError, ConnectionResetError):  # whoever started us has gone
            return

    @property
    def _works(self) -> bool:
        return bool(self.scheduler.running or self.scheduler.waits)

    # Commands

    def _take_commands(self) -> None:
        idle = not self._works
        while self.pipe.poll(None if idle and not self.draining else 0):
            command: Command = self.pipe.recv()
            match command:
                case Submit():
                    self._read(command)
                case Cancel():
                    self._cancel(command.ids)
                case Drain():
                    self._drain()
            idle = False

    def _read(self, command: Submit) -> None:
        self._tell_in_hand(command.requests)
        self.has_read = True
        for request in command.requests:
            self._submit(request, command.at)

    def _submit(self, request: Request, at: float) -> None:
        try:
            prompt = self.backend.read(request)
        except PromptRefused as refused:
            refusal = str(refused)
        except Exception as error:  # a chat template is a program of its own, and may raise anything
            refusal = f"the prompt could not be encoded: {said(error)}"
        else:
            refusal = ""
        if refusal:
            prompt = Prompt(0, None)
        for index in range(request.candidates):
            row = Row(request, index, prompt, at)
            why = refusal or self.scheduler.refusal(row)
            if self.draining:
                self._end(row, Text("", Finish.CLOSED, 0, error=CLOSED_BEFORE_TURN))
            elif why:
                self._end(row, Text("", Finish.FAILED, 0, error=why))
            else:
                self.scheduler.put(row)

    def _cancel(self, ids: frozenset[str]) -> None:
        for row in self.scheduler.everything():
            if row.request.id in ids:
                if row in self.scheduler.running:
                    self.backend.remove(row)
                self.scheduler.leave(row)
                self._end(row, Text("", Finish.CANCELLED, 0))

    def _drain(self) -> None:
        self.draining = True
        for row in self.scheduler.clear_waiting():
            self._end(row, Text("", Finish.CLOSED, 0, error=CLOSED_BEFORE_TURN))

    # Steps

    def _look_for_replies(self) -> None:
        if self.scheduler.replies_in_hand:
            self.reply_at = time.monotonic()
        self.scheduler.replies_about = time.monotonic() - self.reply_at < QUIET_SECONDS

    def _admit(self) -> None:
        admitted = self.scheduler.admit()
        if admitted or self.has_read:
            self._tell_in_hand()
            self.has_read = False
        for row in admitted:
            self._add(row)

    def _add(self, row: Row) -> None:
        row.admitted_at = time.monotonic()
        try:
            self.backend.add(row)
        except PromptRefused as refused:
            self.scheduler.leave(row)
            self._end(row, Text("", Finish.FAILED, 0, error=str(refused)))

    def _step(self) -> None:
        rows = list(self.scheduler.running)
        began = time.monotonic()
        try:
            for row, text in self.backend.step(self._tell):
                self.scheduler.leave(row)
                self._end(row, text)
                self.faults = 0
        except OutOfMemory as error:
            self._out_of_memory(rows, error)
        except Broken:
            raise
        except Exception as error:  # the rows are owed an end, and the engine lives on
            log.warning("a step with %d sequences failed", len(rows), exc_info=True)
            self.faults += 1
            if self.faults == FAULTS_IN_A_ROW:
                raise Broken(f"{self.faults} steps in a row failed, the last with {said(error)}") from error
            self._hand_back_running(said(error))
        seconds = time.monotonic() - began
        self.stats = replace(
            self.stats,
            steps=self.stats.steps + 1,
            busy_seconds=self.stats.busy_seconds + seconds,
            sequence_seconds=self.stats.sequence_seconds + seconds * len(rows),
        )

    def _out_of_memory(self, rows: list[Row], error: OutOfMemory) -> None:
        if len(rows) == 1:
            self._hand_back_running(f"out of memory with this prompt alone ({rows[0].most_tokens} tokens): {error}")
            self.scheduler.restore()
            return
        for row in self.scheduler.shrink():
            self.backend.remove(row)
        log.warning("out of memory with %d sequences; from now on %d tokens", len(rows), self.scheduler.capacity_tokens)

    def _hand_back_running(self, why: str) -> None:
        """A step failed: with one request in it that request did, with several nobody knows which."""
        rows = list(self.scheduler.running)
        finish = Finish.FAILED if len({row.request.id for row in rows}) == 1 else Finish.CRASHED
        for row in rows:
            self.backend.remove(row)
            self.scheduler.leave(row)
            self._end(row, Text("", finish, 0, error=why))

    # Events

    def _tell_in_hand(self, read: Sequence[Request] = ()) -> None:
        """The requests that run, and those that are read next."""
        ids = frozenset([*(row.request.id for row in self.scheduler.running), *(request.id for request in read)])
        if ids != self.in_hand:
            self.in_hand = ids
            self.pipe.send(InHand(ids))

    def _end(self, row: Row, text: Text) -> None:
        now = time.monotonic()
        prompt_tokens = row.prompt.tokens if text.prompt_tokens is None else text.prompt_tokens
        self.ended.append(
            Completion(
                row.request.id,
                row.index,
                text.text,
                text.finish,
                prompt_tokens,
                text.tokens,
                text.error,
                queue_seconds=(row.admitted_at or now) - row.submitted_at,
                first_token_seconds=(row.first_token_at or now) - row.submitted_at,
                seconds=now - row.submitted_at,
            )
        )
        self.stats = replace(
            self.stats,
            completed=self.stats.completed + 1,
            prompt_tokens=self.stats.prompt_tokens + prompt_tokens,
            completion_tokens=self.stats.completion_tokens + text.tokens,
        )

    def _tell(self) -> None:
        now = time.monotonic()
        if not self.ended and now - self.told_at < TELL_EVERY_SECONDS:
            return
        self.told_at = now
        stats = replace(self.stats, waiting=self.scheduler.waits, running=len(self.scheduler.running))
        ended, self.ended = tuple(self.ended), []
        self.pipe.send(Progress(ended, stats))
