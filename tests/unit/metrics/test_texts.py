"""Figures of texts, by hand and against a slow but plain computation, in English and Chinese."""

import math
from collections import Counter
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from copydesk.metrics import (
    characters_per_sentence,
    distinct,
    edit_distance,
    flesch_reading_ease,
    repetition,
    self_bleu,
    sentences,
    words,
)
from copydesk.metrics.readability import syllables

SOME_WORDS = st.lists(st.lists(st.sampled_from("abcd"), max_size=9), min_size=2, max_size=6)


def test_words_are_cut_in_both_languages_and_numbers_stay_whole() -> None:
    assert " ".join(words("The Mug's lid holds 2.5 l – 500ml more!")) == "the mug's lid holds 2.5 l 500ml more"
    assert words("这款保温杯，容量 500 毫升。") == [*"这款保温杯容量", "500", *"毫升"]
    assert words(" … !") == []


def test_sentences_end_with_marks_of_both_languages_but_not_within_a_number() -> None:
    assert sentences("It holds 2.5 l. Is it light? Yes!") == ["It holds 2.5 l", "Is it light", "Yes"]
    assert sentences("很轻。“很暖！”真的；好") == ["很轻", "“很暖", "真的", "好"]
    assert sentences("Soft\n\n- warm\n…") == ["Soft", "- warm"]


def test_distinct_is_the_share_of_runs_that_are_different() -> None:
    texts = [["a", "b", "a"], ["b", "c"]]
    assert distinct(texts, 1) == 3 / 5
    assert distinct(texts, 2) == 1.0
    assert distinct([words("很轻很暖")], 1) == 3 / 4
    assert distinct([["a"]], 2) is None


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["a b c d e", "a b c d f"], (4 / 5 * 3 / 4 * 2 / 3 * 1 / 2) ** 0.25),
        # A word counts as often as one other text has it; nothing that matches counts as a tenth.
        (["the the the the", "the cat sat on"], (1 / 4 * 0.1 / 3 * 0.1 / 2 * 0.1) ** 0.25),
        # The shorter one is fined, the longer one less exact.
        (["a b c d", "a b c d e f"], (math.exp(1 - 6 / 4) + (4 / 6 * 3 / 5 * 2 / 4 * 1 / 3) ** 0.25) / 2),
        (["a b", "a b"], 1.0),
        (["a b", "c d"], 0.0),
    ],
)
def test_self_bleu_is_what_it_is_by_hand(texts: Sequence[str], expected: float) -> None:
    assert self_bleu([text.split() for text in texts]) == pytest.approx(expected)


def test_self_bleu_takes_two_texts_and_reads_chinese() -> None:
    assert self_bleu([["a"], []]) is None
    assert self_bleu([words("容量大，很轻"), words("容量大，很轻。")]) == pytest.approx(1.0)


@given(SOME_WORDS)
def test_self_bleu_in_linear_time_is_self_bleu(texts: list[list[str]]) -> None:
    spoken = [text for text in texts if text]
    found = self_bleu(texts)
    if len(spoken) < 2:
        assert found is None
    else:
        assert found == pytest.approx(sum(slow_bleu(place, spoken) for place in range(len(spoken))) / len(spoken))


def slow_bleu(place: int, texts: list[list[str]]) -> float:
    """BLEU as it is defined: each reference is counted for itself."""
    text, others = texts[place], texts[:place] + texts[place + 1 :]
    logs = []
    for n in range(1, min(4, len(text)) + 1):
        counts, *references = (
            Counter(tuple(one[start : start + n]) for start in range(len(one) - n + 1)) for one in [text, *others]
        )
        matches = sum(min(count, max(other[gram] for other in references)) for gram, count in counts.items())
        if n == 1 and not matches:
            return 0.0
        logs.append(math.log((matches or 0.1) / counts.total()))
    closest = min((len(other) for other in others), key=lambda size: (abs(size - len(text)), size))
    return math.exp(sum(logs) / len(logs) + min(0.0, 1 - closest / len(text)))


def test_repetition_is_the_share_of_runs_said_before() -> None:
    assert repetition([*"abcdabcd"]) == 1 / 5
    assert repetition([*"abcde"]) == 0.0
    assert repetition([*"aaa"]) == 0.0
    assert repetition(words("很轻很轻很轻")) == 1 / 3


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("cat", 1), ("table", 2), ("made", 1), ("makes", 1), ("pages", 2), ("boxes", 2), ("jumped", 1), ("wanted", 2),
        ("material", 4), ("video", 3), ("station", 2), ("playing", 2), ("quiet", 2), ("people", 2), ("language", 2),
        ("waterproof", 3), ("the", 1), ("2.5", 1),
    ],
)  # fmt: skip
def test_syllables_are_counted_by_vowels(word: str, expected: int) -> None:
    assert syllables(word) == expected


def test_reading_ease_is_by_flesch() -> None:
    # Six words of one syllable in one sentence.
    assert flesch_reading_ease("The cat sat on the mat.") == pytest.approx(206.835 - 1.015 * 6 - 84.6)
    # Five words in two sentences, seven syllables.
    assert flesch_reading_ease("Waterproof. It was made light.") == pytest.approx(206.835 - 1.015 * 2.5 - 84.6 * 7 / 5)
    assert flesch_reading_ease("…") is None


def test_chinese_is_read_by_the_length_of_its_sentences() -> None:
    assert characters_per_sentence("很轻。很暖和！OK?") == 2.5
    assert characters_per_sentence("It is light.") is None


def test_edit_distance_is_the_share_of_characters_that_had_to_change() -> None:
    assert edit_distance("kitten", "sitting") == pytest.approx(3 / 7)
    assert edit_distance("保温杯", "保暖杯") == pytest.approx(1 / 3)
    assert edit_distance("", "") == 0.0


@given(st.text(max_size=20), st.text(max_size=20))
def test_edit_distance_is_the_same_from_both_sides_and_zero_for_the_same_only(one: str, other: str) -> None:
    found = edit_distance(one, other)
    assert found == edit_distance(other, one)
    assert 0 <= found <= 1
    assert (found == 0) == (one == other)
