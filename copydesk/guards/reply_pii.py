"""reply.pii: no address, number or name of a person, and nothing that stands in for one."""

import re
from collections.abc import Iterator

from copydesk.guards.reply_bans import LISTS
from copydesk.guards.reply_draft import Reply
from copydesk.model import Reason

_GIVEN_NAMES = frozenset(LISTS["given_names"].split())
_CAPITALS = frozenset(LISTS["capitals"].split())

_SIGNS = re.compile(r"[\[\]{}<>|`*#_@\\【】][^\s,.!?]*|(?<![A-Za-z])X{3,4}(?![A-Za-z])|某某|[×x]{3,}")
_MASK = re.compile(
    r"[(（]\s*(?:e-?mail|phone|telephone|order|address|name|messenger|id|link|number|customer|shop|brand|product"
    r"|邮箱|电话|手机|订单|地址|姓名|微信|客户|顾客)[^)）]{0,15}[)）]",
    re.IGNORECASE,
)
_LONG_NUMBER = re.compile(r"(?<![\d.,])\+?\(?\d(?:[\s().\-–/]{0,2}\d){5,}")
_STREET = "Street|St|Road|Rd|Avenue|Ave|Lane|Ln|Drive|Boulevard|Blvd|Way|Court|Square"
_ADDRESS = re.compile(
    rf"\b\d{{1,5}}[a-z]? (?:[A-Z][\w'’]+ ){{1,3}}(?:{_STREET})\b"
    r"|\b[A-ZÄÖÜ][\wäöüß]*(?:straße|strasse|str\.|weg|platz|allee|gasse|ring) \d+"
    r"|\b\d{5} [A-ZÄÖÜ][a-zäöüß]+|\b[A-Z]{1,2}\d[A-Z\d]? \d[A-Z]{2}\b"
    r"|[\u4e00-\u9fff]{1,8}[路街道巷弄]\d+号|\d+(?:号楼|单元|室|栋)"
    r"|[\u4e00-\u9fff]{2,4}[市县区][\u4e00-\u9fff]{1,8}[路街巷]"
)
_CHECKS = (
    (_SIGNS, "holds a placeholder or marks of a chat"),
    (_MASK, "holds a placeholder"),
    (_LONG_NUMBER, "holds a phone or order number"),
    (_ADDRESS, "holds an address"),
)
_NUMBERED = re.compile(r"[\d市县区]")
_NAME = r"(?P<name>[A-ZÄÖÜ][\w'’-]+)"
_NAMED = (
    re.compile(rf"\b(?:Mr|Mrs|Ms|Miss|Dr|Prof|Herrn?|Frau)\b\.? {_NAME}"),
    re.compile(
        r"(?:(?:^|[\n.!?,]\s*)(?:Dear|Hi|Hello|Hey|Hallo|Thanks|Thank you|Many thanks|Sorry)|\bdear),?\s+" + _NAME
    ),
    re.compile(
        r"\b(?:[Mm]y name is|[Aa]sk for|I am|I['’]m|[Mm]ein Name ist|[Ii]ch heiße"
        r"|[Rr]egards,?|[Ss]incerely,?|Cheers,?|Grüße,?|Gruß,?)\s+" + _NAME
    ),
)
_NAMED_ZH = re.compile(
    rf"[{LISTS['surnames_zh']}][\u4e00-\u9fff]?(?:先生|女士|小姐|经理|师傅|老师)|我叫[\u4e00-\u9fff]"
    r"|(?:我是|客服|小编)(?:客服)?[小阿][\u4e00-\u9fff](?![\u4e00-\u9fff]?店)"
    r"|亲爱的(?!顾客|客户|朋友|用户|买家|家长|书友|读者|会员|您)[\u4e00-\u9fff]{2,4}[，,：:！]"
)
_CAPITALISED = re.compile(r"\b[A-ZÄÖÜ][\w'’-]+")


def personal(reply: Reply) -> Iterator[Reason]:
    """No mask or placeholder, no long number, no address and no person's name: what the facts hold may be said."""
    text = reply.draft.text
    for pattern, says in _CHECKS if _NUMBERED.search(text) else _CHECKS[:2]:
        found = pattern.search(text)
        if found and (span := found.group().strip()) not in reply.background.product.values:
            yield Reason("reply.pii", f'{says}: "{span}"', span)
            return
    if name := _person(reply):
        yield Reason("reply.pii", f'names a person: "{name}"', name)


def _person(reply: Reply) -> str:
    text, known = reply.draft.text, reply.background.own
    capitalised = {word.lower() for word in _CAPITALISED.findall(text)} - _CAPITALS - known
    for pattern in _NAMED if capitalised else ():
        for found in pattern.finditer(text):
            if found["name"].lower() in capitalised:
                return found.group().strip(" \n.!?,")
    chinese = None if text.isascii() else _NAMED_ZH.search(text)
    if chinese:
        return chinese.group()
    return next(iter(sorted(capitalised & _GIVEN_NAMES)), "")
