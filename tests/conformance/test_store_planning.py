"""Planning: one run per key, only what changed, never what a person wrote, nothing twice at once."""

import pytest
from databases import Ledger, Meanwhile, at_once, product, some

from copydesk.model import Status
from copydesk.store import products, runs


def test_one_key_makes_one_run_however_many_schedulers_ask_at_once(ledger: Ledger) -> None:
    ledger.take_in(*some(10))

    plans = at_once([lambda: ledger.plan("2026-10-18") for _ in range(8)])

    assert len({planned.run for planned in plans}) == 1
    assert sorted(planned.created for planned in plans) == [False] * 7 + [True]
    assert {planned.queued for planned in plans} == {10}
    assert len(ledger.drafts()) == 10


def test_the_same_key_in_another_shop_is_another_run(ledger: Ledger) -> None:
    other = Ledger(ledger.database, "other")
    ledger.take_in(product())
    other.take_in(product())

    assert ledger.plan("k").run != other.plan("k").run
    assert [draft.shop for draft in other.drafts()] == ["other"]


def test_two_producers_with_their_own_keys_never_plan_a_product_twice(ledger: Ledger) -> None:
    ledger.take_in(*some(40))

    plans = at_once([lambda key=key: ledger.plan(f"producer {key}") for key in range(6)])

    assert sum(planned.queued for planned in plans) == 40
    assert len(ledger.drafts()) == 40
    assert len({draft.sku for draft in ledger.drafts()}) == 40
    for planned in plans:
        assert ledger.run(planned.run).queued == len(ledger.drafts(run=planned.run)) == planned.queued


def test_a_producer_that_waited_for_another_counts_what_it_did_not_get(ledger: Ledger, meanwhile: Meanwhile) -> None:
    """Both look before either has committed; the unique index decides."""
    ledger.take_in(*some(5))
    order = runs.Order("first", {}, {"en": "recipe"}, 2, skus=["sku1", "sku2", "sku3"])
    with ledger.database.write() as connection:
        first = runs.plan(connection, ledger.shop_id, order)
        late = meanwhile.start(lambda: ledger.plan("second", chunk_size=2))
    second = late.result(30)

    assert (first.queued, second.queued) == (3, 2)
    assert second.skipped == {"already being written": 3}
    assert [draft.sku for draft in ledger.drafts(run=second.run)] == ["sku4", "sku5"]
    ledger.write(second.run)
    assert ledger.run(second.run).outcomes == {"ready": 2}


@pytest.mark.parametrize("status", [Status.READY, Status.HELD])
def test_unchanged_products_are_not_planned_again(ledger: Ledger, status: Status) -> None:
    ledger.take_in(*some(3))
    ledger.write(ledger.plan("first").run, status)

    again = ledger.plan("second")

    assert (again.queued, again.skipped) == (0, {"unchanged": 3})
    assert ledger.run(again.run).state == "finished"


@pytest.mark.parametrize("decision", [Status.APPROVED, Status.REJECTED])
def test_decided_products_are_not_planned_again(ledger: Ledger, decision: Status) -> None:
    ledger.take_in(product())
    ledger.write(ledger.plan("first").run)
    ledger.decide(ledger.drafts()[0].id, decision)

    assert ledger.plan("second").skipped == {"unchanged": 1}


def test_published_and_undone_products_are_not_planned_again(ledger: Ledger) -> None:
    ledger.take_in(product())
    ledger.approved("first")
    ledger.publish()
    assert ledger.plan("second").skipped == {"unchanged": 1}
    ledger.undo()
    assert ledger.plan("third").skipped == {"unchanged": 1}


def test_a_product_that_failed_is_planned_again(ledger: Ledger) -> None:
    ledger.take_in(product())
    ledger.write(ledger.plan("first").run, Status.FAILED)

    assert ledger.plan("second").queued == 1


def test_edited_facts_and_new_products_are_due(ledger: Ledger) -> None:
    ledger.take_in(*some(3))
    ledger.write(ledger.plan("first").run)
    ledger.take_in(product(2, "blue"), product(4))

    again = ledger.plan("second")

    assert [draft.sku for draft in ledger.drafts(run=again.run)] == ["sku2", "sku4"]
    assert again.skipped == {"unchanged": 2}


def test_a_changed_recipe_makes_everything_due(ledger: Ledger) -> None:
    ledger.take_in(*some(3))
    ledger.write(ledger.plan("first", recipe="one").run)

    assert ledger.plan("second", recipe="two").queued == 3


def test_facts_edited_there_and_back_are_due_while_the_text_in_between_is_live(ledger: Ledger) -> None:
    """Red, blue, red: the shop shows the words about the blue one."""
    ledger.take_in(product(1, "red"))
    ledger.approved("first", text="It is red.")
    ledger.publish()
    ledger.take_in(product(1, "blue", "It is red."))
    ledger.approved("second", text="It is blue.")
    ledger.publish()
    ledger.take_in(product(1, "red", "It is blue."))
    assert ledger.live() == "It is blue."

    assert ledger.plan("third").queued == 1


def test_facts_edited_there_and_back_before_anything_was_published_are_not_due(ledger: Ledger) -> None:
    """The words about the blue one never went live, the live ones are about the red one."""
    ledger.take_in(product(1, "red"))
    ledger.approved("first", text="It is red.")
    ledger.publish()
    ledger.take_in(product(1, "blue", "It is red."))
    ledger.write(ledger.plan("second").run)
    ledger.take_in(product(1, "red", "It is red."))

    assert ledger.plan("third").skipped == {"unchanged": 1}


def test_everything_plans_unchanged_products_too(ledger: Ledger) -> None:
    ledger.take_in(*some(3))
    ledger.write(ledger.plan("first").run)

    assert ledger.plan("second", everything=True).queued == 3


def test_skus_choose_products(ledger: Ledger) -> None:
    ledger.take_in(*some(5))

    planned = ledger.plan(skus=["sku2", "sku5", "nobody"])

    assert [draft.sku for draft in ledger.drafts(run=planned.run)] == ["sku2", "sku5"]
    assert planned.skipped == {}
    assert ledger.plan("none", skus=[]).queued == 0


def test_a_limit_takes_the_first_due_products_and_the_next_run_the_rest(ledger: Ledger) -> None:
    ledger.take_in(*some(5))

    first = ledger.plan("first", limit=2)
    second = ledger.plan("second", limit=2)
    third = ledger.plan("third", limit=2)

    assert [draft.sku for draft in ledger.drafts(run=first.run)] == ["sku1", "sku2"]
    assert [draft.sku for draft in ledger.drafts(run=second.run)] == ["sku3", "sku4"]
    assert second.skipped == {"already being written": 2}
    assert [draft.sku for draft in ledger.drafts(run=third.run)] == ["sku5"]


def test_products_in_progress_are_not_planned_even_when_everything_is_asked_for(ledger: Ledger) -> None:
    ledger.take_in(*some(3))
    first = ledger.plan("first")
    ledger.claim(first.run)

    again = ledger.plan("second", recipe="another", everything=True)

    assert (again.queued, again.skipped) == (0, {"already being written": 3})


def test_a_text_edited_by_a_person_in_the_shop_is_never_planned(ledger: Ledger) -> None:
    ledger.take_in(product())
    ledger.approved()
    ledger.publish()
    ledger.take_in(product(description="By hand."))

    again = ledger.plan("second", recipe="another", everything=True)

    assert (again.queued, again.skipped) == (0, {"text edited by a person": 1})


def test_a_draft_reworded_by_a_person_is_never_planned_once_it_is_live(ledger: Ledger) -> None:
    ledger.take_in(product())
    ledger.write(ledger.plan("first").run)
    ledger.decide(ledger.drafts()[0].id, Status.APPROVED, text="By hand.")
    ledger.publish()

    again = ledger.plan("second", recipe="another", everything=True)

    assert (again.queued, again.skipped) == (0, {"text edited by a person": 1})


def test_products_in_a_language_without_a_prompt_are_skipped_and_counted(ledger: Ledger) -> None:
    ledger.take_in(product(1), product(2, language="fr"))

    planned = ledger.plan()

    assert (planned.queued, planned.skipped) == (1, {"no prompt for the language": 1})


def test_chunks_are_numbered_from_zero_and_filled_in_order(ledger: Ledger) -> None:
    ledger.take_in(*some(10))

    run = ledger.plan(chunk_size=4).run

    taken = {number: [claimed.sku for claimed in ledger.claim(run, number)] for number in range(4)}
    assert ledger.chunks(run) == [0, 1, 2]
    assert taken == {
        0: ["sku1", "sku2", "sku3", "sku4"],
        1: ["sku5", "sku6", "sku7", "sku8"],
        2: ["sku9", "sku10"],
        3: [],
    }


def test_a_run_of_nothing_is_finished_at_once_and_found_again_by_its_key(ledger: Ledger) -> None:
    planned = ledger.plan()

    assert planned.created
    assert ledger.run(planned.run).state == "finished"
    assert ledger.bells(10) == []
    assert ledger.plan() == type(planned)(planned.run, created=False, queued=0, skipped={})


def test_a_shop_is_made_once_however_many_ask_at_once(ledger: Ledger) -> None:
    def add() -> int:
        with ledger.database.write() as connection:
            return products.add_shop(connection, "new")

    assert len(set(at_once([add] * 6))) == 1
