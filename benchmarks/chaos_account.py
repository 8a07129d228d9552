"""The account at the end of chaos.py: what the database says, against what the workers' books say."""

import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from chaos_books import ACCEPTED, CLAIMED, CLAIMING, INTENT, Books, Line, digest
from chaos_shop import Planned
from chaos_stage import Kill

from copydesk.model import DUPLICATE

Row = dict[str, Any]

RUNS = "SELECT id, state, queued, outcomes, finished_at FROM runs ORDER BY id"
CHUNKS = "SELECT run_id, number, state FROM chunks WHERE state <> 'done'"
DRAFTS = "SELECT drafts.id, run_id, chunk, sku, state, outcome, text, reasons, attempt, lease_token, settled_at, \
resampled FROM drafts JOIN products ON products.id = product_id ORDER BY drafts.id"

USED_UP = "attempts.used_up"
OPEN = ("pending", "writing")
ENDED = ("finished", "cancelled")


@dataclass(frozen=True, slots=True)
class Wrong:
    """Something that must not be, and the history of the draft that it happened to."""

    what: str
    detail: str
    draft: int | None = None
    history: tuple[str, ...] = ()

    def __str__(self) -> str:
        return "\n    ".join([f"{self.what}: {self.detail}", *self.history])


@dataclass(frozen=True, slots=True)
class Again:
    """How long an item of a killed worker waited until somebody had it in hand again, or it was settled.

    `excused_seconds` of it nobody could work, for want of broker or database, or it was to wait after a second crash.
    """

    draft: int
    chunk: tuple[int, int]  # run and number
    pid: int
    seconds: float
    excused_seconds: float

    @property
    def net_seconds(self) -> float:
        return self.seconds - self.excused_seconds


@dataclass
class Account:
    """Every product of every run, once."""

    drafts: Sequence[Row]
    runs: Sequence[Row]
    open_chunks: Sequence[Row]
    books: Books
    planned: Sequence[Planned]
    kills: Sequence[Kill]
    outages: Sequence[tuple[float, float]]
    again_seconds: float  # by when, after a kill, what a worker held is in hand again; excuses come on top
    pauses: Sequence[float]

    @cached_property
    def of_run(self) -> dict[int, list[Row]]:
        of_run: dict[int, list[Row]] = defaultdict(list)
        for row in self.drafts:
            of_run[row["run_id"]].append(row)
        return of_run

    @cached_property
    def wrong(self) -> list[Wrong]:
        return [
            *self._open(),
            *self._runs(),
            *self._items(),
            *self._lost(),
            *self._twice(),
            *self._unheard_of(),
            *self._fenced(),
            *self._failed(),
            *self._poison(),
            *self._late(),
        ]

    def _wrong(self, what: str, detail: str, draft: Row | None = None) -> Wrong:
        if draft is None:
            return Wrong(what, detail)
        shown = {name: value for name, value in draft.items() if name != "text"}
        lines = self.books.of_draft.get(draft["id"], [])
        return Wrong(what, detail, draft["id"], (f"in the database: {shown}", *map(str, lines)))

    def _open(self) -> Iterator[Wrong]:
        for row in self.drafts:
            if row["state"] in OPEN or row["outcome"] is None:
                yield self._wrong("open", f"draft {row['id']} is {row['state']}", row)
        for row in self.open_chunks:
            yield self._wrong("open", f"chunk {row['number']} of run {row['run_id']} is {row['state']}")

    def _runs(self) -> Iterator[Wrong]:
        asked = {one.run: one for one in self.planned}
        for row in self.runs:
            counted = Counter(draft["outcome"] for draft in self.of_run[row["id"]])
            if row["finished_at"] is None or row["state"] not in ENDED:
                yield self._wrong("stuck", f"run {row['id']} is {row['state']}, ended at {row['finished_at']}")
            elif row["outcomes"] != counted or row["queued"] != counted.total():
                yield self._wrong("sums", f"run {row['id']}: {row['queued']} queued, {row['outcomes']}, not {counted}")
            if row["id"] not in asked:
                yield self._wrong("unasked", f"nobody planned run {row['id']}")
        for missing in asked.keys() - {row["id"] for row in self.runs}:
            yield self._wrong("lost", f"run {missing} was planned and is not there")

    def _items(self) -> Iterator[Wrong]:
        """Each product that was queued has one draft that is not stale, and no other."""
        for one in self.planned:
            rows = self.of_run[one.run]
            products = {row["sku"] for row in rows}
            if len(products) != one.queued:
                yield self._wrong("lost", f"run {one.run} queued {one.queued} products and has {len(products)}")
            written = Counter(row["sku"] for row in rows if row["outcome"] not in ("stale", None))
            for row in rows:
                if written[row["sku"]] != 1 and row["outcome"] is not None:
                    detail = f"{row['sku']} in run {one.run} has {written[row['sku']]} outcomes beside stale ones"
                    yield self._wrong("outcomes", detail, row)

    def _lost(self) -> Iterator[Wrong]:
        """What was accepted is there, word for word."""
        stored = {row["id"]: row for row in self.drafts}
        for draft in self.books.of_draft:
            row = stored.get(draft)
            accepted = self.books.of(draft, ACCEPTED)
            if row is None and accepted:
                yield self._wrong("lost", f"draft {draft} was accepted and is not there")
            for line in accepted[row["resampled"] :] if row else ():  # those before were nearly another product's
                if not _is_of(line, row):
                    yield self._wrong("lost", f"draft {draft} was accepted with another text or outcome", row)

    def _twice(self) -> Iterator[Wrong]:
        for row in self.drafts:
            if len(accepted := self.books.of(row["id"], ACCEPTED)) > 1 + row["resampled"]:
                yield self._wrong("twice", f"draft {row['id']} was accepted {len(accepted)} times", row)

    def _unheard_of(self) -> Iterator[Wrong]:
        """What is settled, a worker wrote down before it was committed."""
        for row in self.drafts:
            by_worker = row["outcome"] in ("ready", "held", "failed") and USED_UP not in _codes(row)
            if by_worker and not any(_is_of(line, row) for line in self.books.of(row["id"], INTENT)):
                yield self._wrong("unheard of", f"draft {row['id']} has a text that no worker's book has", row)

    def _fenced(self) -> Iterator[Wrong]:
        """Who had an outcome accepted was the last one to claim the draft."""
        for row in self.drafts:
            owner = ""
            for line in self.books.committed(row["id"]):
                if line.event == CLAIMING:
                    owner = line.token
                elif line.token != owner:
                    yield self._wrong("not fenced out", f"draft {row['id']} was settled under an old token", row)

    def _failed(self) -> Iterator[Wrong]:
        """Attempts are used up only by as many claims."""
        for row in self.drafts:
            claims = len(self.books.of(row["id"], CLAIMING))
            if USED_UP in _codes(row) and claims <= len(self.pauses):
                yield self._wrong("failed too soon", f"draft {row['id']} was claimed {claims} times", row)

    def _poison(self) -> Iterator[Wrong]:
        for one in (one for one in self.planned if one.poison):
            for row in self.of_run[one.run]:
                wanted = "failed" if row["sku"] == one.poison else "ready"
                if row["outcome"] != wanted:
                    what = "poison" if wanted == "failed" else "mate of poison"
                    yield self._wrong(what, f"{row['sku']} in run {one.run} is {row['outcome']}", row)

    def _late(self) -> Iterator[Wrong]:
        stored = {row["id"]: row for row in self.drafts}
        for one in self.again:
            if one.net_seconds > self.again_seconds:
                waited = f"waited {one.seconds:.1f} s, {one.excused_seconds:.1f} s of them excused"
                detail = f"draft {one.draft}, held by {one.pid} when it was killed, {waited}"
                yield self._wrong("late", detail, stored[one.draft])

    @cached_property
    def again(self) -> list[Again]:
        """What killed workers held."""
        stored = {row["id"]: row for row in self.drafts}
        found = []
        for kill in self.kills:
            for draft, (token, attempt) in kill.writing.items():
                if self.books.pid_of.get(token) == kill.pid:
                    pause = self.pauses[attempt - 1] if attempt <= len(self.pauses) else 0.0
                    until = self._taken_up_at(stored[draft], token, kill.at)
                    excused = pause + self._down(kill.at, until)
                    place = (stored[draft]["run_id"], stored[draft]["chunk"])
                    found.append(Again(draft, place, kill.pid, until - kill.at, excused))
        return found

    @property
    def chunk_again_seconds(self) -> float:
        """The longest that all items of a chunk waited that a killed worker held, excuses taken off."""
        first: dict[tuple[int, tuple[int, int]], float] = {}
        for one in self.again:
            first[one.pid, one.chunk] = min(first.get((one.pid, one.chunk), one.net_seconds), one.net_seconds)
        return max(first.values(), default=0.0)

    def _down(self, began: float, ended: float) -> float:
        """Seconds between the two in which there was no broker or no database."""
        seconds = 0.0
        for down, up in sorted(self.outages):
            seconds += max(0.0, min(up, ended) - max(down, began))
            began = max(began, up)
        return seconds

    def _taken_up_at(self, row: Row, token: str, after: float) -> float:
        for line in self.books.of(row["id"], CLAIMED):
            if line.at > after and line.token != token:
                return line.at
        settled: float = row["settled_at"].timestamp() if row["settled_at"] else time.time()
        return settled - time.time() + time.monotonic()


def _is_of(line: Line, row: Row) -> bool:
    is_outcome = line.status == row["outcome"] or (line.status == "ready" and DUPLICATE in _codes(row))
    return is_outcome and line.digest == digest(row["text"])


def _codes(row: Row) -> set[str]:
    return {reason["code"] for reason in row["reasons"]}
