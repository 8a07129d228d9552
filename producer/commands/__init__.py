"""The commands of `copydesk`, one module per trade; each has add_to(app)."""

from typing import Annotated

import typer

Shop = Annotated[str, typer.Option("--shop", help="The shop's name.")]
Urgent = Annotated[bool, typer.Option("--urgent", help="Somebody waits for it: it goes before the catalog's runs.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
