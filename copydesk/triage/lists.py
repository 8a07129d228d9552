"""The lists of routes.toml, as they are used."""

import tomllib
from pathlib import Path
from typing import Any

from copydesk.triage.phrases import Phrases, Plain, plain

LISTS: dict[str, Any] = tomllib.loads(Path(__file__).with_name("routes.toml").read_text(encoding="utf-8"))

_SIMPLIFIED: dict[int, int | str] = {
    ord(traditional): simplified for traditional, simplified in LISTS["traditional"]["pairs"].split()
}


def phrases(*sections: str, names: tuple[str, ...] = ("en", "de", "zh")) -> Phrases:
    """The phrases of these sections under their names; all languages together."""
    lists = {section: [entry for name in names for entry in _entries(section, name)] for section in sections}
    return Phrases(lists, LISTS["groups"], _SIMPLIFIED)


def own(lists: dict[str, tuple[str, ...]]) -> Phrases:
    """A shop's own phrases, which may mention the groups of the lists."""
    return Phrases(lists, LISTS["groups"], _SIMPLIFIED)


def read(text: str) -> Plain:
    """A text as the phrases are looked for in it."""
    return plain(text, _SIMPLIFIED)


def _entries(section: str, name: str) -> list[str]:
    return [entry for line in LISTS[section].get(name, "").splitlines() for entry in line.split(",")]
