"""Google Business Profile's reviews, of a place and not of a product, as its API lists them."""

from collections.abc import Iterable, Mapping
from typing import Any

from copydesk.model import Platform
from producer.reviews.making import Raw
from producer.reviews.records import cell, part

PLATFORM = Platform.GOOGLE

_STARS = {"ONE": "1", "TWO": "2", "THREE": "3", "FOUR": "4", "FIVE": "5", "STAR_RATING_UNSPECIFIED": ""}
_TRANSLATED, _ORIGINAL = "(Translated by Google)", "(Original)"


def is_record(names: Iterable[str]) -> bool:
    return "reviewId" in names


def raw(record: Mapping[str, Any]) -> Raw:
    """Raises Refused where a part is not what Google writes."""
    reviewer, reply, stars = part(record, "reviewer"), part(record, "reviewReply"), cell(record, "starRating")
    return Raw(
        text=_original(cell(record, "comment")),
        rating=_STARS.get(stars, stars),
        id=cell(record, "reviewId"),
        reviewer_name=cell(reviewer, "displayName"),
        written_at=cell(record, "updateTime") or cell(record, "createTime"),
        reply="" if cell(reply, "reviewReplyState") == "REJECTED" else cell(reply, "comment"),
        source={"reviewId": cell(record, "reviewId"), "name": cell(record, "name")},
    )


def _original(comment: str) -> str:
    """Google puts its translation before the original, or behind it."""
    if _ORIGINAL in comment:
        return comment.partition(_ORIGINAL)[2]
    return comment.partition(_TRANSLATED)[0] if _TRANSLATED in comment else comment
