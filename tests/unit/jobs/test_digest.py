"""The digest counts reviews, quotes them as they are, and names what to look at first."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import pytest

from copydesk.jobs.digest import GRAVE, Balance, Grave, Judged, digest
from copydesk.model import Opinion, Polarity, Route

POSITIVE, NEUTRAL, NEGATIVE = Polarity
MONDAY = datetime(2026, 3, 16, tzinfo=UTC)


def judged(
    review: str,
    *opinions: Opinion,
    sku: str = "mug",
    rating: int | None = None,
    polarity: Polarity = NEUTRAL,
    route: Route = Route.ORDINARY,
    hours: int | None = None,
) -> Judged:
    written_at = None if hours is None else MONDAY + timedelta(hours=hours)
    return Judged(review, sku, rating, polarity, opinions, route, written_at)


def blame(topic: str, sentence: str = "bad") -> Opinion:
    return Opinion(topic, NEGATIVE, sentence)


def praise(topic: str, sentence: str = "good") -> Opinion:
    return Opinion(topic, POSITIVE, sentence)


def several(opinion: Opinion, count: int, prefix: str = "r") -> list[Judged]:
    return [judged(f"{prefix}{number}", opinion) for number in range(count)]


def topics(findings: Iterable[object]) -> list[str]:
    return [one.topic for one in findings]  # type: ignore[attr-defined]


def test_a_week_without_reviews_has_nothing_to_say() -> None:
    found = digest([], several(blame("price"), 4))
    assert (found.reviews, found.before) == (0, 4)
    assert found.praise == found.complaints == found.grave == found.growing == found.worst == ()
    assert set(found.polarities.values()) == set(found.stars.values()) == {0}


def test_totals_are_of_all_reviews() -> None:
    week = [judged("a", rating=5, polarity=POSITIVE), judged("b", rating=5), judged("c", polarity=NEGATIVE)]
    found = digest(week, week[:1])
    assert found.polarities == {POSITIVE: 1, NEUTRAL: 1, NEGATIVE: 1}
    assert found.polarities_before == {POSITIVE: 1, NEUTRAL: 0, NEGATIVE: 0}
    assert list(found.stars.items()) == [(5, 2), (4, 0), (3, 0), (2, 0), (1, 0)]


def test_a_topic_that_too_few_speak_of_is_left_out() -> None:
    week = several(blame("price"), 3) + several(praise("price"), 2, "p") + several(praise("sound"), 3, "s")
    found = digest(week, [], min_count=3)
    assert (topics(found.complaints), topics(found.praise)) == (["price"], ["sound"])
    assert digest(week, [], min_count=4).complaints == ()


def test_a_review_that_says_it_twice_is_counted_once() -> None:
    week = [judged("a", blame("price", "one"), blame("price", "two")), *several(blame("price"), 2)]
    [complaint] = digest(week, []).complaints
    assert complaint.count == 3


def test_a_finding_has_count_share_and_what_they_were_last_week() -> None:
    week = [*several(blame("price"), 3), judged("x")]
    last = [*several(blame("price"), 1), *(judged(f"y{number}") for number in range(4))]
    [found] = digest(week, last).complaints
    assert (found.count, found.before, found.change) == (3, 1, 2)
    assert (found.share, found.share_before) == (pytest.approx(0.75), pytest.approx(0.2))


def test_the_most_frequent_topic_comes_first() -> None:
    week = several(blame("sound"), 3) + several(blame("price"), 5, "p") + several(blame("battery"), 3, "b")
    assert topics(digest(week, []).complaints) == ["price", "battery", "sound"]


def test_quotes_are_the_latest_three_different_sentences_as_they_stand() -> None:
    sentences = ["too  dear", "贵！", "<b>dear</b>", "贵！", "much too dear"]
    week = [judged(f"r{hour}", blame("price", said), hours=hour) for hour, said in enumerate(sentences)]
    [found] = digest([judged("undated", blame("price", "old")), *week], []).complaints
    assert [(quote.review, quote.sentence) for quote in found.quotes] == [
        ("r4", "much too dear"),
        ("r3", "贵！"),
        ("r2", "<b>dear</b>"),
    ]


def test_the_same_reviews_in_another_order_make_the_same_digest() -> None:
    week = several(blame("price"), 5) + several(praise("sound"), 4, "s")
    assert digest(week, week[:3]) == digest(week[::-1], week[:3][::-1])


# What to look at first


def test_grave_reviews_are_all_named_the_gravest_first_however_few() -> None:
    week = [judged("b", route=Route.LEGAL), judged("c", route=Route.SAFETY), judged("a", route=Route.SAFETY)]
    found = digest([*week, judged("d", route=Route.SPAM), judged("e", route=Route.EMPTY)], [])
    assert found.grave == (Grave(Route.SAFETY, ("a", "c")), Grave(Route.LEGAL, ("b",)))


def test_every_route_is_grave_but_the_harmless_ones() -> None:
    assert set(Route) - set(GRAVE) == {Route.EMPTY, Route.SPAM, Route.ORDINARY}


def test_complaints_that_grew_most_come_first_and_only_those() -> None:
    week = several(blame("price"), 5) + several(blame("sound"), 4, "s") + several(blame("size"), 3, "z")
    last = several(blame("price"), 4) + several(blame("size"), 3, "z")
    assert topics(digest(week, last).growing) == ["sound", "price"]


def test_praise_that_grew_is_nothing_to_look_at() -> None:
    assert digest(several(praise("sound"), 9), []).growing == ()


def test_products_that_more_blame_than_praise_are_named_the_worst_first() -> None:
    week = [judged(f"a{number}", sku="lamp", polarity=NEGATIVE) for number in range(3)]
    week += [judged(f"b{number}", sku="mug", polarity=NEGATIVE) for number in range(4)]
    week += [judged("c", sku="lamp", polarity=POSITIVE), judged("d", sku="mug")]
    week += [judged(f"e{number}", sku="", polarity=NEGATIVE) for number in range(9)]
    week += [judged(f"f{number}", sku="rare", polarity=NEGATIVE) for number in range(2)]
    week += [judged(f"g{number}", sku="even", polarity=(POSITIVE, NEGATIVE)[number % 2]) for number in range(4)]
    assert digest(week, []).worst == (Balance("mug", 5, 0, 4), Balance("lamp", 4, 1, 3))
