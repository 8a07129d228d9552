"""What a review is about, as far as that decides who may answer it. The words are in routes.toml."""

import re
from functools import lru_cache

from copydesk.model import Reason, Route
from copydesk.settings import Replies
from copydesk.triage.lists import LISTS, own, phrases, read
from copydesk.triage.phrases import Phrases, Plain
from copydesk.triage.staff import named

GRAVE = (
    Route.SELF_HARM, Route.SAFETY, Route.HEALTH, Route.LEGAL, Route.REGULATOR, Route.MEDIA, Route.DISCRIMINATION,
)  # fmt: skip
"""Routes that no model ever answers, gravest first."""

_INJECTION, _PERSON = "injection", "person"
_ORDER = (*GRAVE, Route.STAFF, _INJECTION, _PERSON)
_CODES = {_INJECTION: "review.injection"}

_WORDS = phrases(*GRAVE, _INJECTION, Route.SPAM)
_HARMLESS = phrases("harmless")
_BESIDE_A_LINK = phrases(Route.SPAM, names=("beside_a_link",))

_MARKUP = re.compile(
    r"<\|[^|<>\n]{0,40}\|?>|\[/?(?:inst|system)\]|<</?sys>>|</?(?:s|system|assistant|user|review|instructions?|prompt)>"
    r"|#{2,6} *(?:system|instructions?|response|assistant|user|input)\b|['\"]role['\"]\s*[:：]\s*['\"]"
    r"|^[ \t]*(?:system|assistant|developer)[ \t]{0,3}[:：]|<!--|\{\{|【(?:系统|指令|系统指令|系统提示)】",
    re.IGNORECASE | re.MULTILINE,
)
_MARKUP_SIGNS = re.compile(r"[<\[#:：{【]")

# Letters that no reader sees, but a model does. The flags of England, Scotland and Wales are spelled with them too.
_HIDDEN_LETTERS = re.compile("(?<![\U0001f3f4\U000e0020-\U000e007f])[\U000e0020-\U000e007f]{2,}")

_LINK = re.compile(
    r"https?:|\bwww\.|\.(?:com|net|org|io|shop|store|online|xyz|top|info|cn|de|co\.uk|biz|site|club|vip)\b",
    re.IGNORECASE,
)
_NEAR_A_LINK = 60
"""Characters before and behind a link that are searched for the words of an advertisement."""

_SHORT = 400
"""Characters: what is longer says something beside its link."""

_FEW = 12
"""Different words, or characters of a Chinese text: who uses more does not only repeat himself."""

_MARKS = re.compile(r"<[^<>]{0,100}>|&#?\w{2,8};")
_NO_LETTER = re.compile(r"[\W_]+")
_MASHED = ("asdf", "qwer", "zxcv", "hjkl", "sdfg", "dfgh", "jkjk")
_NOTHING = frozenset(
    _NO_LETTER.sub("", entry) for line in LISTS["empty"]["nothing"].splitlines() for entry in line.split("|")
)


def route(text: str, replies: Replies) -> tuple[Route, tuple[Reason, ...]]:
    """The gravest route that the text's words call for, and a reason for each that they do.

    A text without a letter or a digit, emoji only for instance, is EMPTY whatever its stars say. Words that are meant
    for a machine (`review.injection`), and the shop's own (`route.person`), give a reason and no route.

    Args:
        text: title and text, as the reviewer wrote them: masking could hide a word.
        replies: the shop's rules; its `staff` and `person` are looked for as well.
    """
    said = read(text)
    listed = _WORDS.found(said)
    if listed:
        listed = _WORDS.found(_HARMLESS.blanked(said))
    found = [one for one in listed if one[0] != Route.SPAM] + _others(said, text, replies)
    if found:
        return _alarm(found)
    if _says_nothing(text):
        return Route.EMPTY, (_reason(Route.EMPTY, ""),)
    advertisement = listed[0][1] if listed else _linked(text) or _repeated(said, text)
    return (Route.SPAM, (_reason(Route.SPAM, advertisement),)) if advertisement else (Route.ORDINARY, ())


def _others(said: Plain, text: str, replies: Replies) -> list[tuple[str, str]]:
    """(route, "injection" or "person"; what the text says) of what the lists do not hold."""
    shops = _shops(replies.staff, replies.person)
    found = shops.found(said) if shops else []
    if name := named(said, text):
        found.append((Route.STAFF, name))
    if hidden := _hidden(text):
        found.append((_INJECTION, hidden))
    return found


@lru_cache(maxsize=256)
def _shops(staff: tuple[str, ...], person: tuple[str, ...]) -> Phrases | None:
    names = tuple(re.sub(r"[\W_]+", " ", name) for name in staff)
    return own({Route.STAFF: names, _PERSON: person}) if staff or person else None


def _hidden(text: str) -> str:
    """Markup of a chat, or letters that are not shown."""
    found = _MARKUP.search(text) if _MARKUP_SIGNS.search(text) else None
    if not found and not text.isascii():
        found = _HIDDEN_LETTERS.search(text)
    return found.group().strip() if found else ""


def _alarm(found: list[tuple[str, str]]) -> tuple[Route, tuple[Reason, ...]]:
    first = dict(reversed(found))
    names = [name for name in _ORDER if name in first]
    gravest = Route(names[0]) if names[0] in GRAVE or names[0] == Route.STAFF else Route.ORDINARY
    return gravest, tuple(_reason(name, first[name]) for name in names)


def _reason(name: str, span: str) -> Reason:
    return Reason(_CODES.get(name, f"route.{name}"), f"the review {LISTS[name]['says']}", span)


def _says_nothing(text: str) -> bool:
    letters = _NO_LETTER.sub("", _MARKS.sub("", text)) if len(text) <= _SHORT or not text.strip() else text
    return not letters or letters.casefold() in _NOTHING


def _linked(text: str) -> str:
    """A link beside words of an advertisement, "" for none."""
    link = _LINK.search(text) if len(text) <= _SHORT else None
    if not link:
        return ""
    near = text[max(0, link.start() - _NEAR_A_LINK) : link.end() + _NEAR_A_LINK]
    return link.group() if _BESIDE_A_LINK.found(read(near)) else ""


def _repeated(said: Plain, text: str) -> str:
    """One or two characters, one word or a row of the keyboard again and again; "" where it is none of them."""
    if len(said.words) > _FEW or (said.compact and len(set(text)) > _FEW):
        return ""
    letters = [character for character in text if character.isalnum()]
    if len(letters) >= 8 and len(set(letters)) <= 2:
        return "".join(letters[:20])
    words = said.line.replace(" .", "").split()
    mashed = bool(words) and len(letters) >= 6 and all(any(row in word for row in _MASHED) for word in words)
    worn = len(words) >= 5 and words.count(words[0]) >= 0.8 * len(words)
    return " ".join(words[:5]) if (mashed or worn) and not said.compact else ""
