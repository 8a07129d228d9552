"""Lists and titles: bullets are counted, marked alike and of a fitting length; a title is one line."""

import pytest

from copydesk.guards import judge
from copydesk.model import Facts
from copydesk.settings import Rules

MUG = Facts("Tarn Mug", "Fernhill", "Mug", (("Capacity", "350 ml"), ("Colour", "Sand, Moss")))
CUP = Facts("保温杯", "云栖", "水具", (("容量", "500 毫升"), ("颜色", "黑色, 白色")), language="zh")
LIST = Rules(min_words=1, min_chars_zh=1, min_bullets=2, max_bullets=3, max_bullet_characters=40)
TITLE = Rules(min_words=1, min_chars_zh=1, one_line=True, max_characters=30)


def codes(text: str, facts: Facts, rules: Rules) -> list[str]:
    return [reason.code for reason in judge(text, facts, rules, finished=True).reasons]


GOOD_LISTS = [
    "- The Tarn Mug holds 350 ml\n- Comes in Sand and Moss",
    "* The Tarn Mug by Fernhill\n\n* Holds 350 ml.",
    "1. The Tarn Mug holds 350 ml\n2. Sand or Moss\n3. A calm cup",
    "The Tarn Mug holds 350 ml\nSand or Moss",
    "• Tarn Mug: calm and plain\n• Comes in two colours",
]
GOOD_LISTS_ZH = [
    "- 保温杯容量500毫升\n- 有黑色和白色",
    "1、保温杯容量500毫升\n2、有黑色和白色",
    "• 保温杯，通勤随身\n• 容量500毫升",
]


@pytest.mark.parametrize("text", GOOD_LISTS)
def test_a_good_list_passes(text: str) -> None:
    assert codes(text, MUG, LIST) == []


@pytest.mark.parametrize("text", GOOD_LISTS_ZH)
def test_a_good_chinese_list_passes(text: str) -> None:
    assert codes(text, CUP, LIST) == []


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("- The Tarn Mug holds 350 ml", "shape.bullets"),
        ("- The Tarn Mug\n- Sand\n- Moss\n- Calm", "shape.bullets"),
        ("The Tarn Mug has it all:\n- Holds 350 ml\n- Sand or Moss", "shape.bullets"),
        ("- The Tarn Mug\n-\n- Sand or Moss", "shape.bullets"),
        ("- The Tarn Mug is calm, plain, and good for tea\n- Sand or Moss", "shape.length"),
        ("- The Tarn Mug holds 350 ml\n- The Tarn Mug holds 350 ml", "shape.finished"),
        ("- The Tarn Mug holds 450 ml\n- Sand or Moss", "facts.numbers"),
    ],
)
def test_a_bad_list_is_refused(text: str, code: str) -> None:
    assert code in codes(text, MUG, LIST)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("- 保温杯容量500毫升", "shape.bullets"),
        ("保温杯的特点：\n- 容量500毫升\n- 黑色和白色", "shape.bullets"),
        ("- 保温杯" + "一二三四五六七八九十" * 4 + "\n- 有黑色", "shape.length"),
        ("- 保温杯容量600毫升\n- 有黑色和白色", "facts.numbers"),
    ],
)
def test_a_bad_chinese_list_is_refused(text: str, code: str) -> None:
    assert code in codes(text, CUP, LIST)


def test_the_number_of_a_bullet_is_no_number_that_the_text_says() -> None:
    text = "7. The Tarn Mug holds 350 ml\n8. Sand or Moss"
    assert codes(text, MUG, LIST) == []
    assert "facts.numbers" in codes(text, MUG, Rules(min_words=1))


@pytest.mark.parametrize(
    "text", ["Tarn Mug – Calm Tea Cup", "Tarn Mug by Fernhill, 350 ml", "Fernhill Tarn Mug | Sand"]
)
def test_a_title_needs_no_full_stop_and_may_be_in_title_case(text: str) -> None:
    assert codes(text, MUG, TITLE) == []


def test_a_chinese_title_passes() -> None:
    assert codes("云栖保温杯 500毫升", CUP, TITLE) == []


def test_a_title_of_two_lines_or_too_many_characters_is_refused() -> None:
    assert "shape.finished" in codes("Tarn Mug\nA calm cup", MUG, TITLE)
    (reason,) = judge("Tarn Mug by Fernhill, in Sand or Moss", MUG, TITLE, finished=True).reasons
    assert (reason.code, reason.span) == ("shape.length", "or Moss")
    assert codes("Tarn Mug by Fernhill, in Sand.", MUG, TITLE) == []


def test_a_name_in_a_title_that_is_not_in_title_case_is_noticed() -> None:
    assert "facts.claims" in codes("Tarn Mug as good as Kelty", MUG, TITLE)


def test_characters_are_counted_as_a_channel_does_in_chinese_too() -> None:
    text = "云栖保温杯，容量500毫升，有黑色和白色，通勤随身带着走。"
    assert codes(text, CUP, Rules(min_chars_zh=1, max_characters=len(text))) == []
    assert codes(text, CUP, Rules(min_chars_zh=1, max_characters=len(text) - 1)) == ["shape.length"]
