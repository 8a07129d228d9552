"""Approved replies out to a file of their platform: each once, and marked as submitted with the file."""

from datetime import UTC, datetime
from pathlib import Path

from copydesk.model import Platform
from copydesk.store import Database, replies
from copydesk.store.replies import Reply
from producer import reviews
from producer.reviews import ReplyOut

PLATFORM_OF = {
    "judgeme": [Platform.JUDGEME], "yotpo": [Platform.YOTPO], "google": [Platform.GOOGLE],
}  # fmt: skip
"""Whose replies a format takes; the other formats take all."""


def write(database: Database, shop_id: int, file: Path, file_format: str) -> int:
    """Write the approved replies that were not submitted yet; returns how many, which are submitted from now on.

    Raises:
        InputError: the format is unknown or does not know a review, or the file cannot be written; nothing is
            submitted, and a file that was there stays.
    """
    with database.write() as connection:  # the file within: no reply is submitted that stands in none
        handed = replies.hand_over(connection, shop_id, PLATFORM_OF.get(file_format))
        return reviews.write(map(_out, handed), file, file_format)


def write_again(database: Database, shop_id: int, file: Path, file_format: str) -> int:
    """Write what was submitted by file and not spoken of by the platform since; changes nothing. Raises as `write`."""
    with database.read() as connection:
        handed = replies.handed_over(connection, shop_id, PLATFORM_OF.get(file_format))
        return reviews.write(map(_out, handed), file, file_format)


def _out(reply: Reply) -> ReplyOut:
    decided_at = reply.decided_at or datetime.now(UTC)
    return ReplyOut(reply.review_id, reply.sku, reply.text, reply.rating, reply.language, decided_at, reply.source)
