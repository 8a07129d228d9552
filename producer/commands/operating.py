"""`copydesk up`, `demo`, `doctor`, `migrate` and `model`: what the person who runs it needs."""

from typing import Annotated

import typer

from producer.commands import AsJson

models_app = typer.Typer(no_args_is_help=True, help="Models that come without a hub.")


def add_to(app: typer.Typer) -> None:
    for command in (up, demo, doctor, migrate):
        app.command()(command)
    app.add_typer(models_app, name="model")


def up() -> None:
    """Run broker, worker, beat and Flower together until Ctrl-C. What you pointed elsewhere is not started."""
    from copydesk import settings
    from producer import together

    together.run(settings.load())


def demo() -> None:
    """A shop's catalog goes in, descriptions are written, judged, approved and published, an export comes out."""
    from copydesk import settings
    from producer import demonstration

    raise typer.Exit(demonstration.run(settings.load()))


def doctor(as_json: AsJson = False) -> None:
    """Check every part that Copydesk needs; each failure comes with its remedy."""
    from producer import checkup, report

    checks = checkup.all_checks()
    report.show_checks(checks, as_json=as_json)
    raise typer.Exit(1 if any(check.remedy for check in checks) else 0)


def migrate() -> None:
    """Create or update the tables."""
    from copydesk import settings
    from copydesk.store import Database

    database = Database(settings.load().database)
    database.migrate()
    typer.echo(f"{database} is up to date")
    database.close()


@models_app.command("pull")
def pull(
    name: Annotated[str | None, typer.Argument(help="A known model; left out, the one in the settings.")] = None,
) -> None:
    """Download a known model, check its hash and unpack it."""
    from copydesk import settings
    from copydesk.engine import models

    loaded = settings.load()
    typer.echo(models.pull(name or loaded.model, loaded.models))


@models_app.command("list")
def list_models(as_json: AsJson = False) -> None:
    """Known models, and where they are."""
    from copydesk import settings
    from copydesk.engine import models
    from producer import report

    report.show_models(models.installed(settings.load().models), as_json=as_json)
