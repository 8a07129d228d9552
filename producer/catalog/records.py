"""Lines and CSV records with the line they start on; a broken one is told apart and the next ones are still read."""

import csv
import re
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TextIO

MAX_CELL = 1 << 20
"""Characters of one cell. Shopify takes 512 KB of description; more is an accident."""

MAX_RECORD = 8 << 20
"""Characters read for one record before giving up on finding its end (a quote that is never closed)."""

MAX_SHOWN = 255
"""Characters of the file's own text that one message quotes."""

_SURROGATE = re.compile("[\ud800-\udfff]")
_NEUTRALISED = re.compile(r"'+[=+\-@\t\r]")


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a record cannot be used."""

    code: str
    message: str


TOO_LARGE = Fault("cell.too_large", f"a cell is longer than {MAX_CELL:,} characters: shorten it")
UNDECODABLE = Fault("row.undecodable", "the row holds bytes that are not text in the file's encoding: correct them")


@dataclass(frozen=True, slots=True)
class Row:
    """One record by column name in lower case. A faulty one still has the cells that could be read."""

    line: int
    cells: dict[str, str]
    fault: Fault | None = None

    def get(self, name: str) -> str:
        """The cell, "" where the column is absent."""
        return self.cells.get(name, "")


class _Overlong(Exception):
    """The record does not end within MAX_RECORD characters."""


class Lines:
    """The physical lines of a file, counted. Those of the current record are kept so that they can be given back."""

    def __init__(self, stream: TextIO) -> None:
        self.number = 0
        self.taken: list[str] = []
        self._size = 0
        self._stream = stream
        self._again: deque[str] = deque()

    def __iter__(self) -> "Lines":
        return self

    def __next__(self) -> str:
        line = self._again.popleft() if self._again else self._read()
        if not line:
            raise StopIteration
        self.number += 1
        self._size += len(line)
        self.taken.append(line)
        if self._size > MAX_RECORD:
            raise _Overlong
        return line.replace("\0", "")

    def begin(self) -> None:
        """A new record starts with the next line."""
        self.taken.clear()
        self._size = 0

    def give_back(self) -> None:
        """Hand all lines of the current record but its first out again."""
        self._again.extendleft(reversed(self.taken[1:]))
        self.number -= len(self.taken) - 1

    def _read(self) -> str:
        """The next line; of one that is longer than MAX_RECORD only the beginning is kept in memory."""
        line = rest = self._stream.readline(MAX_RECORD + 1)
        while len(rest) >= MAX_RECORD and not rest.endswith(("\n", "\r")):
            rest = self._stream.readline(MAX_RECORD + 1)
        return line


def rows(stream: TextIO, delimiter: str) -> Iterator[tuple[int, list[str], Fault | None]]:
    """Every record that is not blank as (line, cells, fault)."""
    # Process-wide and checked while parsing; the stock limit (128 KiB) refuses long descriptions.
    csv.field_size_limit(max(csv.field_size_limit(), MAX_RECORD))
    lines = Lines(stream)
    # Strict, because a quote that is never closed then shows when the next row opens one, instead of merging the two.
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    while True:
        lines.begin()
        start = lines.number + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except (csv.Error, _Overlong) as error:
            yield start, [], _fault_of(error, len(lines.taken))
            lines.give_back()
            continue
        if any(map(str.strip, cells)):
            yield start, list(map(_plain, cells)), _fault_in(cells, lines.taken)


def table(records: Iterator[tuple[int, list[str], Fault | None]], names: Sequence[str]) -> Iterator[Row]:
    """Every record under its column names (in lower case; of two columns with one name the first counts)."""
    columns = [name.casefold() for name in names]
    are_distinct = len(set(columns)) == len(columns)
    for line, cells, fault in records:
        named = zip(columns, cells, strict=False)
        by_name = dict(named) if are_distinct else dict(reversed(list(named)))
        yield Row(line, by_name, fault or _fault_in_width(len(cells), len(columns)))


def json_lines(stream: TextIO) -> Iterator[tuple[int, str, Fault | None]]:
    """Every line that is not blank as (line, text, fault)."""
    lines = Lines(stream)
    while True:
        lines.begin()
        try:
            line = next(lines)
        except StopIteration:
            return
        except _Overlong:
            yield lines.number, "", TOO_LARGE
            continue
        if line.strip():
            yield lines.number, line, None if is_well_formed(line) else UNDECODABLE


def shown(text: str) -> str:
    """A text of the file as a report can print it: short, and without what no encoding has."""
    return _SURROGATE.sub("\ufffd", text[:MAX_SHOWN])


def is_well_formed(text: str) -> bool:
    """Whether a text can be stored: no lone surrogates (JSON can escape them)."""
    return text.isascii() or _SURROGATE.search(text) is None


def _plain(cell: str) -> str:
    """Our own export puts a "'" before what a spreadsheet would take for a formula; this takes it away again."""
    return cell[1:] if cell[:1] == "'" and _NEUTRALISED.match(cell) else cell


def _fault_in(cells: list[str], lines: list[str]) -> Fault | None:
    if max(map(len, cells)) > MAX_CELL:
        return TOO_LARGE
    return None if all(map(is_well_formed, lines)) else UNDECODABLE


def _fault_in_width(cells: int, columns: int) -> Fault | None:
    if cells == columns:
        return None
    message = f"the row has {cells} cells, the header {columns}: quote cells that hold the separator"
    return Fault("row.unreadable", message)


def _fault_of(error: Exception, lines: int) -> Fault:
    if isinstance(error, _Overlong) and lines == 1:
        return TOO_LARGE
    if lines > 1 or "end of data" in str(error):
        return Fault(
            "row.unreadable", "a quote is opened here and not closed: close it, and double quotes inside cells"
        )
    return Fault("row.unreadable", "text follows a closing quote: double the quotes inside the cell")
