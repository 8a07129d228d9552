"""The report of a run as one HTML page that needs nothing from outside: no script, and no font, style or picture.

The page is templates/run-report.html. Whatever it shows is escaped there, since facts, texts and reasons are others'
words; `clean` takes out what a page cannot show. Texts are streamed from the store: a run of a million makes a page as
large as one of a thousand.
"""

import re
import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from difflib import SequenceMatcher
from functools import cache
from importlib.resources import files
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined

from copydesk import markup
from copydesk.errors import InputError
from copydesk.model import BATCH, DESCRIPTION, REPLY, SENTIMENT, Status, TextFormat
from copydesk.store import Database, reporting
from copydesk.store.reporting import Head, Item
from producer.files import output
from producer.openings import Ear, Variety

TEMPLATE = "run-report.html"

HELD_SHOWN, READY_SHOWN, FAILED_SHOWN = 200, 24, 20
SHARED_SHOWN = 6
"""Openings, and phrases, in the report."""

TWINS_SHOWN = 20

TEXT_SHOWN, FACT_SHOWN = 3000, 300
"""Characters of one text, and of one fact or reason."""

FACTS_SHOWN = 60

KEPT_SHARE = 0.4
"""Of the words: where fewer stay, the text is written anew, and marking what changed would mark everything."""

BARS = 48
"""Spans of time that the chart of speed has at most."""

SPANS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 28800, 86400)
"""Seconds that one bar may stand for."""

SHOWN_FIRST = (Status.READY.value, Status.HELD.value, Status.FAILED.value)

REFUSED = (Status.HELD.value, Status.FAILED.value)

NOUNS = {DESCRIPTION: "descriptions", REPLY: "replies"}

_UNSHOWABLE = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]"
)
_WORDS = re.compile(r"[\u3400-\u9fff]|[^\W\u3400-\u9fff]+|[^\w\s]")


class Report(NamedTuple):
    """What a page was made of: settled texts by outcome."""

    run: int
    outcomes: Mapping[str, int]


def write(database: Database, run: int, file: Path, *, held: int = HELD_SHOWN, ready: int = READY_SHOWN) -> Report:
    """Write the report of a run; of its held texts the first `held` are shown, of its ready ones a sample of `ready`.

    Raises:
        NotFound: there is no such run.
        InputError: there is nothing to look at in a run of this kind, or the file cannot be written.
    """
    with database.read() as connection:
        head = reporting.head(connection, run)
        check_kind(head)
        sums = add_up(head, reporting.settled(connection, run))
        shown = (
            _list("held", sums, reporting.items(connection, run, Status.HELD, held), held),
            _list("failed", sums, reporting.items(connection, run, Status.FAILED, FAILED_SHOWN), FAILED_SHOWN),
            _list("ready", sums, reporting.sample(connection, run, Status.READY, ready), ready),
        )
        with output(file) as stream:
            stream.writelines(page(head, sums, shown, datetime.now(UTC)))
    return Report(run, head.outcomes)


def check_kind(head: Head) -> None:
    """Raises InputError for a run whose texts nobody judges or compares."""
    if head.kind == BATCH:
        raise InputError(
            f"run {head.run} is a batch file: its answers are in the file that `copydesk batch IN OUT` writes; "
            "a report is made of runs of `copydesk describe` and `copydesk reply`"
        )
    if head.kind == SENTIMENT:
        raise InputError(
            f"run {head.run} is of sentiments, which have no text: `copydesk digest` tells what customers say; "
            "a report is made of runs of `copydesk describe` and `copydesk reply`"
        )


# Sums ----------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Bar:
    """One span of time: how many texts were settled in it, and how many of them are ready."""

    begins: datetime
    texts: int
    ready: int


@dataclass(frozen=True, slots=True)
class Twins:
    """Texts that are, or were, nearly another product's: how many were written again, are held and only marked.

    `shown` are the first of those that still are: the product's key, and whose text it is.
    """

    again: int
    held: int
    marked: int
    shown: Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Sums:
    """All texts of a run together, as far as they are still there.

    `reasons` counts, by title, the texts that are held or failed for it.
    """

    outcomes: Mapping[str, int]
    reasons: Sequence[tuple[str, int]]
    bars: Sequence[Bar]
    span_seconds: int
    variety: Variety
    twins: Twins

    @property
    def refused(self) -> int:
        return sum(self.outcomes.get(name, 0) for name in REFUSED)


def add_up(head: Head, texts: Iterator[reporting.Settled]) -> Sums:
    """One look at every text, none of which is kept."""
    first, last = head.first_settled_at or head.created_at, head.last_settled_at or head.created_at
    span = span_of((last - first).total_seconds())
    outcomes, reasons, settled, ready = Counter[str](), Counter[str](), Counter[int](), Counter[int]()
    ear, twins, shown = Ear(), Counter[str](), list[tuple[str, str]]()
    for one in texts:
        outcomes[one.outcome] += 1
        twins["again"] += one.resampled > 0
        if one.twin:
            twins[one.outcome] += 1
            shown += [(one.key, _short(one.twin))][: TWINS_SHOWN - len(shown)]
        if one.at is not None:
            place = min(int((one.at - first).total_seconds() // span), BARS - 1)  # it may go on while we look
            settled[place] += 1
            ready[place] += one.outcome == Status.READY
        if one.outcome == Status.READY:
            ear.hear(one.text, one.name, one.marks)
        elif one.outcome in REFUSED:
            reasons.update({title_of(code) for code in one.codes})
    places = range(max(settled, default=-1) + 1)
    bars = [Bar(first + timedelta(seconds=span * place), settled[place], ready[place]) for place in places]
    near = Twins(twins["again"], twins[Status.HELD], twins[Status.READY], shown)
    return Sums(outcomes, reasons.most_common(), bars, span, ear.variety(SHARED_SHOWN), near)


def span_of(seconds: float) -> int:
    """The shortest span, in seconds, by which so many seconds make no more than BARS bars."""
    fitting = (span for span in SPANS if seconds / span < BARS)
    return next(fitting, int(seconds // BARS) + 1)


@cache
def _titles() -> Mapping[str, Mapping[str, str]]:
    told: dict[str, dict[str, str]] = tomllib.loads(
        files("producer").joinpath("templates/reasons.toml").read_text("utf-8")
    )
    return told


def title_of(code: str) -> str:
    """What a reason code means to a merchandiser; one that nobody gave a title is shown as it is."""
    titles = _titles()
    return titles["codes"].get(code) or titles["families"].get(code.partition(".")[0], code)


# Single texts --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a text that is marked alike: is it other than in the text beside it, and is some reason about it?

    `ending` are the numbers of the reasons whose mark ends with it.
    """

    text: str
    is_changed: bool
    is_marked: bool
    ending: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Why:
    """One reason against a text, as it is shown; `number` is the one its mark bears, 0 if nothing is marked."""

    number: int
    title: str
    message: str
    warns: bool


@dataclass(frozen=True, slots=True)
class Shown:
    """One text as the page shows it. `change` says how much of the text before is left, "" where none was."""

    item: Item
    title: str
    facts: Sequence[tuple[str, str]]
    reasons: Sequence[Why]
    after: Sequence[Part]
    before: Sequence[Part]
    change: str
    left_out: int


@dataclass(frozen=True, slots=True)
class Listed:
    """The texts of one outcome that are shown: `shown` of `texts`."""

    name: str
    texts: int
    shown: int
    items: Iterator[Shown]


def _list(name: str, sums: Sums, items: Iterator[Item], limit: int) -> Listed:
    texts = sums.outcomes.get(name, 0)
    return Listed(name, texts, min(texts, limit), map(shown, items))


def shown(item: Item) -> Shown:
    """One text beside the one before: what the guards saw in it is marked, and what changed."""
    text, before = clean(item.text), clean(_before(item))
    left_out = max(0, len(text) - TEXT_SHOWN)
    text, before = text[:TEXT_SHOWN], before[:TEXT_SHOWN]
    is_compared = bool(text and before) and item.review is None
    gone, new, change = compare(before, text) if is_compared else ([], [], "")
    reasons, marks = _reasons(item, text)
    facts = item.facts.lines() if item.facts else []
    return Shown(
        item, _short(item.facts.title if item.facts else item.key),
        [(_short(name), _short(value)) for name, value in facts[:FACTS_SHOWN]],
        reasons, cut(text, new, marks), cut(before, gone, {}), change, left_out,
    )  # fmt: skip


def _before(item: Item) -> str:
    if item.review is not None:
        return "\n".join(filter(None, (item.review.title, item.review.text)))
    text = item.before or ""
    return markup.to_plain(text) if item.before_format is TextFormat.HTML else text


def _reasons(item: Item, text: str) -> tuple[list[Why], dict[int, range]]:
    """The reasons in their order, and where the text shows what each is about, by the number of its mark."""
    told: list[Why] = []
    marks: dict[int, range] = {}
    for reason in item.reasons:
        place = find(clean(reason.span), text)
        if place:
            marks[len(marks) + 1] = place
        told.append(Why(len(marks) if place else 0, title_of(reason.code), _short(reason.message), reason.warns))
    return told, marks


def find(span: str, text: str) -> range | None:
    """Where a span stands in a text; guards give some in small letters, and with one blank for whatever is between."""
    words = span.split()
    if not words:
        return None
    between = r"[\W_]+".join(map(re.escape, words))
    begins, ends = (r"(?<![^\W_])" if words[0][0].isascii() else ""), (r"(?![^\W_])" if words[-1][-1].isascii() else "")
    bounded = f"{begins if words[0][0].isalnum() else ''}{between}{ends if words[-1][-1].isalnum() else ''}"
    found = re.search(bounded, text, re.IGNORECASE) or re.search(between, text, re.IGNORECASE)
    return range(*found.span()) if found else None


def compare(before: str, after: str) -> tuple[list[range], list[range], str]:
    """What is gone from one text, what is new in the other, and a sentence about it; no ranges where little stayed."""
    old, new = list(_WORDS.finditer(before)), list(_WORDS.finditer(after))
    matcher = SequenceMatcher(None, [word.group() for word in old], [word.group() for word in new])
    steps = matcher.get_opcodes()
    kept = sum(
        new[place].group().isalnum() for tag, _, _, low, high in steps if tag == "equal" for place in range(low, high)
    )
    words = sum(word.group().isalnum() for word in new)
    if kept == words and before.split() == after.split():
        return [], [], "the same as before"
    if kept < words * KEPT_SHARE:
        return [], [], "written anew"
    changes = [step for step in steps if step[0] != "equal"]
    gone = [range(old[low].start(), old[high - 1].end()) for _, low, high, _, _ in changes if low < high]
    came = [range(new[low].start(), new[high - 1].end()) for _, _, _, low, high in changes if low < high]
    return gone, came, f"{kept / words:.0%} of it stood there before"


def cut(text: str, changed: Sequence[range], marks: Mapping[int, range]) -> list[Part]:
    """The text in pieces, each marked alike from end to end."""
    edges = {0, len(text)} | {edge for one in (*changed, *marks.values()) for edge in (one.start, one.stop)}
    return [
        Part(
            text[start:end],
            any(start in one for one in changed),
            any(start in one for one in marks.values()),
            tuple(number for number, one in marks.items() if one.stop == end),
        )
        for start, end in pairwise(sorted(edges))
    ]


def clean(text: str) -> str:
    """Without what a page cannot show, or what would turn the words around it."""
    return _UNSHOWABLE.sub("\ufffd", text.replace("\r\n", "\n"))


def _short(text: str) -> str:
    text = clean(text)
    return text if len(text) <= FACT_SHOWN else f"{text[:FACT_SHOWN]} …"


# The page ------------------------------------------------------------------------------------------------------------


def page(head: Head, sums: Sums, lists: Sequence[Listed], now: datetime) -> Iterator[str]:
    """The page piece by piece; `now` is the moment that it says it was made at."""
    seconds = ((head.finished_at or now) - head.started_at).total_seconds() if head.started_at else 0.0
    yield from (
        _environment()
        .get_template(TEMPLATE)
        .generate(
            head=head,
            sums=sums,
            lists=lists,
            now=now,
            seconds=seconds,
            noun=NOUNS.get(head.kind, f"texts ({head.kind})"),
            outcomes=_in_order(head.outcomes),
            is_reply=head.kind == REPLY,
        )
    )


def _in_order(outcomes: Mapping[str, int]) -> list[tuple[str, int]]:
    """Ready, held and failed always, in this order; of the others those that there are."""
    others = sorted(set(outcomes) - set(SHOWN_FIRST))
    return [(name, outcomes.get(name, 0)) for name in (*SHOWN_FIRST, *others)]


@cache
def _environment() -> Environment:
    made = Environment(
        loader=PackageLoader("producer"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
        finalize=lambda value: clean(value) if type(value) is str else value,
    )
    made.filters |= {
        "number": _number,
        "rate": _rate,
        "lasting": _lasting,
        "moment": _moment,
        "clock": _clock,
        "percent": _percent,
    }
    return made


def _number(value: int) -> str:
    return f"{value:,}"


def _rate(value: float) -> str:
    """Three figures at most: 0.48, 13.2, 1,240."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def _lasting(seconds: float) -> str:
    """How long something took: 42 s, 1 min 45 s, 7 h 12 min."""
    whole = round(seconds)
    if not whole:
        return "less than a second"
    if whole < 60:
        return f"{whole} s"
    minutes, hours = whole // 60, whole // 3600
    return f"{hours} h {minutes % 60} min" if hours else f"{minutes} min {whole % 60} s"


def _moment(at: datetime) -> str:
    """In the time zone of the machine that makes the report, which is named."""
    there = at.astimezone()
    return f"{there.day} {there:%B %Y, %H:%M %Z}"


def _clock(at: datetime) -> str:
    return f"{at.astimezone():%H:%M:%S}"


def _percent(part: int, whole: int) -> str:
    """To a tenth, 0 of nothing: a figure that a page and a picture take alike."""
    return f"{100 * part / whole:.1f}".removesuffix(".0") if whole else "0"
