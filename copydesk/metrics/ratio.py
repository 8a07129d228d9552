"""A rate over things that each bring trials and hits of their own, such as products with impressions and sales."""

import math
from dataclasses import dataclass


@dataclass(slots=True)
class Ratio:
    """Sums over things; `variance` is that of the rate where things, not trials, were drawn at random.

    The trials of one product are alike: taken as independent they promise far too narrow an interval.
    """

    things: int = 0
    trials: int = 0
    hits: int = 0
    _trials_squared: int = 0
    _products: int = 0
    _hits_squared: int = 0

    def add(self, trials: int, hits: int) -> None:
        self.things += 1
        self.trials += trials
        self.hits += hits
        self._trials_squared += trials * trials
        self._products += trials * hits
        self._hits_squared += hits * hits

    @property
    def rate(self) -> float:
        return self.hits / self.trials if self.trials else 0.0

    @property
    def variance(self) -> float:
        """By the delta method (Deng, Knoblich and Lu 2018); infinite under two things, or without a trial."""
        if self.things < 2 or not self.trials:
            return math.inf
        rate = self.rate
        squares = self._hits_squared - 2 * rate * self._products + rate * rate * self._trials_squared
        return max(squares, 0.0) / self.trials**2 * self.things / (self.things - 1)
