"""One draft on a screen: marks, reasons, what sentences rest on, what publishing changes; the same without colours."""

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from copydesk.model import Facts, Reason, Status
from copydesk.store.drafts import Draft
from producer import report
from producer.draftsheet import Sheet, text_and_reasons, written

FACTS = Facts("Oak Stool", "Ridgeway", attributes=(("Material", "Oak"), ("Height", "45 cm"), ("Tags", "new")))
DRAFT = Draft(
    id=3, run=7, shop="acme", sku="stool", kind="description", language="en", state=Status.HELD,
    text="The Oak Stool is 0.45 m high. It weighs 3 kg, a must have.",
    reasons=(
        Reason("facts.numbers", 'says "3 kg", which the facts do not', "3 kg"),
        Reason("words", 'uses a phrase that every shop uses: "must have"', "must have", warns=True),
        Reason("shape.length", "has 9 words, at least 12 are wanted"),
    ),
    attempt=1, model="tiny", prompt="description/en@1", asks=4, facts=FACTS, model_text=None, decided_by=None,
    sampling={"max_tokens": 80, "temperature": 0.8, "top_k": None, "seed": 7}, prompt_tokens=1240,
    completion_tokens=301, seconds=5.21, settled_at=datetime(2026, 3, 10, 2, 0, tzinfo=UTC),
)  # fmt: skip


def shown(draft: Draft = DRAFT, live: str | None = None, engine: str = "openvino", omit: tuple[str, ...] = ()) -> str:
    return "\n".join(line.plain for line in Sheet(draft, live, engine, omit).lines())


def test_what_the_guards_saw_stands_between_brackets_with_the_number_of_its_reason() -> None:
    assert "It weighs ⟦3 kg⟧¹, a ⟦must have⟧²." in shown()
    assert '¹ refused facts.numbers: says "3 kg", which the facts do not' in shown()
    assert "² remark  words:" in shown()
    assert "- refused shape.length:" in shown(), "nothing in the text is marked for it"


@pytest.mark.parametrize(
    ("text", "spans", "marked"),
    [
        ("A blue mug.", ["blue"], "A ⟦blue⟧¹ mug."),
        ("Stainless steel.", ["stainless steel", "steel"], "⟦Stainless ⟦steel⟧¹⟧²."),
        ("A blue mug.", ["red"], "A blue mug."),
        ("蓝色的杯子。", ["蓝色"], "⟦蓝色⟧¹的杯子。"),
        ("", ["x"], "(no text)"),
    ],
)
def test_spans_are_marked_in_either_language_also_one_within_another(text: str, spans: list[str], marked: str) -> None:
    reasons = [Reason("facts.claims", "", span) for span in spans]

    assert next(text_and_reasons(text, reasons)).plain == marked


def test_each_sentence_has_its_facts_under_it_and_what_is_unsaid_is_listed() -> None:
    lines = [line.strip() for line in shown(omit=("Tags",)).splitlines()]
    first, second = lines.index("The Oak Stool is 0.45 m high."), lines.index("It weighs 3 kg, a must have.")

    assert lines[first + 1] == "Title: Oak Stool (Oak, Stool); Material: Oak (Oak); Height: 45 cm (0.45 m)"
    assert lines[second + 1] == "no fact"
    assert "says 3 of 4 facts" in lines
    assert "left unsaid: Brand: Ridgeway" in lines


def test_by_what_how_and_at_what_cost_it_was_written() -> None:
    assert list(written(DRAFT, "openvino")) == [
        "written by tiny on openvino, prompt description/en@1, max_tokens 80, temperature 0.8, seed 7",
        "4 asks, attempt 1; 1,240 tokens in, 301 out; 5.2 s from the first ask to the last answer",
        "settled 2026-03-10 02:00:00 UTC",
    ]


def test_a_draft_that_nobody_wrote_yet_claims_nothing() -> None:
    bare = replace(
        DRAFT, state=Status.PENDING, text="", reasons=(), model=None, prompt=None, sampling=None, asks=0, seconds=None,
        settled_at=None, prompt_tokens=0, completion_tokens=0,
    )  # fmt: skip
    page = shown(bare, "The old text.", engine="")

    assert "written by nobody, prompt -, no seed" in page
    assert "(no text)" in page
    assert "rests on" not in page
    assert "what publishing it changes" not in page


def test_what_publishing_takes_away_and_brings_is_marked_in_words() -> None:
    page = shown(
        replace(DRAFT, text="The Oak Stool is high and plain.", reasons=()), "<p>The Oak Stool is low &amp; plain.</p>"
    )

    assert "live text:\n<p>The Oak Stool is low &amp; plain.</p>" in page
    assert "- The Oak Stool is [-low &-] plain." in page
    assert "+ The Oak Stool is {+high and+} plain." in page


@pytest.mark.parametrize(
    ("live", "says"),
    [("The Oak Stool is high.", "the same as before"), ("Quite another story about nothing.", "written anew")],
)
def test_where_marking_would_tell_nothing_a_word_does(live: str, says: str) -> None:
    page = shown(replace(DRAFT, text="The Oak Stool is high."), live)

    assert page.endswith(f"what publishing it changes: {says}")


def test_colours_say_nothing_that_signs_do_not() -> None:
    sheet = Sheet(DRAFT, "The Oak Stool is 0.45 m high. It weighs much, a must have.")
    styled = [str(span.style) for line in sheet.lines() for span in line.spans]

    assert {"bold red", "yellow", "green", "red"} <= set(styled)


def test_as_json_it_holds_the_draft_its_sentences_and_what_is_unsaid(capsys: pytest.CaptureFixture[str]) -> None:
    report.show_draft(DRAFT, "old", as_json=True, engine="openvino", omit=["Tags"])
    told = json.loads(capsys.readouterr().out)

    assert (told["id"], told["engine"], told["live"], told["seconds"]) == (3, "openvino", "old", 5.21)
    assert told["coverage"] == 0.75
    assert told["unsaid"] == [{"name": "Brand", "value": "Ridgeway"}]
    assert told["sentences"][0]["facts"][2] == {"name": "Height", "value": "45 cm", "spans": ["0.45 m"]}


def test_a_text_cannot_steer_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    report.show_draft(replace(DRAFT, text="A \x1b[31mstool.", reasons=()), None, as_json=False)

    assert "\x1b" not in capsys.readouterr().out
