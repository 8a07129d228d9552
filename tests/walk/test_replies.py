"""Reviews in, replies out, by the commands that a person types: once each, whatever dies, and nothing personal left."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from services.conftest import OpenDesk
from services.desks import BIN, Desk, until

SHORT = {"lease_seconds": 2, "sweep_seconds": 1, "visibility_timeout_seconds": 2, "chunk_size": 3}
LISTED = {
    "id", "review_id", "shop", "sku", "rating", "language", "route", "sentiment", "state", "text", "reasons",
    "model_called",
}  # fmt: skip
GOOD = "The stool is lovely and sturdy, and it came quickly."
GLASS = "The glass broke in my hand and I had to go to hospital with a deep cut."


def line(key: str, text: str = GOOD, **changes: object) -> dict[str, Any]:
    return {
        "review_id": key, "sku": "stool", "rating": 5, "title": "", "text": text,
        "reviewer_name": "Dana Quillfeather", "reviewer_email": "dana@quill.example", **changes,
    }  # fmt: skip


def reviews_file(desk: Desk, *lines: dict[str, Any]) -> Path:
    file = desk.folder / "reviews.jsonl"
    file.write_text("".join(json.dumps(one, ensure_ascii=False) + "\n" for one in lines), "utf-8")
    return file


def take_in(desk: Desk, *lines: dict[str, Any]) -> dict[str, Any]:
    taken: dict[str, Any] = desk.json("import", "reviews", reviews_file(desk, *lines), "--shop", "acme")
    return taken


def replies(desk: Desk, *options: str) -> dict[str, dict[str, Any]]:
    found = {one["review_id"]: one for one in desk.json("replies", "list", "--shop", "acme", *options)}
    assert {frozenset(one) for one in found.values()} <= {frozenset(LISTED)}
    return found


def exported(file: Path) -> list[str]:
    return sorted(json.loads(one)["review_id"] for one in file.read_text("utf-8").splitlines())


def running_desk(open_desk: OpenDesk, url: str = "", **settings: object) -> Desk:
    desk = open_desk(url, **{**SHORT, **settings})
    desk.start_broker()
    desk.start_beat()
    desk.import_products(["stool"])
    return desk


def test_reviews_walk_from_their_file_to_an_export_of_approved_replies(open_desk: OpenDesk) -> None:
    desk = running_desk(open_desk)
    worker = desk.start_worker()
    lines = [
        line("good"), line("better", "Really lovely stool, I sit on it every day and love it."),
        line("glass", GLASS, rating=1), line("empty", "👍"),
    ]  # fmt: skip
    assert take_in(desk, *lines)["new"] == 4

    planned = desk.json("reply", "--shop", "acme", "--wait")

    assert planned["queued"] == 4 == sum(planned[name] for name in ("ready", "held", "failed", "stale", "ignored"))
    found = replies(desk)
    assert set(found) == {"good", "better", "glass", "empty"}, "every review has one outcome"
    assert {found[key]["state"] for key in ("good", "better")} == {"ready"}, found
    assert all(found[key]["model_called"] and found[key]["text"] for key in ("good", "better"))
    assert (found["glass"]["state"], found["glass"]["route"], found["glass"]["model_called"]) == (
        "held", "safety", False,
    )  # fmt: skip
    assert found["glass"]["reasons"], "it says why"
    assert (found["empty"]["state"], found["empty"]["model_called"]) == ("ignored", False)
    assert desk.json("reply", "--shop", "acme")["skipped"] == {"has a reply": 4}
    assert desk.json("drafts", "list") == [], "a reply is no description"

    held = found["glass"]["id"]
    assert "has no text to approve" in desk.copydesk("replies", "approve", held, status=2).stderr
    desk.copydesk("replies", "edit", held, "--text", "We are very sorry, and will call you today.")
    assert desk.copydesk("replies", "approve", "--shop", "acme").stdout == "2 approved\n"
    out = desk.folder / "replies.jsonl"
    export = ("replies", "export", str(out), "--shop", "acme", "--format", "jsonl")
    assert desk.json(*export)["written"] == 3
    assert exported(out) == ["better", "glass", "good"]
    assert desk.json(*export)["written"] == 0, "each is written once"
    assert desk.json(*export, "--again")["written"] == 3
    number = found["good"]["id"]
    desk.copydesk("replies", "mark", number, "pending")
    assert "published" in desk.copydesk("replies", "approve", number, status=2).stderr
    assert desk.json(*export, "--again")["written"] == 2, "a pending one is not submitted again"
    assert take_in(desk, *lines)["unchanged"] == 4
    assert desk.json("reply", "--shop", "acme")["queued"] == 0

    assert take_in(desk, line("good", "It broke after two days, the leg came off."))["changed"] == 1
    assert desk.json("reply", "--shop", "acme", "--wait")["queued"] == 1, "an edited review reopens"
    assert replies(desk)["good"]["id"] != number
    told = desk.json("digest", "--shop", "acme")
    assert told["reviews"] == 4
    assert "lovely" not in worker.output
    assert "Dana" not in worker.output


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_a_worker_killed_midway_and_the_file_again_make_one_reply_each(
    database: str, open_desk: OpenDesk, request: pytest.FixtureRequest
) -> None:
    url = request.getfixturevalue("postgresql_url") if database == "postgresql" else ""
    desk = running_desk(open_desk, url, chunks_in_flight=1, replies_in_flight=1)  # three chunks at a time
    worker = desk.start_worker()
    pace = ("", "[[scripted:slow]]", "[[scripted:slow]]")
    lines = [line(f"r{number}", f"{GOOD} Number {number} {pace[number % 3]}") for number in range(30)]
    take_in(desk, *lines)
    run = desk.json("reply", "--shop", "acme")["run"]

    until("some are answered and others are in hand", lambda: {"ready", "writing"} <= set(desk.states(run)))
    worker.kill()
    before = dict(desk.query("SELECT id, text FROM drafts WHERE state = 'ready'"))
    assert 1 <= len(before) < len(lines)
    desk.start_worker()
    assert take_in(desk, *lines)["unchanged"] == len(lines)
    assert desk.json("reply", "--shop", "acme")["queued"] == 0
    until("the run finishes", lambda: desk.finished(run), 60)

    assert Counter(one["state"] for one in replies(desk).values()) == {"ready": len(lines)}
    assert desk.value("SELECT count(*) FROM drafts") == len(lines)
    after = dict(desk.query("SELECT id, text FROM drafts"))
    assert {draft: after[draft] for draft in before} == before, "what was answered is not asked again"


def test_two_producers_and_bells_that_ring_again_make_one_reply_each(open_desk: OpenDesk) -> None:
    desk = running_desk(open_desk)
    desk.start_worker()
    lines = [line(f"r{number}", f"{GOOD} Number {number}.") for number in range(12)]
    file = reviews_file(desk, *lines)
    script = (
        f"'{BIN / 'copydesk'}' import reviews '{file}' --shop acme && '{BIN / 'copydesk'}' reply --shop acme --wait"
    )
    both = [desk.start(f"producer{number}", "sh", "-c", script) for number in range(2)]
    until("both have ended", lambda: not any(one.alive for one in both), 60)
    assert [one.process.returncode for one in both] == [0, 0], [one.output for one in both]
    for run, chunk in desk.query("SELECT run_id, number FROM chunks"):
        desk.send("copydesk.reply_chunk", "replies", 3, run=run, chunk=chunk, shop="acme")
    until("the bells are answered", lambda: not desk.broker().llen("replies") and not desk.broker().hlen("unacked"))

    assert desk.query("SELECT DISTINCT attempt, asks FROM drafts") == [(1, 1)]
    assert desk.value("SELECT count(*) FROM drafts") == len(lines)
    assert desk.value("SELECT count(*) FROM reviews") == len(lines)


def test_a_message_carries_ids_only_and_what_is_forgotten_is_in_no_table(open_desk: OpenDesk) -> None:
    desk = running_desk(open_desk)
    take_in(desk, line("good", f"{GOOD} Ask Dana Quillfeather."), line("other", reviewer_name="Ann Other"))
    planned = desk.copydesk("reply", "--shop", "acme")
    assert "no worker listens" in planned.stderr
    (message,) = desk.broker().lrange("replies", 0, -1)
    assert "stool" not in message
    assert "Quillfeather" not in message
    worker = desk.start_worker()
    until("they are answered", lambda: desk.finished(1))

    assert "add --yes" in desk.copydesk("forget", "--reviewer", "Dana Quillfeather", status=2).stderr
    told = desk.json("forget", "--reviewer", "dana@quill.example", "--shop", "acme", "--yes")
    assert told == {"reviews": 2, "replies": 2}, "both were brought by this address"
    tables = [name for (name,) in desk.query("SELECT name FROM sqlite_master WHERE type = 'table'")]
    held = str([desk.query(f"SELECT * FROM {name}") for name in tables])  # noqa: S608
    assert "lovely" not in held
    assert "Quillfeather" not in held
    assert "quill.example" not in held
    assert "Quillfeather" not in worker.output
    assert desk.json("reply", "--shop", "acme")["skipped"] == {"forgotten": 2}


def test_a_labelled_file_is_measured_language_by_language(open_desk: OpenDesk) -> None:
    desk = open_desk()
    file = desk.folder / "labelled.jsonl"
    texts = [
        ("I love it, it is great.", "positive"),
        ("Terrible, it broke at once.", "negative"),
        ("很好，很喜欢。", "positive"),
    ]
    file.write_text("".join(json.dumps({"text": text, "label": label}) + "\n" for text, label in texts))
    told = desk.json("sentiment", "--evaluate", file)
    assert {language: found["texts"] for language, found in told["languages"].items()} == {"en": 2, "zh": 1}
    assert told["languages"]["en"]["accuracy"] == 1.0


def test_a_sentiment_without_a_classifier_and_wrong_weeks_say_what_to_do(open_desk: OpenDesk) -> None:
    desk = open_desk()
    desk.import_products(["stool"])
    assert "COPYDESK_SENTIMENT__MODEL" in desk.copydesk("sentiment", "--shop", "acme", status=2).stderr
    assert "write one as 2026-W47" in desk.copydesk("digest", "--shop", "acme", "--week", "47", status=2).stderr
    page = desk.folder / "week.html"
    desk.copydesk("digest", "--shop", "acme", "--week", "2026-W47", "--html", page)
    assert "2026-W47" in page.read_text("utf-8")
    assert "Reviews of acme" in desk.copydesk("digest", "--shop", "acme").stdout
    assert "Usage: " in desk.copydesk("replies", "approve", status=2).stderr
