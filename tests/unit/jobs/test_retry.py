"""When to try again: each decision is a row of a table."""

import threading

import pytest

from copydesk.errors import Failure, StoreUnavailable
from copydesk.jobs import retry


@pytest.mark.parametrize(
    ("max_attempts", "pauses"),
    [
        (1, ()),
        (2, (0.0,)),
        (3, (0.0, 5.0)),
        (5, (0.0, 5.0, 20.0, 80.0)),
        (7, (0.0, 5.0, 20.0, 80.0, 300.0, 300.0)),
    ],
)
def test_a_draft_waits_longer_after_each_crash(max_attempts: int, pauses: tuple[float, ...]) -> None:
    assert retry.crash_pauses(max_attempts) == pauses


@pytest.mark.parametrize(
    ("failure", "tries", "left_seconds", "pause"),
    [
        (Failure.CONFLICT, 1, 60, 0.05),
        (Failure.CONFLICT, 4, 60, 0.5),
        (Failure.CONFLICT, 40, 60, 0.5),
        (Failure.AWAY, 1, 60, 0.2),
        (Failure.AWAY, 9, 60, 5.0),
        (Failure.AWAY, 9, 4.9, None),
        (Failure.FULL, 1, 60, 1.0),
        (Failure.FULL, 3, 60, 10.0),
        (Failure.FULL, 1, 0.5, None),
        (Failure.UNFIT, 1, 60, None),
    ],
)
def test_a_transaction_is_tried_again_while_its_result_is_of_use(
    failure: Failure, tries: int, left_seconds: float, pause: float | None
) -> None:
    assert retry.store_pause(failure, tries, left_seconds) == pause


def failing(times: int, failure: Failure) -> "tuple[list[int], object]":
    calls: list[int] = []

    def transaction() -> str:
        calls.append(1)
        if len(calls) <= times:
            raise StoreUnavailable("away", failure)
        return "done"

    return calls, transaction


def test_a_conflict_passes_and_the_result_is_handed_on() -> None:
    calls, transaction = failing(2, Failure.CONFLICT)

    assert retry.persist(transaction, for_seconds=5) == "done"  # type: ignore[arg-type]
    assert len(calls) == 3


def test_what_no_waiting_helps_is_raised_at_once() -> None:
    calls, transaction = failing(2, Failure.UNFIT)

    with pytest.raises(StoreUnavailable):
        retry.persist(transaction, for_seconds=5)  # type: ignore[arg-type]
    assert len(calls) == 1


def test_a_process_that_is_about_to_end_tries_nothing_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retry, "_given_up", threading.Event())
    calls, transaction = failing(2, Failure.AWAY)
    retry.give_up()

    with pytest.raises(StoreUnavailable):
        retry.persist(transaction, for_seconds=60)  # type: ignore[arg-type]
    assert len(calls) == 1
