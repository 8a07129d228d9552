"""Which facts a text says, sentence by sentence, and which it leaves unsaid. No verdict: those are the guards'.

>>> facts = Facts("Enamel Mug", attributes=(("Volume", "0.35 l"), ("Colour", "Blue"), ("Care", "Wash by hand")))
>>> explained = explain("The Enamel Mug holds 350 ml. It is blue.", facts)
>>> [[(fact.name, fact.spans) for fact in sentence.facts] for sentence in explained.sentences]
[[('Title', ('Enamel', 'Mug')), ('Volume', ('350 ml',))], [('Colour', ('blue',))]]
>>> explained.unsaid, explained.coverage
((('Care', 'Wash by hand'),), 0.75)
"""

import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

from copydesk.guards import quantities
from copydesk.guards.claims import claims_in, known_claims
from copydesk.guards.draft import STEM, Draft, Sheet, words_of
from copydesk.guards.numbers import Known, known_numbers
from copydesk.guards.quantities import Quantity
from copydesk.guards.wordlists import word_set
from copydesk.model import Facts
from copydesk.settings import Rules

_GLUE = word_set("glue") | {"x"}
_LISTED = re.compile(r"\s*[,，、;；/|]\s*")
_HAN = re.compile(r"[\u3400-\u9fff]+")
_LATIN = re.compile(r"[A-Za-zÀ-ÖØ-öø-ÿ0-9]+(?:['’][A-Za-z]+)?")
_YES = frozenset({"yes", "true", "✓", "是", "有", "支持", "可"})


@dataclass(frozen=True, slots=True)
class Support:
    """One fact that a sentence says; `spans` are the sentence's own words for it."""

    name: str
    value: str
    spans: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence as it stands, and the facts that it says, in the facts' order."""

    text: str
    facts: tuple[Support, ...]


@dataclass(frozen=True, slots=True)
class Explanation:
    """What a text says of its product.

    Attributes:
        sentences: all of them, in order.
        unsaid: facts, name and value, that no sentence says.
        coverage: the share of the facts that some sentence says, 0 to 1; 1 where there are none.
    """

    sentences: tuple[Sentence, ...]
    unsaid: tuple[tuple[str, str], ...]
    coverage: float


def explain(text: str, facts: Facts, *, omit: Collection[str] = ()) -> Explanation:
    """Each sentence with the facts it says.

    Args:
        text: the copy.
        facts: what may be said of the product.
        omit: names of facts that nobody asked to be said.
    """
    lines = [(name, value) for name, value in facts.lines() if name not in omit]
    known = [_fact(name, value) for name, value in lines]
    said = tuple(_sentence(one, known) for one in Draft(text, facts, Rules()).sentences)
    names = {(fact.name, fact.value) for sentence in said for fact in sentence.facts}
    unsaid = tuple(line for line in lines if line not in names)
    return Explanation(said, unsaid, 1 - len(unsaid) / len(lines) if lines else 1.0)


def coverage(text: str, facts: Facts, *, omit: Collection[str] = ()) -> float:
    """The share of the facts that the text says, 0 to 1."""
    return explain(text, facts, omit=omit).coverage


class _Fact:
    """One fact, made ready to be looked for.

    Of a value that lists several things each is a part, and a part is said when half of its words are, or its number
    with the unit. "Yes" is said by the fact's name.
    """

    def __init__(self, name: str, value: str) -> None:
        self.name, self.value = name, value
        sheet = Sheet(Facts("", attributes=((name, value),)))
        self.numbers: Known = known_numbers(sheet)
        self.claims = known_claims(sheet)
        self.is_list = len(_LISTED.split(value)) > 1
        self.parts = [_words(part) for part in _LISTED.split(name if value.casefold() in _YES else value)]

    def said_in(self, sentence: "_Read") -> Iterator[str]:
        """The sentence's words for it; none where it does not say it."""
        measured, counted = self._quantities(sentence)
        yield from measured
        if not any(self.parts):
            yield from counted
        for part in self.parts:
            found = [span for word in part if (span := sentence.find(word))]
            if found and 2 * len(found) >= len(part):
                yield from found
        yield from (span for span, claim in sentence.claims if claim in self.claims)
        if self.is_list and (named := sentence.find(_words(self.name)[-1] if _words(self.name) else "")):
            yield named  # "in a choice of sizes"

    def _quantities(self, sentence: "_Read") -> tuple[list[str], list[str]]:
        """Spans of numbers that are this fact's: those with a unit or that count its list, and bare ones."""
        measured, bare = [], []
        for quantity in sentence.quantities:
            same = [one for one in quantity.readings() if self._measures(one)]
            if any(kind for kind, _ in same) or self._counts(quantity):
                measured.append(quantity.span)
            elif same:
                bare.append(quantity.span)
        return measured, bare

    def _measures(self, reading: quantities.Measure) -> bool:
        return reading in self.numbers.measures or any(reading in group for group in self.numbers.groups)

    def _counts(self, quantity: Quantity) -> bool:
        return any(value == quantity.value and name in quantity.after for name, value in self.numbers.counts)


_fact = lru_cache(maxsize=16_384)(_Fact)


class _Read:
    """One sentence, read once for all facts."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.words = {_key(word): word for word in reversed(_LATIN.findall(text))}
        self.stems = {key[:STEM]: word for key, word in self.words.items() if len(key) > STEM}
        self.quantities = [quantity for group in quantities.read(text).groups for quantity in group]
        self.claims = list(claims_in(text, words_of(text)))

    def find(self, word: str) -> str:
        """The sentence's own spelling of a word, "" where it has none. A run of Chinese may be said in half."""
        if _HAN.match(word):
            return self._run(word)
        return self.words.get(word) or (self.stems.get(word[:STEM], "") if len(word) > STEM else "")

    def _run(self, run: str) -> str:
        if run in self.text:
            return run
        pairs = [first + second for first, second in pairwise(run)]
        found = [pair for pair in pairs if pair in self.text]
        return found[0] if found and 2 * len(found) >= len(pairs) else ""


def _sentence(text: str, known: Iterable[_Fact]) -> Sentence:
    read = _Read(text)
    said = [Support(fact.name, fact.value, _longest(fact.said_in(read))) for fact in known]
    return Sentence(text, tuple(support for support in said if support.spans))


def _longest(spans: Iterable[str]) -> tuple[str, ...]:
    """Each once, without those that are part of another."""
    once: dict[str, str] = {}
    for span in spans:
        once.setdefault(span.casefold(), span)
    return tuple(span for key, span in once.items() if not any(_is_part(key, other) for other in once))


def _is_part(span: str, other: str) -> bool:
    """ "steel" of "stainless steel", 棉 of 纯棉; but no "s" of "sizes"."""
    whole = f" {span} " in f" {other} " if span.isascii() else span in other
    return whole and span != other


def _words(value: str) -> list[str]:
    """What a value is known by, numbers left out: its Latin words without their plural, and its runs of Chinese."""
    for group in quantities.read(value).groups:
        for quantity in group:
            value = value.replace(quantity.span, " ", 1)
    latin = [_key(word) for word in _LATIN.findall(value) if word.casefold() not in _GLUE]
    return [*dict.fromkeys(latin), *_HAN.findall(value)]


def _key(word: str) -> str:
    word = word.casefold().replace("’", "'").removesuffix("'s")
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word
