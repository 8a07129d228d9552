"""Whether a review names somebody of the staff whom the shop has not listed: "the cashier, Lisa", 客服小李."""

import re
import unicodedata

from copydesk.triage.lists import LISTS
from copydesk.triage.phrases import Plain

_LISTS: dict[str, str] = LISTS["staff"]

_HAN = "\u3400-\u9fff"
_CALLED = r"(?:,? (?i:named|called|by the name of|whose name (?:is|was)),?)"
_NAME = rf"(?!(?:{_LISTS['no_name']})\b)[A-ZÄÖÜ][a-zäöüß]{{2,}}\b"
_LATIN = re.compile(
    rf"\b(?i:{_LISTS['roles']}){_CALLED}?,? (?:(?:Mr|Mrs|Ms|Miss)\.? )?{_NAME}"
    rf"|\b(?i:{_LISTS['roles']}|{_LISTS['people']}){_CALLED} [A-Za-z]+"
    rf"|\b(?i:{_LISTS['mitarbeiter']}),? (?:Frau|Herrn?|(?i:namens)) {_NAME}"
    rf"|\b(?:Frau|Herrn?) {_NAME} (?:\w+ ){{0,3}}(?i:{_LISTS['wo']})\b"
    rf"|\b{_NAME} (?i:{_LISTS['where']})\b"
)
_LATIN_WORDS = frozenset("|".join(_LISTS[name] for name in ("roles", "people", "mitarbeiter")).split("|")) | {
    "frau", "herr", "herrn", "from", "at", "in", "vom", "an", "aus",
}  # fmt: skip
_CHINESE = re.compile(
    rf"(?:{_LISTS['员工']})[:是叫]?(?:小|阿|老)[{_LISTS['surnames']}](?![{_LISTS['不是姓']}])"
    rf"|(?:{_LISTS['员工']})(?:名叫|叫|姓)[{_LISTS['surnames']}]|[{_LISTS['surnames']}](?:{_LISTS['称呼']})"
    rf"|(?:客服|店员|导购)[a-z]{{3,12}}(?![a-z])|(?:一个|一位|名)?叫[{_HAN}a-z]{{1,8}}的(?:{_LISTS['员工']})"
    rf"|(?:小|阿)[{_LISTS['surnames']}](?:{_LISTS['员工']})|工号[:是为]?\s?[a-z]?\d{{2,}}"
)


def named(said: Plain, text: str) -> str:
    """The role and the name, "" where nobody is named.

    Args:
        said: the text as `lists.read` makes it.
        text: the text as it was written: names are known by their capitals.
    """
    found = None if said.words.isdisjoint(_LATIN_WORDS) else _LATIN.search(unicodedata.normalize("NFKC", text))
    if not found and said.compact:
        found = _CHINESE.search(said.compact)
    return found.group() if found else ""
