"""How good a sentiment is against labels that people gave: reading a labelled file, and the figures."""

import csv
import io
import json
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from copydesk.errors import InputError
from copydesk.model import Polarity

_POLARS = frozenset({Polarity.POSITIVE, Polarity.NEGATIVE})
_TEXTS, _STARS = ("text", "review", "body", "content"), ("rating", "stars")
_NAMES = {
    "positive": Polarity.POSITIVE, "pos": Polarity.POSITIVE, "neutral": Polarity.NEUTRAL, "neu": Polarity.NEUTRAL,
    "negative": Polarity.NEGATIVE, "neg": Polarity.NEGATIVE,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Labelled:
    """A text and what a person says of it; `language` is "" where the file does not tell, `line` counts from 1."""

    line: int
    text: str
    label: Polarity
    language: str = ""


@dataclass(frozen=True, slots=True)
class Malformed:
    """A line that cannot be used, and why."""

    line: int
    why: str


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Figures of predictions against labels, each 0 to 1.

    `confusion` counts (label, prediction). `macro_f1` is the mean over the labels that occur. `polar_accuracy` is of
    the `polar` texts that people call positive or negative; a neutral prediction counts as wrong.
    """

    texts: int
    accuracy: float
    macro_f1: float
    polar: int
    polar_accuracy: float
    confusion: Mapping[tuple[Polarity, Polarity], int]


def evaluate(pairs: Iterable[tuple[Polarity, Polarity]]) -> Evaluation:
    """Figures of (label, prediction) pairs; all zero where there are none."""
    confusion = Counter(pairs)
    polar = Counter({pair: count for pair, count in confusion.items() if pair[0] in _POLARS})
    labels = sorted({label for label, _ in confusion}, key=list(Polarity).index)
    return Evaluation(
        texts=confusion.total(),
        accuracy=_accuracy(confusion),
        macro_f1=sum(_f1(confusion, label) for label in labels) / len(labels) if labels else 0.0,
        polar=polar.total(),
        polar_accuracy=_accuracy(polar),
        confusion=dict(confusion),
    )


def _accuracy(confusion: Counter[tuple[Polarity, Polarity]]) -> float:
    right = sum(count for (label, predicted), count in confusion.items() if label is predicted)
    return right / confusion.total() if confusion else 0.0


def _f1(confusion: Counter[tuple[Polarity, Polarity]], of: Polarity) -> float:
    """The harmonic mean of precision and recall."""
    labelled = sum(count for (label, _), count in confusion.items() if label is of)
    predicted = sum(count for (_, prediction), count in confusion.items() if prediction is of)
    return 2 * confusion[of, of] / (labelled + predicted)


# Reading -------------------------------------------------------------------------------------------------------------


def read_labelled(path: Path) -> tuple[list[Labelled], list[Malformed]]:
    """The texts of a CSV or JSONL file (by its ending; anything but .csv is JSONL), and its lines that are no use.

    The text is in `text`; what a person says of it in `label` (positive, neutral, negative), in `polarity` (a number,
    its sign counts) or in `rating` or `stars` (1 to 5); `language` may be left out.

    Raises:
        InputError: the file cannot be read, or is not UTF-8.
    """
    try:
        content = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read ({error}): name a CSV or JSONL file in UTF-8") from error
    rows = _csv_rows(content) if path.suffix.lower() == ".csv" else _json_rows(content)
    read = [row if isinstance(row, Malformed) else _labelled(*row) for row in rows]
    return [one for one in read if isinstance(one, Labelled)], [one for one in read if isinstance(one, Malformed)]


Row = tuple[int, Mapping[str, Any]]


def _csv_rows(content: str) -> Iterator[Row | Malformed]:
    """Each row by the line it begins in."""
    reader = csv.DictReader(io.StringIO(content, newline=""), restval="")
    begins = 2
    try:
        for row in reader:
            yield begins, {str(name).strip().lower(): value for name, value in row.items()}
            begins = reader.line_num + 1
    except csv.Error as error:
        yield Malformed(begins, f"not CSV ({error}); nothing after it was read")


def _json_rows(content: str) -> Iterator[Row | Malformed]:
    for line, text in enumerate(content.split("\n"), 1):
        if not text.strip():
            continue
        try:
            row = json.loads(text)
        except ValueError as error:
            yield Malformed(line, f"not JSON ({error})")
            continue
        yield (line, row) if isinstance(row, dict) else Malformed(line, "not a JSON object")


def _labelled(line: int, row: Mapping[str, Any]) -> Labelled | Malformed:
    text = next((row[name] for name in _TEXTS if row.get(name)), "")
    if not isinstance(text, str) or not text.strip():
        return Malformed(line, "no text: it is read from `text`")
    try:
        label = _label(row)
    except ValueError as error:
        return Malformed(line, str(error))
    return Labelled(line, text, label, str(row.get("language") or ""))


def _label(row: Mapping[str, Any]) -> Polarity:
    """Raises ValueError, with the reason for a person."""
    if (name := str(row.get("label") or "").strip().lower()) and name in _NAMES:
        return _NAMES[name]
    if name:
        raise ValueError(f"label {name}: write positive, neutral or negative, or a number in `polarity` or `rating`")
    if (polarity := row.get("polarity")) not in (None, ""):
        return _by_sign(_number("polarity", polarity))
    for stars in _STARS:
        if (rating := row.get(stars)) not in (None, ""):
            return _by_stars(stars, _number(stars, rating))
    raise ValueError("no label: it is read from `label`, `polarity`, `rating` or `stars`")


def _number(name: str, value: Any) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number):
        raise ValueError(f"{name} {value!r} is not a number")
    return number


def _by_stars(name: str, stars: float) -> Polarity:
    if not 1 <= stars <= 5:
        raise ValueError(f"{name} {stars:g} is not within 1 to 5")
    return _by_sign(stars - 3)


def _by_sign(number: float) -> Polarity:
    return Polarity.NEUTRAL if number == 0 else Polarity.POSITIVE if number > 0 else Polarity.NEGATIVE
