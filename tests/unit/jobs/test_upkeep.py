"""The sweep puts right what crashed workers and lost bells left behind, and publishes by rule what was asked for."""

from collections.abc import Collection

import pytest
import sqlalchemy as sa
from databases import Ledger, outcome, product, some
from reviewing import Desk, review, some_reviews, triaged

from copydesk.errors import NotFound
from copydesk.jobs import publishing, upkeep
from copydesk.model import Policy, Status, TextFormat
from copydesk.store import Database, tables
from copydesk.store.reviews import Forgotten
from copydesk.store.texts import Published


@pytest.fixture
def ledger(sqlite_database: Database) -> Ledger:
    return Ledger(sqlite_database)


def sweep(ledger: Ledger, max_attempts: int = 3, heard: Collection[tuple[int, int]] = ()) -> upkeep.Swept:
    return upkeep.sweep(ledger.database, max_attempts=max_attempts, heard=heard, rule_is_on=lambda _: True)


def swept(**counts: int) -> upkeep.Swept:
    nothing = dict.fromkeys(("returned", "failed", "rung_again", "cancelled", "finished", "published"), 0)
    return upkeep.Swept(**{**nothing, **counts})


def test_a_sweep_over_a_healthy_ledger_changes_nothing(ledger: Ledger) -> None:
    ledger.take_in(*some(4))
    run = ledger.plan(chunk_size=2).run
    ledger.bells(10)
    ledger.claim(run, 0)

    assert sweep(ledger) == swept()
    assert not swept()
    assert ledger.states() == ["writing", "writing", "pending", "pending"]


def test_a_crashed_workers_chunk_is_returned_and_rung_again(ledger: Ledger) -> None:
    ledger.take_in(*some(2))
    run = ledger.plan().run
    ledger.bells(10)
    ledger.claim(run, lease_seconds=-1)

    assert sweep(ledger) == swept(returned=2)
    assert [bell.rings for bell in ledger.bells(10)] == [2]


def test_a_run_whose_last_drafts_are_out_of_attempts_is_ended_by_the_same_sweep(ledger: Ledger) -> None:
    ledger.take_in(*some(2))
    run = ledger.plan().run
    ledger.claim(run, lease_seconds=-1)

    assert sweep(ledger, max_attempts=1) == swept(failed=2, finished=1)
    assert ledger.run(run).outcomes == {"failed": 2}


def test_a_bell_just_rung_is_not_lost_even_when_nobody_has_heard_it(ledger: Ledger) -> None:
    """A chunk is marked as rung a moment before its bell is sent."""
    ledger.take_in(product())
    ledger.plan()
    ledger.bells(10)

    assert sweep(ledger).rung_again == 0


def test_an_old_bell_is_lost_when_neither_the_broker_nor_a_worker_has_it(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upkeep, "PATIENCE_SECONDS", -1.0)
    ledger.take_in(product())
    run = ledger.plan().run
    ledger.bells(10)

    assert sweep(ledger, heard={(run, 0)}).rung_again == 0
    assert sweep(ledger, heard={(run, 1)}).rung_again == 1
    assert sweep(ledger).rung_again == 0


def test_a_run_that_only_needs_an_end_gets_it(ledger: Ledger) -> None:
    ledger.take_in(*some(2))
    run = ledger.plan().run
    ledger.settle(*[outcome(claimed) for claimed in ledger.claim(run)])

    assert sweep(ledger) == swept(finished=1)
    assert ledger.run(run).state == "finished"
    assert not sweep(ledger)


def test_a_sweep_publishes_by_rule_what_it_has_just_ended(ledger: Ledger) -> None:
    ledger.take_in(*some(3))
    run = ledger.plan(auto_publish=True).run
    first, second, third = ledger.claim(run)
    ledger.settle(outcome(first, text="A & B."), outcome(second, Status.HELD), outcome(third))

    assert sweep(ledger) == swept(finished=1, published=2)
    assert ledger.live() == "<p>A &amp; B.</p>"
    assert ledger.states() == ["published", "held", "published"]


def test_nothing_is_published_on_silence(ledger: Ledger) -> None:
    ledger.take_in(product())
    ledger.write(ledger.plan().run)

    assert sweep(ledger).published == 0
    assert ledger.states() == ["ready"]


def test_publishing_counts_what_was_stale_and_what_is_a_persons(ledger: Ledger) -> None:
    ledger.take_in(product(1, text_format=TextFormat.PLAIN), product(2), product(3))
    ledger.approved("first", skus=["sku1"], text="ours")
    assert publishing.publish(ledger.database, ledger.shop_id, by="ann") == Published(1, 0, 0)
    ledger.approved("second", everything=True, text="newer")
    ledger.take_in(product(1, description="By hand.", text_format=TextFormat.PLAIN), product(2, "blue"))

    assert publishing.publish(ledger.database, ledger.shop_id, by="ann") == Published(1, 0, 1)
    assert (ledger.live("sku1"), ledger.live("sku2"), ledger.live("sku3")) == (
        "By hand.", "<p>old 2</p>", "<p>newer</p>",
    )  # fmt: skip


def test_the_sweep_blanks_reviews_that_were_kept_long_enough_some_at_a_time(
    sqlite_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upkeep, "FORGOTTEN_AT_ONCE", 2)
    desk = Desk(sqlite_database)
    desk.take(*some_reviews(4))
    with sqlite_database.write() as connection:
        old = tables.reviews.c.review_id != "r4"
        connection.execute(sa.update(tables.reviews).where(old).values(imported_at=tables.now(-40 * 86_400)))

    def blanked(days: float | None) -> int:
        return upkeep.sweep(
            sqlite_database, max_attempts=3, heard=(), rule_is_on=lambda _: True, keep_reviews_days=days
        ).forgotten

    assert (blanked(None), blanked(41)) == (0, 0)
    assert [blanked(30), blanked(30), blanked(30)] == [2, 1, 0]
    assert [row.text for row in desk.rows()] == ["", "", "", "Lovely, and it came quickly."]


def test_a_reviewer_is_forgotten_in_one_shop_or_in_all(
    sqlite_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upkeep, "FORGOTTEN_AT_ONCE", 1)
    desk, other = Desk(sqlite_database), Desk(sqlite_database, "other")
    for one in (desk, other):
        one.take(triaged(review()), triaged(review(2, reviewer=review().reviewer)))
        one.answer(one.plan_replies().run)

    assert upkeep.forget(sqlite_database, reviewer="u-1", shop="other") == Forgotten(2, 2)
    assert upkeep.forget(sqlite_database, reviewer="DANA QUILLFEATHER 1") == Forgotten(2, 2)
    assert upkeep.forget(sqlite_database, reviewer="Dana Quillfeather 1") == Forgotten(0, 0)
    with pytest.raises(NotFound, match="'nowhere'"):
        upkeep.forget(sqlite_database, reviewer="x", shop="nowhere")


def test_no_rule_of_the_catalog_publishes_replies(sqlite_database: Database) -> None:
    """Their runs keep in the same column that the shop's own rule was on."""
    desk = Desk(sqlite_database)
    desk.take(triaged(review(), Policy.AUTO))
    desk.answer(desk.plan_replies(by_rule=True).run)
    assert sweep(desk).published == 0
    assert desk.reply_states() == ["ready"]
