"""The guards in their order, and one call for all of them."""

import re
from collections.abc import Callable, Iterable
from dataclasses import replace

from copydesk.guards import (
    channel,
    chat,
    claims,
    coverage,
    harmful,
    ingredients,
    language,
    law_cn,
    law_ftc,
    numbers,
    shape,
    shop_words,
    stock,
    wordlists,
)
from copydesk.guards.draft import Draft
from copydesk.model import Facts, Reason, Verdict, fingerprint
from copydesk.settings import Rules

RULES_VERSION = 4
"""Raised whenever a guard would judge some text otherwise than before."""

Rule = Callable[[Draft], Iterable[Reason]]

RULES: tuple[Rule, ...] = (
    shape.finished,
    shape.leaked,
    shape.repeated,
    chat.chat,
    shape.html,
    shape.length,
    shape.one_line,
    shape.bullets,
    language.language,
    shape.subject,
    shop_words.required,
    shop_words.forbidden,
    coverage.must_say,
    numbers.numbers,
    claims.claims,
    claims.made_of,
    claims.choice,
    claims.names,
    ingredients.ingredients,
    stock.stock,
    law_cn.law_cn,
    law_ftc.law_ftc,
    channel.channel,
    harmful.harmful,
)

_QUOTES = {'"': '"', "“": "”", "'": "'", "‘": "’", "「": "」", "『": "』", "«": "»"}


def judge(
    text: str, facts: Facts, rules: Rules, *, finished: bool, echoes: tuple[str, ...] = (), voice: str = ""
) -> Verdict:
    """Everything that stands against publishing this text; what only warns is marked, not refused.

    Args:
        text: the copy, as `tidy` leaves it.
        facts: what may be said of the product.
        rules: what the guards go by, and what is done about which reason.
        finished: False when the model was cut at its token limit.
        echoes: phrases of the prompt that must not turn up.
        voice: the shop's voice, which must not be recited.
    """
    draft = Draft(text, facts, rules, finished, echoes, voice)
    return Verdict(weighed((reason for rule in RULES for reason in rule(draft)), rules))


def weighed(reasons: Iterable[Reason], rules: Rules) -> tuple[Reason, ...]:
    """The reasons as the rules take them: refusing, marking, or left out, where the rules say so."""
    if not rules.guards:
        return tuple(reasons)
    kept = [(reason, rules.guards.get(reason.code)) for reason in reasons]
    return tuple(
        replace(reason, warns=force == "warn") if force else reason for reason, force in kept if force != "off"
    )


def digest(rules: Rules) -> str:
    """Another value whenever a number of the rules, a word list or the guards change."""
    words = [wordlists.DIGEST, channel.DIGEST]
    return fingerprint({"version": RULES_VERSION, "words": words, "rules": rules.model_dump()})


def tidy(text: str) -> str:
    """The text without the white space and the one pair of quotes a model may put around it; lines become one.

    >>> tidy(' "Soft by day,  warm by night." ')
    'Soft by day, warm by night.'
    """
    text = re.sub(r"[ \t\u00a0]+", " ", text.strip())
    closing = _QUOTES.get(text[:1])
    if closing and len(text) > 1 and text.endswith(closing) and text.count(closing) == (2 if closing == text[0] else 1):
        text = text[1:-1]
    return text.strip()
