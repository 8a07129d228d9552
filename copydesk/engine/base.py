"""The one protocol between the jobs and whatever runs the model."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from copydesk.settings import Sampling


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a chat; `role` is system, user or assistant."""

    role: str
    content: str


@dataclass(frozen=True, slots=True)
class Request:
    """One prompt and how many completions of it are wanted.

    `messages` is used when the model has a chat template, `plain` when it has none (base models such as GPT-2).
    """

    id: str
    messages: tuple[Message, ...]
    plain: str
    sampling: Sampling
    candidates: int = 1


class Finish(StrEnum):
    """Why a completion ended."""

    STOP = "stop"  # the model ended the text
    LENGTH = "length"  # it was cut at the token limit
    FAILED = "failed"  # nothing was generated; `error` says why
    CLOSED = "closed"  # the engine was closed before it came to this request


@dataclass(frozen=True, slots=True)
class Completion:
    """One generated text. `index` counts a request's candidates from 0; token counts are per candidate."""

    request_id: str
    index: int
    text: str
    finish: Finish
    prompt_tokens: int = 0
    completion_tokens: int = 0
    error: str = ""


Deliver = Callable[[Completion], None]


class Engine(Protocol):
    """A long-lived engine shared by every chunk in flight. All methods may be called from any thread."""

    @property
    def model(self) -> str:
        """The model as drafts record it."""

    def submit(self, requests: Sequence[Request], deliver: Deliver) -> None:
        """Queue requests and return at once.

        `deliver` is called from the engine's own thread, exactly `candidates` times for each request, whatever
        happens to it: a request that cannot be answered is delivered as FAILED or CLOSED, never dropped.

        Raises:
            RuntimeError: the engine is closed.
        """

    def close(self) -> None:
        """Stop after the batch that decodes now; what still waits is delivered as CLOSED. May be called twice."""
