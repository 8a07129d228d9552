"""What a translation owes its text: the same numbers and materials (facts.coverage), and another language."""

import re
from collections.abc import Iterator
from itertools import chain

from copydesk.guards import quantities
from copydesk.guards.claims import CLAIMS, claims_in
from copydesk.guards.draft import words_of
from copydesk.guards.judging import weighed
from copydesk.model import Facts, Reason, is_chinese
from copydesk.settings import Rules

_WRITTEN = frozenset(claim for spelling, claim in CLAIMS.items() if spelling.isascii())
_WRITTEN_ZH = frozenset(claim for spelling, claim in CLAIMS.items() if not spelling.isascii())
"""Claims that the word lists know the English, or the Chinese, words of."""

_HAN = re.compile(r"[\u3400-\u9fff]+")

COPIED, COPIED_ZH = 6, 12
"""Words, or Chinese characters, of a text in a row that its translation does not hold: names are shorter."""


def left_out(source: str, text: str, facts: Facts, rules: Rules) -> tuple[Reason, ...]:
    """What a text says and its translation does not: numbers in figures, materials, colours, promises, whole sentences.

    Args:
        source: the text that was translated; "" for copy that is no translation.
        text: the translation.
        facts: the product's names, and the translation's language.
        rules: what is done about it.
    """
    if not source:
        return ()
    reasons = (_untranslated(source, text, facts), _numbers(source, text), _claims(source, text, facts.language))
    return weighed(chain.from_iterable(reasons), rules)


def _untranslated(source: str, text: str, facts: Facts) -> Iterator[Reason]:
    """The guard of languages lets pass what stands in the facts, and the text to translate is among them."""
    chinese = is_chinese(facts.language)
    left = "" if chinese else next((run for run in _HAN.findall(text) if not _is_name(run, facts)), "")
    if left:
        yield Reason("language", f'leaves a part of the text untranslated: "{left}"', left)
        return
    length, joint = (COPIED, " ") if chinese else (COPIED_ZH, "")
    before, after = words_of(source), words_of(text)
    runs = {tuple(before[place : place + length]) for place in range(len(before) - length + 1)}
    for place in range(len(after) - length + 1):
        if (run := tuple(after[place : place + length])) in runs:
            span = joint.join(run)
            yield Reason("language", f'leaves a part of the text untranslated: "{span}"', span)
            return


def _is_name(run: str, facts: Facts) -> bool:
    """The brand, or how it or the product's title begins: "The 石湾 metronome" of 石湾节拍器."""
    return len(run) > 1 and any(name.startswith(run) for name in (facts.brand, facts.title))


def spelled(text: str) -> str:
    """Every spelling, in both languages, of the materials, colours and promises that a text names."""
    claims = {claim for _, claim in claims_in(text, words_of(text))}
    return ", ".join(spelling for spelling, claim in CLAIMS.items() if claim in claims)


def _numbers(source: str, text: str) -> Iterator[Reason]:
    said = {reading for group in quantities.read(text).groups for one in group for reading in one.readings()}
    for group in quantities.read(source).groups:
        for quantity in group:
            in_figures = any(character.isdigit() for character in quantity.span)
            if in_figures and said.isdisjoint(quantity.readings()):
                message = f'leaves out "{quantity.span}", which the text to translate says'
                yield Reason("facts.coverage", message, quantity.span)


def _claims(source: str, text: str, language: str) -> Iterator[Reason]:
    known = _WRITTEN_ZH if is_chinese(language) else _WRITTEN
    said = {claim for _, claim in claims_in(text, words_of(text))}
    for spelling, claim in claims_in(source, words_of(source)):
        if claim in known and claim not in said:
            yield Reason("facts.coverage", f'leaves out "{spelling}", which the text to translate says', spelling)
