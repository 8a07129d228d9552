"""Which of several texts is the best: a table of pairs, what texts sound like, and what is not looked at."""

from dataclasses import replace

import pytest

from copydesk.jobs import ranking
from copydesk.jobs.ranking import Candidate, Neighbours, best, fluency
from copydesk.model import Facts, Reason
from copydesk.settings import Sampling

MUG = Facts("Enamel Mug", "Ridgeway", "Mugs", (("Colour", "Blue"), ("Volume", "350 ml")))
LAMP = Facts("Brass Lamp", "Ridgeway", "Lamps", (("Height", "40 cm"),))

HARD = Reason("facts.numbers", "says 3 kg", "3 kg")
REMARK = Reason("facts.claims", "says blue", "blue", warns=True)
OWN = Reason("words.forbidden", "says cheap", "cheap", warns=True)

PLAIN = "The Enamel Mug from Ridgeway is made for tea at home."
BLUE = "The Enamel Mug from Ridgeway is a blue one for tea at home."
FULL = "The Enamel Mug from Ridgeway is a blue one and holds 350 ml."
STUTTER = "The Enamel Mug from Ridgeway is a blue one, blue one and holds 350 ml of the tea of the day at home."
LIKE_THE_LAMP = "Meet the Enamel Mug: it is blue, holds 350 ml and brings good light to any corner of the room."
UNLIKE_THE_LAMP = "Blue and light in the hand, the Enamel Mug holds 350 ml."


def candidate(text: str, *reasons: Reason) -> Candidate:
    return Candidate(text, reasons, Sampling())


def lamp() -> Neighbours:
    neighbours = Neighbours()
    neighbours.take("Meet the Brass Lamp: it is tall, and brings good light to any corner of the room.", LAMP)
    return neighbours


TABLE = {
    "a text beats none": (candidate(PLAIN, HARD, HARD), candidate("", HARD)),
    "what passes beats what is refused": (candidate(PLAIN, OWN, REMARK), candidate(FULL, HARD)),
    "fewer refusals": (candidate(PLAIN, HARD), candidate(FULL, HARD, HARD)),
    "more than a single sentence that is left": (candidate(PLAIN, REMARK), replace(candidate(FULL), is_stub=True)),
    "a single sentence before what is refused": (replace(candidate(PLAIN), is_stub=True), candidate(FULL, HARD)),
    "fewer remarks": (candidate(PLAIN), candidate(FULL, REMARK)),
    "of as many remarks those that keep the shop's rules": (candidate(PLAIN, REMARK), candidate(FULL, OWN)),
    "more of the facts": (candidate(FULL), candidate(BLUE)),
    "less like its neighbours": (candidate(UNLIKE_THE_LAMP), candidate(LIKE_THE_LAMP)),
    "more fluent": (candidate(FULL), candidate(STUTTER)),
    "of refused ones, too, the one that says more": (candidate(FULL, HARD), candidate(PLAIN, HARD)),
}


@pytest.mark.parametrize(("better", "worse"), TABLE.values(), ids=TABLE)
def test_the_better_of_two_is_chosen_in_either_order(better: Candidate, worse: Candidate) -> None:
    assert best([better, worse], MUG, lamp()) is better
    assert best([worse, better], MUG, lamp()) is better


def test_of_equals_the_first_is_chosen() -> None:
    first, second = candidate(PLAIN), candidate(PLAIN)

    assert best([first, second], MUG, Neighbours()) is first


def test_what_costs_time_is_looked_at_only_in_a_draw(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(ranking, "coverage")

    assert best([candidate(FULL, HARD), candidate(PLAIN)], MUG, Neighbours()).text == PLAIN
    with pytest.raises(NameError):
        best([candidate(FULL), candidate(PLAIN)], MUG, Neighbours())


def test_a_text_that_begins_and_runs_as_a_neighbour_is_like_it_though_the_products_differ() -> None:
    neighbours = lamp()

    same = "Meet the Enamel Mug: it is tall, and brings good light to any corner of the room."
    assert neighbours.likeness(same, MUG) > 0.9
    assert neighbours.likeness("Blue and light in the hand, it holds 350 ml.", MUG) < 0.1
    assert Neighbours().likeness(same, MUG) == 0.0


def test_chinese_texts_are_compared_by_characters() -> None:
    cup, pot = Facts("搪瓷杯", "山泉", language="zh"), Facts("紫砂壶", "石湾", language="zh")
    neighbours = Neighbours()
    neighbours.take("搪瓷杯陪你度过每一个清晨，泡茶也好，喝水也好。", cup)

    assert neighbours.likeness("紫砂壶陪你度过每一个清晨，泡茶也好，喝水也好。", pot) > 0.9
    assert neighbours.likeness("石湾出品，老茶客会喜欢。", pot) == 0.0


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The mug holds a cup of tea.", 1.0),
        ("", 0.0),
        ("Blue. The mug holds tea.", 0.5),
        ("The mug holds the mug.", 0.6),
        ("word " * 40, 0.0),
    ],
)
def test_fluent_is_what_has_sentences_of_a_usual_length_and_does_not_repeat_words(text: str, expected: float) -> None:
    assert fluency(text, MUG) == pytest.approx(expected)


@pytest.mark.parametrize(("text", "reasons", "passed"), [
    ("A mug.", (), True), ("A mug.", (REMARK,), True), ("A mug.", (HARD,), False), ("", (), False),
])  # fmt: skip
def test_only_a_text_that_nothing_refuses_passes(text: str, reasons: tuple[Reason, ...], passed: bool) -> None:
    assert candidate(text, *reasons).passed is passed
