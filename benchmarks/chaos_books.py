"""The ledger of chaos.py outside the database under test: one file for each worker process, one line for each event."""

import hashlib
import json
import os
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

BOOKS = "CHAOS_BOOKS"
"""The variable that tells a worker the folder of its book."""

CLAIMING, CLAIMED = "claiming", "claimed"
INTENT, ACCEPTED = "intent", "accepted"
AFTER_COMMIT = {CLAIMING: CLAIMED, INTENT: ACCEPTED}
DROPPED = "dropped"  # the database did not take it: stale, or somebody else's by now


@dataclass(frozen=True, slots=True)
class Line:
    """One event of one draft; `at` is the monotonic clock, which all processes of a machine share."""

    event: str
    draft: int
    token: str
    status: str
    digest: str
    pid: int
    at: float

    @classmethod
    def now(cls, event: str, draft: int, token: str, status: str = "", text_digest: str = "") -> "Line":
        return cls(event, draft, token, status, text_digest, os.getpid(), time.monotonic())

    def __str__(self) -> str:
        return f"{self.at:.3f} {self.event} by {self.pid} token {self.token[:8]} {self.status} {self.digest}".rstrip()


class Book:
    """A file that only grows. What add returned from is on disk."""

    def __init__(self, folder: str) -> None:
        path = Path(folder) / f"{os.getpid()}-{time.monotonic_ns()}.jsonl"
        self._file = os.open(path, os.O_APPEND | os.O_CREAT | os.O_WRONLY, 0o600)

    def add(self, lines: Sequence[Line]) -> None:
        if lines:
            os.write(self._file, "".join(json.dumps(asdict(line)) + "\n" for line in lines).encode())
            os.fsync(self._file)


@dataclass(frozen=True, slots=True)
class Books:
    """All lines, those of each draft in order of time; and which process made which token."""

    of_draft: dict[int, list[Line]]
    pid_of: dict[str, int]

    @classmethod
    def read(cls, folder: Path) -> "Books":
        of_draft: dict[int, list[Line]] = defaultdict(list)
        for line in _lines(folder):
            of_draft[line.draft].append(line)
        for lines in of_draft.values():
            lines.sort(key=lambda line: line.at)
        return cls(dict(of_draft), {line.token: line.pid for lines in of_draft.values() for line in lines})

    def of(self, draft: int, *events: str) -> list[Line]:
        return [line for line in self.of_draft.get(draft, []) if line.event in events]

    def committed(self, draft: int) -> list[Line]:
        """Claims and accepted writes of a draft in the order of the database, without those that were rolled back."""
        lines = self.of_draft.get(draft, [])
        return [
            line
            for place, line in enumerate(lines)
            if line.event in AFTER_COMMIT
            and any(one.event == AFTER_COMMIT[line.event] and one.token == line.token for one in lines[place:])
        ]

    def count(self, event: str) -> int:
        return sum(line.event == event for lines in self.of_draft.values() for line in lines)


def tokens_of(folder: Path, pid: int) -> set[str]:
    """Every token that a process has claimed with until now."""
    return {line.token for line in _lines(folder, f"{pid}-*.jsonl")}


def _lines(folder: Path, names: str = "*.jsonl") -> Iterable[Line]:
    for path in sorted(folder.glob(names)):
        for line in path.read_text("utf-8").splitlines(keepends=True):
            if line.endswith("\n"):  # the last one may be cut by a kill
                yield Line(**json.loads(line))


def digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:16]
