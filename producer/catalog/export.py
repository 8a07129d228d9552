"""Writes texts back in the dialect of the shop: only the key, the title and the description, or texts of other kinds.

On import a shop erases what a blank cell stands for and leaves alone what has no column; so no other column is written,
and a text that is blank is not written at all.
"""

import csv
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import TextIO

from copydesk.errors import InputError
from copydesk.markup import to_html, to_plain
from copydesk.model import DESCRIPTION, Dialect, LiveText, TextFormat
from producer.catalog.labels import NO_LABELS, Labels
from producer.catalog.shopify import SEO_CELLS
from producer.files import output

FORMATS = ("shopify", "woocommerce", "google", "jsonl")

# A spreadsheet takes such a cell for a formula. The "'" before it is taken away on import, so a cell that already has
# some gets one more.
_FORMULA = re.compile(r"'*[=+\-@\t\r]")


@dataclass(frozen=True)
class ExportReport:
    """How many rows were written, how many cells got a "'" against formulas, how many rows had no text.

    `apart` counts, by kind, texts that are not in the file and would be in one of their own.
    """

    written: int
    neutralised: int
    skipped: int
    apart: Mapping[str, int] = field(default_factory=dict)


def write(
    rows: Iterable[LiveText],
    path: Path,
    file_format: str,
    labels: Labels = NO_LABELS,
    *,
    kind: str = DESCRIPTION,
    beside: Sequence[str] = (),
) -> ExportReport:
    """Write `rows` in one of FORMATS; the file appears whole or not at all.

    A text is converted only where the format stores another kind (plain text becomes paragraphs, HTML becomes text).

    Args:
        kind: of the rows' texts.
        beside: SEO_CELLS of which each row has a text, or says what the shop's own is; they get a column.

    Raises:
        InputError: the format is unknown, has no place for the kind or the label, or the file cannot be written.
    """
    if file_format not in FORMATS:
        raise InputError(f"unknown format {file_format!r}: use one of {', '.join(FORMATS)}")
    _check_kind(kind, file_format, labels)
    labels.check(file_format)
    with output(path) as stream:
        if file_format == "jsonl":
            return _write_json(rows, stream, labels, kind)
        if file_format == "google":
            return _write_google(rows, stream, labels)
        return _write_csv(rows, stream, file_format, labels, beside if kind == DESCRIPTION else [kind], kind)


def _check_kind(kind: str, file_format: str, labels: Labels) -> None:
    if kind == DESCRIPTION or (kind in SEO_CELLS and file_format == "shopify"):
        return
    if file_format != "jsonl":
        raise InputError(f"a {file_format} file has no column for texts of the kind {kind}: use --format jsonl")
    if labels.label == "google":
        raise InputError(f"Google has no field for texts of the kind {kind}: use --label none")


def _write_json(rows: Iterable[LiveText], stream: TextIO, labels: Labels, kind: str) -> ExportReport:
    written = skipped = 0
    for row in rows:
        if not row.text.strip():
            skipped += 1
            continue
        fields = labels.fields(row, _plain(row))
        if kind != DESCRIPTION:
            fields = {"kind": kind} | {"text" if name == "description" else name: one for name, one in fields.items()}
        record = {"sku": row.sku, "title": _title(row), **fields, "locale": row.language}
        stream.write(json.dumps(record, ensure_ascii=False) + "\n")
        written += 1
    return ExportReport(written, 0, skipped)


def _plain(row: LiveText) -> str:
    return row.text if row.text_format is TextFormat.PLAIN else to_plain(row.text)


def _write_google(rows: Iterable[LiveText], stream: TextIO, labels: Labels) -> ExportReport:
    """A supplemental data source of Google Merchant Center: tab-separated, one line a product."""
    stream.write("id\tdescription\tstructured_description\n")
    written = skipped = 0
    for row in rows:
        if not row.text.strip():
            skipped += 1
            continue
        stream.write("\t".join(map(_google_cell, (row.sku, *labels.google(row, _plain(row))))) + "\n")
        written += 1
    return ExportReport(written, 0, skipped)


def _google_cell(text: str) -> str:
    """One line without tabs; only a cell that begins with a quote is read as a quoted one, so it has to be."""
    line = " ".join(text.split())
    return '"{}"'.format(line.replace('"', '""')) if line.startswith('"') else line


def _write_csv(
    rows: Iterable[LiveText], stream: TextIO, file_format: str, labels: Labels, seo: Sequence[str], kind: str
) -> ExportReport:
    rows = iter(rows)
    first = next(rows, None)
    header = _header(file_format, first.dialect if first else None, seo, kind)
    sheet = csv.writer(stream)
    sheet.writerow(header)
    written = neutralised = skipped = 0
    for row in chain([first] if first else [], rows):
        if not row.text.strip():
            skipped += 1
            continue
        cells = [_cell(row, column, labels, kind) for column in header]
        sheet.writerow(map(neutral, cells))
        neutralised += sum(map(_is_formula, cells))
        written += 1
    return ExportReport(written, neutralised, skipped)


def _header(file_format: str, dialect: Dialect | None, seo: Sequence[str], kind: str) -> tuple[str, ...]:
    if file_format == "woocommerce":
        return "ID", "SKU", "Name", "Description"
    is_current = dialect is Dialect.SHOPIFY
    key = ("Title", "URL handle") if is_current else ("Handle", "Title")
    text = ("Description" if is_current else "Body (HTML)",) if kind == DESCRIPTION else ()
    cells = (SEO_CELLS[one] for one in seo)
    return (*key, *text, *(cell if is_current else cell.title().replace("Seo", "SEO") for cell in cells))


_KINDS = {cell.casefold(): kind for kind, cell in SEO_CELLS.items()}


def _cell(row: LiveText, column: str, labels: Labels, kind: str) -> str:
    if seo := _KINDS.get(column.casefold()):
        return row.text if seo == kind else row.beside.get(seo) or row.source.get(SEO_CELLS[seo], "")
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
            text = row.text if row.text_format is TextFormat.HTML else to_html(row.text)
            return labels.text(row, text, TextFormat.HTML)


def _title(row: LiveText) -> str:
    """The title as it was imported, whatever its dialect called it."""
    return next((row.source[name] for name in ("Title", "Name", "title") if row.source.get(name)), row.title)


def _is_formula(cell: str) -> bool:
    return _FORMULA.match(cell) is not None


def neutral(cell: str) -> str:
    return f"'{cell}" if _is_formula(cell) else cell
