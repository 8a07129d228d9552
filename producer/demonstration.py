"""`copydesk demo`: the main job from end to end on embedded parts, with a database and a broker of its own."""

import json
import os
from datetime import UTC, datetime
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

import typer

from copydesk import settings as copydesk_settings
from copydesk.engine import choosing, models
from copydesk.errors import ModelError
from copydesk.jobs import copywriting, publishing
from copydesk.settings import Settings
from copydesk.store import Database, drafts, products, runs
from copydesk.store.runs import OUTCOMES
from producer import asking, catalog, htmlreport, importing, watching
from producer.services import Services, exit_on_sigterm, free_port, labelled

SHOP = "fernhill"
CATALOG = "catalog-shopify.csv"
LEADER = "demo"  # decisions of the demo are recorded under this name
START_SECONDS = 120.0


def run(settings: Settings) -> int:
    """Run the demo in `<data_dir>/demo`; returns the exit status. Run again, it finds nothing changed."""
    exit_on_sigterm()
    folder = settings.data_dir / "demo"
    folder.mkdir(parents=True, exist_ok=True)
    own = {
        "DATA_DIR": folder,
        "MODELS_DIR": settings.models,
        "DATABASE_URL": f"sqlite:///{folder / 'copydesk.db'}",
        "BROKER_URL": f"redis://127.0.0.1:{free_port()}/0",
        "FLOWER_PORT": free_port(),
    }
    # By the environment, as any deployment would: the services are child processes, and inherit it.
    os.environ.update({f"COPYDESK_{name}": str(value) for name, value in own.items()})
    copydesk_settings.load.cache_clear()
    settings = copydesk_settings.load()
    database = Database(settings.database)
    database.migrate()
    try:
        return _walk(settings, database, folder)
    finally:
        database.close()


def _walk(settings: Settings, database: Database, folder: Path) -> int:
    _say("1. the shop's catalog goes in")
    with as_file(files("producer") / "examples" / CATALOG) as file:
        taken = importing.take_in(database, SHOP, file, "auto", folder / "import-report.csv")
    done = taken.imported
    _say(f"   {done.new} new, {done.changed} changed, {done.unchanged} unchanged; {taken.warnings} warnings")
    _say("2. a run is planned: what changed since the last one")
    planned = copywriting.plan(database, settings, SHOP, asking.new_key())
    _say(f"   run {planned.run}: {planned.queued} queued; left out: {dict(planned.skipped) or 'none'}")
    with database.read() as connection:
        left = runs.running(connection)  # of this run, or of one that was interrupted
    if left:
        _write(settings, database, left, folder)
    run = left[-1] if left else planned.run
    report = folder / "report.html"
    if left:
        htmlreport.write(database, run, report)
    _say("4. ready drafts are approved (the demo plays the merchandiser) and published; the export is written")
    exported = _publish(database, run, folder / "export-shopify.csv")
    _say(f"   {exported.written} texts in {folder / 'export-shopify.csv'}")
    summary = _summary(settings, database, run)
    (folder / "summary.json").write_text(json.dumps(summary, indent=2) + "\n", "utf-8")
    _say(f"5. {folder / 'summary.json'}: {json.dumps(summary)}")
    _say(f"6. what came of it, on one page: {report}")
    _say(f"   look closer: COPYDESK_DATABASE_URL={settings.database} copydesk drafts list --state held")
    return 1 if summary["failed"] else 0


def _write(settings: Settings, database: Database, left: list[int], folder: Path) -> None:
    """Start the services, ring, and watch each run to its end."""
    from tasks import bells, flower

    _have_model(settings)
    log = folder / "services.log"
    with log.open("w", encoding="utf-8") as stream, Services(settings, labelled(stream)) as services:
        services.start_broker()
        services.start_flower()
        services.start_beat()
        services.start_worker()
        _say(f"3. broker, worker, beat and Flower run (their output: {log})")
        _say(
            f"   Flower shows each chunk: http://127.0.0.1:{settings.flower_port} (login {flower.login_hint(settings)})"
        )
        asking.wait_for_worker(services, START_SECONDS)
        bells.ring(database, settings.max_chunks_in_broker)
        for run in left:
            watching.watch(database, run)


def _have_model(settings: Settings) -> None:
    if settings.engine == "scripted":
        return
    try:
        models.resolve(settings.model, settings.models)
    except ModelError:
        _say(f"   pulling the model {settings.model} (once)")
        models.pull(settings.model, settings.models)


def _publish(database: Database, run: int, file: Path) -> catalog.ExportReport:
    with database.write() as connection:
        shop_id = products.find_shop(connection, SHOP)
        drafts.approve_all(connection, run, by=LEADER)
    publishing.publish(database, shop_id, by=LEADER)
    with database.read() as connection:
        return catalog.write(products.written_texts(connection, shop_id), file, "shopify")


def _summary(settings: Settings, database: Database, run: int) -> dict[str, Any]:
    ended = watching.find(database, run)
    seconds = ended.seconds(datetime.now(UTC))
    with database.read() as connection:
        model_calls = sum(draft.asks for draft in drafts.listed(connection, run=run))
    return {
        "queued": ended.queued,
        **{name: ended.outcomes.get(name, 0) for name in OUTCOMES},
        "items_per_s": round(ended.settled / seconds, 2) if seconds else 0.0,
        "tokens_per_s": round(ended.completion_tokens / seconds, 1) if seconds else 0.0,
        "model_calls": model_calls,
        "model": settings.model,
        "engine": choosing.choices(settings)[0].backend,
        "broker": "embedded Valkey",
        "database": "SQLite",
    }


def _say(line: str) -> None:
    typer.echo(line)
