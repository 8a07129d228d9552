"""`copydesk serve`: reviews by HTTP."""

import typer


def add_to(app: typer.Typer) -> None:
    app.command()(serve)


def serve() -> None:
    """Take in reviews by HTTP until Ctrl-C; who may is in COPYDESK_API_KEYS (shop:key,shop2:key2)."""
    from copydesk.errors import ConfigurationError
    from producer.opening import ledger

    try:
        from producer import serving
    except ModuleNotFoundError as error:
        if error.name not in ("starlette", "uvicorn"):
            raise
        raise ConfigurationError("the HTTP endpoint is not installed: run pip install '.[serve]'") from error
    with ledger() as (settings, database):
        serving.run(settings, database)
