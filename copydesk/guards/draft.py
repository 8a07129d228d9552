"""What every rule looks at: the text, cut once into words and sentences, and what may be said."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache

from copydesk.model import Facts, is_chinese
from copydesk.settings import Rules

_SENTENCE_END = re.compile(r"[.!?…。！？；\n][\"”’)\]）」]*\s*")
_WORDS = re.compile(r"\d+(?:[.,/]\d+)*[a-z]*|[a-zà-öø-ÿ][a-z0-9à-öø-ÿ]*(?:'[a-z]+)?|[\u3400-\u9fff]")
_CJK = re.compile(r"[\u3400-\u9fff]")
BULLET = r"(?:[-–—*•·●▪]|\d{1,2}[.)](?=\s)|\d{1,2}、)"
"""The mark at the beginning of a line of a list. "1.5 l" begins with a number, and no mark."""
_BULLET = re.compile(rf"\s*{BULLET}\s*")


STEM = 6
"""Letters that "resistant" shares with "resistance"."""


def words_of(text: str) -> list[str]:
    """The text's words, casefolded; each Chinese character is a word."""
    return _WORDS.findall(text.casefold().replace("’", "'"))


def _sentences(text: str) -> Iterator[str]:
    start = 0
    for end in _SENTENCE_END.finditer(text):
        mark = end.group()
        # A full stop inside "2.5 l" or "No.5" ends nothing: Latin marks need white space after them.
        if mark[0] in ".!?…" and not mark[-1].isspace():
            continue
        if sentence := text[start : end.end()].strip():
            yield sentence
        start = end.end()
    if sentence := text[start:].strip():
        yield sentence


def beginnings(text: str) -> Iterator[str]:
    """The text without its last sentence, without its last two, and so on to its first sentence alone.

    >>> list(beginnings("It is red. It holds 2.5 l. And"))
    ['It is red. It holds 2.5 l.', 'It is red.']
    """
    ends, end = [], 0
    for sentence in _sentences(text):
        end = text.index(sentence, end) + len(sentence)
        ends.append(end)
    yield from (text[:end] for end in reversed(ends[:-1]))


class Sheet:
    """What may be said of one product, made ready once for all drafts of it."""

    def __init__(self, facts: Facts) -> None:
        self.facts = facts

    @cached_property
    def text(self) -> str:
        """All names and values, one fact to a line."""
        return "\n".join(f"{name}: {value}" for name, value in self.facts.lines())

    @cached_property
    def values(self) -> str:
        """The values alone: what a text may quote as it stands."""
        return "\n".join(value for _, value in self.facts.lines())

    @cached_property
    def words(self) -> frozenset[str]:
        """Every word of the facts, and each plural's or singular's other form."""
        words = set(words_of(self.text))
        return frozenset(words | {word + "s" for word in words} | {word[:-1] for word in words if word.endswith("s")})

    @cached_property
    def stems(self) -> frozenset[str]:
        """The beginning of every longer word of the facts."""
        return frozenset(word[:STEM] for word in self.words if len(word) > STEM)

    @cached_property
    def line(self) -> str:
        """The words in their order, each between blanks, to look phrases up in."""
        return f" {' '.join(words_of(self.text))} "


# A sheet is compared by identity: rules that cache by sheet do not hash the facts again, which cost 10 us each time.
sheet = lru_cache(maxsize=4096)(Sheet)


@dataclass(frozen=True)
class Draft:
    """One text before the guards. `finished` is False when the model was cut at its token limit."""

    text: str
    facts: Facts
    rules: Rules
    finished: bool = True
    echoes: tuple[str, ...] = ()
    voice: str = ""

    @cached_property
    def sheet(self) -> Sheet:
        return sheet(self.facts)

    @cached_property
    def sentences(self) -> list[str]:
        return list(_sentences(self.text))

    @cached_property
    def sentence_words(self) -> list[list[str]]:
        """The words of each sentence."""
        return [words_of(sentence) for sentence in self.sentences]

    @cached_property
    def words(self) -> list[str]:
        return [word for words in self.sentence_words for word in words]

    @cached_property
    def vocabulary(self) -> frozenset[str]:
        """The words, each once: most rules look here first whether their pattern can match at all."""
        return frozenset(self.words)

    @cached_property
    def line(self) -> str:
        """The words in their order, each between blanks, to look phrases up in."""
        return f" {' '.join(self.words)} "

    @property
    def is_list(self) -> bool:
        """Whether the rules ask for bullets."""
        return self.rules.min_bullets is not None or self.rules.max_bullets is not None

    @cached_property
    def bullets(self) -> list[tuple[str, str]]:
        """(mark, text) of every line that holds anything; "" for no mark."""
        lines = [line.strip() for line in self.text.splitlines() if line.strip()]
        marked = [(line, _BULLET.match(line)) for line in lines]
        return [(found.group().strip(), line[found.end() :]) if found else ("", line) for line, found in marked]

    @cached_property
    def body(self) -> str:
        """The text, of a list without its marks: "1." is no number that anybody says."""
        return "\n".join(text for _, text in self.bullets) if self.is_list else self.text

    @cached_property
    def chinese(self) -> bool:
        return is_chinese(self.facts.language)

    @cached_property
    def size(self) -> int:
        """Words, or in Chinese characters with digits and Latin letters counted too."""
        return sum(map(len, self.words)) if self.chinese else len(self.words)


def has_cjk(text: str) -> bool:
    """Whether there is a Chinese character in it."""
    return _CJK.search(text) is not None
