"""`copydesk up`: every service of a small installation in one terminal."""

import threading

import typer

from copydesk.settings import Settings
from copydesk.store import Database
from producer.services import Services, stop_on_signals

COLOURS = {"broker": "magenta", "worker": "green", "beat": "yellow", "flower": "cyan", "copydesk": "white"}


def run(settings: Settings) -> None:
    """Start what is needed, restart what ends, and on Ctrl-C or SIGTERM close everything, the broker last."""
    from tasks import flower

    stop = stop_on_signals()
    database = Database(settings.database)
    database.migrate()
    say("copydesk", f"database {database}")
    database.close()
    with Services(settings, say) as services:
        services.start_broker()
        say("copydesk", f"broker {settings.broker_url.rpartition('@')[2]}")
        services.start_flower()
        services.start_beat()
        services.start_worker()
        say("copydesk", f"Flower http://127.0.0.1:{settings.flower_port} (login {flower.login_hint(settings)})")
        services.watch(stop)
        say("copydesk", "closing; the worker finishes the chunks it holds (once more Ctrl-C to leave them)")


_one_line_at_a_time = threading.Lock()


def say(name: str, line: str) -> None:
    """One line with its child's name before it."""
    with _one_line_at_a_time:
        typer.echo(f"{typer.style(f'{name:>8} |', fg=COLOURS.get(name))} {line}")
