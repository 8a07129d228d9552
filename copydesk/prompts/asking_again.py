"""A text was refused: the next ask says, in the product's language, what was wrong with the last answer.

Nothing of that answer is quoted but a short word or number, and that only where it cannot do harm: what was refused as
prompt text, as an insult or as somebody's address is not shown to the model once more.
"""

import hashlib
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from string import Template
from typing import Annotated, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from copydesk.model import Reason
from copydesk.prompts.render import Prompt, one_line
from copydesk.prompts.replies import ReplyPrompt

FOLDER = Path(__file__).parent / "again"

MOST = 3
"""Lines: what is wrong beyond them, the ask after the next may say."""

SPAN_LIMIT = 40
"""Characters of a quoted word; a longer one is a sentence, and is not quoted."""

Text = Annotated[str, Field(min_length=1)]
One = TypeVar("One", bound=Prompt)


class _AgainFile(BaseModel):
    """What is said in one language.

    Attributes:
        lines: by reason code, or by the family before its dot, what to do about it; "else" for every other code.
        quoting: the same with `$span`, the words that were refused, where those may be repeated.
        joint: what stands between two lines.
        echoes: phrases of these that must not turn up in an answer; a line that was told must not as a whole.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    lines: dict[str, Text]
    quoting: dict[str, Text]
    joint: str
    echoes: tuple[Text, ...]


def again(prompt: One, reasons: Sequence[Reason], language: str) -> One:
    """The same prompt, with what was wrong with the last answer before its last line, which says what to write.

    "Your last answer" is not spoken of: the last one that the model sees is a worked example's. As it was where there
    is no line in the language, and for a model without a chat template, which continues a record.

    Args:
        prompt: what was asked.
        reasons: why the answer was refused; remarks are not named, nor is one code named twice.
        language: the text's.
    """
    file = _load(language)
    # What a reply was refused for may be a customer's name or number.
    quoting = file.quoting if file and not isinstance(prompt, ReplyPrompt) else {}
    named = list(_lines(file, reasons, quoting))[:MOST] if file else []
    if file is None or not named:
        return prompt
    *before, (role, content) = prompt.turns
    facts, _, ask = content.rpartition("\n")
    told = "\n".join([facts, file.joint.join(named), ask]).strip()
    return replace(prompt, turns=(*before, (role, told)), echoes=(*prompt.echoes, *file.echoes, *named))


def again_digest() -> str:
    """SHA-256 of what is said in all languages: another value with every edit."""
    content = b"\0".join(path.read_bytes() for path in sorted(FOLDER.glob("*.toml")))
    return hashlib.sha256(content).hexdigest()


def _lines(file: _AgainFile, reasons: Sequence[Reason], quoting: Mapping[str, str]) -> Iterator[str]:
    hard = {reason.code: reason for reason in reversed(reasons) if not reason.warns}  # the first of each code
    for code in dict.fromkeys(reason.code for reason in reasons if reason.code in hard):
        span = one_line(hard[code].span)
        if code in quoting and 0 < len(span) <= SPAN_LIMIT:
            yield Template(quoting[code]).safe_substitute(span=span)
        else:
            yield file.lines.get(code) or file.lines.get(code.partition(".")[0]) or file.lines["else"]


@lru_cache
def _load(language: str) -> _AgainFile | None:
    path = next((path for path in FOLDER.glob("*.toml") if path.stem == language), None)
    return _AgainFile.model_validate(tomllib.loads(path.read_text(encoding="utf-8"))) if path else None
