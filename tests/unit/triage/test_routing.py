"""route(): every grave case of the planted set goes to a person, and ordinary reviews do not."""

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import SHARED

from copydesk.model import Route
from copydesk.settings import Replies
from copydesk.triage import route
from copydesk.triage.routing import GRAVE

PLANTED = Path(__file__).parents[2] / "data" / "planted_reviews.jsonl"
STAFF = Replies(staff=("Karen Miller", "Krause", "王芳"))


def planted() -> list[dict[str, Any]]:
    return [json.loads(line) for line in PLANTED.read_text(encoding="utf-8").splitlines()]


def written(case: dict[str, Any]) -> str:
    return f"{case.get('title', '')}\n{case['text']}".strip()


def wrongly_routed(cases: list[dict[str, Any]]) -> Iterator[str]:
    """Each case whose expected route is not the one, or, of a grave one, not among the reasons of a grave one."""
    for case in cases:
        expected, (got, reasons) = Route(case["expect_route"]), route(written(case), STAFF)
        named = f"route.{expected}" in [reason.code for reason in reasons]
        if not (got in GRAVE and named if expected in GRAVE else got is expected):
            yield f"{case['id']}: {expected} became {got}: {written(case)!r} {[reason.span for reason in reasons]}"


def test_the_planted_set_holds_every_route_in_three_languages_and_hard_ordinary_ones() -> None:
    cases = planted()
    assert len(cases) >= 220
    assert len({case["id"] for case in cases}) == len(cases)
    seen = {(case["expect_route"], case["language"]) for case in cases}
    assert {(grave, language) for grave in GRAVE for language in ("en", "de", "zh")} <= seen
    assert sum(case["expect_route"] == "ordinary" and case["expect_model"] for case in cases) >= 60


def test_every_grave_case_is_caught() -> None:
    grave = [case for case in planted() if Route(case["expect_route"]) in GRAVE]
    assert list(wrongly_routed(grave)) == []


def test_no_other_case_is_taken_for_what_it_is_not() -> None:
    others = [case for case in planted() if Route(case["expect_route"]) not in GRAVE and "injection" not in case["id"]]
    assert list(wrongly_routed(others)) == []


def test_every_injection_has_its_reason_and_no_ordinary_review_has() -> None:
    for case in planted():
        codes = [reason.code for reason in route(written(case), STAFF)[1]]
        assert ("review.injection" in codes) is case["id"].startswith("injection"), case


@pytest.mark.parametrize(
    "text",
    ["The battery died.", "Killer sound!", "Fire Stick works", "burns CDs", "sick of it", "court shoes", "shock proof",
     "my child loves it", "glass", "it broke", "笔记本发热", "死机", "火车站", "火爆", "洗发水"],
)  # fmt: skip
def test_a_word_alone_does_not_alarm(text: str) -> None:
    assert route(text, Replies()) == (Route.ORDINARY, ())


def test_a_negated_allergy_still_goes_to_a_person() -> None:
    assert route("I have no allergy to it.", Replies())[0] is Route.HEALTH


def test_the_gravest_route_leads_and_every_route_gives_its_reason() -> None:
    got, reasons = route("My lawyer knows that the lamp caught fire. Cashier Linda saw it.", Replies())
    assert got is Route.SAFETY
    assert [reason.code for reason in reasons] == ["route.safety", "route.legal", "route.staff"]
    assert reasons[0].span == "lamp caught fire"
    assert reasons[0].message == "the review may tell of an injury, a fire or another danger"


def test_a_shop_adds_names_and_words_of_its_own() -> None:
    replies = Replies(staff=("Ann-Kathrin",), person=("nickel*", "掉漆", "too . loud"))
    assert route("Ann-Kathrin helped me.", replies)[0] is Route.STAFF
    for text in ("It has nickeled parts.", "有点掉漆。", "It is too damn loud."):
        got, reasons = route(text, replies)
        assert (got, [reason.code for reason in reasons]) == (Route.ORDINARY, ["route.person"])
    assert route("It is too loud.", Replies()) == (Route.ORDINARY, ())


@pytest.mark.parametrize(
    "text", ["", " \n\t", "👍👍", "...", "\u200b\ufeff", "★★★★★", "<br/>", "&nbsp;", "N/A", "此用户没有填写评价。"]
)
def test_a_text_without_a_letter_is_empty(text: str) -> None:
    assert route(text, Replies())[0] is Route.EMPTY


@pytest.mark.parametrize("text", ["10/10", "OK", "好", "ok 👍"])
def test_a_short_text_is_not_empty(text: str) -> None:
    assert route(text, Replies())[0] is Route.ORDINARY


def test_a_link_alone_is_no_advertisement() -> None:
    assert route("Drivers are on www.example.com by the maker.", Replies())[0] is Route.ORDINARY
    assert route("Visit www.example.com for a discount!", Replies())[0] is Route.SPAM


def test_a_grave_word_goes_before_an_advertisement() -> None:
    assert route("Caught fire! Visit www.example.com for cheap ones.", Replies())[0] is Route.SAFETY


def test_a_grave_word_at_the_end_of_20_kb_is_found() -> None:
    assert route("A fine mug indeed. " * 1_100 + "Then it exploded.", Replies())[0] is Route.SAFETY
    assert route("杯子很好用。" * 3_000 + "后来漏电了。", Replies())[0] is Route.SAFETY


@pytest.mark.skipif(not SHARED.is_dir(), reason="needs the real reviews in ../shared/data")
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_at_most_5_per_cent_of_real_reviews_are_routed_to_a_person(seed: int) -> None:
    chosen = random.Random(seed)
    texts: list[str] = []
    for file in ("amazon_reviews_en.jsonl", "reviews_zh.jsonl"):
        lines = (SHARED / file).read_text(encoding="utf-8").splitlines()
        texts += [json.loads(line)["text"] for line in chosen.sample(lines, 100)]
    routed = [(text, found) for text in texts if (found := route(text, Replies()))[1] and found[0] is not Route.SPAM]
    assert len(routed) <= 0.05 * len(texts), routed
