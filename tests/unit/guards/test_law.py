"""law.cn, law.ftc, harmful and stock phrases: alarms and false alarms in both languages; what warns holds nothing."""

import pytest

from copydesk.guards import judge
from copydesk.model import Facts, Reason, Verdict
from copydesk.settings import Rules

RULES = Rules(min_words=1, min_chars_zh=1)
MUG = Facts("Tarn Mug", "Fernhill", "Mug", (("Capacity", "350 ml"),))
CUP = Facts("保温杯", "云栖", "水具", (("容量", "500 毫升"),), language="zh")


def reasons(code: str, text: str, facts: Facts) -> list[Reason]:
    return [reason for reason in judge(text, facts, RULES, finished=True).reasons if reason.code == code]


@pytest.mark.parametrize(
    ("word", "warns"),
    [
        ("国家级", False),
        ("最高级", False),
        ("最佳", False),
        ("最好", True),
        ("最先进", True),
        ("第一品牌", True),
        ("唯一", True),
        ("顶级", True),
        ("世界级", True),
        ("史上", True),
    ],
)
def test_the_laws_own_superlatives_are_refused_and_the_trades_are_marked(word: str, warns: bool) -> None:
    found = reasons("law.cn", f"保温杯，{word}的选择。", CUP)
    assert found
    assert {reason.warns for reason in found} == {warns}


@pytest.mark.parametrize(
    "text",
    [
        "最后，把保温杯放进包里。",
        "第一次用保温杯的人也会喜欢。",
        "保温杯最多可装500毫升。",
        "清晨的第一口热茶，来自保温杯。",
        "保温杯，冬天最需要的温暖。",
    ],
)
def test_what_only_looks_like_a_superlative_is_let_be(text: str) -> None:
    assert reasons("law.cn", text, CUP) == []


def test_a_superlative_of_the_facts_may_be_said_and_english_is_not_under_that_law() -> None:
    assert reasons("law.cn", "最佳拍档保温杯很好用。", Facts("最佳拍档保温杯", language="zh")) == []
    assert reasons("law.cn", "The Tarn Mug is 最佳.", MUG) == []


@pytest.mark.parametrize(
    "text",
    [
        "Customers love the Tarn Mug.",
        "Buyers rave about the Tarn Mug.",
        'The Tarn Mug is "the nicest mug I own," says Ann.',
        '"Perfect for tea!" – Tom R. The Tarn Mug.',
        "The Tarn Mug is rated 4.9 out of 5.",
        "The Tarn Mug has five-star reviews.",
        "Experts recommend the Tarn Mug.",
        "As seen in Vogue: the Tarn Mug.",
    ],
)
def test_an_invented_testimonial_is_refused(text: str) -> None:
    found = reasons("law.ftc", text, MUG)
    assert found
    assert not any(reason.warns for reason in found)


@pytest.mark.parametrize(
    "text",
    [
        "保温杯，买过的顾客都说好。",
        "“用了再也离不开，我很喜欢。”保温杯。",
        "王女士说：“保温杯很暖。”",
        "保温杯收获上万好评。",
    ],
)
def test_an_invented_chinese_testimonial_is_refused(text: str) -> None:
    assert reasons("law.ftc", text, CUP)


@pytest.mark.parametrize(
    "text",
    [
        'Some call it plain; we call the Tarn Mug "just right."',
        "Put the Tarn Mug next to the teapot and call it a day.",
        "The Tarn Mug is for chefs and for those who burn toast.",
        "Sleep under the stars with a Tarn Mug at hand.",
        'They say "Less is more" of the Tarn Mug.',
    ],
)
def test_a_figure_of_speech_is_no_testimonial(text: str) -> None:
    assert reasons("law.ftc", text, MUG) == []


def test_chinese_quotation_marks_alone_are_no_testimonial() -> None:
    assert reasons("law.ftc", "保温杯讲究一个“暖”字。", CUP) == []


def test_a_quotation_of_the_facts_may_be_said() -> None:
    facts = Facts("Tarn Mug", "Fernhill", attributes=(("Print", "I love Mondays"),))
    assert reasons("law.ftc", 'The Tarn Mug says "I love Mondays".', facts) == []


@pytest.mark.parametrize(
    ("text", "facts"),
    [
        ("Only an idiot passes by the Tarn Mug.", MUG),
        ("Without the Tarn Mug you may as well kill yourself.", MUG),
        ("The Tarn Mug is better than porn.", MUG),
        ("不买保温杯的都是傻逼。", CUP),
        ("没有保温杯，不如去死。", CUP),
        ("保温杯，色情的享受。", CUP),
    ],
)
def test_words_that_harm_are_refused(text: str, facts: Facts) -> None:
    assert [reason.warns for reason in reasons("harmful", text, facts)] == [False]


@pytest.mark.parametrize(
    ("text", "facts"),
    [
        ("The Tarn Mug is a killer of thirst, and dead simple.", MUG),
        ("The Tarn Mug comes in shades of nude and blush.", MUG),
        ("保温杯，渴死的时候最想它。", CUP),
    ],
)
def test_words_that_only_sound_harsh_are_let_be(text: str, facts: Facts) -> None:
    assert reasons("harmful", text, facts) == []


@pytest.mark.parametrize(
    ("text", "facts"),
    [
        ("Look no further than the Tarn Mug.", MUG),
        ("Elevate your mornings with the Tarn Mug.", MUG),
        ("The Tarn Mug is a must-have.", MUG),
        ("保温杯，匠心打造。", CUP),
        ("保温杯是您的不二之选。", CUP),
    ],
)
def test_a_stock_phrase_is_marked_and_not_refused(text: str, facts: Facts) -> None:
    verdict = judge(text, facts, RULES, finished=True)
    assert {(reason.code, reason.warns) for reason in verdict.reasons} == {("words", True)}
    assert verdict.passed


def test_a_verdict_passes_with_what_warns_and_not_with_what_does_not() -> None:
    assert Verdict().passed
    assert Verdict((Reason("words", "uses a phrase", warns=True),)).passed
    assert not Verdict((Reason("words", "uses a phrase", warns=True), Reason("harmful", "insults"))).passed
