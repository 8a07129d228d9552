"""What becomes of a review, once its route, its language and its sentiment are known."""

from copydesk.model import Polarity, Policy, Reason, Route, Sentiment
from copydesk.settings import Replies

PRAISING_STARS, COMPLAINING_STARS = 4, 2
"""From here upwards, and downwards, stars say something."""

SURE = 0.7
"""Confidence from which a text disagrees with its stars."""


def decide(
    route: Route,
    sentiment: Sentiment,
    rating: int | None,
    replies: Replies,
    *,
    has_prompt: bool,
    disagrees: bool,
    found: tuple[Reason, ...] = (),
) -> tuple[Policy, tuple[Reason, ...]]:
    """The policy, and what it adds to the reasons that are known already.

    Args:
        route: what the review is about.
        sentiment: what its text says.
        rating: 1 to 5 stars, None where there are none.
        replies: the shop's rules.
        has_prompt: whether there is a reply prompt for its language.
        disagrees: whether stars and text do.
        found: the reasons of `routing.route`; an ordinary review that has one goes to a person.
    """
    if route in (Route.EMPTY, Route.SPAM):
        return Policy.IGNORE, ()
    if route is not Route.ORDINARY or found:
        return Policy.PERSON, ()
    if not has_prompt:
        return Policy.PERSON, (Reason("policy.language", "there is no reply prompt for the review's language"),)
    if disagrees:
        return Policy.DRAFT, (Reason("policy.disagrees", "the stars say one thing and the text another"),)
    return (Policy.AUTO if _may_go(sentiment, rating, replies) else Policy.DRAFT), ()


def disagree(rating: int | None, sentiment: Sentiment) -> bool:
    """Whether the stars praise and the text complains for sure, or the other way round."""
    if rating is None or sentiment.confidence < SURE:
        return False
    if rating >= PRAISING_STARS:
        return sentiment.polarity is Polarity.NEGATIVE
    return rating <= COMPLAINING_STARS and sentiment.polarity is Polarity.POSITIVE


def _may_go(sentiment: Sentiment, rating: int | None, replies: Replies) -> bool:
    return (
        replies.auto
        and (rating is None or rating >= replies.auto_from_rating)
        and sentiment.polarity is Polarity.POSITIVE
        and sentiment.confidence >= replies.auto_confidence
    )
