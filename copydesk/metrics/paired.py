"""Two figures of the same things, compared thing by thing."""

import math
import random
from itertools import count

from copydesk.metrics.significance import CONFIDENCE, Interval

BUCKETS = 1000
"""Pairs that are drawn by themselves; of more, every thousandth goes into one bucket, and buckets are drawn."""

ROUNDS = 2000


class Paired:
    """The mean of one figure less that of another over the same things, in memory bounded by BUCKETS."""

    def __init__(self) -> None:
        self._next = count()
        self._sums: list[float] = []
        self._sizes: list[int] = []

    def add(self, one: float, other: float) -> None:
        """One thing's two figures; in an order that has nothing to do with them."""
        number = next(self._next)
        if number < BUCKETS:
            self._sums.append(0.0)
            self._sizes.append(0)
        self._sums[number % BUCKETS] += one - other
        self._sizes[number % BUCKETS] += 1

    @property
    def pairs(self) -> int:
        return sum(self._sizes)

    @property
    def difference(self) -> float | None:
        return math.fsum(self._sums) / self.pairs if self._sizes else None

    def interval(self, seed: int = 1) -> Interval | None:
        """Of the difference: the paired bootstrap (Efron 1979), percentiles of seeded rounds; None under two pairs."""
        if len(self._sizes) < 2:
            return None
        draw = random.Random(seed)  # noqa: S311 - the same numbers each time are wanted
        buckets = list(zip(self._sums, self._sizes, strict=True))
        means = sorted(_mean(draw.choices(buckets, k=len(buckets))) for _ in range(ROUNDS))
        outside = round(ROUNDS * (1 - CONFIDENCE) / 2)
        return Interval(means[outside - 1], means[-outside])


def _mean(buckets: list[tuple[float, int]]) -> float:
    return sum(of_bucket for of_bucket, _ in buckets) / sum(size for _, size in buckets)
