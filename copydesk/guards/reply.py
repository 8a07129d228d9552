"""The guards of replies in their order, and one call for all of them."""

from collections.abc import Callable, Collection, Iterable

from copydesk.guards import (
    claims,
    numbers,
    reply_acts,
    reply_bans,
    reply_fit,
    reply_pii,
    reply_trust,
    shape,
    shop_words,
    wordlists,
)
from copydesk.guards.judging import RULES_VERSION, weighed
from copydesk.guards.reply_draft import Reply, ReviewFacts, reply_of
from copydesk.guards.reply_fit import opening_of
from copydesk.model import Reason, Verdict, fingerprint
from copydesk.settings import Rules

__all__ = ["REPLY_RULES_VERSION", "ReviewFacts", "digest_replies", "judge_reply", "opening_of"]

REPLY_RULES_VERSION = 1
"""Raised whenever a guard would judge some reply otherwise than before."""

_SAYABLE = frozenset(reply_bans.LISTS["sayable"])


def finished(reply: Reply) -> Iterable[Reason]:
    """The text ends, says nothing twice and is plain."""
    yield from shape.finished(reply.draft)
    yield from shape.repeated(reply.draft)
    yield from shape.html(reply.draft)


def worded(reply: Reply) -> Iterable[Reason]:
    """With the words that the shop requires and none that it forbids."""
    yield from shop_words.required(reply.draft)
    yield from shop_words.forbidden(reply.draft)


def known(reply: Reply) -> Iterable[Reason]:
    """No number and no material, certificate or effect that neither the product's facts nor the review hold."""
    # "One cup at a time" counts nothing.
    yield from (reason for reason in numbers.numbers(reply.draft) if not reason.span.startswith("one "))
    yield from (reason for reason in claims.claims(reply.draft) if reason.span not in _SAYABLE)


RULES: tuple[Callable[[Reply], Iterable[Reason]], ...] = (
    finished,
    worded,
    reply_fit.length,
    reply_fit.language,
    reply_fit.opening,
    reply_fit.subject,
    reply_bans.banned,
    reply_acts.acts,
    reply_acts.third_parties,
    reply_pii.personal,
    reply_trust.leaked,
    reply_trust.copied,
    reply_trust.codes,
    reply_trust.domains,
    reply_trust.others,
    known,
)


def judge_reply(
    text: str,
    review: ReviewFacts,
    rules: Rules,
    *,
    finished: bool,
    echoes: tuple[str, ...] = (),
    recent_openings: Collection[str] = (),
) -> Verdict:
    """Everything that stands against giving this reply; a verdict without reasons is ready.

    Args:
        text: the whole reply, from its opening to its sign-off.
        review: the review it answers.
        rules: the numbers the guards go by; of the lengths only the longest count, and of the words all.
        finished: False when the model was cut at its token limit.
        echoes: phrases of the prompt that must not turn up.
        recent_openings: how the shop's last replies began, as `opening_of` gives it.
    """
    reply = reply_of(text, review, rules, finished, echoes, recent_openings)
    return Verdict(weighed((reason for rule in RULES for reason in rule(reply)), rules))


def digest_replies(rules: Rules) -> str:
    """Another value whenever a number of the rules, a word list or the guards change."""
    return fingerprint(
        {
            "version": [REPLY_RULES_VERSION, RULES_VERSION],
            "words": [reply_bans.DIGEST, wordlists.DIGEST],
            "rules": rules.model_dump(),
        }
    )
