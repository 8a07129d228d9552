"""Samples of a shop's own copy: texts, or text files beside the ruleset file."""

import re
from collections.abc import Iterable
from pathlib import Path

from copydesk.rulesets.model import KindPart, Part, RulesetFile

_NAMES_A_FILE = re.compile(r"\S[^\n]*\.(?:txt|md)")

_PARTED = re.compile(r"^[ \t]*-{3,}[ \t]*$", re.MULTILINE)
"""A line of dashes parts the texts of one file."""


class SampleError(Exception):
    """Samples that cannot be read; `lines` has one for each."""

    def __init__(self, lines: list[str]) -> None:
        super().__init__("\n".join(lines))
        self.lines = lines


def read_samples(content: RulesetFile, folder: Path) -> RulesetFile:
    """The ruleset with the texts of its sample files in their place. Raises SampleError."""
    wrong: list[str] = []
    read = content.model_copy(
        update={
            **_texts(content, "", folder, wrong),
            "kinds": {name: _of_kind(part, f"kinds.{name}.", folder, wrong) for name, part in content.kinds.items()},
        }
    )
    if wrong:
        raise SampleError(wrong)
    return read


def _of_kind(part: KindPart, prefix: str, folder: Path, wrong: list[str]) -> KindPart:
    return part.model_copy(update=_texts(part, prefix, folder, wrong))


def _texts(part: KindPart, prefix: str, folder: Path, wrong: list[str]) -> dict[str, object]:
    languages = {
        name: one.model_copy(update={"samples": _read(one, f"{prefix}languages.{name}.", folder, wrong)})
        for name, one in part.languages.items()
    }
    return {"samples": _read(part, prefix, folder, wrong), "languages": languages}


def _read(part: Part, prefix: str, folder: Path, wrong: list[str]) -> tuple[str, ...]:
    texts: list[str] = []
    for sample in part.samples:
        if not _NAMES_A_FILE.fullmatch(sample):
            texts.append(sample)
            continue
        try:
            texts += texts_of(folder / sample)
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
            wrong.append(f"{prefix}samples: {folder / sample} cannot be read: {reason}")
    return tuple(texts)


def texts_of(file: Path) -> list[str]:
    """The texts of a file, parted by lines of dashes. Raises OSError, UnicodeDecodeError."""
    return clean(_PARTED.split(file.read_text(encoding="utf-8-sig")))


def clean(texts: Iterable[str]) -> list[str]:
    """The texts that hold anything, without the white space around them."""
    return [text.strip() for text in texts if text.strip()]
