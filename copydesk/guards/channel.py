"""channel.*: what the channel that the copy goes to does not take, from channels.toml."""

import hashlib
import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from copydesk.guards.draft import Draft
from copydesk.guards.shop_words import Text, Word, names
from copydesk.model import Reason

_BYTES = Path(__file__).with_name("channels.toml").read_bytes()

DIGEST = hashlib.sha256(_BYTES).hexdigest()
"""Changes with every edit of the lists."""


@dataclass(frozen=True, slots=True)
class Ban:
    """One thing that a channel does not take.

    Attributes:
        says: what it is, for a person: "names a price".
        words: entries looked up as a shop's own forbidden words are.
        pattern: how else it reads; its groups, if any, name what counts.
        in_lists: only the bullets of a list may not have it.
    """

    says: str
    words: tuple[Word, ...]
    pattern: re.Pattern[str]
    in_lists: bool

    def find(self, draft: Draft, text: Text) -> str:
        """What the text holds of it and the product's name does not, "" for nothing."""
        for word in self.words:
            if (span := word.find(text)) and not word.find(names(draft.sheet)):
                return span
        called = names(draft.sheet).running
        found = (match.group().strip() for match in self.pattern.finditer(draft.text))
        return next((span for span in found if span.casefold() not in called), "")


def _ban(raw: dict[str, Any]) -> Ban:
    pattern = re.compile("|".join(raw.get("patterns", ())) or r"(?!)", re.IGNORECASE)
    return Ban(raw["says"], tuple(map(Word, raw.get("words", ()))), pattern, raw.get("in_lists", False))


_CHANNELS = {channel: tuple(map(_ban, bans)) for channel, bans in tomllib.loads(_BYTES.decode()).items()}


def channel(draft: Draft) -> Iterator[Reason]:
    """Nothing that the channel of the rules would take the listing down for."""
    bans = _CHANNELS.get(draft.rules.channel)
    if not bans:
        return
    text = Text(draft.line, draft.text.casefold())
    for ban in bans:
        if (draft.is_list or not ban.in_lists) and (span := ban.find(draft, text)):
            yield Reason(f"channel.{draft.rules.channel}", f'{ban.says}: "{span}"', span)
