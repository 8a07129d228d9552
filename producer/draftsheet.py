"""One draft on a screen: its text with what the guards saw in it, what supports each sentence, what publishing changes.

Colours only repeat what signs say, so that it reads the same in a file or in black and white.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from rich.text import Text

from copydesk import markup
from copydesk.guards.explain import Explanation, Sentence, explain
from copydesk.model import Reason
from copydesk.store.drafts import Draft
from producer.htmlreport import clean, compare, cut, find

REFUSED, REMARK, GONE, NEW, QUIET = "bold red", "yellow", "red", "green", "dim"

_RAISED = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


@dataclass(frozen=True, slots=True)
class Sheet:
    """A draft and what stands around it.

    Attributes:
        draft: the draft.
        live: the product's live text of this kind, None where it has none.
        engine: what the run was planned for; "" where nothing says.
        omit: names of facts that the prompt leaves out, and that no text is expected to say.
    """

    draft: Draft
    live: str | None
    engine: str = ""
    omit: Collection[str] = ()

    @property
    def explained(self) -> Explanation:
        """Which facts the text says. A translation's are in another language, and are looked for all the same."""
        facts = replace(self.draft.facts, language=self.draft.language)
        return explain(self.draft.text, facts, omit=self.omit)

    def as_json(self) -> dict[str, Any]:
        explained = self.explained
        return {
            **asdict(self.draft),
            "live": self.live,
            "engine": self.engine,
            "sentences": [asdict(sentence) for sentence in explained.sentences],
            "unsaid": [{"name": name, "value": value} for name, value in explained.unsaid],
            "coverage": round(explained.coverage, 3),
        }

    def lines(self) -> Iterator[Text]:
        draft = self.draft
        yield Text(
            f"draft {draft.id} of {draft.sku} ({draft.shop}, run {draft.run}): {draft.kind}, {draft.state.value}"
        )
        if draft.first_approved_by:
            yield Text(f"a first yes by {draft.first_approved_by}")
        if draft.decided_by:
            yield Text(f"decided by {draft.decided_by}")
        yield from map(Text, written(draft, self.engine))
        yield Text()
        yield from text_and_reasons(draft.text, draft.reasons)
        if draft.text:
            yield from _sentences(self.explained)
        if draft.model_text is not None:
            yield Text(f"\nbefore it was edited:\n{draft.model_text}")
        yield Text("\nfacts:")
        for name, value in draft.facts.lines():
            yield Text(f"  {name}: {value}")
        yield Text(f"\nlive text:\n{self.live or '(none)'}")
        if self.live and draft.text:
            yield from _changes(self.live, draft.text)


def written(draft: Draft, engine: str) -> Iterator[str]:
    """By what, how and at what cost a draft was written."""
    chosen = "the engine that the worker chose" if engine == "auto" else engine
    by = " on ".join(filter(None, (draft.model or "nobody", chosen)))
    yield f"written by {by}, prompt {draft.prompt or '-'}, {_sampling(draft.sampling or {})}"
    cost = f"{draft.asks} ask{'' if draft.asks == 1 else 's'}, attempt {draft.attempt}"
    cost += f"; {draft.prompt_tokens:,} tokens in, {draft.completion_tokens:,} out"
    if draft.seconds is not None:
        cost += f"; {draft.seconds:.1f} s from the first ask to the last answer"
    yield cost
    if draft.settled_at is not None:
        yield f"settled {draft.settled_at:%Y-%m-%d %H:%M:%S %Z}".rstrip()


def _sampling(sampling: Mapping[str, Any]) -> str:
    given = [f"{name} {value}" for name, value in sampling.items() if value is not None and name != "seed"]
    seed = sampling.get("seed")
    return ", ".join([*given, "no seed" if seed is None else f"seed {seed}"])


def text_and_reasons(text: str, reasons: Sequence[Reason]) -> Iterator[Text]:
    """The text with what each reason is about between brackets that bear its number; then the reasons."""
    text = clean(text)
    places = {number: find(clean(reason.span), text) for number, reason in enumerate(reasons, start=1)}
    marks = {number: place for number, place in places.items() if place}
    yield _marked(text, marks, reasons) if text else Text("(no text)")
    if reasons:
        yield Text()
    for number, reason in enumerate(reasons, start=1):
        force = "remark" if reason.warns else "refused"
        yield Text.assemble(
            (f"{_raised(number) if number in marks else '-'} {force:<8}", REMARK if reason.warns else REFUSED),
            f"{reason.code}: {reason.message}",
        )


def _marked(text: str, marks: Mapping[int, range], reasons: Sequence[Reason]) -> Text:
    shown, at = Text(), 0
    for part in cut(text, [], marks):
        begun = [place for place in marks.values() if place.start == at]
        inside = [number for number, place in marks.items() if at in place]
        warns = all(reasons[number - 1].warns for number in inside)
        style = (REMARK if warns else REFUSED) if inside else ""
        ends = "".join(f"⟧{_raised(number)}" for number in part.ending)
        shown.append("⟦" * len(begun) + part.text + ends, style)
        at += len(part.text)
    return shown


def _raised(number: int) -> str:
    return str(number).translate(_RAISED)


def _sentences(explained: Explanation) -> Iterator[Text]:
    yield Text("\nwhat each sentence rests on:")
    for sentence in explained.sentences:
        yield Text(f"  {' '.join(clean(sentence.text).split())}")
        yield Text(f"      {_support(sentence)}", QUIET)
    said = {(fact.name, fact.value) for sentence in explained.sentences for fact in sentence.facts}
    yield Text(f"  says {len(said)} of {len(said) + len(explained.unsaid)} facts")
    if explained.unsaid:
        yield Text("  left unsaid: " + "; ".join(f"{name}: {value}" for name, value in explained.unsaid))


def _support(sentence: Sentence) -> str:
    said = [f"{fact.name}: {fact.value} ({', '.join(fact.spans)})" for fact in sentence.facts]
    return "; ".join(said) or "no fact"


def _changes(live: str, text: str) -> Iterator[Text]:
    """What publishing would take away, [-so-], and bring, {+so+}."""
    before, after = clean(markup.to_plain(live) if "<" in live else live), clean(text)
    gone, new, change = compare(before, after)
    yield Text(f"\nwhat publishing it changes: {change}")
    if gone or new:
        yield Text("- ").append_text(compared(before, gone, "[-", "-]", GONE))
        yield Text("+ ").append_text(compared(after, new, "{+", "+}", NEW))


def compared(text: str, changed: Sequence[range], begin: str, end: str, style: str) -> Text:
    shown = Text()
    for part in cut(text, changed, {}):
        shown.append(f"{begin}{part.text}{end}" if part.is_changed else part.text, style if part.is_changed else "")
    return shown
