"""Our own CSV and JSON lines: review_id, sku, rating, title, text, language, reviewer_name, reviewer_email,
written_at and reply. Labelled test sets (review_id, text, polarity or label) are read as well.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from copydesk.model import Platform
from producer.reviews.making import Raw
from producer.reviews.records import cell

PLATFORM = Platform.OWN

KNOWN = frozenset(
    {
        "review_id", "sku", "rating", "title", "text", "language", "reviewer_name", "reviewer_email", "written_at",
        "reply", "polarity", "label",
    }
)  # fmt: skip
"""The language is read off the text, and a label is what a test set expects: neither is kept."""


def is_header(names: Iterable[str]) -> bool:
    present = set(names)
    return "text" in present and not present.isdisjoint({"review_id", "rating", "sku"})


def raw(record: Mapping[str, Any]) -> Raw:
    """Raises Refused."""
    return Raw(
        text=cell(record, "text"),
        title=cell(record, "title"),
        rating=cell(record, "rating"),
        sku=cell(record, "sku"),
        id=cell(record, "review_id"),
        reviewer_name=cell(record, "reviewer_name"),
        reviewer_email=cell(record, "reviewer_email"),
        written_at=cell(record, "written_at"),
        reply=cell(record, "reply") or None,
    )
