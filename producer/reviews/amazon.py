"""Amazon Reviews 2023 as JSON lines. Catalogs name the parent product, so its key goes first."""

from collections.abc import Iterable, Mapping
from typing import Any

from copydesk.model import Platform
from producer.reviews.making import Raw
from producer.reviews.records import cell

PLATFORM = Platform.AMAZON


def is_record(names: Iterable[str]) -> bool:
    return not {"asin", "parent_asin"}.isdisjoint(names)


def raw(record: Mapping[str, Any]) -> Raw:
    """A review has no key in this data; who wrote it when about what makes one. Raises Refused."""
    return Raw(
        text=cell(record, "text"),
        title=cell(record, "title"),
        rating=cell(record, "rating"),
        sku=cell(record, "parent_asin") or cell(record, "asin"),
        reviewer_id=cell(record, "user_id"),
        written_at=cell(record, "timestamp"),
    )
