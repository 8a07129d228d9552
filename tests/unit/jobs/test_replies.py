"""One chunk of replies: claimed, asked for with another opening each, judged and written down."""

from collections.abc import Callable, Iterator

import pytest
import sqlalchemy as sa
from answering import Answering
from databases import product
from engines import in_thread
from reviewing import Desk, edited, review, some_reviews, triaged

from copydesk import guards, prompts
from copydesk.engine.base import Completion, Finish, Request
from copydesk.engine.hosted import HostedEngine
from copydesk.engine.scripted import Behaviour, ScriptedBackend
from copydesk.errors import ConfigurationError, NotFound
from copydesk.jobs import replies
from copydesk.jobs.chunks import Tally
from copydesk.jobs.replies import LOOKED_BACK, REPLIES_IN_CHUNK, Recipe
from copydesk.model import Lane, Polarity, Policy, Status
from copydesk.settings import Replies, Rules, Sampling, Settings, Shop
from copydesk.store import Database, tables

PLAIN = Settings()
AUTO = Settings(shops={"demo": Shop(replies=Replies(auto=True))})


@pytest.fixture
def desk(sqlite_database: Database) -> Desk:
    return Desk(sqlite_database)


@pytest.fixture
def scripted() -> Iterator[Callable[..., HostedEngine]]:
    """Opens scripted engines and closes them."""
    opened: list[HostedEngine] = []

    def open_one(behave: Callable[[Request], Behaviour | None] | None = None) -> HostedEngine:
        opened.append(in_thread(lambda: ScriptedBackend(behave=behave)))
        return opened[-1]

    yield open_one
    for engine in opened:
        engine.close()


def said(request: Request, text: str = "We are glad about the lovely mug.", finish: Finish = Finish.STOP) -> Completion:
    return Completion(request.id, 0, text, finish, 10, 20)


def good() -> Answering:
    return Answering(lambda request: [said(request)])


def plan(desk: Desk, key: str = "first", settings: Settings = PLAIN, **order: object) -> int:
    return replies.plan(desk.database, settings, desk.shop, key, **order).run  # type: ignore[arg-type]


def write(desk: Desk, engine: object, run: int, chunk: int = 0, settings: Settings = PLAIN) -> Tally:
    return replies.write_chunk(desk.database, settings, engine, run, chunk, lambda _: None)  # type: ignore[arg-type]


def test_a_chunk_of_reviews_is_answered_and_the_run_ended(desk: Desk) -> None:
    desk.take(*some_reviews(3))
    run = plan(desk)

    tally = write(desk, good(), run)

    assert str(tally).partition(" | ")[0] == "3/3 ok, 0 held, 0 failed"
    found = desk.replies()
    assert {reply.state for reply in found} == {Status.READY}
    assert {(reply.model, reply.prompt, reply.asks) for reply in found} == {
        ("answering", prompts.version("reply", "en"), 1)
    }
    assert all("We are glad about the lovely mug." in reply.text for reply in found)
    assert desk.run(run).state == "finished"


def test_the_scripted_engine_answers_within_the_guards(desk: Desk, scripted: Callable[..., HostedEngine]) -> None:
    desk.take_in(product(1))
    desk.take(*some_reviews(4))
    engine = scripted()
    assert write(desk, engine, plan(desk)).ready == 4, [reply.reasons for reply in desk.replies()]


def test_requests_are_urgent_and_hold_the_masked_review_and_the_facts(desk: Desk) -> None:
    desk.take_in(product(1))
    desk.take(
        triaged(review(1, text="Ask dana@quill.example."), title="Fine", text="Ask [email] about the lovely mug.")
    )
    engine = good()
    settings = Settings(shops={"demo": Shop(voice="Dry and short.", replies=Replies(sign_off="Your demo team"))})

    write(desk, engine, plan(desk, settings=settings))

    (request,) = engine.asked
    turn = request.messages[-1].content
    assert request.lane is Lane.REPLIES
    assert "Fine" in turn
    assert "(email)" in turn or "[email]" in turn
    assert "quill" not in turn
    assert "Thing 1" in turn
    assert "Dry and short." in turn
    (reply,) = desk.replies()
    assert reply.text.endswith("\nYour demo team"), reply.reasons


def test_a_review_of_an_unknown_product_is_answered_without_facts(desk: Desk) -> None:
    desk.take(triaged(review(1, sku="ghost")))
    assert write(desk, good(), plan(desk)).ready == 1


def test_no_model_sees_what_a_person_has_to_answer_or_nobody(desk: Desk) -> None:
    desk.take(triaged(review(1), Policy.PERSON), triaged(review(2), Policy.IGNORE), triaged(review(3)))
    run = plan(desk)
    engine = good()
    write(desk, engine, run)

    assert len(engine.asked) == 1
    assert [reply.model_called for reply in desk.replies()] == [False, False, True]
    assert desk.run(run).outcomes == {"held": 1, "ignored": 1, "ready": 1}


def test_a_second_delivery_asks_nothing(desk: Desk) -> None:
    desk.take(*some_reviews(2))
    run = plan(desk)
    write(desk, good(), run)
    again = good()

    assert write(desk, again, run) == Tally()
    assert again.asked == []


def test_chunks_are_small_and_smaller_where_the_settings_say_so(desk: Desk) -> None:
    desk.take(*some_reviews(REPLIES_IN_CHUNK + 1))
    assert desk.chunks(plan(desk, "first", limit=REPLIES_IN_CHUNK + 1)) == [0, 1]
    desk.take(*[triaged(review(100 + place)) for place in range(3)])
    assert desk.chunks(plan(desk, "second", Settings(chunk_size=1))) == [0, 1, 2]


def test_a_refused_reply_is_asked_for_again_with_another_opening_and_then_held(desk: Desk) -> None:
    desk.take(triaged(review()))
    engine = Answering(lambda request: [said(request, "You will get a full refund of your money by Monday.")])

    tally = write(desk, engine, plan(desk, settings=Settings(max_asks=3)))

    assert (tally.held, len(engine.asked)) == (1, 3)
    (reply,) = desk.replies()
    assert (reply.state, reply.asks) == (Status.HELD, 3)
    assert "reply.promise" in {reason.code for reason in reply.reasons}
    assert "refund" in reply.text
    assert [request.sampling.temperature for request in engine.asked] == [None, 0.8, 0.8]


@pytest.mark.parametrize("finish", [Finish.FAILED, Finish.STOP], ids=["failed", "nothing"])
def test_a_review_that_got_no_text_at_all_is_failed_and_asked_for_by_the_next_run(desk: Desk, finish: Finish) -> None:
    desk.take(triaged(review()))
    engine = Answering(lambda request: [Completion(request.id, 0, "", finish, error="out of memory")])
    assert write(desk, engine, plan(desk, settings=Settings(max_asks=2))).failed == 1
    assert desk.replies()[0].reasons

    assert write(desk, good(), plan(desk, "again")).ready == 1
    assert desk.reply_states() == ["ready"]


def test_no_reply_begins_as_one_of_the_last_did_in_one_chunk_or_over_many(desk: Desk) -> None:
    desk.take(*some_reviews(2 * LOOKED_BACK + 5))
    run = plan(desk)
    for chunk in desk.chunks(run):
        write(desk, good(), run, chunk)

    found = desk.replies()
    assert {reply.state for reply in found} == {Status.READY}
    assert {reply.asks for reply in found} == {1}
    openings = [guards.opening_of(reply.text) for reply in found]
    for place in range(len(openings)):
        assert openings[place] not in openings[max(0, place - 5) : place]


def test_an_opening_that_the_shop_used_lately_is_passed_over_before_anything_is_asked(desk: Desk) -> None:
    used = desk.approved_reply(number=50)
    desk.take(*some_reviews(1))
    first = prompts.opening("en", Polarity.POSITIVE, used + 1)
    with desk.database.write() as connection:
        connection.execute(
            sa.update(tables.drafts).where(tables.drafts.c.id == used).values(text=f"{first} Old one, and long.")
        )
    write(desk, good(), plan(desk))

    newest = desk.replies()[-1]
    assert (newest.id, newest.asks) == (used + 1, 1)
    assert not newest.text.startswith(first)


def test_a_review_edited_while_it_is_answered_is_answered_again_in_the_same_chunk(desk: Desk) -> None:
    one = triaged(review())
    desk.take(one)
    run = plan(desk)

    def answer(request: Request) -> list[Completion]:
        if len(engine.asked) == 1:
            desk.take(edited(one, "It is lovely, only the lid is loose."))
        return [said(request)]

    engine = Answering(answer)
    tally = write(desk, engine, run)

    assert (tally.ready, tally.stale) == (1, 1)
    assert "the lid is loose" in engine.asked[-1].messages[-1].content
    assert desk.reply_states(every=True) == ["stale", "ready"]
    assert desk.run(run).outcomes == {"ready": 1, "stale": 1}


def test_the_rule_approves_what_the_guards_pass_where_the_review_says_auto(desk: Desk) -> None:
    desk.take(triaged(review(1), Policy.AUTO), triaged(review(2), Policy.DRAFT))
    run = plan(desk, settings=AUTO)

    tally = write(desk, good(), run, settings=AUTO)

    assert tally.ready == 2
    assert [(reply.state.value, reply.decided_by) for reply in desk.replies()] == [
        ("approved", "rule:auto"), ("ready", None),
    ]  # fmt: skip


@pytest.mark.parametrize("when", ["planned", "written"])
def test_a_rule_that_was_off_when_planned_or_is_off_now_approves_nothing(desk: Desk, when: str) -> None:
    desk.take(triaged(review(1), Policy.AUTO))
    run = plan(desk, settings=Settings() if when == "planned" else AUTO)
    write(desk, good(), run, settings=AUTO if when == "planned" else Settings())
    assert desk.reply_states() == ["ready"]


def test_the_rule_approves_nothing_that_the_guards_refuse(desk: Desk) -> None:
    desk.take(triaged(review(1), Policy.AUTO))
    settings = AUTO.model_copy(update={"max_asks": 1})
    engine = Answering(lambda request: [said(request, "We will refund you 20 dollars at once.")])
    write(desk, engine, plan(desk, settings=settings), settings=settings)
    assert desk.reply_states() == ["held"]


def test_a_review_in_a_language_without_a_prompt_is_held_without_asking(desk: Desk) -> None:
    desk.take(triaged(review(1), language="fr"), triaged(review(2)))
    engine = good()
    assert write(desk, engine, plan(desk)).held == 1
    held, _ = desk.replies()
    assert ([reason.code for reason in held.reasons], held.asks, held.model_called) == (["prompt.missing"], 0, False)


@pytest.mark.parametrize("language", ["zh", "de"])
def test_a_review_is_answered_in_its_own_language(desk: Desk, language: str) -> None:
    text = {"zh": "杯子很好看，送货也很快。", "de": "Die Tasse ist schön und kam schnell."}[language]
    answer = {"zh": "很高兴您喜欢这个杯子。", "de": "Wir freuen uns, dass Ihnen die Tasse gefällt."}[language]
    desk.take(triaged(review(text=text, title=""), language=language))
    write(desk, Answering(lambda request: [said(request, answer)]), plan(desk))
    (reply,) = desk.replies()
    assert (reply.state, reply.prompt) == (Status.READY, prompts.version("reply", language)), reply.reasons


def test_the_runs_own_recipe_counts(desk: Desk) -> None:
    desk.take(triaged(review()))
    settings = Settings(sampling=Sampling(temperature=0.2, max_tokens=33), max_asks=1, rules=Rules(max_words=6))
    engine = good()
    write(desk, engine, plan(desk, settings=settings))
    assert (engine.asked[0].sampling.temperature, engine.asked[0].sampling.max_tokens) == (0.2, 33)
    assert desk.reply_states() == ["held"], "the run's own rules ask for fewer words"


def test_a_recipe_survives_the_ledger_and_its_hash_follows_it() -> None:
    settings = Settings(shops={"demo": Shop(voice="Dry.", replies=Replies(sign_off="Us"))})
    recipe = Recipe.of(settings, "demo")
    assert Recipe.from_json(recipe.as_json()) == recipe
    assert recipe.hash() == Recipe.of(settings, "demo").hash() != Recipe.of(Settings(), "demo").hash()


def test_a_run_of_another_model_and_an_unknown_shop_are_refused(desk: Desk) -> None:
    desk.take(triaged(review()))
    run = plan(desk, settings=Settings(model="a/one"))
    with pytest.raises(ConfigurationError, match=r"planned for a/one .* a worker has smollm2"):
        write(desk, good(), run)
    with pytest.raises(NotFound, match="'nowhere'"):
        replies.plan(desk.database, Settings(), "nowhere", "key")


def test_a_long_review_an_emoji_and_mixed_directions_are_answered_like_any_other(desk: Desk) -> None:
    texts = ["Very good, truly. " * 1100, "👍👍👍", "Great מאוד טוב جيد جدا great", "好 good gut 好"]
    desk.take(*[triaged(review(place, text=text, title="")) for place, text in enumerate(texts, start=1)])
    engine = good()
    write(desk, engine, plan(desk))
    assert max(len(request.messages[-1].content) for request in engine.asked) < 3000
    assert {reply.state for reply in desk.replies()} <= {Status.READY, Status.HELD}


def test_a_model_that_doubts_the_praise_takes_a_waiting_reply_from_the_rule(desk: Desk) -> None:
    """The sentiment job changed the policy between the plan and the settling."""
    desk.take(triaged(review(), Policy.AUTO))
    run = plan(desk, settings=AUTO)

    def answer(request: Request) -> list[Completion]:
        with desk.database.write() as connection:
            connection.execute(sa.update(tables.reviews).values(policy="draft"))
        return [said(request)]

    write(desk, Answering(answer), run, settings=AUTO)
    assert desk.reply_states() == ["ready"]
