"""Writes texts back in the dialect of the shop: only the key, the title and the description.

On import a shop erases what a blank cell stands for and leaves alone what has no column; so no other column is written,
and a text that is blank is not written at all.
"""

import csv
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TextIO

from copydesk.errors import InputError
from copydesk.markup import to_html, to_plain
from copydesk.model import Dialect, LiveText, TextFormat
from producer.files import output

FORMATS = ("shopify", "woocommerce", "jsonl")

# A spreadsheet takes such a cell for a formula. The "'" before it is taken away on import, so a cell that already has
# some gets one more.
_FORMULA = re.compile(r"'*[=+\-@\t\r]")


@dataclass(frozen=True)
class ExportReport:
    """How many rows were written, how many cells got a "'" against formulas, how many rows had no text."""

    written: int
    neutralised: int
    skipped: int


def write(rows: Iterable[LiveText], path: Path, file_format: str) -> ExportReport:
    """Write `rows` in one of FORMATS; the file appears whole or not at all.

    A text is converted only where the format stores another kind (plain text becomes paragraphs, HTML becomes text).

    Raises:
        InputError: the format is unknown or the file cannot be written.
    """
    if file_format not in FORMATS:
        raise InputError(f"unknown format {file_format!r}: use one of {', '.join(FORMATS)}")
    with output(path) as stream:
        return _write_json(rows, stream) if file_format == "jsonl" else _write_csv(rows, stream, file_format)


def _write_json(rows: Iterable[LiveText], stream: TextIO) -> ExportReport:
    written = skipped = 0
    for row in rows:
        if not row.text.strip():
            skipped += 1
            continue
        text = row.text if row.text_format is TextFormat.PLAIN else to_plain(row.text)
        record = {"sku": row.sku, "title": _title(row), "description": text, "locale": row.language}
        stream.write(json.dumps(record, ensure_ascii=False) + "\n")
        written += 1
    return ExportReport(written, 0, skipped)


def _write_csv(rows: Iterable[LiveText], stream: TextIO, file_format: str) -> ExportReport:
    rows = iter(rows)
    first = next(rows, None)
    header = _header(file_format, first.dialect if first else None)
    sheet = csv.writer(stream)
    sheet.writerow(header)
    written = neutralised = skipped = 0
    for row in chain([first] if first else [], rows):
        if not row.text.strip():
            skipped += 1
            continue
        cells = [_cell(row, column) for column in header]
        sheet.writerow(map(neutral, cells))
        neutralised += sum(map(_is_formula, cells))
        written += 1
    return ExportReport(written, neutralised, skipped)


def _header(file_format: str, dialect: Dialect | None) -> tuple[str, ...]:
    if file_format == "woocommerce":
        return "ID", "SKU", "Name", "Description"
    return ("Title", "URL handle", "Description") if dialect is Dialect.SHOPIFY else ("Handle", "Title", "Body (HTML)")


def _cell(row: LiveText, column: str) -> str:
    match column:
        case "ID":
            return row.source.get("ID") or (row.sku.removeprefix("id:") if row.sku.startswith("id:") else "")
        case "SKU":
            return row.source.get("SKU", "" if row.sku.startswith("id:") else row.sku)
        case "Handle" | "URL handle":
            return row.sku
        case "Title" | "Name":
            return _title(row)
        case _:
            return row.text if row.text_format is TextFormat.HTML else to_html(row.text)


def _title(row: LiveText) -> str:
    """The title as it was imported, whatever its dialect called it."""
    return next((row.source[name] for name in ("Title", "Name", "title") if row.source.get(name)), row.title)


def _is_formula(cell: str) -> bool:
    return _FORMULA.match(cell) is not None


def neutral(cell: str) -> str:
    return f"'{cell}" if _is_formula(cell) else cell
