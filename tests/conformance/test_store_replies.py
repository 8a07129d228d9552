"""Replies: one for each version of a review, never by a model where a person is asked, handed over once."""

from datetime import UTC, datetime

import pytest
import sqlalchemy as sa
from databases import Meanwhile, at_once, product
from reviewing import Desk, edited, review, some_reviews, triaged, written

from copydesk.errors import IllegalMove, InputError, NotFound
from copydesk.model import Platform, Polarity, Policy, Route, Status
from copydesk.store import Database, drafts, replies, reviews, runs, tables
from copydesk.store.replies import Delivery


@pytest.fixture
def desk(database: Database) -> Desk:
    return Desk(database)


def submission_states(desk: Desk) -> list[str]:
    return [row.state for row in desk.rows(tables.submissions)]


# Planned


def test_every_review_gets_one_draft_by_its_policy(desk: Desk) -> None:
    policies = [Policy.AUTO, Policy.DRAFT, Policy.PERSON, Policy.IGNORE]
    desk.take(*[triaged(review(place), policy) for place, policy in enumerate(policies, start=1)])

    planned = desk.plan_replies()

    assert (planned.queued, planned.skipped) == (4, {})
    found = desk.replies()
    assert [reply.state.value for reply in found] == ["pending", "pending", "held", "ignored"]
    assert [[reason.code for reason in reply.reasons] for reply in found] == [
        [],
        [],
        ["route.safety"],
        ["route.safety"],
    ]
    assert [(reply.asks, reply.attempt, reply.model_called) for reply in found] == [(0, 0, False)] * 4
    assert desk.bells(10, "replies") == [runs.Bell(planned.run, 0, "demo", 1, "reply", "replies")]
    desk.answer(planned.run)
    run = desk.run(planned.run)
    assert run.outcomes == {"ready": 2, "held": 1, "ignored": 1}
    assert (run.queued, run.settled) == (4, 4)
    assert [reply.model_called for reply in desk.replies()] == [True, True, False, False]


def test_a_run_that_nobody_is_to_write_is_over_at_once_and_rings_no_bell(desk: Desk) -> None:
    desk.take(*some_reviews(3, Policy.PERSON))

    planned = desk.plan_replies()

    assert desk.run(planned.run).outcomes == {"held": 3}
    assert desk.run(planned.run).finished_at is not None
    assert desk.bells(10, "replies") == []


def test_what_waits_goes_in_small_chunks_that_hold_only_what_a_model_may_write(desk: Desk) -> None:
    desk.take(*[triaged(review(place), Policy.PERSON if place % 2 else Policy.DRAFT) for place in range(1, 11)])
    run = desk.plan_replies(chunk_size=2).run
    assert desk.chunks(run) == [0, 1, 2]
    assert [len(desk.claim_replies(run, number)) for number in (0, 1, 2)] == [2, 2, 1]


def test_a_review_that_is_answered_held_ignored_or_under_way_is_not_planned_again(desk: Desk) -> None:
    desk.take(*some_reviews(2), triaged(review(3), Policy.PERSON), triaged(review(4), Policy.IGNORE))
    first = desk.plan_replies("first", ids=[1, 3, 4])
    desk.answer(first.run)
    desk.plan_replies("second")

    again = desk.plan_replies("third")

    assert (again.queued, again.skipped) == (0, {"has a reply": 4})


def test_a_reply_that_failed_is_planned_again(desk: Desk) -> None:
    desk.take(triaged(review()))
    desk.answer(desk.plan_replies().run, Status.FAILED)

    assert desk.plan_replies("again").queued == 1
    assert desk.reply_states() == ["pending"], "a review is listed with its newest reply"


def test_only_the_named_reviews_or_so_many_are_planned(desk: Desk) -> None:
    desk.take(*some_reviews(5))
    assert desk.plan_replies("first", ids=[4, 99]).queued == 1
    assert desk.plan_replies("second", limit=2).queued == 2
    assert [reply.review_id for reply in desk.replies()] == ["r4", "r1", "r2"]
    assert desk.plan_replies("third", ids=[]).queued == 0


def test_one_key_makes_one_run(desk: Desk) -> None:
    desk.take(*some_reviews(3))
    plans = at_once([lambda: desk.plan_replies("same") for _ in range(6)])
    assert len({planned.run for planned in plans}) == 1
    assert sorted(planned.created for planned in plans) == [False] * 5 + [True]


def test_producers_at_once_plan_one_reply_for_each_review(desk: Desk) -> None:
    policies = [Policy.AUTO, Policy.DRAFT, Policy.PERSON, Policy.IGNORE] * 10
    desk.take(*[triaged(review(place), policy) for place, policy in enumerate(policies, start=1)])

    plans = at_once([lambda key=key: desk.plan_replies(f"producer {key}") for key in range(6)])

    assert sum(planned.queued for planned in plans) == 40
    assert len(desk.replies(every=True)) == len({reply.review_id for reply in desk.replies(every=True)}) == 40
    for planned in plans:
        assert desk.run(planned.run).queued == len(desk.replies(run=planned.run)) == planned.queued


def test_a_producer_that_waited_for_another_plans_no_second_reply(desk: Desk, meanwhile: Meanwhile) -> None:
    """Both look before either has committed; the unique index decides."""
    desk.take(*some_reviews(3), triaged(review(4), Policy.IGNORE))
    order = replies.Order("first", {}, "", 16, ids=[1, 2, 4])
    with desk.database.write() as connection:
        replies.plan(connection, desk.shop_id, order)
        late = meanwhile.start(lambda: desk.plan_replies("second"))
    second = late.result(30)

    assert (second.queued, second.skipped) == (1, {"has a reply": 3})
    assert [reply.review_id for reply in desk.replies(run=second.run)] == ["r3"]


def test_the_database_itself_refuses_a_second_reply_to_one_version(desk: Desk) -> None:
    desk.take(triaged(review()))
    desk.plan_replies()
    kept = [column for column in tables.drafts.c if column.name != "id"]
    again = sa.insert(tables.drafts).from_select([column.name for column in kept], sa.select(*kept))
    with pytest.raises(sa.exc.IntegrityError), desk.database.write() as connection:
        connection.execute(again)


# Claimed and settled


def test_a_claim_brings_the_masked_review_with_the_facts_of_its_product(desk: Desk) -> None:
    desk.take_in(product(1))
    desk.take(triaged(review(1, text="Ask dana@quill.example"), text="Ask [email]"), triaged(review(2, rating=None)))
    run = desk.plan_replies().run

    known, unknown = desk.claim_replies(run)

    assert (known.title, known.text, known.language, known.rating) == ("Good", "Ask [email]", "en", 5)
    assert (known.route, known.sentiment) == (Route.ORDINARY, Polarity.POSITIVE)
    assert known.facts == product(1).facts
    assert (unknown.facts, unknown.rating) == (None, None)


def test_a_second_delivery_claims_nothing(desk: Desk) -> None:
    desk.take(*some_reviews(10))
    run = desk.plan_replies().run

    taken = at_once([lambda token=token: desk.claim_replies(run, token=f"worker {token}") for token in range(5)])

    assert sorted(map(len, taken)) == [0, 0, 0, 0, 10]


def test_a_review_edited_before_the_claim_is_answered_as_it_is_today(desk: Desk) -> None:
    one = triaged(review())
    desk.take(one)
    run = desk.plan_replies().run
    desk.take(edited(one))

    (claimed,) = desk.claim_replies(run)

    assert claimed.text == "It broke after a day."
    assert desk.reply_states(every=True) == ["stale", "writing"]


def test_a_review_edited_while_it_is_answered_is_stale_and_answered_again_in_the_same_chunk(desk: Desk) -> None:
    one = triaged(review())
    desk.take(one, triaged(review(2)))
    run = desk.plan_replies().run
    claimed = desk.claim_replies(run)
    desk.take(edited(one))

    settled = desk.settle(*map(written, claimed))

    assert (len(settled.accepted), settled.stale, settled.fenced) == (1, 1, 0)
    (again,) = desk.claim_replies(run, token="another")
    assert again.text == "It broke after a day."
    desk.settle(written(again), token="another")
    assert desk.finalize(run)
    assert desk.run(run).outcomes == {"ready": 2, "stale": 1}
    assert desk.run(run).queued == 3


@pytest.mark.parametrize("claimed_first", [False, True], ids=["before the claim", "while it is written"])
def test_an_edit_that_speaks_of_danger_is_held_for_a_person_and_no_model_sees_it(
    desk: Desk, claimed_first: bool
) -> None:
    one = triaged(review())
    desk.take(one)
    run = desk.plan_replies().run
    if claimed_first:
        claimed = desk.claim_replies(run)
    desk.take(edited(one, "It cut my hand.", policy=Policy.PERSON, reasons=triaged(one[0], Policy.PERSON)[1].reasons))
    if claimed_first:
        desk.settle(*map(written, claimed))

    assert desk.claim_replies(run, token="another") == []

    stale, held = desk.replies(every=True)
    assert (stale.state, held.state, held.model_called) == (Status.STALE, Status.HELD, False)
    assert [reason.code for reason in held.reasons] == ["route.safety"]
    assert desk.finalize(run)
    assert desk.run(run).outcomes == {"stale": 1, "held": 1}


def test_what_a_model_found_meanwhile_keeps_a_review_from_the_model(desk: Desk) -> None:
    """The sentiment job changed the policy, of a review that says the same as before."""
    desk.take(triaged(review()))
    run = desk.plan_replies().run
    with desk.database.write() as connection:
        connection.execute(sa.update(tables.reviews).values(policy="person"))

    assert desk.claim_replies(run) == []
    assert desk.reply_states(every=True) == ["stale", "held"]


def test_an_edit_planned_by_another_run_meanwhile_is_answered_once(desk: Desk) -> None:
    one = triaged(review())
    desk.take(one)
    first = desk.plan_replies("first").run
    claimed = desk.claim_replies(first)
    desk.take(edited(one))
    second = desk.plan_replies("second").run

    assert desk.settle(*map(written, claimed)).stale == 1
    assert desk.claim_replies(first) == []
    assert len(desk.claim_replies(second)) == 1
    assert desk.finalize(first)
    assert desk.reply_states(every=True) == ["stale", "writing"]


def test_an_edit_stored_while_an_outcome_is_written_leaves_no_ready_reply_to_old_words(
    desk: Desk, meanwhile: Meanwhile
) -> None:
    one = triaged(review())
    desk.take(one)
    (claimed,) = desk.claim_replies(desk.plan_replies().run)
    with desk.database.write() as connection:
        reviews.take_in(connection, desk.shop_id, [edited(one)])
        late = meanwhile.start(lambda: desk.settle(written(claimed)))
    late.result(30)
    assert "ready" not in desk.reply_states(every=True)


def test_an_edit_that_comes_while_an_outcome_is_written_leaves_no_ready_reply_to_old_words(
    desk: Desk, meanwhile: Meanwhile
) -> None:
    one = triaged(review())
    desk.take(one)
    (claimed,) = desk.claim_replies(desk.plan_replies().run)
    with desk.database.write() as connection:
        drafts.settle(connection, "mine", [written(claimed)])
        late = meanwhile.start(lambda: desk.take(edited(one)))
    late.result(30)
    assert "ready" not in desk.reply_states(every=True)


def test_the_rule_approves_only_what_is_ready_accepted_and_automatic(desk: Desk) -> None:
    desk.take(*some_reviews(3, Policy.AUTO), triaged(review(4), Policy.DRAFT))
    run = desk.plan_replies(by_rule=True).run
    ready, held, fenced, drafted = desk.claim_replies(run)
    desk.take(edited(triaged(review(3), Policy.AUTO)))
    outcomes = [written(ready), written(held, Status.HELD), written(fenced), written(drafted)]
    with desk.database.write() as connection:
        settled = replies.settle_by_rule(connection, "mine", outcomes, by="rule:auto")

    assert settled.accepted == {ready.id, held.id, drafted.id}
    assert desk.reply_states(ids=[one.draft for one in outcomes]) == ["approved", "held", "stale", "ready"]
    assert desk.replies(ids=[ready.id])[0].decided_by == "rule:auto"
    assert desk.run(run).outcomes == {"ready": 2, "held": 1, "stale": 1}


def test_the_latest_texts_of_a_shop_are_those_that_stand(desk: Desk) -> None:
    other = Desk(desk.database, "other")
    other.approved_reply()
    desk.take(*some_reviews(4))
    run = desk.plan_replies().run
    first, second, third, fourth = desk.claim_replies(run)
    desk.settle(written(first), written(second, Status.HELD), written(third), written(fourth))
    desk.say(third.id, Status.APPROVED)
    with desk.database.read() as connection:
        assert replies.latest_texts(connection, "demo", 2) == [
            f"Thank you for number {fourth.id}.", f"Thank you for number {third.id}.",
        ]  # fmt: skip
        assert len(replies.latest_texts(connection, "demo", 20)) == 3


# Decided


def test_a_reply_is_approved_rejected_and_reworded(desk: Desk) -> None:
    desk.take(*some_reviews(2))
    desk.answer(desk.plan_replies().run)
    first, second = (reply.id for reply in desk.replies())

    desk.say(first, Status.REJECTED)
    desk.say(second, Status.APPROVED, "Ann's own words.")

    assert desk.reply_states() == ["rejected", "approved"]
    found = desk.replies()[1]
    assert (found.text, found.model_text, found.decided_by) == (
        "Ann's own words.", f"Thank you for number {second}.", "ann",
    )  # fmt: skip


@pytest.mark.parametrize("policy", [Policy.PERSON, Policy.IGNORE])
def test_a_person_writes_where_no_model_may_but_approves_no_blank(desk: Desk, policy: Policy) -> None:
    desk.take(triaged(review(), policy))
    desk.plan_replies()
    (reply,) = desk.replies()
    with pytest.raises(InputError, match=rf"copydesk replies edit {reply.id}"):
        desk.say(reply.id, Status.APPROVED)

    desk.say(reply.id, Status.APPROVED, "We are sorry, and will call you.")

    assert desk.reply_states() == ["approved"]
    assert not desk.replies()[0].model_called


def test_drafts_and_replies_are_two_lists_and_two_sets_of_decisions(desk: Desk) -> None:
    desk.take_in(product())
    desk.write(desk.plan().run)
    desk.take(triaged(review()))
    desk.answer(desk.plan_replies().run)
    (draft,), (reply,) = desk.drafts(), desk.replies()

    with pytest.raises(NotFound, match=rf"no draft {reply.id}: `copydesk drafts list`"):
        desk.decide(reply.id, Status.APPROVED)
    with pytest.raises(NotFound, match=rf"no draft {draft.id}: `copydesk replies list`"):
        desk.say(draft.id, Status.APPROVED)
    with desk.database.write() as connection:
        assert drafts.approve_all(connection, reply.run, by="ann") == 0
        assert replies.approve_all(connection, run=draft.run, by="ann") == 0
    desk.publish()
    assert (desk.states(), desk.reply_states()) == (["ready"], ["ready"])


def test_ready_replies_are_approved_by_run_or_by_shop(desk: Desk) -> None:
    desk.take(*some_reviews(3))
    for number in (1, 2, 3):
        desk.answer(desk.plan_replies(f"run {number}", ids=[number]).run, Status.HELD if number == 3 else Status.READY)
    other = Desk(desk.database, "other")
    with desk.database.write() as connection:
        assert replies.approve_all(connection, run=1, by="ann") == 1
        assert replies.approve_all(connection, shop_id=other.shop_id, by="ann") == 0
        assert replies.approve_all(connection, shop_id=desk.shop_id, by="ann") == 1
    assert desk.reply_states() == ["approved", "approved", "held"]


def test_a_rejected_reply_to_an_earlier_version_is_not_approved_any_more(desk: Desk) -> None:
    one = triaged(review())
    desk.take(one)
    desk.answer(desk.plan_replies().run)
    (reply,) = desk.replies()
    desk.say(reply.id, Status.REJECTED)
    desk.take(edited(one))

    with pytest.raises(IllegalMove, match="edited since; `copydesk reply` answers it again"):
        desk.say(reply.id, Status.APPROVED)
    assert desk.reply_states() == ["rejected"]


def test_replies_are_listed_by_every_condition(desk: Desk) -> None:
    desk.take(*some_reviews(3), triaged(review(4), Policy.PERSON))
    run = desk.plan_replies(limit=2).run
    desk.plan_replies("second")
    assert [reply.review_id for reply in desk.replies(run=run)] == ["r1", "r2"]
    assert [reply.review_id for reply in desk.replies(route=Route.SAFETY)] == ["r4"]
    assert [reply.review_id for reply in desk.replies(state=Status.PENDING, sku="sku3")] == ["r3"]
    assert len(desk.replies(limit=1)) == 1
    assert desk.replies(ids=[]) == []
    with desk.database.read() as connection, pytest.raises(NotFound, match="no reply 99"):
        replies.find(connection, 99)


# Handed over by file


def test_approved_replies_are_handed_over_once(desk: Desk) -> None:
    draft = desk.approved_reply()

    handed = at_once([desk.hand_over for _ in range(4)])

    assert [reply.id for one in handed for reply in one] == [draft]
    (found,) = desk.replies()
    assert (found.state, found.delivery) == (Status.PUBLISHED, Delivery.SUBMITTED)
    assert found.decided_at is not None
    assert (datetime.now(UTC) - found.decided_at).total_seconds() < 600


def test_only_the_platforms_replies_are_handed_over_and_the_others_wait(desk: Desk) -> None:
    desk.approved_reply()
    yotpo = desk.approved_reply(number=2, platform=Platform.YOTPO)
    assert [reply.id for reply in desk.hand_over(Platform.YOTPO, Platform.GOOGLE)] == [yotpo]
    assert desk.reply_states() == ["approved", "published"]


def test_what_was_handed_over_is_shown_again_until_the_platform_speaks(desk: Desk) -> None:
    desk.approved_reply()
    second = desk.approved_reply(number=2)
    desk.hand_over()
    desk.mark(second, Delivery.PENDING)
    with desk.database.read() as connection:
        assert [reply.review_id for reply in replies.handed_over(connection, desk.shop_id)] == ["r1"]
        assert replies.handed_over(connection, desk.shop_id, [Platform.YOTPO]) == []
    assert submission_states(desk) == ["submitted", "pending"]


def test_what_is_not_approved_is_not_handed_over(desk: Desk) -> None:
    desk.take(*some_reviews(2))
    desk.answer(desk.plan_replies().run)
    desk.say(desk.replies()[1].id, Status.REJECTED)
    assert desk.hand_over() == []
    assert desk.open_submissions() == 0


# Posted


def test_an_approved_reply_is_put_in_line_once_and_posted_once(desk: Desk) -> None:
    draft = desk.approved_reply()
    assert [desk.open_submissions(), desk.open_submissions()] == [1, 0]

    (due,) = [one for taken in at_once([desk.due for _ in range(4)]) for one in taken]

    assert (due.draft, due.shop, due.platform, due.review_id, due.version) == (draft, "demo", Platform.JUDGEME, "r1", 1)
    assert (due.text, due.language, due.rating, due.sku) == (f"Thank you for number {draft}.", "en", 5, "sku1")
    assert (len(due.idempotency_key), due.attempts) == (32, 1)
    assert desk.hand_over() == [], "what waits to be posted is not exported"
    assert desk.post(due)
    assert desk.due() == []
    assert (desk.replies()[0].state, desk.replies()[0].delivery) == (Status.PUBLISHED, Delivery.SUBMITTED)


def test_a_failed_attempt_is_due_again_with_the_same_key_when_its_time_has_come(desk: Desk) -> None:
    desk.approved_reply()
    desk.open_submissions()
    (first,) = desk.due()
    desk.post(first, Delivery.FAILED, error="503", next_attempt_seconds=3600)
    assert desk.due() == []
    assert desk.replies()[0].delivery is Delivery.WAITING

    with desk.database.write() as connection:
        connection.execute(sa.update(tables.submissions).values(next_attempt_at=tables.now(-1)))
    (second,) = desk.due()

    assert (second.idempotency_key, second.attempts) == (first.idempotency_key, 2)
    assert desk.replies()[0].error == "503"


def test_a_poster_that_died_is_replaced_and_a_late_one_changes_nothing(desk: Desk) -> None:
    desk.approved_reply()
    desk.open_submissions()
    (slow,) = desk.due(lease_seconds=-1)
    (quick,) = desk.due()

    assert quick.attempts == 2
    assert not desk.post(slow, Delivery.FAILED)
    assert desk.post(quick)
    assert not desk.post(quick, Delivery.FAILED)
    assert desk.reply_states() == ["published"]


def test_what_could_not_be_posted_stays_approved_and_is_exported(desk: Desk) -> None:
    draft = desk.approved_reply()
    desk.open_submissions()
    (due,) = desk.due()
    desk.post(due, Delivery.FAILED, error="gone")
    assert desk.open_submissions() == 0
    assert (desk.replies()[0].state, desk.replies()[0].error) == (Status.APPROVED, "gone")

    assert [reply.id for reply in desk.hand_over()] == [draft]
    assert submission_states(desk) == ["submitted"]


@pytest.mark.parametrize("to", [Status.REJECTED, Status.APPROVED])
def test_nobody_changes_a_reply_while_it_is_posted(desk: Desk, to: Status) -> None:
    draft = desk.approved_reply()
    desk.open_submissions()
    desk.due()
    with pytest.raises(IllegalMove, match="being posted right now"):
        desk.say(draft, to, "Other words.")
    assert desk.reply_states() == ["approved"]


def test_a_reply_reworded_between_two_attempts_is_another_one(desk: Desk) -> None:
    draft = desk.approved_reply()
    desk.open_submissions()
    (first,) = desk.due()
    desk.post(first, Delivery.FAILED, next_attempt_seconds=3600)

    desk.say(draft, Status.APPROVED, "Other words.")
    desk.open_submissions()

    (second,) = desk.due()
    assert (second.text, second.attempts) == ("Other words.", 1)
    assert second.idempotency_key != first.idempotency_key


def test_a_reply_rejected_before_it_was_posted_is_not_posted_until_it_is_approved_again(desk: Desk) -> None:
    draft = desk.approved_reply()
    desk.open_submissions()
    desk.say(draft, Status.REJECTED)
    assert (desk.open_submissions(), desk.due()) == (0, [])
    desk.say(draft, Status.APPROVED)
    assert (desk.open_submissions(), len(desk.due())) == (1, 1)


def test_a_waiting_reply_to_words_that_were_edited_is_not_posted(desk: Desk) -> None:
    desk.approved_reply()
    desk.open_submissions()
    desk.take(edited(triaged(review())))
    assert desk.due() == []
    assert desk.plan_replies("again").queued == 1


# What the platform says


def test_a_pending_reply_is_never_submitted_again(desk: Desk) -> None:
    draft = desk.approved_reply()
    desk.hand_over()
    desk.mark(draft, Delivery.PENDING)

    assert (desk.hand_over(), desk.open_submissions(), desk.due()) == ([], 0, [])
    assert desk.plan_replies("again").skipped == {"has a reply": 1}
    with pytest.raises(IllegalMove):
        desk.say(draft, Status.APPROVED, "Other words.")
    desk.mark(draft, Delivery.ACCEPTED)
    assert submission_states(desk) == ["accepted"]


@pytest.mark.parametrize("channel", ["file", "webhook"])
def test_a_reply_that_the_platform_rejects_is_taken_back_and_the_review_is_a_persons(desk: Desk, channel: str) -> None:
    draft = desk.approved_reply()
    if channel == "file":
        desk.hand_over()
        desk.mark(draft, Delivery.REJECTED)
    else:
        desk.open_submissions()
        (due,) = desk.due()
        desk.post(due, Delivery.REJECTED, error="too long")

    assert desk.reply_states() == ["undone"]
    assert desk.plan_replies("again").queued == 1
    (held,) = desk.replies()
    assert (held.state, held.model_called, [reason.code for reason in held.reasons]) == (
        Status.HELD, False, ["platform.rejected"],
    )  # fmt: skip
    desk.say(held.id, Status.APPROVED, "By hand.")
    assert [reply.id for reply in desk.hand_over()] == [held.id]


def test_a_platform_says_nothing_of_what_it_was_not_handed(desk: Desk) -> None:
    draft = desk.approved_reply()
    with pytest.raises(IllegalMove, match="is approved and was not submitted"):
        desk.mark(draft, Delivery.ACCEPTED)
    desk.open_submissions()
    with pytest.raises(IllegalMove, match="is waiting"):
        desk.mark(draft, Delivery.ACCEPTED)
    with pytest.raises(NotFound):
        desk.mark(99, Delivery.ACCEPTED)


@pytest.mark.parametrize("before", [Delivery.SUBMITTED, Delivery.PENDING, Delivery.ACCEPTED, Delivery.REJECTED])
@pytest.mark.parametrize("to", Delivery)
def test_a_platform_makes_the_legal_moves_and_no_other(desk: Desk, before: Delivery, to: Delivery) -> None:
    draft = desk.approved_reply()
    desk.hand_over()
    if before is not Delivery.SUBMITTED:
        desk.mark(draft, before)
    if to in replies.TOLD.get(before, ()):
        desk.mark(draft, to)
        assert submission_states(desk) == [to]
    else:
        with pytest.raises(IllegalMove):
            desk.mark(draft, to)
        assert submission_states(desk) == [before]
