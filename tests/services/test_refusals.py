"""What is set wrongly is refused at the start: an exit status, one clear line, a remedy, no traceback."""

from pathlib import Path
from typing import Any

import pytest

from services.desks import BIN, desk_in

NIGHTLY = {"nightly__cron": "every night"}
ZONE = {"nightly__timezone": "Mars/Olympus"}


@pytest.mark.parametrize(
    ("settings", "remedy"),
    [
        pytest.param({"engine": "transformers"}, "run `copydesk model pull smollm2-135m-instruct`", id="not pulled"),
        pytest.param(
            {"engine": "transformers", "model": "/no/such/folder"},
            "the path of an existing .gguf file or checkpoint folder",
            id="no such folder",
        ),
        pytest.param(
            {"database_url": "mysql://somewhere/else"}, "use sqlite or postgresql+psycopg", id="database kind"
        ),
        pytest.param({"database_url": "copydesk.db"}, "write sqlite:///var/copydesk.db", id="database url"),
        pytest.param({"lease_seconds": "soon"}, "lease_seconds", id="bad value"),
        pytest.param(NIGHTLY, "write five fields as cron does", id="bad cron"),
        pytest.param(ZONE, "write one such as Europe/Berlin", id="bad zone"),
    ],
)
def test_a_worker_that_is_set_wrongly_does_not_start_and_says_what_to_do(
    settings: dict[str, Any], remedy: str, tmp_path: Path
) -> None:
    with desk_in(tmp_path / "desk", **settings) as desk:
        if "engine" in settings:
            desk.migrate()
        worker = desk.start_worker(ready=False)
        status = worker.process.wait(30)
        assert status not in (0, -9), worker.output
        assert remedy in worker.output, worker.output
        assert "Traceback" not in worker.output, worker.output


def test_a_folder_that_holds_no_model_is_refused_with_a_remedy(tmp_path: Path) -> None:
    empty = tmp_path / "not-a-model"
    empty.mkdir()
    with desk_in(tmp_path / "desk", engine="transformers", model=str(empty)) as desk:
        desk.migrate()
        worker = desk.start_worker(ready=False)
        assert worker.process.wait(60) not in (0, -9), worker.output
        assert "copydesk worker: " in worker.output, worker.output
        assert str(empty) in worker.output
        assert "Traceback" not in worker.output


@pytest.mark.parametrize(
    ("command", "what"),
    [
        (("celery", "-A", "workers.main", "worker"), "worker"),
        (("celery", "-A", "tasks.app", "beat"), "beat"),
        (("copydesk", "status"), "producer"),
    ],
    ids=["worker", "beat", "producer"],
)
def test_an_unknown_setting_is_refused_by_every_process(command: tuple[str, ...], what: str, tmp_path: Path) -> None:
    with desk_in(tmp_path / "desk") as desk:
        (desk.folder / "copydesk.toml").write_text("leese_seconds = 5\n", "utf-8")
        child = desk.start(what, str(BIN / command[0]), *command[1:])
        status = child.process.wait(30)
        assert status == 2 if what == "producer" else status not in (0, -9), child.output
        assert "leese_seconds" in child.output, child.output
        assert "Traceback" not in child.output, child.output


@pytest.mark.parametrize(
    ("settings", "remedy"),
    [
        ({"database_url": "mysql://somewhere/else"}, "use sqlite or postgresql+psycopg"),
        ({"lease_seconds": "soon"}, "lease_seconds"),
        ({"config": "/no/such/copydesk.toml"}, "create it or unset the variable"),
    ],
    ids=["database", "value", "config file"],
)
def test_the_producer_refuses_wrong_settings_with_status_2(
    settings: dict[str, Any], remedy: str, tmp_path: Path
) -> None:
    with desk_in(tmp_path / "desk", **settings) as desk:
        assert remedy in desk.copydesk("status", status=2).stderr


def test_a_database_without_tables_is_a_failure_that_names_migrate(tmp_path: Path) -> None:
    with desk_in(tmp_path / "desk") as desk:
        done = desk.copydesk("describe", "--shop", "acme", status=1)
        assert "run `copydesk migrate`" in done.stderr
        assert len(done.stderr.strip().splitlines()) == 1


def test_a_postgresql_that_is_away_is_one_line_without_its_password(tmp_path: Path) -> None:
    url = "postgresql+psycopg://copydesk:hush-hush@127.0.0.1:1/copydesk"
    with desk_in(tmp_path / "desk", url) as desk:
        done = desk.copydesk("status", status=1)
        assert "does not answer" in done.stderr
        assert "hush-hush" not in done.stdout + done.stderr
        assert len(done.stderr.strip().splitlines()) == 1
