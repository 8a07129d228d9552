"""What no reply says, as reply_words.toml lists it: promises, guilt, contacts, blame, instructions, another's voice."""

import hashlib
import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from copydesk.guards.reply_draft import Reply
from copydesk.guards.reply_sieve import Sieve
from copydesk.model import Reason

_BYTES = Path(__file__).with_name("reply_words.toml").read_bytes()
LISTS: dict[str, Any] = tomllib.loads(_BYTES.decode())

DIGEST = hashlib.sha256(_BYTES).hexdigest()
"""Changes with every edit of the lists."""


@dataclass(frozen=True, slots=True)
class Ban:
    """One thing that is not said.

    Attributes:
        code: the reason's.
        says: what a reply that says it does, for a person.
        to: "praise" or "complaint" where only a reply to that may not say it, "" for any.
        latin: how it reads in English and German, in lower case.
        chinese: how it reads in Chinese, Latin letters in lower case.
    """

    code: str
    says: str
    to: str
    latin: tuple[str, ...]
    chinese: tuple[str, ...]

    def find(self, reply: Reply) -> str:
        """The first match, "" for none."""
        found = _pattern(self.latin).search(reply.lower)
        if not found and not reply.draft.text.isascii():
            found = _pattern(self.chinese, "").search(reply.lower)
        return found.group().strip() if found else ""


def _ban(entry: dict[str, Any]) -> Ban:
    latin = tuple(spelling.replace("['’]", "'") for spelling in (*entry["en"], *entry["de"]))
    return Ban(entry["code"], entry["says"], entry.get("to", ""), latin, tuple(entry["zh"]))


BANS = tuple(_ban(entry) for entry in LISTS["bans"])


_TO = ("", "praise", "complaint")
_LATIN = {to: Sieve(one for ban in BANS if ban.to in ("", to) for one in ban.latin) for to in _TO}
_CHINESE = {to: Sieve(one for ban in BANS if ban.to in ("", to) for one in ban.chinese) for to in _TO}


def banned(reply: Reply) -> Iterator[Reason]:
    """Nothing of the lists is said, in whatever language."""
    to = "praise" if reply.review.praises else "complaint" if reply.review.complains else ""
    # Nearly all good replies end here.
    if not _LATIN[to].catches_word(reply.lower) and (reply.lower.isascii() or not _CHINESE[to].catches(reply.lower)):
        return
    for ban in BANS:
        if ban.to in ("", to) and (span := ban.find(reply)):
            yield Reason(ban.code, f'{ban.says}: "{span}"', span)


@lru_cache
def _pattern(spellings: tuple[str, ...], before: str = r"\b") -> re.Pattern[str]:
    return re.compile(f"{before}(?:{'|'.join(spellings)})")
