"""Before a run ends: what of its copy is nearly another product's text is written again, and in the end held.

Nobody waits for it while others write: it is looked for once the run owes nothing else, by the worker that ended its
last chunk, or by the sweep.
"""

import html
import logging
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from time import monotonic as _now
from typing import Any, TypeVar

from copydesk.errors import StoreUnavailable
from copydesk.jobs import retry
from copydesk.model import DUPLICATE, Reason, TextFormat
from copydesk.store import Database, comparing
from copydesk.store.comparing import Named, Settled, Written
from copydesk.store.drafts import batched
from copydesk.variety import Pair, Sieve, Text

Made = TypeVar("Made")

log = logging.getLogger("copydesk.comparing")

RESAMPLED_AT_MOST = 2
"""How often a draft is written again for being nearly another product's text, before a person has to look at it."""

LEASE_SECONDS = 120.0

SETTLED_AT_ONCE = 1000
"""Near-duplicates that one transaction moves."""

_TAG = re.compile(r"<[^<>]*>")


class _Lost(Exception):
    """The run was cancelled, or somebody else compares it by now."""


def compare_due(database: Database) -> int:
    """Compare every run that owes nothing else; returns how many ended.

    One that cannot be compared is logged, and tried again once its lease has run out: it holds up no other.
    """
    with database.read() as connection:
        due = comparing.due(connection)
    ended = 0
    for run in due:
        with database.write() as connection:
            until = comparing.begin(connection, run, LEASE_SECONDS)
        try:
            ended += until is not None and compare(database, run, until)
        except StoreUnavailable:
            raise
        except Exception:
            log.exception("run %d cannot be compared", run)
    return ended


def compare(database: Database, run: int, until: datetime) -> bool:
    """Compare a run that is the caller's until a moment (comparing.begin); True if it has ended.

    False if some of its texts are written again first, or if it was cancelled or taken over meanwhile. Interrupted, it
    is begun anew by the next sweep after that moment.
    """
    try:
        return _Comparison(database, run, until).conclude()
    except _Lost:
        return False


class _Comparison:
    """One look at a run, whose lease is pushed on as long as it takes."""

    def __init__(self, database: Database, run: int, until: datetime) -> None:
        self._database = database
        self._run = run
        self._until = until
        self._renewed_at = _now()
        with database.read() as connection:
            self._subject = comparing.subject(connection, run)

    def conclude(self) -> bool:
        settled = Settled()
        for some in batched(self._pairs(), SETTLED_AT_ONCE):
            settled += self._settle(some)
        if settled != Settled():
            log.info("run %d has near-duplicates: %s", self._run, settled)
        if settled.again:
            self._write(lambda connection: comparing.leave(connection, self._run, self._until))
            return False
        return self._write(lambda connection: comparing.finish(connection, self._run, self._until))

    def _pairs(self) -> list[Pair]:
        """What of the run may be changed and is nearly another product's text, each with the likest one."""
        sieve = Sieve()
        off = [language for language in self._languages() if self._force(language) == "off"]
        with self._database.read() as connection:
            sieve.add(self._texts(comparing.others(connection, self._run, self._subject)))
            since = len(sieve)
            sieve.add(self._texts(comparing.own(connection, self._run, but_in=off)))
        return list(sieve.pairs(self._read, since=since, meanwhile=self._renew_when_due))

    def _texts(self, found: Iterable[Written]) -> Iterator[Text]:
        for one in found:
            self._renew_when_due()
            yield Text(one.key, one.product, _bare(one))

    def _read(self, keys: Iterable[int]) -> dict[int, str]:
        self._renew_when_due()
        with self._database.read() as connection:
            return {one.key: _bare(one) for one in comparing.read(connection, list(keys))}

    def _settle(self, pairs: Sequence[Pair]) -> Settled:
        self._renew_when_due()
        with self._database.read() as connection:
            named = comparing.named(connection, {key for pair in pairs for key in (pair.earlier, pair.later)})
        reasons = {
            pair.later: _reason(pair, named[pair.earlier], warns=self._force(named[pair.later].language) == "warn")
            for pair in pairs
            if pair.earlier in named
        }
        settled = self._write(
            lambda connection: comparing.settle(connection, self._run, self._until, reasons, most=RESAMPLED_AT_MOST)
        )
        if settled is None:
            raise _Lost
        return settled

    def _renew_when_due(self) -> None:
        if _now() - self._renewed_at < LEASE_SECONDS / 4:
            return
        until = self._write(lambda connection: comparing.renew(connection, self._run, self._until, LEASE_SECONDS))
        if until is None:
            raise _Lost
        self._until, self._renewed_at = until, _now()

    def _write(self, action: Callable[[Any], Made]) -> Made:
        def transaction() -> Made:
            with self._database.write() as connection:
                return action(connection)

        return retry.persist(transaction, for_seconds=LEASE_SECONDS / 2)

    def _languages(self) -> list[str]:
        return [language for language, rules in self._rules().items() if isinstance(rules, Mapping)]

    def _force(self, language: str) -> str:
        """What is done about near-duplicates: hard, warn or off. Runs planned before there was a choice have none."""
        rules = self._rules().get(language)
        own = rules.get("guards") if isinstance(rules, Mapping) else None
        return str((own or {}).get(DUPLICATE, "hard"))

    def _rules(self) -> Mapping[str, Any]:
        return self._subject.recipe.get("rules") or {}


def _bare(one: Written) -> str:
    """Only the words count, so that any tag may go."""
    return one.text if one.text_format is TextFormat.PLAIN else html.unescape(_TAG.sub(" ", one.text))


def _reason(pair: Pair, other: Named, *, warns: bool) -> Reason:
    what = "the live text" if other.is_live else "the text"
    said = f"{int(pair.likeness * 100)} % the same as {what} of {other.sku}"
    remedy = "" if warns else ": say what sets this product apart, or approve it all the same"
    return Reason(DUPLICATE, said + remedy, warns=warns)
