"""The sentiment of the word lists: what words, negations, degrees and contrasts say, and how often it is right."""

import json
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from copydesk.model import Polarity, Sentiment
from copydesk.triage import sentiment as module
from copydesk.triage.sentiment import LANGUAGES, VALUES, leaning, sentiment, spellings

POSITIVE, NEUTRAL, NEGATIVE = Polarity
DATA = Path(__file__).parents[4] / "shared/data"
LISTS = [*VALUES, "nothing", "more", "less", "negations", "absences", "but", "though", "sums_up"]


@pytest.mark.parametrize(
    ("text", "language", "polarity"),
    [
        ("Great mug, I love it!", "en", POSITIVE),
        ("It broke after two days.", "en", NEGATIVE),
        ("Not good.", "en", NEGATIVE),
        ("Not bad at all!", "en", POSITIVE),
        ("I can't recommend it enough", "en", POSITIVE),
        ("Works like a charm", "en", POSITIVE),
        ("It doesn’t work", "en", NEGATIVE),
        ("a well-made bag", "en", POSITIVE),
        ("The colour is nice, but it is a complete waste of money.", "en", NEGATIVE),
        ("The mug arrived.", "en", NEUTRAL),
        ("质量很好，非常满意", "zh", POSITIVE),
        ("質量很好，非常滿意", "zh", POSITIVE),
        ("服务员很热情", "zh", POSITIVE),
        ("太差了，再也不会买", "zh", NEGATIVE),
        ("不好用", "zh", NEGATIVE),
        ("没有异味", "zh", POSITIVE),
        ("外观不错，但是用了一天就坏了", "zh", NEGATIVE),
        ("房间在三楼", "zh", NEUTRAL),
        ("Sehr gute Qualität, schnelle Lieferung.", "de", POSITIVE),
        ("Ich bin nicht zufrieden.", "de", NEGATIVE),
        ("Nach zwei Wochen kaputt.", "de", NEGATIVE),
        ("Ganz nett, aber viel zu teuer.", "de", NEGATIVE),
        ("Funktioniert einwandfrei", "de", POSITIVE),
        ("👍👍", "en", POSITIVE),
        ("😡", "zh", NEGATIVE),
        ("ok :(", "de", NEGATIVE),
    ],
)
def test_words_say_what_they_mean(text: str, language: str, polarity: Polarity) -> None:
    assert sentiment(text, language).polarity is polarity


@pytest.mark.parametrize(
    ("surer", "less_sure"),
    [
        ("very good", "good"),
        ("good", "somewhat good"),
        ("excellent", "good"),
        ("good. great. lovely.", "good"),
        ("slow, but lovely", "lovely, but slow"),
        ("The lid is bad. Overall good.", "Good. The lid is bad."),
        ("good", "although good"),
    ],
)
def test_one_text_is_more_positive_than_the_other(surer: str, less_sure: str) -> None:
    assert sentiment(surer, "en").positive > sentiment(less_sure, "en").positive


def test_a_negation_reaches_some_words_and_no_further_than_its_clause() -> None:
    assert sentiment("no, good", "en").positive > sentiment("no good one", "en").positive
    assert sentiment("I do not know who would call it good", "en").polarity is POSITIVE


def test_what_is_missed_is_a_complaint_even_if_it_has_no_value() -> None:
    assert leaning(sentiment("There was no lid", "en")) is NEGATIVE
    assert leaning(sentiment("没有说明", "zh")) is NEGATIVE


@pytest.mark.parametrize("text", ["", " \n", "!!!", "mug", "很", "x" * 20_000, "\u202eabc\u0000", "سيئ جدا"])
@pytest.mark.parametrize("language", ["en", "zh", "de", "fr", ""])
def test_any_text_gets_three_chances_that_sum_to_one(text: str, language: str) -> None:
    found = sentiment(text, language)
    assert found.positive + found.neutral + found.negative == pytest.approx(1)
    assert found.confidence == max(found.positive, found.neutral, found.negative)


def test_by_names_the_lists_and_their_version() -> None:
    assert sentiment("good", "en").by == "words/en@1"
    assert sentiment("good", "en-GB").by == "words/en@1"
    assert sentiment("好", "zh-TW").by == "words/zh@1"


def test_stars_do_not_change_what_the_text_says() -> None:
    assert sentiment("Great mug", "en", 1) == sentiment("Great mug", "en")


@pytest.mark.parametrize(("text", "language"), [("The mug arrived.", "en"), ("", "zh"), ("Très bon", "fr")])
@pytest.mark.parametrize(("rating", "polarity"), [(1, NEGATIVE), (2, NEGATIVE), (3, NEUTRAL), (4, POSITIVE)])
def test_stars_speak_where_the_words_do_not(text: str, language: str, rating: int, polarity: Polarity) -> None:
    found = sentiment(text, language, rating)
    assert (found.polarity, found.by) == (polarity, "stars")


@pytest.mark.parametrize("rating", [None, 0, 6])
def test_without_words_and_stars_it_is_neutral_and_not_sure(rating: int | None) -> None:
    found = sentiment("Très bon", "fr", rating)
    assert (found.polarity, found.by) == (NEUTRAL, "stars")
    assert found.confidence <= 0.5


def test_leaning_knows_no_neutral() -> None:
    assert leaning(Sentiment(NEUTRAL, 0.3, 0.5, 0.2, "x")) is POSITIVE
    assert leaning(Sentiment(NEUTRAL, 0.2, 0.5, 0.3, "x")) is NEGATIVE


# The lists


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ("love|s|d", ["love", "loves", "loved"]),
        ("well_made", ["well made"]),
        ("gut~", ["gut", "gute", "gutes"]),
        ("a b", ["a", "b"]),
    ],
)
def test_an_entry_stands_for_its_spellings(entry: str, expected: list[str]) -> None:
    assert list(spellings(entry, "e es")) == expected


@pytest.mark.parametrize("language", sorted(LANGUAGES))
def test_no_entry_is_in_two_lists(language: str) -> None:
    lists = tomllib.loads(Path(module.__file__).with_name(f"polarity.{language}.toml").read_text())
    found: dict[str, str] = {}
    for name in LISTS:
        for spelling in set(spellings(lists.get(name, ""), lists.get("endings", ""))):
            assert found.setdefault(spelling, name) == name, spelling


@pytest.mark.parametrize("language", sorted(LANGUAGES))
def test_a_list_file_has_no_name_that_nothing_reads(language: str) -> None:
    lists = tomllib.loads(Path(module.__file__).with_name(f"polarity.{language}.toml").read_text())
    assert set(lists) <= {*LISTS, "version", "reach", "endings", "traditional", "simplified"}


def test_every_traditional_character_has_one_simplified() -> None:
    lists = tomllib.loads(Path(module.__file__).with_name("polarity.zh.toml").read_text())
    assert len(lists["traditional"]) == len(lists["simplified"]) == len(set(lists["traditional"]))


# How often it is right


def measured(name: str, label: Callable[[dict[str, object]], Polarity], language: str, rows: slice) -> float:
    path = DATA / name
    if not path.is_file():
        pytest.skip(f"{path} is not there")
    reviews = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()][rows]
    right = sum(leaning(sentiment(review["text"], language)) is label(review) for review in reviews)
    return right / len(reviews)


def test_positive_and_negative_reviews_are_told_apart_in_english() -> None:
    def label(review: dict[str, object]) -> Polarity:
        return POSITIVE if float(str(review["polarity"])) > 0 else NEGATIVE

    assert measured("amazon_reviews_en.jsonl", label, "en", slice(None)) >= 0.85


def test_positive_and_negative_reviews_are_told_apart_in_chinese() -> None:
    """Of the second review of each pair: the lists were tried on the first."""
    assert measured("reviews_zh.jsonl", lambda review: Polarity(review["label"]), "zh", slice(1, None, 2)) >= 0.8
