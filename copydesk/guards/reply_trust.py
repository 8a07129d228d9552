"""reply.injection: what a review may have put into a reply, and what the prompt may have left in it."""

import re
from collections.abc import Iterator

from copydesk.guards import shape
from copydesk.guards.draft import words_of
from copydesk.guards.reply_bans import LISTS
from copydesk.guards.reply_draft import Reply
from copydesk.guards.wordlists import word_set
from copydesk.model import Reason

COPIED_RUN, COPIED_RUN_ZH = 12, 20
"""Words, or Chinese characters, of the review in a row: a reply may take up its words, not recite it."""

_MARKETPLACES = frozenset(LISTS["marketplaces"].split())
_BRANDS = frozenset(LISTS["brands"].split())
_MARKETPLACES_ZH = re.compile("|".join(LISTS["marketplaces_zh"]))
_MARKETPLACES_MANY: list[tuple[frozenset[str], str]] = [
    (frozenset(words_of(name)), name) for name in LISTS["marketplaces_many"]
]
_CAPITALS = frozenset(LISTS["capitals"].split()) | word_set("names")

_DOMAIN = re.compile(r"(?<=[a-z0-9])(?<!\be\.g)\.[a-z]{2,}\b|\(\)|(?:\(|\[)dot")
_CAPITALISED = re.compile(r"\b[A-Z][A-Za-zÀ-ÿ'’-]+")
_BEGINNING = re.compile(r"(?:^|[.!?…:,\n]|[\"“”‘'(])\s*$")
_CODE = re.compile(r"\b(?=[A-Z0-9-]*\d)[A-Z]{3,}[A-Z0-9-]*\b")
_DIGIT = re.compile(r"\d")
_OFFER = re.compile(r"code|coupon|voucher|discount|gutschein|rabatt|优惠|折扣|口令|券", re.IGNORECASE)


def leaked(reply: Reply) -> Iterator[Reason]:
    """No phrase of the prompt's examples or instructions, unless review or product hold it."""
    for reason in shape.leaked(reply.draft):
        yield Reason("reply.injection", reason.message, reason.span)


def copied(reply: Reply) -> Iterator[Reason]:
    """No long run of the review's own words, and nothing that the review orders to be said."""
    length, joint = (COPIED_RUN_ZH, "") if reply.draft.chinese else (COPIED_RUN, " ")
    words = reply.draft.words
    if _shares_half_a_run(words, length // 2, reply.background.review_line):
        for start in range(len(words) - length + 1):
            run = words[start : start + length]
            if f" {' '.join(run)} " in reply.background.review_line:
                yield Reason("reply.injection", f'recites the review: "{joint.join(run)}"', joint.join(run))
                return
    said = f" {' '.join(words)} "
    for ordered in reply.background.orders:
        if f" {' '.join(words_of(ordered))} " in said:
            yield Reason("reply.injection", f'says what the review orders it to say: "{ordered}"', ordered)
            return


def _shares_half_a_run(words: list[str], length: int, line: str) -> bool:
    """Any run of twice this length holds one of these whole: most replies share none, and are looked at no closer."""
    return any(f" {' '.join(words[start : start + length])} " in line for start in range(0, len(words), length))


def codes(reply: Reply) -> Iterator[Reason]:
    """No code such as SAVE20: a model's name is known from the product, or from a review that offers nothing."""
    if not _DIGIT.search(reply.draft.text):
        return
    known = reply.background.own if _OFFER.search(reply.review.text) else reply.draft.sheet.words
    for found in _CODE.findall(reply.draft.text):
        if not known.issuperset(words_of(found)):
            yield Reason("reply.injection", f'holds a code: "{found}"', found)
            return


def domains(reply: Reply) -> Iterator[Reason]:
    """No address of a site, nor two sentences that run into each other as if they were one."""
    found = _DOMAIN.search(reply.lower)
    if found:
        yield Reason("reply.injection", f'holds a link or code: "{found.group()}"', found.group())


def others(reply: Reply) -> Iterator[Reason]:
    """No marketplace but the shop's own, and no name that neither the review nor the product holds."""
    name = _marketplace(reply) or _unknown_name(reply)
    if name:
        yield Reason("reply.injection", f'names "{name}", which is neither the product nor the shop', name)


def _marketplace(reply: Reply) -> str:
    own = reply.background.own
    for word in _CAPITALISED.findall(reply.draft.text):
        plain = re.sub(r"['’]s$", "", word).casefold()
        if (plain in _MARKETPLACES and plain not in own) or (plain in _BRANDS and plain not in reply.draft.sheet.words):
            return str(word)
    for words, many in _MARKETPLACES_MANY:
        if words <= reply.draft.vocabulary and many in reply.lower and not words <= own:
            return many
    chinese = () if reply.draft.text.isascii() else _MARKETPLACES_ZH.findall(reply.draft.text)
    held = reply.background.product.values + "\n".join(reply.review.names)
    return next((name for name in chinese if name not in held), "")


def _unknown_name(reply: Reply) -> str:
    """In English alone: German writes every noun with a capital, Chinese none."""
    draft = reply.draft
    if not draft.facts.language.startswith("en"):
        return ""
    known = draft.sheet.words
    for found in _CAPITALISED.finditer(draft.text):
        name = re.sub(r"['’]s$", "", found.group()).casefold().replace("’", "'")
        if name in known or name in _CAPITALS or known.issuperset(words_of(name)):
            continue
        if not _BEGINNING.search(draft.text, max(0, found.start() - 3), found.start()):
            return found.group()
    return ""
