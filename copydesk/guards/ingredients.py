"""facts.claims: an ingredient, flavour or scent named beside those of the facts, which the facts do not hold."""

import re
from collections.abc import Iterator
from functools import lru_cache

from copydesk.guards.draft import Draft, Sheet, words_of
from copydesk.guards.wordlists import entries
from copydesk.model import Reason

_NAMED = re.compile(r"ingredient|flavou?r|scent|notes?\b|vitamin|成分|配料|口味|香|原料", re.IGNORECASE)
_PARTS = re.compile(r"[,，、;；]")
_CONTAINS = re.compile(r"\b(?:contain(?:s|ing)?|ingredients?|nothing but)\b|只有|加[了入]|配料|含|用", re.IGNORECASE)
_NOT = r"(?:\b(?:no|not|never|without)|n['’]t)(?: [\w'’]+){0,3} |(?:不|没有?|无)[^，。]{0,4}"
_NAMES: dict[str, str] = {
    spelling: entry.split(" | ")[0] for entry in entries("ingredients") for spelling in entry.split(" | ")
}
_LATIN = frozenset(name for name in _NAMES if name.isascii() and " " not in name)
_PHRASES = tuple((f" {name} ", name) for name in _NAMES if " " in name)
_CHINESE = re.compile("|".join(sorted((name for name in _NAMES if not name.isascii()), key=len, reverse=True)))


def ingredients(draft: Draft) -> Iterator[Reason]:
    """A sentence that names one of the product's ingredients names no other one.

    Elsewhere food is only spoken of: "with bread and tomatoes".
    """
    listed = listed_ingredients(draft.sheet)
    if not listed:
        return
    known = known_ingredients(draft.sheet)
    for sentence, words in zip(draft.sentences, draft.sentence_words, strict=True):
        new = [name for name in _said(sentence, words) if _NAMES[name] not in known]
        if new and (listed.search(sentence) or _CONTAINS.search(sentence)):
            for name in new:
                if not draft.sheet.words.issuperset(words_of(name)) and not _is_denied(name, sentence):
                    yield Reason("facts.claims", f'names "{name}", which is not among the ingredients', name)


def _is_denied(name: str, sentence: str) -> bool:
    """ "It does not smell of lemon, for once"."""
    return re.search(f"(?:{_NOT}){name}", sentence, re.IGNORECASE) is not None


@lru_cache(maxsize=4096)
def listed_ingredients(sheet: Sheet) -> re.Pattern[str] | None:
    """Finds any of the facts' ingredients, flavours or scents; None where they have none."""
    values = [value for name, value in sheet.facts.attributes if _NAMED.search(name)]
    parts = [part.strip() for value in values for part in _PARTS.split(value) if part.strip()]
    return re.compile("|".join(map(re.escape, parts)), re.IGNORECASE) if parts else None


@lru_cache(maxsize=4096)
def known_ingredients(sheet: Sheet) -> frozenset[str]:
    """What the facts name anywhere."""
    return frozenset(_NAMES[name] for name in _said(sheet.values, words_of(sheet.values)))


def _said(text: str, words: list[str]) -> Iterator[str]:
    yield from (word for word in words if word in _LATIN)
    line = f" {' '.join(words)} "
    yield from (name for phrase, name in _PHRASES if phrase in line)
    if not text.isascii():
        yield from _CHINESE.findall(text)
