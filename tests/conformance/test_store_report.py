"""What a report is made of, on both databases, and the page that comes of it."""

from collections import Counter
from dataclasses import asdict
from pathlib import Path

import pytest
import sqlalchemy as sa
from databases import Ledger, outcome, product, some
from reviewing import Desk, review, triaged

from copydesk.errors import InputError, NotFound
from copydesk.model import Policy, Reason, Status, Telemetry
from copydesk.store import Database, drafts, reporting, runs, tables
from copydesk.store.reporting import Item
from producer import htmlreport

HELD_FOR = (Reason("facts.numbers", 'says "3 kg"', "3 kg"), Reason("words", "stock", "look no further", warns=True))


def refuse(ledger: Ledger, claimed: drafts.Claimed) -> None:
    """Settle one draft as held, for a reason that refuses and for one that only warns."""
    ledger.settle(outcome(claimed, Status.HELD, "New {sku}, 3 kg."))
    of_draft = tables.drafts.c.id == claimed.id
    with ledger.database.write() as connection:
        told = [asdict(reason) for reason in HELD_FOR]
        connection.execute(sa.update(tables.drafts).where(of_draft).values(reasons=told))


def write_some(ledger: Ledger, run: int) -> None:
    """Settle a run: the first of each four is held, the rest is ready."""
    for number in ledger.chunks(run):
        for place, claimed in enumerate(ledger.claim(run, number)):
            if place % 4:
                ledger.settle(outcome(claimed, text="New {sku}, 3 kg."))
            else:
                refuse(ledger, claimed)
    ledger.close_chunks()
    ledger.finalize(run)


def items(ledger: Ledger, run: int, which: str = "held", limit: int = 100) -> list[Item]:
    with ledger.database.read() as connection:
        return list(reporting.items(connection, run, which, limit))


def sampled(ledger: Ledger, run: int, limit: int) -> list[str]:
    with ledger.database.read() as connection:
        return [item.key for item in reporting.sample(connection, run, "ready", limit)]


def head(ledger: Ledger, run: int) -> reporting.Head:
    with ledger.database.read() as connection:
        return reporting.head(connection, run)


def test_a_runs_head_adds_up_what_it_came_to(ledger: Ledger) -> None:
    ledger.take_in(*some(8))
    run = ledger.plan().run
    write_some(ledger, run)
    with ledger.database.write() as connection:
        for chunk in (0, 1):
            runs.add_telemetry(connection, run, chunk, Telemetry(completions=4, busy_seconds=2.0, width=16))

    found = head(ledger, run)

    assert (found.shop, found.kind, found.queued, found.state) == ("demo", "description", 8, "finished")
    assert (dict(found.outcomes), found.settled, found.left, found.removed) == ({"held": 2, "ready": 6}, 8, 8, 0)
    assert (found.asks, found.prompt_tokens, found.completion_tokens) == (8, 24, 32)
    assert found.by == [reporting.By("tiny", "description/en@1", 8)]
    assert found.telemetry == Telemetry(completions=8, busy_seconds=4.0, width=16)
    assert found.started_at
    assert found.first_settled_at
    assert found.last_settled_at
    assert found.started_at <= found.first_settled_at <= found.last_settled_at


def test_a_run_that_nobody_began_has_a_head_and_one_that_is_not_there_has_none(ledger: Ledger) -> None:
    ledger.take_in(product())
    found = head(ledger, ledger.plan().run)
    assert (found.outcomes, found.left, found.first_settled_at, found.by) == ({}, 0, None, [])
    with pytest.raises(NotFound, match="there is no run 99"):
        head(ledger, 99)


def test_every_settled_text_is_streamed_and_no_open_one(ledger: Ledger) -> None:
    ledger.take_in(*some(8))
    run = ledger.plan().run
    first, *others = ledger.claim(run)
    refuse(ledger, first)
    ledger.settle(*[outcome(claimed) for claimed in others])

    with ledger.database.read() as connection:
        texts = list(reporting.settled(connection, run))

    assert Counter(text.outcome for text in texts) == {"ready": 3, "held": 1}
    assert {text.name for text in texts} == {f"Thing {number}" for number in range(1, 5)}
    assert [(text.codes, text.marks) for text in texts if text.codes] == [(["facts.numbers"], ["look no further"])]
    assert all(text.at for text in texts)


def test_those_that_wait_for_a_person_come_before_those_that_do_not(ledger: Ledger) -> None:
    ledger.take_in(*some(12))
    run = ledger.plan().run
    write_some(ledger, run)
    ledger.decide(items(ledger, run)[0].draft, Status.REJECTED)

    found = items(ledger, run)

    assert [(item.key, item.state.value) for item in found] == [
        ("sku5", "held"),
        ("sku9", "held"),
        ("sku1", "rejected"),
    ]
    assert [item.reasons for item in found] == [HELD_FOR] * 3
    assert [item.key for item in items(ledger, run, limit=2)] == ["sku5", "sku9"]
    assert items(ledger, run, limit=0) == []


def test_a_sample_is_spread_over_the_run_and_the_same_each_time(ledger: Ledger) -> None:
    ledger.take_in(*some(12))
    run = ledger.plan().run
    ledger.write(run)

    assert sampled(ledger, run, 4) == ["sku1", "sku4", "sku7", "sku10"] == sampled(ledger, run, 4)
    assert len(sampled(ledger, run, 5)) == 5
    assert len(sampled(ledger, run, 100)) == 12
    assert sampled(ledger, run, 0) == []


def test_before_is_the_live_text_of_the_moment_the_draft_was_written(ledger: Ledger) -> None:
    ledger.take_in(product())
    first = ledger.approved("first", text="first")
    ledger.publish()
    second = ledger.approved("second", text="second", everything=True)

    assert [item.before for item in items(ledger, second, "ready")] == ["first"]
    ledger.publish()
    ledger.undo()
    assert [item.before for item in items(ledger, second, "ready")] == ["first"]
    assert [item.before for item in items(ledger, first, "ready")] == ["<p>old 1</p>"]
    assert [item.state.value for item in items(ledger, second, "ready")] == ["undone"]


def test_a_product_that_had_no_text_has_none_before_and_one_edited_since_says_so(ledger: Ledger) -> None:
    ledger.take_in(product(1, description=""), product(2))
    run = ledger.plan().run
    ledger.write(run)
    ledger.take_in(product(2, colour="blue"))

    found = items(ledger, run, "ready")

    assert [(item.before or None, item.is_outdated) for item in found] == [(None, False), ("<p>old 2</p>", True)]
    assert found[1].facts
    assert found[1].facts.attributes == (("Colour", "blue"),)


def test_drafts_that_were_removed_since_are_counted_and_not_shown(ledger: Ledger) -> None:
    ledger.take_in(*some(4))
    run = ledger.plan().run
    ledger.write(run)
    with ledger.database.write() as connection:
        connection.execute(sa.delete(tables.drafts).where(tables.drafts.c.id > 1))

    found = head(ledger, run)

    assert (found.settled, found.left, found.removed) == (4, 1, 3)
    assert len(items(ledger, run, "ready")) == 1


def test_a_replys_item_has_its_review_as_it_is_masked(database: Database) -> None:
    desk = Desk(database)
    desk.take(triaged(review(1, sku="")), triaged(review(2), Policy.PERSON, reasons=(Reason("route.safety", "glass"),)))
    run = desk.plan_replies().run
    desk.answer(run)

    [answered], [kept] = items(desk, run, "ready"), items(desk, run, "held")

    assert answered.review
    assert (answered.key, answered.before, answered.facts, answered.is_outdated) == ("r1", None, None, False)
    assert (answered.review.text, answered.review.rating) == ("Lovely, and it came quickly.", 5)
    assert (kept.reasons, kept.asks, kept.text) == ((Reason("route.safety", "glass"),), 0, "")


def test_the_page_of_a_large_run_has_bounds_and_says_what_it_leaves_out(ledger: Ledger, tmp_path: Path) -> None:
    ledger.take_in(*some(60))
    run = ledger.plan(chunk_size=20).run
    write_some(ledger, run)

    made = htmlreport.write(ledger.database, run, tmp_path / "r.html", held=5, ready=10)
    page = (tmp_path / "r.html").read_text("utf-8")

    assert dict(made.outcomes) == {"held": 15, "ready": 45}
    assert page.count("<article") == 15
    assert "The first 5 are shown, 10 are left out." in page
    assert "A sample of 10 are shown, 35 are left out." in page
    assert "“new …, 3 kg”" not in page
    assert page.index('id="held"') < page.index('id="ready"')


def test_a_file_that_cannot_be_written_and_a_run_of_a_batch_are_refused_and_leave_nothing(
    ledger: Ledger, tmp_path: Path
) -> None:
    ledger.take_in(product())
    run = ledger.plan().run
    with pytest.raises(InputError, match="cannot be written"):
        htmlreport.write(ledger.database, run, tmp_path / "nowhere" / "r.html")
    with ledger.database.write() as connection:
        connection.execute(sa.update(tables.runs).values(kind="batch"))
    with pytest.raises(InputError, match="is a batch file"):
        htmlreport.write(ledger.database, run, tmp_path / "r.html")
    assert list(tmp_path.glob("*r.html*")) == []
