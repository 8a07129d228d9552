"""A batch file and its run: found again by its content, read to the end or not at all, written whole."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from copydesk.errors import InputError
from copydesk.model import Lane
from copydesk.settings import Sampling, Settings
from copydesk.store import Database, runs
from producer import batchfile, batching
from producer.batching import Written


def line(custom_id: str) -> str:
    body = {"messages": [{"role": "user", "content": "Hello"}]}
    return json.dumps({"custom_id": custom_id, "method": "POST", "url": "/v1/chat/completions", "body": body})


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "in.jsonl"
    path.write_text(f"{line('a')}\n{line('b')}\n", "utf-8")
    return path


def plan(database: Database, file: Path, **settings: object) -> runs.Planned:
    return batching.plan(database, Settings(**settings), file, Lane.CATALOG)


def test_one_content_is_one_run_whatever_the_file_is_called(sqlite_database: Database, file: Path) -> None:
    first = plan(sqlite_database, file)
    again = plan(sqlite_database, file.rename(file.with_name("other.jsonl")))

    assert (first.created, first.queued) == (True, 2)
    assert (again.run, again.created, again.queued) == (first.run, False, 2)


@pytest.mark.parametrize("changes", [{"model": "another"}, {"sampling": Sampling(temperature=0.1)}], ids=str)
def test_other_settings_ask_anew(sqlite_database: Database, file: Path, changes: dict[str, Any]) -> None:
    """Or a file that was refused line by line for its model would stay refused."""
    assert plan(sqlite_database, file).run != plan(sqlite_database, file, **changes).run


def test_another_content_is_another_run(sqlite_database: Database, file: Path) -> None:
    first = plan(sqlite_database, file)
    file.write_text(line("a"), "utf-8")
    assert plan(sqlite_database, file).run != first.run


def test_a_file_that_changes_while_it_is_read_leaves_nothing(
    sqlite_database: Database, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real: Callable[..., Any] = batchfile.read

    def read(*arguments: Any) -> Any:
        with file.open("a", encoding="utf-8") as stream:
            stream.write(line("late"))
        return real(*arguments)

    monkeypatch.setattr(batchfile, "read", read)
    with pytest.raises(InputError, match="changed while it was read"):
        plan(sqlite_database, file)
    with sqlite_database.read() as connection:
        assert runs.latest(connection) == []


def test_answers_that_cannot_be_written_leave_the_file_that_was_there(
    sqlite_database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, out = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    file.write_text("no JSON\n" * 3, "utf-8")
    run = plan(sqlite_database, file).run
    out.write_text("what was there", "utf-8")

    def full(*_: object) -> str:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(batchfile, "line", full)
        with pytest.raises(InputError, match=r"No space left.*run the same command again"):
            batching.write(sqlite_database, run, out)
    assert out.read_text("utf-8") == "what was there"
    assert sorted(path.name for path in tmp_path.glob("*out*")) == ["out.jsonl"]

    assert batching.write(sqlite_database, run, out) == Written(answered=0, failed=3)
    assert len(out.read_text("utf-8").splitlines()) == 3
