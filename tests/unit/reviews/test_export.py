import csv
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from copydesk.errors import InputError
from producer.reviews import ReplyOut, write

from .conftest import Load

WHEN = datetime(2026, 11, 12, 8, 30, tzinfo=UTC)
JUDGEME = "title,body,rating,review_date,reviewer_name,reviewer_email,product_id,product_handle,reply,picture_urls"


def reply(text: str = "Thank you.", **source: str) -> ReplyOut:
    return ReplyOut("r1", "mug", text, 5, "en", WHEN, source)


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def test_judgeme_gets_back_its_own_row_with_the_reply(load: Load, tmp_path: Path) -> None:
    row = 'Good,"Fine, light",5,05/10/2023,Ann,ann@example.com,77,mug,,'
    (review,) = load(f"{JUDGEME}\n{row}\n").reviews
    out = tmp_path / "out.csv"

    assert write([ReplyOut(review.id, review.sku, "Thank you.", 5, "en", WHEN, review.source)], out, "judgeme") == 1
    assert out.read_text("utf-8").splitlines() == [JUDGEME, row.replace(",,", ",Thank you.,")]
    assert load(out.read_text("utf-8")).reviews[0].id == review.id


def test_yotpo_gets_what_it_knows_the_review_by_and_our_comment(tmp_path: Path) -> None:
    out = tmp_path / "out.csv"
    write([reply(product_id="p1", review_content="It leaks", review_score="2", date="2023-10-05")], out, "yotpo")

    (row,) = rows_of(out)
    assert row["product_id"] == "p1"
    assert row["review_content"] == "It leaks"
    assert (row["comment_content"], row["comment_public"], row["comment_created_at"]) == (
        "Thank you.", "TRUE", "2026-11-12",
    )  # fmt: skip


def test_google_gets_a_list_of_ids_and_comments(tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    write([reply("谢谢", reviewId="abc", name="accounts/1")], out, "google")

    assert json.loads(out.read_text("utf-8")) == [{"reviewId": "abc", "comment": "谢谢"}]


def test_our_own_formats_hold_id_product_stars_language_reply_and_when(tmp_path: Path) -> None:
    out = tmp_path / "out.csv"
    expected = {
        "review_id": "r1", "sku": "mug", "rating": 5, "language": "en", "reply": "Thank you.",
        "approved_at": "2026-11-12T08:30:00+00:00",
    }  # fmt: skip
    write([reply()], out, "csv")
    assert rows_of(out) == [{name: str(value) for name, value in expected.items()}]
    write([reply()], out, "jsonl")
    assert json.loads(out.read_text("utf-8")) == expected


def test_cells_that_a_spreadsheet_would_run_are_neutralised(tmp_path: Path) -> None:
    out = tmp_path / "out.csv"
    write([reply("=HYPERLINK(1)", product_handle="mug", body="+1 would buy again", title="@me")], out, "judgeme")

    (row,) = rows_of(out)
    assert (row["reply"], row["body"], row["title"]) == ("'=HYPERLINK(1)", "'+1 would buy again", "'@me")


@pytest.mark.parametrize("file_format", ["judgeme", "yotpo", "google"])
def test_replies_to_reviews_that_the_platform_does_not_know_are_refused_and_the_old_file_stays(
    tmp_path: Path, file_format: str
) -> None:
    out = tmp_path / "out"
    out.write_text("old", "utf-8")
    known = reply(product_handle="mug", review_content="Good", reviewId="abc")

    with pytest.raises(InputError, match=f"2 replies lack what {file_format} knows .* write csv or jsonl"):
        write([known, reply(), reply(other="x")], out, file_format)
    assert out.read_text("utf-8") == "old"


def test_amazon_takes_no_replies_and_the_error_names_what_to_write_instead(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="write csv or jsonl"):
        write([reply()], tmp_path / "out", "amazon")
    with pytest.raises(InputError, match="use one of judgeme"):
        write([reply()], tmp_path / "out", "excel")


def test_when_the_replies_break_off_the_old_file_stays(tmp_path: Path) -> None:
    out = tmp_path / "out.csv"
    out.write_text("old", "utf-8")

    def broken() -> object:
        yield reply()
        raise RuntimeError("the database went away")

    with pytest.raises(RuntimeError):
        write(broken(), out, "csv")  # type: ignore[arg-type]
    assert out.read_text("utf-8") == "old"
    assert list(tmp_path.iterdir()) == [out]
    with pytest.raises(InputError, match="cannot be written"):
        write([reply()], tmp_path / "no" / "such" / "folder.csv", "csv")
