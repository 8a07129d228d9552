"""`copydesk report`: a run on one page, to look at and to hand on."""

from pathlib import Path
from typing import Annotated

import typer


def add_to(app: typer.Typer) -> None:
    app.command()(report)


def report(
    run: Annotated[int, typer.Argument(help="The run's number, of descriptions or replies.")],
    html: Annotated[Path, typer.Option(dir_okay=False, help="The HTML file to write; one that is there is replaced.")],
    held: Annotated[int, typer.Option(min=0, max=2000, help="Held texts shown at most.")] = 200,
    ready: Annotated[int, typer.Option(min=0, max=2000, help="Ready texts shown, spread over the run.")] = 24,
) -> None:
    """Write what a run came to into one HTML file: outcome, reasons, speed, variety, and texts before and after.

    The file needs nothing from outside: no script, no font, no network. It opens on a phone and prints well.
    """
    from producer import htmlreport
    from producer.opening import ledger

    with ledger() as (_, database):
        made = htmlreport.write(database, run, html, held=held, ready=ready)
    counts = ", ".join(f"{number} {name}" for name, number in made.outcomes.items()) or "nothing settled yet"
    typer.echo(f"run {run}: {counts}; {html} has {html.stat().st_size / 1000:,.0f} kB")
