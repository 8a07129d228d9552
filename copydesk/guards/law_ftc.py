"""law.ftc: no review, rating, endorsement or quotation that nobody gave (16 CFR 465): copy is written without any."""

import re
from collections.abc import Iterator

from copydesk.guards.draft import Draft, words_of
from copydesk.guards.phrases import Phrases
from copydesk.guards.wordlists import entries, word_set
from copydesk.model import Reason

_PRAISE = Phrases(entries("testimonials"))
_SPEAKERS, _SPEAKERS_ZH = word_set("speakers"), "|".join(entries("speakers_zh"))
_SAYING, _SAYING_ZH = word_set("saying"), "|".join(entries("saying_zh"))
_ANYBODY = word_set("anybody")

_QUOTED = re.compile(r"[\"“「『«]([^\"“”«»「」『』]{2,200})[\"”」』»]")
_SAID_ZH = re.compile(rf"(?:{_SPEAKERS_ZH})[^，。！？；]{{0,12}}?(?:{_SAYING_ZH})|据(?:{_SPEAKERS_ZH})")
_SAID_BEFORE_ZH = re.compile(rf"(?:{_SAYING_ZH})(?:道|过)?[：:，,]?\s*$")
_SAID_AFTER_ZH = re.compile(rf"[^。！？；“「『]{{0,15}}?(?:{_SAYING_ZH})")
# "... says Tom", "- Tom R.", "As Tom puts it: ..."
_NAMED_AFTER = re.compile(r"\s*[-–—]+\s*[A-Z]")
_SAID = re.compile(rf"\b(?:{'|'.join(sorted(_SAYING))})\b", re.IGNORECASE)
_NEAR = 40
"""Characters before and after a quotation in which its speaker is looked for."""
_OWN_WORDS = frozenset({"i", "i'm", "i've", "i'd", "i'll", "my", "me", "mine", "myself"})
_RATED = re.compile(
    r"\b(?:rat(?:ed|ings?) (?:of )?|scor(?:es|ed|ing) )?(?:\d(?:\.\d)?|one|two|three|four|five)"
    r"(?: out of (?:5|five|10|ten)\b|/(?:5|10)\b|[ -]stars?\b)",
    re.IGNORECASE,
)
_RATING_WORDS = frozenset({"stars", "star", "rated", "rating", "ratings", "out"})


def law_ftc(draft: Draft) -> Iterator[Reason]:
    """Nobody is said to have bought, praised or rated the product, and nobody is quoted on it."""
    span = next(_PRAISE.find(draft), "") or _hearsay(draft) or _rating(draft)
    if span:
        yield Reason("law.ftc", f'speaks of what customers or others say, which nobody did: "{span}"', span)
    quote = _quotation(draft)
    if quote:
        yield Reason("law.ftc", f'quotes somebody, which is an invented testimonial: "{quote[1:-1]}"', quote)


def _hearsay(draft: Draft) -> str:
    """The sentence in which customers, experts or the press say something of the product."""
    if not draft.text.isascii() and (found := _SAID_ZH.search(draft.text)):
        return found.group()
    if _SPEAKERS.isdisjoint(draft.vocabulary):
        return ""
    said = zip(draft.sentences, draft.sentence_words, strict=True)
    return next((text for text, words in said if _speaks(words)), "")


def _speaks(words: list[str]) -> bool:
    """A speaker with one of the words of saying next to it: "buyers rave", "as one customer wrote"."""
    places = [place for place, word in enumerate(words) if word in _SPEAKERS]
    return any(not _SAYING.isdisjoint(words[max(0, place - 3) : place + 4]) for place in places)


def _rating(draft: Draft) -> str:
    if _RATING_WORDS.isdisjoint(draft.vocabulary):
        return ""
    found = _RATED.search(draft.text)
    return found.group() if found and found.group().casefold() not in draft.sheet.line else ""


def _quotation(draft: Draft) -> str:
    """The first quotation that somebody is said to have uttered, or that speaks in the first person."""
    if not any(mark in draft.text for mark in '"“「『«'):
        return ""
    for found in _QUOTED.finditer(draft.text):
        if found[1].strip(" ,.!?，。！？") not in draft.sheet.values and _is_uttered(found, draft):
            return found.group()
    return ""


def _is_uttered(found: re.Match[str], draft: Draft) -> bool:
    before = found.string[max(0, found.start() - _NEAR) : found.start()]
    after = found.string[found.end() : found.end() + _NEAR]
    if draft.chinese:
        return "我" in found[1] or bool(_SAID_BEFORE_ZH.search(before) or _SAID_AFTER_ZH.match(after))
    if not _OWN_WORDS.isdisjoint(words_of(found[1])) or _NAMED_AFTER.match(after):
        return True
    near = before[before.rfind(".") + 1 :] + " " + after.split(".")[0]
    # "Some call it plain" quotes nobody.
    return bool(_SAID.search(near)) and _ANYBODY.isdisjoint(words_of(near))
