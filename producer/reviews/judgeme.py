"""Judge.me's CSV, as it is exported and imported. The product's handle is its key; reviews have none of their own."""

from collections.abc import Iterable

from copydesk.model import Platform
from producer.catalog.records import Row
from producer.reviews.making import Raw

PLATFORM = Platform.JUDGEME

COLUMNS = (
    "title", "body", "rating", "review_date", "reviewer_name", "reviewer_email", "product_id", "product_handle",
    "reply", "picture_urls",
)  # fmt: skip
"""What Judge.me imports; it knows a review again by what it already says."""


def is_header(names: Iterable[str]) -> bool:
    return {"body", "rating", "product_handle"} <= set(names)


def raw(row: Row) -> Raw:
    return Raw(
        text=row.get("body"),
        title=row.get("title"),
        rating=row.get("rating"),
        sku=row.get("product_handle"),
        reviewer_name=row.get("reviewer_name"),
        reviewer_email=row.get("reviewer_email"),
        written_at=row.get("review_date"),
        reply=row.cells.get("reply"),
        source={name: row.get(name) for name in COLUMNS if name != "reply"},
    )
