"""Phrases: the small language of the word lists, and the one spelling that texts are brought to."""

import re

import pytest

from copydesk.triage.lists import LISTS
from copydesk.triage.phrases import Phrases, plain

TRADITIONAL = {ord("過"): "过", ord("電"): "电"}


@pytest.mark.parametrize(
    ("phrase", "text", "found"),
    [
        ("rash", "A rash.", True),
        ("rash", "A crash, thrashing.", False),
        ("injur*", "Two injuries", True),
        ("*anwalt*", "Mein Rechtsanwalts-Büro", True),
        ("on fire", "It is on   FIRE!", True),
        ("on fire", "It is on. Fire is hot.", False),
        ("burn* . hand", "burned my hand", True),
        ("burn* . hand", "burned my left hand", False),
        ("burn* .. hand", "burned my poor left hand", True),
        ("burn* ... hand", "burned it all and then my poor left hand", True),
        ("a|the cat", "The cat", True),
        ("too hot_to_touch", "far too hot to touch", True),
        ("@limb hurts", "my toes hurts", True),
        ("verbrüh*", "habe mich verbrueht", True),
        ("verbrüh*", "habe mich verbruht", True),
        ("dont like", "I DON’T like it", True),
        ("electrocut*", "got elec trocuted", True),
        ("lawyer", "my l a w y e r", True),
        ("lawyer", "my l-a-w-y-e-r", True),
        ("lawyer", "my law\u200byer", True),
        ("lawyer", "my ＬＡＷＹＥＲ", True),
        ("过敏", "過 敏了", True),
        ("漏电", "漏-电", True),
        ("玻璃 .. 爆", "玻璃杯突然就爆了", True),
        ("玻璃 .. 爆", "玻璃杯。爆了", False),
        ("@手 .. 划", "手指被划了", True),
    ],
)
def test_a_phrase_is_found_as_it_is_written(phrase: str, text: str, found: bool) -> None:
    phrases = Phrases({"it": [phrase]}, {"limb": "toe*|arm", "手": "手指|手臂"}, TRADITIONAL)
    assert bool(phrases.found(plain(text, TRADITIONAL))) is found


def test_what_is_found_comes_in_the_order_of_the_lists() -> None:
    phrases = Phrases({"grave": ["fire"], "light": ["smoke"]})
    assert phrases.found(plain("Smoke, then fire.")) == [("grave", "fire"), ("light", "smoke")]


def test_blanked_phrases_are_out_of_the_way_and_their_neighbours_are_not() -> None:
    text = Phrases({"harmless": ["fire stick"]}).blanked(plain("The fire stick caught fire."))
    assert Phrases({"grave": ["fire"]}).found(text) == [("grave", "fire")]
    assert Phrases({"grave": ["stick"]}).found(text) == []


def test_every_group_that_the_lists_mention_is_there() -> None:
    text = " ".join(str(value) for section in LISTS.values() for value in section.values())
    assert {name for name in re.findall(r"@([^\s|,]+)", text) if name not in LISTS["groups"]} == set()
