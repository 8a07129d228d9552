"""`copydesk evaluate` and `copydesk experiment`: how good texts are, by figures, by raters and by customers."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from producer.commands import AsJson, Shop

if TYPE_CHECKING:
    from copydesk.settings import Settings
    from copydesk.store import Database
    from copydesk.store.evaluating import Chosen

experiment_app = typer.Typer(no_args_is_help=True, help="Try new texts on a part of a shop, and see what comes of it.")

Name = Annotated[str, typer.Argument(help="The experiment's name; it decides which product is in which arm.")]
Share = Annotated[float, typer.Option(min=0, max=1, help="How much of the shop shows its new text.")]


def add_to(app: typer.Typer) -> None:
    app.command()(evaluate)
    app.add_typer(experiment_app, name="experiment")


def evaluate(
    run: Annotated[int | None, typer.Option(help="The texts of this run.")] = None,
    shop: Annotated[str | None, typer.Option(help="Of each product of this shop the newest text.")] = None,
    kind: Annotated[str | None, typer.Option(help="With --shop: which kind of copy; left out, descriptions.")] = None,
    against: Annotated[int | None, typer.Option(help="Another run, to compare on the products that both have.")] = None,
    sheet: Annotated[
        Path | None, typer.Option(help="With --against: write a blind rating sheet here (CSV), and its key beside it.")
    ] = None,
    items: Annotated[int, typer.Option(min=1, max=5000, help="With --sheet: products in it at most.")] = 50,
    seed: Annotated[int, typer.Option(help="With --sheet: another seed draws other products.")] = 1,
    rated: Annotated[
        list[Path] | None, typer.Option(help="A sheet that was filled in; once for each rater's copy.")
    ] = None,
    key: Annotated[Path | None, typer.Option(help="With --rated: the key, where it is not beside the sheet.")] = None,
    as_json: AsJson = False,
) -> None:
    """Say how good texts are: true, within the rules, different from each other, readable, accepted by people."""
    if [bool(rated), run is not None, shop is not None].count(True) != 1:
        raise typer.BadParameter("name one of --run, --shop and --rated")
    if (sheet is not None and against is None) or (rated and against is not None):
        raise typer.BadParameter("--sheet goes with --against, and --rated with neither")
    if key is not None and not rated:
        raise typer.BadParameter("--key goes with --rated")
    if kind is not None and shop is None:
        raise typer.BadParameter("--kind goes with --shop: a run is of one kind")
    if rated:
        _rated(rated, key, as_json=as_json)
        return
    from producer import evaluating
    from producer.checking import check_kind
    from producer.opening import ledger

    with ledger() as (settings, database):
        chosen = evaluating.chosen(database, run, shop, kind)
        if kind is not None:
            check_kind(settings, kind)
        if against is None:
            _evaluated(database, settings, chosen, as_json=as_json)
            return
        other = evaluating.chosen(database, against, None, None)
        if sheet is None:
            _compared(database, settings, chosen, other, as_json=as_json)
        else:
            _sheet(database, (chosen, other), sheet, items, seed, as_json=as_json)


def _evaluated(database: "Database", settings: "Settings", chosen: "Chosen", *, as_json: bool) -> None:
    from producer import evaluating, figures, report

    found = evaluating.evaluate(database, settings, chosen)
    if as_json:
        report.print_json(figures.evaluation_as_dict(found))
        return
    above, below = figures.halves(figures.evaluation_lines(found))
    report.print_lines(above)
    report.print_table(("", "ready texts", "all texts"), figures.evaluation_rows(found), "")
    report.print_lines(below)


def _compared(database: "Database", settings: "Settings", one: "Chosen", other: "Chosen", *, as_json: bool) -> None:
    from producer import evaluating, figures, report

    found = evaluating.compare(database, settings, one, other)
    if as_json:
        report.print_json(figures.comparison_as_dict(found))
        return
    above, below = figures.halves(figures.comparison_lines(found))
    report.print_lines(above)
    columns = ("", one.name, other.name, "difference", "95 % interval")
    report.print_table(columns, figures.comparison_rows(found), "")
    report.print_lines(below)


def _sheet(
    database: "Database", both: "tuple[Chosen, Chosen]", file: Path, items: int, seed: int, *, as_json: bool
) -> None:
    from dataclasses import asdict

    from producer import evaluating, ratings, report

    evaluating.check_pair(*both)
    made = ratings.write(database, *both, file, items=items, seed=seed)
    if as_json:
        report.print_json({**asdict(made), "file": file})
        return
    report.print_lines(
        [f"{made.items} items in {file}; whose texts they are is in {made.key}, which no rater should see"]
    )
    if made.same:
        report.print_lines([f"{made.same} products left out: both texts are the same"])


def _rated(files: list[Path], key: Path | None, *, as_json: bool) -> None:
    from producer import figures, ratings, report

    found = ratings.read(files, key)
    if as_json:
        report.print_json(figures.rated_as_dict(found))
    else:
        report.print_lines(figures.rated_lines(found))
    raise typer.Exit(1 if found.problems else 0)


@experiment_app.command("assign")
def assign(
    name: Name,
    shop: Shop,
    out: Annotated[Path, typer.Option(help="The file to write (CSV): sku, arm, and the text that the arm shows.")],
    share: Share = 0.5,
    kind: Annotated[str, typer.Option(help="Which kind of copy.")] = "description",
    as_json: AsJson = False,
) -> None:
    """Say which products show their new text and which the one from before. The shop shows them; Copydesk does not."""
    from dataclasses import asdict

    from producer import experiments, report
    from producer.checking import check_kind
    from producer.opening import ledger

    with ledger() as (settings, database):
        check_kind(settings, kind)
        assigned = experiments.assign(database, shop, kind, name, out, share=share)
    if as_json:
        report.print_json({**asdict(assigned), "file": out})
        return
    counts = ", ".join(f"{number} {arm}" for arm, number in assigned.arms.items())
    report.print_lines([f"{name}: {counts}; {out}"])
    if assigned.same:
        report.print_lines([f"{assigned.same} products left out: the new text is the one from before"])


@experiment_app.command("results")
def results(
    name: Name,
    file: Annotated[Path, typer.Argument(help="A CSV with impressions, conversions, and sku or arm.")],
    share: Share = 0.5,
    as_json: AsJson = False,
) -> None:
    """Say which texts did better, how sure that is, and how much longer it takes where nothing is decided."""
    from producer import experiments, figures, report

    found = experiments.results(name, file, share=share)
    if as_json:
        report.print_json(figures.results_as_dict(found))
    else:
        columns = ("arm", "products", "impressions", "conversions", "rate", "95 % interval")
        report.print_table(columns, figures.result_rows(found), "")
        report.print_lines(figures.result_lines(found))
    raise typer.Exit(1 if found.problems else 0)
