"""What is learned of samples: every part of a voice is a count, and the lengths leave out the odd ones."""

import pytest

from copydesk.rulesets import learn
from copydesk.rulesets.learning import is_chinese, voice_of

OURS = "We cut this coat for walkers. It's light and it's quiet. You'll wear it for years."
PLAIN = "The coat is cut for walkers. It is light and quiet. It lasts for years."
OURS_ZH = "我们为您准备了这件雨衣，轻便好收纳。您出门时带上它，雨天也从容。"
PLAIN_ZH = "雨衣轻便，好收纳。雨天带上它，出门也从容。"


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        (OURS, ['Speak as "we" to "you".', 'Contractions such as "it\'s".', "No exclamation marks."]),
        (PLAIN, ['Speak of the product, neither as "we" nor to "you".', "No contractions."]),
        ("Your coat is here. It keeps you dry.", ['Speak to "you".']),
        ("Our coat is here. It keeps out rain.", ['Speak as "we".']),
        ("A coat in another colour. Cosy.", ["British spelling."]),
        ("A coat in another color. Cozy.", ["American spelling."]),
        ("The coat is here! It is dry! It is light!", ["Exclamation marks."]),
        ("The coat is here ☔. It is dry.", ["Emoji now and then."]),
        ("The coat is dry. " * 3, ["Short sentences of some 4 words."]),
        ("The coat keeps out the rain on the hill, in the lane and on the long way home from the station.",
         ["Long sentences of some 21 words."]),
        ("The coat keeps out the rain on the hill, in the lane and at home.", ["Sentences of some 15 words."]),
    ],
)  # fmt: skip
def test_a_voice_tells_what_was_counted(text: str, parts: list[str]) -> None:
    voice = voice_of([text], "en")
    for part in parts:
        assert part in voice


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        (OURS_ZH, ["称呼顾客用“您”。", "自称“我们”。", "不用感叹号。"]),
        ("你出门时带上它。你会喜欢的。", ["称呼顾客用“你”。", "短句，"]),
        ("雨衣来了！轻便好收纳！", ["常用感叹号。"]),
        ("雨衣来了☔，轻便。", ["偶尔用表情符号。"]),
        ("这件雨衣用料轻便结实耐磨防泼水折叠之后可以放进随身的包里出门在外遇到下雨也不用慌张", ["长句，每句约41字。"]),
    ],
)
def test_a_chinese_voice_tells_what_was_counted(text: str, parts: list[str]) -> None:
    voice = voice_of([text], "zh")
    for part in parts:
        assert part in voice
    assert "British" not in voice


def test_what_is_done_now_and_then_is_not_told() -> None:
    some = [PLAIN] * 4 + [PLAIN.replace("years.", "years!")]
    assert "xclamation" not in voice_of(some, "en")
    assert "感叹号" not in voice_of([PLAIN_ZH] * 4 + [PLAIN_ZH.replace("从容。", "从容！")], "zh")


def test_what_nobody_spells_either_way_has_no_spelling() -> None:
    assert "spelling" not in voice_of([PLAIN], "en")
    assert "称呼" not in voice_of([PLAIN_ZH], "zh")


def test_languages_are_learned_apart() -> None:
    found = {style.language: style for style in learn([OURS, OURS_ZH, PLAIN, PLAIN_ZH])}
    assert {language: style.texts for language, style in found.items()} == {"en": 2, "zh": 2}
    assert voice_of([OURS], "zh") == voice_of([OURS_ZH], "en") == ""
    assert learn([]) == []


def test_a_latin_name_makes_no_chinese_text_english() -> None:
    assert is_chinese("Fernhill 的 Tarn 雨衣轻便好收纳。")
    assert not is_chinese("The 雨衣 coat keeps you dry on the hill.")


def test_the_shortest_and_the_longest_tenth_do_not_count() -> None:
    texts = [" ".join(["word"] * words) + "." for words in (1, 22, 24, 26, 28, 30, 32, 34, 36, 38, 400)]
    (style,) = learn(texts)
    assert (style.shortest, style.longest) == (20, 40)


def test_chinese_length_counts_characters() -> None:
    (style,) = learn(["雨" * count + "。" for count in (10, 41, 43, 45, 47, 49, 51, 53, 55, 58, 900)])
    assert (style.shortest, style.longest) == (40, 60)


def test_words_that_come_back_in_most_of_the_texts_are_told() -> None:
    (style,) = learn(
        [
            "The coat is waxed by hand.",
            "A hat that is waxed by us.",
            "Gloves, waxed and warm.",
            "Waxed rope.",
            "A lead.",
        ]
    )
    assert style.recurring == ("waxed",)
    (style,) = learn(["这件雨衣轻便耐穿。", "轻便耐穿的雨鞋。", "帽子轻便耐穿。"])
    assert style.recurring == ("轻便耐穿",)


def test_two_texts_are_too_few_for_a_word_to_come_back() -> None:
    (style,) = learn(["The coat is waxed.", "The hat is waxed."])
    assert style.recurring == ()
