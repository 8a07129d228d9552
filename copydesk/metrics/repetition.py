"""How much a text repeats itself."""

from collections.abc import Sequence

from copydesk.metrics.diversity import grams

RUN = 4
"""Words, and Chinese characters."""


def repetition(text: Sequence[str], n: int = RUN) -> float:
    """The share of runs of n words that the text has said before: 0.0 where none comes twice, and in a shorter text.

    Welleck et al. 2020, "Neural Text Generation with Unlikelihood Training" (seq-rep-n).

    >>> repetition("a b c d a b c d".split())
    0.2
    """
    runs = list(grams(text, n))
    return (len(runs) - len(set(runs))) / len(runs) if runs else 0.0
