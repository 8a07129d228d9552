"""Intervals and tests against published values; what is drawn by chance is the same each time."""

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from copydesk.metrics import (
    Interval,
    Paired,
    Ratio,
    Sample,
    cohens_kappa,
    difference_of_proportions,
    more_needed,
    normal_interval,
    normal_p,
    place,
    sign_test,
    two_proportions,
    wilson,
)


@pytest.mark.parametrize(
    ("hits", "of", "low", "high"), [(9, 10, 0.5958, 0.9821), (0, 10, 0.0, 0.2775), (10, 10, 0.7225, 1.0)]
)
def test_the_interval_of_a_share_is_wilsons(hits: int, of: int, low: float, high: float) -> None:
    found = wilson(hits, of)
    assert found
    assert (found.low, found.high) == pytest.approx((low, high), abs=1e-4)
    assert wilson(0, 0) is None


@given(st.integers(1, 500).flatmap(lambda of: st.tuples(st.integers(0, of), st.just(of))))
def test_the_interval_of_a_share_holds_the_share(counts: tuple[int, int]) -> None:
    hits, of = counts
    found = wilson(hits, of)
    assert found
    assert 0 <= found.low <= hits / of <= found.high <= 1


def test_the_interval_of_a_difference_is_newcombes() -> None:
    found = difference_of_proportions(56, 70, 48, 80)  # Newcombe 1998, table II (a), method 10
    assert found
    assert (found.low, found.high) == pytest.approx((0.0524, 0.3339), abs=1e-4)
    assert found.excludes_zero
    assert difference_of_proportions(1, 2, 0, 0) is None


def test_few_counts_are_tested_exactly_and_many_by_the_normal_distribution() -> None:
    assert two_proportions(3, 4, 1, 4) == pytest.approx(34 / 70)  # Fisher's lady tasting tea
    assert two_proportions(0, 10, 5, 10) == pytest.approx(2 * math.comb(10, 5) / math.comb(20, 5))
    assert two_proportions(10, 10, 5, 10) == pytest.approx(2 * math.comb(10, 5) / math.comb(20, 5))
    assert two_proportions(30, 1000, 55, 1000) == pytest.approx(0.00559, abs=1e-5)
    assert two_proportions(0, 0, 5, 10) == 1.0


def test_three_sales_of_a_million_impressions_are_tested_exactly_too() -> None:
    assert two_proportions(0, 1_000_000, 3, 1_000_000) == pytest.approx(0.25, abs=1e-3)


def test_the_sign_test_is_the_exact_binomial_one() -> None:
    assert sign_test(8, 2) == pytest.approx(112 / 1024)
    assert sign_test(0, 10) == pytest.approx(2 / 1024)
    assert sign_test(5, 5) == 1.0
    assert sign_test(0, 0) == 1.0


def test_the_normal_distribution_is_that_of_the_tables() -> None:
    assert normal_p(1.959964) == pytest.approx(0.05, abs=1e-6)
    assert normal_p(-1.959964) == pytest.approx(0.05, abs=1e-6)
    found = normal_interval(1.0, 0.1)
    assert (found.low, found.high) == pytest.approx((1 - 0.1959964, 1 + 0.1959964))


def test_half_the_difference_takes_four_times_the_data() -> None:
    just_enough = 1.959964 + 0.841621  # standard errors, for a power of 80 %
    assert more_needed(just_enough, 1.0) == pytest.approx(1.0, abs=1e-4)
    assert more_needed(just_enough / 2, 1.0) == pytest.approx(4.0, abs=1e-4)
    assert more_needed(-just_enough / 2, 1.0) == pytest.approx(4.0, abs=1e-4)
    assert more_needed(9.0, 1.0) == 1.0
    assert more_needed(0.0, 1.0) is None


def test_kappa_is_cohens() -> None:
    pairs = [("y", "y")] * 20 + [("y", "n")] * 5 + [("n", "y")] * 10 + [("n", "n")] * 15
    assert cohens_kappa(pairs) == pytest.approx(0.4)
    assert cohens_kappa([("y", "n"), ("n", "y")]) == pytest.approx(-1.0)
    assert cohens_kappa([("y", "y")]) is None
    assert cohens_kappa([]) is None


def test_a_difference_that_is_always_the_same_has_no_width() -> None:
    found = Paired()
    for number in range(5):
        found.add(number + 2.0, number)
    assert (found.difference, found.interval(), found.pairs) == (2.0, Interval(2.0, 2.0), 5)


def test_the_paired_interval_is_about_what_theory_says_and_the_same_each_time() -> None:
    chance = random.Random(3)
    found = Paired()
    for _ in range(4000):  # more than there are buckets
        found.add(chance.gauss(0.1, 1.0), 0.0)
    interval = found.interval()
    assert interval
    assert found.pairs == 4000
    assert interval == found.interval()
    assert found.difference == pytest.approx((interval.low + interval.high) / 2, abs=0.005)
    assert interval.high - interval.low == pytest.approx(2 * 1.96 / math.sqrt(4000), rel=0.1)


def test_one_pair_has_a_difference_and_no_interval_and_none_has_neither() -> None:
    found = Paired()
    assert (found.difference, found.interval()) == (None, None)
    found.add(1.0, 0.5)
    assert (found.difference, found.interval()) == (0.5, None)


def test_the_rate_of_two_products_varies_as_their_rates_do() -> None:
    found = Ratio()
    for hits in (10, 20):
        found.add(100, hits)
    assert found.rate == 0.15
    assert found.variance == pytest.approx((0.05**2 + 0.05**2) / 2)  # that of the mean of 0.1 and 0.2


def test_a_rate_of_one_product_or_of_none_has_no_variance() -> None:
    found = Ratio()
    assert (found.rate, found.variance) == (0.0, math.inf)
    found.add(10, 1)
    assert found.variance == math.inf


@given(st.sets(st.text(max_size=5), max_size=30), st.randoms(use_true_random=False))
def test_a_sample_does_not_depend_on_the_order_of_the_stream(keys: set[str], chance: random.Random) -> None:
    one, other = Sample[str](5), Sample[str](5)
    shuffled = sorted(keys)
    for key in shuffled:
        one.offer(key, key)
    chance.shuffle(shuffled)
    for key in shuffled:
        other.offer(key, key)
    assert list(one) == list(other)
    assert len(one) == min(5, len(keys))


def test_another_seed_draws_another_sample() -> None:
    drawn = []
    for seed in (1, 2):
        sample = Sample[int](10, seed)
        for number in range(1000):
            sample.offer(str(number), number)
        drawn.append(set(sample))
    assert len(drawn[0] & drawn[1]) < 5


def test_places_are_spread_evenly_and_tell_words_apart() -> None:
    places = [place("name", f"sku{number}") for number in range(1000)]
    assert all(0 <= one < 1 for one in places)
    assert sum(one < 0.3 for one in places) == pytest.approx(300, abs=45)
    assert place("a", "b") != place("ab", "")
