"""What a review says of single topics, by the words of topics.toml, each with the sentence that says it."""

import re
from collections.abc import Iterator
from functools import lru_cache

from copydesk.model import Opinion, Polarity
from copydesk.triage.sentiment import Lexicon, code_of, sentiment, spellings, toml

QUOTED_CHARACTERS = 300

_SENTENCE = re.compile(r"\n+|(?<=[.!?;])\s+|(?<=[。！？；!?])(?=[\u3400-\u9fff])")
_PART = re.compile(r"[,，、;；:：()（）]|\s[-–—]\s|——")
_CONTRAST = {
    "en": re.compile(r"\b(?=(?:but|however|although|though|except|yet)\b)", re.IGNORECASE),
    "zh": re.compile(r"(?=但是|但(?!是|愿)|不过(?!如此)|可是|然而|只是|就是)"),
    "de": re.compile(r"\b(?=(?:aber|jedoch|allerdings|obwohl|dennoch|nur leider)\b)", re.IGNORECASE),
}


def opinions(text: str, language: str) -> tuple[Opinion, ...]:
    """What a masked text says of each topic: one opinion for a topic and polarity, the first that is met.

    A sentence is taken apart where it turns ("but"); its piece stands in the opinion as it was written, of at most
    QUOTED_CHARACTERS characters. Of a language without lists nothing is known.
    """
    code = code_of(language)
    found: dict[tuple[str, Polarity], Opinion] = {}
    for piece in _pieces(text, code) if code else ():
        for topics, words in _subjects(piece, code):
            polarity = sentiment(words, code).polarity
            for topic in topics if polarity is not Polarity.NEUTRAL else ():
                found.setdefault((topic, polarity), Opinion(topic, polarity, _quoted(piece)))
    return tuple(found.values())


def _pieces(text: str, code: str) -> Iterator[str]:
    for sentence in _SENTENCE.split(text):
        for piece in _CONTRAST[code].split(sentence):
            if trimmed := piece.strip(" \t\r,，、;；:："):
                yield trimmed


def _subjects(piece: str, code: str) -> Iterator[tuple[list[str], str]]:
    """The topics of a piece, in the order of its commas, with the words that speak of them.

    "The battery, I am sorry to say, is dead, the sound is fine": what names no topic goes with the one before, or with
    the first.
    """
    topics: list[str] = []
    words = ""
    for part in _PART.split(piece):
        named = list(dict.fromkeys(topic for _, _, topic in _lexicon(code).found(part)))
        if topics and named:
            yield topics, words
            words = ""
        topics, words = named or topics, f"{words}, {part}"
    if topics:
        yield topics, words


@lru_cache
def _lexicon(code: str) -> Lexicon[str]:
    lists = dict(toml("topics.toml"))
    endings = lists.pop("endings") if code == "de" else ""
    topics = {name: one for name, one in lists.items() if isinstance(one, dict)}
    return Lexicon(code, {word: name for name, one in topics.items() for word in spellings(one[code], endings)})


def _quoted(piece: str) -> str:
    """Cut at the end of a word, where the language has blanks."""
    if len(piece) <= QUOTED_CHARACTERS:
        return piece
    head = piece[: QUOTED_CHARACTERS + 1]
    cut = head.rsplit(maxsplit=1)[0] if " " in head else head
    return cut[:QUOTED_CHARACTERS].rstrip()
