"""Which facts a text says: by words, by numbers in other units, in other wording, in English and in Chinese."""

import pytest

from copydesk.guards.explain import coverage, explain
from copydesk.model import Facts


def one(name: str, value: str, language: str = "en") -> Facts:
    return Facts("", attributes=((name, value),), language=language)


def says(text: str, facts: Facts) -> bool:
    return coverage(text, facts) == 1.0


SAID = [
    ("Volume", "0.5 l", "It holds 500 ml."),
    ("Volume", "0.5 l", "It holds half a litre."),
    ("Weight (g)", "350", "It weighs 0.35 kg."),
    ("Dimensions", "45 x 55 cm", "It is 55 cm high."),
    ("Size", "S, M, L", "It comes in M."),
    ("Size", "S, M, L", "It comes in three sizes."),
    ("Size", "S, M, L", "It comes in a choice of sizes."),
    ("Material", "Stainless steel", "Made of stainless steel."),
    ("Material", "Oak", "A table of solid wood."),
    ("Feature", "Silent hands, folding stand", "The hands are silent."),
    ("Water resistance", "Yes", "A water-resistant jacket."),
    ("Colour", "Grey", "In gray."),
    ("Category", "Mugs", "A mug for the table."),
    ("Brand", "Pell's", "From Pell."),
    ("Care", "Wash by hand", "Best washed by hand, so wash it by hand."),
]
NOT_SAID = [
    ("Volume", "0.5 l", "It holds 600 ml."),
    ("Volume", "0.5 l", "It holds plenty."),
    ("Weight (g)", "350", "It measures 350 mm."),
    ("Ports", "2 USB-C, 1 USB-A", "Two straps keep it shut."),
    ("Size", "Large", "It comes in a choice of sizes."),
    ("Material", "Oak", "Made of pine."),
    ("Material", "Oak", "A table of steel."),
    ("Feature", "Silent hands, folding stand", "It tells the time."),
    ("Water resistance", "Yes", "A jacket for the rain."),
    ("Title", "A mug for tea", "It is for a friend."),
]
SAID_ZH = [
    ("容量", "500 毫升", "容量0.5升。"),
    ("重量", "350 克", "重三百五十克。"),
    ("面料", "蜡面帆布", "采用蜡面帆布制成。"),
    ("尺码", "小号, 中号, 大号", "有中号可选。"),
    ("里衬", "棉", "纯棉里衬很柔软。"),
    ("材质", "304不锈钢", "不锈钢内胆。"),
    ("产品名称", "苇舟宠物雨衣", "这件宠物雨衣很轻。"),
    ("防水", "是", "下雨也不怕，防水。"),
]
NOT_SAID_ZH = [
    ("容量", "500 毫升", "容量很大。"),
    ("容量", "500 毫升", "容量600毫升。"),
    ("面料", "蜡面帆布", "采用丝绸面料。"),
    ("尺码", "小号, 中号, 大号", "只有一种。"),
    ("产地", "浙江", "江边的风很凉。"),
]


@pytest.mark.parametrize(("name", "value", "text"), SAID)
def test_a_fact_is_found_however_it_is_said(name: str, value: str, text: str) -> None:
    assert says(text, one(name, value))


@pytest.mark.parametrize(("name", "value", "text"), NOT_SAID)
def test_a_fact_is_not_found_where_something_else_is_said(name: str, value: str, text: str) -> None:
    assert not says(text, one(name, value))


@pytest.mark.parametrize(("name", "value", "text"), SAID_ZH)
def test_a_chinese_fact_is_found_however_it_is_said(name: str, value: str, text: str) -> None:
    assert says(text, one(name, value, "zh"))


@pytest.mark.parametrize(("name", "value", "text"), NOT_SAID_ZH)
def test_a_chinese_fact_is_not_found_where_something_else_is_said(name: str, value: str, text: str) -> None:
    assert not says(text, one(name, value, "zh"))


CLOCK = Facts(
    "Sable Desk Clock",
    "Inkwell",
    attributes=(("Material", "Walnut"), ("Weight", "350 g"), ("Care", "Dust with a cloth"), ("Tags", "gift")),
)


def test_each_sentence_is_shown_with_its_facts_and_its_own_words_for_them() -> None:
    explained = explain("The Sable clock is from Inkwell. It weighs 0.35 kg, in walnut. A joy!", CLOCK)

    assert [sentence.text for sentence in explained.sentences] == [
        "The Sable clock is from Inkwell.", "It weighs 0.35 kg, in walnut.", "A joy!",
    ]  # fmt: skip
    supports = [{fact.name: fact.spans for fact in sentence.facts} for sentence in explained.sentences]
    assert supports == [
        {"Title": ("Sable", "clock"), "Brand": ("Inkwell",)},
        {"Material": ("walnut",), "Weight": ("0.35 kg",)},
        {},
    ]


def test_what_no_sentence_says_is_left_unsaid_and_lowers_the_coverage() -> None:
    explained = explain("The Sable clock is from Inkwell, in walnut.", CLOCK)

    assert explained.unsaid == (("Weight", "350 g"), ("Care", "Dust with a cloth"), ("Tags", "gift"))
    assert explained.coverage == pytest.approx(3 / 6)


def test_facts_that_nobody_asked_for_count_neither_way() -> None:
    explained = explain("The Sable clock is from Inkwell, in walnut.", CLOCK, omit=["Tags"])

    assert "Tags" not in dict(explained.unsaid)
    assert explained.coverage == pytest.approx(3 / 5)


def test_a_product_without_facts_is_covered_by_any_text() -> None:
    assert coverage("Anything.", Facts("")) == 1.0
    assert coverage("", CLOCK) == 0.0


def test_a_word_that_is_part_of_a_longer_one_is_not_told_twice() -> None:
    (sentence,) = explain("Of stainless steel.", one("Material", "Stainless steel")).sentences

    assert sentence.facts[0].spans == ("stainless steel",)
