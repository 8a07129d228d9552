"""`copydesk drafts`, `publish` and `undo`: what people decide."""

from pathlib import Path
from typing import Annotated

import typer

from copydesk.model import Status
from producer.commands import AsJson, Shop

drafts_app = typer.Typer(no_args_is_help=True, help="Look at drafts and decide on them.")

Ids = Annotated[list[int] | None, typer.Argument(help="Draft numbers.")]


def add_to(app: typer.Typer) -> None:
    app.add_typer(drafts_app, name="drafts")
    app.command()(publish)
    app.command()(undo)


@drafts_app.command("list")
def list_drafts(
    shop: Annotated[str | None, typer.Option(help="Only this shop's.")] = None,
    run: Annotated[int | None, typer.Option(help="Only this run's.")] = None,
    state: Annotated[Status | None, typer.Option(help="Only drafts in this state.")] = None,
    sku: Annotated[str | None, typer.Option(help="Only this product's.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="At most this many.")] = None,
    as_json: AsJson = False,
) -> None:
    """List drafts, oldest first."""
    from copydesk.store import drafts, products, runs
    from producer import report
    from producer.opening import ledger

    with ledger() as (_, database), database.read() as connection:
        if shop is not None:
            products.find_shop(connection, shop)
        if run is not None:
            runs.find(connection, run)
        found = drafts.listed(connection, shop=shop, run=run, state=state, sku=sku, limit=limit)
    report.show_drafts(found, as_json=as_json)


@drafts_app.command("show")
def show_draft(draft: Annotated[int, typer.Argument(help="The draft's number.")], as_json: AsJson = False) -> None:
    """Show one draft: its text, its reasons, the facts it was written from, and the live text."""
    from copydesk.store import drafts, products, texts
    from producer import report
    from producer.opening import ledger

    with ledger() as (_, database), database.read() as connection:
        found = drafts.find(connection, draft)
        live = texts.current(connection, products.find_shop(connection, found.shop), found.sku)
    report.show_draft(found, live, as_json=as_json)


@drafts_app.command("approve")
def approve(
    ids: Ids = None,
    run: Annotated[int | None, typer.Option(help="Every ready draft of this run.")] = None,
) -> None:
    """Say yes: to single drafts, ready or held, or to every ready draft of a run."""
    from copydesk.store import drafts, runs
    from producer.opening import ledger, who

    if bool(ids) == (run is not None):
        raise typer.BadParameter("name either drafts or --run")
    with ledger() as (_, database), database.write() as connection:
        for draft in ids or ():
            drafts.decide(connection, draft, Status.APPROVED, by=who())
        approved = len(ids or ())
        if run is not None:
            approved = drafts.approve_all(connection, runs.find(connection, run).id, by=who())
    typer.echo(f"{approved} approved")


@drafts_app.command("reject")
def reject(ids: Annotated[list[int], typer.Argument(help="Draft numbers.")]) -> None:
    """Say no."""
    from copydesk.store import drafts
    from producer.opening import ledger, who

    with ledger() as (_, database), database.write() as connection:
        for draft in ids:
            drafts.decide(connection, draft, Status.REJECTED, by=who())
    typer.echo(f"{len(ids)} rejected")


@drafts_app.command("edit")
def edit(
    draft: Annotated[int, typer.Argument(help="The draft's number.")],
    text: Annotated[str | None, typer.Option(help="The new text; left out, your $EDITOR opens.")] = None,
    file: Annotated[Path | None, typer.Option(exists=True, dir_okay=False, help="A file with the new text.")] = None,
) -> None:
    """Put your own words in place and approve them; no later run overwrites a text that a person edited."""
    from copydesk.store import drafts
    from producer.opening import ledger, who, words_of_a_person

    with ledger() as (_, database):
        with database.read() as connection:
            found = drafts.find(connection, draft)
        words = words_of_a_person(text, file, found.text)
        if words == found.text:
            typer.echo("nothing changed")
            return
        with database.write() as connection:
            drafts.decide(connection, draft, Status.APPROVED, by=who(), text=words)
    typer.echo(f"draft {draft} edited and approved")


def publish(
    shop: Shop,
    run: Annotated[int | None, typer.Option(help="Only this run's drafts.")] = None,
) -> None:
    """Put approved drafts live; every earlier text is kept, and `copydesk undo` brings it back."""
    from copydesk.errors import NotFound
    from copydesk.jobs import publishing
    from copydesk.store import products, runs
    from producer.opening import ledger, who

    with ledger() as (_, database):
        with database.read() as connection:
            shop_id = products.find_shop(connection, shop)
            if run is not None and runs.find(connection, run).shop != shop:
                raise NotFound(f"run {run} is not of the shop {shop!r}: `copydesk status` lists runs and shops")
        done = publishing.publish(database, shop_id, run, by=who())
    typer.echo(f"{done.published} published")
    if done.stale:
        typer.echo(f"{done.stale} not published: the product was edited since; `copydesk describe` asks again")
    if done.protected:
        typer.echo(f"{done.protected} not published: a person edited the live text, and it stays")


def undo(
    sku: Annotated[str, typer.Argument(help="The product's key (for Shopify its handle).")],
    shop: Annotated[str | None, typer.Option(help="The shop; needed when several have such a product.")] = None,
) -> None:
    """Bring back the text from before the last change, byte for byte."""
    from copydesk.store import products, texts
    from producer.opening import ledger, who

    with ledger() as (_, database), database.write() as connection:
        texts.undo(connection, products.find_shop_of(connection, sku, shop), sku, by=who())
    typer.echo(f"{sku} shows its earlier text again")
