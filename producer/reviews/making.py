"""Makes a review of the cells that a format's own module found, and says what was odd about them.

Errors (the row is not used): row.unreadable, row.undecodable, cell.too_large, json.invalid, review.missing,
review_id.too_long, review_id.duplicate, sku.too_long.
Warnings (the review is taken in): columns.unknown, review_id.repeated, rating.invalid, date.unreadable, text.shortened,
html.unsafe, text.instructs; and sku.unknown, which producer/importing_reviews.py finds.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from copydesk.markup import to_plain
from copydesk.model import Platform, Review, Reviewer, fingerprint
from producer.catalog import text
from producer.catalog.facts import MAX_SKU
from producer.catalog.items import Level, Problem
from producer.catalog.records import Fault, shown
from producer.reviews.dates import moment

MAX_TEXT = 30_000
"""Characters kept of a review. Platforms take 5,000 to 20,000; markup of this length is parsed in a quarter second."""

MAX_ID = 255

Item = Review | Problem

_STARS = re.compile(r"([1-5])(?:\.0+)?")
_MARKUP = re.compile(r"</?[a-zA-Z][^<>]*>|<!--|&(?:#\w{1,7}|[a-zA-Z][a-zA-Z0-9]{1,31});")
_BREAK = re.compile(r"\r\n?|\n")


@dataclass(frozen=True, slots=True)
class Raw:
    """One review under our names, each cell as it was written; `source` is what goes back with a reply."""

    text: str
    title: str = ""
    rating: str = ""
    sku: str = ""
    id: str = ""
    reviewer_name: str = ""
    reviewer_email: str = ""
    reviewer_id: str = ""
    written_at: str = ""
    reply: str | None = None
    source: Mapping[str, str] = field(default_factory=dict)


class Maker:
    """The reviews of one file. The first with an id wins; an id that is missing is made."""

    def __init__(self) -> None:
        self._hash_of: dict[str, str] = {}

    def take(self, line: int, platform: Platform, raw: Raw) -> Iterator[Item]:
        """Every warning and then the review, or the problem for which it is not used."""
        sheet = _Sheet(line, text.fold(raw.sku).text)
        review = sheet.review(platform, raw)
        earlier = self._hash_of.get(review.id)
        if refusal := _refusal(review, raw) or _refusal_of_twin(review, earlier):
            yield Problem(line, shown(review.sku), Level.ERROR, *refusal)
        elif earlier:
            message = "an earlier row holds the same review: it is taken in once"
            yield Problem(line, review.sku, Level.WARNING, "review_id.repeated", message)
        else:
            self._hash_of[review.id] = review.content_hash
            yield from sheet.problems
            yield review


def refuse(line: int, fault: Fault) -> Problem:
    """What is said of a record that cannot even be read."""
    return Problem(line, "", Level.ERROR, fault.code, fault.message)


def prose(raw: str) -> str:
    """A text of several lines without markup, controls and invisible characters, at most MAX_TEXT of it."""
    plain = raw[:MAX_TEXT]
    # Escaped markup (&lt;script&gt;) turns into markup when it is resolved: once more, and that is enough.
    for _ in range(2):
        if _MARKUP.search(plain):
            plain = to_plain(_BREAK.sub("<br>", plain))
    lines = (" ".join(text.INVISIBLE.sub("", line).split()) for line in _BREAK.split(plain))
    return "\n".join(lines).strip()


def _refusal(review: Review, raw: Raw) -> tuple[str, str] | None:
    if not any((raw.id, raw.text, raw.title, raw.rating)):
        return "review.missing", "the row has no id, no text and no rating: is it a review?"
    if len(review.id) > MAX_ID:
        return "review_id.too_long", f"the id has {len(review.id)} characters: shorten it to {MAX_ID}"
    if len(review.sku) > MAX_SKU:
        return "sku.too_long", f"the product's key has {len(review.sku)} characters: shorten it to {MAX_SKU}"
    return None


def _refusal_of_twin(review: Review, earlier: str | None) -> tuple[str, str] | None:
    if earlier in (None, review.content_hash):
        return None
    message = f"an earlier row says something else under the id {review.id}, and was used: keep one of the two"
    return "review_id.duplicate", message


@dataclass
class _Sheet:
    """One review in the making, and what was odd about its cells."""

    line: int
    sku: str
    problems: list[Problem] = field(default_factory=list)

    def review(self, platform: Platform, raw: Raw) -> Review:
        who = (raw.reviewer_name, raw.reviewer_email, raw.reviewer_id)
        review = Review(
            id=text.fold(raw.id).text,
            text=self._prose(raw.text),
            platform=platform,
            title=text.fold(raw.title).text,
            rating=self._rating(raw.rating),
            sku=self.sku,
            reviewer=Reviewer(*(text.fold(cell).text for cell in who)),
            written_at=self._moment(raw.written_at),
            reply=None if raw.reply is None else prose(raw.reply),
            source=raw.source,
        )
        return review if review.id else replace(review, id=_made_id(review))

    def _warn(self, code: str, message: str) -> None:
        self.problems.append(Problem(self.line, shown(self.sku), Level.WARNING, code, message))

    def _prose(self, raw: str) -> str:
        if len(raw) > MAX_TEXT:
            self._warn("text.shortened", f"the text is longer than {MAX_TEXT:,} characters: its beginning is used")
        if text.is_unsafe(raw[:MAX_TEXT]):
            self._warn("html.unsafe", "the text holds a script, a style or an event handler: it was left out")
        said = prose(raw)
        if words := text.instructs(said):
            self._warn("text.instructs", f"the text tries to instruct a model ({words!r}): kept as data")
        return said

    def _rating(self, raw: str) -> int | None:
        cell = raw.strip()
        if not cell:
            return None
        if found := _STARS.fullmatch(cell):
            return int(found[1])
        self._warn("rating.invalid", f"the rating {shown(cell)!r} is not one of 1 to 5: taken in without it")
        return None

    def _moment(self, raw: str) -> datetime | None:
        try:
            return moment(raw)
        except (ValueError, OverflowError, OSError):
            layouts = "2023-10-05 14:30:00 UTC, 05/10/2023 (day first) or seconds since 1970"
            self._warn("date.unreadable", f"the date {shown(raw)!r} is not understood: write {layouts}")
            return None


def _made_id(review: Review) -> str:
    """Of who wrote when, so that an edited review keeps its id; of what it says where the file does not tell that."""
    who = review.reviewer.email or review.reviewer.id
    if who and review.written_at:
        said = [who, review.written_at]
    else:
        said = [review.reviewer.name, review.written_at, review.title, review.text, review.rating]
    return f"{review.platform}-{fingerprint([review.sku, *said])[:24]}"
