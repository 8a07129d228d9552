"""Yotpo's CSV, as it is exported and imported. Our reply is its "comment"."""

from collections.abc import Iterable

from copydesk.model import Platform
from producer.catalog.records import Row
from producer.reviews.making import Raw

PLATFORM = Platform.YOTPO

KEYS = (
    "product_id", "product_title", "product_url", "date", "review_content", "review_score", "review_title",
    "display_name", "email",
)  # fmt: skip
"""What Yotpo knows a review by."""


def is_header(names: Iterable[str]) -> bool:
    return {"product_id", "review_content", "review_score"} <= set(names)


def raw(row: Row) -> Raw:
    return Raw(
        text=row.get("review_content"),
        title=row.get("review_title"),
        rating=row.get("review_score"),
        sku=row.get("product_id"),
        reviewer_name=row.get("display_name"),
        reviewer_email=row.get("email"),
        written_at=row.get("date"),
        reply=row.cells.get("comment_content"),
        source={name: row.get(name) for name in KEYS},
    )
