"""A second reader of facts and texts, written without the guards: what a text says that the facts do not hold.

>>> beer = {"title": "Pale Ale", "attributes": [["Volume", "0.5 l"], ["Bottle", "Glass"]]}
>>> unsupported(beer, "Pale Ale in a can of 330 ml, half a litre at a time, certified organic.")
['330 ml', 'organic', 'certified']
"""

import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import Any

# Unit: (what it measures, how many of the smallest unit here). Written anew: a fault in the guards' own table shows.
_UNITS: dict[str, tuple[str, Fraction]] = {}


def _unit(kind: str, size: str, *spellings: str) -> None:
    _UNITS.update({spelling: (kind, Fraction(size)) for spelling in spellings})


_unit("volume", "1", "ml", "millilitre", "milliliter", "millilitres", "milliliters", "毫升")
_unit("volume", "10", "cl", "centilitre", "centilitres")
_unit("volume", "1000", "l", "litre", "liter", "litres", "liters", "升", "公升")
_unit("mass", "1/1000", "mg", "milligram", "milligrams", "毫克")
_unit("mass", "1", "g", "gram", "grams", "克")
_unit("mass", "1000", "kg", "kilogram", "kilograms", "kilo", "kilos", "千克", "公斤")
_unit("mass", "500", "斤")
_unit("mass", "1000000", "ton", "tons", "tonne", "tonnes", "吨")
_unit("mass", "28", "oz", "ounce", "ounces", "盎司")
_unit("mass", "454", "lb", "lbs", "pound", "pounds", "磅")
_unit("length", "1", "mm", "millimetre", "millimetres", "毫米")
_unit("length", "10", "cm", "centimetre", "centimetres", "centimeter", "centimeters", "厘米", "公分")
_unit("length", "1000", "m", "metre", "metres", "meter", "meters", "米")
_unit("length", "254/10", "in", "inch", "inches", '"', "英寸", "寸")
_unit("length", "3048/10", "ft", "foot", "feet", "英尺")
_unit("time", "1", "second", "seconds", "秒")
_unit("time", "60", "min", "minute", "minutes", "分钟")
_unit("time", "3600", "h", "hour", "hours", "小时", "个小时")
_unit("time", "86400", "day", "days", "天")
_unit("time", "604800", "week", "weeks", "周")
_unit("months", "1", "month", "months", "个月")
_unit("months", "12", "year", "years", "年")
_unit("power", "1", "w", "watt", "watts", "瓦")
_unit("power", "1000", "kw", "kilowatt", "千瓦")
_unit("heat", "1", "°c", "℃", "度")
_unit("heat f", "1", "°f", "℉")
_unit("share", "1", "%", "percent", "％")
_unit("charge", "1", "mah", "毫安时")
_unit("frequency", "1", "mhz")
_unit("frequency", "1000", "ghz")
_unit("area", "1", "m2", "m²", "㎡", "平方米")

_listed = str.split

_UNDER_TWENTY = _listed(
    "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen"
    " eighteen nineteen"
)
_TENS = _listed("twenty thirty forty fifty sixty seventy eighty ninety")
_DIGIT_WORDS = {word: number for number, word in enumerate(_UNDER_TWENTY, start=1)}
_DIGIT_WORDS |= {word: 10 * number for number, word in enumerate(_TENS, start=2)}
_BIG_WORDS = {"hundred": 100, "thousand": 1000}
_ZH = {sign: value for value, sign in enumerate("零一二三四五六七八九")} | {"两": 2, "〇": 0}
_ZH_BIG = {"十": 10, "百": 100, "千": 1000}

_WORD = "|".join(sorted([*_DIGIT_WORDS, *_BIG_WORDS], key=len, reverse=True))
_UNIT = "|".join(re.escape(unit) for unit in sorted(_UNITS, key=len, reverse=True))
_NUMBER = re.compile(
    rf"""
    (?P<model> (?<![a-z0-9]) [a-z]+-?\d[a-z0-9]* (?:-[a-z0-9]+)*
             | (?<![a-z0-9]) \d+ (?:c|[xk]) \d* [a-z]? \d* (?![a-z0-9]) )
  | (?P<number>
        (?P<mixed> \d+ [ -] \d+ / \d+ | \d+ / \d+ )
      | (?P<digits> \d+ (?:,\d\d\d)* (?:\.\d+)? ) (?P<myriad> 万 )?
      | \b (?: (?P<quarters> one|two|three) \s )? quarters? (?= \s of \s an? \b )
      | \b (?P<half> half ) (?= \s+ an? \b )
      | \b (?P<words> (?:{_WORD}) (?: [\s-] (?:and\s)? (?:{_WORD}) )* ) \b
      | 百分之 (?P<percent> [零一二三四五六七八九十百]+ )
      | (?P<chinese> [零〇一二两三四五六七八九十百千]+ 万? | 半 )
    )
    (?: (?:\s+ (?:of\s)? an? \s+ | [\s-]* ) (?P<unit> {_UNIT} ) (?![a-z0-9]) )?
    """,
    re.VERBOSE,
)
# Chinese numerals stand in so many words (一起, 千万, 十分) that only those of a unit or a measure word are read.
_ZH_MEASURE = tuple("个只件双支瓶盒袋层档种款包卷块颗张套枚页样杯壶格键骨岁色口片")
_DOUBTFUL = {"in", "度", '"'}
"""Spellings that are not always a unit: "spring of 2026 in Fujian"."""

_PRONOUNS = {"one", "一", "半"}

MATERIALS = _listed("""
leather suede cotton wool cashmere silk linen denim velvet satin polyester nylon viscose acrylic canvas neoprene steel
iron aluminium aluminum copper brass bronze titanium chrome zinc platinum oak walnut pine beech teak mahogany bamboo
cedar maple birch spruce rosewood cork rattan wicker jute plastic rubber silicone latex vinyl pvc resin porcelain
ceramic stoneware marble granite slate crystal diamond pearl beeswax sisal kevlar nickel magnesium calfskin fleece horn
carbon-fibre goose-down carbon-steel gold-plated of-gold from-glass of-glass of-bone
""")
"""A hyphen stands for a blank or a hyphen."""

MATERIALS_ZH = _listed("""
不锈钢 真皮 牛皮 羊皮 纯棉 羊毛 羊绒 真丝 桑蚕丝 亚麻 帆布 涤纶 尼龙 腈纶 铝合金 紫铜 黄铜 钛合金 碳纤维 纯银 黄金
胡桃木 橡木 松木 榉木 竹纤维 塑料 橡胶 硅胶 乳胶 陶瓷 大理石 水晶 玻璃 藤编 毛毡 蜂蜡 白鹅绒 白鸭绒 黄麻 纸质 棉布
""")
CERTIFICATES = _listed("""
organic certified certification fda ce ul gots oeko-tex bluesign fairtrade bpa-free hypoallergenic dermatologist
clinically antibacterial biodegradable vegan patented tüv guarantee guaranteed warranty award
""")
CERTIFICATES_ZH = _listed("认证 有机 专利 临床 抗菌 质保 保修 联保 无添加 防过敏")

# Said of no material: a glass to drink from, a figure of speech.
_IDLE = re.compile(r"\bglass of\b|\ba glass\b|玻璃杯里|一只玻璃杯|钢笔|crystal clear|\bred wine\b")


@dataclass(frozen=True, slots=True)
class Amount:
    """One number of a text: as it is written, how much it is, and what it measures ("" for nothing).

    `doubtful` is the bare number where what looks like a unit may be none.
    """

    span: str
    value: Fraction
    kind: str
    doubtful: Fraction | None = None


def unsupported(facts: Mapping[str, Any], text: str) -> list[str]:
    """The spans of numbers, units, materials and certificates in the text that the facts do not hold, in that order.

    Args:
        facts: `title`, and where there are any `brand`, `category` and `attributes`, a list of names and values.
        text: the copy, English or Chinese.
    """
    return [*_numbers(facts, text), *_words(facts, text)]


def _lines(facts: Mapping[str, Any]) -> list[str]:
    plain = [facts.get("title", ""), facts.get("brand", ""), facts.get("category", "")]
    return [_plain(line) for line in [*plain, *(f"{name}: {value}" for name, value in facts.get("attributes", []))]]


def _plain(text: str) -> str:
    text = text.replace("²", "2")
    return unicodedata.normalize("NFKC", text).replace("⁄", "/").replace("’", "'").lower()


def _numbers(facts: Mapping[str, Any], text: str) -> Iterator[str]:
    lines = _lines(facts)
    whole = " \n ".join(lines)
    held = [amount for line in lines for amount in _amounts(line)]
    units_of_names = {pair for line in lines for pair in (*_named(line), *_inherited(line))}
    listed = {len(re.split(r"[,、，]", line)) for line in lines}
    sums = {sum(amount.value for amount in _amounts(line) if not amount.kind) for line in lines}
    for model in _models(_plain(text)):
        if re.sub(r"[^a-z0-9]", "", model) not in re.sub(r"[^a-z0-9]", "", whole):
            yield model
    for amount in _amounts(_plain(text)):
        same = [one for one in held if one.value == amount.value]
        if any(one.kind == amount.kind for one in same) or (amount.value, amount.kind) in units_of_names:
            continue
        if amount.doubtful is not None and any(one.value == amount.doubtful for one in held):
            continue
        # "Hot for 12", "45 x 55 cm": a number alone is held if any number of the facts is as great as written.
        if not amount.kind and (_bare(amount, held) or amount.value in listed or amount.value in sums):
            continue
        yield amount.span


def _bare(amount: Amount, held: list[Amount]) -> bool:
    written = {
        one.value / scale for one in held for kind, scale in {("", Fraction(1)), *_UNITS.values()} if one.kind == kind
    }
    return amount.value in written


def _named(line: str) -> Iterator[tuple[Fraction, str]]:
    """ "Weight (g): 240" measures grams."""
    name, _, value = line.partition(":")
    for unit in re.findall(r"[a-z°]+", name):
        if unit in _UNITS:
            kind, scale = _UNITS[unit]
            for amount in _amounts(value):
                if not amount.kind:
                    yield amount.value * scale, kind


def _inherited(line: str) -> Iterator[tuple[Fraction, str]]:
    """The 40 of "40 x 200 cm" measures centimetres too."""
    found = [one for one in _NUMBER.finditer(line) if not one["model"] and not _says_no_number(one, line)]
    for earlier, later in pairwise(found):
        unit = next((one["unit"] for one in found if one.start() > earlier.start() and one["unit"]), "")
        if unit and not earlier["unit"] and later.start() - earlier.end() < 4:
            yield _value(earlier) * _UNITS[unit][1], _UNITS[unit][0]


def _models(text: str) -> Iterator[str]:
    for found in _NUMBER.finditer(text):
        if found["model"]:
            yield found["model"]


def _amounts(text: str) -> Iterator[Amount]:
    for found in _NUMBER.finditer(text):
        if found["model"] or _says_no_number(found, text):
            continue
        kind, scale = _UNITS[found["unit"]] if found["unit"] else ("share" if found["percent"] else "", Fraction(1))
        value = _value(found)
        yield Amount(found.group().strip(), value * scale, kind, value if found["unit"] in _DOUBTFUL else None)


def _says_no_number(found: re.Match[str], text: str) -> bool:
    numeral = found["chinese"]
    if (numeral or found["words"]) in _PRONOUNS and (
        not found["unit"] or found["unit"] in ("天", "年", "in", "周", "度", "day")
    ):
        return True
    if not numeral:
        return False
    before = text[found.start() - 1 : found.start()]
    return before in ("第", "周") or not (found["unit"] or text[found.end() :].startswith(_ZH_MEASURE))


def _value(found: re.Match[str]) -> Fraction:
    if found["mixed"]:
        whole, _, part = found["mixed"].replace("-", " ").rpartition(" ")
        return Fraction(whole or 0) + Fraction(part) if not part.endswith("/0") else Fraction(0)
    if found["digits"]:
        return Fraction(found["digits"].replace(",", "")) * (10_000 if found["myriad"] else 1)
    if found["half"]:
        return Fraction(1, 2)
    if "quarter" in found["number"]:
        return Fraction(_DIGIT_WORDS[found["quarters"] or "one"], 4)
    if found["words"]:
        return Fraction(_spelled(re.findall(r"[a-z]+", found["words"])))
    return _chinese(found["chinese"] or found["percent"])


def _spelled(words: list[str]) -> int:
    total = part = 0
    for word in words:
        if word == "thousand":
            total, part = total + max(part, 1) * 1000, 0
        elif word == "hundred":
            part = max(part, 1) * 100
        else:
            part += _DIGIT_WORDS.get(word, 0)
    return total + part


def _chinese(numeral: str) -> Fraction:
    if numeral == "半":
        return Fraction(1, 2)
    if numeral.endswith("万"):
        return _chinese(numeral[:-1] or "一") * 10_000
    if not any(sign in _ZH_BIG for sign in numeral):
        return Fraction("".join(str(_ZH[sign]) for sign in numeral))
    total, digit = 0, 0
    for sign in numeral:
        if sign in _ZH_BIG:
            total, digit = total + max(digit, 1) * _ZH_BIG[sign], 0
        else:
            digit = _ZH[sign]
    return Fraction(total + digit)


def _words(facts: Mapping[str, Any], text: str) -> Iterator[str]:
    held = "\n".join(_lines(facts))
    said = _IDLE.sub(" ", _plain(text))
    for word in [*MATERIALS, *CERTIFICATES]:
        if re.search(rf"(?<![a-z-]){word.replace('-', '[ -]')}(?![a-z])", said) and not _is_held(word, held):
            yield word
    for word in [*MATERIALS_ZH, *CERTIFICATES_ZH]:
        if word in said and not _is_held_zh(word, held):
            yield word


_SAME = [
    {"aluminium", "aluminum"}, {"wool", "lambswool", "merino"}, {"guarantee", "guaranteed", "warranty"},
    {"certified", "certification", "certificate"},
]  # fmt: skip
_SAME_ZH = [
    {"纯棉", "棉", "cotton"}, {"羊毛", "wool"}, {"真丝", "桑蚕丝", "silk"}, {"不锈钢", "steel"},
    {"质保", "保修", "联保"}, {"真皮", "牛皮", "皮革", "leather"}, {"竹纤维", "竹"}, {"陶瓷", "ceramic"},
    {"橡木", "oak"}, {"有机", "organic"},
]  # fmt: skip


def _is_held(word: str, held: str) -> bool:
    same = next((group for group in _SAME if word in group), {word})
    return any(
        one.replace("-", " ").removeprefix("of ").removeprefix("from ") in held.replace("-", " ") for one in same
    )


def _is_held_zh(word: str, held: str) -> bool:
    return any(same in held for same in next((group for group in _SAME_ZH if word in group), {word}))
