"""Writes approved replies as the platform takes them: what it knows the review by, and the reply.

Only columns that a platform imports are written. Cells that a spreadsheet would take for a formula get a "'" in front.
"""

import csv
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from copydesk.errors import InputError
from producer.catalog.export import neutral
from producer.files import output
from producer.reviews import judgeme, yotpo

FORMATS = ("judgeme", "yotpo", "google", "csv", "jsonl")

OWN = ("review_id", "sku", "rating", "language", "reply", "approved_at")


@dataclass(frozen=True, slots=True)
class ReplyOut:
    """One approved reply. `source` are the raw cells of its review, as they were imported."""

    review_id: str
    sku: str
    text: str
    rating: int | None
    language: str
    approved_at: datetime
    source: Mapping[str, str] = field(default_factory=dict)


def write(replies: Iterable[ReplyOut], file: Path, file_format: str) -> int:
    """Write replies in one of FORMATS, whole or not at all; returns how many.

    Raises:
        InputError: the format is unknown, or takes no replies; or one is to a review that came from elsewhere, which
            the platform does not know; or the file cannot be written. What was in its place stays.
    """
    if file_format == "amazon":
        raise InputError("Amazon takes no replies, from a file or otherwise: write csv or jsonl and send them by hand")
    if file_format not in FORMATS:
        raise InputError(f"unknown format {file_format!r}: use one of {', '.join(FORMATS)}")
    rows = [_ROW_OF[file_format](reply) for reply in replies]
    if unknown := rows.count({}):
        raise InputError(
            f"{unknown} replies lack what {file_format} knows their reviews by, so none was written: write csv or jsonl"
        )
    with output(file) as stream:
        if file_format == "google":
            json.dump(rows, stream, ensure_ascii=False, indent=2)
        elif file_format == "jsonl":
            stream.writelines(json.dumps(row, ensure_ascii=False, default=str) + "\n" for row in rows)
        else:
            csv.writer(stream).writerows(_cells(rows, _COLUMNS[file_format]))
    return len(rows)


def _cells(rows: Iterable[Mapping[str, object]], columns: Iterable[str]) -> Iterator[list[str]]:
    columns = list(columns)
    yield columns
    for row in rows:
        yield [neutral("" if row.get(name) is None else str(row[name])) for name in columns]


def _judgeme(reply: ReplyOut) -> dict[str, object]:
    return {**reply.source, "reply": reply.text} if "product_handle" in reply.source else {}


def _yotpo(reply: ReplyOut) -> dict[str, object]:
    if "review_content" not in reply.source:
        return {}
    comment = {"comment_content": reply.text, "comment_public": "TRUE"}
    return {**reply.source, **comment, "comment_created_at": f"{reply.approved_at:%Y-%m-%d}"}


def _google(reply: ReplyOut) -> dict[str, object]:
    key = reply.source.get("reviewId")
    return {"reviewId": key, "comment": reply.text} if key else {}


def _own(reply: ReplyOut) -> dict[str, object]:
    moment = reply.approved_at.isoformat(timespec="seconds")
    values = (reply.review_id, reply.sku, reply.rating, reply.language, reply.text, moment)
    return dict(zip(OWN, values, strict=True))


_ROW_OF: Mapping[str, Callable[[ReplyOut], dict[str, object]]] = {
    "judgeme": _judgeme, "yotpo": _yotpo, "google": _google, "csv": _own, "jsonl": _own,
}  # fmt: skip

_COLUMNS = {
    "judgeme": judgeme.COLUMNS,
    "yotpo": (*yotpo.KEYS, "comment_content", "comment_public", "comment_created_at"),
    "csv": OWN,
}
