"""Leases: claimed once, settled on condition, replaced when stale, returned when they run out."""

from dataclasses import replace

import pytest
import sqlalchemy as sa
from databases import Ledger, Meanwhile, at_once, outcome, product, some

from copydesk.model import Reason, Status
from copydesk.store import drafts, products, runs, tables


@pytest.fixture
def run(ledger: Ledger) -> int:
    """A run of four products in one chunk."""
    ledger.take_in(*some(4))
    return ledger.plan().run


def test_a_claim_takes_the_whole_chunk_with_its_facts(ledger: Ledger, run: int) -> None:
    claimed = ledger.claim(run)

    assert [one.sku for one in claimed] == ["sku1", "sku2", "sku3", "sku4"]
    assert claimed[0].facts == product(1).facts
    assert [one.attempt for one in claimed] == [1, 1, 1, 1]


def test_a_second_claim_takes_nothing(ledger: Ledger, run: int) -> None:
    ledger.claim(run)
    assert ledger.claim(run, token="another") == []


def test_a_claim_takes_nothing_from_a_lease_that_ran_out_but_was_not_returned(ledger: Ledger, run: int) -> None:
    ledger.claim(run, lease_seconds=-1)
    assert ledger.claim(run, token="another") == []


def test_claims_of_one_chunk_at_once_are_disjoint_and_complete(ledger: Ledger) -> None:
    ledger.take_in(*some(30))
    run = ledger.plan(chunk_size=30).run

    taken = at_once([lambda token=token: ledger.claim(run, token=f"worker {token}") for token in range(6)])

    ids = [claimed.id for one in taken for claimed in one]
    assert len(ids) == len(set(ids)) == 30
    assert {draft.attempt for draft in ledger.drafts()} == {1}


def test_claims_of_an_edited_chunk_at_once_make_one_successor_each(ledger: Ledger) -> None:
    ledger.take_in(*some(12))
    run = ledger.plan(chunk_size=12).run
    ledger.take_in(*some(12, "blue"))

    taken = at_once([lambda token=token: ledger.claim(run, token=f"worker {token}") for token in range(5)])

    assert sorted(claimed.sku for one in taken for claimed in one) == sorted(f"sku{place}" for place in range(1, 13))
    assert {claimed.facts.attributes for one in taken for claimed in one} == {(("Colour", "blue"),)}
    assert sorted(ledger.states()) == ["stale"] * 12 + ["writing"] * 12
    assert ledger.run(run).queued == 24


def test_an_outcome_is_written_as_it_was_made(ledger: Ledger, run: int) -> None:
    claimed, *_ = ledger.claim(run)
    reason = Reason("numbers.unknown", 'says "5 kg"', "5 kg")
    made = drafts.Outcome(
        claimed.id, Status.HELD, "Ünïcode 🫖\r\n ", (reason,), 3, "tiny", "description/en@1", {"seed": 7}, 11, 13
    )

    assert ledger.settle(made) == drafts.Settled(frozenset({claimed.id}), 0, 0)

    found = ledger.drafts(ids=[claimed.id])[0]
    assert (found.state, found.text, found.reasons) == (Status.HELD, "Ünïcode 🫖\r\n ", (reason,))
    assert (found.asks, found.model, found.prompt, found.sampling) == (3, "tiny", "description/en@1", {"seed": 7})
    assert (found.model_text, found.decided_by) == (None, None)


def test_an_outcome_is_written_once(ledger: Ledger, run: int) -> None:
    claimed, *_ = ledger.claim(run)
    ledger.settle(outcome(claimed, text="first"))

    assert ledger.settle(outcome(claimed, text="second")) == drafts.Settled(frozenset(), 0, 1)
    assert ledger.drafts(ids=[claimed.id])[0].text == "first"


def test_a_stranger_settles_nothing(ledger: Ledger, run: int) -> None:
    claimed, *_ = ledger.claim(run)

    assert ledger.settle(outcome(claimed), token="stranger") == drafts.Settled(frozenset(), 0, 1)
    assert set(ledger.states()) == {"writing"}


def test_a_stranger_makes_nothing_stale(ledger: Ledger, run: int) -> None:
    claimed, *_ = ledger.claim(run)
    ledger.take_in(product(1, "blue"))

    assert ledger.settle(outcome(claimed), token="stranger") == drafts.Settled(frozenset(), 0, 1)
    assert set(ledger.states()) == {"writing"}


def test_a_worker_whose_draft_went_to_another_settles_nothing(ledger: Ledger, run: int) -> None:
    claimed = ledger.claim(run, token="slow", lease_seconds=-1)
    ledger.return_expired()
    ledger.claim(run, token="quick")

    assert ledger.settle(*map(outcome, claimed), token="slow").fenced == 4
    assert len(ledger.settle(*map(outcome, claimed), token="quick").accepted) == 4


def test_a_worker_that_was_late_but_not_replaced_may_settle(ledger: Ledger, run: int) -> None:
    claimed = ledger.claim(run, lease_seconds=-1)
    assert len(ledger.settle(*map(outcome, claimed)).accepted) == 4


def test_a_late_worker_and_the_sweep_at_once_lose_and_double_nothing(ledger: Ledger) -> None:
    """The drafts in reverse order, as completions come in any: the sweep goes through them in its own."""
    ledger.take_in(*some(30))
    run = ledger.plan(chunk_size=30).run
    claimed = ledger.claim(run, lease_seconds=-1)

    settled, (returned, failed) = at_once(
        [lambda: ledger.settle(*map(outcome, reversed(claimed))), ledger.return_expired]
    )

    assert failed == 0
    assert len(settled.accepted) + returned == 30
    assert sorted(ledger.states()) == ["pending"] * returned + ["ready"] * len(settled.accepted)


def test_a_late_worker_and_the_sweep_do_not_lock_each_other_out(ledger: Ledger, meanwhile: Meanwhile) -> None:
    """The worker has written its last draft and comes to its first; the sweep has the first and waits for the last."""
    ledger.take_in(*some(30))
    run = ledger.plan(chunk_size=30).run
    claimed = ledger.claim(run, lease_seconds=-1)

    with ledger.database.write() as connection:
        drafts.settle(connection, "mine", [outcome(claimed[-1])])
        sweep = meanwhile.start(ledger.return_expired)
        first = drafts.settle(connection, "mine", [outcome(claimed[0])])

    assert sweep.result(30) == (29 - len(first.accepted), 0)


def test_a_product_edited_before_the_claim_is_written_from_todays_facts(ledger: Ledger, run: int) -> None:
    ledger.take_in(product(2, "blue"))

    claimed = ledger.claim(run)

    assert {one.sku: dict(one.facts.attributes)["Colour"] for one in claimed} == {
        "sku1": "red", "sku2": "blue", "sku3": "red", "sku4": "red",
    }  # fmt: skip
    assert sorted(ledger.states()) == ["stale"] + ["writing"] * 4


def test_a_product_edited_while_it_was_written_becomes_stale_with_a_successor_in_the_same_chunk(
    ledger: Ledger, run: int
) -> None:
    claimed = ledger.claim(run)
    ledger.take_in(product(2, "blue"))

    settled = ledger.settle(*map(outcome, claimed))

    assert (len(settled.accepted), settled.stale, settled.fenced) == (3, 1, 0)
    assert [draft.state.value for draft in ledger.drafts(sku="sku2")] == ["stale", "pending"]
    assert ledger.drafts(sku="sku2")[0].text == ""
    (again,) = ledger.claim(run, token="another")
    assert (again.sku, dict(again.facts.attributes)["Colour"], again.attempt) == ("sku2", "blue", 1)
    ledger.settle(outcome(again), token="another")
    assert ledger.finalize(run)
    found = ledger.run(run)
    assert found.outcomes == {"ready": 4, "stale": 1}
    assert found.queued == found.settled == 5


def test_a_product_edited_there_and_back_while_it_was_written_is_not_stale(ledger: Ledger, run: int) -> None:
    claimed = ledger.claim(run)
    ledger.take_in(product(2, "blue"))
    ledger.take_in(product(2, "red"))

    assert len(ledger.settle(*map(outcome, claimed)).accepted) == 4


def test_an_edit_that_is_stored_while_an_outcome_is_written_leaves_no_ready_draft_about_old_facts(
    ledger: Ledger, meanwhile: Meanwhile, run: int
) -> None:
    """The import has looked for finished drafts but has not committed; then comes the worker."""
    claimed, *_ = ledger.claim(run)
    with ledger.database.write() as connection:
        products.take_in(connection, ledger.shop_id, [product(1, "blue")])
        late = meanwhile.start(lambda: ledger.settle(outcome(claimed, text="It is red.")))
    late.result(30)

    states = [draft.state for draft in ledger.drafts(sku="sku1")]
    assert Status.READY not in states, "a person would read 'It is red.' beside facts that say blue"


def test_an_edit_that_comes_while_an_outcome_is_written_leaves_no_ready_draft_about_old_facts(
    ledger: Ledger, meanwhile: Meanwhile, run: int
) -> None:
    """The worker has written but not committed; then comes the import."""
    claimed, *_ = ledger.claim(run)
    with ledger.database.write() as connection:
        drafts.settle(connection, "mine", [outcome(claimed, text="It is red.")])
        late = meanwhile.start(lambda: ledger.take_in(product(1, "blue")))
    late.result(30)

    states = [draft.state for draft in ledger.drafts(sku="sku1")]
    assert Status.READY not in states, "a person would read 'It is red.' beside facts that say blue"


def test_renewing_pushes_the_own_lease_on(ledger: Ledger, run: int) -> None:
    ledger.claim(run, lease_seconds=-1)
    with ledger.database.write() as connection:
        assert drafts.renew(connection, run, 0, "stranger", 60) == 0
        assert drafts.renew(connection, run, 0, "mine", 60) == 4

    assert ledger.return_expired() == (0, 0)


def test_what_is_let_go_waits_again_at_once_and_it_was_no_attempt(ledger: Ledger, run: int) -> None:
    ledger.claim(run, lease_seconds=3600)

    assert ledger.let_go(run, token="stranger") == 0
    assert ledger.let_go(run) == 4
    assert [one.attempt for one in ledger.claim(run, token="another")] == [1] * 4


def test_what_the_engine_crashed_over_is_an_attempt_and_of_the_others_it_is_none(ledger: Ledger, run: int) -> None:
    first, second, *_ = ledger.claim(run)

    assert ledger.let_go(run, crashed=[second.id]) == 4
    assert [one.id for one in ledger.claim(run, token="fresh")] == [first.id, first.id + 2, first.id + 3]
    assert [(one.id, one.attempt) for one in ledger.claim(run, token="alone", alone=True)] == [(second.id, 2)]


def test_what_one_dead_worker_held_is_claimed_together_and_what_two_held_one_by_one(ledger: Ledger, run: int) -> None:
    ledger.claim(run, token="first", lease_seconds=-1)
    ledger.return_expired()
    assert len(ledger.claim(run, token="second", lease_seconds=-1)) == 4
    ledger.return_expired()

    assert ledger.claim(run, token="fresh") == []
    assert [(one.sku, one.attempt) for one in ledger.claim(run, token="third", alone=True)] == [("sku1", 3)]
    assert [one.sku for one in ledger.claim(run, token="fourth", alone=True)] == ["sku2"]
    with ledger.database.read() as connection:
        assert drafts.crashed_wait(connection, run, 0)
        assert len(drafts.held(connection, run, 0, "third")) == 1


def test_claims_of_suspects_at_once_take_one_each(ledger: Ledger) -> None:
    ledger.take_in(*some(6))
    run = ledger.plan(chunk_size=6).run
    ledger.let_go(run, crashed=[one.id for one in ledger.claim(run)])

    taken = at_once([lambda token=token: ledger.claim(run, token=f"worker {token}", alone=True) for token in range(6)])

    assert sorted(claimed.sku for one in taken for claimed in one) == [f"sku{place}" for place in range(1, 7)]


def test_a_draft_that_is_to_wait_is_not_claimed_before_and_its_chunk_waits_for_it(ledger: Ledger, run: int) -> None:
    ledger.bells(10)
    claimed = ledger.claim(run)
    with ledger.database.write() as connection:
        drafts.let_go(connection, run, 0, "mine", crashed=[one.id for one in claimed], pauses=[60.0])
        drafts.wait_for_next(connection, run, 0)

    assert ledger.claim(run, alone=True) == []
    assert ledger.bells(10) == []
    with ledger.database.write() as connection:
        connection.execute(sa.update(tables.drafts).values(next_attempt_at=tables.now(-1)))
        connection.execute(sa.update(tables.chunks).values(next_attempt_at=tables.now(-1)))
    assert [bell.rings for bell in ledger.bells(10)] == [2]
    assert len(ledger.claim(run, alone=True)) == 1


def test_a_chunk_that_somebody_works_on_does_not_wait(ledger: Ledger, run: int) -> None:
    ledger.bells(10)
    ledger.claim(run)
    with ledger.database.write() as connection:
        drafts.wait_for_next(connection, run, 0)

    assert ledger.bells(10) == []


def test_a_lease_that_still_runs_is_not_returned(ledger: Ledger, run: int) -> None:
    ledger.claim(run, lease_seconds=60)
    assert ledger.return_expired() == (0, 0)
    assert set(ledger.states()) == {"writing"}


def test_a_returned_chunk_is_rung_again_at_once(ledger: Ledger, run: int) -> None:
    ledger.bells(10)
    ledger.claim(run, lease_seconds=-1)
    ledger.return_expired()

    assert ledger.bells(10) == [runs.Bell(run, 0, "demo", 2)]


def test_after_the_last_attempt_a_draft_fails_with_the_reason(ledger: Ledger) -> None:
    ledger.take_in(product())
    run = ledger.plan().run
    for attempt in (1, 2):
        assert [one.attempt for one in ledger.claim(run, lease_seconds=-1)] == [attempt]
        assert ledger.return_expired(max_attempts=3) == (1, 0)
    ledger.claim(run, lease_seconds=-1, alone=True)

    assert ledger.return_expired(max_attempts=3) == (0, 1)

    found = ledger.drafts()[0]
    assert (found.state, [reason.code for reason in found.reasons]) == (Status.FAILED, ["attempts.used_up"])
    assert "3 times" in found.reasons[0].message
    assert ledger.finalize(run)
    assert ledger.run(run).outcomes == {"failed": 1}


def test_sweeps_at_once_return_each_draft_once(ledger: Ledger) -> None:
    ledger.take_in(*some(30))
    run = ledger.plan(chunk_size=30).run
    ledger.claim(run, lease_seconds=-1)

    swept = at_once([ledger.return_expired for _ in range(5)])

    assert sum(returned for returned, _ in swept) == 30


def test_one_text_that_a_database_cannot_hold_does_not_cost_the_others_their_outcome(ledger: Ledger, run: int) -> None:
    """A byte-level model can write NUL, which PostgreSQL refuses: three attempts, and the whole chunk would fail."""
    claimed = ledger.claim(run)
    bad, *good = claimed
    words = "a\x00b\ud83e"
    quoted = replace(outcome(bad, Status.HELD, text=words), reasons=(Reason("shape", f"says {words}", words),))

    ledger.settle(quoted, *map(outcome, good))

    assert sorted(ledger.states()) == ["held", "ready", "ready", "ready"]


def test_what_a_worker_owes_is_counted_claimed_or_not(ledger: Ledger, run: int) -> None:
    with ledger.database.read() as connection:
        assert drafts.open_ones(connection) == 4
    ledger.claim(run)
    with ledger.database.read() as connection:
        assert drafts.open_ones(connection) == 4
