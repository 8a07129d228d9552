"""The language of each sentence: one foreign sentence hides behind a test of the whole text."""

import re
from collections.abc import Iterator

from copydesk.guards.draft import Draft, has_cjk, words_of
from copydesk.guards.wordlists import word_set
from copydesk.model import Reason

# Everything that is a letter to no reader of English: Cyrillic, Greek, Arabic, Hebrew, Indic, Thai, kana, Han, Hangul.
_OTHER_SCRIPT = re.compile(r"[\u0370-\u1fff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]+")
_LATIN = re.compile(r"[a-zß-ÿ]")
_ENGLISH = word_set("english")
_FOREIGN = word_set("foreign")
FOREIGN_NAME = 4
"""Words: a Chinese sentence may hold that many Latin ones that the facts do not."""


def language(draft: Draft) -> Iterator[Reason]:
    """Every sentence is in the draft's language; names that the facts hold may stand in any."""
    check = _not_chinese if draft.chinese else _not_english if draft.facts.language.startswith("en") else None
    for sentence, said in zip(draft.sentences, draft.sentence_words, strict=True):
        if check and check(draft, sentence, said):
            yield Reason("language", f"a sentence is not in the product's language ({draft.facts.language})", sentence)
            return


def _not_english(draft: Draft, sentence: str, said: list[str]) -> bool:
    if not sentence.isascii():
        known = draft.sheet.words
        if not all(known.issuperset(words_of(run) or [run]) for run in _OTHER_SCRIPT.findall(sentence)):
            return True
    return len(said) >= 6 and _ENGLISH.isdisjoint(said) and sum(word in _FOREIGN for word in said) >= 2


def _not_chinese(draft: Draft, sentence: str, said: list[str]) -> bool:
    known = draft.sheet.words
    foreign = [word for word in said if word not in known and _LATIN.match(word)]
    return len(foreign) > FOREIGN_NAME or (bool(foreign) and not has_cjk(sentence))
