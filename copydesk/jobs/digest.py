"""The week in reviews: what customers praise and complain about, what changed, and what to look at first."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from copydesk.model import Opinion, Polarity, Route

QUOTES = 3
"""Quotes for one topic at most."""

LOOKED_AT = 3
"""Complaints that grew, and products, that are named to look at first, at most."""

GRAVE = tuple(Route)[: tuple(Route).index(Route.EMPTY)]
"""The routes that only a person answers, the gravest first."""

_LONG_AGO = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Judged:
    """What the digest needs of one review.

    `rating` is 1 to 5, or None; a review without a product has sku ""; `written_at` has a time zone.
    """

    review: str
    sku: str
    rating: int | None
    polarity: Polarity
    opinions: tuple[Opinion, ...]
    route: Route
    written_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Quote:
    """A sentence as its review has it."""

    review: str
    sentence: str


@dataclass(frozen=True, slots=True)
class Finding:
    """What several reviews say alike of one topic. Shares are of all reviews of a week, 0 to 1."""

    topic: str
    polarity: Polarity
    count: int  # reviews of this week
    before: int  # of last week
    share: float
    share_before: float
    quotes: tuple[Quote, ...]

    @property
    def change(self) -> int:
        return self.count - self.before


@dataclass(frozen=True, slots=True)
class Grave:
    """The reviews of this week that one grave route took, by id."""

    route: Route
    reviews: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Balance:
    """The reviews of one product."""

    sku: str
    reviews: int
    positive: int
    negative: int


@dataclass(frozen=True, slots=True)
class Digest:
    """The content of a week's digest; whatever it counts are reviews.

    `grave`, `growing` and `worst` are what to look at first, in this order: however few the grave ones are they are
    all there, everything else has at least `min_count` reviews. `growing` are complaints, `worst` products that more
    reviews blame than praise.
    """

    reviews: int
    before: int  # reviews of last week
    min_count: int
    polarities: Mapping[Polarity, int]
    polarities_before: Mapping[Polarity, int]
    stars: Mapping[int, int]  # 5 to 1; reviews without stars are in none
    praise: tuple[Finding, ...]
    complaints: tuple[Finding, ...]
    grave: tuple[Grave, ...]
    growing: tuple[Finding, ...]
    worst: tuple[Balance, ...]


def digest(this_week: Iterable[Judged], last_week: Iterable[Judged], *, min_count: int = 3) -> Digest:
    """The digest of a shop's week. A topic that fewer than `min_count` reviews speak of is left out."""
    now, before = list(this_week), list(last_week)
    findings = _findings(now, before, min_count)
    complaints = [one for one in findings if one.polarity is Polarity.NEGATIVE]
    return Digest(
        reviews=len(now),
        before=len(before),
        min_count=min_count,
        polarities=_polarities(now),
        polarities_before=_polarities(before),
        stars={stars: sum(1 for one in now if one.rating == stars) for stars in range(5, 0, -1)},
        praise=tuple(one for one in findings if one.polarity is Polarity.POSITIVE),
        complaints=tuple(complaints),
        grave=_grave(now),
        growing=_growing(complaints),
        worst=_worst(now, min_count),
    )


def _polarities(judged: Sequence[Judged]) -> Mapping[Polarity, int]:
    counts = Counter(one.polarity for one in judged)
    return {polarity: counts[polarity] for polarity in Polarity}


# What is said of the topics ------------------------------------------------------------------------------------------

Said = Mapping[tuple[str, Polarity], Sequence[Quote]]
"""What the reviews say of each topic, a quote from each."""


def _findings(now: Sequence[Judged], before: Sequence[Judged], min_count: int) -> list[Finding]:
    """The most frequent first."""
    said, said_before = _said(now), _said(before)
    found = [
        Finding(
            topic=topic,
            polarity=polarity,
            count=len(quotes),
            before=len(said_before.get((topic, polarity), ())),
            share=len(quotes) / len(now),
            share_before=len(said_before.get((topic, polarity), ())) / len(before) if before else 0.0,
            quotes=_chosen(quotes),
        )
        for (topic, polarity), quotes in said.items()
        if len(quotes) >= min_count
    ]
    return sorted(found, key=lambda one: (-one.count, one.topic))


def _said(judged: Sequence[Judged]) -> Said:
    """One quote of each review, the latest review first."""
    said: dict[tuple[str, Polarity], dict[str, Quote]] = defaultdict(dict)
    for one in sorted(judged, key=lambda one: (one.written_at or _LONG_AGO, one.review), reverse=True):
        for opinion in one.opinions:
            said[opinion.topic, opinion.polarity].setdefault(one.review, Quote(one.review, opinion.sentence))
    return {what: list(quotes.values()) for what, quotes in said.items()}


def _chosen(quotes: Sequence[Quote]) -> tuple[Quote, ...]:
    """The latest, no sentence twice."""
    different: dict[str, Quote] = {}
    for quote in quotes:
        different.setdefault(quote.sentence, quote)
    return tuple(different.values())[:QUOTES]


# What to look at first -----------------------------------------------------------------------------------------------


def _grave(judged: Sequence[Judged]) -> tuple[Grave, ...]:
    taken = [Grave(route, tuple(sorted(one.review for one in judged if one.route is route))) for route in GRAVE]
    return tuple(grave for grave in taken if grave.reviews)


def _growing(complaints: Sequence[Finding]) -> tuple[Finding, ...]:
    grew = [one for one in complaints if one.change > 0]
    return tuple(sorted(grew, key=lambda one: (-one.change, -one.count, one.topic))[:LOOKED_AT])


def _worst(judged: Sequence[Judged], min_count: int) -> tuple[Balance, ...]:
    polarities: dict[str, Counter[Polarity]] = defaultdict(Counter)
    for one in judged:
        if one.sku:
            polarities[one.sku][one.polarity] += 1
    balances = [
        Balance(sku, counts.total(), counts[Polarity.POSITIVE], counts[Polarity.NEGATIVE])
        for sku, counts in polarities.items()
    ]
    blamed = [one for one in balances if one.reviews >= min_count and one.negative > one.positive]
    return tuple(sorted(blamed, key=lambda one: (one.positive - one.negative, one.sku))[:LOOKED_AT])
