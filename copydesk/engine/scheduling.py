"""Who is admitted to the batch, and when: lanes, width and a budget of tokens. No tensors and no clocks."""

from collections import deque
from collections.abc import Iterable, Sequence
from itertools import islice, takewhile

from copydesk.engine.backend import Row
from copydesk.model import Lane

FREE_FOR_REPLIES = 1 / 8
"""The share of the token budget that bulk work leaves free, so that a reply is admitted without waiting for an end."""

REPLIES_WIDTH = 32
"""Replies that decode together at most, beside the catalog's rows."""


class Scheduler:
    """Rows wait in their lane, first come first served, and run when they fit.

    `width` is how many catalog rows run together at most; `width_beside_replies` how many after `replies_about` has
    said that somebody waits, or did a moment ago, and half of it while a reply is in hand; `capacity_tokens` what all
    rows may take up, None if unknown. A static batch is admitted only when the one before has ended, and only rows
    with the same repetition_penalty share it.

    A row that is to decode alone has its turn at the head of its lane, once nothing decodes. Until then replies go
    before it and no catalog row does; then only the other candidates of its request run beside it.
    """

    def __init__(
        self,
        width: int,
        capacity_tokens: int | None,
        *,
        width_beside_replies: int | None = None,
        static: bool = False,
    ) -> None:
        self.width = width
        self.width_beside_replies = min(width, width_beside_replies or width)
        self.replies_about = False
        self.capacity_tokens = self._whole = capacity_tokens
        self.static = static
        self.waiting: dict[Lane, deque[Row]] = {lane: deque() for lane in Lane}
        self.running: dict[Row, int] = {}

    @property
    def waits(self) -> int:
        return sum(map(len, self.waiting.values()))

    @property
    def replies_in_hand(self) -> bool:
        """Whether a reply waits or runs."""
        return bool(self.waiting[Lane.REPLIES]) or any(row.request.lane is Lane.REPLIES for row in self.running)

    def refusal(self, row: Row) -> str:
        """Why a row could not even run alone; empty if it can."""
        limit = _share(self._whole, row.request.lane)  # of a budget that shrank, a large row runs alone
        if limit is None or row.most_tokens <= limit:
            return ""
        return (
            f"the prompt has {row.prompt.tokens} tokens and max_tokens asks for {row.request.sampling.max_tokens} "
            f"more, but the engine has memory for {limit}: shorten the product's facts, lower "
            "COPYDESK_SAMPLING__MAX_TOKENS or give the engine more memory"
        )

    def put(self, row: Row) -> None:
        self.waiting[row.request.lane].append(row)

    def admit(self) -> list[Row]:
        """The rows to run from now on, replies first."""
        if self.static and self.running:
            return []
        if alone := next((row for row in self.running if row.alone), None):
            return self._take(self._candidates(alone))
        admitted: list[Row] = []
        for lane in (Lane.REPLIES, Lane.CATALOG):
            # Replies do not wait for catalog rows that would share their static batch, nor for one that is alone.
            if admitted and (self.static or admitted[0].alone):
                break
            admitted += self._take(self._next(lane))
        return admitted

    def leave(self, row: Row) -> None:
        """A row ended or is not wanted any more, wherever it stands."""
        if row in self.running:
            del self.running[row]
        else:
            self.waiting[row.request.lane].remove(row)

    def shrink(self) -> list[Row]:
        """After running out of memory: half the budget; what ran goes back to the head of its lane, and is returned."""
        rows = list(self.running)
        self.capacity_tokens = sum(self.running.values()) // 2
        self.running.clear()
        for row in reversed(rows):
            self.waiting[row.request.lane].appendleft(row)
        return rows

    def restore(self) -> None:
        """One row alone was too large: the budget was not to blame."""
        self.capacity_tokens = self._whole

    def everything(self) -> list[Row]:
        """All rows that wait or run."""
        return [*self.running, *(row for queue in self.waiting.values() for row in queue)]

    def clear_waiting(self) -> list[Row]:
        """Take all waiting rows out."""
        rows = [row for queue in self.waiting.values() for row in queue]
        for queue in self.waiting.values():
            queue.clear()
        return rows

    def _next(self, lane: Lane) -> Sequence[Row]:
        """Those of a lane whose turn it is, in their order; how many of them fit, _take() finds out."""
        queue = self.waiting[lane]
        if _alone_at_head(queue) and not self.running:
            return self._candidates(queue[0])
        rows: Iterable[Row]
        if lane is Lane.REPLIES:
            rows = (row for row in queue if not row.alone)
        elif _alone_at_head(self.waiting[Lane.REPLIES]):
            return []
        else:
            rows = takewhile(lambda row: not row.alone, queue)
        room = self._room(lane)
        return _alike(rows, room) if self.static else list(islice(rows, max(room, 0)))

    def _candidates(self, row: Row) -> list[Row]:
        """All of its request that wait, at the head of their lane."""
        return list(takewhile(lambda other: other.request is row.request, self.waiting[row.request.lane]))

    def _take(self, rows: Iterable[Row]) -> list[Row]:
        """Let them run, up to the first that does not fit."""
        taken: list[Row] = []
        for row in rows:
            if not self._fits(row):
                break
            self.waiting[row.request.lane].remove(row)
            self.running[row] = row.most_tokens
            taken.append(row)
        return taken

    def _fits(self, row: Row) -> bool:
        if self._room(row.request.lane) <= 0:
            return False
        limit = _share(self.capacity_tokens, row.request.lane)
        # A row alone always runs: what is too large for that was refused, or will run out of memory by name.
        return not self.running or limit is None or sum(self.running.values()) + row.most_tokens <= limit

    def _catalog_width(self) -> int:
        if not self.replies_about or any(row.alone for row in self.running):
            return self.width
        # Reading a bulk prompt holds up a reply that decodes as much as many steps do: 6.4 times its idle latency with
        # the batch kept full beside it, 3.4 times with new rows only below this, for the same throughput in the end.
        return max(self.width_beside_replies // 2, 1) if self.replies_in_hand else self.width_beside_replies

    def _room(self, lane: Lane) -> int:
        width = self._catalog_width() if lane is Lane.CATALOG else REPLIES_WIDTH
        return width - sum(1 for row in self.running if row.request.lane is lane)


def _share(tokens: int | None, lane: Lane) -> int | None:
    """What of a budget a lane may fill."""
    return tokens if tokens is None or lane is Lane.REPLIES else int(tokens * (1 - FREE_FOR_REPLIES))


def _alone_at_head(queue: Sequence[Row]) -> bool:
    return bool(queue) and queue[0].alone


def _alike(queue: Iterable[Row], width: int) -> Sequence[Row]:
    """For a static batch: the oldest row, and those beside it that waste the least on each other.

    A batch reads its longest prompt and decodes to its longest answer: each row is padded to both.
    """
    waiting = list(queue)
    if not waiting or width <= 0:
        return []
    oldest = waiting[0]
    rows = sorted((row for row in waiting if _shared_sampling(row) == _shared_sampling(oldest)), key=_length)
    size = min(width, len(rows))
    place = next(place for place, row in enumerate(rows) if row is oldest)
    starts = range(max(0, place - size + 1), min(place, len(rows) - size) + 1)
    windows = [rows[start : start + size] for start in starts]
    best = min(windows, key=_padding)
    return sorted(best, key=lambda row: row is not oldest)  # first, so that it is admitted whatever the budget


def _shared_sampling(row: Row) -> float | None:
    """What all rows of a static batch must have in common: the rest is each row's own."""
    return row.request.sampling.repetition_penalty


def _length(row: Row) -> tuple[int, int]:
    """Tokens of its answer at most, and of what only this prompt has: a step decodes one, and reads many."""
    return row.request.sampling.max_tokens, _own_length(row)


def _own_length(row: Row) -> int:
    """Tokens that only this prompt has: what the model has to read for it."""
    return row.prompt.tokens - row.prompt.shared


def _padding(rows: Sequence[Row]) -> int:
    """Tokens of a batch that are of no use."""
    lengths = list(zip(*map(_length, rows), strict=True))
    return sum(max(one) * len(rows) - sum(one) for one in lengths)
