"""`copydesk reply`, `replies`, `sentiment`, `digest` and `forget`: what becomes of reviews."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from copydesk.model import Route, Status
from producer.commands import AsJson, MaxMinutes, MaxTokens, Shop

replies_app = typer.Typer(no_args_is_help=True, help="Look at replies, decide on them, and hand them to the platform.")

Ids = Annotated[list[int] | None, typer.Argument(help="Numbers of replies.")]
Wait = Annotated[bool, typer.Option("--wait", help="Watch the run to its end.")]


def add_to(app: typer.Typer) -> None:
    app.command()(reply)
    app.add_typer(replies_app, name="replies")
    app.command()(sentiment)
    app.command()(digest)
    app.command()(forget)


class Said(StrEnum):
    """What a platform says of a reply that it was handed."""

    PENDING = "pending"
    ACCEPTED = "accepted"
    REJECTED = "rejected"


def reply(
    shop: Shop,
    limit: Annotated[int | None, typer.Option(min=1, help="At most this many reviews.")] = None,
    max_tokens: MaxTokens = None,
    max_minutes: MaxMinutes = None,
    wait: Wait = False,
    as_json: AsJson = False,
) -> None:
    """Enqueue replies to reviews that have none. What a person has to answer is held at once, and no model sees it."""
    from copydesk.jobs import replies
    from copydesk.model import Lane
    from copydesk.store.runs import Budget
    from producer import asking, report, watching
    from producer.opening import ledger

    with ledger() as (settings, database):
        budget = Budget(max_tokens, max_minutes)
        planned = replies.plan(database, settings, shop, asking.new_key(), limit=limit, budget=budget)
        run = watching.find(database, planned.run)
        if not run.finished_at:
            asking.ring(settings, database, planned, Lane.REPLIES)
            run = watching.watch(database, planned.run, quiet=as_json) if wait else watching.find(database, planned.run)
    report.show_planned(planned, run, as_json=as_json)
    raise typer.Exit(1 if run.outcomes.get("failed") else 0)


@replies_app.command("list")
def list_replies(
    shop: Annotated[str | None, typer.Option(help="Only this shop's.")] = None,
    run: Annotated[int | None, typer.Option(help="Only this run's.")] = None,
    state: Annotated[Status | None, typer.Option(help="Only replies in this state.")] = None,
    sku: Annotated[str | None, typer.Option(help="Only reviews of this product.")] = None,
    route: Annotated[Route | None, typer.Option(help="Only reviews of this route.")] = None,
    every: Annotated[bool, typer.Option("--all", help="Also the replies that a newer one took the place of.")] = False,
    limit: Annotated[int | None, typer.Option(min=1, help="At most this many.")] = None,
    as_json: AsJson = False,
) -> None:
    """List replies with their reviews, oldest first; of each review the newest."""
    from copydesk.store import products, replies, runs
    from producer import report
    from producer.opening import ledger

    with ledger() as (_, database), database.read() as connection:
        if shop is not None:
            products.find_shop(connection, shop)
        if run is not None:
            runs.find(connection, run)
        found = replies.listed(
            connection, shop=shop, run=run, state=state, sku=sku, route=route, every=every, limit=limit
        )
    report.show_replies(found, as_json=as_json)


@replies_app.command("show")
def show_reply(number: Annotated[int, typer.Argument(help="The reply's number.")], as_json: AsJson = False) -> None:
    """Show one reply: its text, its reasons, the review it answers, and how it stands with the platform."""
    from copydesk.store import replies
    from producer import report
    from producer.opening import ledger

    with ledger() as (_, database), database.read() as connection:
        found = replies.find(connection, number)
    report.show_reply(found, as_json=as_json)


@replies_app.command("approve")
def approve(
    ids: Ids = None,
    run: Annotated[int | None, typer.Option(help="Every ready reply of this run.")] = None,
    shop: Annotated[str | None, typer.Option(help="Every ready reply of this shop.")] = None,
) -> None:
    """Say yes: to single replies, ready or held, or to every ready one of a run or a shop."""
    from copydesk.store import products, replies, runs
    from producer.opening import ledger, who

    if bool(ids) == (run is not None or shop is not None):
        raise typer.BadParameter("name either replies, or --run or --shop")
    with ledger() as (_, database), database.write() as connection:
        for number in ids or ():
            replies.decide(connection, number, Status.APPROVED, by=who())
        approved = len(ids or ())
        if not ids:
            shop_id = None if shop is None else products.find_shop(connection, shop)
            named = None if run is None else runs.find(connection, run).id
            approved = replies.approve_all(connection, by=who(), run=named, shop_id=shop_id)
    typer.echo(f"{approved} approved")


@replies_app.command("reject")
def reject(ids: Annotated[list[int], typer.Argument(help="Numbers of replies.")]) -> None:
    """Say no."""
    from copydesk.store import replies
    from producer.opening import ledger, who

    with ledger() as (_, database), database.write() as connection:
        for number in ids:
            replies.decide(connection, number, Status.REJECTED, by=who())
    typer.echo(f"{len(ids)} rejected")


@replies_app.command("edit")
def edit(
    number: Annotated[int, typer.Argument(help="The reply's number.")],
    text: Annotated[str | None, typer.Option(help="The new text; left out, your $EDITOR opens.")] = None,
    file: Annotated[Path | None, typer.Option(exists=True, dir_okay=False, help="A file with the new text.")] = None,
) -> None:
    """Put your own words in place and approve them: also where no model was asked."""
    from copydesk.store import replies
    from producer.opening import ledger, who, words_of_a_person

    with ledger() as (_, database):
        with database.read() as connection:
            found = replies.find(connection, number)
        words = words_of_a_person(text, file, found.text)
        if found.text and words == found.text:
            typer.echo("nothing changed")
            return
        with database.write() as connection:
            replies.decide(connection, number, Status.APPROVED, by=who(), text=words)
    typer.echo(f"reply {number} edited and approved")


@replies_app.command("export")
def export(
    file: Annotated[Path, typer.Argument(help="The file to write; replaced when it exists.")],
    shop: Shop,
    file_format: Annotated[
        str, typer.Option("--format", help="judgeme, yotpo or google: those of the platform; csv or jsonl: all.")
    ],
    again: Annotated[
        bool, typer.Option("--again", help="Those of earlier exports, of which the platform has said nothing yet.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Write approved replies in the format of their platform; each is written once, and submitted from there on."""
    from copydesk.store import products
    from producer import handing, report
    from producer.opening import ledger

    with ledger() as (_, database):
        with database.read() as connection:
            shop_id = products.find_shop(connection, shop)
        write = handing.write_again if again else handing.write
        written = write(database, shop_id, file, file_format)
    report.show_submitted(written, file, as_json=as_json)


@replies_app.command("mark")
def mark(
    number: Annotated[int, typer.Argument(help="The reply's number.")],
    said: Annotated[Said, typer.Argument(metavar="accepted|rejected|pending", help="What the platform says.")],
) -> None:
    """Record what the platform says of a reply. One that it rejects goes back to a person with its review."""
    from copydesk.store import replies
    from producer.opening import ledger

    with ledger() as (_, database), database.write() as connection:
        replies.mark(connection, number, replies.Delivery(said))
    typer.echo(f"reply {number} is {said}")


def sentiment(
    shop: Annotated[str | None, typer.Option(help="Have the classifier judge this shop's reviews.")] = None,
    evaluate: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="A labelled file to measure the sentiment against.")
    ] = None,
    wait: Wait = False,
    as_json: AsJson = False,
) -> None:
    """Judge reviews with the classifier of the settings, or measure against labels how good the word lists are."""
    if (shop is None) == (evaluate is None):
        raise typer.BadParameter("name either --shop or --evaluate")
    if evaluate is not None:
        _evaluate(evaluate, as_json=as_json)
    elif shop is not None:
        _judge(shop, wait=wait, as_json=as_json)


def _judge(shop: str, *, wait: bool, as_json: bool) -> None:
    from copydesk.jobs import sentiments
    from producer import asking, report, watching
    from producer.opening import ledger

    with ledger() as (settings, database):
        planned = sentiments.plan(database, settings, shop, asking.new_key())
        asking.ring(settings, database, planned)
        run = watching.watch(database, planned.run, quiet=as_json) if wait else watching.find(database, planned.run)
    report.show_planned(planned, run, as_json=as_json)
    raise typer.Exit(1 if run.outcomes.get("failed") else 0)


def _evaluate(file: Path, *, as_json: bool) -> None:
    from producer import measuring, report

    report.show_measured(measuring.measure(file), as_json=as_json)


def digest(
    shop: Shop,
    week: Annotated[str | None, typer.Option(help="An ISO week such as 2026-W47; left out, this one.")] = None,
    min_count: Annotated[int, typer.Option(min=1, help="Topics that fewer reviews speak of are left out.")] = 3,
    html: Annotated[Path | None, typer.Option(help="Write a page here instead of printing Markdown.")] = None,
    as_json: AsJson = False,
) -> None:
    """A week in reviews: what customers praise and complain about, what changed, and what to look at first."""
    from copydesk.store import products
    from producer import digests, report, weeks
    from producer.opening import ledger

    chosen = weeks.named(week)
    with ledger() as (_, database), database.read() as connection:
        shop_id = products.find_shop(connection, shop)
        found = weeks.digest(connection, shop_id, chosen, min_count=min_count)
    if html is not None:
        weeks.write(html, digests.html(found, shop, chosen.name))
        typer.echo(html)
    elif as_json:
        report.print_json(report.digest_as_dict(found, shop, chosen.name))
    else:
        typer.echo(digests.markdown(found, shop, chosen.name), nl=False)


def forget(
    reviewer: Annotated[str, typer.Option(help="The reviewer's whole name, e-mail or id, in whatever case.")],
    shop: Annotated[str | None, typer.Option(help="Only in this shop.")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Really: nothing brings it back.")] = False,
    as_json: AsJson = False,
) -> None:
    """Blank every review of a reviewer and the replies to them. Keys stay, so that no file brings the reviews back."""
    from copydesk.errors import InputError
    from copydesk.jobs import upkeep
    from producer import report
    from producer.opening import ledger

    if not reviewer.strip():
        raise InputError("--reviewer is blank: give a whole name, e-mail or id")
    if not yes:
        raise InputError("nothing was forgotten: it cannot be undone, so add --yes")
    with ledger() as (_, database):
        forgotten = upkeep.forget(database, reviewer=reviewer, shop=shop)
    report.show_forgotten(forgotten, as_json=as_json)
