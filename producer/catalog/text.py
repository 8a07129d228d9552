"""Raw cells into values that may be said: markup, controls and stray whitespace removed."""

import html
import re
from functools import lru_cache
from typing import NamedTuple

from copydesk.markup import to_plain

MAX_VALUE = 500
"""Characters kept of one fact; longer ones are prose, and crowd the others out of the prompt."""

MAX_KNOWN = 64
"""Characters of a cell that is remembered as folded: brands, categories, sizes and names of attributes come again."""

MAX_PARSED = 20_000
"""Characters of a cell that are looked at. A megabyte of nested <div> took the HTML parser 200 s, this 0.1 s."""

_MARKUP = re.compile(r"</?[a-zA-Z][^<>]*>|<!--")
_ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[a-zA-Z][a-zA-Z0-9]{1,31});")
_UNSAFE = re.compile(
    r"<\s*(?:script|style|iframe|object|embed)\b|<[a-z][^<>]*[\s/\"']on[a-z]+\s*=|<[^<>]*javascript:", re.IGNORECASE
)
# Controls, soft hyphens, zero-width and direction marks, and the invisible "tag" letters; joiners (U+200C, U+200D) are
# kept: emoji and several scripts need them.
INVISIBLE = re.compile(
    "[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\u00ad\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff\U000e0000-\U000e007f]"
)
_HAN = re.compile("[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")
_BOUNDARY = re.compile(r"[\s,;，、；。]")

_INSTRUCTS = re.compile(
    r"\b(?:ignore|disregard|forget|override)\b[^.\n]{0,30}\b(?:instructions?|prompts?|rules|guidelines)\b"
    r"|\b(?:system|developer) (?:prompt|message)\b|\byou are (?:now )?(?:chatgpt|an? (?:ai|assistant|language model))\b"
    r"|\b(?:respond|reply|answer|output) only (?:with|in)\b|\bdo not follow\b[^.\n]{0,30}\binstructions\b"
    r"|<\|(?:im_start|im_end|system|user|assistant|endoftext)\|>|\[/?INST\]"
    r"|(?:忽略|无视|忘记|不要理会)[^。\n]{0,12}(?:指令|指示|提示词?|要求|规则)|系统提示词?|你现在是(?:一个|一名)",
    re.IGNORECASE,
)
# Each match of _INSTRUCTS holds one of these in lower case, and few other texts do: looking for them takes a thirtieth
# of the time. Without "i" and "s", which IGNORECASE also finds in "ı" and "ſ".
_INSTRUCTING = (
    "gnore", "regard", "forget", "overr", "prompt", "tem me", "per me", "you are", "pond only", "reply only",
    "wer only", "output only", "do not follow", "<|", "t]", "忽略", "无视", "忘记", "不要理会", "系统提示", "你现在是",
)  # fmt: skip


class Folded(NamedTuple):
    """One cell as a value, and what had to be done to it."""

    text: str
    unsafe: bool = False
    shortened: bool = False


def fold(raw: str) -> Folded:
    """The value of a raw cell: one line, no markup, no invisible characters, at most MAX_VALUE characters."""
    return _known(raw) if len(raw) <= MAX_KNOWN else _fold(raw)


def _fold(raw: str) -> Folded:
    if _is_folded(raw):
        return Folded(raw)
    text, unsafe = _without_markup(raw[:MAX_PARSED])
    text = " ".join(INVISIBLE.sub("", text).split())
    short = _shorten(text)
    return Folded(short, unsafe, short != text or len(raw) > MAX_PARSED)


_known = lru_cache(4096)(_fold)


def _is_folded(raw: str) -> bool:
    """Whether folding would change nothing, by what is quick to tell: most cells are clean."""
    return (
        raw.isprintable()  # no controls, no invisible characters, no white space but spaces
        and len(raw) <= MAX_VALUE
        and "<" not in raw
        and ("&" not in raw or not _ENTITY.search(raw))
        and "  " not in raw
        and raw == raw.strip()
    )


def _without_markup(raw: str) -> tuple[str, bool]:
    text, unsafe = raw, False
    # Escaped markup (&lt;script&gt;) turns into markup when it is resolved: go on until nothing changes.
    for _ in range(3):
        unsafe = unsafe or is_unsafe(text)
        plain = to_plain(text) if _MARKUP.search(text) else text
        resolved = _ENTITY.sub(lambda entity: html.unescape(entity[0]), plain)
        if resolved == text:
            break
        text = resolved
    return text, unsafe


def _shorten(text: str) -> str:
    """Cut between words: half a number would be another number."""
    if len(text) <= MAX_VALUE:
        return text
    head = text[:MAX_VALUE]
    if not _BOUNDARY.match(text[MAX_VALUE]):
        ends = [match.start() for match in _BOUNDARY.finditer(head, MAX_VALUE // 2)]
        head = head[: ends[-1]] if ends else head.rstrip("0123456789.,")
    return head.rstrip(" ,;，、；")


def is_unsafe(text: str) -> bool:
    """Whether markup would run something: a script, a style, an event handler, an embedded page."""
    return "<" in text and _UNSAFE.search(text) is not None


def instructs(text: str) -> str:
    """The words with which a text tries to instruct a model; "" where it does not."""
    if not any(map(text.lower().__contains__, _INSTRUCTING)):
        return ""
    found = _INSTRUCTS.search(text)
    return found[0] if found else ""


def language_of_locale(locale: str) -> str:
    """`zh-CN` is zh, `en_US` is en; "" for what is not a locale."""
    if not locale:
        return ""
    found = re.match(r"[a-zA-Z]{2,8}(?![a-zA-Z])", locale.strip())
    return found[0].lower() if found else ""


def language_of_text(text: str) -> str:
    """zh where at least a fifth of the letters are Han characters, else en."""
    if not _holds_han(text):
        return "en"
    letters = sum(map(str.isalpha, text))
    return "zh" if letters and 5 * len(_HAN.findall(text)) >= letters else "en"


def language_of_product(values: str, description: str) -> str:
    """As `language_of_text`, of facts and a description together; its markup says nothing of the language."""
    markup = description[:MAX_PARSED]
    if not (_holds_han(values) or _holds_han(html.unescape(markup))):
        return "en"
    return language_of_text(f"{values} {to_plain(markup)}")


def _holds_han(text: str) -> bool:
    return not text.isascii() and _HAN.search(text) is not None
