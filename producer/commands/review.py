"""`copydesk drafts`, `publish`, `undo` and `history`: what people decide, and what came of it."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from copydesk.model import DESCRIPTION, Status
from producer.commands import AsJson, Shop

if TYPE_CHECKING:  # imported where it is used: `copydesk --help` answers at once
    from copydesk.settings import Settings
    from copydesk.store.drafts import Said
    from copydesk.store.selecting import Which
    from copydesk.store.texts import Version

ASK_ABOVE = 100
"""Drafts that a person at a terminal decides on at once without being asked whether they mean it."""

drafts_app = typer.Typer(no_args_is_help=True, help="Look at drafts and decide on them.")


class Waiting(StrEnum):
    """States in which a draft waits for a person."""

    READY = Status.READY.value
    HELD = Status.HELD.value


Ids = Annotated[list[int] | None, typer.Argument(help="Draft numbers.")]
OfShop = Annotated[str | None, typer.Option("--shop", help="Only this shop's.")]
OfRun = Annotated[int | None, typer.Option("--run", help="Only this run's.")]
Sku = Annotated[str | None, typer.Option("--sku", help="Only this product's.")]
Kind = Annotated[str | None, typer.Option("--kind", help="Only this kind of copy; `copydesk kinds` lists them.")]
Language = Annotated[str | None, typer.Option("--language", help="Only in this language, such as en or zh.")]
SkuLike = Annotated[str | None, typer.Option("--sku-like", help="Only products with such a key: 'lamp-*'.")]
Category = Annotated[str | None, typer.Option("--category", help="Only products of such a category: '*shoes*'.")]
NoWarnings = Annotated[bool, typer.Option("--no-warnings", help="Only drafts about which nothing is marked.")]
ReasonCode = Annotated[str | None, typer.Option("--reason", help="Only for this reason, such as facts.numbers.")]
Limit = Annotated[int | None, typer.Option("--limit", min=1, help="At most this many, the oldest.")]
State = Annotated[Waiting | None, typer.Option("--state", help="Only drafts in this state.")]
Sample = Annotated[int | None, typer.Option("--sample", min=1, help="Show so many, drawn at random; decide nothing.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say how many, by kind and state; decide nothing.")]
Yes = Annotated[bool, typer.Option("--yes", help=f"Do not ask, however many they are (above {ASK_ABOVE} it asks).")]


def add_to(app: typer.Typer) -> None:
    app.add_typer(drafts_app, name="drafts")
    app.command()(publish)
    app.command()(undo)
    app.command()(history)


@drafts_app.command("list")
def list_drafts(
    shop: OfShop = None,
    run: OfRun = None,
    state: Annotated[Status | None, typer.Option(help="Only drafts in this state.")] = None,
    sku: Sku = None,
    kind: Kind = None,
    language: Language = None,
    sku_like: SkuLike = None,
    category: Category = None,
    no_warnings: NoWarnings = False,
    reason: ReasonCode = None,
    limit: Limit = None,
    as_json: AsJson = False,
) -> None:
    """List drafts, oldest first."""
    from copydesk.store import drafts
    from copydesk.store.selecting import Which
    from producer import report
    from producer.opening import ledger

    which = Which(
        run=run, shop=shop, state=state, sku=sku, kind=kind, language=language, sku_like=sku_like,
        category=category, no_warnings=no_warnings, reason=reason, limit=limit,
    )  # fmt: skip
    with ledger() as (settings, database), database.read() as connection:
        _check(settings, connection, which)
        found = drafts.listed(connection, which)
    report.show_drafts(found, as_json=as_json)


@drafts_app.command("show")
def show_draft(draft: Annotated[int, typer.Argument(help="The draft's number.")], as_json: AsJson = False) -> None:
    """Show one draft: its text, why it stands as it does, the facts behind each sentence, and the live text."""
    from copydesk.store import drafts, products, runs, texts
    from producer import report
    from producer.opening import ledger

    with ledger() as (_, database), database.read() as connection:
        found = drafts.find(connection, draft)
        live = texts.current(connection, products.find_shop(connection, found.shop), found.sku, found.kind)
        recipe = runs.asked(connection, found.run).recipe
    omit = recipe.get("prompt_files", {}).get(found.language, {}).get("omit", ())
    report.show_draft(found, live, as_json=as_json, engine=recipe.get("engine", ""), omit=omit)


def _deciding(to: Status) -> Callable[..., None]:
    """A command that says yes or no to drafts."""

    def decide(
        ids: Ids = None,
        run: OfRun = None,
        shop: OfShop = None,
        state: State = None,
        sku: Sku = None,
        kind: Kind = None,
        language: Language = None,
        sku_like: SkuLike = None,
        category: Category = None,
        no_warnings: NoWarnings = False,
        reason: ReasonCode = None,
        limit: Limit = None,
        sample: Sample = None,
        dry_run: DryRun = False,
        yes: Yes = False,
        as_json: AsJson = False,
    ) -> None:
        _decide(
            to, ids, sample=sample, dry_run=dry_run, yes=yes, as_json=as_json,
            run=run, shop=shop, state=state and Status(state), sku=sku, kind=kind, language=language,
            sku_like=sku_like, category=category, no_warnings=no_warnings, reason=reason, limit=limit,
        )  # fmt: skip

    return decide


APPROVE = (
    "Say yes: to single drafts, ready or held, or to those of a run or a shop, ready ones unless --state says held."
)
REJECT = "Say no: to single drafts, or to those of a run or a shop, ready and held, that the options choose."

drafts_app.command("approve", help=APPROVE)(_deciding(Status.APPROVED))
drafts_app.command("reject", help=REJECT)(_deciding(Status.REJECTED))


def _decide(
    to: Status,
    ids: Sequence[int] | None,
    *,
    sample: int | None,
    dry_run: bool,
    yes: bool,
    as_json: bool,
    **chosen: Any,
) -> None:
    """A person's word on drafts: single ones, or those of a run or a shop. `chosen` are the fields of a Which."""
    from copydesk.store.drafts import UNDECIDED
    from copydesk.store.selecting import Which
    from producer import report

    if bool(ids) == (chosen["shop"] is not None or chosen["run"] is not None):
        raise typer.BadParameter("name either drafts, or --run or --shop")
    if ids and (sample or dry_run or any(chosen.values())):
        raise typer.BadParameter("single drafts are named by their numbers alone")
    if ids:
        report.show_said(_decide_each(to, ids), to, as_json=as_json)
        return
    which = replace(Which(**chosen), state=chosen["state"] or (Status.READY if to is Status.APPROVED else UNDECIDED))
    if sample or dry_run:
        _preview(which, sample, as_json=as_json)
    else:
        _decide_all(to, which, yes=yes, as_json=as_json)


def _decide_each(to: Status, ids: Sequence[int]) -> "Said":
    from copydesk.store import drafts
    from producer.opening import ledger, who

    said = drafts.Said()
    with ledger() as (settings, database), database.write() as connection:
        for draft in sorted(set(ids)):
            four_eyes = settings.shop(drafts.find(connection, draft).shop).four_eyes
            is_done = drafts.decide(connection, draft, to, by=who(), four_eyes=four_eyes) is to
            said += drafts.Said(decided=int(is_done), first=int(not is_done))
    return said


def _preview(which: "Which", sample: int | None, *, as_json: bool) -> None:
    """What would be decided on: some of the drafts, or how many there are."""
    from copydesk.store import drafts, selecting
    from producer import report
    from producer.opening import ledger

    with ledger() as (settings, database), database.read() as connection:
        _check(settings, connection, which)
        if sample:
            report.show_drafts(drafts.sample(connection, which, sample), as_json=as_json)
        else:
            report.show_counted(selecting.counted(connection, which), as_json=as_json)


def _decide_all(to: Status, which: "Which", *, yes: bool, as_json: bool) -> None:
    from copydesk.jobs import publishing
    from copydesk.store import selecting
    from producer import report
    from producer.opening import ledger, who

    with ledger() as (settings, database):
        with database.read() as connection:
            shop = _check(settings, connection, which)
            number = sum(selecting.counted(connection, which).values())
        if not yes and number > ASK_ABOVE and _at_a_terminal():
            typer.confirm(f"{number} drafts of {shop} become {to}: do you mean it?", abort=True)
        four_eyes = settings.shop(shop).four_eyes
        said = publishing.decide_all(database, which, to, by=who(), four_eyes=four_eyes)
    report.show_said(said, to, as_json=as_json)


def _at_a_terminal() -> bool:
    import sys

    return sys.stdin.isatty()


def _check(settings: "Settings", connection: Any, which: "Which") -> str:
    """The shop of the drafts, "" where none is named. Raises NotFound, InputError: no such shop, run or kind."""
    from copydesk.errors import NotFound
    from copydesk.store import products, runs
    from producer.checking import check_kind

    if which.kind is not None:
        check_kind(settings, which.kind)
    if which.shop is not None:
        products.find_shop(connection, which.shop)
    if which.run is None:
        return which.shop or ""
    of_run = runs.asked(connection, which.run).shop
    if which.shop not in (None, of_run):
        raise NotFound(f"run {which.run} is not of the shop {which.shop!r}: `copydesk status` lists runs and shops")
    return of_run


@drafts_app.command("edit")
def edit(
    draft: Annotated[int, typer.Argument(help="The draft's number.")],
    text: Annotated[str | None, typer.Option(help="The new text; left out, your $EDITOR opens.")] = None,
    file: Annotated[Path | None, typer.Option(exists=True, dir_okay=False, help="A file with the new text.")] = None,
) -> None:
    """Put your own words in place and approve them; no later run overwrites a text that a person edited."""
    from copydesk.store import drafts
    from producer.catalog.labels import without_line
    from producer.opening import ledger, who, words_of_a_person

    if text is not None and file is not None:
        raise typer.BadParameter("give the new text with --text or with --file, not with both")
    with ledger() as (settings, database):
        with database.read() as connection:
            found = drafts.find(connection, draft)
        words = without_line(words_of_a_person(text, file, found.text))
        if words == found.text:
            typer.echo("nothing changed")
            return
        four_eyes = settings.shop(found.shop).four_eyes
        with database.write() as connection:
            state = drafts.decide(connection, draft, Status.APPROVED, by=who(), text=words, four_eyes=four_eyes)
    waits = "edited; a second person has to approve it"
    typer.echo(f"draft {draft} {'edited and approved' if state is Status.APPROVED else waits}")


def publish(
    shop: Shop,
    run: OfRun = None,
    kind: Annotated[
        str | None, typer.Option(help="This kind of copy; left out, the run's, or descriptions where no run is named.")
    ] = None,
) -> None:
    """Put approved drafts live; every earlier text is kept, and `copydesk undo` brings it back."""
    from copydesk.jobs import publishing
    from copydesk.store import products
    from copydesk.store.selecting import Which
    from producer.opening import ledger, who

    with ledger() as (settings, database):
        with database.read() as connection:
            _check(settings, connection, Which(shop=shop, run=run, kind=kind))
            shop_id = products.find_shop(connection, shop)
        done = publishing.publish(database, shop_id, run, by=who(), kind=kind)
    typer.echo(f"{done.published} published")
    if done.stale:
        typer.echo(f"{done.stale} not published: the product was edited since; `copydesk describe` asks again")
    if done.protected:
        typer.echo(f"{done.protected} not published: a person edited the live text, and it stays")


def undo(
    sku: Annotated[str | None, typer.Argument(help="The product's key (for Shopify its handle).")] = None,
    shop: Annotated[str | None, typer.Option(help="The shop; needed when several have such a product.")] = None,
    kind: Annotated[
        str | None, typer.Option(help="The kind of copy; left out, the description. `copydesk kinds` lists them.")
    ] = None,
    to: Annotated[
        int | None, typer.Option(min=1, help="The version to bring back, as `copydesk history` counts.")
    ] = None,
    run: Annotated[int | None, typer.Option(help="Instead of one product: everything that this run published.")] = None,
) -> None:
    """Bring back the text from before the last change, or all that a run published, byte for byte."""
    if (sku is None) == (run is None):
        raise typer.BadParameter("name either a product or --run")
    if run is not None and (to, shop, kind) != (None, None, None):
        raise typer.BadParameter("--to, --shop and --kind are for one product: leave them out, or --run")
    if sku is not None:
        _undo_one(sku, shop, kind or DESCRIPTION, to)
    elif run is not None:
        _undo_run(run)


def _undo_one(sku: str, shop: str | None, kind: str, to: int | None) -> None:
    from copydesk.store import products, texts
    from producer.checking import check_kind
    from producer.opening import ledger, who

    with ledger() as (settings, database):
        check_kind(settings, kind)
        with database.write() as connection:
            texts.undo(connection, products.find_shop_of(connection, sku, shop), sku, by=who(), kind=kind, to=to)
    typer.echo(f"{sku} shows its earlier text again" if to is None else f"{sku} shows the text of version {to} again")


def _undo_run(run: int) -> None:
    from copydesk.jobs import publishing
    from producer.opening import ledger, who

    with ledger() as (_, database):
        undone = publishing.undo_run(database, run, by=who())
    typer.echo(f"{undone.undone} products show their earlier text again")
    if undone.by_person:
        typer.echo(f"{undone.by_person} left: a person wrote what they show; `copydesk undo SKU` takes back one")
    if undone.replaced:
        typer.echo(f"{undone.replaced} left: something newer has taken the text's place")


def history(
    sku: Annotated[str, typer.Argument(help="The product's key (for Shopify its handle).")],
    versions: Annotated[list[int] | None, typer.Argument(help="With --diff: the two to compare.")] = None,
    diff: Annotated[
        bool, typer.Option("--diff", help="What differs between two versions; by default the last.")
    ] = False,
    shop: Annotated[str | None, typer.Option(help="The shop; needed when several have such a product.")] = None,
    kind: Annotated[str, typer.Option(help="The kind of copy; `copydesk kinds` lists them.")] = DESCRIPTION,
    as_json: AsJson = False,
) -> None:
    """List every text that a product showed: when it was put there, by whom, and what it came from."""
    from copydesk.store import products, texts
    from producer import report
    from producer.checking import check_kind
    from producer.opening import ledger

    if versions and not (diff and len(versions) == 2):
        raise typer.BadParameter("two versions are compared: `copydesk history SKU --diff A B`")
    with ledger() as (settings, database), database.read() as connection:
        check_kind(settings, kind)
        found = texts.history(connection, products.find_shop_of(connection, sku, shop), sku, kind)
    if diff:
        report.show_difference(*_two_of(found, versions), as_json=as_json)
    else:
        report.show_history(found, as_json=as_json)


def _two_of(found: "Sequence[Version]", wanted: Sequence[int] | None) -> "tuple[Version, Version]":
    """The two versions to compare: those named, or the last two. Raises InputError."""
    from copydesk.errors import InputError

    if len(found) < 2:
        raise InputError("there is nothing to compare: the product has shown one text of this kind at most")
    numbers = list(wanted or [one.version for one in found[-2:]])
    by_number = {one.version: one for one in found}
    if unknown := [number for number in numbers if number not in by_number]:
        raise InputError(f"there is no version {unknown[0]}: `copydesk history` lists them")
    before, after = (by_number[number] for number in numbers)
    return before, after
