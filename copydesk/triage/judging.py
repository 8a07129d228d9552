"""All that is known of a review before any model is asked, in one call."""

from collections.abc import Collection
from dataclasses import replace

from copydesk.model import Review, Route, Triage
from copydesk.settings import Replies
from copydesk.triage.languages import language_of
from copydesk.triage.masking import masked
from copydesk.triage.opinions import opinions
from copydesk.triage.policy import decide, disagree
from copydesk.triage.routing import route
from copydesk.triage.sentiment import sentiment


def triage(review: Review, replies: Replies, *, languages: Collection[str]) -> Triage:
    """The review's language, route, sentiment, opinions and policy; its texts and the spans of all reasons are masked.

    A review is read whole, however long it is: 20 kB take some tens of milliseconds. Its route is taken from what the
    reviewer wrote, the rest from the masked text.

    Args:
        review: as a file or a request brought it.
        replies: the shop's rules.
        languages: those that there are reply prompts for, such as {"en", "zh"}.
    """
    written = f"{review.title}\n{review.text}".strip()
    language = language_of(written)
    names = (review.reviewer.name,)
    title, text = masked(review.title, names), masked(review.text, names)
    about, found = route(written, replies)
    found = tuple(replace(reason, span=masked(reason.span, names)) for reason in found)
    said = f"{title}\n{text}".strip()
    feeling = sentiment(said, language, review.rating)
    disagrees = disagree(review.rating, feeling)
    policy, also = decide(
        about, feeling, review.rating, replies, has_prompt=language in languages, disagrees=disagrees, found=found
    )
    says = () if about is Route.SPAM else opinions(said, language)
    return Triage(language, title, text, about, feeling, says, policy, (*found, *also), disagrees)
