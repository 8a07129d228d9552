"""What a shop's rules add: words that have to be there or must not, facts that have to be told, and severities."""

import re
from pathlib import Path

import pytest

from copydesk import guards
from copydesk.guards import CODES, ReviewFacts, digest, judge, judge_reply
from copydesk.guards.chat import CHECKS
from copydesk.model import Facts, Polarity
from copydesk.rulesets import CHANNELS
from copydesk.settings import Rules, Severity

MUG = Facts(
    "Tarn Mug", "Fernhill", "Mug",
    (("Capacity", "0.35 l"), ("Colour", "Sand, Moss"), ("Material", "Enamelled steel"), ("Dishwasher", "Yes")),
)  # fmt: skip
CUP = Facts("保温杯", "云栖", "水具", (("容量", "0.5 升"), ("颜色", "黑色, 白色"), ("材质", "不锈钢")), language="zh")
GOOD = "The Tarn Mug is a calm cup for the first tea of the day."
GOOD_ZH = "云栖保温杯，通勤路上随时喝上一口热茶。"


def reasons(text: str, facts: Facts = MUG, **rules: object) -> list[tuple[str, str]]:
    asked = Rules.model_validate({"min_words": 1, "min_chars_zh": 1, **rules})
    return [(reason.code, reason.span) for reason in judge(text, facts, asked, finished=True).reasons]


@pytest.mark.parametrize("word", ["calm", "Calm", "FIRST TEA", "cosy | cozy | calm", "first-tea", "杯 | tea"])
def test_a_required_word_counts_in_any_of_its_spellings_and_in_any_case(word: str) -> None:
    assert reasons(GOOD, required=[word]) == []


@pytest.mark.parametrize("word", ["cal", "calmer", "tea of day", "cosy | cozy"])
def test_a_required_word_that_is_missing_is_refused(word: str) -> None:
    assert reasons(GOOD, required=[word]) == [("words.required", word.partition(" | ")[0])]


def test_a_required_chinese_word_is_looked_up_in_the_running_text() -> None:
    assert reasons(GOOD_ZH, CUP, required=["通勤", "热茶 | 热水"]) == []
    assert reasons(GOOD_ZH, CUP, required=["送礼"]) == [("words.required", "送礼")]


@pytest.mark.parametrize(
    ("word", "span"), [("calm", "calm"), ("plain | CALM", "CALM"), ("the first tea", "the first tea")]
)
def test_a_forbidden_word_is_refused(word: str, span: str) -> None:
    assert reasons(GOOD, forbidden=[word]) == [("words.forbidden", span)]


@pytest.mark.parametrize("word", ["cal", "calmly", "tea day", "tarn", "Fernhill", "杯"])
def test_part_of_a_word_and_what_the_product_is_called_are_not_forbidden(word: str) -> None:
    assert reasons(GOOD, forbidden=[word]) == []


def test_a_forbidden_chinese_word_is_looked_up_in_the_running_text() -> None:
    assert reasons(GOOD_ZH, CUP, forbidden=["随时"]) == [("words.forbidden", "随时")]
    assert reasons(GOOD_ZH, CUP, forbidden=["保温杯", "云栖", "冷饮"]) == []


def test_a_word_of_latin_and_chinese_letters_is_found() -> None:
    assert reasons("云栖保温杯，配T恤出门也方便。", CUP, forbidden=["t恤"]) == [("words.forbidden", "t恤")]


@pytest.mark.parametrize(
    ("fact", "text"),
    [
        ("Capacity", "The Tarn Mug holds 350 ml of tea."),
        ("capacity", "The Tarn Mug holds 0.35 litres of tea."),
        ("Colour", "The Tarn Mug comes in Moss."),
        ("Material", "The Tarn Mug is made of enamelled steel."),
        ("Dishwasher", "The Tarn Mug goes into the dishwasher."),
        ("Brand", "The Tarn Mug from Fernhill is calm."),
        ("Warranty", "The Tarn Mug is calm."),
    ],
)
def test_a_fact_is_told_in_other_units_and_words_and_one_that_the_product_lacks_is_not_asked_for(
    fact: str, text: str
) -> None:
    assert reasons(text, must_say=[fact]) == []


@pytest.mark.parametrize(
    ("fact", "span"),
    [("Capacity", "Capacity: 0.35 l"), ("Colour", "Colour: Sand, Moss"), ("material", "Material: Enamelled steel")],
)
def test_a_fact_that_is_not_told_is_refused(fact: str, span: str) -> None:
    assert reasons(GOOD, must_say=[fact]) == [("facts.coverage", span)]


@pytest.mark.parametrize(
    ("fact", "text"),
    [("容量", "云栖保温杯容量500毫升。"), ("颜色", "云栖保温杯有黑色可选。"), ("材质", "云栖保温杯用不锈钢制成。")],
)
def test_a_chinese_fact_is_told_in_other_units_and_by_any_of_a_list(fact: str, text: str) -> None:
    assert reasons(text, CUP, must_say=[fact]) == []


@pytest.mark.parametrize("fact", ["容量", "颜色", "材质"])
def test_a_chinese_fact_that_is_not_told_is_refused(fact: str) -> None:
    assert [code for code, _ in reasons(GOOD_ZH, CUP, must_say=[fact])] == ["facts.coverage"]


@pytest.mark.parametrize(("severity", "passed", "marked"), [("hard", False, 1), ("warn", True, 1), ("off", True, 0)])
def test_a_severity_refuses_marks_or_leaves_out(severity: Severity, passed: bool, marked: int) -> None:
    refused, risky = "The Tarn Mug holds 500 ml of tea.", "保温杯是日常通勤的第一选择。"
    verdict = judge(refused, MUG, Rules(min_words=1, guards={"facts.numbers": severity}), finished=True)
    assert (verdict.passed, len(verdict.reasons)) == (passed, marked)
    verdict = judge(risky, CUP, Rules(min_chars_zh=1, guards={"law.cn": severity}), finished=True)
    assert (verdict.passed, len(verdict.reasons)) == (passed, marked)


def test_a_severity_leaves_other_guards_as_they_are() -> None:
    rules = Rules(min_words=1, guards={"words": "off"})
    assert not judge("The Tarn Mug holds 500 ml of tea.", MUG, rules, finished=True).passed


def test_replies_keep_to_the_shops_words_and_severities() -> None:
    review = ReviewFacts("Lovely mug, my tea stays warm.", "en", Polarity.POSITIVE)
    reply = "Thank you for the kind words. We are glad that your tea stays warm in the mug."
    told = [one.code for one in judge_reply(reply, review, Rules(forbidden=("glad",)), finished=True).reasons]
    assert told == ["words.forbidden"]
    assert judge_reply(
        reply, review, Rules(forbidden=("glad",), guards={"words.forbidden": "warn"}), finished=True
    ).passed
    assert judge_reply(reply, review, Rules(required=("kind",)), finished=True).passed


@pytest.mark.parametrize(
    "rules",
    [
        {"required": ("a",)},
        {"forbidden": ("a",)},
        {"must_say": ("a",)},
        {"channel": "amazon"},
        {"guards": {"words": "off"}},
    ],
)
def test_every_rule_is_part_of_the_digest(rules: dict[str, object]) -> None:
    assert digest(Rules.model_validate(rules)) != digest(Rules())


def test_every_code_that_a_guard_gives_can_be_named_in_a_ruleset() -> None:
    sources = [file.read_text(encoding="utf-8") for file in Path(guards.__file__).parent.glob("*.py")]
    given = {code for source in sources for code in re.findall(r"Reason\(\s*\"([a-z._]+)\"", source)}
    assert given | {check.code for check in CHECKS} <= set(CODES)
    assert {code for code in CODES if code.startswith("channel.")} <= {f"channel.{name}" for name in CHANNELS}
    assert len(CODES) == len(set(CODES))
