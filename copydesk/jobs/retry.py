"""When to try again: pure decisions, each a table of its test."""

import threading
import time
from collections.abc import Callable
from typing import TypeVar

from copydesk.errors import Failure, StoreUnavailable

Made = TypeVar("Made")

FIRST_CRASH_PAUSE_SECONDS, PAUSE_GROWS, LONGEST_PAUSE_SECONDS = 5.0, 4.0, 300.0

STORE_PAUSES_SECONDS = {
    Failure.CONFLICT: (0.05, 0.1, 0.2, 0.5),  # whoever held the rows has them for a moment
    Failure.AWAY: (0.2, 1.0, 2.0, 5.0),  # a restart takes seconds
    Failure.FULL: (1.0, 5.0, 10.0),
}
"""Before each further try; the last one from there on."""


def crash_pauses(max_attempts: int) -> tuple[float, ...]:
    """Seconds a draft waits after its first, second, ... crash; after as many as there are, it has failed.

    The first time at once: nearly always it was not the draft's fault.

    >>> crash_pauses(4)
    (0.0, 5.0, 20.0)
    """
    grown = (FIRST_CRASH_PAUSE_SECONDS * PAUSE_GROWS**crash for crash in range(max_attempts - 2))
    return (0.0, *(min(pause, LONGEST_PAUSE_SECONDS) for pause in grown))[: max_attempts - 1]


def store_pause(failure: Failure, tries: int, left_seconds: float) -> float | None:
    """Seconds before a transaction is tried again, which failed for the `tries`-th time; None to give up.

    `left_seconds` is how long its result is of use: a lease, say.
    """
    pauses = STORE_PAUSES_SECONDS.get(failure)
    if pauses is None:
        return None
    pause = pauses[min(tries, len(pauses)) - 1]
    return pause if pause <= left_seconds else None


_given_up = threading.Event()


def give_up() -> None:
    """This process is about to end: what fails from here on is not tried again."""
    _given_up.set()


def persist(transaction: Callable[[], Made], *, for_seconds: float) -> Made:
    """Run a transaction until it succeeds, as store_pause says.

    Raises:
        StoreUnavailable: it failed for as long as it was of use, or in a way that no waiting helps.
    """
    began, tries = time.monotonic(), 0
    while True:
        try:
            return transaction()
        except StoreUnavailable as error:
            tries += 1
            pause = store_pause(error.failure, tries, began + for_seconds - time.monotonic())
            if pause is None or _given_up.wait(pause):
                raise
