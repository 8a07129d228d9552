"""One chunk of sentiments: the classifier judges, and who may answer the review is decided anew."""

import json
from collections.abc import Sequence

import pytest
from answering import Answering
from reviewing import Desk, edited, review, triaged

from copydesk.engine.base import Completion, Finish, Request
from copydesk.errors import ConfigurationError, ModelError, NotFound
from copydesk.jobs import sentiments
from copydesk.jobs.chunks import Tally
from copydesk.model import Lane, Policy, Route, Status
from copydesk.settings import Replies, SentimentModel, Settings, Shop
from copydesk.store import Database, tables

BERT = Settings(sentiment=SentimentModel(model="tiny-bert"), shops={"demo": Shop(replies=Replies(auto=True))})
GOOD, BAD = (0.9, 0.07, 0.03), (0.02, 0.08, 0.9)


@pytest.fixture
def desk(sqlite_database: Database) -> Desk:
    return Desk(sqlite_database)


def chances(request: Request, said: Sequence[float]) -> Completion:
    named = dict(zip(("positive", "neutral", "negative"), said, strict=True))
    return Completion(request.id, 0, json.dumps(named), Finish.STOP, 7, 0)


def classifier(said: Sequence[float] = GOOD) -> Answering:
    return Answering(lambda request: [chances(request, said)])


def plan(desk: Desk, key: str = "first", settings: Settings = BERT) -> int:
    return sentiments.plan(desk.database, settings, desk.shop, key).run


def write(desk: Desk, engine: Answering, run: int, chunk: int = 0, settings: Settings = BERT) -> Tally:
    return sentiments.write_chunk(desk.database, settings, lambda: engine, run, chunk, lambda _: None)


def test_a_review_is_judged_by_its_masked_title_and_text(desk: Desk) -> None:
    desk.take(triaged(review(text="Ask dana@quill.example"), title="Fine", text="Ask [email]"))
    engine = classifier()
    run = plan(desk)

    assert write(desk, engine, run).ready == 1

    (request,) = engine.asked
    assert (request.messages[-1].content, request.lane) == ("Fine\nAsk [email]", Lane.CATALOG)
    (row,) = desk.rows()
    assert (row.sentiment, row.sentiment_by, row.disagrees) == ("positive", "tiny-bert", False)
    assert row.probabilities == {"positive": 0.9, "neutral": 0.07, "negative": 0.03}
    assert desk.run(run).state == "finished"
    assert desk.run(plan(desk, "again")).queued == 0


def test_who_may_answer_is_decided_anew(desk: Desk) -> None:
    desk.take(triaged(review(rating=5), Policy.AUTO))
    write(desk, classifier(BAD), plan(desk))

    (row,) = desk.rows()
    assert (row.sentiment, row.disagrees) == ("negative", True)
    assert row.policy != "auto", "five stars and a complaint: a person looks at it"


def test_praise_that_the_words_did_not_see_becomes_automatic_where_the_shop_wants_it(desk: Desk) -> None:
    desk.take(triaged(review(rating=5), Policy.DRAFT))
    write(desk, classifier(GOOD), plan(desk))
    assert desk.rows()[0].policy == "auto"


def test_no_sentiment_takes_a_review_from_where_the_shops_own_words_sent_it(desk: Desk) -> None:
    desk.take(triaged(review(rating=5), Policy.PERSON, route=Route.ORDINARY))
    (before,) = desk.rows()
    write(desk, classifier(GOOD), plan(desk))
    (row,) = desk.rows()
    assert (row.policy, row.reasons, row.sentiment_by) == ("person", before.reasons, "tiny-bert")


@pytest.mark.parametrize("route", [Route.SAFETY, Route.SELF_HARM, Route.STAFF, Route.SPAM, Route.EMPTY])
def test_a_review_that_is_not_ordinary_is_not_judged(desk: Desk, route: Route) -> None:
    desk.take(triaged(review(), Policy.PERSON, route=route))
    assert desk.run(plan(desk)).queued == 0


def test_a_second_delivery_asks_nothing(desk: Desk) -> None:
    desk.take(triaged(review()))
    run = plan(desk)
    write(desk, classifier(), run)
    again = classifier()
    assert (write(desk, again, run), again.asked) == (Tally(), [])


def test_one_that_the_classifier_cannot_judge_fails_alone_and_keeps_its_sentiment(desk: Desk) -> None:
    desk.take(triaged(review(1)), triaged(review(2, text="Too much for it.")))

    def answer(request: Request) -> list[Completion]:
        if "Too much" in request.plain:
            return [Completion(request.id, 0, "", Finish.FAILED, error="out of memory")]
        return [chances(request, BAD)]

    engine = Answering(answer)
    run = plan(desk)
    tally = write(desk, engine, run)

    assert sorted((tally.ready, tally.failed)) == [1, 1]
    assert sorted(row.sentiment_by for row in desk.rows()) == ["tiny-bert", "words/en@1"]
    assert desk.run(plan(desk, "again")).queued == 1


def test_a_review_edited_while_it_is_judged_is_judged_again(desk: Desk) -> None:
    one = triaged(review())
    desk.take(one)
    run = plan(desk)

    def answer(request: Request) -> list[Completion]:
        if len(engine.asked) == 1:
            desk.take(edited(one))
            return [chances(request, GOOD)]
        return [chances(request, BAD)]

    engine = Answering(answer)
    tally = write(desk, engine, run)

    assert (tally.ready, tally.stale) == (1, 1)
    assert engine.asked[-1].messages[-1].content.endswith("It broke after a day.")
    assert desk.rows()[0].sentiment == "negative"


def test_a_sentiment_is_no_draft_that_anybody_decides_on(desk: Desk) -> None:
    desk.take(triaged(review()))
    write(desk, classifier(), plan(desk))
    assert (desk.drafts(), desk.replies()) == ([], [])
    with pytest.raises(NotFound):
        desk.say(1, Status.APPROVED)
    with pytest.raises(NotFound):
        desk.decide(1, Status.APPROVED)


def test_a_classifier_that_is_not_named_or_another_one_is_refused_by_name(desk: Desk) -> None:
    desk.take(triaged(review()))
    with pytest.raises(ConfigurationError, match="COPYDESK_SENTIMENT__MODEL"):
        plan(desk, settings=Settings())
    run = plan(desk)

    def never() -> Answering:
        raise AssertionError("the run is not for this worker's classifier: it is not opened")

    for other in (Settings(), Settings(sentiment=SentimentModel(model="other"))):
        with pytest.raises(ConfigurationError, match="planned for the classifier tiny-bert"):
            sentiments.write_chunk(desk.database, other, never, run, 0, lambda _: None)


def test_a_classifier_that_cannot_be_opened_fails_the_chunk_with_the_reason_and_ends_the_run(desk: Desk) -> None:
    desk.take(triaged(review(1)), triaged(review(2)))
    run = plan(desk)

    def broken() -> Answering:
        raise ModelError("tiny-bert cannot be loaded: install it")

    tally = sentiments.write_chunk(desk.database, BERT, broken, run, 0, lambda _: None)

    assert (tally.total, tally.failed) == (2, 2)
    assert (desk.run(run).state, desk.run(run).outcomes) == ("finished", {"failed": 2})
    (why,) = {json.dumps(row.reasons) for row in desk.rows(tables.drafts)}
    assert "sentiment.model" in why
    assert "tiny-bert cannot be loaded: install it" in why
    assert desk.run(plan(desk, "again")).queued == 2
