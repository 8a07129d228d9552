"""Which of several texts for one product is the best. Pure: the guards have judged them, the model is not asked."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby

from copydesk.guards.draft import Draft, sheet
from copydesk.guards.explain import coverage
from copydesk.model import Facts, Reason, Verdict
from copydesk.settings import Rules, Sampling

SHOPS_OWN = ("words", "shape.length", "shape.html", "facts.coverage", "channel.")
"""How the codes begin that speak of a rule of the shop's own: a remark on one of them weighs more than on others."""

RUN, RUN_ZH = 3, 5
"""Words, or Chinese characters, in a row that two texts have in common when they sound alike."""

OPENING, OPENING_ZH = 4, 6
"""Of a text's first words, or characters, the product's own counted as one."""

USUAL, USUAL_ZH = range(4, 31), range(8, 81)
"""Words, or Chinese characters, of a sentence that reads well."""

_OWN = ""
"""Stands for any words of the product's facts: "the _ from _ has" is how a text begins."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """One text, what stands against it, and how it was asked for; `is_stub` where a single sentence is left of it."""

    text: str
    reasons: tuple[Reason, ...]
    sampling: Sampling
    prompt: str = ""
    is_stub: bool = False

    @property
    def passed(self) -> bool:
        return bool(self.text) and Verdict(self.reasons).passed


@dataclass(slots=True)
class Neighbours:
    """How the texts that were taken so far begin and run, each product's own words left out."""

    openings: set[tuple[str, ...]] = field(default_factory=set)
    runs: set[tuple[str, ...]] = field(default_factory=set)

    def take(self, text: str, facts: Facts) -> None:
        """The text is used: those after it should be different."""
        opening, runs = _sound(text, facts)
        self.openings.add(opening)
        self.runs |= runs

    def likeness(self, text: str, facts: Facts) -> float:
        """0 for a text that has nothing in common with them, 1 for one that begins and runs as they do."""
        opening, runs = _sound(text, facts)
        return (len(runs & self.runs) / max(len(runs), 1) + (opening in self.openings)) / 2


def best(candidates: Sequence[Candidate], facts: Facts, neighbours: Neighbours) -> Candidate:
    """The text that breaks the fewest rules, then the one that is worth most; of equals the first.

    A text beats none. Then count, in this order: reasons that refuse, whether a single sentence is left of it, remarks,
    remarks on the shop's own rules, facts that it says, likeness to its neighbours, fluency. The last three are looked
    at only where the others leave a draw.
    """
    fewest = min(map(_faults, candidates))
    left = [candidate for candidate in candidates if _faults(candidate) == fewest]
    return left[0] if len(left) == 1 else min(left, key=lambda one: _worth(one.text, facts, neighbours))


def _faults(candidate: Candidate) -> tuple[bool, int, bool, int, int]:
    remarks = [reason for reason in candidate.reasons if reason.warns]
    own = sum(reason.code.startswith(SHOPS_OWN) for reason in remarks)
    return not candidate.text, len(candidate.reasons) - len(remarks), candidate.is_stub, len(remarks), own


def _worth(text: str, facts: Facts, neighbours: Neighbours) -> tuple[float, float, float]:
    """Less is better. Rounded, so that a hair's breadth in one does not silence the next."""
    return -round(coverage(text, facts), 2), round(neighbours.likeness(text, facts), 1), -fluency(text, facts)


def fluency(text: str, facts: Facts) -> float:
    """The share of sentences of a usual length, times the share of words that are not said again: 0 to 1."""
    draft = Draft(text, facts, Rules())
    if not draft.words:
        return 0.0
    usual = USUAL_ZH if draft.chinese else USUAL
    well_made = sum(len(words) in usual for words in draft.sentence_words) / len(draft.sentence_words)
    return well_made * len(draft.vocabulary) / len(draft.words)


def _sound(text: str, facts: Facts) -> tuple[tuple[str, ...], set[tuple[str, ...]]]:
    """How a text begins, and its runs of words."""
    draft = Draft(text, facts, Rules())
    words = list(_without_own(draft.words, sheet(facts).words))
    length, opening = (RUN_ZH, OPENING_ZH) if draft.chinese else (RUN, OPENING)
    runs = zip(*(words[start:] for start in range(length)), strict=False)
    return tuple(words[:opening]), set(runs)


def _without_own(words: Sequence[str], own: Collection[str]) -> Iterator[str]:
    for is_own, some in groupby(words, own.__contains__):
        yield from [_OWN] if is_own else some
