"""Talk instead of copy: refusals, preambles, labels, placeholders, markup of a chat or a document."""

import re
from collections.abc import Iterator

from copydesk.guards.draft import Draft, facts_text
from copydesk.model import Reason

_OPENING = re.compile(
    r"\s*(?:sure\b|certainly\b|of course\b|absolutely\b|okay\b|here (?:is|are)\b|here['’]s (?:a|an|the|my|your|some|what|how)\b|"
    r"(?:the |a |an |this )?(?:(?:product|short) )?(?:description|copy|answer|draft)\b(?: is| for|:)|"
    r"好的|当然|以下是|下面是|这是(?:一个|一段|一份)?(?:产品|商品)(?:描述|文案|介绍)|根据(?:您|你)?提供)",
    re.IGNORECASE,
)
_REFUSAL = re.compile(
    r"\b(?:i(?:['’]m| am)? (?:sorry|unable|afraid)|i (?:can(?:no|['’])t|cannot|do not have|don['’]t have|apologi[sz]e)|"
    r"as an ai|language model|(?:don['’]t|do not) have (?:enough|access)|not provided|no information)\b|"
    r"抱歉|对不起|无法(?:提供|生成|回答|帮助)|作为(?:一个|一名)?(?:AI|人工智能|语言模型)|没有提供",
    re.IGNORECASE,
)
_MARKS = re.compile(
    r"<\|[^|>]*\|?>?|\|>|\[/?INST\]|</?s>|<</?SYS>>|`|\*\*|^#{1,6} |(?:\n|\A)\s*(?:[-*•]|\d+[.)])\s", re.MULTILINE
)
_PLACEHOLDER = re.compile(
    r"\[[^\]\d][^\]]{0,40}\]|【[^】]{0,20}】|\{[^}]{0,40}\}|<[a-z][a-z _-]{2,30}>|\b(?:lorem ipsum|x{3,}|tbd|insert \w+ here)\b|_{3,}",
    re.IGNORECASE,
)
_LABEL = re.compile(
    r"(?:^|[\n.!?|] ?)\s*((?:product )?(?:title|brand|category|type|variants?|description|name|price|features?|note|user|assistant|"
    r"human|system|facts?|material|size|colou?r|flavou?r|volume|weight|version|sku|tags?|key features)\s*[:：])",
    re.IGNORECASE,
)
_LABEL_ZH = re.compile(
    r"(?:标题|品牌|类别|分类|名称|产品名称|商品名称|描述|文案|材质|颜色|尺寸|规格|价格|特点|注意?)\s*[：:]"
)
_WRITER = re.compile(
    r"\bI(?:['’](?:m|ve|d|ll)\b|(?= [a-z]))|\b(?:[Mm]y|[Mm]e|[Mm]yself)\b|\b[Yy]ou['’]re (?:right|welcome)\b"
    r"|\b[Yy]our (?:product|customer|client|online (?:shop|store)|brand|business|request)s?\b"
    r"|\b[Pp]roduct description|\b[Tt]he (?:given |provided )?facts\b|\b[Ff]acts (?:given|provided)"
    r"|\b[Ll]et me\b|\b[Dd]escribe the\b|[我](?:是|会|可以|想|为您)"
)
_LINK = re.compile(r"https?:|\bwww\.|\S@\S+\.\S|\b\w+\.(?:com|net|org|co\.uk|cn)\b|#[A-Za-z]\w+", re.IGNORECASE)
_EMOJI = re.compile("[\U0001f300-\U0001faff\u2600-\u27bf]")

# (pattern, message, words or signs one of which a match must hold): most texts hold none, and the pattern never runs.
_CHECKS: tuple[tuple[re.Pattern[str], str, frozenset[str], str], ...] = (
    (
        _REFUSAL,
        "refuses or apologises instead of describing",
        frozenset("sorry unable afraid can't cannot i can ai language don't not no".split()),
        "抱对无作没",
    ),
    (_MARKS, "holds marks of a chat or a document", frozenset(), "<|[`*#•\n"),
    (_PLACEHOLDER, "holds a placeholder", frozenset("lorem xxx xxxx tbd insert".split()), "[{<【_"),
    (_LABEL, "lists field names instead of describing", frozenset(), ":："),
    (_LABEL_ZH, "lists field names instead of describing", frozenset(), ":："),
    (
        _WRITER,
        "speaks as its writer, not of the product",
        frozenset("i i'm i've i'd i'll my me myself you're your description facts let describe".split()),
        "我",
    ),
    (_LINK, "holds a link, an address or a hashtag", frozenset("http https www com net org cn uk".split()), "@#"),
)


def chat(draft: Draft) -> Iterator[Reason]:
    """The text is copy, not an answer in a conversation. What stands in the facts as it is may be said."""
    opening = _OPENING.match(draft.text)
    if opening:
        yield Reason("shape.chat", "opens like an answer in a chat, not like copy", opening.group().strip())
    for pattern, message, words, signs in _CHECKS:
        if words.isdisjoint(draft.vocabulary) and not any(sign in draft.text for sign in signs):
            continue
        found = pattern.search(draft.text)
        # A title may hold "[2-pack]"; the writer's "I" is never excused by a letter of a fact.
        if found and (len(found.group()) < 3 or found.group().strip() not in facts_text(draft.facts)):
            yield Reason("shape.chat", f'{message}: "{found.group().strip()}"', found.group().strip())
            return
    if not draft.text.isascii() and (emoji := _EMOJI.search(draft.text)):
        yield Reason("shape.chat", f'holds an emoji: "{emoji.group()}"', emoji.group())
