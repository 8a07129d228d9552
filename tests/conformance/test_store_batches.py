"""Batch requests in the ledger: planned once per file, leased and settled like drafts, seen by nobody who reviews."""

from collections.abc import Iterator

import pytest
from databases import MINE, Ledger, at_once, outcome, product

from copydesk.errors import NotFound
from copydesk.model import Lane, Reason, Status
from copydesk.store import Database, batches, drafts, runs
from copydesk.store.batches import Line

WRONG = Line(2, None, error=Reason("invalid_request", "line 2: it is not JSON"))


def ask(number: int, words: str = "Hello") -> Line:
    return Line(number, f"id-{number}", {"messages": [{"role": "user", "content": words}]})


def plan(
    database: Database, *lines: Line, key: str = "file", chunk_size: int = 2, lane: str = Lane.REPLIES
) -> runs.Planned:
    with database.write() as connection:
        return batches.plan(connection, batches.Order(key, {"model": "tiny"}, chunk_size, lane), lines)


def claim(
    database: Database,
    run: int,
    chunk: int = 0,
    *,
    token: str = MINE,
    lease_seconds: float = 60,
    alone: bool = False,
) -> list[int]:
    with database.write() as connection:
        claimed = batches.claim(connection, run, chunk, token=token, lease_seconds=lease_seconds, alone=alone)
        return [one.id for one in claimed]


def settle(database: Database, *ids: int, token: str = MINE, text: str = "Hi", status: Status = Status.READY) -> int:
    reasons = () if status is Status.READY else (Reason("engine.failed", "no memory"),)
    choices = [{"text": text, "finish": "stop"}]
    made = [
        drafts.Outcome(
            one, status, reasons=reasons, model="tiny", prompt_tokens=3, completion_tokens=4, choices=choices
        )
        for one in ids
    ]
    with database.write() as connection:
        return len(drafts.settle(connection, token, made).accepted)


def answers(database: Database, run: int) -> list[batches.Answer]:
    with database.read() as connection:
        return list(batches.answers(connection, run))


def find(database: Database, run: int) -> runs.Run:
    with database.read() as connection:
        return runs.find(connection, run)


def test_a_file_becomes_a_run_with_a_draft_for_each_line_that_can_be_answered(database: Database) -> None:
    planned = plan(database, ask(1), WRONG, ask(4), ask(5))

    assert (planned.created, planned.queued) == (True, 3)
    found = find(database, planned.run)
    assert (found.shop, found.kind, found.lane, found.state) == ("batch", "batch", "replies", "running")
    assert len(claim(database, planned.run, 0)) == 2
    assert len(claim(database, planned.run, 1)) == 1


def test_the_same_key_again_is_the_same_run_and_reads_no_line(database: Database) -> None:
    first = plan(database, ask(1), ask(2))

    def unread() -> Iterator[Line]:
        raise AssertionError("a line was read")
        yield ask(1)

    with database.write() as connection:
        again = batches.plan(connection, batches.Order("file", {}, 2, "catalog"), unread())
    assert again == runs.Planned(first.run, created=False, queued=2, skipped={})
    assert find(database, first.run).lane == "replies"


def test_a_run_that_somebody_waits_for_by_now_goes_first_from_here_on(ledger: Ledger) -> None:
    run = plan(ledger.database, ask(1), ask(2), chunk_size=1, lane=Lane.CATALOG).run
    ledger.bells(1)

    assert plan(ledger.database, lane=Lane.REPLIES).run == run

    assert [bell.chunk for bell in ledger.bells(10, Lane.REPLIES)] == [1]
    assert ledger.bells(10) == []


def test_producers_with_one_file_make_one_run_of_it(database: Database) -> None:
    planned = at_once([lambda: plan(database, *map(ask, range(1, 30))) for _ in range(4)])

    assert len({one.run for one in planned}) == 1
    assert [one.created for one in planned].count(True) == 1
    assert len(answers_or_open(database, planned[0].run)) == 29


def answers_or_open(database: Database, run: int) -> list[int]:
    return [one for chunk in range(15) for one in claim(database, run, chunk)]


def test_a_file_that_cannot_be_read_to_its_end_leaves_nothing(database: Database) -> None:
    def broken() -> Iterator[Line]:
        yield from map(ask, range(1, 1200))
        raise OSError("the disk is gone")

    order = batches.Order("file", {}, 2, "catalog")
    with pytest.raises(OSError, match="the disk is gone"), database.write() as connection:
        batches.plan(connection, order, broken())

    assert plan(database, ask(1)).created


@pytest.mark.parametrize("lines", [(), (WRONG,)], ids=["empty", "nothing usable"])
def test_a_file_without_a_usable_line_is_an_ended_run(database: Database, lines: tuple[Line, ...]) -> None:
    run = plan(database, *lines).run

    assert find(database, run).state == "finished"
    assert [one.error for one in answers(database, run)] == [line.error for line in lines]


def test_a_claim_gives_the_body_as_it_was_planned_whatever_is_in_it(database: Database) -> None:
    words = 'NUL \0, half a pair \ud83e, "quotes", 🫖'
    run = plan(database, ask(1, words)).run

    with database.write() as connection:
        (claimed,) = batches.claim(connection, run, 0, token=MINE, lease_seconds=60)
        assert batches.claim(connection, run, 0, token="another", lease_seconds=60) == []

    assert claimed.body == {"messages": [{"role": "user", "content": words}]}


def test_answers_come_in_the_files_order_with_every_error_in_its_place(database: Database) -> None:
    run = plan(database, ask(1), WRONG, ask(4), ask(5), chunk_size=10).run
    first, second, third = claim(database, run)
    assert settle(database, third, text="a NUL \0 in it") == 1
    assert settle(database, second, status=Status.FAILED) == 1
    assert settle(database, first) == 1

    found = answers(database, run)

    assert [(one.number, one.custom_id) for one in found] == [(1, "id-1"), (2, None), (4, "id-4"), (5, "id-5")]
    assert [one.error and one.error.code for one in found] == [None, "invalid_request", "engine.failed", None]
    assert found[3].choices == [{"text": "a NUL \0 in it", "finish": "stop"}]
    assert (found[0].model, found[0].prompt_tokens, found[0].completion_tokens) == ("tiny", 3, 4)
    assert found[0].answered_at is not None


def test_a_stranger_settles_no_request_and_a_second_answer_is_dropped(database: Database) -> None:
    run = plan(database, ask(1)).run
    (one,) = claim(database, run)

    assert settle(database, one, token="stranger") == 0
    assert settle(database, one, text="first") == 1
    assert settle(database, one, text="second") == 0
    assert answers(database, run)[0].choices == [{"text": "first", "finish": "stop"}]


def test_a_request_whose_worker_died_comes_back_and_is_failed_at_the_last_attempt(database: Database) -> None:
    run = plan(database, ask(1)).run
    claim(database, run, lease_seconds=-1)
    with database.write() as connection:
        assert drafts.return_expired(connection, [0.0]) == (1, 0)
    claim(database, run, lease_seconds=-1)
    with database.write() as connection:
        assert drafts.return_expired(connection, [0.0]) == (0, 1)
        assert runs.finalize(connection, run)

    (answer,) = answers(database, run)
    assert answer.error is not None
    assert answer.error.code == "attempts.used_up"
    assert "2 times" in answer.error.message


def test_a_chunk_that_holds_both_kinds_of_outcome_is_settled_at_once(ledger: Ledger) -> None:
    """Settling knows requests and products by their rows, not by their runs."""
    ledger.take_in(product())
    (copy,) = ledger.claim(ledger.plan().run)
    (one,) = claim(ledger.database, plan(ledger.database, ask(1)).run)
    ledger.take_in(product(1, "blue"))

    settled = ledger.settle(outcome(copy), drafts.Outcome(one, Status.READY, choices=[]))

    assert (settled.accepted, settled.stale, settled.fenced) == (frozenset({one}), 1, 0)


def test_a_batch_rings_as_a_batch_in_its_lane(ledger: Ledger) -> None:
    run = plan(ledger.database, ask(1), ask(2), ask(3)).run

    assert ledger.bells(10) == []
    assert ledger.bells(10, Lane.REPLIES) == [runs.Bell(run, chunk, "batch", 1, "batch", "replies") for chunk in (0, 1)]


def test_who_reviews_copy_sees_no_answer_of_a_batch(ledger: Ledger) -> None:
    ledger.take_in(product())
    run = plan(ledger.database, ask(1)).run
    (one,) = claim(ledger.database, run)
    settle(ledger.database, one)
    ledger.finalize(run)

    with ledger.database.write() as connection:
        assert drafts.listed(connection) == []
        assert drafts.listed(connection, run=run) == []
        assert drafts.approve_all(connection, run, by="ann") == 0
        for decision in (Status.APPROVED, Status.REJECTED):
            with pytest.raises(NotFound, match=f"no draft {one}"):
                drafts.decide(connection, one, decision, by="ann")
        with pytest.raises(NotFound):
            drafts.decide(connection, one, Status.APPROVED, by="ann", text="Ann's own words")
        assert runs.to_publish_by_rule(connection) == []
    assert ledger.publish().looked_at == 0
    assert ledger.plan().queued == 1, "nor does it stand in the way of a description"
    assert find(ledger.database, run).outcomes == {"ready": 1}
