"""Numbers in running text: with their unit, as digits, fractions or words, and model numbers."""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field

from copydesk.guards.units import AMBIGUOUS, UNITS

Measure = tuple[str, float]
"""Kind ("" for none) and amount in the kind's base unit, rounded so that 2.54 cm and 1 in are one."""


@dataclass(slots=True)
class Quantity:
    """One number as the text writes it.

    Attributes:
        span: the words it was read from.
        value: the bare number.
        unit: the spelling of its unit, "" for none.
        borrowed: the unit was taken from a later number of the same list ("1, 2.5 and 5 litres").
        before, after: the few characters of the text beside it, in lower case.
    """

    span: str
    value: float
    unit: str
    borrowed: bool = field(default=False)
    before: str = field(default="")
    after: str = field(default="")

    def readings(self) -> Iterator[Measure]:
        """What it may mean: one reading, or two where the unit is ambiguous or borrowed."""
        if self.unit:
            kind, factor = UNITS[self.unit]
            yield kind, round(self.value * factor, 6)
        if not self.unit or self.borrowed or self.unit in AMBIGUOUS:
            yield "", round(self.value, 6)


@dataclass(slots=True)
class Numbers:
    """All numbers of a text.

    Attributes:
        groups: numbers joined by "x" (45 x 55 cm) stand in one group, every other in a group of its own.
        lists: numbers parted by a comma or "and" (1, 2.5 and 5 l) stand in one list.
        models: words of letters and digits.
    """

    groups: list[list[Quantity]] = field(default_factory=list)
    lists: list[list[Quantity]] = field(default_factory=list)
    models: list[str] = field(default_factory=list)


_ONES = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
_TEENS = ("thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen")
_TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_UNDER_HUNDRED = {word: number for number, word in enumerate((*_ONES, *_TEENS), start=1)} | {
    word: number * 10 for number, word in enumerate(_TENS, start=2)
}
_SCALES = {"hundred": 100, "thousand": 1000, "million": 1_000_000, "dozen": 12}
_WORD = "|".join(sorted([*_UNDER_HUNDRED, *_SCALES], key=len, reverse=True))
_SHARES = {"quarter": 0.25, "quarters": 0.25, "third": 1 / 3, "thirds": 1 / 3}
_BESIDE = 24
"""Characters in which the noun that a number counts, or is the measure of, is looked for."""

_ZH_DIGITS = dict(zip("零〇一二两三四五六七八九", (0, 0, 1, 2, 2, 3, 4, 5, 6, 7, 8, 9), strict=True))
_ZH_SCALES = {"十": 10, "百": 100, "千": 1000, "万": 10_000}
_ZH_COUNTED = "[个只件双支瓶盒袋片层档种款色口包罐卷条块粒颗张套枚倍挡折页位人寸样杯壶格孔键骨岁组对根本台份碗盘勺滴]"
_ZH_ONE_IS_NONE = frozenset({"年", "天", "日", "月", "个月", "周", "星期", "度", "块钱"})
"""一年四季, 半天: said of nothing measured."""

_BY_LENGTH = sorted(UNITS, key=len, reverse=True)
_UNIT = "|".join(re.escape(unit).replace(r"\ ", r"[\s-]?") for unit in _BY_LENGTH)
_UNIT_ZH = "|".join(unit for unit in _BY_LENGTH if not unit.isascii() and unit.isalpha())

_MODEL = r"(?<![a-z0-9])[a-z]+-?\d[a-z0-9]*(?:-[a-z0-9]*\d[a-z0-9]*)*"
_DIGITS = r"(?<![\d.])(?:\d+[ -]\d+/\d+|\d+/\d+|\d{1,3}(?:,\d{3})+(?!\d)(?:\.\d+)?|\d+(?:\.\d+)?|\.\d+)"
_IN_WORDS = (
    rf"(?:(?:one|two|three)[\s-])?(?:quarters?|thirds?)(?=\s(?:of\s)?an?\s(?:{_UNIT})\b)"
    rf"|half\sa\sdozen|(?:half(?=[\s-](?:an?\s)?(?:{_UNIT})\b)|{_WORD})(?:[\s-](?:and\s)?(?:{_WORD}))*(?:\sand\sa\shalf)?"
)
# A Chinese numeral counts only before a unit or a measure word: 三明治, 四季, 十分 and 万能 are no numbers.
# 周六 is a day, and 第二 comes second.
_IN_CHINESE = (
    rf"(?<![周第])[零〇一二两三四五六七八九十百千万]{{1,12}}(?=\s?(?:{_UNIT_ZH}|{_ZH_COUNTED}))|半(?=个?(?:{_UNIT_ZH}))"
)
_NUMBER = re.compile(
    rf"""
    (?P<model>{_MODEL})
  | (?P<money>[$€£¥])?\ ?
    (?: (?P<digits>{_DIGITS})(?P<myriad>\ ?万)? | \b(?P<words>{_IN_WORDS})\b
      | 百分之(?P<percent>[零〇一二两三四五六七八九十百]{{1,8}}) | (?P<zh>{_IN_CHINESE}) )
    (?P<more>个半(?={_UNIT_ZH}))?
    (?: (?:\s(?:of\s)?an?\s|\s?-?\s?)(?P<unit>{_UNIT})(?![a-z0-9])(?P<half>半)? | (?P<glued>[a-z][a-z0-9]*) )?
    """,
    re.VERBOSE,
)
_JOINT = re.compile(r"\s*(?:(?P<by>x|×|\*|by)|,(?:\s*(?:and|or))?|、|和|或|至|到|~|～|-|–|—|/|and|or|to|&)\s*")

# Where a number may begin. The long pattern is tried there only: tried everywhere, it cost four times all other guards.
_BEGIN = re.compile(r"(?<![a-z0-9])[a-z]++-?\d|[$€£¥.]?\d|[$€£¥]|百分之|[零〇一二两三四五六七八九十百千万半]")
_BEGIN_IN_WORDS = re.compile(rf"{_BEGIN.pattern}|\b(?:{_WORD}|half|quarters?|thirds?)\b")
_LATIN = re.compile(r"[a-z]+")
NUMBER_WORDS = frozenset({*_UNDER_HUNDRED, *_SCALES, *_SHARES, "half"})


def read(text: str) -> Numbers:
    """Every number of the text, in order.

    >>> [(q.span, q.unit) for group in read("45 x 55cm, or 1-9/16 in").groups for q in group]
    [('45', 'cm'), ('55cm', 'cm'), ('1-9/16 in', 'in')]
    """
    numbers = Numbers()
    plain = _plain(text)
    chain: list[tuple[Quantity, bool]] = []
    end = -1
    written = text if len(text) == len(plain) else plain
    for found in _numbers_in(plain):
        span = written[found.start() : found.end()].strip()
        quantity = _prefixed(found["model"], span) if found["model"] else _quantity(found, span)
        if quantity is None:
            continue
        if isinstance(quantity, str):
            numbers.models.append(quantity)
            continue
        quantity.before = plain[max(0, found.start() - _BESIDE) : found.start()]
        quantity.after = plain[found.end() : found.end() + _BESIDE]
        joint = _JOINT.fullmatch(plain, end, found.start()) if chain else None
        if chain and joint is None:
            _close(chain, numbers)
            chain = []
        chain.append((quantity, bool(joint and joint["by"])))
        end = found.end()
    _close(chain, numbers)
    return numbers


def _numbers_in(plain: str) -> Iterator[re.Match[str]]:
    begin = _BEGIN if NUMBER_WORDS.isdisjoint(_LATIN.findall(plain)) else _BEGIN_IN_WORDS
    end = 0
    for place in begin.finditer(plain):
        if place.start() < end:
            continue
        if found := _NUMBER.match(plain, place.start()):
            end = found.end()
            yield found


def _plain(text: str) -> str:
    """Full-width digits, vulgar fractions and superscripts as plain characters; lower case."""
    text = re.sub(r"(?<=\d)([¼-¾⅐-⅞])", r" \1", text)
    return unicodedata.normalize("NFKC", text).replace("⁄", "/").replace("’", "'").casefold()


def _prefixed(token: str, span: str) -> Quantity | str:
    """ "size-40" is a word and a number; "xr-500" is a model."""
    word, dash, digits = token.partition("-")
    return Quantity(span, float(digits), "") if dash and len(word) > 3 and digits.isdigit() else span


def _quantity(found: re.Match[str], span: str) -> Quantity | str | None:
    """The number found; as text when it is a model number ("4k"), None when it counts nothing ("one of")."""
    if found["glued"]:
        return span
    unit = "%" if found["percent"] else re.sub(r"[\s-]+", " ", found["unit"] or "") or (found["money"] or "")
    # "one of", "no one", "this one": a pronoun, unless something is measured with it.
    if found["words"] == "one" and (not unit or unit in AMBIGUOUS):
        return None
    if found["zh"] in {"一", "半"} and not found["more"] and (not unit or unit in _ZH_ONE_IS_NONE):
        return None
    if found["zh"] == "一" and found.string[found.start() - 1 : found.start()] == unit[:1]:
        return None  # 折一折
    # "No two are alike."
    if found["words"] and not unit and found.string.endswith("no ", 0, found.start()):
        return None
    return Quantity(span, _value(found) + (0.5 if found["more"] or found["half"] else 0.0), unit)


def _value(found: re.Match[str]) -> float:
    if found["digits"]:
        return _from_digits(found["digits"]) * (10_000 if found["myriad"] else 1)
    if found["words"]:
        return _from_words(found["words"])
    if found["zh"] == "半":
        return 0.5
    return float(_from_chinese(found["zh"] or found["percent"]))


def _from_digits(digits: str) -> float:
    whole, _, fraction = digits.replace("-", " ").rpartition(" ")
    if "/" in fraction:
        top, bottom = fraction.split("/")
        return float(whole or 0) + (float(top) / float(bottom) if float(bottom) else 0.0)
    return float(digits.replace(",", ""))


def _from_words(words: str) -> float:
    if words == "half a dozen":
        return 6.0
    total = current = 0.0
    for word in re.split(r"[\s-]+", words):
        if word == "half":
            return total + current + 0.5
        if word in _SHARES:
            return max(current, 1.0) * _SHARES[word]
        if word in _SCALES:
            current = max(current, 1.0) * _SCALES[word]
            if _SCALES[word] >= 1000:
                total, current = total + current, 0.0
        else:
            current += _UNDER_HUNDRED.get(word, 0)
    return total + current


def _from_chinese(numeral: str) -> int:
    if not any(sign in _ZH_SCALES for sign in numeral):
        return int("".join(str(_ZH_DIGITS[sign]) for sign in numeral))
    total = section = digit = 0
    for sign in numeral:
        if sign in _ZH_DIGITS:
            digit = _ZH_DIGITS[sign]
        elif sign == "万":
            total, section, digit = (total + section + digit) * 10_000, 0, 0
        else:
            section, digit = section + max(digit, 1) * _ZH_SCALES[sign], 0
    return total + section + digit


def _close(chain: list[tuple[Quantity, bool]], numbers: Numbers) -> None:
    """End a list of numbers: those without a unit borrow the next one's, and those joined by "x" make one group."""
    unit = ""
    for quantity, _ in reversed(chain):
        if quantity.unit:
            unit = quantity.unit
        elif unit:
            quantity.unit, quantity.borrowed = unit, True
    for quantity, joined in chain:
        if joined:
            numbers.groups[-1].append(quantity)
        else:
            numbers.groups.append([quantity])
    if not any(joined for _, joined in chain):
        numbers.lists.append([quantity for quantity, _ in chain])
