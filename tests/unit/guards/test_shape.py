"""The form of a text: finished, said once, about the product, in its language, and copy instead of talk."""

import pytest

from copydesk.guards import RULES_VERSION, digest, judge, tidy
from copydesk.model import Facts
from copydesk.settings import Rules

MUG = Facts("Tarn Mug", "Fernhill", "Mug", (("Capacity", "350 ml"),))
CUP = Facts("保温杯", "云栖", "水具", (("容量", "500 毫升"),), language="zh")
RULES = Rules(min_words=1, min_chars_zh=1)

GOOD = [
    "The Tarn Mug from Fernhill is a calm companion for the first tea of the day. It holds 350 ml.",
    "Morning, noon or night: the Tarn Mug is ready. Fill it, hold it, and take your time!",
    "Fernhill's Tarn Mug holds 350 ml, which is plenty… and it looks good on any shelf.",
    'Some call it plain; we call the Tarn Mug "just right."',
    "Give the Tarn Mug as a present, or keep it as it is: a friend as good as any.",
    "Is there a better start than a full Tarn Mug? Pour 350 ml and find out.",
    "The Tarn Mug does one thing, and does it well: it keeps tea close at hand. Rinse it and use it again and again.",
]
GOOD_ZH = [
    "云栖保温杯容量500毫升，通勤路上随时喝上一口热茶。",
    "一款适合日常的保温杯！无论在办公室还是在家，都能陪你度过忙碌的一天。",
    "Fernhill 也会喜欢的保温杯，容量为500 ml，放进包里刚刚好。",
]


def codes(
    text: str, facts: Facts = MUG, *, finished: bool = True, echoes: tuple[str, ...] = (), voice: str = ""
) -> set[str]:
    verdict = judge(text, facts, RULES, finished=finished, echoes=echoes, voice=voice)
    return {reason.code for reason in verdict.reasons}


@pytest.mark.parametrize("text", GOOD)
def test_good_copy_passes(text: str) -> None:
    assert judge(text, MUG, RULES, finished=True).reasons == ()


@pytest.mark.parametrize("text", GOOD_ZH)
def test_good_chinese_copy_passes(text: str) -> None:
    assert judge(text, CUP, RULES, finished=True).reasons == ()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "   ",
        "The Tarn Mug is a",
        "The Tarn Mug holds tea. It also",
        "The Tarn Mug holds tea. The Tarn Mug holds tea.",
        "The Tarn Mug is a great choice for tea, and it is a great choice for milk.",
        "The Tarn Mug is a luxury, luxury thing.",
        "The Tarn Mug is soft and soft.",
        "The Tarn Mug is is here.",
        "The Tarn Mug is a luxurious, handy, luxurious thing.",
        "The Tarn Mug features a feature for tea.",
    ],
)
def test_an_unfinished_or_repeating_text_is_refused(text: str) -> None:
    assert "shape.finished" in codes(text)


@pytest.mark.parametrize(
    "text",
    ["云栖保温杯容量500毫升", "保温杯很好用。保温杯很好用。", "保温杯适合每天的生活使用，保温杯适合每天的生活使用哦。"],
)
def test_an_unfinished_or_repeating_chinese_text_is_refused(text: str) -> None:
    assert "shape.finished" in codes(text, CUP)


def test_a_text_cut_at_the_token_limit_is_refused_even_when_it_ends_well() -> None:
    assert codes(GOOD[0], finished=False) == {"shape.finished"}


def test_the_products_own_name_may_recur() -> None:
    facts = Facts("Nebula Night Sky Paint", "Saleor demo shop", "Paint")
    text = (
        "Nebula Night Sky Paint by Saleor demo shop is bold. Try Nebula Night Sky Paint by Saleor demo shop on a wall."
    )
    assert codes(text, facts) == set()


def test_the_fraction_of_a_number_is_no_word_of_its_own() -> None:
    facts = Facts("Paint", attributes=(("Size", "1l, 2.5l, 5l"),))
    assert codes("The Paint comes in 1l, 2.5l and 5l.", facts) == set()


def test_a_phrase_of_the_worked_example_is_refused_unless_it_is_a_fact() -> None:
    text = "The Tarn Mug has the shape of a pear."
    assert codes(text, echoes=("Shape of a Pear",)) == {"shape.finished"}
    assert (
        codes(text, Facts("Tarn Mug", attributes=(("Note", "shape of a pear"),)), echoes=("shape of a pear",)) == set()
    )
    assert codes("The Tarn Mug appears.", echoes=("pear",)) == set()
    assert codes("The Tarn Mug is a dog's best friend.", echoes=("dog",)) == {"shape.finished"}


def test_the_shops_voice_is_used_and_not_recited() -> None:
    voice = "Warm, plain and a little bit dry"
    assert codes("The Tarn Mug is warm, plain and a little bit dry.", voice=voice) == {"shape.finished"}
    assert codes("The Tarn Mug is warm and plain.", voice=voice) == set()


@pytest.mark.parametrize(
    "text",
    [
        "Sure! The Tarn Mug is here for you.",
        "Here is a description of the Tarn Mug.",
        "Here's a draft: the Tarn Mug is good.",
        "Description: The Tarn Mug is good.",
        "Title: Tarn Mug. It is good.",
        "The Tarn Mug is good. Note: it is a mug.",
        "The Tarn Mug is good. The care is simple.",
        "I'm sorry, the Tarn Mug is not known to me.",
        "As an AI language model, the Tarn Mug is beyond words.",
        "The Tarn Mug by [brand] is good.",
        "The Tarn Mug by {{brand}} is good.",
        "I love the Tarn Mug.",
        "My Tarn Mug is good.",
        "Find the Tarn Mug at any of our many stores.",
        "The Tarn Mug is a hit with your customers.",
        "The Tarn Mug is as good as the facts given.",
        "The Tarn Mug is good. Unfortunately, no further details were provided.",
        "The Tarn Mug is good. Feel free to ask for changes.",
        "The Tarn Mug is good. This description has 42 words.",
    ],
)
def test_talk_is_refused(text: str) -> None:
    assert "shape.chat" in codes(text)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("The **Tarn Mug** is good.", "shape.marks"),
        ("- The Tarn Mug is good.", "shape.marks"),
        ("1. The Tarn Mug is good.", "shape.marks"),
        ("The Tarn Mug is good.\n• It holds 350 ml.", "shape.marks"),
        ("The Tarn Mug is good.<|im_end|>", "shape.marks"),
        ("```The Tarn Mug is good.```", "shape.marks"),
        ("Find the Tarn Mug at www.example.com today.", "shape.contact"),
        ("The Tarn Mug is good. Call us on +44 20 7946 0958.", "shape.contact"),
        ("The Tarn Mug is good. #mug", "shape.hashtag"),
        ("The Tarn Mug is good 🍵.", "shape.emoji"),
    ],
)
def test_marks_links_hashtags_and_emoji_have_codes_of_their_own(text: str, code: str) -> None:
    assert code in codes(text)
    allowed = Rules(min_words=1, guards={code: "off"})
    assert code not in {reason.code for reason in judge(text, MUG, allowed, finished=True).reasons}


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("保温杯很好用。\n1、容量500毫升。", "shape.marks"),
        ("保温杯很好用。<|im_end|>", "shape.marks"),
        ("保温杯很好用，加微信号：baowen123。", "shape.contact"),
        ("保温杯很好用。 #保温杯", "shape.hashtag"),
        ("保温杯很好用☕。", "shape.emoji"),
    ],
)
def test_the_same_in_chinese(text: str, code: str) -> None:
    assert code in codes(text, CUP)


def test_a_guard_that_is_off_hides_none_after_it() -> None:
    text = "The **Tarn Mug** by [brand] is good."
    assert "shape.chat" in {
        reason.code
        for reason in judge(text, MUG, Rules(min_words=1, guards={"shape.marks": "off"}), finished=True).reasons
    }


def test_a_post_may_end_with_hashtags_where_the_shop_wants_them() -> None:
    rules = Rules(min_words=1, guards={"shape.hashtag": "off", "shape.emoji": "off"})
    assert judge("Meet the Tarn Mug ☕! It holds 350 ml. ❤️ #TarnMug #tea", MUG, rules, finished=True).reasons == ()
    assert not judge("Meet the Tarn Mug, which is a #mug", MUG, rules, finished=True).passed


def test_an_emoji_makes_no_english_sentence_foreign() -> None:
    rules = Rules(min_words=1, guards={"shape.emoji": "off"})
    assert judge("Tarn Mug, calm in rain 😀.", MUG, rules, finished=True).passed


@pytest.mark.parametrize(
    "text",
    [
        "好的，保温杯很好用。",
        "以下是保温杯的描述。",
        "抱歉，我无法提供保温杯的描述。",
        "作为一个人工智能，我觉得保温杯很好。",
        "名称：保温杯，很好用。",
        "【品牌】保温杯很好用。",
        "没问题，请看下面的文案：保温杯很好用。",
        "保温杯很好用。希望这段文案对您有所帮助。",
        "保温杯很好用。欢迎来到XXX旗舰店。",
        "保温杯很好用。不好意思，其他信息无从得知。",
    ],
)
def test_chinese_talk_is_refused(text: str) -> None:
    assert "shape.chat" in codes(text, CUP)


def test_what_the_title_holds_is_no_placeholder() -> None:
    assert codes("The Mug [two-pack] is good.", Facts("Mug [two-pack]", "Fernhill")) == set()


@pytest.mark.parametrize(
    "text", ["<p>The Tarn Mug is good.</p>", "The Tarn Mug<br/> is good.", "The Tarn Mug &amp; you."]
)
def test_markup_is_refused(text: str) -> None:
    assert "shape.html" in codes(text)


def test_less_than_is_no_markup() -> None:
    assert codes("The Tarn Mug costs < a dinner & is > a cup.") == set()


@pytest.mark.parametrize(("words", "refused"), [(19, True), (20, False), (150, False), (151, True)])
def test_length_counts_words(words: int, refused: bool) -> None:
    text = "Tarn Mug " + " ".join(f"w{chr(97 + n // 26)}{chr(97 + n % 26)}" for n in range(words - 2)) + "."
    reasons = judge(text, MUG, Rules(min_words=20, max_words=150), finished=True).reasons
    assert any(reason.code == "shape.length" for reason in reasons) is refused


@pytest.mark.parametrize(("characters", "refused"), [(29, True), (30, False), (300, False), (301, True)])
def test_length_counts_characters_in_chinese(characters: int, refused: bool) -> None:
    text = "保温杯" + "".join(chr(0x4E00 + n) for n in range(characters - 3)) + "。"
    reasons = judge(text, CUP, Rules(min_chars_zh=30, max_chars_zh=300), finished=True).reasons
    assert any(reason.code == "shape.length" for reason in reasons) is refused


@pytest.mark.parametrize(
    "text",
    [
        "The Tarn Mug is good. 保温效果好。",
        "The Tarn Mug is good. Чашка для чая.",
        "The Tarn Mug is good. Ein Geschenk, das in jede Wohnung passt.",
        "Bienvenido a casa. The Tarn Mug is good.",
        "The Tarn Mug is good. Idealny prezent dla całej rodziny.",
        "The Tarn Mug is good. 毎日の暮らしに。",
        "The Tarn Mug is good. Una taza para el café de la mañana con mucho estilo.",
        "The Tarn Mug is good. Eine Tasse für den Tee und das gute Leben am Morgen.",
        "The Tarn Mug is good. Une belle tasse pour le thé et les longues soirées.",
    ],
)
def test_one_foreign_sentence_is_noticed(text: str) -> None:
    assert "language" in codes(text)


@pytest.mark.parametrize(
    "text",
    [
        "保温杯很好用。It is a very good cup.",
        "The cup keeps everything warm.",
        "保温杯很好用。とても便利です。",
        "保温杯很好用。매일 쓰기 좋은 제품입니다.",
        "保温杯很好用。這款產品讓生活更簡單。",
    ],
)
def test_one_english_sentence_is_noticed_in_chinese(text: str) -> None:
    assert "language" in codes(text, CUP)


def test_a_foreign_name_that_the_facts_hold_may_be_said() -> None:
    assert codes("The 无印 Tarn Mug is good.", Facts("Tarn Mug", "无印")) == set()
    assert codes("The Tarn Mug suits a café au lait or a crème brûlée.") == set()
    assert (
        codes("Purée, sauté, flambé: Maison Tarn Mug.", Facts("Tarn Mug", "Maison", "", (("Use", "Flambé"),))) == set()
    )
    assert codes("這款保温杯讓生活簡單。", Facts("保温杯", language="zh-TW")) == set()


@pytest.mark.parametrize(
    ("title", "text", "named"),
    [
        ("Polo Shirt", "The Poli Shirt is good.", False),
        ("Polo Shirt", "Polo shirts are good.", True),
        ("Colored Parrot Cushion", "The colored parrot cinch is good.", False),
        ("Set of Four Oak Wall Hooks by Hand", "Wall hooks of oak, a set of four.", True),
        ("Set of Four Oak Wall Hooks by Hand", "Something for the hall.", False),
    ],
)
def test_the_text_names_its_product(title: str, text: str, named: bool) -> None:
    assert ("words" not in codes(text, Facts(title, "Fernhill"))) is named


@pytest.mark.parametrize(
    ("title", "text", "wrong"),
    [
        ("Polo Shirt", "The Poli Shirt is good.", "poli shirt"),
        ("Apple Juice", "Orange Juice is cold.", "orange juice"),
        ("Tarn Mug", "This mug is good.", ""),
    ],
)
def test_a_wrong_name_is_refused_and_a_missing_one_marked(title: str, text: str, wrong: str) -> None:
    reasons = [reason for reason in judge(text, Facts(title), RULES, finished=True).reasons if reason.code == "words"]
    assert [(reason.span, reason.warns) for reason in reasons] == [(wrong, not wrong)]


def test_a_text_that_says_nothing_of_its_product_is_refused() -> None:
    assert not judge("Something nice for every day.", MUG, RULES, finished=True).passed
    assert not judge("普通的一天，也值得好好过。", CUP, RULES, finished=True).passed


def test_a_word_that_opens_one_clause_after_the_other_is_a_figure_of_speech() -> None:
    assert codes("Towers rise, towers fall, and the Tarn Mug stays.") == set()


def test_the_brand_is_not_the_subject() -> None:
    assert "words" in codes("Fernhill is a cafe by the sea. Its Tarn Mug is good.")
    assert "words" in codes("The Tarn Mug is a top-of-the-line mug brand.")
    assert codes("The Fernhill Tarn Mug is a mug by the sea.") == set()


def test_reasons_come_in_the_order_of_the_rules() -> None:
    verdict = judge("Sure! A leather thing of 9 kg", MUG, RULES, finished=False)
    order = ["shape.finished", "shape.chat", "words", "facts.numbers", "facts.claims"]
    assert list(dict.fromkeys(reason.code for reason in verdict.reasons)) == order


@pytest.mark.parametrize(
    ("raw", "clean"),
    [
        ('  "Soft and warm."\n', "Soft and warm."),
        ("“Soft and warm.”", "Soft and warm."),
        ("「柔软。」", "柔软。"),
        ('"Soft" and "warm"', '"Soft" and "warm"'),
        ("Soft\u00a0 and\t warm.", "Soft and warm."),
        ('"', '"'),
        ("", ""),
    ],
)
def test_tidy_takes_off_white_space_and_one_pair_of_quotes(raw: str, clean: str) -> None:
    assert tidy(raw) == clean


def test_the_digest_changes_with_a_number_of_the_rules_and_with_the_guards(monkeypatch: pytest.MonkeyPatch) -> None:
    before = digest(Rules())
    assert digest(Rules(max_words=149)) != before
    monkeypatch.setattr("copydesk.guards.judging.RULES_VERSION", RULES_VERSION + 1)
    assert digest(Rules()) != before


def test_a_sentence_may_begin_with_the_word_that_the_one_before_ends_with() -> None:
    assert codes("The Tarn Mug is calm, and friends like it. It holds 350 ml.") == set()
