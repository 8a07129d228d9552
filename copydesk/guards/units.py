"""Units of measure in English and Chinese, brought to one unit for each kind of quantity."""

# kind: {unit: how many of the kind's first unit it is}. Spellings of one unit stand together.
_UNITS: dict[str, dict[str, str]] = {
    "volume": {
        "ml millilitre millilitres milliliter milliliters 毫升": "1",
        "cl centilitre centilitres centiliter centiliters": "10",
        "dl decilitre decilitres deciliter deciliters": "100",
        "l ltr litre litres liter liters 升 公升": "1000",
        "fl-oz": "29.5735",
        "pint pints": "473.176",
        "quart quarts": "946.353",
        "gal gallon gallons 加仑": "3785.41",
        "cup cups": "cup",
        "tbsp tablespoon tablespoons": "tablespoon",
        "tsp teaspoon teaspoons": "teaspoon",
    },
    "mass": {
        "mg milligram milligrams 毫克": "0.001",
        "g gm gr gram grams gramme grammes 克": "1",
        "kg kgs kilo kilos kilogram kilograms 千克 公斤": "1000",
        "斤": "500",
        "两": "50",
        "t tonne tonnes ton tons 吨": "1000000",
        "oz ounce ounces 盎司": "28.3495",
        "lb lbs pound pounds 磅": "453.592",
    },
    "length": {
        "mm millimetre millimetres millimeter millimeters 毫米": "1",
        "cm centimetre centimetres centimeter centimeters 厘米 公分": "10",
        "m metre metres meter meters 米": "1000",
        "km kilometre kilometres kilometer kilometers 公里 千米": "1000000",
        'in inch inches " ″ ” 英寸 寸': "25.4",
        "ft foot feet ′ 英尺": "304.8",
        "yd yard yards": "914.4",
        "mi mile miles 英里": "1609344",
    },
    "area": {"cm2": "1", "m2 sqm sq-m ㎡ 平方米 平米": "10000", "sq-ft sqft": "929.0304"},
    "areal mass": {"gsm g/m2": "1"},
    "time": {
        "ms millisecond milliseconds 毫秒": "0.001",
        "s sec secs second seconds 秒 秒钟": "1",
        "min mins minute minutes 分钟": "60",
        "h hr hrs hour hours 小时 个小时": "3600",
        "day days 天 日": "86400",
        "week weeks 周 星期": "604800",
        "month months 个月 月": "month",
        "year years yr yrs 年": "year",
    },
    "power": {
        "mw": "0.001",
        "w watt watts 瓦 瓦特": "1",
        "kw kilowatt kilowatts 千瓦": "1000",
        "hp horsepower 马力": "745.7",
    },
    "energy": {
        "wh": "1",
        "kwh": "1000",
        "kcal 千卡 大卡": "1.163",
        "cal calories calorie 卡": "calorie",
        "kj": "0.27778",
        "j": "joule",
    },
    "voltage": {"mv": "0.001", "v volt volts 伏 伏特": "1", "kv": "1000"},
    "current": {"ma": "0.001", "a amp amps ampere amperes 安": "1"},
    "charge": {"mah 毫安 毫安时": "1", "ah": "1000"},
    "frequency": {"hz hertz 赫兹": "1", "khz": "1000", "mhz": "1000000", "ghz": "1000000000"},
    "data": {"kb": "1", "mb": "1000", "gb": "1000000", "tb": "1000000000"},
    "rate": {"mbps": "mbps", "gbps": "gbps", "rpm 转": "rpm", "fps": "fps", "mph": "mph", "km/h kph kmh": "km/h"},
    "temperature": {
        "°c ℃ celsius 摄氏度 度": "celsius",
        "°f ℉ fahrenheit": "fahrenheit",
        "° degree degrees": "degree",
        "k kelvin": "kelvin",
    },
    "share": {"% percent per-cent ％": "%", "‰": "‰"},
    "light and sound": {
        "lm lumen lumens 流明": "lm",
        "lux": "lux",
        "db decibel decibels 分贝": "db",
        "mp megapixel megapixels": "mp",
    },
    "other": {
        "psi": "psi",
        "bar": "bar",
        "dpi": "dpi",
        "ppi": "ppi",
        "px pixels": "px",
        "denier": "denier",
        "carat carats ct": "carat",
    },
    "money": {
        "$ usd dollar dollars 美元": "usd",
        "€ eur euro euros 欧元": "eur",
        "£ gbp": "gbp",
        "¥ 元 块钱 rmb cny yuan": "cny",
        "折": "折",
    },
}

AMBIGUOUS = frozenset(
    {"in", "a", "m", "s", "k", "h", "t", "j", "second", "day", "days", "日", "月", "两", "”", '"', "度"}
)
"""Spellings that may mean something else ("in", size "M", a closing quote): taken as the unit or as no unit at all."""


def _table() -> dict[str, tuple[str, float]]:
    table: dict[str, tuple[str, float]] = {}
    for kind, units in _UNITS.items():
        for spellings, factor in units.items():
            number = factor.replace(".", "").isdigit()
            for spelling in spellings.split():
                written = spelling.replace("-", " ")
                table[written] = (kind, float(factor)) if number else (factor, 1.0)
    return table


UNITS = _table()
"""Spelling, in lower case: (kind, how many of the kind's base unit)."""
