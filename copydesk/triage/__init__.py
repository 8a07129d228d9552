"""What is found out of a review before any model is asked: language, route, sentiment, opinions, policy.

>>> from copydesk.model import Platform, Review
>>> from copydesk.settings import Replies
>>> review = Review("1", "The charger caught fire. Call me: 0171 2345678", Platform.OWN, rating=1)
>>> found = triage(review, Replies(), languages={"en"})
>>> found.language, found.route.value, found.policy.value, found.reasons[0].span
('en', 'safety', 'person', 'charger caught fire')
>>> found.text
'The charger caught fire. Call me: [phone]'
"""

from copydesk.triage.judging import triage
from copydesk.triage.languages import language_of
from copydesk.triage.masking import masked
from copydesk.triage.policy import decide, disagree
from copydesk.triage.routing import route

__all__ = ["decide", "disagree", "language_of", "masked", "route", "triage"]
