"""reply.fit: in the review's language, begun otherwise than the last replies, and of a reply's length."""

import re
from collections.abc import Iterator
from functools import lru_cache

from copydesk.guards import language as languages
from copydesk.guards.draft import Draft, words_of
from copydesk.guards.reply_bans import LISTS
from copydesk.guards.reply_draft import Reply, stem
from copydesk.model import Facts, Reason
from copydesk.settings import Rules

MIN_WORDS, MIN_CHARS_ZH = 6, 10
"""A reply is shorter than a description: only its longest length is the shop's rule."""

_WORDS = {name: frozenset(LISTS[key].split()) for name, key in (("en", "english"), ("de", "german"))}
_GENERIC = frozenset(LISTS["generic"].split())
_ENDS = r" (?:and|but) (?:that|what|we|you)| (?:now|this|that|what|when|if|because|so|but|which|you|we|it)\b"
_OF_THE_REVIEW = re.compile(
    r"\b(?:you(?: really| both)? (?:like|love|enjoy)d?"
    r"|(?:glad|happy|pleased|delighted|sorry|apologi[sz]e)(?: to (?:hear|read))? (?:about|for|with)"
    rf"|(?:trouble|problems?|issues?) with) (?=(?:the|its|an?) )((?:(?!{_ENDS})[^.;:!?])+)"
)
_PARTS = re.compile(r",| and | or ")
_NEITHER = frozenset(LISTS["neither"].split())


def length(reply: Reply) -> Iterator[Reason]:
    """Long enough to be an answer, and within the shop's limit: words, or in Chinese characters."""
    draft, rules = reply.draft, reply.draft.rules
    low, high, unit = (
        (MIN_CHARS_ZH, rules.max_chars_zh, "characters") if draft.chinese else (MIN_WORDS, rules.max_words, "words")
    )
    if draft.size < low:
        yield Reason("shape.length", f"has {draft.size} {unit}, at least {low} are wanted")
    elif draft.size > high:
        yield Reason("shape.length", f"has {draft.size} {unit}, at most {high} are wanted")


def language(reply: Reply) -> Iterator[Reason]:
    """Every sentence is in the review's language; words of the review and of the product may stand in any."""
    draft = reply.draft
    span = next((reason.span for reason in languages.language(draft)), "") or _other_latin(draft)
    if span:
        yield Reason("reply.fit", f"a sentence is not in the review's language ({draft.facts.language})", span)


def _other_latin(draft: Draft) -> str:
    """The first sentence with more little words of another language than of its own."""
    name = re.split("[-_]", draft.facts.language, maxsplit=1)[0].casefold()
    own = _WORDS.get(name)
    if own is None:
        return ""
    others = _NEITHER.union(*(words for other, words in _WORDS.items() if other != name)) - own
    for sentence, said in zip(draft.sentences, draft.sentence_words, strict=True):
        foreign = sum(word in others for word in said)
        if foreign and foreign > sum(word in own for word in said):
            return sentence
    return ""


def opening(reply: Reply) -> Iterator[Reason]:
    """It does not begin as one of the last replies did."""
    if not reply.recent_openings:
        return
    text = f"{' '.join(reply.draft.words)} "
    for recent in reply.recent_openings:
        if text.startswith(_line(recent)):
            yield Reason("reply.fit", f'begins as one of the last replies did: "{recent}"', recent)
            return


@lru_cache(maxsize=4096)
def _line(opening: str) -> str:
    return f"{' '.join(words_of(opening)) or '-'} "


def opening_of(text: str) -> str:
    """A reply's first sentence, with which `recent_openings` compares.

    >>> opening_of("Thank you for your review! We are glad that you like the mug.")
    'Thank you for your review!'
    """
    return next(iter(Draft(text, Facts(""), Rules()).sentences), "")


def subject(reply: Reply) -> Iterator[Reason]:
    """Whatever a reply is glad or sorry about, the review speaks of: a word of it, in English alone."""
    for found in _OF_THE_REVIEW.finditer(reply.lower):
        for part in _PARTS.split(found[1]):
            words = [word for word in words_of(part) if len(word) > 2 and word not in _GENERIC]
            if words and reply.background.stems.isdisjoint(map(stem, words)):
                yield Reason("reply.fit", f'speaks of "{part}", of which the review does not', part)
                return
