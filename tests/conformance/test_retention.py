"""What old runs left behind goes once nothing needs it; what a person or the next run may need stays."""

import pytest
import sqlalchemy as sa
from databases import Ledger, outcome, product, some
from reviewing import Desk, some_reviews

from copydesk.jobs import upkeep
from copydesk.model import Status
from copydesk.store import Database, batches, drafts, reporting, retention, runs, sentiments, tables

KEPT_DAYS = 30.0
LINES = [batches.Line(number, f"id-{number}", {"messages": []}) for number in range(1, 4)]


@pytest.fixture
def desk(database: Database) -> Desk:
    return Desk(database)


def age(ledger: Ledger, run: int, days: float = KEPT_DAYS + 1) -> None:
    """The run ended so many days ago."""
    mine = sa.update(tables.runs).where(tables.runs.c.id == run, tables.runs.c.finished_at.is_not(None))
    with ledger.database.write() as connection:
        assert connection.execute(mine.values(finished_at=tables.now(-days * 86_400))).rowcount == 1


def written(
    ledger: Ledger, key: str, status: Status = Status.READY, *, days: float = KEPT_DAYS + 1, **order: object
) -> int:
    """Every product of the shop once more, in a run that ended so many days ago; returns its number."""
    run = ledger.plan(key, everything=True, **order).run
    ledger.write(run, status, text=f"{key} of {{sku}}")
    age(ledger, run, days)
    return run


def clean(ledger: Ledger) -> int:
    return upkeep.clean(ledger.database, KEPT_DAYS)


def count(ledger: Ledger, table: sa.Table, run: int) -> int:
    with ledger.database.read() as connection:
        return connection.scalar(sa.select(sa.func.count()).select_from(table).where(table.c.run_id == run)) or 0


def batch(ledger: Ledger, key: str = "file") -> runs.Planned:
    with ledger.database.write() as connection:
        return batches.plan(connection, batches.Order(key, {"model": "tiny"}, 2, "catalog"), LINES)


def answered(ledger: Ledger, key: str = "file", *, days: float = KEPT_DAYS + 1) -> int:
    """A batch whose requests are all answered, so many days ago; returns its run."""
    run = batch(ledger, key).run
    for number in ledger.chunks(run):
        with ledger.database.write() as connection:
            claimed = batches.claim(connection, run, number, token="writer", lease_seconds=60)
            choices = [{"text": "Hi", "finish": "stop"}]
            made = [drafts.Outcome(one.id, Status.READY, choices=choices) for one in claimed]
            drafts.settle(connection, "writer", made)
    assert ledger.finalize(run)
    age(ledger, run, days)
    return run


def test_drafts_that_a_newer_one_replaced_go_and_the_run_keeps_its_counts(ledger: Ledger) -> None:
    ledger.take_in(*some(5))
    first = written(ledger, "first", chunk_size=2)
    second = written(ledger, "second", Status.HELD)
    before = ledger.run(first)

    assert clean(ledger) == 5

    assert (ledger.drafts(run=first), count(ledger, tables.chunks, first)) == ([], 0)
    assert ledger.states(second) == ["held"] * 5
    found = ledger.run(first)
    assert (found.queued, found.outcomes, found.state) == (5, {"ready": 5}, "finished")
    assert (found.created_at, found.started_at) == (before.created_at, before.started_at)
    assert found.counts == {}
    assert clean(ledger) == 0


def test_drafts_of_a_run_that_is_young_enough_stay(ledger: Ledger) -> None:
    ledger.take_in(*some(2))
    first = written(ledger, "first", days=KEPT_DAYS - 1)
    written(ledger, "second", days=0)

    assert clean(ledger) == 0
    assert ledger.states(first) == ["ready", "ready"]
    assert count(ledger, tables.chunks, first) == 1


def test_nothing_goes_of_a_run_that_goes_on_again(ledger: Ledger) -> None:
    ledger.take_in(*some(3))
    first = ledger.plan("first").run
    ready, held, failed = ledger.claim(first)
    ledger.settle(outcome(ready), outcome(held, Status.HELD), outcome(failed, Status.FAILED))
    ledger.finalize(first)
    age(ledger, first)
    written(ledger, "second", skus=["sku1", "sku2"])
    with ledger.database.write() as connection:
        assert drafts.take_up_again(connection, first, [Status.FAILED]) == 1
        runs.reopen(connection, first, runs.NO_BUDGET)

    assert clean(ledger) == 0
    ledger.write(first)
    assert ledger.run(first).outcomes == {"ready": 2, "held": 1}


def test_the_newest_draft_of_a_product_stays_so_that_an_unchanged_one_is_still_not_asked_for(ledger: Ledger) -> None:
    ledger.take_in(*some(4))
    written(ledger, "first")
    second = written(ledger, "second")
    with ledger.database.write() as connection:
        drafts.decide(connection, ledger.drafts(run=second)[0].id, Status.REJECTED, by="ann")

    assert clean(ledger) == 4

    planned = ledger.plan("third")
    assert (planned.queued, planned.skipped) == (0, {"unchanged": 4})


@pytest.mark.parametrize("status", [Status.FAILED, Status.CANCELLED, Status.STALE])
def test_a_newer_draft_without_a_text_takes_no_place(ledger: Ledger, status: Status) -> None:
    ledger.take_in(*some(2))
    first = written(ledger, "first")
    second = ledger.plan("second", everything=True).run
    own = sa.update(tables.drafts).where(tables.drafts.c.run_id == second)
    with ledger.database.write() as connection:
        connection.execute(own.values(state=status.value, outcome=status.value))
    ledger.finalize(second)
    age(ledger, second)

    assert clean(ledger) == 0
    assert ledger.states(first) == ["ready", "ready"]


@pytest.mark.parametrize("claimed", [False, True])
def test_a_newer_draft_that_is_not_written_yet_takes_no_place(ledger: Ledger, claimed: bool) -> None:
    """It may fail; then the one that waits for a person is all there is."""
    ledger.take_in(*some(2))
    first = written(ledger, "first")
    second = ledger.plan("second", everything=True).run
    if claimed:
        ledger.claim(second)

    assert clean(ledger) == 0
    assert ledger.states(first) == ["ready", "ready"]


def test_what_went_live_stays_and_is_undone_byte_for_byte(ledger: Ledger) -> None:
    ledger.take_in(product())
    for key in ("first", "second"):
        run = written(ledger, key)
        with ledger.database.write() as connection:
            drafts.approve_all(connection, run, by="ann")
        ledger.publish()
    written(ledger, "third")

    assert clean(ledger) == 0

    assert ledger.states() == ["published", "published", "ready"]
    assert [ledger.undo(), ledger.undo()] == ["first of sku1", "<p>old 1</p>"]
    assert clean(ledger) == 0, "a version of the live text still came from them"


def test_what_is_approved_and_not_published_yet_stays(ledger: Ledger) -> None:
    ledger.take_in(*some(2))
    first = written(ledger, "first")
    ledger.decide(ledger.drafts(run=first)[0].id, Status.APPROVED)
    written(ledger, "second")

    assert clean(ledger) == 1

    assert ledger.states(first) == ["approved"]
    assert count(ledger, tables.chunks, first) == 1, "the run still has a draft"


def test_each_shop_keeps_the_newest_of_its_own(ledger: Ledger) -> None:
    other = Ledger(ledger.database, "other")
    for shop in (ledger, other):
        shop.take_in(product())
    written(ledger, "first")
    written(other, "later")

    assert clean(ledger) == 0


def test_a_batch_goes_wholly_and_its_run_keeps_its_counts(ledger: Ledger) -> None:
    old, young = answered(ledger, "old"), answered(ledger, "young", days=KEPT_DAYS - 1)

    assert clean(ledger) == 3

    left = [count(ledger, table, old) for table in (tables.drafts, tables.chunks, tables.batch_requests)]
    kept = [count(ledger, table, young) for table in (tables.drafts, tables.chunks, tables.batch_requests)]
    assert (left, kept) == ([0, 0, 0], [3, 2, 3])
    assert (ledger.run(old).queued, ledger.run(old).outcomes) == (3, {"ready": 3})


def test_a_batch_file_whose_answers_are_gone_is_asked_anew(ledger: Ledger) -> None:
    """Else the same command writes a file without any answer, and says that all is well."""
    old = answered(ledger)
    clean(ledger)

    planned = batch(ledger)

    assert (planned.created, planned.queued) == (True, 3)
    assert planned.run != old


def test_a_batch_file_is_asked_anew_also_when_the_cleaning_was_killed_halfway(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = answered(ledger)

    def killed(connection: object, days: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(retention, "remove_empty", killed)
    with pytest.raises(KeyboardInterrupt):
        clean(ledger)

    assert [count(ledger, table, run) for table in (tables.drafts, tables.batch_requests)] == [0, 3]
    assert batch(ledger).run != run


def test_sentiments_go_and_stay_with_their_reviews(desk: Desk) -> None:
    desk.take(*some_reviews(2))
    with desk.database.write() as connection:
        run = sentiments.plan(
            connection, desk.shop_id, run_key="first", recipe={"model": "tiny"}, by="tiny@1", chunk_size=4
        ).run
    desk.settle(*[drafts.Outcome(one.id, Status.HELD) for one in desk.claim_replies(run)])
    desk.finalize(run)
    age(desk, run)
    before = desk.rows()

    assert clean(desk) == 2

    assert count(desk, tables.chunks, run) == 0
    assert desk.rows() == before
    assert desk.run(run).outcomes == {"held": 2}


def test_replies_stay_sent_or_not(desk: Desk) -> None:
    desk.take(*some_reviews(3))
    run = desk.plan_replies().run
    desk.answer(run)
    age(desk, run)

    assert clean(desk) == 0
    assert desk.reply_states() == ["ready"] * 3


def test_what_status_and_report_say_of_a_cleaned_run_is_what_it_did(ledger: Ledger) -> None:
    ledger.take_in(*some(3))
    first = written(ledger, "first")
    second = written(ledger, "second", Status.HELD, days=0)
    old = answered(ledger)
    assert clean(ledger) == 6

    with ledger.database.read() as connection:
        found = runs.latest(connection)
        details = [runs.detail(connection, run) for run in (first, old)]
        heads = [reporting.head(connection, run) for run in (first, old)]
        assert runs.to_publish_by_rule(connection) == []
        assert drafts.open_ones(connection) == 0
        assert list(batches.answers(connection, old)) == []

    assert [(run.id, run.queued, run.settled) for run in found] == [(old, 3, 3), (second, 3, 3), (first, 3, 3)]
    assert [(one.chunks, one.lapsed, one.reasons) for one in details] == [({}, 0, {})] * 2
    assert [(head.settled, head.left, head.removed) for head in heads] == [(3, 0, 3)] * 2


def test_many_drafts_go_a_few_at_a_time(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "REMOVED_AT_ONCE", 4)
    ledger.take_in(*some(10))
    written(ledger, "first", chunk_size=3)
    written(ledger, "second")

    with ledger.database.write() as connection:
        assert retention.remove_some(connection, KEPT_DAYS) == 4
    assert clean(ledger) == 6
