"""Labels for text that a machine wrote. An export puts them on, an import takes the line off; no live text holds one.

Google Merchant Center has fields of its own: text made by generative AI goes into `structured_description`, with the
IPTC source type, and not into `description` (support.google.com/merchants/answer/6324468). China's rules on labelling
AI-generated content, in force since 2025-09-01, and the standard GB 45438-2025 ask for a line that a reader sees, with
the words 人工智能 (or AI) and 生成, and for metadata under the key AIGC.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, get_args

from copydesk.errors import InputError
from copydesk.markup import to_plain
from copydesk.model import LiveText, TextFormat
from copydesk.settings import Label

LABELS: tuple[str, ...] = get_args(Label)

SOURCE_TYPE = "trained_algorithmic_media"

RUN = 6
"""Words, or Chinese characters, in one piece: shorter pieces are alike by chance, or are the product's name."""

KEPT = 0.2
"""A text is a person's once less than this share of it stands in pieces that the model wrote."""

WORDS = {"zh": "（本文由人工智能生成）", "en": "(AI-generated / 人工智能生成)"}
"""The line that a reader sees; text in another language gets the English one."""

_MARK, _TAIL = "人工智能生成", 200  # every line holds the one, in its last so many characters
_LINES = [end for words in WORDS.values() for end in (f"\n<p>{words}</p>", f"\n\n{words}")]
_LIKE_A_LINE = re.compile(rf"\s*(?:<p\b[^<>]*>\s*)?(?:{'|'.join(map(re.escape, WORDS.values()))})\s*(?:</p>)?\s*\Z")
_TOKEN = re.compile(r"[\u3400-\u9fff\uf900-\ufaff]|[^\W\u3400-\u9fff\uf900-\ufaff]+")


@dataclass(frozen=True, slots=True)
class Labels:
    """How an export marks text that a machine wrote; `producer` answers for it in China's metadata."""

    label: str = "none"
    producer: str = ""

    def check(self, file_format: str) -> None:
        """Raises InputError where there is no such label, or the format has no place for it."""
        if self.label not in LABELS:
            raise InputError(f"unknown label {self.label!r}: use one of {', '.join(LABELS)}")
        if self.label == "google" and file_format not in ("google", "jsonl"):
            raise InputError(
                f"Google's label is a field that a {file_format} file lacks: use --format google, or --label none"
            )

    def text(self, row: LiveText, text: str, text_format: TextFormat) -> str:
        """What goes into the file as the text of a product: with the line, where it has to have one."""
        if self.label != "cn" or not is_machine_written(row):
            return text
        words = WORDS.get(row.language, WORDS["en"])
        return f"{text}\n<p>{words}</p>" if text_format is TextFormat.HTML else f"{text}\n\n{words}"

    def fields(self, row: LiveText, text: str) -> Mapping[str, Any]:
        """The text and its label as fields of a JSON line."""
        labelled = self.text(row, text, TextFormat.PLAIN)
        if self.label == "none" or not is_machine_written(row):
            return {"description": labelled}
        if self.label == "google":
            return {"structured_description": {"digital_source_type": SOURCE_TYPE, "content": labelled}}
        return {"description": labelled, "AIGC": self._metadata(row)}

    def google(self, row: LiveText, text: str) -> tuple[str, str]:
        """`description` and `structured_description` of Google's tab-separated file; one of them is blank."""
        labelled = self.text(row, text, TextFormat.PLAIN)
        if not is_machine_written(row):
            return labelled, ""
        quoted = labelled.replace('"', '""')
        return "", f'{SOURCE_TYPE}:"{quoted}"'

    def _metadata(self, row: LiveText) -> Mapping[str, str]:
        """As appendix E of GB 45438-2025 names them; whoever spreads the text fills in the second half."""
        return {
            "Label": "1",  # is generated; 2 would be "may be", 3 "is suspected to be"
            "ContentProducer": self.producer,
            "ProduceID": f"copydesk-draft-{row.draft}",
            "ReservedCode1": "",
            "ContentPropagator": "",
            "PropagateID": "",
            "ReservedCode2": "",
        }


NO_LABELS = Labels()


def is_machine_written(row: LiveText) -> bool:
    """Whether a live text came from a draft, and a person did not write it anew."""
    if row.draft is None:
        return False
    return row.model_text is None or _kept(row.model_text, to_plain(row.text)) >= KEPT


def _kept(written: str, text: str) -> float:
    """The share of a text's words that stand in runs of RUN which are in another text too."""
    words, before = _tokens(text), _tokens(written)
    length = min(RUN, len(words))
    known = {tuple(before[place : place + length]) for place in range(len(before) - length + 1)}
    places = [place for place in range(len(words) - length + 1) if tuple(words[place : place + length]) in known]
    return len({place + step for place in places for step in range(length)}) / max(len(words), 1)


def _tokens(text: str) -> list[str]:
    return _TOKEN.findall(text.casefold())


def without_line(text: str) -> str:
    """A file's text without the line that an export put at its end; a shop may have set the line anew."""
    if _MARK not in text[-_TAIL:]:
        return text
    ours = next((line for line in _LINES if text.endswith(line)), None)
    return text.removesuffix(ours) if ours else _LIKE_A_LINE.sub("", text)
