"""`copydesk rules check`, `show` and `learn`: ruleset files, and what comes of them."""

from pathlib import Path
from typing import Annotated

import typer

from producer.commands import AsJson, Shop

PRODUCTS_LOOKED_AT = 10_000
"""Whose facts and descriptions are looked at; a shop's first so many are like the rest."""

rules = typer.Typer(
    no_args_is_help=True, help="What copy has to keep to: check ruleset files, show what counts, learn."
)


def add_to(app: typer.Typer) -> None:
    app.add_typer(rules, name="rules")


@rules.command()
def check(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Ruleset files.")],
    shop: Annotated[
        str | None, typer.Option("--shop", help="Also check that its products have the facts named.")
    ] = None,
) -> None:
    """Say everything that is wrong with ruleset files; nothing is stored."""
    from copydesk import settings
    from copydesk.jobs import recipes

    facts = list(_facts_of(shop)) if shop is not None else None
    wrong = {file: recipes.what_is_wrong(settings.load(), file, facts) for file in files}
    for file, lines in wrong.items():
        for line in lines:
            typer.echo(f"{file}: {line}", err=True)
        if not lines:
            typer.echo(f"{file}: can be used")
    raise typer.Exit(2 if any(wrong.values()) else 0)


@rules.command()
def show(
    shop: Shop,
    kind: Annotated[str, typer.Option("--kind", help="The kind of copy.")] = "description",
    language: Annotated[str | None, typer.Option("--language", help="One language; else all of the kind's.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show the rules that count for a shop's copy, and where each value comes from."""
    from copydesk import prompts, settings
    from copydesk.jobs import recipes
    from producer import rulesheets
    from producer.checking import check_shop

    loaded = settings.load()
    check_shop(loaded, shop)
    languages = (language,) if language else prompts.languages(kind, loaded.prompts_dir) or ("en",)
    found = {one: recipes.effective_rules(loaded, shop, kind, one) for one in languages}
    rulesheets.show(found, as_json=as_json)


@rules.command()
def learn(
    files: Annotated[
        list[Path] | None, typer.Argument(metavar="FILE...", help="Text files of the shop's copy.")
    ] = None,
    shop: Annotated[str | None, typer.Option("--shop", help="Also its descriptions that no model wrote.")] = None,
    kind: Annotated[str, typer.Option("--kind", help="The kind of copy that the texts are.")] = "description",
    out: Annotated[Path | None, typer.Option("--out", help="Where the ruleset goes; else it is printed.")] = None,
) -> None:
    """Make a ruleset of texts: how they sound, how long they are, and which words come back.

    A file may hold several texts, parted by lines of dashes. No model is asked.
    """
    from copydesk import prompts, rulesets, settings
    from copydesk.errors import InputError
    from producer import rulesheets
    from producer.files import output

    kinds = prompts.kinds(settings.load().prompts_dir)
    if kind not in kinds:
        raise InputError(f"there is no kind of copy {kind!r}: there are {', '.join(kinds)}")
    texts = [text for file in files or () for text in _texts_of(file)] + (_descriptions_of(shop) if shop else [])
    if not texts:
        raise InputError("there is nothing to learn from: name text files, or --shop with descriptions of its own")
    made = rulesheets.as_toml(rulesets.learn(texts), kind)
    if out is None:
        typer.echo(made, nl=False)
        return
    with output(out) as stream:
        stream.write(made)
    typer.echo(f"{out}: learned from {len(texts)} texts; `copydesk rules check {out}`, and name it in copydesk.toml")


def _texts_of(file: Path) -> list[str]:
    from copydesk import rulesets
    from copydesk.errors import InputError

    try:
        return rulesets.texts_of(file)
    except OSError as error:
        raise InputError(f"{file} cannot be read ({error.strerror}): name a text file") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{file} is not UTF-8: save it as UTF-8, or take in a catalog and name its --shop") from error


def _descriptions_of(shop: str) -> list[str]:
    from copydesk.markup import to_plain
    from copydesk.model import TextFormat
    from copydesk.store import products, specimens
    from producer.opening import ledger

    with ledger() as (_, database), database.read() as connection:
        shop_id = products.find_shop(connection, shop)
        found = list(specimens.own_descriptions(connection, shop_id, PRODUCTS_LOOKED_AT))
    return [to_plain(one.text) if one.text_format is TextFormat.HTML else one.text for one in found]


def _facts_of(shop: str) -> dict[str, int]:
    from copydesk.store import products, specimens
    from producer.opening import ledger

    with ledger() as (_, database), database.read() as connection:
        return dict(specimens.fact_names(connection, products.find_shop(connection, shop), PRODUCTS_LOOKED_AT))
