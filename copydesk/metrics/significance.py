"""Whether a difference is more than chance, and how large it may be; levels are of 95 % and tests two-sided."""

import math
from dataclasses import dataclass
from statistics import NormalDist

CONFIDENCE = 0.95

POWER = 0.8
"""Of the experiments that look for a real difference so many shall find it."""

FEW = 5
"""Expected in a cell: below it the normal distribution is no good (Cochran 1954), and Fisher's test is exact."""

_NORMAL = NormalDist()


@dataclass(frozen=True, slots=True)
class Interval:
    """What the true value lies in, in 95 of 100 such samples."""

    low: float
    high: float

    @property
    def excludes_zero(self) -> bool:
        return self.low > 0 or self.high < 0


def wilson(hits: int, of: int) -> Interval | None:
    """The interval of a share: Wilson 1927. Good for few trials and for shares near 0 or 1; None for none."""
    if not of:
        return None
    z = _z()
    share, width = hits / of, z * z / of
    middle = (share + width / 2) / (1 + width)
    half = z / (1 + width) * math.sqrt(share * (1 - share) / of + width / (4 * of))
    return Interval(middle - half if hits else 0.0, middle + half if hits < of else 1.0)


def difference_of_proportions(hits: int, of: int, other_hits: int, other_of: int) -> Interval | None:
    """The interval of one share less another of other things: Newcombe 1998, method 10; None where one is of none."""
    one, other = wilson(hits, of), wilson(other_hits, other_of)
    if one is None or other is None:
        return None
    first, second = hits / of, other_hits / other_of
    below = math.hypot(first - one.low, other.high - second)
    above = math.hypot(one.high - first, second - other.low)
    return Interval(first - second - below, first - second + above)


def two_proportions(hits: int, of: int, other_hits: int, other_of: int) -> float:
    """The p-value of two shares being one: a pooled z-test, or Fisher's where a count is small; 1.0 without trials."""
    if not of or not other_of:
        return 1.0
    pooled = (hits + other_hits) / (of + other_of)
    if min(pooled, 1 - pooled) * min(of, other_of) < FEW:
        return _fisher(hits, of, other_hits, other_of)
    error = math.sqrt(pooled * (1 - pooled) * (1 / of + 1 / other_of))
    return normal_p((hits / of - other_hits / other_of) / error)


def _fisher(hits: int, of: int, other_hits: int, other_of: int) -> float:
    """Fisher 1935: the chance of this table or of a rarer one with the same sums."""
    total = hits + other_hits
    if total * 2 > of + other_of:  # misses are as good, and are fewer
        return _fisher(of - hits, of, other_of - other_hits, other_of)
    chances = [
        math.exp(_log_choose(of, first) + _log_choose(other_of, total - first) - _log_choose(of + other_of, total))
        for first in range(max(0, total - other_of), min(of, total) + 1)
    ]
    seen = chances[hits - max(0, total - other_of)] * (1 + 1e-7)
    return min(1.0, math.fsum(chance for chance in chances if chance <= seen))


def _log_choose(of: int, some: int) -> float:
    return math.lgamma(of + 1) - math.lgamma(some + 1) - math.lgamma(of - some + 1)


def sign_test(wins: int, losses: int) -> float:
    """The p-value of wins and losses being as likely: the exact binomial test (Arbuthnot 1710); ties do not count.

    The same test is McNemar's, where each is a pair of which only one side is right.
    """
    of, fewer = wins + losses, min(wins, losses)
    log_half = of * math.log(0.5)
    tail = math.fsum(math.exp(_log_choose(of, some) + log_half) for some in range(fewer + 1))
    return min(1.0, 2 * tail)


def normal_p(z: float) -> float:
    """The p-value of a difference of z standard errors."""
    return 2 * (1 - _NORMAL.cdf(abs(z)))


def normal_interval(value: float, error: float) -> Interval:
    """The interval of a value whose standard error is known."""
    return Interval(value - _z() * error, value + _z() * error)


def more_needed(difference: float, error: float) -> float | None:
    """How many times the data there is it takes to see a difference of this size, 1.0 for enough; None for no end.

    With a power of 80 %. The standard error shrinks with the root of the data; the difference is taken as it is.
    """
    if not difference:
        return None
    wanted = _z() + _NORMAL.inv_cdf(POWER)
    return max(1.0, (wanted * error / difference) ** 2)


def _z() -> float:
    return _NORMAL.inv_cdf((1 + CONFIDENCE) / 2)
