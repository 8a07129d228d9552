"""Rules as a person reads them: what counts and where it comes from, and a ruleset file made of samples."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from copydesk.model import is_chinese
from copydesk.rulesets import Effective, Style
from producer import report as reports

UNSET: tuple[Any, ...] = (None, "", (), {}, False)
LATIN_LENGTHS, CHINESE_LENGTHS = ("min_words", "max_words"), ("min_chars_zh", "max_chars_zh")


def as_dict(found: Effective) -> dict[str, Any]:
    """By the name of each rule its value and where that comes from."""
    values = found.rules.model_dump(mode="json")
    return {name: {"value": value, "from": found.sources[name]} for name, value in values.items()}


def show(by_language: Mapping[str, Effective], *, as_json: bool) -> None:
    """Print the rules of each language."""
    if as_json:
        reports.print_json({language: as_dict(found) for language, found in by_language.items()})
        return
    for language, found in by_language.items():
        reports.print_table((f"rule ({language})", "value", "from"), _rows(found, language), "")


def _rows(found: Effective, language: str) -> list[tuple[str, str, str]]:
    """What is set, without the lengths of other scripts."""
    elsewhere = LATIN_LENGTHS if is_chinese(language) else CHINESE_LENGTHS
    shown = ((name, value) for name, value in found.rules if value not in UNSET and name not in elsewhere)
    return [(name, _value(value), ", ".join(found.sources[name])) for name, value in shown]


def _value(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} = {one}" for name, one in value.items())
    return ", ".join(value) if isinstance(value, tuple) else str(value)


def as_toml(styles: Iterable[Style], kind: str) -> str:
    """A ruleset file that asks a kind of copy to be like the texts that the styles were learned from."""
    head = "# Learned by `copydesk rules learn`: read it through, and change what you do not want (docs/rules.md)."
    return "\n\n".join([head, *(_of_style(style, kind) for style in styles)]) + "\n"


def _of_style(style: Style, kind: str) -> str:
    least, most = CHINESE_LENGTHS if is_chinese(style.language) else LATIN_LENGTHS
    return "\n".join(
        [
            f"# From {style.texts} texts.",
            f"[languages.{style.language}]",
            f"voice = {_quoted(style.voice)}",
            *_suggested(style),
            "",
            f"[kinds.{kind}.languages.{style.language}]",
            f"{least} = {style.shortest}  # eight in ten of the texts are between these two",
            f"{most} = {style.longest}",
        ]
    )


def _suggested(style: Style) -> list[str]:
    """A comment: a word that comes back may be the shop's own or its catalog's, which only a person knows."""
    if not style.recurring:
        return []
    return ["# Most of them hold these words. required = [...] asks for those you name, each in every text.",
            f"# {', '.join(style.recurring)}"]  # fmt: skip


def _quoted(text: str) -> str:
    """A TOML string, which JSON's are."""
    return json.dumps(text, ensure_ascii=False)
