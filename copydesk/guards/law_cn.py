"""law.cn: superlatives that China's Advertising Law forbids (art. 9(3)), and those that offices fine in practice."""

import re
from collections.abc import Iterator

from copydesk.guards.draft import Draft
from copydesk.guards.wordlists import entries
from copydesk.model import Reason


def _pattern(name: str) -> re.Pattern[str]:
    return re.compile("|".join(entries(name)))


_FORBIDDEN, _RISKY, _ALLOWED = map(_pattern, ("superlatives", "risky_superlatives", "allowed_superlatives"))


def law_cn(draft: Draft) -> Iterator[Reason]:
    """In Chinese 国家级, 最高级 and 最佳 are refused; 第一, 唯一 and the like are marked, 第一次 and 最后 are not."""
    if not draft.chinese:
        return
    for found in _FORBIDDEN.finditer(draft.text):
        if found.group() not in draft.sheet.values:
            message = f'says "{found.group()}", which the Advertising Law forbids'
            yield Reason("law.cn", message, found.group())
    for found in _RISKY.finditer(draft.text):
        if not _ALLOWED.match(draft.text, found.start()) and found.group() not in draft.sheet.values:
            message = f'says "{found.group()}", a superlative that advertising offices object to'
            yield Reason("law.cn", message, found.group(), warns=True)
