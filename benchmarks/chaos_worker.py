"""The worker of chaos.py: `celery -A chaos_worker worker` is workers/main.py that keeps books beside its database.

Every claim and every accepted write becomes a line in a file of this process alone, on disk before the next step. The
first line of a pair is written while the transaction holds its rows, so that the lines of a draft have the order that
the database gave them, whoever wrote them; the second one after the commit.
"""

import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from chaos_books import ACCEPTED, BOOKS, CLAIMED, CLAIMING, DROPPED, INTENT, Book, Line, digest

from copydesk.store import Database, drafts

book = Book(os.environ[BOOKS])
_of_thread = threading.local()

_claim, _settle, _write = drafts.claim, drafts.settle, Database.write


def claim(connection: Any, *place: Any, token: str, **how: Any) -> Sequence[drafts.Claimed]:
    claimed = _claim(connection, *place, token=token, **how)
    book.add([Line.now(CLAIMING, one.id, token) for one in claimed])
    _of_thread.committed += [(CLAIMED, one.id, token, "", "") for one in claimed]
    return claimed


def settle(connection: Any, token: str, outcomes: Sequence[drafts.Outcome]) -> drafts.Settled:
    settled = _settle(connection, token, outcomes)
    book.add([_line(settled, token, one) for one in outcomes])
    of_accepted = [one for one in outcomes if one.draft in settled.accepted]
    _of_thread.committed += [(ACCEPTED, one.draft, token, one.status.value, digest(one.text)) for one in of_accepted]
    return settled


def _line(settled: drafts.Settled, token: str, one: drafts.Outcome) -> Line:
    event = INTENT if one.draft in settled.accepted else DROPPED
    return Line.now(event, one.draft, token, one.status.value, digest(one.text))


@contextmanager
def write(self: Database) -> Iterator[Any]:
    """One transaction; what it claimed and accepted is written down once it is committed."""
    _of_thread.committed = []
    with _write(self) as connection:
        yield connection
    book.add([Line.now(*line) for line in _of_thread.committed])


# Before anything else takes the real ones.
drafts.claim, drafts.settle = claim, settle  # type: ignore[assignment]
Database.write = write  # type: ignore[method-assign]

import workers.main  # noqa: E402, F401 - it opens the desk when Celery starts
from tasks.app import app  # noqa: E402

__all__ = ["app"]
