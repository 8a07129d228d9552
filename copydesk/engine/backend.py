"""What a backend is to the loop that drives it: prompts go in, sequences are added, and a step moves them all on.

A backend knows its model and nothing else: not who waits, not what comes first, not what fits. See loop.py.
"""

import hashlib
import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Protocol

from copydesk.engine.base import Finish, Request

SEED_BITS = 31


class PromptRefused(Exception):
    """This request cannot be run by this model, however often it is tried; the message says why."""


class OutOfMemory(Exception):
    """What was added does not fit into memory together. The loop takes it all away and adds less."""


class Broken(Exception):
    """The model will not work again in this process."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """A request as its backend reads it.

    `tokens` is 0 where the backend cannot count; `shared` tokens of them are the same for other products and are read
    once; `data` is the backend's own. `apart`: whatever becomes of it, its neighbours are not drawn in.
    """

    tokens: int
    data: Any
    shared: int = 0
    apart: bool = False


@dataclass(slots=True, eq=False)
class Row:
    """One candidate of one request: one sequence of tokens. Moments are of time.monotonic(), 0 until they come."""

    request: Request
    index: int
    prompt: Prompt
    submitted_at: float
    admitted_at: float = 0.0
    first_token_at: float = 0.0  # stamped by the backend

    @property
    def most_tokens(self) -> int:
        """Tokens it takes up at its longest."""
        return self.prompt.tokens + self.request.sampling.max_tokens

    @property
    def alone(self) -> bool:
        """Whether nothing else may decode beside it but the other candidates of its request."""
        return self.request.alone and not self.prompt.apart

    @property
    def seed(self) -> int:
        """What its draws come from: of the request's seed and the candidate's index, or of the system's entropy."""
        if self.request.sampling.seed is None:
            return secrets.randbits(SEED_BITS)
        digest = hashlib.sha256(f"{self.request.sampling.seed}:{self.index}".encode()).digest()
        return int.from_bytes(digest[:8], "big") >> (64 - SEED_BITS)


@dataclass(frozen=True, slots=True)
class Text:
    """What the model made of one row. `prompt_tokens` where only the answer tells."""

    text: str
    finish: Finish
    tokens: int
    prompt_tokens: int | None = None
    error: str = ""


Tick = Callable[[], None]
"""Called by a step that lasts, as often as it gets somewhere: whoever watches for a hang sees that it is none."""


class Backend(Protocol):
    """One model, driven from one thread."""

    @property
    def model(self) -> str:
        """As drafts record it."""

    @property
    def width(self) -> int:
        """Catalog rows that decode together at most."""

    @property
    def width_beside_replies(self) -> int | None:
        """Catalog rows that decode together while replies are about, where a reply would feel more; None: `width`."""

    @property
    def capacity_tokens(self) -> int | None:
        """Tokens, prompts and answers together, that there is room for; None where nobody knows."""

    @property
    def static(self) -> bool:
        """A step runs a whole batch of rows to their ends; all have one repetition_penalty."""

    def read(self, request: Request) -> Prompt:
        """Raises PromptRefused."""

    def add(self, row: Row) -> None:
        """The row takes part from the next step on."""

    def remove(self, row: Row) -> None:
        """Forget a row that was added and has not ended."""

    def step(self, tick: Tick) -> Iterable[tuple[Row, Text]]:
        """Move every row on by a token (of a static backend: to its end); the rows that ended. Takes seconds at most,
        or ticks.

        Raises:
            OutOfMemory: the loop removes every row and adds fewer.
            Broken: the process is of no use any more.
            Exception: the loop hands the rows back and goes on.
        """

    def close(self) -> None:
        """Give back what the process does not give back by ending."""


def context_refusal(prompt_tokens: int, max_tokens: int, context: int | None) -> str:
    """Why a prompt cannot be run by a model with this context; empty if it can."""
    if not prompt_tokens:
        return "the prompt is empty"
    if context is not None and prompt_tokens + max_tokens > context:
        return (
            f"the prompt has {prompt_tokens} tokens and max_tokens asks for {max_tokens} more, but the model's context "
            f"is {context}: shorten the product's facts or lower COPYDESK_SAMPLING__MAX_TOKENS"
        )
    return ""


def said(error: BaseException) -> str:
    """An error in one line."""
    first = next((line for line in str(error).splitlines() if line.strip()), "")
    return f"{type(error).__name__}: {first}" if first else type(error).__name__
