"""What a producer loads: it asks for work, so it needs no model, no worker and, until a command runs, no database."""

import json
import os
import signal
import subprocess
import sys

import pytest

HEAVY = ("torch", "transformers", "celery.worker", "celery", "kombu", "sqlalchemy", "alembic", "flower", "pydantic")
LOADED = "import json, sys, {module}; print(json.dumps(sorted(sys.modules)))"


def loaded_by(module: str) -> set[str]:
    code = LOADED.format(module=module)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=30)
    return set(json.loads(done.stdout))


@pytest.fixture(scope="module")
def of_the_cli() -> set[str]:
    return loaded_by("producer.cli")


@pytest.mark.parametrize("heavy", HEAVY)
def test_the_command_line_loads_nothing_heavy(heavy: str, of_the_cli: set[str]) -> None:
    assert {name for name in of_the_cli if name == heavy or name.startswith(f"{heavy}.")} == set()


def test_asking_for_work_loads_no_model_and_no_flower() -> None:
    loaded = loaded_by("producer.cli, producer.asking, producer.demonstration, producer.together, tasks.bells")
    for heavy in ("torch", "transformers", "flower"):
        assert heavy not in loaded


def test_a_terminal_of_another_encoding_shows_what_it_can() -> None:
    code = "from producer import cli; cli.app = lambda: cli.typer.echo('杯子…'); cli.main()"
    environment = {**os.environ, "PYTHONIOENCODING": "latin-1"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, timeout=30, env=environment)
    assert rb"\u676f\u5b50\u2026" in done.stdout


def test_printing_a_table_loads_no_guards() -> None:
    assert not {name for name in loaded_by("producer.report") if name.startswith("copydesk.guards")}


def test_neither_what_commands_print_nor_a_worker_at_its_start_loads_the_word_lists_of_triage() -> None:
    assert "copydesk.triage" not in loaded_by("producer.report, tasks.desk")


def test_a_sigterm_whose_exit_python_drops_ends_the_process_all_the_same() -> None:
    script = """
import os, signal, time, weakref
from producer.services import exit_on_sigterm
exit_on_sigterm()
thing = type("Thing", (), {})()
weak = weakref.ref(thing, lambda _: os.kill(os.getpid(), signal.SIGTERM))
del thing
time.sleep(30)
"""
    ended = subprocess.run([sys.executable, "-c", script], check=False, capture_output=True, text=True, timeout=25)
    assert ended.returncode == 128 + signal.SIGTERM
    assert "Exception ignored" in ended.stderr  # as it was meant to be
