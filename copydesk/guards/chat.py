"""Talk instead of copy: refusals, preambles, labels, placeholders, markup of a chat or a document."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from copydesk.guards.draft import BULLET, Draft
from copydesk.model import Reason


def _one_of(*patterns: str) -> re.Pattern[str]:
    return re.compile("|".join(patterns), re.IGNORECASE | re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Check:
    """One kind of talk.

    Attributes:
        message: what it is, for a person.
        pattern: how it reads.
        words, signs: every match holds one of these words or signs. Most texts hold none, and the pattern never runs.
        code: what the reason is called. Marks, contact, hashtags and emoji have codes of their own, since some kinds of
            copy want them.
    """

    message: str
    pattern: re.Pattern[str]
    words: frozenset[str] = frozenset()
    signs: str = ""
    code: str = "shape.chat"

    def find(self, draft: Draft) -> str:
        """The first match, "" for none."""
        if self.words.isdisjoint(draft.vocabulary) and not any(sign in draft.text for sign in self.signs):
            return ""
        found = self.pattern.search(draft.text)
        return found.group().strip() if found else ""


_OPENING = _one_of(
    r"\s*(?:sure|certainly|of course|absolutely|okay|here (?:is|are))\b",
    r"\s*here['’]s (?:a|an|the|my|your|some|what|how)\b",
    r"\s*(?:the |an? |this )?(?:product |short )?(?:description|copy|answer|draft)(?: is| for|:)",
    r"\s*(?:well|alright|great|no problem)[,!] (?:here|let)\b",
    r"\s*(?:based on|according to|given) (?:the|your|these) (?:facts|information|details|data)\b",
    r"\s*(?:好的|当然|没问题|以下是|下面是|根据(?:您|你)?提供|这是(?:一个|一段|一份)?(?:产品|商品)(?:描述|文案|介绍))",
)

CHECKS = (
    Check(
        "refuses or apologises instead of describing",
        _one_of(
            r"\bi(?:['’]m| am)? (?:sorry|unable|afraid)\b",
            r"\bi (?:can(?:no|['’])t|cannot|do not have|don['’]t have|apologi[sz]e)\b",
            r"\b(?:as an ai|language model|not provided|no information|(?:don['’]t|do not) have (?:enough|access))\b",
            r"\bunfortunately\b[^.!?]{0,60}\b(?:no|not|cannot|unable)\b",
            r"\b(?:against|violates?) my (?:guidelines|policy)\b",
            r"\b(?:no|not enough|insufficient|without (?:more|further)) (?:(?:further|more|other) )?"
            r"(?:details?|information)\b",
            r"抱歉|对不起|不好意思|无法(?:提供|生成|回答|帮助|撰写|描述)|作为(?:一个|一名)?(?:AI|人工智能|语言模型)|没有提供|未提供",
            r"(?:信息|资料|细节)(?:不足|不够|有限)|(?:缺少|没有足够的?)(?:信息|资料|细节)",
            r"无从得知|(?:不能|没法)(?:提供|生成|回答|给出)",
        ),
        frozenset({"i", "i'm", "ai", "language", "not", "no", "don't", "my"})
        | {"unfortunately", "insufficient", "without"},
        "抱对无作没不未信资细缺",
    ),
    Check(
        "holds marks of a chat or a document",
        _one_of(
            r"<\|[^|>]*\|?>?|\|>|\[/?INST\]|</?s>|<</?SYS>>|`|\*\*|^#{1,6} ",
        ),
        signs="<|[`*#",
        code="shape.marks",
    ),
    Check(
        "holds a placeholder",
        _one_of(
            r"\[[^\]\d][^\]]{0,40}\]|【[^】]{0,20}】|\{[^}]{0,40}\}|<[a-z][a-z _-]{2,30}>|_{3,}",
            r"(?<![a-z0-9])(?:lorem ipsum|x{3,4}|tbd|insert \w+ here)(?![a-z0-9])",
        ),
        frozenset({"lorem", "xxx", "xxxx", "tbd", "insert"}),
        "[{<【_",
    ),
    Check(
        "lists field names instead of describing",
        _one_of(
            r"(?:^|[.!?|,;] ?)\s*(?:product |key )?(?:title|brand|category|type|variants?|description|name|price|note"
            r"|features?|user|assistant|human|system|facts?|material|size|colou?r|flavou?r|volume|weight|version|sku|tags?)\s*[:：]",
            r"\bthe (?:care|features?|type|(?:product )?category|tags|variant|title|brand) (?:is|are)\b",
            r"(?:标题|正文|品牌|类别|分类|名称|描述|文案|材质|颜色|尺寸|规格|价格|特点|注意?)\s*[：:]",
        ),
        words=frozenset({"care", "feature", "features", "type", "category", "tags", "variant", "title", "brand"}),
        signs=":：",
    ),
    Check(
        "speaks as its writer, not of the product",
        re.compile(
            r"\bI(?:['’](?:m|ve|d|ll)\b|(?= [a-z]))|\b(?:[Mm]y|[Mm]e|[Mm]yself|[Ll]et me)\b"
            r"|\b[Yy]ou['’]re (?:right|welcome)\b"
            r"|\b[Oo]ur (?:\w+ ){0,2}(?:locations|stores?|shops?|team|customers|website)\b"
            r"|\b[Yy]our (?:product|customer|client|online (?:shop|store)|brand|business|request)s?\b"
            r"|\b(?:[Pp]roduct description|[Tt]he (?:given |provided )?facts|[Ff]acts (?:given|provided))\b"
            r"|\b[Tt]his (?:(?:short|product|brief) )?(?:description|draft|text)\b|\b[Hh]ope (?:this|that) helps\b"
            r"|\b(?:[Ff]eel free|[Dd]on['’]t hesitate) to (?:ask|change|edit|adjust|contact|reach)\b"
            r"|\b(?:under|within|exactly|has|have|in) \d+ words\b|\bword count\b"
            r"|我(?:是|会|可以|想为|为您|写了)|希望(?:这|以上|对)|以上(?:就)?是|如[需有](?:修改|调整|其他|任何)"
            r"|这[段篇条](?:文案|描述|文字|介绍)|(?:请看|如下|下面)的?(?:文案|描述)|请(?:告诉|告知)我|(?:修改|字数)要求"
        ),
        frozenset({"i", "i'm", "i've", "i'd", "i'll", "my", "me", "myself", "you're", "your", "our"})
        | {"description", "descriptions", "facts", "draft", "text", "hope", "free", "hesitate", "words", "word"},
        "我希以如这请下要",
    ),
    Check(
        "holds a link or an address",
        _one_of(
            r"https?:|\bwww\.|\S@\S+\.\S|\b\w+\.(?:com|net|org|co\.uk|cn)\b",
            r"\+\d{1,3}[ -]\d[\d -]{6,}|\b(?:call|text|phone) us\b|\b\d{3,4}-\d{3,4}-\d{3,4}\b",
            r"(?:微信|QQ|电话|热线|公众号)[号:：]{0,2}\s*[a-z0-9-]{5,}|加微信|扫码",
            r"\b(?:use|with) (?:the )?code [A-Z0-9]{4,}",
        ),
        frozenset({"http", "https", "www", "com", "net", "org", "uk", "cn", "us", "code"}),
        "@+微Q电热公扫",
        "shape.contact",
    ),
    Check("holds a hashtag", _one_of(r"#[A-Za-z]\w+|#[\u3400-\u9fff]+"), signs="#", code="shape.hashtag"),
)

_MARK = rf"\s*(?:{BULLET}\s|\d{{1,2}}、)"
_MARKED, _MARKED_LINE = re.compile(_MARK), re.compile(rf"\n{_MARK}")
_EMOJI = re.compile("[\U0001f300-\U0001faff\u2600-\u27bf]")


def chat(draft: Draft) -> Iterator[Reason]:
    """The text is copy, not an answer in a conversation. What stands in the facts as it is may be said."""
    opening = _OPENING.match(draft.text)
    if opening:
        yield Reason("shape.chat", "opens like an answer in a chat, not like copy", opening.group().strip())
    if bullet := "" if draft.is_list else _bullet(draft.text):
        yield Reason("shape.marks", "is a list, not running text", bullet)
    for check in CHECKS:
        if draft.rules.guards.get(check.code) == "off":
            continue  # it would keep the checks after it from being made
        span = check.find(draft)
        # A title may hold "[2-pack]"; the writer's "I" is never excused by a letter of a fact.
        if span and (len(span) < 3 or span not in draft.sheet.values):
            yield Reason(check.code, f'{check.message}: "{span}"', span)
            return
    if not draft.text.isascii() and (emoji := _EMOJI.search(draft.text)):
        yield Reason("shape.emoji", f'holds an emoji: "{emoji.group()}"', emoji.group())


def _bullet(text: str) -> str:
    """The first mark of a list, "" for none."""
    found = _MARKED.match(text) or (_MARKED_LINE.search(text) if "\n" in text else None)
    return found.group().strip() if found else ""
