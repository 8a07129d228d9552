"""JSON: lines of our own and of Amazon's, and Google's list."""

import json
from datetime import UTC, datetime

import pytest

from copydesk.model import Platform

from .conftest import Load

GOOGLE = {
    "name": "accounts/1/locations/2/reviews/abc",
    "reviewId": "abc",
    "reviewer": {"displayName": "Ann"},
    "starRating": "FOUR",
    "comment": "Friendly shop.",
    "createTime": "2023-10-05T12:00:00Z",
    "updateTime": "2023-10-06T12:00:00.5Z",
}


def google(**changes: object) -> dict[str, object]:
    return {**GOOGLE, **changes}


def test_our_own_lines_are_read(load: Load) -> None:
    found = load(
        '{"review_id": 7, "sku": "mug", "rating": 5, "title": "A", "text": "B", "reviewer_email": "a@b.example"}\n'
    )

    (review,) = found.reviews
    assert (review.id, review.sku, review.rating, review.title, review.text) == ("7", "mug", 5, "A", "B")
    assert review.platform is Platform.OWN
    assert found.problems == []


@pytest.mark.parametrize("label", [{"polarity": -1.5}, {"label": "negative"}])
def test_labelled_test_sets_are_reviews_without_a_rating(load: Load, label: dict[str, object]) -> None:
    found = load(json.dumps({"review_id": "zh-1", "text": "不好", **label}, ensure_ascii=False))

    assert [(review.id, review.text, review.rating) for review in found.reviews] == [("zh-1", "不好", None)]
    assert found.problems == []


def test_amazons_lines_are_read_with_thousandths_of_seconds_and_the_parent_product(load: Load) -> None:
    line = {
        "rating": 5.0, "title": "Such a scent", "text": "Great.<br /><br />Smells &amp; lasts.", "images": [],
        "asin": "B01", "parent_asin": "B00", "user_id": "AGKH", "timestamp": 1588687728923, "helpful_vote": 0,
        "verified_purchase": True,
    }  # fmt: skip
    found = load(json.dumps(line) + "\n")

    (review,) = found.reviews
    assert (review.platform, review.sku, review.rating, review.reviewer.id) == (Platform.AMAZON, "B00", 5, "AGKH")
    assert review.text == "Great.\n\nSmells & lasts."
    assert review.written_at == datetime(2020, 5, 5, 14, 8, 48, 923000, tzinfo=UTC)
    assert review.id.startswith("amazon-")
    assert found.problems == []


@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("wrapped", [True, False])
def test_googles_list_is_read_bare_or_wrapped_on_one_line_or_many(load: Load, wrapped: bool, indent: int) -> None:
    rows = [google(), google(reviewId="def", starRating="ONE", comment=None)]
    whole = {"averageRating": 4.5, "reviews": rows, "totalReviewCount": 2, "nextPageToken": "x"} if wrapped else rows
    found = load(json.dumps(whole, indent=indent))

    assert [(review.id, review.rating, review.text) for review in found.reviews] == [
        ("abc", 4, "Friendly shop."), ("def", 1, ""),
    ]  # fmt: skip
    first = found.reviews[0]
    assert (first.platform, first.sku, first.reviewer.name) == (Platform.GOOGLE, "", "Ann")
    assert first.written_at == datetime(2023, 10, 6, 12, 0, 0, 500000, tzinfo=UTC)
    assert first.source == {"reviewId": "abc", "name": GOOGLE["name"]}
    assert found.problems == []


@pytest.mark.parametrize(
    ("reply", "shown"),
    [
        ({"comment": "Thanks"}, "Thanks"),
        ({"comment": "Thanks", "reviewReplyState": "PENDING"}, "Thanks"),
        ({"comment": "Thanks", "reviewReplyState": "REJECTED"}, ""),
        (None, ""),
    ],
)
def test_a_reply_that_google_holds_or_shows_is_one_and_a_rejected_one_is_none(
    load: Load, reply: object, shown: str
) -> None:
    assert load(json.dumps([google(reviewReply=reply)])).reviews[0].reply == shown


@pytest.mark.parametrize(
    ("comment", "said"),
    [
        ("(Translated by Google) Nice shop\n\n(Original)\nNetter Laden", "Netter Laden"),
        ("Netter Laden\n\n(Translated by Google)\nNice shop", "Netter Laden"),
    ],
)
def test_of_what_google_translated_the_original_is_read(load: Load, comment: str, said: str) -> None:
    assert load(json.dumps([google(comment=comment)])).reviews[0].text == said


@pytest.mark.parametrize(
    "broken", ['{"reviewId": "b" "starRating": "ONE"}', '{"reviewId": "b", "starRating": ', "x", "}"]
)
def test_a_broken_element_of_a_list_is_reported_with_its_line_and_the_next_are_read(load: Load, broken: str) -> None:
    rows = [json.dumps(google()), broken, json.dumps(google(reviewId="x")), "7"]
    found = load("[\n" + ",\n".join(rows) + "\n]\n")

    assert [(line, review.id) for line, review in zip(found.lines, found.reviews, strict=True)] == [
        (2, "abc"),
        (4, "x"),
    ]
    assert found.codes == [(3, "json.invalid"), (5, "json.invalid")]


def test_lines_of_several_formats_may_be_mixed(load: Load) -> None:
    rows = [
        google(),
        {"review_id": "a", "text": "x"},
        {"asin": "B01", "text": "y", "user_id": "u", "timestamp": 1588687728},
    ]
    found = load("\n".join(map(json.dumps, rows)))

    assert [review.platform for review in found.reviews] == [Platform.GOOGLE, Platform.OWN, Platform.AMAZON]


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ('{"review_id": "a", "text": ', "json.invalid"),
        ('["review_id"]', "json.invalid"),
        ('{"review_id": "b", "text": ["x"]}', "json.invalid"),
        ('{"review_id": "b", "text": "x", "rating": NaN}', "json.invalid"),
        ('{"reviewId": "b", "reviewer": "Ann"}', "json.invalid"),
        ("[" * 100_000, "json.invalid"),
        ('{"review_id": "b", "text": "\\ud83d"}', "row.undecodable"),
        ('{"mood": "good"}', "review.missing"),
        (json.dumps({"review_id": "b" * 300, "text": "x"}), "review_id.too_long"),
        (json.dumps({"review_id": "b", "sku": "s" * 300, "text": "x"}), "sku.too_long"),
        (json.dumps({"review_id": "b", "text": "x" * 2_000_000}), "cell.too_large"),
    ],
)
def test_a_bad_line_is_refused_and_the_next_one_is_read(load: Load, line: str, code: str) -> None:
    found = load('{"review_id": "first", "text": "x"}\n\n' + line + '\n{"review_id": "last", "text": "x"}\n')

    assert [review.id for review in found.reviews] == ["first", "last"]
    assert (3, code) in found.codes
    assert {line for line, _ in found.codes} == {3}


def test_a_bad_first_line_does_not_spoil_the_file(load: Load) -> None:
    found = load('{"review_id": "a", "text": \n{"review_id": "b", "text": "x"}\n')

    assert [review.id for review in found.reviews] == ["b"]
    assert found.codes == [(1, "json.invalid")]
