"""The commands of `copydesk`, one module per trade; each has add_to(app)."""

from typing import Annotated

import typer

Shop = Annotated[str, typer.Option("--shop", help="The shop's name.")]
Urgent = Annotated[bool, typer.Option("--urgent", help="Somebody waits for it: it goes before the catalog's runs.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
MaxTokens = Annotated[
    int | None, typer.Option(min=1, help="Stop the run at so many tokens, in and out together; what is done is kept.")
]
MaxMinutes = Annotated[
    int | None, typer.Option(min=1, help="Stop the run so many minutes after it began; what is done is kept.")
]
