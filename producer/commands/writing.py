"""`copydesk write`, `describe`, `kinds`, `batch`, `status` and `watch`: ask for text and see how it goes."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from copydesk.model import DESCRIPTION, Lane
from producer.commands import AsJson, MaxMinutes, MaxTokens, Shop, Urgent

if TYPE_CHECKING:
    from copydesk.jobs.copywriting import Wanted

Everything = Annotated[
    bool, typer.Option("--all/--changed", help="All products, or only what changed since it was last written.")
]
Skus = Annotated[list[str] | None, typer.Option("--sku", help="Only this product; may be given several times.")]
Candidates = Annotated[int | None, typer.Option(min=1, max=16, help="Texts per ask; above 1 always samples.")]
Limit = Annotated[int | None, typer.Option(min=1, help="At most this many products.")]
Key = Annotated[str | None, typer.Option(help="Run key: a second run with the same key is the first one.")]
Only = Annotated[bool, typer.Option("--estimate", help="Only say how many products, tokens and minutes it would be.")]
Wait = Annotated[bool, typer.Option("--wait", help="Watch the run to its end.")]


def add_to(app: typer.Typer) -> None:
    app.command()(describe)
    app.command()(write)
    app.command()(kinds)
    app.command()(batch)
    app.command()(status)
    app.command()(watch)


def describe(
    shop: Shop,
    everything: Everything = False,
    sku: Skus = None,
    candidates: Candidates = None,
    limit: Limit = None,
    key: Key = None,
    max_tokens: MaxTokens = None,
    max_minutes: MaxMinutes = None,
    estimate: Only = False,
    wait: Wait = False,
    urgent: Urgent = False,
    as_json: AsJson = False,
) -> None:
    """Enqueue descriptions for a shop's catalog: `write --kind description`."""
    write(
        DESCRIPTION, shop, everything=everything, sku=sku, candidates=candidates, limit=limit, key=key,
        max_tokens=max_tokens, max_minutes=max_minutes, estimate=estimate, wait=wait, urgent=urgent, as_json=as_json,
    )  # fmt: skip


def write(
    kind: Annotated[str, typer.Option("--kind", help="The kind of copy; `copydesk kinds` lists them.")],
    shop: Shop,
    to: Annotated[str, typer.Option(help="Of a translation: the language that the live texts are put into.")] = "",
    everything: Everything = False,
    sku: Skus = None,
    candidates: Candidates = None,
    limit: Limit = None,
    key: Key = None,
    max_tokens: MaxTokens = None,
    max_minutes: MaxMinutes = None,
    estimate: Only = False,
    wait: Wait = False,
    urgent: Urgent = False,
    as_json: AsJson = False,
) -> None:
    """Enqueue copy of any kind for a shop's catalog: titles, bullets, e-mails, translations ..."""
    from copydesk.jobs.copywriting import Wanted
    from copydesk.store.runs import Budget

    budget = Budget(max_tokens, max_minutes)
    wanted = Wanted(everything, sku, candidates, limit, _lane(urgent), budget, kind, to)
    _enqueue(shop, wanted, key, estimate=estimate, wait=wait, as_json=as_json)


def _lane(urgent: bool) -> Lane:
    return Lane.REPLIES if urgent else Lane.CATALOG


def _enqueue(shop: str, wanted: "Wanted", key: str | None, *, estimate: bool, wait: bool, as_json: bool) -> None:
    from copydesk.jobs import copywriting
    from copydesk.store.runs import NO_BUDGET
    from producer import asking, report, watching
    from producer.opening import ledger

    with ledger() as (settings, database):
        if estimate or wanted.budget != NO_BUDGET:
            expected = copywriting.estimate(database, settings, shop, wanted)
            report.show_estimate(expected, wanted.budget, only=estimate, as_json=as_json)
        if estimate:
            return
        planned = copywriting.plan(database, settings, shop, key or asking.new_key(), wanted)
        asking.ring(settings, database, planned, wanted.lane)
        run = watching.watch(database, planned.run, quiet=as_json) if wait else watching.find(database, planned.run)
    report.show_planned(planned, run, as_json=as_json)
    raise typer.Exit(1 if run.outcomes.get("failed") else 0)


def kinds(
    shop: Annotated[str, typer.Option("--shop", help="With the limits that this shop sets.")] = "",
    as_json: AsJson = False,
) -> None:
    """List the kinds of copy that can be written, in which languages, and their limits."""
    from copydesk import settings
    from producer import kinds as listing
    from producer.checking import check_shop

    loaded = settings.load()
    if shop:
        check_shop(loaded, shop)
    listing.show(listing.listed(loaded, shop), as_json=as_json)


def batch(
    requests: Annotated[Path, typer.Argument(metavar="IN", help="Chat completions as an OpenAI Batch input file.")],
    answers: Annotated[Path, typer.Argument(metavar="OUT", help="The Batch output file; written when all is done.")],
    wait: Annotated[
        bool, typer.Option("--wait/--no-wait", help="Watch to the end and write OUT, or only enqueue.")
    ] = True,
    max_tokens: MaxTokens = None,
    max_minutes: MaxMinutes = None,
    urgent: Urgent = False,
    as_json: AsJson = False,
) -> None:
    """Answer a file of chat requests through the queue. The same command again takes up where it stopped."""
    from copydesk.store.runs import Budget
    from producer import asking, batching, report, watching
    from producer.opening import ledger

    lane = _lane(urgent)
    batching.check_paths(requests, answers)
    with ledger() as (settings, database):
        planned = batching.plan(database, settings, requests, lane, Budget(max_tokens, max_minutes))
        run = watching.find(database, planned.run)
        if not run.finished_at:
            asking.ring(settings, database, planned, Lane(run.lane))
        if wait and not run.finished_at:
            run = watching.watch(database, planned.run, quiet=as_json)
        written = batching.write(database, run.id, answers) if run.finished_at else None
    report.show_batch(planned, run, written, answers, as_json=as_json)
    raise typer.Exit(1 if written and written.failed else 0)


def status(
    run: Annotated[int | None, typer.Argument(help="A run's number; left out, the latest runs are listed.")] = None,
    as_json: AsJson = False,
) -> None:
    """Is it moving, what is stuck, and why."""
    from copydesk.store import runs
    from producer import report
    from producer.opening import ledger

    with ledger() as (_, database), database.read() as connection:
        if run is None:
            report.show_runs(runs.latest(connection), as_json=as_json)
        else:
            report.show_run(runs.find(connection, run), runs.detail(connection, run), as_json=as_json)


def watch(run: Annotated[int, typer.Argument(help="The run's number.")]) -> None:
    """Follow a run to its end: progress, rate, remaining time, outcomes. Ctrl-C stops only the watching."""
    from producer import watching
    from producer.opening import ledger

    with ledger() as (_, database):
        ended = watching.watch(database, run)
    raise typer.Exit(1 if ended.outcomes.get("failed") else 0)
