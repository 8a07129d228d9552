"""Who is admitted to the batch, and when."""

import random
import time
from typing import Any

import pytest

from copydesk.engine.backend import Prompt, Row
from copydesk.engine.base import Message, Request
from copydesk.engine.scheduling import REPLIES_WIDTH, Scheduler
from copydesk.model import Lane
from copydesk.settings import Sampling

MAX_TOKENS = 10


def row(
    id: str = "row",
    tokens: int = 5,
    *,
    lane: Lane = Lane.CATALOG,
    shared: int = 0,
    candidates: int = 1,
    alone: bool = False,
    apart: bool = False,
    **sampling: Any,
) -> Row:
    """A row that takes up `tokens` and MAX_TOKENS more."""
    asked = Sampling(**{"max_tokens": MAX_TOKENS, **sampling})
    request = Request(id, (Message("user", id),), "", asked, candidates, lane, alone)
    return Row(request, 0, Prompt(tokens, None, shared, apart), 0.0)


def candidates(first: Row, count: int) -> list[Row]:
    """A row and so many less one of the same request."""
    return [first, *(Row(first.request, index, first.prompt, 0.0) for index in range(1, count))]


def reply(id: str = "reply", tokens: int = 5, **options: Any) -> Row:
    return row(id, tokens, lane=Lane.REPLIES, **options)


def scheduler(*waiting: Row, width: int = 4, capacity: int | None = None, static: bool = False) -> Scheduler:
    made = Scheduler(width, capacity, static=static)
    for one in waiting:
        made.put(one)
    return made


def ids(rows: list[Row]) -> list[str]:
    return [row.request.id for row in rows]


def end_all(scheduler: Scheduler) -> None:
    for one in list(scheduler.running):
        scheduler.leave(one)


# Lanes and width


def test_rows_are_admitted_in_the_order_they_came_until_the_width_is_full() -> None:
    made = scheduler(*(row(str(number)) for number in range(6)))
    assert ids(made.admit()) == ["0", "1", "2", "3"]
    assert made.admit() == []
    assert (made.waits, len(made.running)) == (2, 4)


def test_an_end_makes_room_for_the_next() -> None:
    made = scheduler(*(row(str(number)) for number in range(6)))
    _, second, _, _ = made.admit()
    made.leave(second)
    assert ids(made.admit()) == ["4"]


def test_replies_come_before_the_catalog_rows_that_came_before_them() -> None:
    made = scheduler(row("bulk"), reply("reply"), reply("reply too"))
    assert ids(made.admit()) == ["reply", "reply too", "bulk"]


def test_a_reply_is_admitted_though_the_width_is_full_of_bulk() -> None:
    made = scheduler(*(row(str(number)) for number in range(9)))
    made.admit()
    made.put(reply())
    assert ids(made.admit()) == ["reply"]
    assert ids(made.admit()) == []


def test_while_replies_are_about_fewer_catalog_rows_are_admitted() -> None:
    made = Scheduler(9, None, width_beside_replies=4)
    made.replies_about = True
    for one in (*(row(str(number)) for number in range(9)), reply()):
        made.put(one)
    answer, *bulk = made.admit()
    assert ids([answer, *bulk]) == ["reply", "0", "1"]
    made.leave(answer)
    assert ids(made.admit()) == ["2", "3"]


def test_beside_replies_the_catalog_goes_on_however_narrow_the_batch() -> None:
    made = Scheduler(9, None, width_beside_replies=1)
    made.replies_about = True
    for one in (row("bulk"), row("bulk too"), reply()):
        made.put(one)
    assert ids(made.admit()) == ["reply", "bulk"]


def test_rows_that_run_are_not_taken_back_when_a_reply_comes() -> None:
    made = Scheduler(4, None, width_beside_replies=2)
    for number in range(6):
        made.put(row(str(number)))
    first, second, *_ = made.admit()
    made.replies_about = True
    made.leave(first)
    made.leave(second)
    assert made.admit() == []
    assert len(made.running) == 2


def test_when_it_has_become_quiet_the_batch_is_wide_again() -> None:
    made = Scheduler(4, None, width_beside_replies=2)
    made.replies_about = True
    for number in range(6):
        made.put(row(str(number)))
    made.admit()
    made.replies_about = False
    assert ids(made.admit()) == ["2", "3"]


def test_a_narrow_batch_is_never_wider_than_the_wide_one() -> None:
    assert Scheduler(8, None, width_beside_replies=20).width_beside_replies == 8


def test_replies_that_wait_or_run_are_in_hand() -> None:
    made = scheduler(row("bulk"))
    made.admit()
    assert not made.replies_in_hand
    made.put(answer := reply())
    assert made.replies_in_hand
    made.admit()
    assert made.replies_in_hand
    made.leave(answer)
    assert not made.replies_in_hand


def test_replies_do_not_use_up_the_catalogs_width() -> None:
    made = scheduler(*(reply(str(number)) for number in range(6)), *(row(f"bulk {number}") for number in range(6)))
    assert len(made.admit()) == 6 + 4


def test_replies_have_a_width_of_their_own() -> None:
    made = scheduler(*(reply(str(number)) for number in range(REPLIES_WIDTH + 3)))
    assert len(made.admit()) == REPLIES_WIDTH
    end_all(made)
    assert len(made.admit()) == 3


# Alone


def test_a_row_that_is_alone_waits_until_nothing_decodes_and_nothing_goes_before_it() -> None:
    made = scheduler(row("before"), row("before too"), row("alone", alone=True), row("after"))
    first, second = made.admit()
    assert ids([first, second]) == ["before", "before too"]
    assert made.admit() == []
    made.leave(first)
    assert made.admit() == []
    made.leave(second)
    assert ids(made.admit()) == ["alone"]


@pytest.mark.parametrize("lane", Lane)
def test_nothing_joins_a_row_that_is_alone(lane: Lane) -> None:
    made = scheduler(row("alone", lane=lane, alone=True))
    (alone,) = made.admit()
    for one in (reply(), row("bulk"), row("alone too", alone=True), reply("alone reply", alone=True)):
        made.put(one)
    assert made.admit() == []
    made.leave(alone)
    assert "bulk" not in ids(made.admit())


def test_replies_go_before_a_row_that_is_alone_and_decode_until_its_turn() -> None:
    made = scheduler(row("before"), row("alone", alone=True), row("after"))
    (before,) = made.admit()
    made.put(late := reply())
    assert made.admit() == [late]
    made.leave(before)
    assert made.admit() == []
    made.leave(late)
    made.put(reply("last"))
    assert ids(made.admit()) == ["last"]
    end_all(made)
    assert ids(made.admit()) == ["alone"]


def test_what_came_before_a_row_that_is_alone_goes_before_it() -> None:
    made = scheduler(*(row(str(number)) for number in range(3)), row("alone", alone=True), row("after"), width=2)
    assert ids(made.admit()) == ["0", "1"]
    end_all(made)
    assert ids(made.admit()) == ["2"]
    end_all(made)
    assert ids(made.admit()) == ["alone"]
    end_all(made)
    assert ids(made.admit()) == ["after"]


@pytest.mark.parametrize("static", [False, True])
def test_all_candidates_of_a_request_that_is_alone_run_together(static: bool) -> None:
    alone = candidates(row("alone", alone=True), 3)
    made = scheduler(*alone, row("after"), width=4, static=static)
    assert made.admit() == alone
    made.leave(alone[1])
    assert made.admit() == []


def test_beside_replies_that_wait_they_run_together_too() -> None:
    made = Scheduler(4, None, width_beside_replies=1)
    made.replies_about = True
    alone = candidates(row("alone", alone=True), 3)
    for one in alone:
        made.put(one)
    assert made.admit() == alone


def test_candidates_beyond_the_width_follow_and_nothing_else_does() -> None:
    alone = candidates(row("alone", alone=True), 5)
    made = scheduler(*alone, row("after"), width=3)
    assert made.admit() == alone[:3]
    made.leave(alone[0])
    made.put(reply())
    assert made.admit() == [alone[3]]


@pytest.mark.parametrize("static", [False, True])
def test_rows_that_are_alone_run_back_to_back(static: bool) -> None:
    made = scheduler(row("1", alone=True), row("2", alone=True), row("3", alone=True), row("after"), static=static)
    turns = []
    while admitted := made.admit():
        turns.append(ids(admitted))
        end_all(made)
    assert turns == [["1"], ["2"], ["3"], ["after"]]


def test_a_reply_that_is_alone_holds_up_the_catalog_and_no_other_reply() -> None:
    made = scheduler(reply("before"))
    made.admit()
    for one in (reply("alone", alone=True), reply("after"), row("bulk")):
        made.put(one)
    assert ids(made.admit()) == ["after"]
    end_all(made)
    made.put(reply("late"))
    assert ids(made.admit()) == ["alone"]
    end_all(made)
    assert ids(made.admit()) == ["late", "bulk"]


def test_a_static_batch_takes_no_row_that_is_alone_and_none_from_behind_it() -> None:
    made = scheduler(row("a", 5), row("alone", 5, alone=True), row("b", 5), static=True)
    turns = []
    while admitted := made.admit():
        turns.append(ids(admitted))
        end_all(made)
    assert turns == [["a"], ["alone"], ["b"]]


def test_a_row_that_is_alone_and_ran_out_of_memory_has_its_turn_again() -> None:
    alone = candidates(row("alone", alone=True), 4)
    made = scheduler(*alone, row("after"))
    made.admit()
    made.shrink()
    turns = []
    while len(admitted := made.admit()) and admitted[0].alone:
        turns += admitted
        end_all(made)
    assert turns == alone
    assert ids(admitted) == ["after"]


def test_a_row_that_nobody_can_harm_is_not_kept_alone() -> None:
    made = scheduler(row("bulk"), row("alone", alone=True, apart=True), row("bulk too"))
    assert ids(made.admit()) == ["bulk", "alone", "bulk too"]


@pytest.mark.parametrize("static", [False, True])
@pytest.mark.parametrize("seed", range(5))
def test_whoever_ends_first_a_row_that_is_alone_has_no_neighbour_and_all_have_their_turn(
    static: bool, seed: int
) -> None:
    draw = random.Random(seed)
    waiting: list[Row] = []
    for number in range(60):
        lane, alone = draw.choice(list(Lane)), draw.random() < 0.2
        waiting += candidates(row(str(number), draw.randint(1, 40), lane=lane, alone=alone), 2)
    made = scheduler(*waiting, width=5, capacity=200, static=static)
    turns: list[str] = []
    while made.everything():
        turns += ids(made.admit())
        requests = {one.request.id for one in made.running}
        assert len(requests) == 1 or not any(one.alone for one in made.running)
        made.leave(draw.choice(list(made.running)))
    assert sorted(turns, key=int) == sorted(ids(waiting), key=int)


# The budget of tokens


def test_rows_are_admitted_while_they_fit_at_their_longest() -> None:
    made = scheduler(*(row(str(number), 40) for number in range(4)), capacity=200)  # of which bulk may have 175
    assert ids(made.admit()) == ["0", "1", "2"]
    assert sum(made.running.values()) == 150


def test_a_row_that_does_not_fit_holds_up_those_behind_it() -> None:
    """Otherwise a long row would wait for as long as short ones keep coming."""
    made = scheduler(row("short", 50), row("long", 120), row("short too", 5), capacity=200)
    assert ids(made.admit()) == ["short"]


def test_bulk_leaves_room_for_a_reply() -> None:
    made = scheduler(*(row(str(number), 15) for number in range(40)), width=100, capacity=800)
    assert sum(one.most_tokens for one in made.admit()) == 700
    made.put(reply(tokens=90))
    assert ids(made.admit()) == ["reply"]


def test_a_reply_waits_when_replies_took_all_the_room() -> None:
    made = scheduler(*(reply(str(number), 90) for number in range(3)), capacity=200)
    assert ids(made.admit()) == ["0", "1"]
    end_all(made)
    assert ids(made.admit()) == ["2"]


def test_a_row_alone_always_runs() -> None:
    """What is too large even for that was refused before, or shrink() set the budget below it."""
    assert ids(scheduler(row("large", 500), row("next"), capacity=100).admit()) == ["large"]


def test_no_budget_is_no_limit() -> None:
    made = scheduler(*(row(str(number), 10**6) for number in range(3)))
    assert len(made.admit()) == 3
    assert made.refusal(row(tokens=10**9)) == ""


@pytest.mark.parametrize(("lane", "largest"), [(Lane.CATALOG, 175), (Lane.REPLIES, 200)])
def test_a_row_that_could_never_run_is_refused_by_name(lane: Lane, largest: int) -> None:
    made = scheduler(capacity=200)
    assert made.refusal(row(tokens=largest - MAX_TOKENS, lane=lane)) == ""
    refusal = made.refusal(row(tokens=largest - MAX_TOKENS + 1, lane=lane))
    assert f"{largest - MAX_TOKENS + 1} tokens and max_tokens asks for 10 more" in refusal
    assert f"memory for {largest}" in refusal
    assert "COPYDESK_SAMPLING__MAX_TOKENS" in refusal


# Out of memory


def test_after_running_out_of_memory_half_as_much_runs() -> None:
    made = scheduler(*(row(str(number)) for number in range(8)), width=8)
    ran = made.admit()
    assert made.shrink() == ran
    assert made.capacity_tokens == sum(one.most_tokens for one in ran) // 2
    assert (made.waits, made.running) == (8, {})
    assert ids(made.admit()) == ["0", "1", "2"]  # an eighth of the half is kept free for replies


def test_what_ran_out_of_memory_comes_before_what_waited() -> None:
    made = scheduler(*(row(str(number)) for number in range(6)))
    made.admit()
    made.shrink()
    assert ids(list(made.waiting[Lane.CATALOG])) == ["0", "1", "2", "3", "4", "5"]


def test_shrinking_ends_with_one_row_at_a_time() -> None:
    made = scheduler(*(row(str(number)) for number in range(8)), width=8)
    sizes = []
    while len(made.admit()) > 1:
        sizes.append(len(made.running))
        made.shrink()
    assert sizes == [8, 3]
    assert ids(list(made.running)) == ["0"]


def test_when_one_row_alone_was_too_large_the_budget_is_restored() -> None:
    made = scheduler(row("0"), row("1"), capacity=500)
    made.admit()
    made.shrink()
    assert made.capacity_tokens == 15
    made.restore()
    assert made.capacity_tokens == 500


def test_shrinking_puts_each_row_back_into_its_lane() -> None:
    made = scheduler(row("bulk"), reply("reply"), reply("reply too"))
    made.admit()
    made.shrink()
    assert ids(list(made.waiting[Lane.REPLIES])) == ["reply", "reply too"]
    assert ids(list(made.waiting[Lane.CATALOG])) == ["bulk"]


# Leaving


def test_a_row_may_leave_wherever_it_stands() -> None:
    running, waiting, late = row("running"), row("waiting"), reply("reply")
    made = scheduler(running, waiting, width=1)
    made.admit()
    made.put(late)
    assert made.everything() == [running, late, waiting]
    for one in (running, waiting, late):
        made.leave(one)
    assert made.everything() == []
    assert made.admit() == []


def test_rows_are_told_apart_though_they_are_alike() -> None:
    twins = [row("twin"), row("twin")]
    made = scheduler(*twins)
    made.leave(twins[1])
    assert made.everything() == [twins[0]]
    assert made.everything()[0] is twins[0]


def test_clearing_takes_what_waits_and_leaves_what_runs() -> None:
    made = scheduler(row("runs"), row("waits"), width=1)
    made.admit()
    made.put(reply("reply"))
    assert ids(made.clear_waiting()) == ["reply", "waits"]
    assert ids(made.everything()) == ["runs"]
    assert made.waits == 0


# Static batches


def batch(*waiting: Row, width: int = 4, capacity: int | None = None) -> list[str]:
    return sorted(ids(scheduler(*waiting, width=width, capacity=capacity, static=True).admit()))


def test_nothing_joins_a_static_batch_before_all_of_it_has_ended() -> None:
    made = scheduler(*(row(str(number)) for number in range(5)), width=2, static=True)
    first, second = made.admit()
    made.put(reply())
    made.leave(first)
    assert made.admit() == []
    made.leave(second)
    assert ids(made.admit()) == ["reply"]
    end_all(made)
    assert ids(made.admit()) == ["2", "3"]


def test_replies_have_a_static_batch_to_themselves() -> None:
    assert batch(row("bulk"), reply("reply"), reply("reply too")) == ["reply", "reply too"]


def test_the_oldest_row_is_always_in_the_batch() -> None:
    assert "oldest" in batch(row("oldest", 50), *(row(str(number), 10) for number in range(9)))


def test_the_oldest_row_is_in_the_batch_though_the_budget_holds_only_one() -> None:
    assert batch(row("oldest", 50), *(row(str(number), 40) for number in range(9)), capacity=110) == ["oldest"]


def test_rows_of_similar_length_share_a_batch() -> None:
    waiting = [row("b1", 20), row("a", 5), row("c", 90), row("b2", 22), row("d", 100), row("b3", 19)]
    assert batch(*waiting, width=3) == ["b1", "b2", "b3"]


def test_rows_that_may_answer_as_long_share_a_batch() -> None:
    waiting = [row("b1", max_tokens=20), row("a", max_tokens=90), row("c", max_tokens=5), row("b2", max_tokens=22)]
    assert batch(*waiting, width=2) == ["b1", "b2"]


def test_a_long_answer_and_a_long_prompt_are_no_match() -> None:
    waiting = [row("oldest", 10, max_tokens=90), row("prompt", 90, max_tokens=10), row("answer", 14, max_tokens=92)]
    assert batch(*waiting, width=2) == ["answer", "oldest"]


def test_only_the_tokens_that_a_prompt_has_to_itself_are_padded() -> None:
    waiting = [row("a", 100, shared=90), row("b", 101, shared=60), row("c", 30, shared=19), row("d", 140, shared=99)]
    assert batch(*waiting, width=2) == ["a", "c"]


def test_a_batch_is_full_when_enough_wait_even_if_lengths_differ() -> None:
    assert batch(row("a", 5), row("b", 90), row("c", 91), width=3) == ["a", "b", "c"]


@pytest.mark.parametrize("capacity", [None, 1000])
def test_what_came_too_late_for_the_whole_budget_is_not_refused_but_runs_alone(capacity: int | None) -> None:
    made = scheduler(*(row(str(number), 40) for number in range(2)), capacity=capacity)
    made.admit()
    made.shrink()
    large = row("large", 400)
    assert made.refusal(large) == ""
    made.put(large)
    turns = []
    while admitted := made.admit():
        turns.append(ids(admitted))
        end_all(made)
    assert turns[-1] == ["large"]


def test_rows_with_another_repetition_penalty_wait_for_their_own_batch() -> None:
    waiting = [row("a", 5), row("other", 5, repetition_penalty=1.2), row("b", 9)]
    assert batch(*waiting) == ["a", "b"]


@pytest.mark.parametrize(
    "other", [{"temperature": 0.0}, {"max_tokens": 11}, {"top_p": 0.5}, {"seed": 3}, {"candidates": 2}]
)
def test_whatever_else_is_sampled_otherwise_shares_a_batch(other: dict[str, Any]) -> None:
    warm = {"temperature": 0.7}
    waiting = [row("warm", 5, **warm), row("other", 5, **{**warm, **other}), row("warm too", 9, **warm)]
    assert sorted(batch(*waiting)) == ["other", "warm", "warm too"]


def test_a_static_batch_that_ran_out_of_memory_comes_back_smaller() -> None:
    made = scheduler(*(row(str(number)) for number in range(8)), width=8, static=True)
    made.admit()
    made.shrink()
    assert len(made.admit()) == 3
    end_all(made)
    assert len(made.admit()) == 3


def test_every_row_has_its_turn() -> None:
    made = scheduler(*(row(str(number), 5 + number * 7 % 50) for number in range(50)), width=7, static=True)
    turns = []
    while admitted := made.admit():
        assert len(admitted) <= 7
        turns += ids(admitted)
        end_all(made)
    assert sorted(turns, key=int) == [str(number) for number in range(50)]


# Size


def test_ten_thousand_rows_go_through_quickly() -> None:
    made = scheduler(*(row(str(number)) for number in range(10_000)), width=64, capacity=100_000)
    began = time.process_time()
    turns = 0
    while admitted := made.admit():
        turns += 1
        for one in admitted:
            made.leave(one)
    assert turns == 157
    assert time.process_time() - began < 5
