"""Near-duplicates are found in any order of magnitude, in English and in Chinese, and nothing else is."""

import random
import time
import tracemalloc
from collections.abc import Collection
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from copydesk.variety import Pair, Sieve, Text, likeness, near_duplicates, shingles

MUG = (
    "A plain red mug of stoneware that holds half a litre, sits well in the hand, and may go into the dishwasher "
    "every single day without losing its shine."
)
KETTLE_ZH = "这款水壶用不锈钢做成，容量为半升，握着顺手，放在家里或者送给朋友都很自然，每天都可以用。"
WORDS = [f"{first}{second}" for first in ("bo", "da", "ke", "li", "mu", "no", "ra", "su") for second in ("ban", "mel")]


def words(chance: random.Random, count: int = 60) -> list[str]:
    return [f"{chance.choice(WORDS)}{chance.choice(WORDS)}" for _ in range(count)]


@pytest.mark.parametrize(
    ("text", "other"),
    [
        (MUG, MUG),
        (MUG, MUG.upper()),
        (MUG, MUG.replace(", ", " – ").replace(" ", "\n  ")),
        (MUG, MUG.replace("single day", "other day")),
        (KETTLE_ZH, KETTLE_ZH.replace("，", " ")),
        (KETTLE_ZH, KETTLE_ZH.replace("每天都可以用", "每天都能用")),
        ("A red Mug!", "a  red mug"),
        ("保温杯", "保温杯。"),
        ("★★★", " ★★★"),
    ],
)
def test_texts_that_differ_in_case_blanks_marks_or_a_word_are_nearly_the_same(text: str, other: str) -> None:
    [pair] = near_duplicates([(3, text), (5, "Something else altogether."), (4, other)])

    assert (pair.earlier, pair.later) == (3, 4)
    assert 0.8 <= pair.likeness <= 1.0


@pytest.mark.parametrize(
    ("text", "other"),
    [
        (MUG, MUG.replace("red", "blue").replace("hand", "bag").replace("shine", "colour").replace("half", "one")),
        (MUG, " ".join(reversed(MUG.split()))),
        (KETTLE_ZH, KETTLE_ZH.replace("不锈钢", "玻璃").replace("半升", "一升").replace("朋友", "家人")),
        (MUG, KETTLE_ZH),
        ("A red mug.", "A blue mug."),  # of two short texts a word is much
        ("保温杯", "保温壶"),
        ("", ""),
        (" \n", " \n"),
    ],
)
def test_other_texts_are_not(text: str, other: str) -> None:
    assert near_duplicates([(1, text), (2, other)]) == []


def test_each_text_is_told_with_the_likest_of_the_earlier_ones() -> None:
    closer = MUG.replace("every single day", "every single night")
    texts = [(10, MUG.replace("A plain", "One")), (20, MUG), (30, closer), (40, MUG)]

    assert [(pair.earlier, pair.later) for pair in near_duplicates(texts)] == [(10, 20), (20, 30), (20, 40)]
    assert near_duplicates(texts)[-1] == Pair(20, 40, 1.0)


def test_what_counts_as_nearly_the_same_can_be_said() -> None:
    texts = [(1, MUG), (2, MUG.replace("every single day", "every single night"))]
    like = likeness(*[shingles(text) for _, text in texts])

    assert 0.8 <= like < 1.0
    assert near_duplicates(texts, threshold=like) == [Pair(1, 2, like)]
    assert near_duplicates(texts, threshold=like + 0.001) == []


def test_texts_of_one_product_are_not_compared_with_each_other_and_those_before_are_not_told() -> None:
    texts = {1: MUG, 2: MUG, 3: MUG, 4: MUG}
    sieve = Sieve()
    sieve.add([Text(1, 100, MUG), Text(2, 200, MUG)])
    since = len(sieve)
    sieve.add([Text(3, 100, MUG), Text(4, 400, MUG)])

    found = list(sieve.pairs(lambda keys: {key: texts[key] for key in keys}, since=since))

    assert [(pair.earlier, pair.later) for pair in found] == [(2, 3), (1, 4)]


def test_a_text_that_is_gone_by_the_time_it_is_read_again_is_like_no_other() -> None:
    sieve = Sieve()
    sieve.add([Text(1, 1, MUG), Text(2, 2, MUG), Text(3, 3, MUG)])

    assert [pair.later for pair in sieve.pairs(lambda keys: dict.fromkeys(keys - {1}, MUG))] == [3]
    assert list(sieve.pairs(lambda keys: {})) == []


def test_nearly_all_near_duplicates_are_found_and_nothing_that_is_none() -> None:
    """Texts of 60 words, of which each tenth is an earlier one with one to three words changed."""
    chance = random.Random(6)
    texts: list[list[str]] = []
    alike = set()
    for number in range(2_000):
        made = list(texts[chance.randrange(number)]) if number and number % 10 == 0 else words(chance)
        for _ in range(chance.randint(1, 3)):
            made[chance.randrange(len(made))] = chance.choice(WORDS)
        texts.append(made)
    said = [(number, " ".join(made)) for number, made in enumerate(texts)]
    runs = [shingles(text) for _, text in said]
    for number in range(10, 2_000, 10):
        if max(likeness(runs[number], run) for run in runs[:number]) >= 0.8:
            alike.add(number)

    found = near_duplicates(said)

    assert len(alike) > 120
    assert len({pair.later for pair in found} & alike) >= 0.99 * len(alike)
    assert all(likeness(runs[pair.earlier], runs[pair.later]) == pair.likeness >= 0.8 for pair in found)


def test_where_all_texts_are_the_same_the_work_does_not_grow_with_their_square() -> None:
    compared: list[int] = []

    def read(keys: Collection[int]) -> dict[int, str]:
        compared.append(len(keys))
        return dict.fromkeys(keys, MUG)

    for count in (1_000, 2_000):
        compared.clear()
        sieve = Sieve()
        sieve.add(Text(number, number, MUG) for number in range(count))
        assert len(list(sieve.pairs(read))) == count - 1
        assert sum(compared) <= 1.1 * count


def test_where_all_texts_are_made_after_one_pattern_the_memory_stays_small_and_the_caller_is_heard() -> None:
    chance, said, heard = random.Random(6), dict[int, str](), list[int]()
    pattern = words(chance)
    for number in range(2_000):
        made = list(pattern)
        for _ in range(4):
            made[chance.randrange(len(made))] = chance.choice(WORDS)
        said[number] = " ".join(made)
    sieve = Sieve()
    sieve.add(Text(number, number, text) for number, text in said.items())
    pairs = sieve.pairs(lambda keys: {key: said[key] for key in keys}, meanwhile=lambda: heard.append(1))

    tracemalloc.start()
    next(sieve._candidates(0, lambda: None))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert peak < 500 * len(sieve)
    assert list(pairs)
    assert len(heard) == len(sieve._bands)


def test_a_text_takes_little_memory() -> None:
    sieve = Sieve()
    sieve.add(Text(number, number, f"Number {number}.") for number in range(1_000))
    kept = [sieve._keys, sieve._of, *sieve._bands]

    assert sum(one.itemsize * len(one) for one in kept) == 100 * len(sieve)


@settings(max_examples=200, deadline=None, derandomize=True, database=None)
@given(st.lists(st.text(), max_size=8))
def test_whatever_is_written_an_equal_text_is_found(texts: list[str]) -> None:
    shown = [text for text in texts if shingles(text)]
    found = near_duplicates(enumerate([*shown, *shown]))

    assert {pair.later for pair in found} >= set(range(len(shown), 2 * len(shown)))
    assert all(before.later < after.later for before, after in pairwise(found))


def test_a_hundred_thousand_texts_would_take_less_than_a_minute() -> None:
    chance = random.Random(6)
    texts = [(number, " ".join(words(chance))) for number in range(2_000)]
    began = time.process_time()
    near_duplicates(texts)

    assert (time.process_time() - began) * 50 < 60
