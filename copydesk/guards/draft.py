"""What every rule looks at: the text, cut once into words and sentences, and what may be said."""

import re
from dataclasses import dataclass
from functools import cached_property, lru_cache

from copydesk.model import Facts
from copydesk.settings import Rules

# A full stop inside "2.5 l" or "No.5" ends nothing: Latin marks need white space after them, Chinese ones do not.
_SENTENCE_END = re.compile(r"(?<=[.!?…])[\"”’)\]]*\s+|(?<=[。！？；])[”’）」]*\s*|\n+")
_WORDS = re.compile(r"[a-z0-9à-öø-ÿ]+(?:'[a-z]+)?|[\u3400-\u9fff]")
_CJK = re.compile(r"[\u3400-\u9fff]")


def words_of(text: str) -> list[str]:
    """The text's words, casefolded; each Chinese character is a word."""
    return _WORDS.findall(text.casefold().replace("’", "'"))


def is_chinese(language: str) -> bool:
    """Whether a language code names Chinese, with or without a region or script."""
    return re.split("[-_]", language, maxsplit=1)[0].casefold() == "zh"


@lru_cache(maxsize=4096)
def facts_text(facts: Facts) -> str:
    """All names and values, one fact to a line."""
    return "\n".join(f"{name}: {value}" for name, value in facts.lines())


@lru_cache(maxsize=4096)
def facts_words(facts: Facts) -> frozenset[str]:
    """Every word of the facts, and each plural's or singular's other form."""
    words = set(words_of(facts_text(facts)))
    return frozenset(words | {word + "s" for word in words} | {word[:-1] for word in words if word.endswith("s")})


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
    def sentences(self) -> list[str]:
        return [part.strip() for part in _SENTENCE_END.split(self.text) if part.strip()]

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
    def chinese(self) -> bool:
        return is_chinese(self.facts.language)

    @cached_property
    def size(self) -> int:
        """Words, or in Chinese characters with digits and Latin letters counted too."""
        return sum(map(len, self.words)) if self.chinese else len(self.words)


def has_cjk(text: str) -> bool:
    """Whether there is a Chinese character in it."""
    return _CJK.search(text) is not None
