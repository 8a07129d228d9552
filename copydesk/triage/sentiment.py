"""A text's sentiment by word lists: offline, quick, and the same every time.

The lists of a language are in polarity.<language>.toml. Every word that praises or blames has a value; negations turn
it, degree words make it more or less, and what follows a "but" counts for more than what is before it.
"""

import itertools
import math
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from functools import lru_cache
from pathlib import Path
from typing import Any, Generic, TypeVar

from copydesk.model import Polarity, Sentiment

LANGUAGES = frozenset({"en", "zh", "de"})
"""What there are word lists for; of texts in other languages only the stars tell."""

VALUES = {"best": 3.0, "good": 2.0, "nice": 1.0, "hint": -0.7, "meh": -1.5, "bad": -2.5, "worst": -3.5}
"""What an entry of a list is worth. Blame weighs more: whoever complains often begins with praise."""

TURNED = -0.6
"""What a negation makes of a value: "not good" is bad, but less so than "bad"."""

MISSED = -0.5
"""The value of an absence with nothing to turn after it: "there was no soap"."""

DOUBT = -0.2
"""Added to every sum: whoever praises nothing is rarely happy."""

MORE, LESS = 1.4, 0.7
BEFORE_BUT, AFTER_BUT, AFTER_THOUGH, SUMMED_UP = 0.7, 1.2, 0.5, 1.5

STEEPNESS, NEUTRAL = 0.8, 0.1
"""How fast the chances rise with the sum, and the logit of neutral."""

Chances = tuple[float, float, float]
"""Positive, neutral, negative."""

BY_STARS: Mapping[int, Chances] = {
    1: (0.04, 0.11, 0.85), 2: (0.1, 0.2, 0.7), 3: (0.25, 0.5, 0.25), 4: (0.7, 0.2, 0.1), 5: (0.85, 0.11, 0.04),
}  # fmt: skip
UNKNOWN: Chances = (0.2, 0.5, 0.3)

_WORD = re.compile(r"[^\W_]+(?:'[^\W_]+)*|[\u2600-\u27bf\u2b50\U0001f300-\U0001faff]")
_SMILES, _FROWNS = re.compile(r"[:;=]-?[)D]|\^_?\^|：）"), re.compile(r"[:=]-?\(|：（")
_SENTENCES, _CLAUSES = re.compile(r"[.!?;…。！？；\n]+"), re.compile(r"[,:()，、：（）—]+")

Value = TypeVar("Value")


def sentiment(text: str, language: str, rating: int | None = None) -> Sentiment:
    """What a text says of its subject, in three probabilities that sum to 1.

    `language` is a code such as en or zh-CN. The stars (1 to 5) count only where the words say nothing, or where there
    are no lists for the language; without either it is neutral, and not sure of it.
    """
    code = code_of(language)
    lists = _lists(code) if code else None
    values = _values(text, lists) if lists else []
    if lists and values:
        return _of(_chances(values), lists.name)
    if rating is not None and rating in BY_STARS:
        return _of(BY_STARS[rating], "stars")
    return _of(UNKNOWN, lists.name if lists else "stars")


def leaning(one: Sentiment) -> Polarity:
    """Positive or negative, whichever is likelier, for those who have no use for neutral."""
    return Polarity.POSITIVE if one.positive > one.negative else Polarity.NEGATIVE


def code_of(language: str) -> str:
    """The code of the lists that serve a language: en for en-GB; "" where there are none."""
    code = language[:2].lower()
    return code if code in LANGUAGES else ""


def _of(chances: Chances, by: str) -> Sentiment:
    polarity = max(zip(chances, Polarity, strict=True))[1]
    return Sentiment(polarity, *chances, by)


def _chances(values: Sequence[float]) -> Chances:
    """Many words that say the same are surer than one."""
    score = STEEPNESS * (DOUBT + sum(values)) / math.sqrt(len(values))
    odds = [math.exp(logit) for logit in (score, NEUTRAL, -score)]
    positive, neutral, negative = (one / sum(odds) for one in odds)
    return positive, neutral, negative


# From a text to the values of its words ------------------------------------------------------------------------------


class _Kind(Enum):
    """What an entry does; but for VALUE, by the names of the lists."""

    VALUE = auto()
    NOTHING = auto()
    MORE = auto()
    LESS = auto()
    NEGATIONS = auto()
    ABSENCES = auto()
    BUT = auto()
    THOUGH = auto()
    SUMS_UP = auto()


@dataclass(frozen=True, slots=True)
class _Entry:
    kind: _Kind
    value: float = 0.0


@dataclass(slots=True)
class _Sentence:
    """The values of a sentence, as it is read from left to right."""

    reach: int  # units that a negation or a degree word reaches
    values: list[float] = field(default_factory=list)
    weight: float = 1.0  # of what follows in the sentence
    aside: float = 1.0  # of what follows in the clause
    negated: bool = False
    missed: float = 0.0  # what an absence is worth, if nothing follows that it turns
    degree: float = 1.0
    until: int = 0  # the place from which negation and degree reach no more

    def take(self, start: int, end: int, entry: _Entry) -> None:
        if start >= self.until:
            self._let_go()
        match entry.kind:
            case _Kind.VALUE:
                self._add(entry.value)
            case _Kind.NEGATIONS | _Kind.ABSENCES:
                self.negated, self.missed, self.until = not self.negated, entry.value, end + self.reach
            case _Kind.MORE | _Kind.LESS:
                self.degree, self.until = entry.value, end + self.reach
            case _Kind.BUT:
                self.values = [value * BEFORE_BUT for value in self.values]
                self.weight = AFTER_BUT
            case _Kind.THOUGH:
                self.aside = AFTER_THOUGH
            case _Kind.SUMS_UP:
                self.weight = SUMMED_UP

    def end_clause(self) -> None:
        self._let_go()
        self.aside = 1.0

    def _add(self, value: float) -> None:
        turned = value * TURNED if self.negated else value * self.degree
        self.values.append(turned * self.weight * self.aside)
        self.missed = 0.0
        self._let_go()

    def _let_go(self) -> None:
        if self.missed:
            self.values.append(self.missed)
        self.negated, self.missed, self.degree, self.until = False, 0.0, 1.0, 0


def _values(text: str, lists: "_Lists") -> list[float]:
    plain = _FROWNS.sub(" 🙁 ", _SMILES.sub(" 🙂 ", text))
    return [value for sentence in _SENTENCES.split(plain) for value in _of_sentence(sentence, lists)]


def _of_sentence(text: str, lists: "_Lists") -> list[float]:
    sentence = _Sentence(lists.reach)
    for clause in _CLAUSES.split(text):
        for start, end, entry in lists.lexicon.found(clause):
            sentence.take(start, end, entry)
        sentence.end_clause()
    return sentence.values


# The lists -----------------------------------------------------------------------------------------------------------


class Lexicon(Generic[Value]):
    """Entries to find in a text, the longest that fits first.

    A text is read unit by unit: a word, or a character where the language writes no blanks.
    """

    def __init__(self, code: str, entries: Mapping[str, Value]) -> None:
        self._characters = code == "zh"
        self._entries = entries
        lengths: dict[str, set[int]] = {}
        for units in map(self._units, entries):
            lengths.setdefault(units[0], set()).add(len(units))
        # A unit -> how many units the entries have that begin with it.
        self._lengths = {unit: sorted(found, reverse=True) for unit, found in lengths.items()}

    def found(self, text: str) -> Iterator[tuple[int, int, Value]]:
        """Every entry in order, with the places of its first unit and of the one after its last."""
        units, place = self._units(text), 0
        while place < len(units):
            end = place + 1
            for length in self._lengths.get(units[place], ()):
                part = units[place : place + length]
                entry = self._entries.get(part if isinstance(part, str) else " ".join(part))
                if entry is not None:
                    end = place + length
                    yield place, end, entry
                    break
            place = end

    def _units(self, text: str) -> str | list[str]:
        if not self._characters:
            return _WORD.findall(text.lower().replace("’", "'"))
        simplified = text if _simplified().keys().isdisjoint(map(ord, text)) else text.translate(_simplified())
        return simplified.lower().replace(" ", "")


@dataclass(frozen=True, slots=True)
class _Lists:
    """What is known of one language; `name` is how `by` gives it."""

    name: str
    lexicon: Lexicon[_Entry]
    reach: int


@lru_cache
def _lists(code: str) -> _Lists:
    lists = toml(f"polarity.{code}.toml")
    entries = dict(_entries(toml("polarity.signs.toml"))) | dict(_entries(lists))
    return _Lists(f"words/{code}@{lists['version']}", Lexicon(code, entries), lists["reach"])


def _entries(lists: Mapping[str, Any]) -> Iterator[tuple[str, _Entry]]:
    worth = {_Kind.MORE: MORE, _Kind.LESS: LESS, _Kind.ABSENCES: MISSED}
    does = {kind.name.lower(): _Entry(kind, worth.get(kind, 0.0)) for kind in _Kind}
    does |= {name: _Entry(_Kind.VALUE, value) for name, value in VALUES.items()}
    for name, entry in does.items():
        for spelling in spellings(lists.get(name, ""), lists.get("endings", "")):
            yield spelling, entry


def spellings(entries: str, endings: str = "") -> Iterator[str]:
    """What a list stands for: `love|s|d` for three words, `gut~` for one with each of the endings, "_" for a blank."""
    for entry in entries.split():
        stem, *suffixes = entry.removesuffix("~").replace("_", " ").split("|")
        for suffix in itertools.chain([""], suffixes, endings.split() if entry.endswith("~") else []):
            yield stem + suffix


@lru_cache
def _simplified() -> dict[int, int]:
    """Traditional characters -> the simplified ones of the lists."""
    lists = toml("polarity.zh.toml")
    return str.maketrans(lists["traditional"], lists["simplified"])


@lru_cache
def toml(name: str) -> Mapping[str, Any]:
    """A list file of this package."""
    lists: dict[str, Any] = tomllib.loads((Path(__file__).parent / name).read_text(encoding="utf-8"))
    return lists
