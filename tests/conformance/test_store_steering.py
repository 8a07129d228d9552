"""A run under way: paused, resumed, cancelled, limited, taken up again; on both databases."""

import pytest
import sqlalchemy as sa
from databases import Ledger, at_once, outcome, product, some

from copydesk.errors import IllegalMove, NotFound
from copydesk.jobs import stopping, upkeep
from copydesk.model import Status, Telemetry
from copydesk.store import drafts, runs, tables


@pytest.fixture
def run(ledger: Ledger) -> int:
    """A run of six products in three chunks."""
    ledger.take_in(*some(6))
    return ledger.plan(chunk_size=2).run


def pause(ledger: Ledger, run: int) -> None:
    with ledger.database.write() as connection:
        assert runs.pause(connection, run) == "demo"


def resume(ledger: Ledger, run: int) -> None:
    with ledger.database.write() as connection:
        runs.resume(connection, run)


def again(ledger: Ledger, run: int, *states: Status, reason: str | None = None) -> int:
    with ledger.database.write() as connection:
        taken = drafts.take_up_again(connection, run, states or (Status.FAILED,), reason)
        runs.reopen(connection, run, runs.NO_BUDGET)
    return taken


def spend(ledger: Ledger, run: int, tokens: int) -> None:
    with ledger.database.write() as connection:
        runs.add_telemetry(connection, run, 0, Telemetry(completions=1, prompt_tokens=tokens))


def test_nothing_of_a_paused_run_is_rung_or_claimed(ledger: Ledger, run: int) -> None:
    pause(ledger, run)

    assert ledger.bells(10) == []
    assert ledger.claim(run) == []
    assert ledger.run(run).state == "paused"

    resume(ledger, run)
    assert len(ledger.bells(10)) == 3
    assert len(ledger.claim(run)) == 2


def test_what_is_in_hand_when_a_run_is_paused_is_written_down(ledger: Ledger, run: int) -> None:
    claimed = ledger.claim(run)
    pause(ledger, run)

    assert len(ledger.settle(*map(outcome, claimed)).accepted) == 2


def test_a_paused_run_of_which_nothing_is_left_ends(ledger: Ledger) -> None:
    ledger.take_in(product())
    run = ledger.plan().run
    claimed = ledger.claim(run)
    pause(ledger, run)
    ledger.settle(*map(outcome, claimed))

    assert ledger.finalize(run)
    assert ledger.run(run).state == "finished"


def test_only_what_runs_can_be_paused_and_only_what_is_paused_resumed(ledger: Ledger, run: int) -> None:
    with ledger.database.write() as connection:
        with pytest.raises(IllegalMove, match="is running"):
            runs.resume(connection, run)
        with pytest.raises(NotFound, match="no run 99"):
            runs.pause(connection, 99)
    ledger.write(run)
    with ledger.database.write() as connection, pytest.raises(IllegalMove, match="is finished"):
        runs.pause(connection, run)


def test_a_cancelled_run_keeps_what_is_written_and_ends(ledger: Ledger, run: int) -> None:
    first, second = ledger.claim(run)
    ledger.settle(outcome(first))

    assert stopping.stop(ledger.database, run, "cancelled by ann") == 5

    assert ledger.states() == ["ready"] + ["cancelled"] * 5
    assert ledger.drafts()[1].reasons[0].message == "cancelled by ann"
    assert ledger.settle(outcome(second)) == drafts.Settled(frozenset(), 0, 1)
    found = ledger.run(run)
    assert (found.state, found.outcomes, found.queued) == ("cancelled", {"ready": 1, "cancelled": 5}, 6)
    with ledger.database.read() as connection:
        assert runs.detail(connection, run).chunks == {"done": 3}
    assert stopping.stop(ledger.database, run, "once more") == 0


def test_a_cancelling_that_was_killed_halfway_is_finished_by_the_sweep(
    ledger: Ledger, run: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drafts, "AT_ONCE", 10)
    with ledger.database.write() as connection:
        runs.stop(connection, run, "cancelled by ann")
    assert ledger.claim(run) == []

    swept = upkeep.sweep(ledger.database, max_attempts=3, heard=(), rule_is_on=lambda _: False)

    assert swept.cancelled == 6
    assert ledger.run(run).state == "cancelled"


def test_a_run_that_is_cancelled_while_workers_write_ends_once_with_every_draft_accounted_for(ledger: Ledger) -> None:
    ledger.take_in(*some(24))
    run = ledger.plan(chunk_size=4).run

    def work(number: int) -> int:
        claimed = ledger.claim(run, number, token=f"worker {number}")
        return len(ledger.settle(*map(outcome, claimed), token=f"worker {number}").accepted) if claimed else 0

    *written, cancelled = at_once(
        [
            *[lambda number=number: work(number) for number in range(6)],
            lambda: stopping.stop(ledger.database, run, "cancelled by ann"),
        ]
    )
    while left := stopping.go_on(ledger.database):
        cancelled += left

    assert sum(written) + cancelled == 24
    assert sorted(ledger.states()) == ["cancelled"] * cancelled + ["ready"] * sum(written)
    assert ledger.run(run).finished_at


def test_cancelled_products_are_due_again(ledger: Ledger, run: int) -> None:
    stopping.stop(ledger.database, run, "cancelled by ann")
    assert ledger.plan("next").queued == 6


def test_a_run_over_its_budget_of_tokens_is_stopped_by_the_sweep(ledger: Ledger) -> None:
    ledger.take_in(*some(3))
    run = ledger.plan(chunk_size=1, budget=runs.Budget(max_tokens=1_000)).run
    spend(ledger, run, 999)
    assert stopping.go_on(ledger.database) == 0

    spend(ledger, run, 1)

    assert stopping.go_on(ledger.database) == 3
    assert ledger.run(run).stopped_because == "the run reached its budget: 1,000 of 1,000 tokens"


def test_a_run_over_its_budget_of_minutes_is_stopped_by_the_sweep(ledger: Ledger) -> None:
    ledger.take_in(*some(3))
    run = ledger.plan(chunk_size=1, budget=runs.Budget(max_minutes=30)).run
    assert stopping.go_on(ledger.database) == 0, "nothing of it has begun"
    ledger.claim(run)
    assert stopping.go_on(ledger.database) == 0
    with ledger.database.write() as connection:
        connection.execute(sa.update(tables.runs).values(started_at=tables.now(-1_801)))

    assert stopping.go_on(ledger.database) == 3
    assert ledger.run(run).stopped_because == "the run reached its budget of 30 minutes"


def test_a_run_without_a_budget_goes_on_whatever_it_costs(ledger: Ledger, run: int) -> None:
    spend(ledger, run, 10**12)
    assert stopping.go_on(ledger.database) == 0


def test_dead_letters_are_written_once_more_in_their_run(ledger: Ledger, run: int) -> None:
    ledger.write(run, Status.FAILED)
    assert ledger.run(run).outcomes == {"failed": 6}

    assert again(ledger, run) == 6

    found = ledger.run(run)
    assert (found.state, found.finished_at, found.outcomes) == ("running", None, {})
    assert [draft.attempt for draft in ledger.drafts()] == [0] * 6
    ledger.write(run)
    assert ledger.run(run).outcomes == {"ready": 6}


def test_only_dead_letters_with_the_named_reason_are_taken_up(ledger: Ledger, run: int) -> None:
    claimed = ledger.claim(run)
    ledger.settle(*[outcome(one, Status.FAILED) for one in claimed])
    with ledger.database.write() as connection:
        mine = tables.drafts.c.id == claimed[0].id
        reasons = [{"code": "engine.failed", "message": "no answer", "span": ""}]
        connection.execute(sa.update(tables.drafts).where(mine).values(reasons=reasons))

    assert again(ledger, run, reason="engine.failed") == 1
    assert sorted(ledger.states()) == ["failed"] + ["pending"] * 5


def test_a_dead_letter_that_a_newer_draft_took_the_place_of_stays_dead(ledger: Ledger) -> None:
    ledger.take_in(*some(2))
    run = ledger.plan("first").run
    ledger.write(run, Status.FAILED)
    ledger.plan("second", skus=["sku1"])

    assert again(ledger, run) == 1
    assert ledger.states(run) == ["failed", "pending"]


def test_what_was_cancelled_is_taken_up_when_it_is_asked_for(ledger: Ledger, run: int) -> None:
    stopping.stop(ledger.database, run, "cancelled by ann")

    assert again(ledger, run) == 0
    assert again(ledger, run, Status.FAILED, Status.CANCELLED) == 6
    assert ledger.run(run).stopped_because is None


def test_minutes_of_a_run_that_is_taken_up_again_count_from_its_next_claim(ledger: Ledger, run: int) -> None:
    ledger.write(run, Status.FAILED)
    with ledger.database.write() as connection:
        connection.execute(sa.update(tables.runs).values(started_at=tables.now(-7_200)))
        drafts.take_up_again(connection, run, [Status.FAILED])
        runs.reopen(connection, run, runs.Budget(max_minutes=10))

    assert stopping.go_on(ledger.database) == 0
    ledger.claim(run)
    assert stopping.go_on(ledger.database) == 0
