"""Tables that people fill in or bring: read whatever spreadsheet saved them, written so that one opens them well."""

import csv
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from copydesk.errors import InputError
from producer.catalog.encoding import detect, open_text
from producer.catalog.export import neutral
from producer.catalog.records import Row, rows, table
from producer.files import output, readable

_BYTE_ORDER_MARK = "\ufeff"
"""Without it a spreadsheet reads Chinese as something else."""


def read(path: Path, wanted: Collection[str], what: str) -> Iterator[Row]:
    """Every row by column name; `line` is its number in a spreadsheet. A faulty one has its fault.

    Args:
        path: comma, semicolon or tab between the cells, in UTF-8 or as an older spreadsheet saves.
        wanted: columns that there have to be.
        what: what the file is, for the message.

    Raises:
        InputError: the file as a whole cannot be used; raised by the call, not by the first step.
    """
    with readable(path, "csv", ("csv",), what):
        encoding = detect(path)
        header, delimiter = _header(path, encoding)
    missing = [name for name in wanted if name not in header]
    if missing:
        raise InputError(f"{path} has no column {', '.join(missing)}: name {what}")
    return _rows(path, encoding, delimiter)


def _rows(path: Path, encoding: str, delimiter: str) -> Iterator[Row]:
    with open_text(path, encoding) as stream:
        records = rows(stream, delimiter)
        _, names, _ = next(records)
        # Counted as a spreadsheet does, in which a cell may have several lines.
        for number, row in enumerate(table(records, [name.strip() for name in names]), start=2):
            yield replace(row, line=number)


def _header(path: Path, encoding: str) -> tuple[list[str], str]:
    """The columns' names in lower case, and the delimiter that finds most of them."""
    found = []
    for delimiter in ",;\t":
        with open_text(path, encoding) as stream:
            _, names, _ = next(rows(stream, delimiter), (0, [], None))
        found.append(([name.strip().casefold() for name in names], delimiter))
    return max(found, key=lambda one: len(one[0]))


def write(path: Path, header: Sequence[str], lines: Iterable[Sequence[object]]) -> int:
    """Write a table; it appears whole or not at all. Returns how many lines there are. Raises InputError."""
    written = 0
    with output(path) as stream:
        stream.write(_BYTE_ORDER_MARK)
        sheet = csv.writer(stream)
        sheet.writerow(header)
        for line in lines:
            sheet.writerow([neutral(str(cell)) for cell in line])
            written += 1
    return written
