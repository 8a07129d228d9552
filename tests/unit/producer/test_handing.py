"""Approved replies into files, and weeks by name: nothing is submitted that stands in no file."""

import csv
from datetime import UTC, datetime
from pathlib import Path

import pytest
from reviewing import Desk, review, triaged

from copydesk.errors import InputError
from copydesk.model import Opinion, Platform, Polarity
from copydesk.store import Database
from producer import handing, weeks

SOURCE = {"product_handle": "mug", "body": "Lovely.", "reviewer_email": "dana@quill.example"}


@pytest.fixture
def desk(sqlite_database: Database) -> Desk:
    return Desk(sqlite_database)


def test_a_platforms_format_takes_its_own_replies_once_and_again_on_demand(desk: Desk, tmp_path: Path) -> None:
    number = desk.approved_reply(source=SOURCE)
    desk.approved_reply(number=2, platform=Platform.GOOGLE, source={"reviewId": "g-2"})
    file = tmp_path / "out.csv"

    assert handing.write(desk.database, desk.shop_id, file, "judgeme") == 1

    with file.open(encoding="utf-8", newline="") as stream:
        (row,) = csv.DictReader(stream)
    assert (row["product_handle"], row["reply"]) == ("mug", f"Thank you for number {number}.")
    assert desk.reply_states() == ["published", "approved"]
    assert handing.write(desk.database, desk.shop_id, file, "judgeme") == 0
    assert handing.write_again(desk.database, desk.shop_id, file, "judgeme") == 1
    assert handing.write(desk.database, desk.shop_id, tmp_path / "all.jsonl", "jsonl") == 1
    assert desk.reply_states() == ["published", "published"]


@pytest.mark.parametrize("file_format", ["xml", "amazon", "judgeme", "csv"])
def test_what_cannot_be_written_is_not_submitted(desk: Desk, tmp_path: Path, file_format: str) -> None:
    desk.approved_reply(source={})
    file = tmp_path / "out" if file_format != "csv" else tmp_path / "no" / "such" / "folder" / "out"
    with pytest.raises(InputError):
        handing.write(desk.database, desk.shop_id, file, file_format)
    assert desk.reply_states() == ["approved"]
    assert not file.exists()


def test_a_week_begins_on_monday_and_is_this_one_where_none_is_named() -> None:
    assert weeks.named("2026-W47").since == datetime(2026, 11, 16, tzinfo=UTC)
    assert weeks.named("2026-W01").since == datetime(2025, 12, 29, tzinfo=UTC)
    assert weeks.named(None, datetime(2026, 11, 22, 23, 59, tzinfo=UTC)) == weeks.named("2026-W47")


@pytest.mark.parametrize("name", ["", "47", "2026-47", "2026-W54", "2026-W47-1", "next"])
def test_what_is_no_week_says_how_one_is_written(name: str) -> None:
    with pytest.raises(InputError, match="2026-W47"):
        weeks.named(name)


def test_a_weeks_digest_is_compared_with_the_week_before(desk: Desk) -> None:
    days = [10, 16, 17, 18, 23]
    slow = (Opinion("delivery", Polarity.NEGATIVE, "It came late."),)
    desk.take(
        *[
            triaged(review(place, written_at=datetime(2026, 11, day, 12, tzinfo=UTC)), opinions=slow)
            for place, day in enumerate(days, start=1)
        ]
    )
    with desk.database.read() as connection:
        found = weeks.digest(connection, desk.shop_id, weeks.named("2026-W47"), min_count=3)
    assert (found.reviews, found.before) == (3, 1)
    (complaint,) = found.complaints
    assert (complaint.topic, complaint.count, complaint.before) == ("delivery", 3, 1)
