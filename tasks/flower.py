"""Flower's settings: authentication on, bound to loopback, times that fit chunks. flowerconfig.py reads them."""

import os
import secrets
from pathlib import Path
from typing import Any

from copydesk.settings import Settings

RUNTIME_BUCKETS_SECONDS = [1.0, 5.0, 15.0, 30.0, 60.0, 120.0, 300.0]
"""Flower's own buckets stop at 10 s; a chunk takes longer."""


def options(settings: Settings) -> dict[str, Any]:
    """Flower's options by name. A FLOWER_* variable wins, and so does the command line."""
    ours = {
        "address": "127.0.0.1",
        "port": settings.flower_port,
        "inspect_timeout": 5000.0,  # milliseconds; a busy worker does not answer within the default second
        "task_runtime_metric_buckets": RUNTIME_BUCKETS_SECONDS,
        "tasks_columns": "name,uuid,state,kwargs,result,received,started,runtime,worker",
    }
    ours = {name: value for name, value in ours.items() if f"FLOWER_{name.upper()}" not in os.environ}
    if not os.environ.get("FLOWER_AUTH"):  # a pattern of e-mails; then Flower's OAuth asks
        # Also where FLOWER_BASIC_AUTH is set to nothing: Flower would take an empty login for a login.
        ours["basic_auth"] = [part for part in login(settings).split(",") if part.strip()]
    return ours


def login(settings: Settings) -> str:
    """The user:password that Flower asks for."""
    return os.environ.get("FLOWER_BASIC_AUTH", "").strip(" ,") or made_up_login(settings)


def login_hint(settings: Settings) -> str:
    """What to print: a login that a person chose is not."""
    return "of FLOWER_BASIC_AUTH" if os.environ.get("FLOWER_BASIC_AUTH", "").strip(" ,") else made_up_login(settings)


def made_up_login(settings: Settings) -> str:
    """A login made up once and kept, readable by its owner only, in `data_dir`."""
    file: Path = settings.data_dir / "flower-login"
    file.parent.mkdir(parents=True, exist_ok=True)
    try:
        handle = os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    except FileExistsError:
        return file.read_text("utf-8").strip()
    made = f"copydesk:{secrets.token_urlsafe(12)}"
    with os.fdopen(handle, "w", encoding="utf-8") as stream:
        stream.write(made)
    return made
