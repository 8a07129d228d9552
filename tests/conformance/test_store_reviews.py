"""Reviews: taken in once, a version further when edited, judged again, and forgotten without a trace."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from databases import Meanwhile, at_once, product
from reviewing import Desk, edited, review, some_reviews, triaged, written

from copydesk.model import Opinion, Platform, Polarity, Policy, Reviewer, Route, Sentiment, Status
from copydesk.store import Database, replies, reviews, sentiments, tables
from copydesk.store.replies import Delivery
from copydesk.store.reviews import Imported, Judgement


@pytest.fixture
def desk(database: Database) -> Desk:
    return Desk(database)


def test_a_review_is_stored_as_triage_masked_it_with_the_raw_cells_beside(desk: Desk) -> None:
    one, found = triaged(review(text="Ask dana@quill.example."), title="Good", text="Ask [email].", language="en")
    desk.take((one, found))

    (row,) = desk.rows()
    assert (row.review_id, row.platform, row.version, row.rating, row.language) == ("r1", "judgeme", 1, 5, "en")
    assert (row.title, row.text) == ("Good", "Ask [email].")
    assert (row.reviewer_name, row.reviewer_email, row.reviewer_id) == (
        "Dana Quillfeather 1", "dana1@quill.example", "U-1",
    )  # fmt: skip
    assert row.source == dict(one.source)
    assert (row.route, row.policy, row.sentiment, row.sentiment_by) == ("ordinary", "draft", "positive", "words/en@1")
    assert row.probabilities == {"positive": 0.9, "neutral": 0.07, "negative": 0.03}
    assert row.content_hash == one.content_hash


def test_the_same_reviews_again_change_nothing(desk: Desk) -> None:
    assert desk.take(*some_reviews(3)) == Imported(new=3, unknown=("sku1", "sku2", "sku3"))
    before = desk.rows()

    assert desk.take(*some_reviews(3)) == Imported(unchanged=3, unknown=("sku1", "sku2", "sku3"))
    assert desk.rows() == before


def test_no_reviews_are_no_change(desk: Desk) -> None:
    assert desk.take() == Imported()


def test_an_edited_review_is_a_version_further_with_todays_triage(desk: Desk) -> None:
    one = triaged(review())
    desk.take(one)

    assert desk.take(edited(one, policy=Policy.PERSON, route=Route.SAFETY)) == Imported(changed=1, unknown=("sku1",))

    (row,) = desk.rows()
    assert (row.version, row.text, row.policy, row.route) == (2, "It broke after a day.", "person", "safety")


def test_other_stars_alone_are_an_edit(desk: Desk) -> None:
    desk.take(triaged(review(rating=5)))
    assert desk.take(triaged(review(rating=1))).changed == 1


def test_one_key_of_two_platforms_or_two_shops_is_two_reviews(desk: Desk) -> None:
    other = Desk(desk.database, "other")
    assert desk.take(triaged(review()), triaged(review(platform=Platform.YOTPO))).new == 2
    assert other.take(triaged(review())).new == 1


def test_of_two_with_one_key_in_a_batch_the_later_counts(desk: Desk) -> None:
    one = triaged(review())
    assert desk.take(one, edited(one, "Second thoughts.")) == Imported(new=1, unchanged=1, unknown=("sku1",))
    assert [row.text for row in desk.rows()] == ["Second thoughts."]


def test_a_review_finds_its_product_also_when_that_comes_later(desk: Desk) -> None:
    desk.take_in(product(1))
    taken = desk.take(triaged(review(1)), triaged(review(2)), triaged(review(3, sku="")))
    assert taken.unknown == ("sku2",)
    assert [row.product_id is None for row in desk.rows()] == [False, True, True]

    desk.take_in(product(2))
    assert desk.take(triaged(review(2))) == Imported(unchanged=1)
    assert [row.product_id is None for row in desk.rows()] == [False, False, True]


def test_imports_of_one_file_at_once_store_each_review_once(desk: Desk) -> None:
    taken = at_once([lambda: desk.take(*some_reviews(20)) for _ in range(5)])

    assert (sum(one.new for one in taken), sum(one.unchanged for one in taken)) == (20, 80)
    assert len(desk.rows()) == 20


def test_what_no_database_can_hold_is_left_out_of_a_review(desk: Desk) -> None:
    text = "a\x00b 🫖"
    one = triaged(review(text=text, reviewer=Reviewer("D\x00", "", "\ud83e"), source={"body\x00": text}, reply="\x00"))
    desk.take(one)
    assert desk.take(one) == Imported(unchanged=1, unknown=("sku1",))
    assert desk.rows()[0].text == "ab 🫖"


# What the platform shows


def test_a_reply_that_the_platform_shows_is_the_answer_to_what_the_review_says_then(desk: Desk) -> None:
    desk.take(triaged(review(reply="Thanks!")), triaged(review(2)))

    planned = desk.plan_replies()

    assert (planned.queued, planned.skipped) == (1, {"answered on the platform": 1})


def test_an_edit_after_the_platforms_reply_reopens_the_review(desk: Desk) -> None:
    one = triaged(review(reply="Thanks!"))
    desk.take(one)
    desk.take(edited(one))

    assert desk.plan_replies().queued == 1


def test_a_new_reply_on_the_platform_takes_back_what_was_not_sent(desk: Desk) -> None:
    desk.take(*some_reviews(3))
    first = desk.plan_replies("first", ids=[1]).run
    desk.answer(first)
    second = desk.plan_replies("second", ids=[2]).run
    (claimed,) = desk.claim_replies(second)
    desk.plan_replies("third", ids=[3])

    desk.take(*[triaged(review(place, reply="Done by hand.")) for place in (1, 2, 3)])

    assert desk.reply_states() == ["stale", "stale", "stale"]
    assert desk.settle(written(claimed)).fenced == 1
    assert desk.plan_replies("fourth").skipped == {"answered on the platform": 3}
    assert desk.finalize(second)


def test_our_own_reply_back_from_the_platform_answers_the_version_it_was_written_for(desk: Desk) -> None:
    """The customer edited the review after we had replied; one file brings both back."""
    draft = desk.approved_reply()
    (sent,) = desk.hand_over()
    one = triaged(review(reply=f" {sent.text}\n"))
    desk.take(edited(one))

    planned = desk.plan_replies("again")

    assert planned.queued == 1
    assert desk.reply_states(every=True) == ["published", "pending"]
    desk.take(edited(one))
    assert desk.reply_states(every=True) == ["published", "pending"], "and the file again changes nothing"
    assert desk.replies(ids=[draft])[0].state is Status.PUBLISHED


# What an edit makes of replies


@pytest.mark.parametrize("state", [Status.READY, Status.HELD, Status.APPROVED])
def test_an_edit_makes_a_reply_that_was_not_sent_stale_and_the_review_is_asked_for_again(
    desk: Desk, state: Status
) -> None:
    one = triaged(review())
    desk.take(one)
    desk.answer(desk.plan_replies().run, Status.HELD if state is Status.HELD else Status.READY)
    if state is Status.APPROVED:
        desk.say(desk.replies()[0].id, Status.APPROVED)

    assert desk.take(edited(one)).replies_made_stale == 1

    assert desk.plan_replies("again").queued == 1
    assert desk.reply_states(every=True) == ["stale", "pending"]


def test_an_edit_leaves_what_was_sent_and_asks_for_the_new_version(desk: Desk) -> None:
    desk.approved_reply()
    desk.hand_over()
    desk.take(edited(triaged(review())))

    assert desk.plan_replies("again").queued == 1
    assert desk.reply_states(every=True) == ["published", "pending"]


def test_an_ignored_review_that_says_something_by_now_is_asked_for(desk: Desk) -> None:
    one = triaged(review(text="."), Policy.IGNORE)
    desk.take(one)
    desk.plan_replies()
    desk.take(edited(one, policy=Policy.DRAFT))

    assert desk.plan_replies("again").queued == 1
    assert desk.reply_states(every=True) == ["stale", "pending"]


def test_a_rejected_reply_stays_rejected_and_an_edit_asks_anew(desk: Desk) -> None:
    one = triaged(review())
    desk.take(one)
    desk.answer(desk.plan_replies().run)
    desk.say(desk.replies()[0].id, Status.REJECTED)
    assert desk.plan_replies("again").skipped == {"has a reply": 1}

    desk.take(edited(one))

    assert desk.plan_replies("third").queued == 1
    assert desk.reply_states(every=True) == ["rejected", "pending"]


# Judged again by a model


def judged(desk: Desk, run: int, polarity: Polarity = Polarity.NEGATIVE) -> list[bool]:
    """Claim and settle the run as a model would; whether each outcome was accepted."""
    claimed = desk.claim_replies(run)
    said = Judgement(Sentiment(polarity, 0.1, 0.1, 0.8, "tiny-bert"), True, Policy.PERSON, ())
    with desk.database.write() as connection:
        settled = sentiments.settle(
            connection, "mine", [written(one, text="") for one in claimed], {one.id: said for one in claimed}
        )
    return [one.id in settled.accepted for one in claimed]


def plan_sentiments(desk: Desk, key: str = "first", by: str = "tiny-bert") -> int:
    with desk.database.write() as connection:
        return sentiments.plan(connection, desk.shop_id, key, {}, by=by, chunk_size=16).run


def test_a_model_judges_every_review_that_it_has_not_judged(desk: Desk) -> None:
    desk.take(triaged(review(1)), triaged(review(2), Policy.PERSON, route=Route.ORDINARY))
    run = plan_sentiments(desk)

    assert judged(desk, run) == [True, True]

    rows = desk.rows()
    assert {(row.sentiment, row.sentiment_by, row.disagrees, row.policy) for row in rows} == {
        ("negative", "tiny-bert", True, "person")
    }
    assert rows[0].probabilities == {"positive": 0.1, "neutral": 0.1, "negative": 0.8}
    assert desk.run(plan_sentiments(desk, "second")).queued == 0
    assert desk.run(plan_sentiments(desk, "third", "other-bert")).queued == 2
    assert desk.replies() == [], "a sentiment is no reply"


def test_two_producers_ask_for_each_sentiment_once(desk: Desk) -> None:
    desk.take(*some_reviews(20))
    ids = at_once([lambda key=key: plan_sentiments(desk, f"producer {key}") for key in range(4)])
    assert sum(desk.run(run).queued for run in ids) == 20


def test_a_review_edited_while_a_model_judged_it_keeps_its_own_sentiment_and_is_judged_again(desk: Desk) -> None:
    one = triaged(review())
    desk.take(one)
    run = plan_sentiments(desk)
    claimed = desk.claim_replies(run)
    desk.take(edited(one))
    said = Judgement(Sentiment(Polarity.NEGATIVE, 0.1, 0.1, 0.8, "tiny-bert"), False, Policy.DRAFT, ())
    with desk.database.write() as connection:
        settled = sentiments.settle(connection, "mine", [written(claimed[0])], {claimed[0].id: said})

    assert (settled.accepted, settled.stale) == (frozenset(), 1)
    assert desk.rows()[0].sentiment_by == "words/en@1"
    assert judged(desk, run) == [True], "the successor"
    assert desk.rows()[0].sentiment_by == "tiny-bert"


# Told for a digest


def test_reviews_are_told_of_a_span_by_when_they_were_written(desk: Desk) -> None:
    start = datetime(2026, 11, 16, tzinfo=UTC)
    moments = [start - timedelta(seconds=1), start, start + timedelta(days=7)]
    desk.take(*[triaged(review(place, written_at=moment)) for place, moment in enumerate(moments, start=1)])
    with desk.database.read() as connection:
        found = list(reviews.told(connection, desk.shop_id, start, start + timedelta(days=7)))

    (one,) = found
    assert (one.review, one.sku, one.at, one.sentiment) == ("r2", "sku2", start, Polarity.POSITIVE)
    assert one.opinions == (Opinion("quality", Polarity.POSITIVE, "Lovely, and it came quickly."),)


# Forgotten


def planted(desk: Desk) -> None:
    """A reviewer whose name stands wherever a review can leave it."""
    name = "Dana Quillfeather"
    says = f"{name} cut a finger."
    one = review(text=says, reviewer=Reviewer(name, "Dana@Quill.example", "U-77"), source={"who": name}, reply="")
    desk.take(triaged(one, Policy.DRAFT, title=name, text=says), triaged(review(2), Policy.DRAFT))
    run = desk.plan_replies().run
    first, _ = desk.claim_replies(run)
    desk.settle(replace(written(first, text=f"Dear {name},"), reasons=triaged(one, Policy.PERSON)[1].reasons))
    desk.say(desk.replies()[0].id, Status.APPROVED, f"Hello {name}")
    desk.open_submissions()
    (due,) = desk.due()
    desk.post(due, Delivery.FAILED, error=f"no {name} here")
    desk.take(triaged(replace(one, reply=f"Hi {name}"), text=says, title=name))


@pytest.mark.parametrize("reviewer", ["dana quillfeather", " DANA@quill.EXAMPLE", "u-77"])
def test_forgetting_leaves_no_trace_in_any_table(desk: Desk, reviewer: str) -> None:
    planted(desk)
    assert "Dana Quillfeather cut a finger." in desk.everything()

    assert desk.forget(reviewer) == reviews.Forgotten(1, 1)

    left = desk.everything()
    for word in ("Dana Quillfeather'", "Dana Quillfeather c", "Dear Dana", "Hi Dana", "Dana@", "U-77", "finger"):
        assert word not in left
    assert "Dana Quillfeather 2" in left, "another reviewer stays"
    assert "route.safety" in left, "that there was a reason may be known"
    assert desk.forget(reviewer) == reviews.Forgotten(0, 0)


@pytest.mark.parametrize("reviewer", ["", " ", "dana", "quill.example", "%", "Dana Quillfeather 1 "])
def test_only_the_whole_name_is_the_name(desk: Desk, reviewer: str) -> None:
    desk.take(*some_reviews(2))
    assert desk.forget(reviewer).reviews == (1 if reviewer.strip() == "Dana Quillfeather 1" else 0)


def test_letters_beyond_ascii_are_the_same_in_either_case(desk: Desk) -> None:
    desk.take(triaged(review(reviewer=Reviewer("Ägidius Öz"))), triaged(review(2, reviewer=Reviewer("王小明"))))
    assert (desk.forget("ägidius öz").reviews, desk.forget("王小明").reviews) == (1, 1)


def test_one_shop_forgets_and_the_other_remembers(desk: Desk) -> None:
    other = Desk(desk.database, "other")
    for one in (desk, other):
        one.take(triaged(review()))
    with desk.database.write() as connection:
        found = reviews.by_reviewer(connection, "Dana Quillfeather 1", other.shop_id)
        assert reviews.forget(connection, found).reviews == 1
    assert [row.text for row in desk.rows()] == ["Lovely, and it came quickly.", ""]


def test_the_file_again_brings_nothing_forgotten_back_not_even_edited(desk: Desk) -> None:
    one = triaged(review())
    desk.take(one)
    desk.forget("U-1")
    before = desk.everything()

    assert desk.take(one).unchanged == 1
    assert desk.take(edited(one)).unchanged == 1

    assert desk.everything() == before
    assert desk.plan_replies().skipped == {"forgotten": 1}


def test_what_is_written_about_a_forgotten_review_is_dropped(desk: Desk) -> None:
    desk.take(*some_reviews(2))
    run = desk.plan_replies().run
    first, second = desk.claim_replies(run)
    desk.forget("U-1")

    settled = desk.settle(written(first, text="Dear Dana"), written(second))

    assert settled.accepted == {second.id}
    assert "Dear Dana" not in desk.everything()
    assert desk.finalize(run)
    assert desk.run(run).outcomes == {"ready": 1, "stale": 1}


def test_a_worker_that_settles_while_somebody_forgets_leaves_nothing(desk: Desk, meanwhile: Meanwhile) -> None:
    desk.take(triaged(review()))
    (claimed,) = desk.claim_replies(desk.plan_replies().run)
    with desk.database.write() as connection:
        reviews.forget(connection, reviews.by_reviewer(connection, "U-1"))
        late = meanwhile.start(lambda: desk.settle(written(claimed, text="Dear Dana")))
    late.result(30)

    assert "Dear Dana" not in desk.everything()


def test_a_waiting_reply_to_a_forgotten_review_is_never_posted(desk: Desk) -> None:
    desk.approved_reply()
    desk.open_submissions()
    desk.forget("U-1")
    assert desk.due() == []
    assert desk.hand_over() == []


def test_reviews_grow_old_by_when_they_came_in(desk: Desk) -> None:
    desk.take(*some_reviews(3))
    with desk.database.write() as connection:
        connection.execute(
            sa.update(tables.reviews)
            .where(tables.reviews.c.review_id != "r3")
            .values(imported_at=tables.now(-10 * 86_400))
        )
        assert reviews.older_than(connection, 11, 10) == []
        assert reviews.older_than(connection, 9, 1) == [1]
        found = reviews.older_than(connection, 9, 10)
        assert reviews.forget(connection, found).reviews == 2
        assert reviews.older_than(connection, 9, 10) == []


def test_a_file_that_does_not_speak_of_replies_leaves_the_answer_that_is_known(desk: Desk) -> None:
    desk.take(triaged(review(reply="Thank you!")))
    assert desk.take(triaged(review(reply=None))).unchanged == 1
    assert desk.plan_replies().skipped == {"answered on the platform": 1}


def test_the_same_words_are_routed_again_by_todays_rules(desk: Desk) -> None:
    desk.take(triaged(review()))
    planned = desk.plan_replies()
    desk.take(triaged(review(), Policy.PERSON))
    assert desk.claim_replies(planned.run) == []
    assert desk.reply_states() == ["held"]


def test_a_review_edited_while_it_is_claimed_waits_until_it_is(desk: Desk, meanwhile: Meanwhile) -> None:
    one = triaged(review())
    desk.take(one)
    planned = desk.plan_replies()
    grave = edited(one, "It exploded.", policy=Policy.PERSON, route=Route.SAFETY)
    with desk.database.write() as connection:
        claimed = replies.claim(connection, planned.run, 0, token="mine", lease_seconds=60)
        importing = meanwhile.start(lambda: desk.take(grave))
        assert not importing.done()
    importing.result()
    assert [(one.text, one.route) for one in claimed] == [("Lovely, and it came quickly.", Route.ORDINARY)]


def test_what_a_model_said_of_the_sentiment_stays_while_the_words_do(desk: Desk) -> None:
    said = Sentiment(Polarity.NEGATIVE, 0.1, 0.1, 0.8, "model/bert")
    desk.take(triaged(review(), sentiment=said))
    desk.take(triaged(review()))
    assert [row.sentiment_by for row in desk.rows()] == ["model/bert"]


def test_no_classifier_is_asked_about_a_grave_review(desk: Desk) -> None:
    desk.take(triaged(review(), Policy.PERSON, route=Route.SAFETY))
    assert desk.run(plan_sentiments(desk)).queued == 0


def test_a_name_is_found_however_it_is_written(desk: Desk) -> None:
    desk.take(triaged(review(reviewer=Reviewer("José Müller"))))
    with desk.database.read() as connection:
        assert len(reviews.by_reviewer(connection, "JOSE\u0301  mu\u0308ller")) == 1
