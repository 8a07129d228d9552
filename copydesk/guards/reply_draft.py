"""What every rule for replies looks at: the reply, the review it answers, and what may be said."""

import re
from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property, lru_cache

from copydesk.guards.draft import Draft, Sheet, words_of
from copydesk.model import Facts, Polarity
from copydesk.settings import Rules

_ORDERED = re.compile(
    r"(?:\b(?:say|write|reply|respond|answer|output|print|repeat|include|add|mention|schreibe?n?|sage?n?|antworten?)\b|[说写]|回复|回答|输出|加上)"
    r"[^\"“”«»「」„]{0,40}[\"“«「„]([^\"“”«»「」„]{3,120})[\"”»」“]",
    re.IGNORECASE,
)

LOW_RATING, HIGH_RATING = 2, 4
"""Stars: up to 2 with a negative text are a complaint, from 4 with a positive one pure praise."""


@dataclass(frozen=True, slots=True)
class ReviewFacts:
    """What is known of the review that a reply answers.

    Attributes:
        text: the review, title included, personal data masked.
        language: the reply's language as well.
        polarity: what its text says of the product.
        rating: 1 to 5 stars, None where there are none.
        facts: the product's, None where it is unknown.
        names: what may be named besides: the shop, its brands, and its sign-off, with which a reply may end.
    """

    text: str
    language: str
    polarity: Polarity
    rating: int | None = None
    facts: Facts | None = None
    names: tuple[str, ...] = ()

    @property
    def praises(self) -> bool:
        """Nothing is complained of, as far as text and stars say."""
        return self.polarity is Polarity.POSITIVE and (self.rating is None or self.rating >= HIGH_RATING)

    @property
    def complains(self) -> bool:
        """Nothing is praised, as far as text and stars say."""
        return self.polarity is Polarity.NEGATIVE and (self.rating is None or self.rating <= LOW_RATING)


def stem(word: str) -> str:
    """The first four letters, which "leaking" shares with "leaks", and "mug" with "mugs"."""
    return word.rstrip("s")[:4]


class Background:
    """A review and its product, made ready once for all replies to it."""

    def __init__(self, review: ReviewFacts) -> None:
        product = review.facts or Facts("")
        said = [("Review", review.text), ("Names", "\n".join(review.names))]
        # "Thank you for the five stars" names a number that stands nowhere else.
        stars = [("Rating", f"{review.rating} stars")] if review.rating else []
        attributes = (*product.attributes, *said, *stars)
        self.known = Facts(product.title, product.brand, product.category, attributes, review.language)
        self.product = Sheet(product)
        self.names = review.names

    @cached_property
    def own(self) -> frozenset[str]:
        """The words of the product's facts and of the shop's own names: never those of the review."""
        return self.product.words | frozenset(words_of(" ".join(self.names)))

    @cached_property
    def review_line(self) -> str:
        """The review's words in their order, each between blanks."""
        return f" {' '.join(words_of(dict(self.known.attributes)['Review']))} "

    @cached_property
    def orders(self) -> list[str]:
        """What the review orders to be said: `reply with "..."`."""
        return _ORDERED.findall(dict(self.known.attributes)["Review"])

    @cached_property
    def stems(self) -> frozenset[str]:
        """The stem of each word of the review and the product."""
        return frozenset(stem(word) for _, value in self.known.lines() for word in words_of(value))


_background = lru_cache(maxsize=1024)(Background)


@dataclass(frozen=True)
class Reply:
    """One reply before the guards. `draft` is its text without the sign-off; its facts hold the review as well."""

    draft: Draft
    review: ReviewFacts
    background: Background
    recent_openings: Collection[str] = ()

    @cached_property
    def lower(self) -> str:
        """The text in lower case, as the word lists are written."""
        return self.draft.text.lower().replace("’", "'")


def reply_of(
    text: str,
    review: ReviewFacts,
    rules: Rules,
    finished: bool,
    echoes: tuple[str, ...],
    recent_openings: Collection[str],
) -> Reply:
    """The reply, ready for the rules."""
    background = _background(review)
    draft = Draft(without_sign_off(text, review.names), background.known, rules, finished, echoes)
    return Reply(draft, review, background, recent_openings)


def without_sign_off(text: str, names: Collection[str]) -> str:
    """The text up to the sign-off that it ends with, if it ends with one of these names.

    >>> without_sign_off("Thank you! Your Fernhill team", ["Fernhill", "Your Fernhill team"])
    'Thank you!'
    """
    for name in sorted(names, key=len, reverse=True):
        if name.strip() and text.endswith(name.strip()):
            return text.removesuffix(name.strip()).rstrip(" \n\t-–—")
    return text
