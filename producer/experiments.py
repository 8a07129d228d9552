"""Experiments: which products show their new text and which the one from before, and what came of it.

The arm of a product is a hash of the experiment's name and the sku: no table holds it, and whoever asks gets the same.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from copydesk import metrics
from copydesk.errors import InputError
from copydesk.markup import to_html
from copydesk.metrics import Interval, Ratio, place
from copydesk.model import TextFormat
from copydesk.store import Database, evaluating
from copydesk.store.evaluating import Change
from producer import sheets
from producer.catalog.records import Row

NEW, BEFORE, SAME = "new", "before", "same"

ARMS = (BEFORE, NEW)

COLUMNS = ("sku", "arm", "text")

FEW_PRODUCTS = 30
"""In an arm: below it the normal distribution is no good."""

UNSURE = 0.05
"""A p-value from which on nothing is decided."""


@dataclass(frozen=True, slots=True)
class Assigned:
    """How many products each arm has; `same` were passed over, since their new text is the one from before."""

    arms: Mapping[str, int]
    same: int


@dataclass(frozen=True, slots=True)
class Arm:
    """What came of one arm; `interval` is of the rate."""

    products: int
    impressions: int
    conversions: int
    rate: float
    interval: Interval | None


@dataclass(frozen=True, slots=True)
class Results:
    """What came of an experiment.

    Attributes:
        by_product: the file has a line for each product, so that products are what was drawn; else sums of the arms.
        difference: of the rates, new less before; `interval` and `p` are None where there is too little to tell.
        lift: the difference as a share of the rate before.
        more_impressions: of both arms together, until a difference of this size would be seen; None for no end.
    """

    name: str
    by_product: bool
    arms: Mapping[str, Arm]
    difference: float
    interval: Interval | None
    p: float | None
    lift: float | None
    more_impressions: int | None
    problems: Sequence[tuple[int, str]]

    @property
    def decided(self) -> bool:
        return self.p is not None and self.p < UNSURE

    @property
    def has_few_products(self) -> bool:
        return self.by_product and any(arm.products < FEW_PRODUCTS for arm in self.arms.values())


def arm_of(name: str, sku: str, share: float) -> str:
    """The arm of a product.

    Args:
        name: the experiment's.
        sku: the product's key.
        share: how much of the shop shows its new text, 0 to 1; a larger one moves products from before to new only.

    >>> {arm_of("mugs", "sku7", share) for share in (0.0, 1.0)} == {BEFORE, NEW}
    True
    """
    return NEW if place(name, sku) < share else BEFORE


# Assigning -----------------------------------------------------------------------------------------------------------


def assign(database: Database, shop: str, kind: str, name: str, file: Path, *, share: float) -> Assigned:
    """Write for every product with a text before and a new one which of them it shows. Raises InputError for none."""
    arms: Counter[str] = Counter()
    with database.read() as connection:
        chosen = evaluating.of_shop(connection, shop, kind)
        with closing(evaluating.changes(connection, chosen)) as changes:
            lines = _lines(((change, _new(change)) for change in changes), name, share, arms)
            first = next(lines, None)
            if first is None:
                raise InputError(
                    f"{shop} has no {kind} to try: it takes a text that the shop had before, and another one that is "
                    "ready, approved or published"
                )
            sheets.write(file, COLUMNS, chain([first], lines))
    return Assigned({arm: arms[arm] for arm in ARMS}, arms[SAME])


def _lines(
    found: Iterator[tuple[Change, str]], name: str, share: float, arms: Counter[str]
) -> Iterator[tuple[str, str, str]]:
    for change, new in found:
        if new == change.before:
            arms[SAME] += 1
            continue
        arm = arm_of(name, change.sku, share)
        arms[arm] += 1
        yield change.sku, arm, new if arm == NEW else change.before


def _new(change: Change) -> str:
    """The new text as the shop stores texts."""
    return to_html(change.new) if not change.is_live and change.text_format is TextFormat.HTML else change.new


# Results -------------------------------------------------------------------------------------------------------------


def results(name: str, file: Path, *, share: float) -> Results:
    """What came of an experiment, by a file with impressions and conversions by sku, or by arm.

    Args:
        name: the experiment's, as it was assigned.
        file: a table; of several lines of a product, or of an arm, the numbers add up.
        share: as it was assigned; it says the arm of a sku where the file does not.

    Raises:
        InputError: the file cannot be used.
    """
    problems: list[tuple[int, str]] = []
    rows = sheets.read(file, ("impressions", "conversions"), "a file with impressions and conversions by sku or arm")
    counted: dict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0])
    arms: dict[str, str] = {}
    for row in rows:
        try:
            sku, arm, impressions, conversions = _counts(row, name, share, arms)
        except ValueError as error:
            problems.append((row.line, str(error)))
            continue
        counted[sku, arm][0] += impressions
        counted[sku, arm][1] += conversions
    if not counted:
        raise InputError(f"{file} has no row that can be used{_first(problems)}")
    if len({bool(sku) for sku, _ in counted}) > 1:
        raise InputError(f"{file} has rows with a sku and rows without: write one row per product, or one per arm")
    return _add_up(name, counted, problems)


def _first(problems: Sequence[tuple[int, str]]) -> str:
    return f": row {problems[0][0]}, {problems[0][1]}" if problems else ": it is empty"


def _counts(row: Row, name: str, share: float, arms: dict[str, str]) -> tuple[str, str, int, int]:
    """The sku ("" in sums), the arm, impressions and conversions. Raises ValueError, with the reason for a person."""
    if row.fault:
        raise ValueError(row.fault.message)
    sku, arm = row.get("sku").strip(), row.get("arm").strip().casefold()
    if not sku and not arm:
        raise ValueError("there is neither a sku nor an arm")
    if arm and arm not in ARMS:
        raise ValueError(f"there is no arm {arm!r}: write {' or '.join(ARMS)}")
    impressions, conversions = (_count(row, column) for column in ("impressions", "conversions"))
    if conversions > impressions:
        raise ValueError(f"there are more conversions ({conversions}) than impressions ({impressions})")
    arm = arm or arm_of(name, sku, share)
    if sku and arms.setdefault(sku, arm) != arm:
        raise ValueError(f"{sku} was in the arm {arms[sku]!r} in an earlier row: a product is in one arm")
    return sku, arm, impressions, conversions


def _count(row: Row, column: str) -> int:
    said = row.get(column).strip()
    if not said.isascii() or not said.isdigit():
        raise ValueError(f"{column} is {said!r}: write a whole number, without separators")
    return int(said)


def _add_up(
    name: str, counted: Mapping[tuple[str, str], Sequence[int]], problems: Sequence[tuple[int, str]]
) -> Results:
    ratios = {arm: Ratio() for arm in ARMS}
    for (_, arm), (impressions, conversions) in counted.items():
        ratios[arm].add(impressions, conversions)
    by_product = all(sku for sku, _ in counted)
    judged = _by_product(ratios) if by_product else _by_sums(ratios)
    before, new = ratios[BEFORE], ratios[NEW]
    difference = new.rate - before.rate
    return Results(
        name, by_product, {arm: _arm(ratio, by_product) for arm, ratio in ratios.items()}, difference,
        judged and judged[0], judged and judged[1], difference / before.rate if before.rate else None,
        _more(difference, judged[2], before.trials + new.trials) if judged else None, problems,
    )  # fmt: skip


_Judged = tuple[Interval, float, float] | None
"""The interval of the difference, the p-value, and the standard error; None where there is too little to tell."""


def _by_product(ratios: Mapping[str, Ratio]) -> _Judged:
    error = math.sqrt(sum(ratio.variance for ratio in ratios.values()))
    difference = ratios[NEW].rate - ratios[BEFORE].rate
    if not math.isfinite(error) or not error:
        return None
    return metrics.normal_interval(difference, error), metrics.normal_p(difference / error), error


def _by_sums(ratios: Mapping[str, Ratio]) -> _Judged:
    new, before = ratios[NEW], ratios[BEFORE]
    interval = metrics.difference_of_proportions(new.hits, new.trials, before.hits, before.trials)
    if interval is None:
        return None
    error = math.sqrt(sum(ratio.rate * (1 - ratio.rate) / ratio.trials for ratio in ratios.values()))
    return interval, metrics.two_proportions(new.hits, new.trials, before.hits, before.trials), error


def _arm(ratio: Ratio, by_product: bool) -> Arm:
    interval = metrics.wilson(ratio.hits, ratio.trials)
    if by_product:
        is_known = math.isfinite(ratio.variance)
        interval = metrics.normal_interval(ratio.rate, math.sqrt(ratio.variance)) if is_known else None
    return Arm(ratio.things if by_product else 0, ratio.trials, ratio.hits, ratio.rate, interval)


def _more(difference: float, error: float, impressions: int) -> int | None:
    times = metrics.more_needed(difference, error)
    return None if times is None else math.ceil(impressions * (times - 1))
