"""What the commands print, for people and as JSON."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from copydesk.jobs import evaluation
from copydesk.model import Facts, Opinion, Platform, Polarity, Reason, Route, Status, Telemetry
from copydesk.store.drafts import Draft
from copydesk.store.products import Imported
from copydesk.store.replies import Delivery, Reply
from copydesk.store.reviews import Forgotten
from copydesk.store.runs import Detail, Planned, Run
from producer import report, watching
from producer.catalog import ExportReport
from producer.checkup import Check
from producer.importing import Taken
from producer.measuring import Measured

START = datetime(2026, 3, 10, 2, 0, tzinfo=UTC)
RUN = Run(
    id=7, shop="acme", kind="description", lane="catalog", run_key="nightly 2026-03-10 02:00", state="running",
    queued=50, recipe={"model": "tiny"}, counts={"ready": 28, "held": 3, "pending": 19},
    outcomes={"ready": 28, "held": 3}, prompt_tokens=900, completion_tokens=600, created_at=START, started_at=START,
    finished_at=None,
)  # fmt: skip
TELEMETRY = Telemetry(
    completions=64, completion_tokens=1700, queue_seconds=25.6, wall_seconds=20.0, busy_seconds=10.0,
    sequence_seconds=410.0, width=48,
)  # fmt: skip
ENDED = replace(RUN, state="finished", outcomes={"ready": 46, "held": 4}, finished_at=START + timedelta(seconds=20))
DRAFT = Draft(
    id=3, run=7, shop="acme", sku="stool", kind="description", language="en", state=Status.HELD,
    text="A stool [bold]of oak[/bold].",
    reasons=(Reason("facts.numbers", "says 3 kg", "3 kg"),), attempt=1, model="tiny",
    prompt="description/en@1", asks=4, facts=Facts("Stool", attributes=(("Material", "oak"),)), model_text=None,
    decided_by=None, sampling={},
)  # fmt: skip
REPLY = Reply(
    id=9, run=8, shop="acme", platform=Platform.GOOGLE, review_id="g-1", version=2, sku="stool", rating=2,
    language="en", route=Route.ORDINARY, sentiment=Polarity.NEGATIVE, confidence=0.914,
    opinions=(Opinion("quality", Polarity.NEGATIVE, "The leg is loose."),), title="Hm", review="The leg is loose.",
    state=Status.PUBLISHED, text="We are [bold]sorry[/bold].", reasons=(), attempt=1, asks=2, model="tiny",
    prompt="reply/en@1", model_text=None, decided_by="ann", decided_at=START, delivery=Delivery.PENDING, error="",
    source={"reviewer": "Dana"},
)  # fmt: skip
REPLIES_LISTED = [
    "id", "review_id", "shop", "sku", "rating", "language", "route", "sentiment", "state", "text", "reasons",
    "model_called",
]  # fmt: skip
LISTED = [
    "id", "run", "shop", "sku", "kind", "language", "state", "text", "reasons", "attempt", "model", "prompt",
    "first_approved_by",
]  # fmt: skip


@pytest.fixture(autouse=True)
def wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "160")


def test_a_line_about_a_run_that_ended_has_rate_and_every_count() -> None:
    assert watching.line(ENDED) == "50/50 · 2.5 items/s · finished · 46 ready, 4 held, 0 failed, 0 stale"


def test_a_line_about_a_run_under_way_says_how_long_it_still_takes() -> None:
    begun = replace(RUN, started_at=datetime.now(UTC) - timedelta(seconds=31))
    line = watching.line(begun)
    assert line.startswith("31/50 · 1.0 items/s · 0:00:")
    assert line.endswith(" left · 28 ready, 3 held, 0 failed, 0 stale")


def test_a_line_about_a_run_that_nobody_began_promises_nothing() -> None:
    waiting = replace(RUN, outcomes={}, started_at=None)
    assert watching.line(waiting) == "0/50 · 0.0 items/s · ? left · 0 ready, 0 held, 0 failed, 0 stale"


def test_a_run_without_drafts_divides_by_nothing() -> None:
    empty = replace(ENDED, queued=0, outcomes={}, started_at=None)
    assert watching.line(empty).startswith("0/0 · 0.0 items/s · finished")


def test_drafts_as_json_are_one_array_of_exactly_the_agreed_keys(capsys: pytest.CaptureFixture[str]) -> None:
    report.show_drafts([DRAFT, DRAFT], as_json=True)
    listed = json.loads(capsys.readouterr().out)
    assert [list(draft) for draft in listed] == [LISTED, LISTED]
    assert listed[0]["state"] == "held"
    assert listed[0]["reasons"] == [{"code": "facts.numbers", "message": "says 3 kg", "span": "3 kg", "warns": False}]
    report.show_drafts([], as_json=True)
    assert json.loads(capsys.readouterr().out) == []


def test_a_catalogs_own_brackets_are_shown_and_not_obeyed(capsys: pytest.CaptureFixture[str]) -> None:
    report.show_drafts([DRAFT], as_json=False)
    assert "A stool [bold]of oak[/bold]." in capsys.readouterr().out
    report.show_draft(DRAFT, "<p>old [/red]</p>", as_json=False)
    shown = capsys.readouterr().out
    assert "A stool [bold]of oak[/bold]." in shown
    assert "live text:\n<p>old [/red]</p>" in shown
    assert "facts.numbers: says 3 kg" in shown
    assert "Material: oak" in shown


def test_replies_as_json_are_one_array_of_exactly_the_agreed_keys(capsys: pytest.CaptureFixture[str]) -> None:
    held = replace(REPLY, state=Status.HELD, attempt=0, asks=0, reasons=(Reason("route.safety", "speaks of glass"),))
    report.show_replies([REPLY, held], as_json=True)
    listed = json.loads(capsys.readouterr().out)
    assert [list(reply) for reply in listed] == [REPLIES_LISTED, REPLIES_LISTED]
    assert [(reply["state"], reply["route"], reply["sentiment"], reply["model_called"]) for reply in listed] == [
        ("published", "ordinary", "negative", True), ("held", "ordinary", "negative", False),
    ]  # fmt: skip
    assert listed[1]["reasons"] == [{"code": "route.safety", "message": "speaks of glass", "span": "", "warns": False}]


def test_a_reply_is_shown_with_its_review_and_how_it_stands_and_without_the_raw_cells(
    capsys: pytest.CaptureFixture[str],
) -> None:
    report.show_replies([REPLY], as_json=False)
    assert "published (pending)" in capsys.readouterr().out
    report.show_reply(REPLY, as_json=False)
    shown = capsys.readouterr().out
    for words in (
        "reply 9 to g-1 (acme, google, run 8): published (pending)", "decided by ann", "We are [bold]sorry[/bold].",
        "review of stool, version 2, 2 stars, en, ordinary:", "The leg is loose.", "sentiment: negative (91%)",
        "quality, negative: The leg is loose.",
    ):  # fmt: skip
        assert words in shown
    report.show_reply(REPLY, as_json=True)
    shown = capsys.readouterr().out
    assert json.loads(shown)["model_called"] is True
    assert "Dana" not in shown


def test_what_was_forgotten_is_told_in_counts(capsys: pytest.CaptureFixture[str]) -> None:
    report.show_forgotten(Forgotten(2, 3), as_json=False)
    assert capsys.readouterr().out == "2 reviews and 3 replies forgotten\n"
    report.show_forgotten(Forgotten(2, 3), as_json=True)
    assert json.loads(capsys.readouterr().out) == {"reviews": 2, "replies": 3}


def test_a_measurement_has_a_line_and_a_confusion_for_each_language(capsys: pytest.CaptureFixture[str]) -> None:
    good, bad = Polarity.POSITIVE, Polarity.NEGATIVE
    found = evaluation.evaluate([(good, good)] * 3 + [(bad, good)])
    measured = Measured({"en": found}, [evaluation.Malformed(7, "no text")])
    report.show_measured(measured, as_json=False)
    shown = capsys.readouterr().out
    assert "en: 4 texts, accuracy 0.750" in shown
    assert "positive against negative 0.750 of 4" in shown
    assert "line 7 is left out: no text" in shown
    report.show_measured(measured, as_json=True)
    told = json.loads(capsys.readouterr().out)
    assert told["languages"]["en"]["confusion"]["negative"] == {"positive": 1, "neutral": 0, "negative": 0}
    assert told["malformed"] == [{"line": 7, "why": "no text"}]


def test_a_run_of_replies_says_how_many_were_ignored() -> None:
    run = replace(ENDED, kind="reply", outcomes={"ready": 44, "held": 4, "ignored": 2})
    assert watching.line(run).endswith("44 ready, 4 held, 0 failed, 0 stale, 2 ignored")


def test_chinese_is_printed_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    report.show_drafts([replace(DRAFT, text="保温杯")], as_json=True)
    assert "保温杯" in capsys.readouterr().out


def test_an_import_counts_what_it_took_and_names_its_report(capsys: pytest.CaptureFixture[str]) -> None:
    taken = Taken(
        imported=Imported(new=2, changed=1, unchanged=3, drafts_made_stale=1),
        errors=2,
        warnings=1,
        report=Path("r.csv"),
    )
    taken.problems.update({"sku.duplicate": 2, "html.unsafe": 1})
    report.show_import(taken, as_json=False)
    assert capsys.readouterr().out.splitlines() == [
        "2 new, 1 changed, 3 unchanged products",
        "1 drafts went stale with their products: `copydesk describe` asks for them again",
        "  sku.duplicate: 2",
        "  html.unsafe: 1",
        "2 rows refused, 1 warnings: r.csv",
    ]
    report.show_import(taken, as_json=True)
    assert json.loads(capsys.readouterr().out) == {
        "new": 2, "changed": 1, "unchanged": 3, "drafts_made_stale": 1, "errors": 2, "warnings": 1,
        "problems": {"sku.duplicate": 2, "html.unsafe": 1}, "report": "r.csv",
    }  # fmt: skip


def test_an_export_tells_of_formulas_and_blanks(capsys: pytest.CaptureFixture[str]) -> None:
    report.show_export(ExportReport(5, 1, 2), Path("out.csv"), as_json=False)
    assert capsys.readouterr().out.splitlines() == [
        "5 texts in out.csv",
        "1 cells began like a spreadsheet formula and got a ' in front",
        "2 left out: their text is blank, and a blank cell would erase the shop's",
    ]


@pytest.mark.parametrize(
    ("planned", "run", "line"),
    [
        (Planned(7, True, 50, {}), RUN, "run 7: 50 queued; follow it with `copydesk watch 7`"),
        (Planned(7, True, 0, {"unchanged": 9}), replace(ENDED, queued=0), "run 7: nothing to write"),
        (Planned(7, True, 50, {}), ENDED, "run 7: 50/50 · 2.5 items/s · finished"),
        (Planned(7, False, 50, {}), ENDED, "run 7 with this key is there already: 50/50"),
    ],
)
def test_a_plan_says_what_comes_next(planned: Planned, run: Run, line: str, capsys: pytest.CaptureFixture[str]) -> None:
    report.show_planned(planned, run, as_json=False)
    shown = capsys.readouterr().out
    assert shown.startswith(line)
    assert ("9 left out: unchanged" in shown) == bool(planned.skipped)


def test_a_run_that_is_stuck_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    report.show_run(RUN, Detail({"rung": 1, "done": 2}, START, 4, {"shape.length": 3}, TELEMETRY), as_json=False)
    shown = capsys.readouterr().out
    assert "stuck: 4 drafts with a worker that stopped" in shown
    assert "refused for: 3 shape.length" in shown
    assert "chunks: 1 rung, 2 done" in shown
    assert "a chunk on average: 85 tok/s, batch 41/48, wait 0.4 s" in shown


def test_a_run_as_json_has_every_outcome_even_those_that_are_zero(capsys: pytest.CaptureFixture[str]) -> None:
    report.show_runs([ENDED], as_json=True)
    [told] = json.loads(capsys.readouterr().out)
    assert {name: told[name] for name in ("id", "queued", "ready", "held", "failed", "stale", "items_per_s")} == {
        "id": 7, "queued": 50, "ready": 46, "held": 4, "failed": 0, "stale": 0, "items_per_s": 2.5,
    }  # fmt: skip
    report.show_runs([], as_json=False)
    assert "`copydesk describe --shop S` makes one" in capsys.readouterr().out


def test_runs_fit_a_narrow_terminal_whole(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    report.show_runs([replace(ENDED, kind="translation-zh"), replace(RUN, id=8)], as_json=False)
    [_, header, _, ended, _, *_] = capsys.readouterr().out.splitlines()
    assert header.split() == ["run", "shop", "kind", "state", "queued", "ready", "held", "made"]
    assert ended.split()[:7] == ["7", "acme", "translation-zh", "finished", "50", "46", "4"]


def test_a_table_cuts_no_word_off(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "24")
    report.print_table(("sku", "text"), [("a-key-without-any-blanks", "一个品牌的故事由目录里的一行写成")], "")
    shown = "".join(capsys.readouterr().out.split())
    assert "…" not in shown


def test_each_failed_check_is_followed_by_its_remedy(capsys: pytest.CaptureFixture[str]) -> None:
    report.show_checks([Check("database", "fine"), Check("broker", "away", "start it")], as_json=False)
    assert capsys.readouterr().out.splitlines() == ["  ok  database: fine", "FAIL  broker: away", "      start it"]
