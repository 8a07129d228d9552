"""How alike many texts sound: how they begin, and which words stand in many of them. Counted with bounded memory."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

OTHERS, CHINESE = (3, 4), (4, 6)
"""Words, in Chinese characters, of an opening and of a phrase. The name in an opening comes on top."""

KEPT = 200_000
"""Different openings, or phrases, that are counted at a time: some 30 MB."""

NAME = "…"
"""Stands for the name of what a text is about: "The … from Ridgeway" is how all texts of a shop may begin."""

FEWEST = 3
"""Texts that share a phrase before it is worth telling."""

LOOKED_AT = 1000
"""Phrases among which those that do not overlap are looked for."""

_WORDS = re.compile(r"\0|[\u3400-\u9fff]|[^\W_\u3400-\u9fff]+(?:['’][^\W_\u3400-\u9fff]+)*")
_HAN = re.compile(r"[\u3400-\u9fff]")


@dataclass(frozen=True, slots=True)
class Shared:
    """Words, in small letters, that several texts begin with or hold, and how many texts that are.

    What the texts are about is NAME in them.
    """

    words: str
    texts: int


@dataclass(frozen=True, slots=True)
class Variety:
    """How alike `texts` texts are.

    Args:
        alike: texts that begin as some other one does.
        openings: the beginnings that more than one text has, the most frequent first.
        phrases: what at least FEWEST texts hold, the most frequent first, without those that overlap one before.
        marks: what was given as marked in at least two texts, the most frequent first.
        is_exact: False where there was more than could be counted: the numbers are then the least there are.
    """

    texts: int
    alike: int
    openings: Sequence[Shared]
    phrases: Sequence[Shared]
    marks: Sequence[Shared]
    is_exact: bool


class Commonest:
    """Counts the most frequent of any number of values, `kept` at a time (Misra and Gries).

    A count is too low by at most `missed`, which stays 0 until more than `kept` different values came.
    """

    def __init__(self, kept: int = KEPT) -> None:
        self._kept = kept
        self.counts: Counter[str] = Counter()
        self.missed = 0

    def add(self, values: Iterable[str]) -> None:
        self.counts.update(values)
        if len(self.counts) > self._kept:
            self._forget_the_rarer_half()

    def _forget_the_rarer_half(self) -> None:
        middle = sorted(self.counts.values())[len(self.counts) // 2]
        self.counts = Counter({value: count - middle for value, count in self.counts.items() if count > middle})
        self.missed += middle

    def shared(self, fewest: int) -> list[tuple[str, int]]:
        """Values that came at least so often, the most frequent first."""
        found = [(value, count) for value, count in self.counts.items() if count >= fewest]
        return sorted(found, key=lambda one: (-one[1], one[0]))


class Ear:
    """Listens to one text after the other; `variety` says how alike they were."""

    def __init__(self, kept: int = KEPT) -> None:
        self._texts = 0
        self._openings = Commonest(kept)
        self._phrases = Commonest(kept)
        self._marks = Commonest(kept)

    def hear(self, text: str, name: str = "", marks: Iterable[str] = ()) -> None:
        """One text, about something of this name, with words in it that somebody marked."""
        said = text.lower()
        is_chinese = len(_HAN.findall(said)) * 2 > len(said.split())
        words = _WORDS.findall(said.replace(name.lower(), "\0") if name else said)
        if not words:
            return
        self._texts += 1
        joint, opening, phrase = ("", *CHINESE) if is_chinese else (" ", *OTHERS)
        named = "\0" in words[:opening]
        self._openings.add([joint.join(words[: opening + named])])
        runs = zip(*(words[start:] for start in range(phrase)), strict=False)
        self._marks.add({mark.lower() for mark in marks if mark})
        self._phrases.add({joint.join(run) for run in runs if "\0" not in run})

    def variety(self, shown: int) -> Variety:
        """How alike the texts were so far; the `shown` most frequent openings and phrases."""
        openings = self._openings.shared(2)
        return Variety(
            self._texts,
            sum(count for _, count in openings),
            [Shared(words.replace("\0", NAME), texts) for words, texts in openings[:shown]],
            _apart(self._phrases.shared(FEWEST)[:LOOKED_AT], shown),
            [Shared(*one) for one in self._marks.shared(2)[:shown]],
            not any(one.missed for one in (self._openings, self._phrases, self._marks)),
        )


def _apart(phrases: Iterable[tuple[str, int]], shown: int) -> list[Shared]:
    """The most frequent phrases, without those that overlap one before."""
    chosen: list[Shared] = []
    for words, texts in phrases:
        if len(chosen) == shown:
            break
        if not any(_overlap(words, one.words) for one in chosen):
            chosen.append(Shared(words, texts))
    return chosen


def _overlap(one: str, other: str) -> bool:
    """ "is perfect for any" and "perfect for any occasion" do: they share more than half of their words in a row."""
    first, second = _units(one), _units(other)
    size = len(first) // 2 + 1
    runs = {tuple(first[start : start + size]) for start in range(len(first) - size + 1)}
    return any(tuple(second[start : start + size]) in runs for start in range(len(second) - size + 1))


def _units(phrase: str) -> list[str]:
    return phrase.split(" ") if " " in phrase else list(phrase)
