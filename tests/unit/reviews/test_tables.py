"""Judge.me's, Yotpo's and our own CSV."""

from datetime import UTC, datetime

import pytest

from copydesk.errors import InputError
from copydesk.model import Platform, Reviewer

from .conftest import Load

JUDGEME = "title,body,rating,review_date,reviewer_name,reviewer_email,product_id,product_handle,reply,picture_urls\n"
YOTPO = (
    "product_id,product_title,product_url,date,review_content,review_score,review_title,display_name,email,user_type,"
    "comment_content\n"
)


def test_judgemes_columns_are_read_and_kept_for_the_way_back(load: Load) -> None:
    found = load(
        JUDGEME
        + 'Good,"Holds heat.\r\nLight.",5,2023-10-05 00:00:00 UTC,Ann Lee,ann@example.com,77,mug,Thanks,https://p/1.jpg\n'
    )

    (review,) = found.reviews
    assert (review.platform, review.sku, review.rating, review.title) == (Platform.JUDGEME, "mug", 5, "Good")
    assert review.text == "Holds heat.\nLight."
    assert review.reviewer == Reviewer("Ann Lee", "ann@example.com")
    assert review.written_at == datetime(2023, 10, 5, tzinfo=UTC)
    assert review.reply == "Thanks"
    assert review.source["body"] == "Holds heat.\r\nLight."
    assert review.source["picture_urls"] == "https://p/1.jpg"
    assert "reply" not in review.source
    assert found.problems == []


def test_a_review_without_an_id_gets_one_of_who_wrote_it_when_so_an_edit_keeps_it(load: Load) -> None:
    row = "Good,{},5,05/10/2023,Ann,ann@example.com,77,mug,,\n"
    first = load(JUDGEME + row.format("Fine.")).reviews[0]
    again = load(JUDGEME + row.format("Fine.")).reviews[0]
    edited = load(JUDGEME + row.format("It broke.")).reviews[0]

    assert first.id == again.id == edited.id
    assert first.id.startswith("judgeme-")
    assert "ann" not in first.id
    assert first.content_hash == again.content_hash != edited.content_hash


def test_without_a_reviewer_the_id_is_made_of_the_content(load: Load) -> None:
    found = load(JUDGEME + "Good,Fine.,5,,,,,mug,,\nGood,Fine too.,5,,,,,mug,,\n")

    assert len({review.id for review in found.reviews}) == 2


def test_yotpos_columns_are_read(load: Load) -> None:
    found = load(
        YOTPO + "p1,Mug,https://s/mug,2023-10-05,It leaks,2,Sad,Tom,tom@example.com,verified_buyer,We are sorry\n"
    )

    (review,) = found.reviews
    assert (review.platform, review.sku, review.rating, review.title) == (Platform.YOTPO, "p1", 2, "Sad")
    assert (review.text, review.reply) == ("It leaks", "We are sorry")
    assert review.reviewer == Reviewer("Tom", "tom@example.com")
    assert review.source["product_url"] == "https://s/mug"


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_our_own_csv_is_read_with_any_separator_and_case(load: Load, delimiter: str) -> None:
    header = delimiter.join(["Review_ID", "sku", "Rating", "text", "language", "mood"])
    found = load(header + "\n" + delimiter.join(["r1", "mug", "4", "Nice", "en", "x"]) + "\n")

    (review,) = found.reviews
    assert (review.id, review.platform, review.sku, review.rating) == ("r1", Platform.OWN, "mug", 4)
    assert found.codes == [(1, "columns.unknown")]
    assert found.problems[0].message.endswith(": mood")


def test_chinese_in_gb18030_is_read(load: Load) -> None:
    found = load("review_id,text\nr1,杯子很轻，颜色和图片一样，露营用正合适。\n", encoding="gb18030")

    assert found.reviews[0].text == "杯子很轻，颜色和图片一样，露营用正合适。"


def test_broken_rows_are_reported_with_their_lines_and_the_others_are_read(load: Load) -> None:
    found = load('review_id,rating,text\na,5,Good\nb,5\nc,4,"open\nd,3,Fine "x" y\ne,2,Last\n')

    assert [(line, review.id) for line, review in zip(found.lines, found.reviews, strict=True)] == [
        (2, "a"), (5, "d"), (6, "e"),
    ]  # fmt: skip
    assert found.codes == [(3, "row.unreadable"), (4, "row.unreadable")]


@pytest.mark.parametrize(
    ("header", "said"),
    [("name,price\nx,1\n", "cannot be told"), ("", "is empty"), ("\n \n", "is empty")],
)
def test_a_file_that_is_none_of_the_formats_is_refused_as_a_whole(load: Load, header: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        load(header)


def test_a_format_that_the_header_is_not_of_is_refused(load: Load) -> None:
    with pytest.raises(InputError, match="as yotpo has"):
        load(JUDGEME, "yotpo")
    with pytest.raises(InputError, match="use one of auto, judgeme"):
        load(JUDGEME, "excel")


def test_a_header_without_rows_is_no_review(load: Load) -> None:
    assert load(JUDGEME).reviews == []
