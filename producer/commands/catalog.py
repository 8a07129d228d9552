"""`copydesk import` and `copydesk export`: files of products and reviews in, files of products out."""

from pathlib import Path
from typing import Annotated

import typer

from producer.commands import AsJson, Shop

imports = typer.Typer(no_args_is_help=True, help="Take in what a shop has.")
exports = typer.Typer(no_args_is_help=True, help="Write files that a shop takes back.")


def add_to(app: typer.Typer) -> None:
    app.add_typer(imports, name="import")
    app.add_typer(exports, name="export")


@imports.command("products")
def import_products(
    file: Annotated[Path, typer.Argument(help="The catalog file.")],
    shop: Shop,
    file_format: Annotated[str, typer.Option("--format", help="auto, shopify, woocommerce or jsonl.")] = "auto",
    report: Annotated[Path | None, typer.Option(help="Where the row-level report goes.")] = None,
    as_json: AsJson = False,
) -> None:
    """Take in a catalog file: new products, edited ones, and what is wrong with which row."""
    from copydesk.store.products import check_shop_name
    from producer import importing
    from producer import report as reports
    from producer.opening import ledger

    check_shop_name(shop)  # it becomes part of a path
    with ledger() as (settings, database):
        where = report or settings.data_dir / "reports" / f"import-{shop}-{file.stem}.csv"
        taken = importing.take_in(database, shop, file, file_format, where)
    reports.show_import(taken, as_json=as_json)
    raise typer.Exit(1 if taken.errors else 0)


@imports.command("reviews")
def import_reviews(
    file: Annotated[Path, typer.Argument(help="The file of reviews.")],
    shop: Shop,
    file_format: Annotated[
        str, typer.Option("--format", help="auto, judgeme, yotpo, amazon, google, csv or jsonl.")
    ] = "auto",
    report: Annotated[Path | None, typer.Option(help="Where the row-level report goes.")] = None,
    as_json: AsJson = False,
) -> None:
    """Take in a file of reviews: each is masked, routed and judged; `copydesk reply` asks for the replies."""
    from copydesk.store.products import check_shop_name
    from producer import importing_reviews
    from producer import report as reports
    from producer.opening import ledger

    check_shop_name(shop)  # it becomes part of a path
    with ledger() as (settings, database):
        where = report or settings.data_dir / "reports" / f"import-reviews-{shop}-{file.stem}.csv"
        taken = importing_reviews.take_in(database, settings, shop, file, file_format, where)
    reports.show_import_of_reviews(taken, as_json=as_json)
    raise typer.Exit(1 if taken.errors else 0)


@exports.command("products")
def export_products(
    file: Annotated[Path, typer.Argument(help="The file to write; replaced when it exists.")],
    shop: Shop,
    file_format: Annotated[str, typer.Option("--format", help="shopify, woocommerce, google or jsonl.")],
    label: Annotated[
        str | None, typer.Option(help="How text by a machine is marked: none, google, cn; left out, as the shop says.")
    ] = None,
    kind: Annotated[
        str, typer.Option(help="Which texts; other kinds than descriptions and SEO texts need --format jsonl.")
    ] = "description",
    as_json: AsJson = False,
) -> None:
    """Write the texts that Copydesk changed in a shop: key, title and text, and nothing else."""
    from producer import exporting
    from producer import report as reports
    from producer.opening import ledger

    with ledger() as (settings, database):
        written = exporting.write(database, settings, shop, file, file_format, kind=kind, label=label)
    reports.show_export(written, file, as_json=as_json)
