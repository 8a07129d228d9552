"""Personal data out of a review, before any model, log or list sees it. The words around it are in masking.toml."""

import re
import tomllib
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from pathlib import Path

from copydesk.triage.lists import LISTS

_LISTS: dict[str, str] = tomllib.loads(Path(__file__).with_name("masking.toml").read_text(encoding="utf-8"))
_SURNAMES = LISTS["staff"]["surnames"] + _LISTS["surnames_traditional"]
_MENTIONS = {
    name: tuple(word.casefold().replace("\\", "") for word in words.split("|")) for name, words in _LISTS.items()
}

_HAN = "\u3400-\u9fff"
_NO_LETTER_BEFORE = "(?<![A-Za-z0-9_])"


def _words(name: str) -> str:
    return _LISTS[name].replace(" ", r"\s")


_AT = re.compile(r"[@＠]|[\[(]\s?at\s?[\])]", re.IGNORECASE)
_DIGIT = re.compile(r"\d")
_NUMBER = re.compile(r"\d(?:[ ()./-]{0,3}\d){6}")
_LONG_NUMBER = re.compile(r"\d(?:[ -]?\d){12}")
_LINE_END = re.compile(r"\n|\Z")

NEAR = 64
"""Characters from a digit or an @ to the end of what it may be a part of."""

_EMAIL = re.compile(
    r"(?<![\w.%+-])[a-z0-9à-ž._%+-]{1,64}\s?(?:[@＠]|[\[(]\s?at\s?[\])])\s?[a-z0-9à-ž-]{1,63}"
    r"(?:(?:\.|\s?[\[(]\s?dot\s?[\])]\s?)[a-z0-9-]{2,63}){1,4}"
    r"|(?<=[\u3000-\u9fff])[a-z0-9._%+-]{1,64}[@＠][a-z0-9-]{1,63}(?:\.[a-z0-9-]{2,63}){1,4}",
    re.IGNORECASE,
)
_IBAN = re.compile(
    rf"{_NO_LETTER_BEFORE}[A-Z]{{2}}\d{{2}}(?:\s?[A-Z0-9]{{4}}){{3,7}}(?:\s?[A-Z0-9]{{1,3}})?(?![A-Za-z0-9])"
)
_CARD = re.compile(r"(?<![\d.,-])[2-6](?:[ -]?\d){12,18}(?![\d.,-]*\d)")
_IDENTITY = re.compile(
    r"(?<!\d)[1-9]\d{5}(?:19|20)\d{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])\d{3}[\dXx](?![\dA-Za-z])"
)
_ORDER = re.compile(
    rf"{_NO_LETTER_BEFORE}(?:{_words('order')})s?\b(?P<said>[\s.:#：№]{{0,4}}(?:(?:is|was|ist|lautet|war|nr|no|number)\b[\s.:#：№]{{0,4}})?)"
    r"(?P<number>[A-Za-z0-9][A-Za-z0-9/-]{2,30})"
    rf"|(?:{_words('order_zh')})(?P<said_zh>\s?(?:[是为為][:：]?|[:：#])?\s?)(?P<number_zh>[A-Za-z0-9-]{{5,30}})",
    re.IGNORECASE,
)
_ORDER_ALONE = re.compile(r"(?<![\d-])\d{3}-\d{7}-\d{7}(?![\d-])|(?<!\w)1Z[0-9A-Z]{16}(?!\w)|(?<!\w)#\d{5,}(?!\w)")
_MESSENGER = re.compile(
    rf"{_NO_LETTER_BEFORE}(?:{_words('messenger')}|{_words('messenger_short')})(?![A-Za-z])(?P<said>[\s:：号群是me]{{0,6}}(?:(?:id|handle|name|account|is|at|on|under|unter|number|号)\b[\s:：]{{0,3}}){{0,2}})"
    r"(?P<id>[@+]?[A-Za-z0-9_][A-Za-z0-9_.-]{2,31}[A-Za-z0-9_](?:[ -]?\d{2,})*)"
    rf"|(?:{_words('messenger_zh')})(?P<said_zh>\s?(?:id|号|群|是|加|我|为|[:：])*\s?)(?P<id_zh>[@+]?[A-Za-z0-9_][A-Za-z0-9_.-]{{3,31}})",
    re.IGNORECASE,
)
_HANDLE = re.compile(r"(?<![\w@.＠])@(?=[a-z0-9_]*[\d_])[a-z0-9_]{4,32}\b", re.IGNORECASE)
_PHONE = re.compile(
    r"(?<![\w.,/-])(?:\+|00)[1-9]\d{0,2}[ ().-]{0,3}(?:\(0\)[ ]?)?\d(?:[ ()./-]{0,2}\d){5,12}(?![\d])"
    r"|(?<![\d.])(?:\+?86[ -]?)?1[3-9]\d[ -]?\d{4}[ -]?\d{4}(?!\d)"
    r"|(?<![\w.,-])(?:1[ .-])?(?:\(\d{3}\)\s?|\d{3}[ .-])\d{3}[ .-]\d{4}(?![\d.,-]*\d)"
    r"|(?<![\w.,/-])\(?0\d{1,5}\)?[ /-]{1,3}\d{3,8}(?:[ -]?\d{2,8}){0,3}(?![\d.,/]*\d)"
    r"|(?<![\w.,/-])07\d{9}(?!\d)|(?<![\d-])[48]00[ -]?\d{3,4}[ -]?\d{3,4}(?![\d-])|(?<![\w.,/-])01[5-7]\d{8,9}(?!\d)"
)
_PHONE_SAID = re.compile(
    rf"{_NO_LETTER_BEFORE}(?:{_words('phone')})(?P<said>[\s.:：#是号码]{{0,4}}(?:(?:is|at|on|under|unter|number|nummer|an|no|ist|me)\b[\s.:：#]{{0,3}}){{0,2}})"
    r"(?P<number>\+?\(?\d[\d ()./-]{5,18}\d)",
    re.IGNORECASE,
)
_ADDRESS = re.compile(
    rf"(?<![\w.,])\d{{1,5}}[A-Za-z]?,?\s(?:(?:[NSEW]|North|South|East|West)\.?\s)?(?:[A-Z0-9][\w'’-]{{1,20}}\s){{1,3}}(?:(?i:{_words('street')})|{_LISTS['street_short']})\b\.?"
    r"(?:,?\s(?:Apt|Apartment|Suite|Unit|Flat|No)\.?\s?#?\w{1,6})?(?:,\s[A-Z][a-z]+(?:\s[A-Z][a-z]+)?)?(?:,?\s[A-Z]{2})?(?:,?\s(?:\d{5}(?:-\d{4})?|[A-Z]{1,2}\d[A-Z\d]?\s\d[A-Z]{2}))?\b"
    rf"|\b(?i:{_words('box')})\s\d{{1,6}}|(?<!\w)\d{{1,5}}\s[a-z]{{3,15}}\s(?:{_words('street')})\b(?=[\s,.;!?]|$)"
    rf"|(?<!\w)(?:[A-ZÄÖÜ][a-zäöüß.-]{{2,20}}[\s-]){{0,2}}(?:[A-ZÄÖÜ][a-zäöüß-]{{2,25}}(?:{_LISTS['strasse']})|[A-ZÄÖÜ][a-zäöüß]+er\s(?:S(?:traße|trasse|tr\.)|Allee|Chaussee))\s\d{{1,4}}\s?[a-z]?\b(?:,?\s(?:D-)?\d{{5}}\s[A-ZÄÖÜ][a-zäöüß-]+)?"
    rf"|(?<!\w)[A-ZÄÖÜ][a-zäöüß-]{{2,25}}(?:{_LISTS['strasse_mit_ort']})\s\d{{1,4}}\s?[a-z]?,?\s(?:D-)?\d{{5}}\s[A-ZÄÖÜ][a-zäöüß-]+"
)
_DOOR = r"\s?\d{1,4}(?:栋|幢|座|号楼|单元|室|楼|层|房|弄|號|室|棟|樓)"
_ADDRESS_ZH = re.compile(
    rf"[{_HAN}]{{0,24}}(?:路|街|大道|巷|弄|胡同|道)\s?\d{{1,5}}\s?(?:号|號|弄)(?:[{_HAN}]{{0,10}}?{_DOOR}|{_DOOR}){{0,4}}"
    rf"|[{_HAN}]{{2,20}}(?:小区|花园|公寓|家园|新村|大厦|苑|小區|花園|大廈)(?:[{_HAN}]{{0,4}}{_DOOR}){{1,4}}(?:\s?\d{{2,4}}(?!\d))?"
    rf"|\d{{1,3}}(?:栋|幢|号楼|單元|单元|棟)(?:\s?\d{{1,2}}单元)?\s?\d{{2,4}}(?:室|房|号)?"
)
_BEFORE_ADDRESS_ZH = re.compile("^.*(?:住在|住址|家住|地址|寄到|送到|发到|寄往|送往|送去|位于|位於|在|到|是|为|我家)")
_NAME = r"[A-ZÄÖÜ][a-zà-öø-ÿ'’-]{1,20}"
_NAMES = rf"(?!(?:{_LISTS['no_name']})\b){_NAME}(?:\s(?:{_NAME}|[A-Z]\.?)){{0,2}}"
_SIGNATURE = re.compile(
    rf"(?P<said>(?:(?<!\w)(?i:{_words('greeting')})\s?(?:[,.!:–-]\s*|\s(?:from\s|von\s|eure?\s|ihre?\s)?)"
    rf"|(?:^|(?<=[.!?…,;\n。！])|(?<=[.!?…,;。！]\s))(?:(?:LG|VG|MfG|lg|vg|mfg)\s|(?i:{_words('greeting_short')})\s?(?:[,.!:–-]\s*|\n\s*))))"
    rf"(?P<name>{_NAMES})(?=[\s.!]*(?:$|\n))"
)
_CALLED = re.compile(rf"(?<!\w)(?P<said>(?i:{_words('name')})[\s:：]{{1,3}})(?P<name>{_NAMES})")
_TITLED = re.compile(rf"\b(?P<said>(?:{_LISTS['title']})\.?\s)(?P<name>{_NAMES})")
_CALLED_ZH = re.compile(
    rf"(?P<said>(?:{_words('name_zh')})[:：是叫]?\s?)(?P<name>[{_SURNAMES}][{_HAN}]{{1,2}})(?P<behind>)"
    rf"|(?P<family>我姓)(?P<surname>[{_SURNAMES}])|(?P<full>[{_SURNAMES}][{_HAN}]{{0,2}})(?P<title>{_LISTS['title_zh']})"
)
_ANYBODY = frozenset(_LISTS["anybody"].split())
_TAG = re.compile(r"\[(?:email|phone|order|address|messenger|name|card|iban|id)\]")


def masked(text: str, names: Iterable[str] = ()) -> str:
    """The text without personal data: [email], [phone], [order], [address], [messenger], [name], [card], [iban], [id].

    Prices, sizes, years and model numbers stay. Masking what is masked already changes nothing.

    >>> masked("Call me on 0171 2345678. Best regards, John")
    'Call me on [phone]. Best regards, [name]'

    Args:
        text: any text; 20 kB take milliseconds.
        names: whom the platform names as the reviewer.
    """
    text = _around(_AT, text, _without_emails)
    text = _around(_DIGIT, text, _without_numbers)
    lower = text.casefold()
    if _mention(lower, "messenger", "messenger_zh"):
        text = _MESSENGER.sub(_messenger, text)
    return _without_names(text, lower, tuple(names))


def _around(mark: re.Pattern[str], text: str, mask: Callable[[str], str]) -> str:
    """The text, masked only near its marks: what the mask looks for is never further from one."""
    parts, done = [], 0
    for start, end in _stretches(mark, text):
        parts += [text[done:start], mask(text[start:end])]
        done = end
    return "".join([*parts, text[done:]])


def _stretches(mark: re.Pattern[str], text: str) -> Iterator[tuple[int, int]]:
    start = end = -1
    for found in mark.finditer(text):
        if found.start() - NEAR > end >= 0:
            yield start, end
            start = -1
        start = max(0, found.start() - NEAR) if start < 0 else start
        end = min(len(text), found.end() + NEAR)
    if start >= 0:
        yield start, end


def _mention(lower: str, *lists: str) -> bool:
    """Whether a text in lower case holds a word of the lists: most hold none, and the pattern never runs."""
    return any(word in lower for name in lists for word in _MENTIONS[name])


def _without_emails(text: str) -> str:
    return _HANDLE.sub("[messenger]", _EMAIL.sub("[email]", text))


def _without_numbers(text: str) -> str:
    lower = text.casefold()
    text = _IBAN.sub(lambda found: "[iban]" if _is_iban(found.group()) else found.group(), text)
    text = _CARD.sub(_card, _IDENTITY.sub("[id]", text)) if _LONG_NUMBER.search(text) else text
    if _mention(lower, "order", "order_zh"):
        text = _ORDER.sub(_order, text)
    text = _ORDER_ALONE.sub("[order]", text)
    if _mention(lower, "messenger", "messenger_zh", "messenger_short"):
        text = _MESSENGER.sub(_messenger, text)
    if _mention(lower, "phone"):
        text = _PHONE_SAID.sub(_phone_said, text)
    text = _PHONE.sub(_phone, text) if _NUMBER.search(text) else text
    if _mention(lower, "street", "street_short", "strasse", "strasse_mit_ort", "box"):
        text = _ADDRESS.sub("[address]", text)
    return text if text.isascii() or not _mention(lower, "address_zh") else _ADDRESS_ZH.sub(_address_zh, text)


def _card(found: re.Match[str]) -> str:
    return "[card]" if _is_card(found.group()) else found.group()


def _is_iban(text: str) -> bool:
    """Its check digits are right (ISO 13616)."""
    letters = re.sub(r"\s", "", text).upper()
    return 15 <= len(letters) <= 34 and int("".join(str(int(one, 36)) for one in letters[4:] + letters[:4])) % 97 == 1


def _is_card(text: str) -> bool:
    """Its check digit is right (Luhn)."""
    digits = [int(one) for one in re.sub(r"\D", "", text)]
    doubled = [sum(divmod(2 * one, 10)) for one in digits[-2::-2]]
    return 13 <= len(digits) <= 19 and (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0 and len(set(digits)) > 1


def _order(found: re.Match[str]) -> str:
    """An order number has three digits at least; without "number", "#" or ":" before it, five."""
    said, number = ("said", "number") if found["number"] else ("said_zh", "number_zh")
    digits = sum(character.isdigit() for character in found[number])
    announced = found["number_zh"] or re.search(r"[#:：№]|\b(?:is|ist|nr|no)\b", found[said]) or re.search(
        r"(?i)(?:number|no|id|nr|nummer|code)$", found.group()[: found.start(said) - found.start()]
    )  # fmt: skip
    if digits < (3 if announced else 5):
        return found.group()
    return f"{found.group()[: found.start(number) - found.start()]}[order]"


def _messenger(found: re.Match[str]) -> str:
    """What follows a messenger's name is a handle where it has a digit, "_" or "@", or a colon before it."""
    said, handle = ("said", "id") if found["id"] else ("said_zh", "id_zh")
    known = re.search(r"[\d_@]", found[handle]) or re.search(r"[:：]|\b(?:id|handle)\b|号", found[said])
    if not known or re.fullmatch(r"\d{1,4}", found[handle]):
        return found.group()
    return f"{found.group()[: found.start(handle) - found.start()]}[messenger]"


def _phone(found: re.Match[str]) -> str:
    return "[phone]" if 9 <= sum(character.isdigit() for character in found.group()) <= 16 else found.group()


def _phone_said(found: re.Match[str]) -> str:
    if sum(character.isdigit() for character in found["number"]) < 7:
        return found.group()
    return f"{found.group()[: found.start('number') - found.start()]}[phone]"


def _address_zh(found: re.Match[str]) -> str:
    before = _BEFORE_ADDRESS_ZH.match(found.group())
    return f"{before.group() if before else ''}[address]"


def _without_names(text: str, lower: str, names: tuple[str, ...]) -> str:
    if _mention(lower, "name"):
        text = _CALLED.sub(lambda found: f"{found['said']}[name]", text)
    text = _TITLED.sub(lambda found: f"{found['said']}[name]", text)
    if _mention(lower, "greeting", "greeting_short"):
        text = _around(_LINE_END, text, lambda part: _SIGNATURE.sub(lambda found: f"{found['said']}[name]", part))
    if not text.isascii() and _mention(lower, "name_zh", "title_zh"):
        text = _CALLED_ZH.sub(_called_zh, text)
    own = _own(names)
    return _outside_tags(text, lambda part: own.sub("[name]", part)) if own else text


def _called_zh(found: re.Match[str]) -> str:
    return f"{found['said'] or found['family'] or ''}[name]{found['title'] or ''}"


@lru_cache(maxsize=1024)
def _own(names: tuple[str, ...]) -> re.Pattern[str] | None:
    """The reviewer's names: whole in any case, their parts only with a capital letter, for "rose" may be a colour."""
    spellings = []
    for name in (name.strip() for name in names):
        parts = [part for part in re.split(r"[\s.,_-]+", name) if part.casefold() not in _ANYBODY]
        if not parts or len(name) < 2 or "*" in name:
            continue
        spellings.append(f"(?i:{_bounded(name)})")
        spellings += [
            _bounded(part[0].upper() + part[1:])
            for part in parts
            if len(part) > 2 and part.isalpha() and not _is_han(part)
        ]
        if _is_han(name) and len(name) == 3:
            spellings.append(re.escape(name[1:]))
    return re.compile("|".join(spellings)) if spellings else None


def _is_han(name: str) -> bool:
    return re.fullmatch(f"[{_HAN}]+", name) is not None


def _bounded(name: str) -> str:
    return re.escape(name) if _is_han(name) else rf"(?<!\w){re.escape(name)}(?!\w)"


def _outside_tags(text: str, mask: Callable[[str], str]) -> str:
    tags = _TAG.findall(text)
    parts = [mask(part) for part in _TAG.split(text)]
    return "".join(part + tag for part, tag in zip(parts, [*tags, ""], strict=True))
