"""The form of a ruleset file, and the presets of the channels, which have the same form."""

import tomllib
from functools import lru_cache
from pathlib import Path
from typing import Any

from pydantic import Field

from copydesk.settings import Rules, Word

_PRESETS = tomllib.loads(Path(__file__).with_name("channels.toml").read_text(encoding="utf-8"))

FORM = frozenset(
    {
        "min_words", "max_words", "min_chars_zh", "max_chars_zh", "max_characters",
        "min_bullets", "max_bullets", "max_bullet_characters", "one_line",
    }
)  # fmt: skip
"""Rules of length and shape: a kind of copy that has its own keeps them, unless they are set for that kind."""


class Part(Rules):
    """One table of a file: any of the rules, and samples of the shop's copy that tell its voice.

    Attributes:
        samples: texts, or text files (.txt, .md) beside the ruleset file.
    """

    samples: tuple[Word, ...] = ()

    def said(self) -> dict[str, Any]:
        """The rules that this table itself sets, by name."""
        return {name: getattr(self, name) for name in Rules.model_fields if name in self.model_fields_set}


class KindPart(Part):
    """The table of a kind of copy, `[kinds.bullets]`."""

    languages: dict[str, Part] = Field(default_factory=dict)


class RulesetFile(KindPart):
    """A whole file: its top level counts for every kind of copy in every language."""

    kinds: dict[str, KindPart] = Field(default_factory=dict)

    def tables(self, kind: str, language: str) -> list[tuple[str, Part, bool]]:
        """(name, table, whether it is this kind's own) of every table that counts, from the general to the special."""
        own = self.kinds.get(kind, KindPart())
        named: list[tuple[str, Part | None, bool]] = [
            ("", self, False),
            (f"languages.{language}", self.languages.get(language), False),
            (f"kinds.{kind}", self.kinds.get(kind), True),
            (f"kinds.{kind}.languages.{language}", own.languages.get(language), True),
        ]
        return [(name, part, special) for name, part, special in named if part is not None]

    def all_tables(self) -> list[tuple[str, Part]]:
        """Every table of the file with its name, "" for the top level."""
        named: list[tuple[str, Part]] = [("", self), *_languages("", self)]
        for kind, part in self.kinds.items():
            named += [(f"kinds.{kind}", part), *_languages(f"kinds.{kind}.", part)]
        return named


def _languages(prefix: str, part: KindPart) -> list[tuple[str, Part]]:
    return [(f"{prefix}languages.{language}", one) for language, one in part.languages.items()]


@lru_cache(maxsize=1)
def _presets() -> dict[str, RulesetFile]:
    return {name: RulesetFile.model_validate(table) for name, table in _PRESETS.items()}


CHANNELS = tuple(_PRESETS)
"""The channels that have a preset."""


def preset(channel: str) -> RulesetFile:
    """The preset of a channel in CHANNELS; "" and others have an empty one."""
    return _presets().get(channel, RulesetFile())
