"""What the commands print: a table for people, JSON with --json."""

import json
import unicodedata
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from copydesk.model import Lane, Polarity, Status
from copydesk.store.drafts import UNDECIDED, Draft, Said
from copydesk.store.runs import OUTCOMES, Budget, Detail, Planned, Run
from copydesk.store.texts import Version
from producer import watching

if TYPE_CHECKING:  # these bring guards and triage, whose word lists take a second that most commands do not need
    from copydesk.engine.models import ModelListing
    from copydesk.jobs.copywriting import Estimate
    from copydesk.jobs.digest import Digest
    from copydesk.jobs.evaluation import Evaluation
    from copydesk.store.replies import Reply
    from copydesk.store.reviews import Forgotten
    from producer.batching import Written
    from producer.catalog import ExportReport
    from producer.checkup import Check
    from producer.importing import Taken
    from producer.importing_reviews import Taken as TakenReviews
    from producer.measuring import Measured

LISTED = (
    "id", "run", "shop", "sku", "kind", "language", "state", "text", "reasons", "attempt", "model", "prompt",
    "first_approved_by",
)  # fmt: skip

REPLIES_LISTED = (
    "id", "review_id", "shop", "sku", "rating", "language", "route", "sentiment", "state", "text", "reasons",
    "model_called",
)  # fmt: skip


def print_json(value: object) -> None:
    print(json.dumps(value, ensure_ascii=False, indent=2, default=str))  # noqa: T201


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]], empty: str) -> None:
    """A table, or the line `empty` when there are no rows."""
    table = Table(box=box.SIMPLE_HEAD)
    for column in columns:
        table.add_column(column, overflow="fold")  # cut off, a number or a key would be of no use
    for row in rows:
        table.add_row(*[escape(_printable(str(cell))) for cell in row])
    _console().print(table if table.row_count else empty)


def print_lines(lines: Iterable[str]) -> None:
    for line in lines:
        _say(line)


def show_import(taken: "Taken", *, as_json: bool) -> None:
    stale = taken.imported.drafts_made_stale
    went = f"{stale} drafts went stale with their products: `copydesk describe` asks for them again" if stale else ""
    _show_taken(taken, "products", went, as_json=as_json)


def show_import_of_reviews(taken: "TakenReviews", *, as_json: bool) -> None:
    stale = taken.imported.replies_made_stale
    went = f"{stale} replies went stale: `copydesk reply` asks for new ones" if stale else ""
    _show_taken(taken, "reviews", went, as_json=as_json)


def _show_taken(taken: "Taken | TakenReviews", what: str, went_stale: str, *, as_json: bool) -> None:
    if as_json:
        counts = {name: value for name, value in asdict(taken.imported).items() if name != "unknown"}
        found = {"errors": taken.errors, "warnings": taken.warnings, "problems": taken.problems, "report": taken.report}
        print_json({**counts, **found})
        return
    done = taken.imported
    _say(f"{done.new} new, {done.changed} changed, {done.unchanged} unchanged {what}")
    if went_stale:
        _say(went_stale)
    for code, number in taken.problems.most_common():
        _say(f"  {code}: {number}")
    if taken.report:
        _say(f"{taken.errors} rows refused, {taken.warnings} warnings: {taken.report}")


def show_export(written: "ExportReport", file: Path, *, as_json: bool) -> None:
    if as_json:
        print_json({**asdict(written), "file": file})
        return
    _say(f"{written.written} texts in {file}")
    if written.neutralised:
        _say(f"{written.neutralised} cells began like a spreadsheet formula and got a ' in front")
    if written.skipped:
        _say(f"{written.skipped} left out: their text is blank, and a blank cell would erase the shop's")
    for kind, number in written.apart.items():
        _say(f"{number} texts of the kind {kind} are not in it: `copydesk export products --kind {kind}` writes them")


def show_estimate(expected: "Estimate", budget: Budget, *, only: bool, as_json: bool) -> None:
    """What a run would take: as the command's answer, or as a note beside it where it is enqueued all the same."""
    if as_json:
        if only:
            print_json(asdict(expected))
        return
    took = f" and {_minutes(expected.minutes)}" if expected.minutes is not None and expected.items else ""
    basis = f"as in the last {expected.runs} with this model" if expected.runs else "a guess: no run has been timed"
    _say(f"{expected.items} products: about {expected.tokens:,} tokens{took} ({basis})")
    if only:
        for why, number in expected.skipped.items():
            _say(f"  {number} left out: {why}")
    if budget.max_tokens is not None and expected.tokens > budget.max_tokens:
        _say(f"  the run will be stopped at {budget.max_tokens:,} tokens; what is done by then is kept")
    if budget.max_minutes is not None and (expected.minutes or 0) > budget.max_minutes:
        _say(f"  the run will be stopped after {budget.max_minutes} minutes; what is done by then is kept")


def _minutes(minutes: float) -> str:
    return f"{minutes / 60:.1f} hours" if minutes >= 90 else f"{max(minutes, 1):.0f} minutes"


def show_planned(planned: Planned, run: Run, *, as_json: bool) -> None:
    if as_json:
        print_json({**asdict(planned), "state": run.state, **{name: run.outcomes.get(name, 0) for name in OUTCOMES}})
        return
    if not planned.created:
        _say(f"run {planned.run} with this key is there already: {watching.line(run)}")
    elif not planned.queued:
        _say(f"run {planned.run}: nothing to write")
    elif run.finished_at:
        _say(f"run {planned.run}: {watching.line(run)}")
    else:
        _say(f"run {planned.run}: {planned.queued} queued; follow it with `copydesk watch {planned.run}`")
    for why, number in planned.skipped.items():
        _say(f"  {number} left out: {why}")


def show_batch(planned: Planned, run: Run, written: "Written | None", answers: Path, *, as_json: bool) -> None:
    counts = asdict(written) if written else {"answered": None, "failed": None}
    if as_json:
        made = {"run": run.id, "created": planned.created, "state": run.state, "lane": run.lane}
        print_json({**made, **counts, "out": answers if written else None})
        return
    if written:
        _say(f"run {run.id}: {written.answered} answered, {written.failed} failed: {answers}")
    else:
        _say(f"run {run.id}: {run.settled}/{run.queued} done; the same command again writes {answers}")


def show_runs(runs: Sequence[Run], *, as_json: bool) -> None:
    if as_json:
        print_json([as_dict(run) for run in runs])
        return
    # What is the same in every run would take the others their room; keys are in `copydesk status RUN`.
    lane = ("lane",) if any(run.lane != Lane.CATALOG for run in runs) else ()
    outcomes = [name for name in OUTCOMES if any(run.outcomes.get(name) for run in runs)]
    rows = [
        (run.id, run.shop, run.kind, *(run.lane for _ in lane), run.state, run.queued,
         *(run.outcomes.get(name, 0) for name in outcomes), _ago(run.created_at)) for run in runs
    ]  # fmt: skip
    columns = ("run", "shop", "kind", *lane, "state", "queued", *outcomes, "made")
    print_table(columns, rows, "no runs yet: `copydesk describe --shop S` makes one")


def show_run(run: Run, detail: Detail, *, as_json: bool) -> None:
    if as_json:
        print_json({**as_dict(run), "detail": asdict(detail), "recipe": run.recipe})
        return
    _say(f"run {run.id} of {run.shop} ({run.run_key}): {run.state}")
    _say(f"  {watching.line(run)}")
    if run.stopped_because:
        _say(f"  stopped: {run.stopped_because}")
    if run.trouble:
        _say(f"  trouble: {run.trouble}")
    _say(f"  drafts: {_counts(run.counts)}")
    _say(f"  chunks: {_counts(detail.chunks)}")
    limit = f" of {run.budget.max_tokens} allowed" if run.budget.max_tokens else ""
    spent = f"{run.prompt_tokens} in, {run.completion_tokens} out{limit}"
    _say(f"  tokens: {spent}; model {run.recipe.get('model')}")
    if detail.telemetry.completions:
        _say(f"  a chunk on average: {detail.telemetry}")
    if detail.last_settled_at:
        _say(f"  last result: {_ago(detail.last_settled_at)}")
    if detail.lapsed:
        _say(f"  stuck: {detail.lapsed} drafts with a worker that stopped; the next sweep gives them to another")
    if detail.resampled:
        _say(f"  near-duplicates: {detail.resampled} texts were nearly another product's and written again")
    if detail.is_being_compared:
        _say("  its texts are being compared with those of the shop's other products; then it ends")
    if detail.reasons:
        _say(f"  refused for: {_counts(detail.reasons)}")


def as_dict(run: Run) -> dict[str, Any]:
    """A run as --json prints it."""
    values = {name: value for name, value in asdict(run).items() if name not in ("recipe", "outcomes")}
    outcomes = {name: run.outcomes.get(name, 0) for name in OUTCOMES}
    return {**values, **outcomes, "items_per_s": round(watching.items_per_second(run), 2)}


def show_drafts(found: Sequence[Draft], *, as_json: bool) -> None:
    if as_json:
        print_json([{name: value for name, value in asdict(draft).items() if name in LISTED} for draft in found])
        return
    rows = [
        (draft.id, draft.run, draft.sku, draft.kind, _waits(draft), ", ".join(reason.code for reason in draft.reasons),
         _shortened(draft.text)) for draft in found
    ]  # fmt: skip
    print_table(("draft", "run", "sku", "kind", "state", "reasons", "text"), rows, "no such drafts")


def _waits(draft: Draft) -> str:
    """The state; and who said the first of two yeses, while the second is waited for."""
    waits = draft.first_approved_by is not None and draft.state in UNDECIDED
    return f"{draft.state.value} (yes: {draft.first_approved_by})" if waits else draft.state.value


def show_said(said: Said, to: Status, *, as_json: bool) -> None:
    """What came of a person's word on drafts."""
    if as_json:
        print_json(
            {to.value: said.decided, **{name: value for name, value in asdict(said).items() if name != "decided"}}
        )
        return
    _say(f"{said.decided} {to.value}")
    if said.first:
        _say(f"{said.first} have your yes now: a second person has to approve them")
    if said.already:
        _say(f"{said.already} had your yes before: a second person has to approve them")
    if said.without_text:
        _say(f"{said.without_text} left: they have no text; write one with `copydesk drafts edit`")


def show_counted(counted: Mapping[tuple[str, Status], int], *, as_json: bool) -> None:
    """How many drafts, by kind and state."""
    if as_json:
        print_json([{"kind": kind, "state": state, "drafts": number} for (kind, state), number in counted.items()])
        return
    rows = [(kind, state.value, number) for (kind, state), number in counted.items()]
    print_table(("kind", "state", "drafts"), rows, "no such drafts wait for a decision")
    if len(rows) > 1:
        _say(f"{sum(counted.values())} drafts in all")


def show_history(versions: Sequence[Version], *, as_json: bool) -> None:
    """The texts that a product showed, the newest last."""
    if as_json:
        print_json([asdict(version) for version in versions])
        return
    rows = [
        (f"{version.version}{' *' if version.is_current else ''}", f"{version.created_at:%Y-%m-%d %H:%M}",
         version.author, _source(version), "yes" if version.by_person else "", _shortened(version.text))
        for version in versions
    ]  # fmt: skip
    print_table(("version", "when", "who", "from", "by a person", "text"), rows, "no such text was ever shown")


def _source(version: Version) -> str:
    if version.draft is None:
        return version.origin
    of_run = f"draft {version.draft}, run {version.run}"
    return of_run if version.origin == "draft" else f"{version.origin}: {of_run}"


def show_difference(before: Version, after: Version, *, as_json: bool) -> None:
    """What is gone from one version, [-so-], and new in the other, {+so+}."""
    from producer.draftsheet import GONE, NEW, compared
    from producer.htmlreport import clean, compare

    old, new = clean(before.text), clean(after.text)
    gone, came, change = compare(old, new)
    if as_json:
        cut_out = {
            "removed": [old[one.start : one.stop] for one in gone],
            "added": [new[one.start : one.stop] for one in came],
        }
        print_json({"before": asdict(before), "after": asdict(after), "change": change, **cut_out})
        return
    _say(f"version {before.version} and version {after.version}: {change}")
    for sign, text, ranges, begin, end, style in (
        ("-", old, gone, "[-", "-]", GONE),
        ("+", new, came, "{+", "+}", NEW),
    ):
        line = Text(f"{sign} ").append_text(compared(text, ranges, begin, end, style))
        _console().print(line if line.plain == _printable(line.plain) else Text(_printable(line.plain)), soft_wrap=True)


def show_draft(draft: Draft, live: str | None, *, as_json: bool, engine: str = "", omit: Collection[str] = ()) -> None:
    """One draft with all that is known of it; see `draftsheet.Sheet`."""
    from producer.draftsheet import Sheet  # it brings a template engine, which no other command needs

    sheet = Sheet(draft, live, engine, omit)
    if as_json:
        print_json(sheet.as_json())
        return
    for line in sheet.lines():
        harmless = _printable(line.plain)
        _console().print(line if line.plain == harmless else Text(harmless), soft_wrap=True)


def show_replies(found: "Sequence[Reply]", *, as_json: bool) -> None:
    if as_json:
        print_json([reply_as_dict(reply) for reply in found])
        return
    rows = [
        (reply.id, reply.review_id, reply.sku, reply.rating or "", reply.route.value, _stands(reply),
         ", ".join(reason.code for reason in reply.reasons), _shortened(reply.text)) for reply in found
    ]  # fmt: skip
    columns = ("reply", "review", "sku", "stars", "route", "state", "reasons", "text")
    print_table(columns, rows, "no such replies: `copydesk reply --shop S` asks for them")


def reply_as_dict(reply: "Reply") -> dict[str, Any]:
    """A reply as `replies list --json` prints it."""
    values = {name: getattr(reply, name) for name in REPLIES_LISTED}
    return {**values, "reasons": [asdict(reason) for reason in reply.reasons]}


def _stands(reply: "Reply") -> str:
    return f"{reply.state.value} ({reply.delivery.value})" if reply.delivery else reply.state.value


def show_reply(reply: "Reply", *, as_json: bool) -> None:
    if as_json:
        shown = {name: value for name, value in asdict(reply).items() if name != "source"}
        print_json({**shown, "model_called": reply.model_called})
        return
    _say(f"reply {reply.id} to {reply.review_id} ({reply.shop}, {reply.platform}, run {reply.run}): {_stands(reply)}")
    if reply.decided_by:
        _say(f"decided by {reply.decided_by}")
    if reply.error:
        _say(f"not posted: {reply.error}")
    _say(
        f"written by {reply.model or 'nobody'}, prompt {reply.prompt or '-'}, "
        f"{reply.asks} asks, attempt {reply.attempt}"
    )
    _say(f"\n{reply.text or '(no text)'}\n")
    for reason in reply.reasons:
        _say(f"  {reason.code}{' (a remark)' if reason.warns else ''}: {reason.message}")
    if reply.model_text:
        _say(f"before it was edited:\n{reply.model_text}\n")
    stars = f"{reply.rating} stars" if reply.rating else "no stars"
    _say(f"review of {reply.sku or 'no product'}, version {reply.version}, {stars}, {reply.language}, {reply.route}:")
    _say("\n".join(filter(None, (reply.title, reply.review))) or "(blank)")
    _say(f"sentiment: {reply.sentiment} ({reply.confidence:.0%})")
    for opinion in reply.opinions:
        _say(f"  {opinion.topic}, {opinion.polarity}: {opinion.sentence}")


def show_submitted(written: int, file: Path, *, as_json: bool) -> None:
    if as_json:
        print_json({"written": written, "file": file})
        return
    _say(f"{written} replies in {file}")


def show_forgotten(forgotten: "Forgotten", *, as_json: bool) -> None:
    if as_json:
        print_json(asdict(forgotten))
        return
    _say(f"{forgotten.reviews} reviews and {forgotten.replies} replies forgotten")


def show_measured(measured: "Measured", *, as_json: bool) -> None:
    if as_json:
        languages = {language: _figures(found) for language, found in measured.languages.items()}
        print_json({"languages": languages, "malformed": [asdict(one) for one in measured.malformed]})
        return
    for language, found in measured.languages.items():
        _say(
            f"{language}: {found.texts} texts, accuracy {found.accuracy:.3f}, macro F1 {found.macro_f1:.3f}; "
            f"positive against negative {found.polar_accuracy:.3f} of {found.polar}"
        )
        rows = [(label, *(found.confusion.get((label, said), 0) for said in Polarity)) for label in Polarity]
        print_table(("labelled", *(f"said {said}" for said in Polarity)), rows, "")
    for one in measured.malformed:
        _say(f"line {one.line} is left out: {one.why}")


def _figures(found: "Evaluation") -> dict[str, Any]:
    confusion = {label: {said: found.confusion.get((label, said), 0) for said in Polarity} for label in Polarity}
    return {**{name: value for name, value in asdict(found).items() if name != "confusion"}, "confusion": confusion}


def digest_as_dict(digest: "Digest", shop: str, week: str) -> dict[str, Any]:
    """A digest as --json prints it."""
    return {"shop": shop, "week": week, **asdict(digest)}


def show_models(models: "Sequence[ModelListing]", *, as_json: bool) -> None:
    if as_json:
        print_json([asdict(model) for model in models])
        return
    rows = [
        (
            model.name,
            f"{model.size_bytes / 1e6:.0f} MB",
            ", ".join(model.languages),
            model.licence,
            model.path or "not pulled",
        )
        for model in models
    ]
    print_table(("model", "size", "languages", "licence", "where"), rows, "no models")


def show_checks(checks: "Sequence[Check]", *, as_json: bool) -> None:
    if as_json:
        print_json([asdict(check) for check in checks])
        return
    for check in checks:
        _say(f"{'FAIL' if check.remedy else 'ok':>4}  {check.part}: {check.found}")
        if check.remedy:
            _say(f"      {check.remedy}")


def _console() -> Console:
    return Console(highlight=False)


def _say(line: str) -> None:
    _console().print(escape(_printable(line)), soft_wrap=True)


def _printable(text: str) -> str:
    """Without control characters: a catalog must not steer the terminal that shows it."""
    return "".join(char for char in text if char in "\n\t" or unicodedata.category(char) not in ("Cc", "Cf"))


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{number} {name}" for name, number in counts.items()) or "none"


def _shortened(text: str, width: int = 60) -> str:
    text = " ".join(text.split())
    return text if len(text) <= width else f"{text[: width - 1]}…"


def _ago(moment: datetime) -> str:
    seconds = (datetime.now(UTC) - moment).total_seconds()
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit} ago"
    return f"{max(seconds, 0):.0f} s ago"
