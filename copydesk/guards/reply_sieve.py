"""Whether a text holds any of very many expressions at all: what most good texts are asked, and nothing more."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator

_WORDS = re.compile(r"\b\w.?", re.DOTALL)
_LOOKAROUND = ("(?!", "(?=", "(?<")
_QUANTIFIER = re.compile(r"(?:[?*+]|\{\d+,?\d*\})\??")
_OPTIONAL = ("?", "*", "{0")
_PLAIN = re.compile(r"[\w '-]")
_SET = re.compile(r"\[((?:[^\]\\^-]|\\d)+)\]|\\d")
_DIGITS = "0123456789"


class Sieve:
    """One pattern for each two letters that an expression begins with, tried only where a text holds these two.

    30 us a reply, where the expressions in a dozen patterns, one after the other, took 300.
    """

    def __init__(self, spellings: Iterable[str]) -> None:
        begun: dict[str, list[str]] = defaultdict(list)
        for spelling in spellings:
            for start in beginnings(spelling):
                begun[start].append(spelling)
        self._patterns = {start: _any_of(_fitting(begun, start)) for start in begun}
        self._else = _any_of(begun.get("", []))

    def catches_word(self, text: str) -> bool:
        """Whether one of the expressions matches where a word of the text begins."""
        return self._catches(text, ((start.start(), start.group()) for start in _WORDS.finditer(text)))

    def catches(self, text: str) -> bool:
        """Whether one of the expressions matches anywhere."""
        return self._catches(text, ((place, text[place : place + 2]) for place in range(len(text))))

    def _catches(self, text: str, places: Iterable[tuple[int, str]]) -> bool:
        patterns, otherwise = self._patterns, self._else
        for place, two in places:
            pattern = patterns.get(two) or patterns.get(two[0]) or otherwise
            if pattern is not None and pattern.match(text, place):
                return True
        return False


def _any_of(spellings: Iterable[str]) -> re.Pattern[str] | None:
    joined = "|".join(dict.fromkeys(spellings))
    return re.compile(joined) if joined else None


def _fitting(begun: dict[str, list[str]], start: str) -> Iterator[str]:
    """What may match a text that begins so: what begins so itself, and what says less of its beginning."""
    for length in range(len(start) + 1):
        yield from begun.get(start[:length], [])


def beginnings(spelling: str) -> frozenset[str]:
    """How a text begins that matches: its first two letters, or one or none where that is all that is certain.

    >>> sorted(beginnings("(?:an? )?refund"))
    ['a ', 'an', 're']
    """
    found = set()
    for first, rest in (head for part in _alternatives(spelling) for head in _heads(part)):
        found |= {first + second for second, _ in _heads(rest)} if first else {""}
    return frozenset(found)


def _heads(spelling: str) -> Iterator[tuple[str, str]]:
    """Each way to begin: a character ("" where it can be several) and what is left of the expression."""
    if spelling.startswith("("):
        yield from _heads_of_group(spelling)
        return
    plain = _SET.match(spelling) or _PLAIN.match(spelling)
    if not plain:
        yield "", ""
        return
    after = spelling[plain.end() :]
    rest, optional = _after_quantifier(after)
    repeats = rest != after and after[0] != "?"
    for character in (plain[1] if plain.re is _SET and plain[1] else plain.group()).replace("\\d", _DIGITS):
        yield character, ("." if repeats else "") + rest
    if optional:
        yield from _heads(rest)


def _heads_of_group(spelling: str) -> Iterator[tuple[str, str]]:
    end = _closing(spelling)
    inside, rest = spelling[1:end], spelling[end + 1 :]
    if spelling.startswith(_LOOKAROUND):
        yield from _heads(rest)
        return
    after, optional = _after_quantifier(rest)
    for part in _alternatives(inside.removeprefix("?:")):
        yield from _heads(part + (after if after == rest else "." + after))
    if optional:
        yield from _heads(after)


def _after_quantifier(rest: str) -> tuple[str, bool]:
    """What follows the quantifier that this begins with, if it does, and whether that allows for nothing."""
    found = _QUANTIFIER.match(rest)
    return (rest[found.end() :], rest.startswith(_OPTIONAL)) if found else (rest, False)


def _closing(spelling: str) -> int:
    """Where the group that the expression begins with ends."""
    depth = 0
    for sign in re.finditer(r"\\.|[()]", spelling):
        depth += {"(": 1, ")": -1}.get(sign.group(), 0)
        if depth == 0 and sign.group() == ")":
            return sign.start()
    raise ValueError(f"a group is not closed: {spelling}")


def _alternatives(inside: str) -> Iterator[str]:
    depth = start = 0
    for sign in re.finditer(r"\\.|[()|]", inside):
        depth += {"(": 1, ")": -1}.get(sign.group(), 0)
        if sign.group() == "|" and depth == 0:
            yield inside[start : sign.start()]
            start = sign.end()
    yield inside[start:]
