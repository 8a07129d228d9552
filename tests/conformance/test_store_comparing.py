"""Before a run ends, its texts are compared with those of the shop's other products; on both databases."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import pytest
import sqlalchemy as sa
from databases import PATIENCE_SECONDS, Ledger, Meanwhile, at_once, outcome, product, some

from copydesk.jobs import comparing, stopping, upkeep
from copydesk.model import Reason, Status, Telemetry, TextFormat
from copydesk.store import comparing as comparisons
from copydesk.store import drafts, products, runs, tables

MUG = (
    "A plain mug of stoneware that holds half a litre, sits well in the hand, and may go into the dishwasher every "
    "single day without losing its shine. Keep it on the table or take it out to the garden with you in {}."
)
"""Two of these are nearly the same, whatever the word."""

LAMP = "This lamp has a shade of linen and a foot of oak, and it gives a warm light to a desk or to a bed."
TWIN = Reason("duplicate", "97 % the same as the text of sku1")


def wrote(
    ledger: Ledger, texts: Mapping[str, str], run_key: str = "night", *, plan: Mapping[str, Any] | None = None
) -> int:
    """Plan a run for these products and settle it with their texts; nobody ends it."""
    run = ledger.plan(run_key, everything=True, skus=sorted(texts), **(plan or {})).run
    rewrite(ledger, run, texts)
    return run


def rewrite(ledger: Ledger, run: int, texts: Mapping[str, str]) -> list[str]:
    """Settle what of a run waits; returns the products of those drafts."""
    written = []
    for number in ledger.chunks(run):
        claimed = ledger.claim(run, number)
        ledger.settle(*[outcome(one, text=texts[one.sku]) for one in claimed])
        written += [one.sku for one in claimed]
        ledger.close_chunks((run, number))
    return written


def begin(ledger: Ledger, run: int, seconds: float = 60) -> datetime | None:
    with ledger.database.write() as connection:
        return comparisons.begin(connection, run, seconds)


def compare(ledger: Ledger, run: int) -> bool:
    until = begin(ledger, run)
    assert until is not None, "there is nothing to compare"
    return comparing.compare(ledger.database, run, until)


def finalize(ledger: Ledger, run: int) -> bool:
    with ledger.database.write() as connection:
        return runs.finalize(connection, run)


def sweep(ledger: Ledger) -> upkeep.Swept:
    return upkeep.sweep(ledger.database, max_attempts=3, heard=(), rule_is_on=lambda _: True)


def reasons(ledger: Ledger, run: int) -> dict[str, list[str]]:
    return {draft.sku: [reason.message for reason in draft.reasons] for draft in ledger.drafts(run=run)}


def test_a_run_ends_once_its_texts_are_compared(ledger: Ledger) -> None:
    ledger.take_in(*some(2))
    run = wrote(ledger, {"sku1": MUG.format("May"), "sku2": LAMP})

    assert not finalize(ledger, run)
    assert ledger.run(run).state == "running"
    assert compare(ledger, run)

    found = ledger.run(run)
    assert (found.state, found.outcomes) == ("finished", {"ready": 2})
    assert begin(ledger, run) is None


def test_the_later_of_two_near_duplicates_is_written_again(ledger: Ledger) -> None:
    ledger.take_in(*some(4))
    texts = {"sku1": MUG.format("May"), "sku2": LAMP, "sku3": MUG.format("June"), "sku4": LAMP[:50]}
    run = wrote(ledger, texts, plan={"chunk_size": 2})
    ledger.bells(9)
    ledger.close_chunks()

    assert not compare(ledger, run)

    assert ledger.states(run) == ["ready", "ready", "pending", "ready"]
    again = ledger.drafts(run=run)[2]
    assert (again.text, again.reasons, again.asks, again.attempt) == ("", (), 0, 0)
    assert (ledger.run(run).state, ledger.run(run).outcomes) == ("running", {"ready": 3})
    assert begin(ledger, run) is None, "it owes something"
    assert [bell.chunk for bell in ledger.bells(9)] == [1], "only its chunk is rung again"
    [claimed] = ledger.claim(run, 1)
    assert (claimed.sku, claimed.resampled) == ("sku3", 1)
    ledger.settle(outcome(claimed, text="Something quite new."))
    assert compare(ledger, run)
    assert ledger.run(run).outcomes == {"ready": 4}


def test_after_two_more_texts_that_are_nearly_the_same_a_person_has_to_look(ledger: Ledger) -> None:
    ledger.take_in(*some(2))
    run = wrote(ledger, {"sku1": MUG.format("May"), "sku2": MUG.format("June")})
    for month in ("July", "August"):
        assert not compare(ledger, run)
        assert rewrite(ledger, run, {"sku2": MUG.format(month)}) == ["sku2"]

    assert compare(ledger, run)

    assert ledger.states(run) == ["ready", "held"]
    [reason] = ledger.drafts(run=run)[1].reasons
    assert (reason.code, reason.warns) == ("duplicate", False)
    assert reason.message == (
        "95 % the same as the text of sku1: say what sets this product apart, or approve it all the same"
    )
    assert ledger.drafts(run=run)[1].text == MUG.format("August")
    found = ledger.run(run)
    assert (found.state, found.outcomes, found.queued) == ("finished", {"ready": 1, "held": 1}, 2)
    with ledger.database.read() as connection:
        detail = runs.detail(connection, run)
    assert (detail.resampled, dict(detail.reasons), detail.is_being_compared) == (1, {"duplicate": 1}, False)
    ledger.decide(ledger.drafts(run=run)[1].id, Status.APPROVED)


def test_a_text_is_compared_with_the_live_texts_of_other_products_and_not_with_its_own(ledger: Ledger) -> None:
    html = f"<h2>Mug &amp; more</h2><p>{MUG.format('<b>May</b>')}</p>"
    ledger.take_in(product(1, description=html), product(2), product(3, description=LAMP, text_format=TextFormat.PLAIN))
    run = wrote(ledger, {"sku1": MUG.format("June"), "sku2": MUG.format("July"), "sku3": LAMP})

    assert not compare(ledger, run)

    assert ledger.states(run) == ["ready", "pending", "ready"]


def test_a_text_is_compared_with_what_is_ready_or_approved_of_earlier_runs(ledger: Ledger) -> None:
    ledger.take_in(*some(5))
    before = wrote(ledger, {"sku1": MUG.format("May"), "sku2": LAMP, "sku3": "Rejected, and forgotten. " * 9}, "first")
    assert compare(ledger, before)
    ledger.decide(ledger.drafts(run=before)[1].id, Status.APPROVED)
    ledger.decide(ledger.drafts(run=before)[2].id, Status.REJECTED)

    texts = {"sku3": LAMP, "sku4": MUG.format("June"), "sku5": "Rejected, and forgotten. " * 9}
    run = wrote(ledger, texts, "second")
    assert not compare(ledger, run)

    assert ledger.states(run) == ["pending", "pending", "ready"]
    assert ledger.states(before) == ["ready", "approved", "rejected"]


def test_a_ready_text_that_a_newer_one_of_its_product_replaces_is_in_nobodys_way(ledger: Ledger) -> None:
    ledger.take_in(*some(2))
    assert compare(ledger, wrote(ledger, {"sku1": MUG.format("May")}, "first"))
    assert compare(ledger, wrote(ledger, {"sku1": "Something newer."}, "second"))

    assert compare(ledger, wrote(ledger, {"sku2": MUG.format("June")}, "third"))


def test_of_two_runs_that_go_on_at_once_the_later_one_gives_way(ledger: Ledger) -> None:
    ledger.take_in(*some(2))
    first = wrote(ledger, {"sku1": MUG.format("May")}, "first")
    second = wrote(ledger, {"sku2": MUG.format("June")}, "second")

    assert not compare(ledger, second)
    assert compare(ledger, first)

    assert (ledger.states(first), ledger.states(second)) == (["ready"], ["pending"])


def test_other_shops_and_other_kinds_of_copy_are_not_compared(ledger: Ledger) -> None:
    ledger.take_in(*some(2))
    other = Ledger(ledger.database, "other")
    other.take_in(product(2, description=MUG.format("May")))
    assert compare(other, wrote(other, {"sku2": MUG.format("May")}))
    assert compare(ledger, wrote(ledger, {"sku1": MUG.format("May")}, "ad", plan={"kind": "ad"}))

    assert compare(ledger, wrote(ledger, {"sku2": MUG.format("May")}))


def test_what_a_person_has_had_a_look_at_stays_as_it_is_and_others_give_way_to_it(ledger: Ledger) -> None:
    ledger.take_in(*some(5))
    run = wrote(ledger, {f"sku{number}": MUG.format(number) for number in range(1, 6)})
    first, second, third, fourth, _ = [draft.id for draft in ledger.drafts(run=run)]
    ledger.decide(second, Status.APPROVED)
    ledger.decide(third, Status.REJECTED)
    ledger.decide(fourth, Status.APPROVED, four_eyes=True)

    assert not compare(ledger, run)

    assert ledger.states(run) == ["pending", "approved", "rejected", "ready", "pending"]
    assert first == ledger.drafts(run=run)[0].id


def test_a_yes_that_comes_while_texts_are_compared_counts(ledger: Ledger) -> None:
    ledger.take_in(*some(2))
    run = wrote(ledger, {"sku1": MUG.format("May"), "sku2": MUG.format("June")})
    until = begin(ledger, run)
    assert until
    ledger.decide(ledger.drafts(run=run)[1].id, Status.APPROVED)

    with ledger.database.write() as connection:
        made = comparisons.settle(connection, run, until, {ledger.drafts(run=run)[1].id: TWIN}, most=2)

    assert made == comparisons.Settled()
    assert ledger.states(run) == ["ready", "approved"]


def test_what_a_newer_draft_of_the_product_replaces_is_held_and_not_written_again(ledger: Ledger) -> None:
    """A product has at most one open draft."""
    ledger.take_in(*some(2))
    run = wrote(ledger, {"sku1": MUG.format("May"), "sku2": MUG.format("June")})
    ledger.plan("newer", everything=True, skus=["sku2"])

    assert compare(ledger, run)

    assert ledger.states(run) == ["ready", "held"]


def test_a_run_that_has_used_up_its_budget_writes_nothing_again_and_finishes(ledger: Ledger) -> None:
    ledger.take_in(*some(2))
    budget = runs.Budget(max_tokens=1_000)
    run = wrote(ledger, {"sku1": MUG.format("May"), "sku2": MUG.format("June")}, plan={"budget": budget})
    with ledger.database.write() as connection:
        runs.add_telemetry(connection, run, 0, Telemetry(completions=1, prompt_tokens=2_000))

    assert sweep(ledger).finished == 1

    assert (ledger.run(run).state, ledger.run(run).outcomes) == ("finished", {"ready": 1, "held": 1})


def test_a_paused_run_is_compared_and_what_is_written_again_waits_until_it_is_resumed(ledger: Ledger) -> None:
    ledger.take_in(*some(2))
    run = wrote(ledger, {"sku1": MUG.format("May"), "sku2": MUG.format("June")})
    with ledger.database.write() as connection:
        runs.pause(connection, run)

    assert not compare(ledger, run)

    assert (ledger.run(run).state, ledger.claim(run), ledger.bells(9)) == ("paused", [], [])


def test_a_cancelled_run_ends_without_and_whoever_compares_it_changes_nothing(ledger: Ledger) -> None:
    ledger.take_in(*some(2))
    run = wrote(ledger, {"sku1": MUG.format("May"), "sku2": MUG.format("June")})
    until = begin(ledger, run)
    assert until
    stopping.stop(ledger.database, run, "cancelled by ann")

    assert not comparing.compare(ledger.database, run, until)

    assert (ledger.run(run).state, ledger.states(run)) == ("cancelled", ["ready", "ready"])


def test_of_several_at_once_one_compares(ledger: Ledger) -> None:
    ledger.take_in(*some(2))
    run = wrote(ledger, {"sku1": MUG.format("May"), "sku2": LAMP})

    begun = at_once([lambda: begin(ledger, run) for _ in range(6)])

    assert begun.count(None) == 5
    assert ledger.run(run).finished_at is None
    with ledger.database.read() as connection:
        assert runs.detail(connection, run).is_being_compared
        assert comparisons.due(connection) == []


def test_several_sweeps_at_once_write_a_near_duplicate_again_once(ledger: Ledger) -> None:
    ledger.take_in(*some(6))
    run = wrote(ledger, {f"sku{number}": MUG.format(number) for number in range(1, 7)})

    assert at_once([lambda: comparing.compare_due(ledger.database) for _ in range(4)]) == [0] * 4

    assert ledger.states(run) == ["ready"] + ["pending"] * 5
    assert {one.resampled for one in ledger.claim(run) + ledger.claim(run, 1)} == {1}


def test_where_somebody_died_over_it_the_next_sweep_compares_anew(ledger: Ledger) -> None:
    ledger.take_in(*some(2))
    run = wrote(ledger, {"sku1": MUG.format("May"), "sku2": LAMP})
    begin(ledger, run)
    assert sweep(ledger).finished == 0, "somebody is at it"

    with ledger.database.write() as connection:
        connection.execute(sa.update(tables.runs).values(comparing_until=tables.now(-1)))

    assert sweep(ledger).finished == 1
    assert ledger.run(run).state == "finished"


def test_whoever_is_taken_for_dead_changes_nothing_any_more(ledger: Ledger) -> None:
    ledger.take_in(*some(2))
    run = wrote(ledger, {"sku1": MUG.format("May"), "sku2": MUG.format("June")})
    slow = begin(ledger, run, -1)
    assert slow
    assert not compare(ledger, run)
    rewrite(ledger, run, {"sku2": LAMP})
    other = begin(ledger, run)
    assert other

    assert not comparing.compare(ledger.database, run, slow)
    with ledger.database.write() as connection:
        twin = {ledger.drafts(run=run)[1].id: TWIN}
        assert comparisons.settle(connection, run, slow, twin, most=2) is None
        assert comparisons.renew(connection, run, slow, 60) is None
        assert not comparisons.finish(connection, run, slow)

    assert ledger.states(run) == ["ready", "ready"]
    assert comparing.compare(ledger.database, run, other)


def test_a_long_comparison_keeps_its_run(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    ledger.take_in(*some(3))
    run = wrote(ledger, {"sku1": MUG.format("May"), "sku2": LAMP, "sku3": MUG.format("June")})
    until = begin(ledger, run, -1)
    assert until
    monkeypatch.setattr(comparing, "_now", iter(range(0, 10_000, 100)).__next__)

    assert not comparing.compare(ledger.database, run, until)

    assert ledger.states(run) == ["ready", "ready", "pending"]
    assert begin(ledger, run) is None


def test_who_changes_a_run_twice_and_who_takes_it_up_again_do_not_wait_for_each_other(
    ledger: Ledger, meanwhile: Meanwhile
) -> None:
    ledger.take_in(*some(2))
    run = wrote(ledger, {"sku1": MUG.format("May"), "sku2": MUG.format("June")})
    until = begin(ledger, run)
    assert until
    later = ledger.drafts(run=run)[1].id

    def take_up_again() -> int:
        with ledger.database.write() as connection:
            return drafts.take_up_again(connection, run, [Status.FAILED])

    def settle() -> comparisons.Settled | None:
        with ledger.database.write() as connection:
            return comparisons.settle(connection, run, until, {later: TWIN}, most=2)

    for action, made in ((take_up_again, 0), (settle, comparisons.Settled(again=1))):
        with ledger.database.write() as connection:
            runs.note_trouble(connection, run, "one")
            waits = meanwhile.start(action)
            runs.note_trouble(connection, run, "another")
        assert waits.result(PATIENCE_SECONDS) == made


def test_who_plans_waits_for_who_has_drafts_written_again(ledger: Ledger, meanwhile: Meanwhile) -> None:
    ledger.take_in(*some(1))
    wrote(ledger, {"sku1": LAMP})
    with ledger.database.write() as connection:
        products.hold_planning(connection, ledger.shop_id, alone=True)
        planned = meanwhile.start(lambda: ledger.plan("next", everything=True))
        assert not planned.done()
    assert planned.result(PATIENCE_SECONDS).queued == 1


def test_a_run_that_is_taken_up_again_is_compared_again(ledger: Ledger) -> None:
    ledger.take_in(*some(2))
    run = ledger.plan().run
    first, second = ledger.claim(run)
    ledger.settle(outcome(first, text=MUG.format("May")), outcome(second, Status.FAILED, ""))
    assert compare(ledger, run)
    with ledger.database.write() as connection:
        assert drafts.take_up_again(connection, run, [Status.FAILED]) == 1
        runs.reopen(connection, run, runs.NO_BUDGET)
    rewrite(ledger, run, {"sku2": MUG.format("June")})

    assert not finalize(ledger, run)
    assert not compare(ledger, run)
    assert ledger.states(run) == ["ready", "pending"]


def test_a_run_that_is_taken_up_again_while_it_is_compared_goes_on(ledger: Ledger) -> None:
    ledger.take_in(*some(2))
    run = ledger.plan().run
    first, second = ledger.claim(run)
    ledger.settle(outcome(first, text=LAMP), outcome(second, Status.FAILED, ""))
    until = begin(ledger, run)
    assert until
    with ledger.database.write() as connection:
        drafts.take_up_again(connection, run, [Status.FAILED])

    assert not comparing.compare(ledger.database, run, until)

    assert (ledger.run(run).state, ledger.states(run)) == ("running", ["ready", "pending"])
    rewrite(ledger, run, {"sku2": LAMP})
    assert not finalize(ledger, run), "what came since is compared as well"


def test_a_product_that_is_edited_while_texts_are_compared_goes_its_own_way(ledger: Ledger) -> None:
    ledger.take_in(*some(2))
    run = wrote(ledger, {"sku1": MUG.format("May"), "sku2": MUG.format("June")})
    until = begin(ledger, run)
    assert until
    ledger.take_in(product(2, "blue"))

    assert comparing.compare(ledger.database, run, until)
    assert ledger.states(run) == ["ready", "stale"]


@pytest.mark.parametrize("force", ["warn", "off"])
def test_where_a_shop_says_so_near_duplicates_are_only_marked_or_left_alone(ledger: Ledger, force: str) -> None:
    ledger.take_in(*some(3))
    run = wrote(ledger, {"sku1": MUG.format("May"), "sku2": MUG.format("June"), "sku3": LAMP})
    recipe = {"model": "tiny", "rules": {"en": {"guards": {"duplicate": force}}, "zh": {"guards": {}}}}
    with ledger.database.write() as connection:
        connection.execute(sa.update(tables.runs).values(recipe=recipe))

    assert compare(ledger, run)

    assert ledger.states(run) == ["ready"] * 3
    told = {"warn": ["95 % the same as the text of sku1"], "off": []}[force]
    assert reasons(ledger, run) == {"sku1": [], "sku2": told, "sku3": []}
    assert all(reason.warns for draft in ledger.drafts(run=run) for reason in draft.reasons)


def test_a_mark_is_made_once_however_often_texts_are_compared(ledger: Ledger) -> None:
    ledger.take_in(*some(2))
    run = wrote(ledger, {"sku1": MUG.format("May"), "sku2": MUG.format("June")})
    until = begin(ledger, run)
    assert until
    later = ledger.drafts(run=run)[1].id

    def mark() -> comparisons.Settled | None:
        with ledger.database.write() as connection:
            marked = {later: Reason("duplicate", "like sku1", warns=True)}
            return comparisons.settle(connection, run, until, marked, most=2)

    assert (mark(), mark()) == (comparisons.Settled(marked=1), comparisons.Settled())
    assert reasons(ledger, run)["sku2"] == ["like sku1"]


def test_a_rule_publishes_when_the_run_has_ended_and_nothing_that_is_held(ledger: Ledger) -> None:
    ledger.take_in(*some(3))
    texts = {"sku1": MUG.format("May"), "sku2": MUG.format("June"), "sku3": LAMP}
    run = wrote(ledger, texts, plan={"auto_publish": True})
    for month in ("July", "August"):
        assert sweep(ledger).published == 0
        rewrite(ledger, run, {"sku2": MUG.format(month)})

    swept = sweep(ledger)

    assert (swept.finished, swept.published) == (1, 2)
    assert ledger.states(run) == ["published", "held", "published"]


def test_more_near_duplicates_than_one_transaction_moves(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(comparing, "SETTLED_AT_ONCE", 2)
    ledger.take_in(*some(8))
    run = wrote(ledger, {f"sku{number}": MUG.format(number) for number in range(1, 9)})

    assert not compare(ledger, run)

    assert ledger.states(run) == ["ready"] + ["pending"] * 7
    assert len(ledger.bells(9)) == 2


def test_whoever_takes_long_to_move_near_duplicates_keeps_his_run(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(comparing, "SETTLED_AT_ONCE", 2)
    ledger.take_in(*some(8))
    run = wrote(ledger, {f"sku{number}": MUG.format(number) for number in range(1, 9)})
    settle, clock, held_until = comparisons.settle, [0.0], []

    def slow(connection: Any, run: int, until: datetime, *args: Any, **kw: Any) -> comparisons.Settled | None:
        held_until.append(until)
        clock[0] += 100
        return settle(connection, run, until, *args, **kw)

    monkeypatch.setattr(comparing, "_now", lambda: clock[0])
    monkeypatch.setattr(comparisons, "settle", slow)
    assert not compare(ledger, run)

    assert len(held_until) == len(set(held_until)) == 4
    assert ledger.states(run) == ["ready"] + ["pending"] * 7


def test_killed_between_two_transactions_the_comparison_is_begun_anew(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(comparing, "SETTLED_AT_ONCE", 2)
    ledger.take_in(*some(6))
    texts = {f"sku{number}": MUG.format(number) for number in range(1, 7)}
    run = wrote(ledger, texts)
    settle, calls = comparisons.settle, []

    def die(*args: Any, **kw: Any) -> comparisons.Settled | None:
        calls.append(1)
        if len(calls) == 2:
            raise MemoryError
        return settle(*args, **kw)

    monkeypatch.setattr(comparisons, "settle", die)
    with pytest.raises(MemoryError):
        compare(ledger, run)
    assert ledger.states(run).count("pending") == 2

    rewrite(ledger, run, {sku: f"{LAMP} {sku}" * 3 for sku in texts})
    with ledger.database.write() as connection:
        connection.execute(sa.update(tables.runs).values(comparing_until=tables.now(-1)))
    assert comparing.compare_due(ledger.database) == 0
    assert ledger.states(run).count("pending") >= 3
