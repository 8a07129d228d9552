"""Opinions: the topics that a review names, what it says of them, and its own words for it."""

import tomllib
from pathlib import Path

import pytest

from copydesk.model import Polarity
from copydesk.triage import opinions as module
from copydesk.triage.opinions import QUOTED_CHARACTERS, opinions
from copydesk.triage.sentiment import LANGUAGES, spellings

POSITIVE, NEGATIVE = Polarity.POSITIVE, Polarity.NEGATIVE
TOPICS = tomllib.loads(Path(module.__file__).with_name("topics.toml").read_text())
ENDINGS = TOPICS.pop("endings")


def said(text: str, language: str) -> set[tuple[str, Polarity]]:
    return {(one.topic, one.polarity) for one in opinions(text, language)}


@pytest.mark.parametrize(
    ("text", "language", "expected"),
    [
        ("Great sound, terrible battery.", "en", {("sound", POSITIVE), ("battery", NEGATIVE)}),
        ("The screen is gorgeous but shipping was slow.", "en", {("display", POSITIVE), ("delivery", NEGATIVE)}),
        ("The battery, I am sorry to say, is dead.", "en", {("battery", NEGATIVE)}),
        ("Sadly, the battery died. The sound is fine.", "en", {("battery", NEGATIVE), ("sound", POSITIVE)}),
        ("Way overpriced.", "en", {("price", NEGATIVE)}),
        ("Easy to use, and the staff were friendly.", "en", {("ease of use", POSITIVE), ("service", POSITIVE)}),
        ("It runs small.", "en", {("size", NEGATIVE)}),
        ("房间干净，服务差。", "zh", {("room", POSITIVE), ("cleanliness", POSITIVE), ("service", NEGATIVE)}),
        ("位置不错，但是隔音不好", "zh", {("location", POSITIVE), ("room", NEGATIVE)}),
        ("物流很快！包装破损", "zh", {("delivery", POSITIVE), ("packaging", NEGATIVE)}),
        ("屏幕，很清晰", "zh", {("display", POSITIVE)}),
        ("Tolle Qualität, aber die Lieferung war zu spät.", "de", {("quality", POSITIVE), ("delivery", NEGATIVE)}),
        ("Der Geruch ist widerlich.", "de", {("smell", NEGATIVE)}),
    ],
)
def test_each_topic_has_what_is_said_of_it(text: str, language: str, expected: set[tuple[str, Polarity]]) -> None:
    assert said(text, language) == expected


@pytest.mark.parametrize(
    ("text", "language"),
    [("It has a battery.", "en"), ("Lovely!", "en"), ("", "en"), ("房间在三楼", "zh"), ("Très bon service", "fr")],
)
def test_what_names_no_topic_or_says_nothing_of_it_is_left_out(text: str, language: str) -> None:
    assert opinions(text, language) == ()


def test_a_topic_that_is_praised_and_blamed_has_both_once() -> None:
    found = opinions("Great sound. Lovely sound. The sound is terrible. Awful sound.", "en")
    assert [(one.polarity, one.sentence) for one in found] == [
        (POSITIVE, "Great sound."),
        (NEGATIVE, "The sound is terrible."),
    ]


def test_the_sentence_is_the_reviews_own() -> None:
    text = "I wrote to [email].\nThe  Sound is   GREAT, however the box was crushed; avoid! 音质 ok"
    for one in opinions(text, "en"):
        assert one.sentence in text
    assert [one.sentence for one in opinions(text, "en")][:2] == [
        "The  Sound is   GREAT",
        "however the box was crushed",
    ]


def test_a_long_sentence_is_cut_at_the_end_of_a_word() -> None:
    text = "The sound is great " + "and so on " * 60
    [one] = opinions(text, "en")
    assert QUOTED_CHARACTERS - 10 < len(one.sentence) <= QUOTED_CHARACTERS
    assert text.startswith(one.sentence + " ")
    [one] = opinions("音质很好" + "啊" * 400, "zh")
    assert len(one.sentence) == QUOTED_CHARACTERS


def test_a_review_of_twenty_thousand_characters_is_read() -> None:
    assert said("The sound is great. " * 1000, "en") == {("sound", POSITIVE)}


@pytest.mark.parametrize("language", sorted(LANGUAGES))
def test_every_topic_has_words_in_each_language_and_no_word_two_topics(language: str) -> None:
    found: dict[str, str] = {}
    for topic, words in TOPICS.items():
        for word in set(spellings(words[language], ENDINGS)):
            assert found.setdefault(word, topic) == topic, word
    assert set(found.values()) == set(TOPICS)
