"""One chunk of a batch file: asked as it came, answered as the model answered, failed one by one."""

import pytest
from answering import Answering
from databases import Ledger

from copydesk.engine.base import Completion, Finish, Message, Request
from copydesk.errors import ConfigurationError
from copydesk.jobs import batch
from copydesk.jobs.batch import Chat
from copydesk.jobs.chunks import Tally
from copydesk.model import Lane, Reason
from copydesk.settings import Sampling, Settings
from copydesk.store import Database, batches, drafts


@pytest.fixture
def ledger(sqlite_database: Database) -> Ledger:
    return Ledger(sqlite_database)


def asks(*choices: int, **sampling: object) -> list[batches.Line]:
    """A line for each number of choices wanted."""
    say = (Message("user", "Say something"),)
    bodies = [Chat(say, Sampling(**sampling), wanted).as_json() for wanted in choices]
    return [batches.Line(number, f"id-{number}", body) for number, body in enumerate(bodies, start=1)]


def plan(ledger: Ledger, lines: list[batches.Line], lane: Lane = Lane.CATALOG, **settings: object) -> int:
    return batch.plan(ledger.database, Settings(**settings), "key", lines, lane).run


def written(ledger: Ledger, engine: Answering, run: int, chunk: int = 0) -> Tally:
    return batch.write_chunk(ledger.database, Settings(), engine, run, chunk, lambda _: None)


def answers(ledger: Ledger, run: int) -> list[batches.Answer]:
    with ledger.database.read() as connection:
        return list(batches.answers(connection, run))


def said(request: Request, index: int = 0, text: str = "words", finish: Finish = Finish.STOP) -> Completion:
    return Completion(request.id, index, text, finish, 10, 20)


def test_a_request_is_asked_as_it_came(ledger: Ledger) -> None:
    turns = (Message("system", "Be brief."), Message("user", "Hello"))
    lines = [batches.Line(1, "a", Chat(turns, Sampling(max_tokens=7, seed=3), 2).as_json())]
    engine = Answering(lambda request: [said(request, 0), said(request, 1)])

    written(ledger, engine, plan(ledger, lines, Lane.REPLIES))

    (request,) = engine.asked
    assert request.messages == turns
    assert request.plain == "Be brief.\n\nHello"
    assert (request.sampling, request.candidates, request.lane) == (Sampling(max_tokens=7, seed=3), 2, Lane.REPLIES)


def test_the_answer_is_the_models_own_whatever_a_guard_would_say(ledger: Ledger) -> None:
    text = " Sorry, I can't help with 98765 kg.\r\n\0"
    run = plan(ledger, asks(1))

    assert written(ledger, Answering(lambda request: [said(request, text=text)]), run).ready == 1

    (answer,) = answers(ledger, run)
    assert (answer.choices, answer.error) == ([{"text": text, "finish": "stop"}], None)
    assert (answer.model, answer.prompt_tokens, answer.completion_tokens) == ("answering", 10, 20)
    assert ledger.run(run).state == "finished"


def test_every_choice_is_kept_in_its_place(ledger: Ledger) -> None:
    run = plan(ledger, asks(3))
    engine = Answering(
        lambda request: [said(request, 2, "c"), said(request, 0, "a", Finish.LENGTH), said(request, 1, "b")]
    )

    written(ledger, engine, run)

    (answer,) = answers(ledger, run)
    assert [(choice["text"], choice["finish"]) for choice in answer.choices] == [
        ("a", "length"), ("b", "stop"), ("c", "stop"),
    ]  # fmt: skip
    assert (answer.prompt_tokens, answer.completion_tokens) == (10, 60), "the prompt is counted once"
    assert engine.cancelled == []


def test_a_request_that_fails_is_an_error_of_its_own_and_its_other_choices_are_cancelled(ledger: Ledger) -> None:
    run = plan(ledger, asks(1, 4, 1))

    def answer(request: Request) -> list[Completion]:
        if request.candidates == 1:
            return [said(request)]
        return [said(request), Completion(request.id, 1, "", Finish.FAILED, error="out of memory")]

    engine = Answering(answer)
    tally = written(ledger, engine, run)

    assert (tally.ready, tally.failed) == (2, 1)
    assert [one.error for one in answers(ledger, run)] == [
        None, Reason("engine.failed", "the model could not answer: out of memory"), None,
    ]  # fmt: skip
    assert engine.cancelled == [engine.asked[1].id]
    assert len(engine.asked) == 3, "there is no second ask"


def test_an_answer_that_is_no_text_does_not_stop_the_others(ledger: Ledger) -> None:
    run = plan(ledger, asks(1, 1))
    written(ledger, Answering(lambda request: [said(request, text="half a \ud83e pair")]), run)

    assert [one.choices[0]["text"] for one in answers(ledger, run)] == ["half a ? pair"] * 2


def test_an_engine_that_closes_leaves_the_requests_to_another_worker(ledger: Ledger) -> None:
    run = plan(ledger, asks(1, 1))
    written(ledger, Answering(lambda request: [Completion(request.id, 0, "", Finish.CLOSED)]), run)

    assert written(ledger, Answering(lambda request: [said(request)]), run).ready == 2
    assert written(ledger, Answering(lambda request: [said(request)]), run) == Tally()


def test_a_run_planned_for_another_model_is_refused_by_name(ledger: Ledger) -> None:
    run = plan(ledger, asks(1), model="a/one")
    with pytest.raises(ConfigurationError, match="planned for a/one"):
        written(ledger, Answering(lambda request: [said(request)]), run)
    with ledger.database.read() as connection:
        assert drafts.open_ones(connection) == 1
