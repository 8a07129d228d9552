"""Opens a review file: finds its encoding, separator and format, and hands each record to the format's own module."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from copydesk.errors import InputError
from copydesk.model import Platform
from producer.catalog.encoding import detect, open_text
from producer.catalog.items import Level, Problem
from producer.catalog.records import Fault, Row, json_lines, rows, shown, table
from producer.files import readable
from producer.reviews import amazon, google, judgeme, own, yotpo
from producer.reviews.making import Item, Maker, Raw, refuse
from producer.reviews.records import LIST, MAX_DOCUMENT_BYTES, Refused, elements, parse

FORMATS = ("auto", "judgeme", "yotpo", "amazon", "google", "csv", "jsonl")

_TABLES = {"judgeme": judgeme.is_header, "yotpo": yotpo.is_header, "csv": own.is_header}

_HEAD = 1 << 16
"""Characters that are looked at to tell the format."""

_EXPECTED = (
    "Judge.me's CSV (body, rating, product_handle), Yotpo's CSV (product_id, review_content, review_score), a CSV with "
    "text and review_id, Google's list of reviews, or JSON lines (one object with text for each review)"
)


@dataclass(frozen=True)
class _Shape:
    encoding: str
    file_format: str
    delimiter: str = ""  # of a table
    is_list: bool = False


def read(file: Path, file_format: str = "auto") -> Iterator[Item]:
    """The reviews of a file in its order, one at a time, each after the problems that concern it.

    `file_format` is one of FORMATS; under auto, JSON records of several formats may be mixed. A bad row is a Problem
    with level error, and never stops the others.

    Raises:
        InputError: the file as a whole cannot be used; raised by the call, not by the first step.
    """
    return (item for _, item in numbered(file, file_format))


def numbered(file: Path, file_format: str = "auto") -> Iterator[tuple[int, Item]]:
    """What `read` gives, each with the line (from 1) that it starts on. Raises InputError."""
    with readable(file, file_format, FORMATS, "a file of reviews"):
        shape = _shape_of(file, file_format)
    return _numbered(file, shape)


def _numbered(file: Path, shape: _Shape) -> Iterator[tuple[int, Item]]:
    with open_text(file, shape.encoding) as stream:
        if shape.delimiter:
            yield from _rows(stream, shape)
        else:
            lines = elements(stream.read()) if shape.is_list else json_lines(stream)
            yield from _records(lines, shape.file_format)


def _rows(stream: TextIO, shape: _Shape) -> Iterator[tuple[int, Item]]:
    records = rows(stream, shape.delimiter)
    names = _names_in(next(records))
    platform, raw = _TABLE_KINDS[shape.file_format]
    if platform is own.PLATFORM and (unknown := set(names) - own.KNOWN - {""}):
        yield 1, _unknown(1, unknown)
    maker = Maker()
    for row in table(records, names):
        if row.fault:
            yield row.line, refuse(row.line, row.fault)
            continue
        for item in maker.take(row.line, platform, raw(row)):
            yield row.line, item


def _own_row(row: Row) -> Raw:
    return own.raw(row.cells)


_TABLE_KINDS: dict[str, tuple[Platform, Callable[[Row], Raw]]] = {
    "judgeme": (judgeme.PLATFORM, judgeme.raw), "yotpo": (yotpo.PLATFORM, yotpo.raw), "csv": (own.PLATFORM, _own_row),
}  # fmt: skip


def _records(lines: Iterable[tuple[int, str, Fault | None]], file_format: str) -> Iterator[tuple[int, Item]]:
    maker = Maker()
    told = False
    for line, text, fault in lines:
        try:
            if fault:
                raise Refused(fault)
            record = parse(text)
            platform, raw_of = _kind_of(record, file_format)
            raw = raw_of(record)
        except Refused as refused:
            yield line, refuse(line, refused.fault)
            continue
        if not told and platform is own.PLATFORM and (unknown := record.keys() - own.KNOWN):
            told = True
            yield line, _unknown(line, unknown)
        for item in maker.take(line, platform, raw):
            yield line, item


def _kind_of(record: dict[str, Any], file_format: str) -> tuple[Platform, Callable[[dict[str, Any]], Raw]]:
    if file_format == "google" or (file_format == "auto" and google.is_record(record)):
        return google.PLATFORM, google.raw
    if file_format == "amazon" or (file_format == "auto" and amazon.is_record(record)):
        return amazon.PLATFORM, amazon.raw
    return own.PLATFORM, own.raw


def _unknown(line: int, names: Iterable[str]) -> Problem:
    message = f"columns not understood, and not used: {shown(', '.join(sorted(names)))}"
    return Problem(line, "", Level.WARNING, "columns.unknown", message)


def _shape_of(file: Path, wanted: str) -> _Shape:
    encoding = detect(file)
    with open_text(file, encoding) as stream:
        head = stream.read(_HEAD)
    if wanted not in _TABLES and head.lstrip().startswith(("{", "[")):
        return _Shape(encoding, wanted, is_list=_is_list(file, head))
    for delimiter in ",;\t" if wanted in ("auto", *_TABLES) else "":
        with open_text(file, encoding) as stream:
            header = next(rows(stream, delimiter), (1, [], None))
        if found := _table_of(_names_in(header), wanted):
            if header[2]:
                raise InputError(f"the header of {file} cannot be used: {header[2].message}")
            return _Shape(encoding, found, delimiter)
    expected = _EXPECTED if wanted == "auto" else f"a file as {wanted} has"
    raise InputError(f"the format of {file} cannot be told from its beginning: it should be {expected}")


def _is_list(file: Path, head: str) -> bool:
    if not LIST.match(head):
        return False
    if file.stat().st_size > MAX_DOCUMENT_BYTES:
        raise InputError(f"{file} is a list of over {MAX_DOCUMENT_BYTES >> 20} MiB: write one object a line instead")
    return True


def _names_in(header: tuple[int, list[str], Fault | None]) -> list[str]:
    return [name.strip().casefold() for name in header[1]]


def _table_of(names: list[str], wanted: str) -> str:
    formats = [wanted] if wanted in _TABLES else list(_TABLES)
    return next((name for name in formats if _TABLES[name](names)), "")
