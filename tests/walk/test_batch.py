"""A batch file through everything, by the command that a person types: answered in order, resumed after any kill."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from services.conftest import OpenDesk
from services.desks import BIN, Desk, until

from copydesk.settings import Settings

MODEL = Settings().model
SHORT = {"lease_seconds": 2, "sweep_seconds": 1, "visibility_timeout_seconds": 2, "chunk_size": 3}


def line(custom_id: str, words: str = "Write about the oak stool.", **body: Any) -> str:
    messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": words}]
    whole = {"model": MODEL, "messages": messages, "max_tokens": 60, **body}
    return json.dumps({"custom_id": custom_id, "method": "POST", "url": "/v1/chat/completions", "body": whole})


def batch_file(desk: Desk, *lines: str) -> Path:
    file = desk.folder / "in.jsonl"
    file.write_bytes(b"\xef\xbb\xbf" + "\r\n".join(lines).encode())
    return file


def answers(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text("utf-8").splitlines()]


def settled(desk: Desk) -> dict[int, tuple[object, ...]]:
    rows = desk.query("SELECT id, choices, settled_at, attempt, asks FROM drafts WHERE outcome IS NOT NULL")
    return {row[0]: (json.dumps(row[1]), *row[2:]) for row in rows}


def test_a_file_is_answered_line_by_line_in_its_order_and_asked_once(open_desk: OpenDesk) -> None:
    desk = open_desk(chunk_size=2)
    desk.start_broker()
    desk.start_worker()
    file, out = (
        batch_file(
            desk,
            line("one"),
            "no JSON",
            line("three", n=3, temperature=0.9),
            "",
            line("five", "[[scripted:fail]]"),
            line("six", "[[scripted:cut]]"),
            line("one"),
            line("eight", stream=True),
            line("nine", model="gpt-4o"),
            line("ten", "请介绍一下这把椅子。"),
        ),
        desk.folder / "out.jsonl",
    )

    told = desk.json("batch", file, out, status=1)

    assert told == {
        "run": 1, "created": True, "state": "finished", "lane": "catalog", "answered": 4, "failed": 5, "out": str(out),
    }  # fmt: skip
    found = answers(out)
    assert [one["custom_id"] for one in found] == [
        "one", None, "three", "five", "six", "one", "eight", "nine", "ten",
    ]  # fmt: skip
    assert [one["error"] and one["error"]["code"] for one in found] == [
        None, "invalid_request", None, "engine_failed", None, "invalid_request", "invalid_request", "model_not_found",
        None,
    ]  # fmt: skip
    assert found[1]["error"]["message"].startswith("line 2: ")
    assert "line 1 already" in found[5]["error"]["message"]
    assert "stream is not supported" in found[6]["error"]["message"]
    body = found[2]["response"]["body"]
    assert [choice["index"] for choice in body["choices"]] == [0, 1, 2]
    assert (body["object"], body["model"]) == ("chat.completion", "scripted")
    assert body["usage"]["total_tokens"] == body["usage"]["prompt_tokens"] + body["usage"]["completion_tokens"] > 0
    assert found[4]["response"]["body"]["choices"][0]["finish_reason"] == "length"
    assert re.match(r"[\u3400-\u9fff].*。$", found[8]["response"]["body"]["choices"][0]["message"]["content"])

    before, once = out.read_bytes(), settled(desk)
    out.unlink()
    again = desk.copydesk("batch", file, out, status=1)
    assert again.stdout == f"run 1: 4 answered, 5 failed: {out}\n"
    assert out.read_bytes() == before, "byte for byte"
    assert settled(desk) == once, "and nothing was asked again"
    assert desk.json("drafts", "list") == []
    assert desk.json("status", 1)["detail"]["telemetry"]["completions"] >= 7
    assert [run["kind"] for run in desk.json("status")] == ["batch"]


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_producer_and_worker_killed_in_the_middle_and_every_request_is_answered_once(
    database: str, open_desk: OpenDesk, request: pytest.FixtureRequest
) -> None:
    url = request.getfixturevalue("postgresql_url") if database == "postgresql" else ""
    desk = open_desk(url, **{**SHORT, "chunks_in_flight": 1})
    desk.start_broker()
    desk.start_beat()
    worker = desk.start_worker()
    ids = [f"request-{number}" for number in range(12)]
    file, out = batch_file(desk, *[line(one, f"[[scripted:slow]] {one}") for one in ids]), desk.folder / "out.jsonl"
    command = (str(BIN / "copydesk"), "batch", str(file), str(out))
    producer = desk.start("producer", *command)

    until("some requests are answered and others are in hand", lambda: {"ready", "writing"} <= set(desk.states(1)))
    producer.kill()
    worker.kill()
    before = settled(desk)
    assert 1 <= len(before) < len(ids)
    assert not out.exists(), "a part of the answers is no answer"

    desk.start_worker()
    again = desk.json("batch", file, out)

    assert (again["run"], again["created"], again["answered"], again["failed"]) == (1, False, len(ids), 0)
    assert [one["custom_id"] for one in answers(out)] == ids
    after = settled(desk)
    assert {draft: after[draft] for draft in before} == before, "what was answered is not asked again"
    assert desk.value("SELECT count(*) FROM drafts") == len(ids)
    assert desk.value("SELECT count(*) FROM runs") == 1
    assert list(desk.folder.glob(".out.jsonl*")) == []


def test_a_file_is_enqueued_now_and_fetched_later(open_desk: OpenDesk) -> None:
    desk = open_desk()
    desk.start_broker()
    file, out = batch_file(desk, line("one")), desk.folder / "out.jsonl"
    asked = desk.copydesk("batch", file, out, "--no-wait")
    assert f"run 1: 0/1 done; the same command again writes {out}" in asked.stdout
    assert "no worker listens" in asked.stderr
    assert desk.broker().llen("catalog") == 1
    assert not out.exists()

    desk.start_worker()
    until("it is answered", lambda: desk.finished(1))
    assert desk.json("batch", file, out, "--no-wait")["answered"] == 1
    assert len(answers(out)) == 1


def test_what_is_urgent_is_rung_on_the_queue_of_replies(open_desk: OpenDesk) -> None:
    desk = open_desk(max_chunks_in_broker=1, chunk_size=1)
    desk.start_broker()
    desk.import_products(["stool-1", "stool-2"])
    desk.copydesk("describe", "--shop", "acme", "--sku", "stool-1")
    desk.copydesk("describe", "--shop", "acme", "--sku", "stool-2", "--urgent")
    file, out = batch_file(desk, line("one"), line("two")), desk.folder / "out.jsonl"
    told = desk.json("batch", file, out, "--no-wait", "--urgent")

    assert told["lane"] == "replies"
    assert (desk.broker().llen("catalog"), desk.broker().llen("replies")) == (1, 3), "the catalog's bound is its own"
    assert "answers, 4 chunks queued" in desk.copydesk("doctor", status=None).stdout
    desk.start_worker()
    until("all are done", lambda: all(map(desk.finished, (1, 2, 3))))


@pytest.mark.parametrize("lines", [[], ["no JSON"]], ids=["empty", "nothing usable"])
def test_a_file_without_a_usable_line_is_answered_without_any_worker(open_desk: OpenDesk, lines: list[str]) -> None:
    desk = open_desk()
    file, out = batch_file(desk, *lines), desk.folder / "out.jsonl"
    told = desk.json("batch", file, out, status=len(lines))
    assert (told["answered"], told["failed"]) == (0, len(lines))
    assert len(answers(out)) == len(lines)


def test_paths_that_cannot_be_are_refused_before_anything_is_asked(open_desk: OpenDesk) -> None:
    desk = open_desk()
    file = batch_file(desk, line("one"))
    for source, target in (
        (desk.folder / "absent.jsonl", desk.folder / "out.jsonl"),
        (desk.folder, desk.folder / "out.jsonl"),
        (file, file),
        (file, desk.folder),
        (file, desk.folder / "no" / "such" / "folder" / "out.jsonl"),
    ):
        assert "name " in desk.copydesk("batch", source, target, status=2).stderr
    assert desk.query("SELECT * FROM runs") == []
