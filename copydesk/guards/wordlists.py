"""The guards' word lists, from words.toml."""

import hashlib
import tomllib
from pathlib import Path
from typing import Any

_FILE = Path(__file__).with_name("words.toml")
_BYTES = _FILE.read_bytes()
_LISTS: dict[str, Any] = tomllib.loads(_BYTES.decode())

DIGEST = hashlib.sha256(_BYTES).hexdigest()
"""Changes with every edit of the lists."""


def word_set(name: str) -> frozenset[str]:
    """A list of single words."""
    return frozenset(_LISTS[name].split())


def entries(name: str) -> list[str]:
    """A list of entries that may hold blanks."""
    return list(_LISTS[name])


def table(name: str) -> dict[str, frozenset[str]]:
    """Lists of single words, by name."""
    return {key: frozenset(words.split()) for key, words in _LISTS[name].items()}
