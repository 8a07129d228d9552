"""facts.numbers: a number may be said only as the facts say it."""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from copydesk.guards import attribution, quantities
from copydesk.guards.draft import Draft, Sheet
from copydesk.guards.quantities import Measure, Numbers, Quantity
from copydesk.guards.units import UNITS
from copydesk.model import Reason

_NAMED_UNIT = re.compile(r"[(（\[]\s*([^)）\]]+?)\s*[)）\]]|\b(\w{3,})\b")
_CLOTHING_SIZE = re.compile(r"(?<![A-Za-zÀ-ÿ0-9'’.-])(?:X{0,4}S|M|X{0,4}L)(?![A-Za-zÀ-ÿ0-9'’-])")
# "measures 320 g": the number is a fact, but of something else.
_MISMEASURED = re.compile(
    r"\b(?:measur(?:es?|ing) (?:about )?[\d.,]+ ?(?:m?g|kg|grams?|kilograms?|oz|lbs?|ml|l|litres?|liters?)"
    r"|weigh(?:s|ing)? (?:about )?[\d.,]+ ?(?:[cm]?m|inch(?:es)?|ml|l|litres?|liters?))\b"
)
_LISTED = re.compile(r"\s*[,，、;；]\s*")
_SAMPLES = ("样", "种", "款", "项", "档")
"""两样, 三款: Chinese measure words that count whatever was listed."""
_CLAUSE_ENDS = re.compile(r"\s*(?:[,.;:!?，。；：！？、](?!\d)|$)")
_STEM = 4
"""Letters that "colours" shares with "Color" and "pockets" with "Pocket"."""

SIZES = frozenset({"xxs", "xs", "s", "m", "l", "xl", "xxl", "xxxl", "xxxxl"})
_TOKENS = re.compile(r"[a-z0-9]+")


@dataclass(frozen=True, slots=True)
class Known:
    """The numbers of one product's facts: single ones, those of sizes such as 45 x 55 cm, and model numbers.

    `counts` holds how many values a fact lists, or what they add up to, with the beginning of the fact's name: a fact
    "Colour: Sand, Moss" lets a text say "two colours", and "Ports: 2 USB-C, 1 USB-A" lets it say "three ports".
    """

    measures: frozenset[Measure]
    groups: tuple[Counter[Measure], ...]
    models: frozenset[str]
    counts: frozenset[tuple[str, float]]


def numbers(draft: Draft) -> Iterator[Reason]:
    """Every number, with its unit, is one of the facts'; one joined by "x" belongs to one size of the facts."""
    yield from _clothing_sizes(draft)
    mismeasured = _MISMEASURED.search(draft.text)
    if mismeasured:
        span = mismeasured.group()
        yield Reason("facts.numbers", f'says "{span}", but a size is no weight and a weight no size', span)
    said = quantities.read(draft.body)
    if not said.groups and not said.models:
        return
    known = known_numbers(draft.sheet)
    for model in said.models:
        if _squashed(model) not in known.models:
            yield Reason("facts.numbers", f'says "{model}", which the facts do not', model)
    unit = ""
    for group in said.groups:
        # "Cold for 24 hours and hot for 12."
        if unit and not group[0].unit and _CLAUSE_ENDS.match(group[0].after):
            group[0].unit, group[0].borrowed = unit, True
        unit = group[-1].unit
        yield from _judge_group(group, known)
        if len(group) == 1 and (holder := attribution.misplaced(group[0], draft.sheet)):
            span = group[0].span
            yield Reason("facts.numbers", f'speaks of "{span}" as of something else than "{holder}"', span)
    yield from _listed_twice(said)


@lru_cache(maxsize=4096)
def known_numbers(sheet: Sheet) -> Known:
    """The numbers of the facts, read once per product."""
    measures: set[Measure] = set()
    groups: list[Counter[Measure]] = []
    models: set[str] = set()
    for name, value in sheet.facts.lines():
        read = quantities.read(value)
        models.update(_model_words(value))
        named = _unit_of(name)
        for group in read.groups:
            for quantity in group:
                if named and not quantity.unit:
                    quantity.unit, quantity.borrowed = named, True
            if len(group) > 1:
                groups.append(Counter(reading for quantity in group for reading in quantity.readings()))
            else:
                measures.update(group[0].readings())
        # "4 to 6 years" lets a text say "from 4 to 6".
        ranges = (one for one in read.lists if any(quantity.borrowed for quantity in one))
        measures.update(("", round(quantity.value, 6)) for one in ranges for quantity in one)
        for group in quantities.read(name).groups:
            measures.update(reading for quantity in group for reading in quantity.readings())
    return Known(frozenset(measures), tuple(groups), frozenset(models), frozenset(_counts(sheet)))


def _counts(sheet: Sheet) -> Iterator[tuple[str, float]]:
    for name, value in sheet.facts.attributes:
        listed = [part for part in _LISTED.split(value) if part]
        if len(listed) > 1:
            numbers_first = [group[0] for part in listed for group in quantities.read(part).groups[:1]]
            yield name.casefold()[:_STEM], float(len(listed))
            yield name.casefold()[:_STEM], sum(quantity.value for quantity in numbers_first if not quantity.unit)


def _clothing_sizes(draft: Draft) -> Iterator[Reason]:
    if draft.vocabulary.isdisjoint(SIZES):
        return
    for sentence in draft.sentences:
        said = _CLOTHING_SIZE.findall(sentence)
        for size in dict.fromkeys(said):
            if size.casefold() not in draft.sheet.words:
                yield Reason("facts.numbers", f'says size "{size}", which the facts do not', size)
            elif said.count(size) > 1:
                yield Reason("shape.finished", f'lists size "{size}" twice', size)


def _judge_group(group: list[Quantity], known: Known) -> Iterator[Reason]:
    unknown = [quantity for quantity in group if not _anywhere(quantity, known) and not _counts_a_list(quantity, known)]
    for quantity in unknown:
        yield Reason("facts.numbers", f'says "{quantity.span}", which the facts do not', quantity.span)
    if len(group) > 1 and not unknown and not _one_size(group, known):
        span = " x ".join(quantity.span for quantity in group)
        yield Reason("facts.numbers", f'says "{span}", but the facts hold no such size', span)


def _anywhere(quantity: Quantity, known: Known) -> bool:
    readings = list(quantity.readings())
    return any(reading in known.measures for reading in readings) or any(
        reading in group for group in known.groups for reading in readings
    )


def _counts_a_list(quantity: Quantity, known: Known) -> bool:
    """ "Three colours" of a fact that lists three, 两样 of any list of two."""
    if quantity.unit and not quantity.borrowed:
        return False
    sampled = quantity.after.startswith(_SAMPLES)
    counted = quantity.after[:12] if quantity.after.isascii() else quantity.after
    return any(value == quantity.value and (sampled or name in counted) for name, value in known.counts)


def _one_size(group: list[Quantity], known: Known) -> bool:
    """The facts hold this size, or its sides one by one (Width: 45 cm, Height: 55 cm). "2 x 2 l" is neither."""
    if any(_fits(group, size) for size in known.groups):
        return True
    return all(
        any(reading in known.measures and reading[0] in {"", "length"} for reading in quantity.readings())
        for quantity in group
    )


def _fits(group: list[Quantity], size: Counter[Measure]) -> bool:
    used: Counter[Measure] = Counter()
    for quantity in group:
        reading = next((one for one in quantity.readings() if size[one] > used[one]), None)
        if reading is None:
            return False
        used[reading] += 1
    return True


def _listed_twice(said: Numbers) -> Iterator[Reason]:
    """ "1l, 2l and 2l": a small model that did not know how to end its list."""
    for numbers_in_a_row in said.lists:
        seen: set[Measure] = set()
        for quantity in numbers_in_a_row:
            reading = next(quantity.readings())
            if reading in seen:
                yield Reason("shape.finished", f'lists "{quantity.span}" twice', quantity.span)
                return
            seen.add(reading)


def _unit_of(name: str) -> str:
    """The unit that an attribute's name carries: "Weight (g)", "Battery life hours"."""
    for bracketed, word in _NAMED_UNIT.findall(name.casefold()):
        unit = str(bracketed or word)
        if unit in UNITS:
            return unit
    return ""


def _model_words(value: str) -> Iterator[str]:
    """Each word, and each two or three in a row as one: "XR 500" may be written XR-500."""
    words = _TOKENS.findall(value.casefold())
    for length in (1, 2, 3):
        for start in range(len(words) - length + 1):
            yield "".join(words[start : start + length])


def _squashed(model: str) -> str:
    return "".join(_TOKENS.findall(model.casefold()))
