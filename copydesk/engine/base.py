"""The one protocol between the jobs and whatever runs the model."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from copydesk.model import Lane
from copydesk.settings import Sampling


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a chat; `role` is system, user or assistant."""

    role: str
    content: str


@dataclass(frozen=True, slots=True)
class Request:
    """One prompt and how many completions of it are wanted.

    `id` is the caller's, and unique among the requests in flight. `messages` is used when the model has a chat
    template, `plain` when it has none (base models such as GPT-2). `alone`: nothing else decodes beside it, so that a
    crash is nobody else's fault; an engine whose requests share no fate passes over it.
    """

    id: str
    messages: tuple[Message, ...]
    plain: str
    sampling: Sampling
    candidates: int = 1
    lane: Lane = Lane.CATALOG
    alone: bool = False


class Finish(StrEnum):
    """Why a completion ended."""

    STOP = "stop"  # the model ended the text
    LENGTH = "length"  # it was cut at the token limit
    FAILED = "failed"  # the model could not answer; `error` says why
    CANCELLED = "cancelled"  # its caller did not want it any more
    CRASHED = "crashed"  # the model died, hung or failed while it worked on this; maybe for another one's sake
    CLOSED = "closed"  # the engine was closed, or died while this waited for its turn; another one may answer it
    UNAVAILABLE = "unavailable"  # what runs the model cannot be reached, or refuses us and not this; `error` says why


@dataclass(frozen=True, slots=True)
class Completion:
    """One generated text. `index` counts a request's candidates from 0; token counts are per candidate.

    Seconds count from submit(): until the model began with it, until its first token, until its end. A backend that
    does not see single tokens gives the end for the first.
    """

    request_id: str
    index: int
    text: str
    finish: Finish
    prompt_tokens: int = 0
    completion_tokens: int = 0
    error: str = ""
    queue_seconds: float = 0.0
    first_token_seconds: float = 0.0
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Stats:
    """What an engine did since it was opened, and what it has in hand. Restarts do not reset the sums.

    `sequence_seconds / (busy_seconds * width)` is how full its batch was.
    """

    width: int = 0  # catalog sequences that decode together at most
    waiting: int = 0  # sequences not admitted yet
    running: int = 0
    completed: int = 0  # sequences
    prompt_tokens: int = 0  # of what was completed
    completion_tokens: int = 0
    steps: int = 0
    busy_seconds: float = 0.0  # in which the model worked
    sequence_seconds: float = 0.0  # the same, times the sequences it worked on
    restarts: int = 0
    stalled_seconds: float = 0.0  # without a sign of life though there is work, after the model was opened


Deliver = Callable[[Completion], None]


class EngineClosed(RuntimeError):
    """The engine takes nothing any more."""


class Engine(Protocol):
    """A long-lived engine shared by every chunk in flight. All methods may be called from any thread."""

    @property
    def model(self) -> str:
        """The model as drafts record it."""

    def submit(self, requests: Sequence[Request], deliver: Deliver) -> None:
        """Queue requests and return at once.

        `deliver` is called from the engine's own thread, exactly `candidates` times for each request, whatever
        happens to it: what cannot be answered is delivered with another finish (see Finish), never dropped. When the
        model dies, all that it owed of a request is CRASHED if it had begun with one of the candidates.

        Raises:
            EngineClosed: the engine is closed or drained.
        """

    def cancel(self, ids: Collection[str]) -> None:
        """What is still in flight of these requests is not wanted any more; unknown ids are passed over."""

    def stats(self) -> Stats:
        """How it goes; at most a second old."""

    def drain(self, timeout_seconds: float) -> None:
        """Take nothing more, deliver what waits as CLOSED at once, finish what decodes, and close.

        What has not ended by the timeout is CLOSED too. Returns when everything has been delivered, or at once in a
        `deliver` callback. close() ends it early.
        """

    def close(self) -> None:
        """Stop at once; whatever is in flight is delivered as CLOSED. May be called twice."""
