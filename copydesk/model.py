"""The words of the trade as frozen values: facts, products, drafts, verdicts, and the legal moves of a draft."""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime
from enum import StrEnum
from typing import Any, Self

DESCRIPTION, BATCH, REPLY, SENTIMENT = "description", "batch", "reply", "sentiment"
"""Kinds of work, stored with every run and draft. Copy (descriptions, and whatever else there is a prompt for) becomes
live texts, a batch goes to a file, replies go to the platform, and a sentiment stays with its review."""

DUPLICATE = "duplicate"
"""The reason code of a text that is nearly another product's."""

NO_COPY = (BATCH, REPLY, SENTIMENT)
"""The kinds of work that are not copy about a product."""

TRANSLATION_MARK = "-"
"""Stands in the name of a kind that puts live descriptions into another language, before the language, and in no other:
each language has texts of its own (`translation-zh`, `translation-de`)."""


def translating(kind: str, language: str) -> str:
    """The kind of copy that a translation into a language is stored as.

    >>> translating("translation", "zh")
    'translation-zh'
    """
    return f"{kind}{TRANSLATION_MARK}{language}"


class Lane(StrEnum):
    """Who waits for the work. What waits in the lane of replies always goes before what waits for the rest."""

    REPLIES = "replies"  # somebody
    CATALOG = "catalog"  # nobody: bulk


class Status(StrEnum):
    """Where a draft is in its life. docs/lifecycle.md draws it; LEGAL_MOVES is the law."""

    PENDING = "pending"  # waits for a worker
    WRITING = "writing"  # leased by a worker
    READY = "ready"  # every guard passed; waits for approval
    HELD = "held"  # a guard refused it as often as allowed; waits for a person
    FAILED = "failed"  # could not be written at all; the reasons say why
    STALE = "stale"  # the product was edited meanwhile; a newer draft takes its place
    APPROVED = "approved"  # a person, or a rule that one switched on, said yes
    REJECTED = "rejected"  # a person said no
    PUBLISHED = "published"  # it is the shop's live text
    UNDONE = "undone"  # it was live, and was taken back
    IGNORED = "ignored"  # a review that says nothing, or is spam: no reply
    CANCELLED = "cancelled"  # its run was cancelled, or reached its budget, before it was written


LEGAL_MOVES: Mapping[Status, frozenset[Status]] = {
    Status.PENDING: frozenset({Status.WRITING, Status.STALE, Status.CANCELLED}),
    Status.WRITING: frozenset(
        {Status.PENDING, Status.READY, Status.HELD, Status.FAILED, Status.STALE, Status.CANCELLED}
    ),
    # Written once more, or held, where its run finds that it is nearly another product's text.
    Status.READY: frozenset({Status.APPROVED, Status.REJECTED, Status.STALE, Status.PENDING, Status.HELD}),
    Status.HELD: frozenset({Status.APPROVED, Status.REJECTED, Status.STALE}),
    Status.FAILED: frozenset({Status.PENDING}),  # by `copydesk redrive`, as the cancelled ones
    Status.STALE: frozenset(),
    # Ready again where two persons have to say yes, and one of them rewords it or thinks again.
    Status.APPROVED: frozenset({Status.PUBLISHED, Status.READY, Status.REJECTED, Status.STALE}),
    Status.REJECTED: frozenset({Status.APPROVED, Status.READY}),
    Status.PUBLISHED: frozenset({Status.UNDONE}),
    Status.UNDONE: frozenset({Status.PUBLISHED}),  # by `copydesk undo --to`
    Status.IGNORED: frozenset({Status.APPROVED, Status.STALE}),
    Status.CANCELLED: frozenset({Status.PENDING}),
}

OPEN = frozenset({Status.PENDING, Status.WRITING})
"""States in which a worker still owes an outcome; a run ends when none of its drafts is in one."""


def is_chinese(language: str) -> bool:
    """Whether a language code names Chinese, with or without a region or script."""
    return re.split("[-_]", language, maxsplit=1)[0].casefold() == "zh"


class TextFormat(StrEnum):
    """How the shop stores a description."""

    HTML = "html"
    PLAIN = "plain"


def stored_as(kind: str, description: TextFormat) -> TextFormat:
    """A translation is stored as the shop stores descriptions; every other kind of copy is plain text."""
    return description if kind == DESCRIPTION or TRANSLATION_MARK in kind else TextFormat.PLAIN


class Dialect(StrEnum):
    """The catalog file format a product came in, and goes back out in."""

    SHOPIFY_LEGACY = "shopify-legacy"
    SHOPIFY = "shopify"
    WOOCOMMERCE = "woocommerce"
    JSONL = "jsonl"


@dataclass(frozen=True, slots=True)
class Facts:
    """What may be said of one product, and nothing else.

    `attributes` keeps the file's order; a value with several parts (sizes, volumes) joins them with ", ".
    """

    title: str
    brand: str = ""
    category: str = ""
    attributes: tuple[tuple[str, str], ...] = ()
    language: str = "en"

    def lines(self) -> list[tuple[str, str]]:
        """Every fact as (name, value), the title first, blanks left out."""
        named = [("Title", self.title), ("Brand", self.brand), ("Category", self.category), *self.attributes]
        return [(name, value) for name, value in named if value]

    def as_json(self) -> dict[str, Any]:
        return {
            "title": self.title,
            "brand": self.brand,
            "category": self.category,
            "attributes": self.attributes,
            "language": self.language,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Facts":
        attributes = tuple((name, value) for name, value in data["attributes"])
        return cls(data["title"], data["brand"], data["category"], attributes, data["language"])


_CANONICAL = json.JSONEncoder(sort_keys=True, ensure_ascii=False, separators=(",", ":"), default=str)


def canonical(value: object) -> str:
    """JSON of a JSON-able value, independent of the order of its keys."""
    return _CANONICAL.encode(value)


def fingerprint(value: object) -> str:
    """SHA-256 (hex, 64 characters) of a value's canonical JSON."""
    return fingerprint_of_json(canonical(value))


def fingerprint_of_json(text: str) -> str:
    """The fingerprint of the value that `text` is the canonical JSON of."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


@dataclass(frozen=True, slots=True)
class Product:
    """One product as a catalog file holds it.

    `sku` is the file's own key: Shopify's handle, WooCommerce's SKU (or `id:<ID>` where it is blank), JSONL's sku.
    `source` keeps the raw cells needed to write the product back in its dialect.
    """

    sku: str
    facts: Facts
    description: str
    text_format: TextFormat
    dialect: Dialect
    source: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class LiveText:
    """A product's text as the shop shows it now; `source` and `dialect` (None when unknown) as they were imported.

    `draft` is the one it came from, if any, and `model_text` what the model wrote where a person edited that.
    `beside` holds texts of other kinds, by kind, where they were asked for and there are any.
    """

    sku: str
    text: str
    title: str
    text_format: TextFormat
    dialect: Dialect | None
    source: Mapping[str, str]
    language: str
    draft: int | None = None
    model_text: str | None = None
    beside: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a guard refused a text: a stable code, a sentence for a person, and the span it saw ("" when none).

    One that `warns` refuses nothing: the text may be ready, and is marked.
    """

    code: str
    message: str
    span: str = ""
    warns: bool = False


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the guards say of one text; no reasons but such as warn means ready."""

    reasons: tuple[Reason, ...] = ()

    @property
    def passed(self) -> bool:
        return all(reason.warns for reason in self.reasons)


@dataclass(frozen=True, slots=True)
class Telemetry:
    """What a chunk cost: sums over its completions, and what the engine did, for whomever, while it was written.

    Sums of seconds count from a completion's submit: until the model began with it, until its first token, until its
    end. `wall_seconds` is from claim to end; of several goes at one chunk everything adds up but `width`.
    """

    completions: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    queue_seconds: float = 0.0
    first_token_seconds: float = 0.0
    seconds: float = 0.0
    wall_seconds: float = 0.0
    busy_seconds: float = 0.0  # in which the model worked
    sequence_seconds: float = 0.0  # the same, times the sequences it worked on
    width: int = 0  # sequences it works on at most

    def __add__(self, other: "Telemetry") -> "Telemetry":
        sums = {one.name: getattr(self, one.name) + getattr(other, one.name) for one in fields(self)}
        return Telemetry(**{**sums, "width": max(self.width, other.width)})

    def __str__(self) -> str:
        """Tokens of this chunk, sequences of the engine's batch, seconds until the model began: "" if nothing came."""
        if not self.completions:
            return ""
        rate = self.completion_tokens / self.wall_seconds if self.wall_seconds else 0.0
        full = f"batch {self.sequence_seconds / self.busy_seconds:.0f}/{self.width}, " if self.busy_seconds else ""
        return f"{rate:.0f} tok/s, {full}wait {self.queue_seconds / self.completions:.1f} s"

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


class Counts:
    """A dataclass of counts, and of lists of what was counted: two of them add up, one by one."""

    __slots__ = ()

    def __add__(self, other: Self) -> Self:
        mine: Any = self  # a dataclass, which mypy cannot know
        return type(self)(*(getattr(self, one.name) + getattr(other, one.name) for one in fields(mine)))


# Reviews and the replies to them -------------------------------------------------------------------------------------


class Platform(StrEnum):
    """Where a review comes from, and which format its reply goes back in."""

    JUDGEME = "judgeme"
    YOTPO = "yotpo"
    AMAZON = "amazon"
    GOOGLE = "google"
    OWN = "own"  # our CSV and JSON lines, and the HTTP endpoint: one review, however it is brought


class Polarity(StrEnum):
    """What a text says of its subject."""

    POSITIVE = "positive"
    NEUTRAL = "neutral"
    NEGATIVE = "negative"


class Route(StrEnum):
    """What a review is about, as far as that decides who may answer it. Graver routes come first."""

    SELF_HARM = "self-harm"
    SAFETY = "safety"  # injury, fire, glass, a child in danger
    HEALTH = "health"  # illness, allergy
    LEGAL = "legal"  # lawyer, court, police
    REGULATOR = "regulator"  # trading standards, 12315, Verbraucherzentrale
    MEDIA = "media"
    DISCRIMINATION = "discrimination"
    STAFF = "staff"  # somebody of the staff is named
    EMPTY = "empty"  # nothing is said
    SPAM = "spam"
    ORDINARY = "ordinary"


class Policy(StrEnum):
    """What becomes of a review."""

    AUTO = "auto"  # a reply is drafted, and approved by the shop's rule when the guards pass it
    DRAFT = "draft"  # a reply is drafted, and waits for a person
    PERSON = "person"  # no model sees it
    IGNORE = "ignore"  # nothing is to be answered


@dataclass(frozen=True, slots=True)
class Reviewer:
    """Who wrote a review, as far as the platform says; all of it personal data."""

    name: str = ""
    email: str = ""
    id: str = ""


@dataclass(frozen=True, slots=True)
class Review:
    """One review as a file or a request brings it, nothing masked yet.

    `id` is the platform's key, or one made of the content where the file has none; `rating` is 1 to 5, None where
    there is none; `reply` the answer that the platform shows, "" if it shows none, None if the file does not say;
    `source` the raw cells needed to write a reply back in the platform's format. A review without a product has sku "".
    """

    id: str
    text: str
    platform: Platform
    title: str = ""
    rating: int | None = None
    sku: str = ""
    reviewer: Reviewer = Reviewer()
    written_at: datetime | None = None
    reply: str | None = None
    source: Mapping[str, str] = field(default_factory=dict)

    @property
    def content_hash(self) -> str:
        """Another value once what the reviewer says has changed."""
        return fingerprint([self.title, self.text, self.rating])


@dataclass(frozen=True, slots=True)
class Sentiment:
    """A text's polarity and the probability of each of the three; `by` names what said so, such as `words/en@1`."""

    polarity: Polarity
    positive: float
    neutral: float
    negative: float
    by: str

    @property
    def confidence(self) -> float:
        """The probability of its polarity, 0 to 1."""
        return {
            Polarity.POSITIVE: self.positive,
            Polarity.NEUTRAL: self.neutral,
            Polarity.NEGATIVE: self.negative,
        }[self.polarity]


@dataclass(frozen=True, slots=True)
class Opinion:
    """What a review says of one topic (`quality`, `delivery` ...), and the masked sentence that says it."""

    topic: str
    polarity: Polarity
    sentence: str


@dataclass(frozen=True, slots=True)
class Triage:
    """What is known of a review before any model is asked. `title` and `text` are masked: [email], [phone] ...

    `reasons` say why a person is asked, or why nothing is answered; `disagrees` that stars and text do.
    """

    language: str
    title: str
    text: str
    route: Route
    sentiment: Sentiment
    opinions: tuple[Opinion, ...]
    policy: Policy
    reasons: tuple[Reason, ...] = ()
    disagrees: bool = False
