"""Phrases of the word lists: how they are written, and how they are found quickly in a text of any length.

A phrase is words parted by blanks. In a word, `|` parts spellings, `*` stands for any letters at its beginning or end,
`_` for a blank, and `@name` for a group of the list (where there is none, for the name). Between words, `.` allows one
word, `..` three, `...` eight (Chinese: three, eight and sixteen characters), within one sentence. A phrase with a
Chinese character is looked for as it is, without regard to blanks.

>>> phrases = Phrases({"safety": ["caught|catch* fire", "burn* .. @body", "@body .. verbrüht"]}, {"body": "hand*|toe*"})
>>> phrases.found(plain("It CAUGHT  fire and burned my left hand."))
[('safety', 'caught fire'), ('safety', 'burned my left hand')]
"""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise

_CJK = "\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff"
_HAS_CJK = re.compile(f"[{_CJK}]")
_INVISIBLE = dict.fromkeys(
    (
        0xAD, 0x34F, 0x61C, 0x180E, 0xFEFF,
        *range(0x200B, 0x2010), *range(0x202A, 0x202F), *range(0x2060, 0x2070), *range(0xFE00, 0xFE10),
    )
) | dict.fromkeys(map(ord, "’‘`´"), "'")  # fmt: skip
_SPACED_LINE = re.compile(r" (?:[^\W\d_] (?:\. )?){4}")
_SPACED_LETTERS = re.compile(r"(?<![^\W\d_])(?:[^\W\d_][ .*_\-])+[^\W\d_](?![^\W\d_])")
_BETWEEN_LETTERS = re.compile(r"[ .*_\-]")
_WORD = re.compile(rf"[^\W_{_CJK}]+|[.!?;\n。…]")
_ASCII_WORD = re.compile(r"[a-z0-9]+|[.!?;\n]")
_STOP = ".!?;\n。…"
_BETWEEN_CJK = re.compile(rf"(?<=[{_CJK}])[\s*_\-·•~^+]+(?=[{_CJK}])")

SQUEEZED = 8
"""Letters: a word that long is found in "electro cuted" as well; shorter ones turn up where two others meet."""

_START = 4
"""Letters by which words with any ending are looked up."""

_GAPS = {".": 1, "..": 3, "...": 8}
_GAPS_ZH = {".": 3, "..": 8, "...": 16}


@dataclass(frozen=True, slots=True)
class Plain:
    """A text made ready for looking phrases up in.

    Attributes:
        line: its words in lower case between single blanks, sentences parted by a full stop that stands alone.
        words: each word once.
        compact: the text in lower case without blanks between Chinese characters; "" where it has none.
    """

    line: str
    words: frozenset[str]
    compact: str = ""


def plain(text: str, simplified: Mapping[int, int | str] | None = None) -> Plain:
    """The text in one spelling: full-width as half-width, lower case, nothing invisible, `s p a c e d` words closed.

    Args:
        text: any text.
        simplified: the simplified form of traditional Chinese characters, by code point.
    """
    text = unicodedata.normalize("NFKC", text).casefold()
    if not text.isascii():
        text = text.translate(_INVISIBLE)
    if "n't" in text:
        text = text.replace("n't", "nt")
    line = _line(text)
    if _SPACED_LINE.search(line):
        text = _SPACED_LETTERS.sub(lambda found: _BETWEEN_LETTERS.sub("", found.group()), text)
        line = _line(text)
    compact = ""
    if not text.isascii() and _HAS_CJK.search(text):
        compact = _BETWEEN_CJK.sub("", text.translate(simplified or {}))
    return Plain(line, frozenset(line.split()), compact)


def _line(text: str) -> str:
    words = (_ASCII_WORD if text.isascii() else _WORD).findall(text)
    return f" {' '.join(['.' if word in _STOP else word for word in words])} "


@dataclass(slots=True)
class _Index:
    """Which patterns can match at all, by what every match of theirs holds."""

    words: dict[str, list["_Phrase"]] = field(default_factory=lambda: defaultdict(list))
    starts: dict[str, list["_Phrase"]] = field(default_factory=lambda: defaultdict(list))
    anywhere: dict[str, list["_Phrase"]] = field(default_factory=lambda: defaultdict(list))
    squeezed: dict[str, list[tuple[str, "_Phrase"]]] = field(default_factory=lambda: defaultdict(list))
    chinese: dict[str, list[tuple[str, "_Phrase"]]] = field(default_factory=lambda: defaultdict(list))


@dataclass(frozen=True, slots=True)
class _Need:
    """What a text must hold for one word of a phrase to be in it: one of the words, or a word with such a start."""

    words: frozenset[str]
    starts: tuple[str, ...]

    def met(self, words: frozenset[str], by_start: Mapping[str, list[str]]) -> bool:
        """Whether a text of these words, and of these by their first letters, holds it."""
        return not self.words.isdisjoint(words) or any(
            word.startswith(start) for start in self.starts for word in by_start.get(start[:_START], ())
        )


@dataclass(frozen=True, slots=True, eq=False)
class _Phrase:
    name: str
    order: int
    pattern: re.Pattern[str]
    needs: tuple[_Need, ...] = ()


class Phrases:
    """Named lists of phrases, and the groups that they mention."""

    def __init__(
        self,
        lists: Mapping[str, Iterable[str]],
        groups: Mapping[str, str] | None = None,
        simplified: Mapping[int, int | str] | None = None,
    ) -> None:
        self._groups = groups or {}
        self._simplified = simplified or {}
        self._index = _Index()
        named = [(name, entry) for name, entries in lists.items() for entry in entries]
        for order, (name, entry) in enumerate(named):
            self._add(name, order, unicodedata.normalize("NFKC", entry).casefold().replace("n't", "nt"))
        self._word_set = frozenset(self._index.words)
        self._start_set = frozenset(self._index.starts)
        self._beginning_set = frozenset(self._index.chinese)

    def found(self, text: Plain) -> list[tuple[str, str]]:
        """(name, what the text says) of each phrase that it holds, in the order of the lists."""
        return [(phrase.name, span.strip()) for phrase, span in sorted(self._matches(text), key=lambda m: m[0].order)]

    def blanked(self, text: Plain) -> Plain:
        """The text without the phrases: their words become underscores, which are no word of any list."""
        line, compact = text.line, text.compact
        for phrase in {phrase for phrase, _ in self._matches(text)}:
            line = phrase.pattern.sub(_underscores, line)
            compact = phrase.pattern.sub(_underscores, compact)
        return Plain(line, frozenset(line.split()), compact)

    def _matches(self, text: Plain) -> Iterator[tuple[_Phrase, str]]:
        for phrase in self._candidates(text):
            found = phrase.pattern.search(text.line) or (text.compact and phrase.pattern.search(text.compact))
            if found:
                yield phrase, found.group()
        yield from self._squeezed(text.line)

    def _candidates(self, text: Plain) -> set[_Phrase]:
        index = self._index
        seen: set[_Phrase] = set()
        by_start: dict[str, list[str]] = defaultdict(list)
        for word in text.words:
            by_start[word[:_START]].append(word)
        for word in text.words & self._word_set:
            seen.update(index.words[word])
        for start in by_start.keys() & self._start_set:
            seen.update(index.starts[start])
        seen = {phrase for phrase in seen if all(need.met(text.words, by_start) for need in phrase.needs)}
        for part, phrases in index.anywhere.items():
            if part in text.line:
                seen.update(phrases)
        beginnings = {one + other for one, other in pairwise(text.compact)}.union(text.compact)
        for beginning in beginnings & self._beginning_set:
            seen.update(phrase for part, phrase in index.chinese[beginning] if part in text.compact)
        return seen

    def _squeezed(self, line: str) -> Iterator[tuple[_Phrase, str]]:
        words = line.split()
        pairs = {(one + other)[:SQUEEZED]: (one, other) for one, other in pairwise(words)}
        for start in pairs.keys() & self._index.squeezed.keys():
            one, other = pairs[start]
            for letters, phrase in self._index.squeezed[start]:
                if (one + other).startswith(letters) and not one.startswith(letters):
                    yield phrase, f"{one} {other}"

    def _add(self, name: str, order: int, entry: str) -> None:
        if _HAS_CJK.search(entry):
            self._add_chinese(name, order, entry.translate(self._simplified))
            return
        parts = [part if part in _GAPS else self._spellings(part) for part in entry.split()]
        words = [part for part in parts if not isinstance(part, str)]
        if not words:
            return
        phrase = _Phrase(name, order, re.compile(_latin(parts)), tuple(filter(None, map(_need, words))))
        anchor = min(words, key=lambda spellings: (len(spellings), -min(map(len, spellings))))
        for spelling in anchor:
            self._anchor(phrase, spelling)
        if len(parts) == 1:
            for letters in (spelling.strip("*") for spelling in anchor):
                if len(letters) >= SQUEEZED:
                    self._index.squeezed[letters[:SQUEEZED]].append((letters, phrase))

    def _anchor(self, phrase: _Phrase, spelling: str) -> None:
        spelling = _longest(spelling)
        letters = spelling.strip("*")
        if spelling.startswith("*") or (spelling.endswith("*") and len(letters) < _START):
            self._index.anywhere[letters].append(phrase)
        elif spelling.endswith("*"):
            self._index.starts[letters[:_START]].append(phrase)
        else:
            self._index.words[letters].append(phrase)

    def _add_chinese(self, name: str, order: int, entry: str) -> None:
        parts = [part if part in _GAPS_ZH else self._spellings(part) for part in entry.split()]
        words = [part for part in parts if not isinstance(part, str)]
        phrase = _Phrase(name, order, re.compile("".join(map(_chinese, parts))))
        for spelling in min(words, key=lambda spellings: (min(map(len, spellings)) < 2, len(spellings))):
            self._index.chinese[spelling[:2]].append((spelling, phrase))

    def _spellings(self, part: str) -> list[str]:
        """Each spelling of a word, groups resolved, German umlauts also as ae and a."""
        spellings: list[str] = []
        for spelling in part.split("|"):
            if spelling.startswith("@"):
                spellings += self._spellings(self._groups.get(spelling[1:], spelling[1:]))
            elif spelling:
                spellings += _without_umlauts(spelling)
        return spellings


def _need(spellings: list[str]) -> _Need | None:
    """None where a spelling may stand inside of any word."""
    keys = [_longest(spelling) for spelling in spellings]
    if any(key.startswith("*") or (key.endswith("*") and len(key) <= _START) for key in keys):
        return None
    return _Need(
        frozenset(key for key in keys if not key.endswith("*")),
        tuple(key[:-1] for key in keys if key.endswith("*")),
    )


def _longest(spelling: str) -> str:
    return max(spelling.split("_"), key=len)


def _without_umlauts(spelling: str) -> list[str]:
    spelled_out = spelling.replace("ä", "ae").replace("ö", "oe").replace("ü", "ue")
    bare = spelling.replace("ä", "a").replace("ö", "o").replace("ü", "u")
    return list(dict.fromkeys((spelling, spelled_out, bare)))


def _latin(parts: list[list[str] | str]) -> str:
    """Words between blanks; a gap takes whole words with the blank behind each."""
    pattern = " "
    for place, part in enumerate(parts):
        if isinstance(part, str):
            pattern += rf"(?:[^ .]+ ){{0,{_GAPS[part]}}}"
        else:
            pattern += f"(?:{'|'.join(map(_spelling, part))})"
            pattern += " " if place < len(parts) - 1 else "(?= )"
    return pattern


def _spelling(spelling: str) -> str:
    return "[^ ]*".join(map(re.escape, spelling.split("*"))).replace("_", " ")


def _chinese(part: list[str] | str) -> str:
    if isinstance(part, str):
        return rf"[^.。!?;\n]{{0,{_GAPS_ZH[part]}}}?"
    return f"(?:{'|'.join(map(re.escape, sorted(part, key=len, reverse=True)))})"


def _underscores(found: re.Match[str]) -> str:
    return re.sub(r"[^ ]", "_", found.group())
