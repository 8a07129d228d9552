"""facts.numbers: a number stands beside the name of its own fact, not of another: no "drop of 240 g" of a weight."""

import re
from functools import lru_cache

from copydesk.guards import quantities
from copydesk.guards.draft import Sheet
from copydesk.guards.quantities import Measure, Quantity

_KINDS = {
    "weight": ("weight weighs weighing weigh", "heavy", "重量 净重 毛重 自重 (?<![承载负称])重"),
    "length": ("length", "long", "长度 全长"),
    "width": ("width breadth", "wide across", "宽度"),
    "height": ("height", "high tall", "高度"),
    "depth": ("depth", "deep", "深度"),
    "thickness": ("thickness", "thick", "厚度"),
    "diameter": ("diameter", "", "直径 口径"),
    "capacity": ("capacity volume", "", "容量 容积"),
    "load": ("load", "", "承重 载重 负重"),
    "drop": ("drop", "", "落差"),
    "power": ("power wattage", "", "功率"),
}
"""What a number may be the measure of: as a noun or a verb, as an adjective after the number, and in Chinese."""

_HOLDS = ("capacity", "load")
"""A washing machine's load is its capacity, and a rack's weight capacity its load."""

_NOUN_OF = {word: kind for kind, (nouns, _, _) in _KINDS.items() for word in nouns.split()}
_WORD_OF = _NOUN_OF | {word: kind for kind, (_, adjectives, _) in _KINDS.items() for word in adjectives.split()}
_CHINESE = {kind: re.compile("|".join(words.split())) for kind, (_, _, words) in _KINDS.items()}

_BEFORE = re.compile(
    rf"\b({'|'.join(_NOUN_OF)})(?: (?:is|of|at|about|around|approximately|roughly|only|just|an?|up|to|the))*[ :]*$"
)
_AFTER = re.compile(rf"[ -]?(?:in )?({'|'.join(_WORD_OF)})\b(?!-)")  # not of "500 W high-speed"
_ANY_ZH = "|".join(word for _, _, words in _KINDS.values() for word in words.split())
_BEFORE_ZH = re.compile(rf"({_ANY_ZH})(?:[为是约达有仅在只可：:]|大约)*\s*$")


def misplaced(quantity: Quantity, sheet: Sheet) -> str:
    """The fact that holds the number, where the text names another kind of measure beside it; "" if all is well.

    A fact whose name is of no kind ("Size", "Cable") may be told as any.
    """
    kind = _kind_beside(quantity)
    if not kind:
        return ""
    readings = set(quantity.readings())
    holders = [(name, kinds) for name, kinds, measures in _measured(sheet) if not readings.isdisjoint(measures)]
    if not holders or any(not kinds or kind in kinds for _, kinds in holders):
        return ""
    return holders[0][0]


def _kind_beside(quantity: Quantity) -> str:
    if before := _BEFORE.search(quantity.before):
        return _NOUN_OF[before[1]]
    if after := _AFTER.match(quantity.after):
        return _WORD_OF[after[1]]
    if quantity.before.isascii():
        return ""
    chinese = _BEFORE_ZH.search(quantity.before)
    return next((kind for kind, names in _CHINESE.items() if names.search(chinese[0])), "") if chinese else ""


@lru_cache(maxsize=4096)
def _measured(sheet: Sheet) -> list[tuple[str, frozenset[str], frozenset[Measure]]]:
    """Every fact with a number: its name, the kinds of measure that its name speaks of, and its numbers."""
    measured = []
    for name, value in sheet.facts.lines():
        groups = quantities.read(value).groups
        measures = frozenset(reading for group in groups for one in group for reading in one.readings())
        if measures:
            measured.append((name, _kinds_of(name.casefold()), measures))
    return measured


def _kinds_of(name: str) -> frozenset[str]:
    if name.isascii():
        kinds = {kind for word in re.findall(r"[a-z]+", name) if (kind := _WORD_OF.get(word))}
    else:
        kinds = {kind for kind, names in _CHINESE.items() if names.search(name)}
    if "diameter" in kinds:  # a pan is as wide as its diameter
        kinds.add("width")
    if not kinds.isdisjoint(_HOLDS):
        kinds.update(_HOLDS)
    return frozenset(kinds)
