"""judge(text, facts, rules) -> Verdict: an ordered list of small rules, each with a reason code.

>>> from copydesk.model import Facts
>>> from copydesk.settings import Rules
>>> facts = Facts("Orange Juice", category="Juices", attributes=(("Volume", "0.5 l"),))
>>> text = "A bright start to the day: Orange Juice in a handy 600 ml bottle, best poured well chilled."
>>> [reason.message for reason in judge(text, facts, Rules(min_words=5), finished=True).reasons]
['says "600 ml", which the facts do not']
"""

from copydesk.guards.judging import RULES_VERSION, digest, judge, tidy

__all__ = ["RULES_VERSION", "digest", "judge", "tidy"]
