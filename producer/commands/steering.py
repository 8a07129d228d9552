"""`copydesk pause`, `resume`, `cancel` and `redrive`: what the person on duty does to a run."""

from typing import Annotated

import typer

from producer.commands import MaxMinutes, MaxTokens

Number = Annotated[int, typer.Argument(help="The run's number.")]


def add_to(app: typer.Typer) -> None:
    for command in (pause, resume, cancel, redrive):
        app.command()(command)


def pause(run: Number) -> None:
    """Begin nothing more of a run until it is resumed; chunks that workers have in hand are finished."""
    from copydesk.store import runs
    from producer.opening import ledger

    with ledger() as (_, database), database.write() as connection:
        runs.pause(connection, run)
    typer.echo(f"run {run} is paused: `copydesk resume {run}` lets it go on")


def resume(run: Number) -> None:
    """Let a paused run go on."""
    from copydesk.store import runs
    from producer import asking
    from producer.opening import ledger

    with ledger() as (settings, database):
        with database.write() as connection:
            runs.resume(connection, run)
        asking.ring_for(settings, database, run)
    typer.echo(f"run {run} goes on: `copydesk watch {run}` follows it")


def cancel(run: Number) -> None:
    """End a run: what is written stays, the rest is cancelled, and workers drop what they have in hand of it."""
    from copydesk.jobs import stopping
    from copydesk.store import runs
    from producer.opening import ledger, who

    with ledger() as (_, database):
        with database.read() as connection:
            runs.find(connection, run)
        cancelled = stopping.stop(database, run, f"cancelled by {who()}")
    typer.echo(f"run {run} has ended: {cancelled} drafts cancelled" if cancelled else f"run {run} had nothing left")


def redrive(
    run: Number,
    reason: Annotated[str | None, typer.Option(help="Only drafts with this reason code.")] = None,
    cancelled: Annotated[bool, typer.Option("--cancelled", help="Also what was cancelled.")] = False,
    max_tokens: MaxTokens = None,
    max_minutes: MaxMinutes = None,
) -> None:
    """Have failed drafts of a run written once more, as if they had never been tried."""
    from copydesk.model import Status
    from copydesk.store import drafts, runs
    from producer import asking
    from producer.opening import ledger

    with ledger() as (settings, database):
        with database.write() as connection:
            runs.find(connection, run)
            states = (Status.FAILED, Status.CANCELLED) if cancelled else (Status.FAILED,)
            again = drafts.take_up_again(connection, run, states, reason)
            if again:
                runs.reopen(connection, run, runs.Budget(max_tokens, max_minutes))
        if again:
            asking.ring_for(settings, database, run)
    typer.echo(f"run {run}: {again} drafts wait again" if again else f"run {run} has no such failed draft")
