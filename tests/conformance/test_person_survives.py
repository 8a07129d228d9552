"""A text that a person wrote survives every kind of run, import and undo of a run, and only its own kind is kept so."""

from collections.abc import Callable

import pytest
from databases import Ledger, outcome, product

from copydesk.jobs import publishing, upkeep
from copydesk.model import Product, Status
from copydesk.store import drafts, products, runs
from copydesk.store.selecting import Which
from copydesk.store.texts import Published, Undone

SEO = "seo_title"
WORDS = "A person's own words, 40 cm & <b>bold</b>.\r\n🫖"
BY_PERSON = "text edited by a person"


def in_the_shop(ledger: Ledger) -> Callable[[], None]:
    """The merchant rewrites in the shop what we published."""
    ledger.publish(ledger.approved("first", text="ours"))
    return lambda: assert_taken_in(ledger, product(description=WORDS))


def in_a_draft(ledger: Ledger) -> Callable[[], None]:
    """The merchant rewrites a draft, and publishes it."""
    run = ledger.plan("first").run
    ledger.write(run)

    def edit() -> None:
        ledger.decide(ledger.drafts(run=run)[0].id, Status.APPROVED, WORDS)
        assert ledger.publish(run) == Published(1)

    return edit


def assert_taken_in(ledger: Ledger, changed: Product) -> None:
    ledger.take_in(changed)
    assert ledger.history()[-1].by_person


@pytest.fixture(params=[in_the_shop, in_a_draft])
def edited(ledger: Ledger, request: pytest.FixtureRequest) -> Ledger:
    """One product whose text a person wrote, and whose facts have changed since: it is due for a new description."""
    ledger.take_in(product())
    request.param(ledger)()
    assert ledger.live() == WORDS
    ledger.take_in(product(colour="blue", description=WORDS))
    return ledger


def kept(ledger: Ledger) -> None:
    assert ledger.live() == WORDS
    assert ledger.history()[-1].by_person


def test_runs_of_its_kind_leave_the_product_out_however_they_are_asked_for(edited: Ledger) -> None:
    for name, order in {
        "describe": {},
        "describe --all": {"everything": True},
        "describe --sku --all": {"skus": ["sku1"], "everything": True},
        "--urgent": {"lane": "replies", "everything": True},
        "nightly": {"auto_publish": True},
    }.items():
        planned = edited.plan(name, **order)
        assert (planned.queued, planned.skipped) == (0, {BY_PERSON: 1}), name
    assert upkeep.sweep(edited.database, max_attempts=3, heard=(), rule_is_on=lambda _: True).published == 0
    kept(edited)


@pytest.mark.parametrize("write", [in_the_shop, in_a_draft])
def test_what_was_written_or_approved_before_the_person_wrote_does_not_go_live_after(
    ledger: Ledger, write: Callable[[Ledger], Callable[[], None]]
) -> None:
    ledger.take_in(product())
    edit = write(ledger)
    late = ledger.approved("late", text="late", everything=True)
    assert ledger.live() != WORDS
    edit()

    assert ledger.publish(late) == Published(protected=1)
    kept(ledger)


def test_the_auto_publish_rule_does_not_publish_over_it(ledger: Ledger) -> None:
    ledger.take_in(product())
    edit = in_the_shop(ledger)
    run = ledger.plan("nightly", everything=True, auto_publish=True).run
    ledger.write(run, text="by rule")
    edit()

    assert publishing.publish_by_rule(ledger.database, lambda _: True) == 0
    assert ledger.states(run) == ["rejected"]
    kept(ledger)


def test_a_redriven_draft_does_not_go_live_over_it(ledger: Ledger) -> None:
    ledger.take_in(product())
    edit = in_the_shop(ledger)
    run = ledger.plan("crashed", everything=True).run
    (claimed,) = ledger.claim(run)
    ledger.settle(outcome(claimed, Status.FAILED, ""))
    ledger.finalize(run)
    edit()

    with ledger.database.write() as connection:
        assert drafts.take_up_again(connection, run, [Status.FAILED]) == 1
        runs.reopen(connection, run, runs.NO_BUDGET)
    ledger.write(run, text="redriven")
    publishing.decide_all(ledger.database, Which(run=run), Status.APPROVED, by="ann")
    assert ledger.publish(run) == Published(protected=1)
    kept(ledger)


def test_a_run_of_another_kind_writes_its_own_kind_and_leaves_the_words(edited: Ledger) -> None:
    run = edited.approved("titles", "A title", kind=SEO)
    assert edited.publish(run, kind=SEO) == Published(1)

    assert edited.live(kind=SEO) == "A title"
    kept(edited)
    assert publishing.undo_run(edited.database, run, by="ann") == Undone(1)
    kept(edited)


def test_the_file_that_the_shop_came_with_does_not_bring_its_text_back(edited: Ledger) -> None:
    edited.take_in(product())

    kept(edited)
    assert edited.plan("again", everything=True).skipped == {BY_PERSON: 1}


def test_the_shops_own_file_with_the_words_in_it_changes_nothing(edited: Ledger) -> None:
    versions = len(edited.history())
    edited.take_in(product(colour="blue", description=WORDS))
    with edited.database.write() as connection:
        assert products.take_in_texts(connection, edited.shop_id, {"sku1": WORDS}).changed == 0

    assert len(edited.history()) == versions
    kept(edited)


def test_other_words_of_a_person_take_their_place_and_are_kept_in_turn(edited: Ledger) -> None:
    edited.take_in(product(colour="blue", description="Other words."))

    assert edited.live() == "Other words."
    assert edited.plan("again", everything=True).skipped == {BY_PERSON: 1}
    assert edited.undo() == WORDS
    kept(edited)


def test_undoing_the_run_that_the_words_came_after_leaves_them(edited: Ledger) -> None:
    run = edited.drafts()[0].run

    assert publishing.undo_run(edited.database, run, by="ann") == Undone(by_person=1)
    kept(edited)
