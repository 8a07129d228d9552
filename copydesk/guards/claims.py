"""facts.claims: materials, colours, certificates, promises and names that the facts do not hold."""

import re
from collections.abc import Iterator
from difflib import SequenceMatcher
from functools import lru_cache

from copydesk.guards.draft import BULLET, STEM, Draft, Sheet, words_of
from copydesk.guards.numbers import SIZES
from copydesk.guards.wordlists import entries, table, word_set
from copydesk.model import Facts, Reason


def _table(*lists: str) -> dict[str, str]:
    table: dict[str, str] = {}
    for entry in (entry for name in lists for entry in entries(name)):
        spellings = entry.split(" | ")
        table |= {_key(spelling): spellings[0] for spelling in spellings}
    return table


def _key(spelling: str) -> str:
    return " ".join(words_of(spelling)) if spelling.isascii() else spelling


CLAIMS = _table("materials", "colours", "promises")
"""Spelling, its words parted by one blank: the claim it makes."""

_COLOURS = frozenset(_table("colours"))
_IMPLIED = table("implied")
"""A general claim, and those that it follows from: what is of oak is of wood."""

_OPENERS: dict[str, int] = {}
"""First word of a spelling: how many words the longest one that begins with it has."""
for _key_words in (key.split() for key in CLAIMS if key.isascii()):
    _OPENERS[_key_words[0]] = max(_OPENERS.get(_key_words[0], 0), len(_key_words))

# In Chinese there are no blanks to look words up by; longer spellings first, so that 不锈钢 is not read as 钢.
_CHINESE = re.compile("|".join(sorted((key for key in CLAIMS if not key.isascii()), key=len, reverse=True)))

_HARMLESS = re.compile(
    "|".join(rf"\b{phrase}" if phrase.isascii() else phrase for phrase in entries("harmless")), re.IGNORECASE
)
_MAKING = word_set("making")
_VERBS = "|".join(sorted(_MAKING))
_ORIGIN = re.compile(
    rf"\b(?:{_VERBS}) (?:in|from) (?:the )?([A-Z]\w+)|(?:原产|产自|产地|源自)[于：:]?\s*([\u3400-\u9fff]{{2,4}})"
)
_PLACES = re.compile("|".join(entries("places_zh")))
_MADE_OF = re.compile(
    rf"\b(?:{_VERBS})"
    r" (?:entirely |only |purely |completely |mostly |up )?"
    r"(?:(?P<of>of|from|out of)|with|using|in)\b(?P<what>(?: [\w'/%-]+){1,6})",
    re.IGNORECASE,
)
_MATERIAL = re.compile(r"material|fabric|材质|面料|材料", re.IGNORECASE)
_VAGUE = word_set("vague")

# A choice nobody offers. Sizes and options may be many where a fact lists several.
_CHOICE = re.compile(
    r"\b(?:(?:range|variety|selection|array|choice|assortment|number|mix) of"
    r"|different|various|varied|many|multiple|several|any|all|favou?rite|countless|endless|more)"
    r" (?:[\w-]+ ){0,2}?(colou?rs?|hues?|shades?|flavou?rs?|sizes?|designs?|styles?|patterns?|fabrics?|materials?"
    r"|finishes|scents?|variations?|versions?|ingredients|features)\b",
    re.IGNORECASE,
)
_CHOOSING = frozenset(
    {
        "range",
        "variety",
        "selection",
        "array",
        "choice",
        "assortment",
        "number",
        "mix",
        "different",
        "various",
        "varied",
    }
    | {"many", "multiple", "several", "any", "all", "favourite", "favorite", "countless", "endless", "more"}
)
_SIZED = re.compile(r"size|variant|option|volume|capacity|length|width", re.IGNORECASE)
_OF_SIZE = ("size", "option", "variation", "version")

_CAPITALISED = re.compile(r"(?<!#)\b[A-Z][A-Za-zÀ-ÿ0-9'’-]+")
_BEGINNING = re.compile(rf"(?:^|[.!?…:\n]|[\"“”‘'(])\s*$|(?:^|\n)\s*{BULLET}\s*$")
_IN_TITLE_CASE = re.compile(r"\b[A-Za-z]{4,}")
_INITIAL = re.compile(r"\b[A-Z][a-z]{3,}")
_ANYONES = word_set("names")


def claims(draft: Draft) -> Iterator[Reason]:
    """No material, certificate, health claim, promise or origin that the facts do not hold; a colour is marked.

    "A Sunday under a blue sky" tells no lie of the product, so a colour alone holds nothing back.
    """
    held = known_claims(draft.sheet)
    new = [spelling for spelling, claim in claims_in(draft.text, draft.words) if claim not in held]
    # "Wax: Soy" holds soy wax, and "Water resistance" what is water-resistant.
    new = [spelling for spelling in new if not _in_other_words(spelling, draft.sheet)]
    if new:
        harmless = " ".join(found.group().casefold() for found in _HARMLESS.finditer(draft.text))
        for spelling in new:
            if spelling not in harmless:
                colour = spelling in _COLOURS
                yield Reason("facts.claims", f'says "{spelling}", which the facts do not', spelling, warns=colour)
    if draft.chinese or not _MAKING.isdisjoint(draft.vocabulary):
        yield from _origins(draft)


def _in_other_words(spelling: str, sheet: Sheet) -> bool:
    words = spelling.split()
    if len(words) < 2:
        return False
    return all(word in sheet.words or (len(word) > STEM and word[:STEM] in sheet.stems) for word in words)


def _origins(draft: Draft) -> Iterator[Reason]:
    known = draft.sheet.text.casefold()
    origins = [(found.group(), found[1] or found[2]) for found in _ORIGIN.finditer(draft.text)]
    named = " ".join(origin for origin, _ in origins)
    places = [place for place in _PLACES.findall(draft.text) if place not in named] if draft.chinese else []
    for origin, place in [*origins, *zip(places, places, strict=True)]:
        if place.casefold() not in known:
            yield Reason("facts.claims", f'names an origin, "{place}", which the facts do not', origin)


def made_of(draft: Draft) -> Iterator[Reason]:
    """Whatever the product is said to be made of or with, the facts hold a word of it, or say just that.

    "Carved from one piece" names no material, and may stand in the facts.
    """
    for found in _MADE_OF.finditer(draft.text) if not _MAKING.isdisjoint(draft.vocabulary) else ():
        said = [word for word in words_of(found["what"]) if word not in _VAGUE]
        words = [word for word in said if len(word) > 1 and not word[0].isdigit() and word not in SIZES]
        known = (found["of"] and materials(draft.sheet)) or draft.sheet.words
        quoted = f" {' '.join(words_of(found.group())[:3])} " in draft.sheet.line
        if said and not quoted and known.isdisjoint(words):
            yield Reason("facts.claims", f'says "{found.group()}", which the facts do not', found.group())


@lru_cache(maxsize=4096)
def materials(sheet: Sheet) -> frozenset[str]:
    """The words of the facts' own material, where they have one: a mug is not made of its colours."""
    named = [f"{value} {sheet.facts.title}" for name, value in sheet.facts.attributes if _MATERIAL.search(name)]
    return frozenset(words_of(" ".join(named)))


def choice(draft: Draft) -> Iterator[Reason]:
    """No range of colours, flavours or designs to choose from that the facts do not list."""
    for found in _CHOICE.finditer(draft.text) if not _CHOOSING.isdisjoint(draft.vocabulary) else ():
        noun = found[1].casefold().rstrip("s").replace("colour", "color").replace("flavour", "flavor")
        if not _is_offered(noun, draft.facts):
            yield Reason("facts.claims", f'says "{found.group()}", which the facts do not offer', found.group())


def _is_offered(noun: str, facts: Facts) -> bool:
    named = [
        value
        for name, value in facts.lines()
        if noun in name.casefold().replace("colour", "color").replace("flavour", "flavor")
    ]
    listed = named or ([value for name, value in facts.attributes if _SIZED.search(name)] if noun in _OF_SIZE else [])
    return any("," in value for value in listed)


def names(draft: Draft) -> Iterator[Reason]:
    """No capitalised name within a sentence that the facts do not hold: an invented brand, place or person."""
    if draft.chinese:
        return
    known = draft.sheet.words
    misspelt = _misspelt_brand(draft)
    if misspelt:
        yield Reason("facts.claims", f'misspells the brand "{draft.facts.brand}": "{misspelt}"', misspelt)
    if draft.rules.one_line and _is_in_title_case(draft.text):
        return
    for found in _CAPITALISED.finditer(draft.text):
        name = found.group().casefold().replace("’", "'").removesuffix("'s")
        if name in known or f"{name}'s" in known or name in _ANYONES or known.issuperset(words_of(name)):
            continue
        if not _BEGINNING.search(draft.text, max(0, found.start() - 3), found.start()):
            yield Reason("facts.claims", f'names "{found.group()}", which the facts do not', found.group())
            return


def _is_in_title_case(text: str) -> bool:
    """Nearly every longer word is capitalised: then a capital says nothing."""
    words: list[str] = _IN_TITLE_CASE.findall(text)
    return sum(word[0].isupper() for word in words) > 0.7 * len(words)


def _misspelt_brand(draft: Draft) -> str:
    """A capitalised word that is nearly, but not quite, a word of the brand; also where a sentence begins."""
    known = draft.sheet.words
    brands = [word for word in map(_plain, words_of(draft.facts.brand)) if len(word) >= 5]
    for found in _INITIAL.finditer(draft.text) if brands else ():
        word = found.group().casefold()
        if word not in known and f"{word}'s" not in known and any(_alike(word, brand) for brand in brands):
            return found.group()
    return ""


def _plain(name: str) -> str:
    """ "Pell's" without its ending: the text may speak of Pell's or of Pell."""
    return name.removesuffix("'s")


def _alike(word: str, brand: str) -> bool:
    return (
        word[0] == brand[0] and abs(len(word) - len(brand)) <= 2 and SequenceMatcher(None, word, brand).ratio() >= 0.65
    )


@lru_cache(maxsize=4096)
def known_claims(sheet: Sheet) -> frozenset[str]:
    """The claims that the facts themselves make."""
    held = {claim for _, claim in claims_in(sheet.text, words_of(sheet.text))}
    known = sheet.words | frozenset(name.casefold() for name, _ in sheet.facts.attributes)
    return frozenset(held | {claim for claim, kinds in _IMPLIED.items() if not known.isdisjoint(kinds)})


def claims_in(text: str, words: list[str]) -> Iterator[tuple[str, str]]:
    for start, word in enumerate(words):
        for length in range(_OPENERS.get(word, 0), 0, -1):
            spelling = " ".join(words[start : start + length])
            if spelling in CLAIMS:
                yield spelling, CLAIMS[spelling]
                break
    if not text.isascii():
        for found in _CHINESE.finditer(text):
            yield found.group(), CLAIMS[found.group()]
