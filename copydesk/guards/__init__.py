"""judge(text, facts, rules) -> Verdict: an ordered list of small rules, each with a reason code; so is judge_reply.

>>> from copydesk.model import Facts, Polarity
>>> from copydesk.settings import Rules
>>> facts = Facts("Orange Juice", category="Juices", attributes=(("Volume", "0.5 l"),))
>>> text = "A bright start to the day: Orange Juice in a handy 600 ml bottle, best poured well chilled."
>>> [reason.message for reason in judge(text, facts, Rules(min_words=5), finished=True).reasons]
['says "600 ml", which the facts do not']
>>> review = ReviewFacts("The lid leaks.", "en", Polarity.NEGATIVE)
>>> reply = "We are sorry that the lid leaks. You will hear from us by Monday."
>>> [reason.message for reason in judge_reply(reply, review, Rules(), finished=True).reasons]
['promises what the shop will do: "you will hear"', 'names a date or a deadline: "by monday"']
"""

from copydesk.guards.codes import CODES
from copydesk.guards.draft import beginnings
from copydesk.guards.judging import RULES_VERSION, digest, judge, tidy
from copydesk.guards.reply import REPLY_RULES_VERSION, ReviewFacts, digest_replies, judge_reply, opening_of
from copydesk.guards.translation import left_out, spelled

__all__ = [
    "CODES",
    "REPLY_RULES_VERSION",
    "RULES_VERSION",
    "ReviewFacts",
    "beginnings",
    "digest",
    "digest_replies",
    "judge",
    "judge_reply",
    "left_out",
    "opening_of",
    "spelled",
    "tidy",
]
