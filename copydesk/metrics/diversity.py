"""How different texts are from each other, as a whole."""

import math
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

ORDER = 4
"""Self-BLEU looks at runs of one word up to so many."""

EPSILON = 0.1
"""Counted for an order of which nothing matches (Chen and Cherry 2014, method 1, as Texygen does)."""

Gram = tuple[str, ...]


def distinct(texts: Iterable[Sequence[str]], n: int) -> float | None:
    """Different runs of n words by all of them, over all texts together: 1.0 where no run comes twice.

    Li et al. 2016, "A Diversity-Promoting Objective Function for Neural Conversation Models". It falls as texts are
    added, so only like numbers of texts compare. None where there is no run of n words.

    Args:
        texts: each as its words.
        n: words in a run, 1 or more.
    """
    different: set[Gram] = set()
    total = 0
    for text in texts:
        runs = list(grams(text, n))
        different.update(runs)
        total += len(runs)
    return len(different) / total if total else None


def self_bleu(texts: Sequence[Sequence[str]]) -> float | None:
    """The mean BLEU-4 of each text against all the others as references: 1.0 where all are the same.

    Zhu et al. 2018, "Texygen", with BLEU of Papineni et al. 2002. It rises as texts are added, so only like numbers of
    texts compare. The cost is linear in the words: of each run only the two texts that have it most often matter. A
    text of fewer than four words is compared by the runs it has.

    Args:
        texts: each as its words; None comes of fewer than two that have any.
    """
    texts = [text for text in texts if text]
    if len(texts) < 2:
        return None
    counts = [[Counter(grams(text, n)) for n in range(1, ORDER + 1)] for text in texts]
    most = [_Most([of_text[n] for of_text in counts]) for n in range(ORDER)]
    lengths = sorted(map(len, texts))
    return math.fsum(
        _bleu(place, counts[place], most, _closest(lengths, len(text))) for place, text in enumerate(texts)
    ) / len(texts)


def grams(text: Sequence[str], n: int) -> Iterator[Gram]:
    """Every run of n words in a row."""
    return zip(*(text[start:] for start in range(n)), strict=False)


class _Most:
    """Of every run how often the text has it that has it most, which one that is, and the most of any other."""

    def __init__(self, counts: Sequence[Counter[Gram]]) -> None:
        self._found: dict[Gram, tuple[int, int, int]] = {}
        for place, of_text in enumerate(counts):
            for gram, count in of_text.items():
                most, owner, next_most = self._found.get(gram, (0, -1, 0))
                better = count > most
                self._found[gram] = (count, place, most) if better else (most, owner, max(next_most, count))

    def of_others(self, gram: Gram, place: int) -> int:
        most, owner, next_most = self._found[gram]
        return next_most if owner == place else most


def _bleu(place: int, counts: Sequence[Counter[Gram]], most: Sequence[_Most], reference: int) -> float:
    length = counts[0].total()
    logs: list[float] = []
    for of_order, known in zip(counts, most, strict=True):
        if not of_order:
            break
        matches = sum(min(count, known.of_others(gram, place)) for gram, count in of_order.items())
        if not matches and not logs:
            return 0.0  # not a word in common
        logs.append(math.log((matches or EPSILON) / of_order.total()))
    brevity = min(0.0, 1 - reference / length)
    return math.exp(brevity + sum(logs) / len(logs))


def _closest(lengths: Sequence[int], length: int) -> int:
    """Of all lengths but the text's own the closest; of two as close the shorter."""
    here = bisect_left(lengths, length)
    around = [*lengths[max(0, here - 1) : here], *lengths[here + 1 : here + 2]]
    return min(around, key=lambda one: (abs(one - length), one))
