"""decide() and disagree(): what becomes of a review, by a table."""

import pytest

from copydesk.model import Polarity, Policy, Reason, Route, Sentiment
from copydesk.settings import Replies
from copydesk.triage import decide, disagree

GLAD = Sentiment(Polarity.POSITIVE, 0.9, 0.05, 0.05, "test")
UNSURE = Sentiment(Polarity.POSITIVE, 0.5, 0.3, 0.2, "test")
CROSS = Sentiment(Polarity.NEGATIVE, 0.05, 0.05, 0.9, "test")
AUTO = Replies(auto=True)
INJECTED = (Reason("review.injection", "holds words for the machine"),)


def policy(
    route: Route = Route.ORDINARY,
    feeling: Sentiment = GLAD,
    rating: int | None = 5,
    replies: Replies = AUTO,
    *,
    has_prompt: bool = True,
    disagrees: bool = False,
    found: tuple[Reason, ...] = (),
) -> Policy:
    return decide(route, feeling, rating, replies, has_prompt=has_prompt, disagrees=disagrees, found=found)[0]


@pytest.mark.parametrize("route", [route for route in Route if route not in (Route.EMPTY, Route.SPAM, Route.ORDINARY)])
def test_a_grave_route_goes_to_a_person_whatever_stars_and_sentiment_say(route: Route) -> None:
    assert policy(route) is Policy.PERSON


@pytest.mark.parametrize("route", [Route.EMPTY, Route.SPAM])
def test_what_says_nothing_is_ignored_in_any_language(route: Route) -> None:
    assert policy(route, has_prompt=False) is Policy.IGNORE


@pytest.mark.parametrize(
    ("feeling", "rating", "replies", "expected"),
    [
        (GLAD, 5, AUTO, Policy.AUTO),
        (GLAD, 4, AUTO, Policy.AUTO),
        (GLAD, None, AUTO, Policy.AUTO),
        (GLAD, 5, Replies(), Policy.DRAFT),
        (GLAD, 3, AUTO, Policy.DRAFT),
        (GLAD, 3, Replies(auto=True, auto_from_rating=3), Policy.AUTO),
        (UNSURE, 5, AUTO, Policy.DRAFT),
        (UNSURE, 5, Replies(auto=True, auto_confidence=0.5), Policy.AUTO),
        (CROSS, 5, AUTO, Policy.DRAFT),
        (CROSS, None, AUTO, Policy.DRAFT),
        (CROSS, 1, AUTO, Policy.DRAFT),
    ],
)
def test_a_reply_goes_by_itself_only_where_everything_speaks_for_it(
    feeling: Sentiment, rating: int | None, replies: Replies, expected: Policy
) -> None:
    assert policy(Route.ORDINARY, feeling, rating, replies) is expected


def test_a_review_in_a_language_without_a_prompt_goes_to_a_person_with_the_reason() -> None:
    decided = decide(Route.ORDINARY, GLAD, 5, AUTO, has_prompt=False, disagrees=False)
    assert decided[0] is Policy.PERSON
    assert [reason.code for reason in decided[1]] == ["policy.language"]


def test_stars_and_text_that_disagree_never_go_by_themselves() -> None:
    decided = decide(Route.ORDINARY, GLAD, 5, AUTO, has_prompt=True, disagrees=True)
    assert decided[0] is Policy.DRAFT
    assert [reason.code for reason in decided[1]] == ["policy.disagrees"]


def test_an_ordinary_review_that_routing_has_a_reason_for_goes_to_a_person() -> None:
    assert policy(found=INJECTED) is Policy.PERSON


@pytest.mark.parametrize(
    ("rating", "feeling", "expected"),
    [(5, CROSS, True), (4, CROSS, True), (3, CROSS, False), (1, CROSS, False), (None, CROSS, False), (1, GLAD, True),
     (2, GLAD, True), (2, UNSURE, False), (5, GLAD, False)],
)  # fmt: skip
def test_stars_and_text_disagree_when_the_text_is_sure_of_the_opposite(
    rating: int | None, feeling: Sentiment, expected: bool
) -> None:
    assert disagree(rating, feeling) is expected
