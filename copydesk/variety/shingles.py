"""What two texts are compared by: the sets of their short runs of words."""

import re

WORDS, CHARACTERS = 3, 5
"""Length of a run: words, or Chinese characters."""

FEWEST = 5
"""Runs that a text needs; one with fewer is compared as a whole: of so few, a single word changes most."""

_TOKENS = re.compile(r"[\u3400-\u9fff]|[^\W_\u3400-\u9fff]+")


def shingles(text: str) -> frozenset[str]:
    """The runs of a text, without case, blanks and marks; a short text is one run, and one that is blank none.

    >>> sorted(shingles("One two three, four FIVE six seven."))
    ['five six seven', 'four five six', 'one two three', 'three four five', 'two three four']
    >>> shingles("A red\\nMug!")
    frozenset({'a red mug'})
    """
    said = text.casefold()
    tokens = _TOKENS.findall(said) or said.split()
    is_chinese = sum("\u3400" <= token <= "\u9fff" for token in tokens) * 2 > len(tokens)
    size = CHARACTERS if is_chinese else WORDS
    if len(tokens) < size + FEWEST - 1:
        return frozenset([" ".join(tokens)] if tokens else [])
    return frozenset(map(" ".join, zip(*(tokens[start:] for start in range(size)), strict=False)))


def likeness(one: frozenset[str], other: frozenset[str]) -> float:
    """The share of their runs that two texts have in common, 0 to 1 (Jaccard); 0 where one has none."""
    shared = len(one & other)
    return shared / (len(one) + len(other) - shared) if shared else 0.0
