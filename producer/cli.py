"""`copydesk`: the command line. Exit status 0, 1 when items or services failed, 2 when it was used wrongly.

Nothing heavy is imported before a command runs, so that `copydesk --help` answers at once.
"""

import sys
from io import TextIOWrapper

import typer

from copydesk.errors import ConfigurationError, CopydeskError, IllegalMove, InputError
from producer.commands import (
    catalog,
    evaluating,
    operating,
    reporting,
    review,
    reviews,
    rules,
    serving,
    steering,
    writing,
)

FAILED, MISUSED = 1, 2

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    help="Writes a shop's product copy: a producer asks, GPU workers write, guards judge, people approve.",
)
for commands in (catalog, writing, steering, review, reviews, rules, reporting, evaluating, serving, operating):
    commands.add_to(app)


def main() -> None:
    """The console script; errors that Copydesk raises on purpose are one line without a traceback."""
    if isinstance(sys.stdout, TextIOWrapper):  # a terminal of another encoding shows what it lacks as \u2026
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        app()
    except (InputError, ConfigurationError, IllegalMove) as error:
        _end(f"error: {error}", MISUSED)
    except CopydeskError as error:
        _end(f"error: {error}", FAILED)


def _end(message: str, status: int) -> None:
    typer.echo(message, err=True)
    sys.exit(status)


if __name__ == "__main__":
    main()
