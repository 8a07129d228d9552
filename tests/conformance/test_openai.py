"""The openai backend against a real HTTP server, driven as the engine's loop drives it."""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from engines import in_thread
from openai_server import Answer, Endpoint, refusal, serve, text, tokens

from copydesk.engine.backend import Row, Text
from copydesk.engine.base import Completion, Finish, Message, Request
from copydesk.engine.openai import OpenAIBackend, Patience
from copydesk.errors import ConfigurationError
from copydesk.model import Lane
from copydesk.settings import OPENAI_KEY, Sampling

KEY = "sk-this-is-the-secret-0123456789"
AT_ONCE = Patience(attempts=3, first_seconds=0.001, longest_seconds=0.002, total_seconds=5)
WAIT_SECONDS = 30

Open = Callable[..., OpenAIBackend]


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "*")


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    with serve(KEY) as endpoint:
        yield endpoint


@pytest.fixture
def open_backend(endpoint: Endpoint) -> Iterator[Open]:
    """Opens backends that try again at once, and closes them: no thread of theirs is left."""
    opened: list[OpenAIBackend] = []

    def open_one(**options: Any) -> OpenAIBackend:
        usual = {"base_url": endpoint.url, "model": "tiny", "api_key": KEY, "concurrency": 4, "timeout_seconds": 30}
        opened.append(OpenAIBackend(**{**usual, "patience": AT_ONCE, **options}))
        return opened[-1]

    yield open_one
    for backend in opened:
        backend.close()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith(("copydesk-openai", "asyncio"))]


def row(
    backend: OpenAIBackend,
    content: str = "A kettle.",
    *,
    index: int = 0,
    plain: str | None = None,
    lane: Lane = Lane.CATALOG,
    **sampling: Any,
) -> Row:
    """A row that is not added yet; without messages where `plain` is given."""
    messages = (Message("system", "Be brief."), Message("user", content)) if plain is None else ()
    request = Request("1", messages, plain or "", Sampling(**sampling), lane=lane)
    return Row(request, index, backend.read(request), time.monotonic())


def run(backend: OpenAIBackend, *rows: Row) -> list[Text]:
    """Add rows and step until they have ended; their texts, in the order of the rows."""
    for one in rows:
        backend.add(one)
    return finish(backend, *rows)


def finish(backend: OpenAIBackend, *rows: Row) -> list[Text]:
    ended: dict[Row, Text] = {}
    deadline = time.monotonic() + WAIT_SECONDS
    while len(ended) < len(rows):
        assert time.monotonic() < deadline, "too few answers"
        ended |= dict(backend.step(lambda: None))
    assert set(ended) == set(rows)
    return [ended[one] for one in rows]


def answer(backend: OpenAIBackend, content: str = "A kettle.", **options: Any) -> Text:
    (said,) = run(backend, row(backend, content, **options))
    return said


# What is asked


def test_a_chat_is_answered(endpoint: Endpoint, open_backend: Open) -> None:
    said = answer(open_backend())
    (received,) = endpoint.received
    assert received.path == "/v1/chat/completions"
    assert received.body["messages"] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "A kettle."},
    ]
    words, _ = text(received.body)
    assert said == Text(" ".join(words), Finish.STOP, len(words), tokens(received.body))


def test_a_prompt_without_messages_is_continued(endpoint: Endpoint, open_backend: Open) -> None:
    said = answer(open_backend(), plain="Once upon a time", max_tokens=3)
    (received,) = endpoint.received
    assert received.path == "/v1/completions"
    assert received.body["prompt"] == "Once upon a time"
    assert (said.finish, said.tokens, said.prompt_tokens) == (Finish.LENGTH, 3, 4)


def test_chinese_and_emoji_go_both_ways(endpoint: Endpoint, open_backend: Open) -> None:
    said = answer(open_backend(), "不锈钢水壶 🫖👨‍👩‍👧 \x00 עברית")
    (received,) = endpoint.received
    assert received.body["messages"][1]["content"] == "不锈钢水壶 🫖👨‍👩‍👧 \x00 עברית"
    assert said.text == "".join(text(received.body)[0])
    assert said.text.startswith("水壶")


def test_a_row_is_sampled_as_its_request_says(endpoint: Endpoint, open_backend: Open) -> None:
    backend = open_backend()
    wanted: dict[str, Any] = {
        "max_tokens": 5,
        "temperature": 0.5,
        "top_p": 0.9,
        "top_k": 3,
        "repetition_penalty": 1.1,
        "seed": 7,
    }
    rows = [row(backend, index=index, **wanted) for index in range(3)]
    run(backend, *rows)
    bodies = [received.body for received in endpoint.received]
    for body in bodies:
        others = {name: value for name, value in body.items() if name not in ("messages", "seed")}
        assert others == {"model": "tiny", "max_tokens": 5, "temperature": 0.5, "top_p": 0.9, "stream": False}
    assert {body["seed"] for body in bodies} == {one.seed for one in rows}
    assert len({one.seed for one in rows}) == 3


def test_what_the_settings_leave_to_the_model_is_not_sent(endpoint: Endpoint, open_backend: Open) -> None:
    answer(open_backend(), max_tokens=5)
    assert set(endpoint.received[0].body) == {"model", "messages", "max_tokens", "stream"}


def test_a_temperature_of_0_is_sent(endpoint: Endpoint, open_backend: Open) -> None:
    answer(open_backend(), temperature=0)
    assert endpoint.received[0].body["temperature"] == 0


def test_the_key_goes_into_one_header_and_nowhere_else(
    endpoint: Endpoint, open_backend: Open, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    endpoint.prepared += [refusal(500), Answer(cut=True)]
    backend = open_backend()
    answer(backend)
    for received in endpoint.received:
        holders = [name for name, value in received.headers.items() if KEY in value]
        assert holders == ["authorization"]
        assert KEY not in received.path + str(received.body)
    assert KEY not in caplog.text + repr(backend) + repr(vars(backend))
    assert "attempt 1 of request 1" in caplog.text
    assert "HTTP Request" not in caplog.text  # httpx2 logs one line for each, URL and all


def test_without_a_key_no_header_is_sent(open_backend: Open) -> None:
    with serve() as endpoint:
        assert answer(open_backend(base_url=endpoint.url, api_key="")).finish is Finish.STOP
        assert "authorization" not in endpoint.received[0].headers


def test_a_base_url_may_end_in_a_slash_and_keeps_its_query(endpoint: Endpoint, open_backend: Open) -> None:
    answer(open_backend(base_url=f"{endpoint.url}/?api-version=1"))
    assert endpoint.received[0].path == "/v1/chat/completions?api-version=1"


@pytest.mark.parametrize("url", ["", "api.openai.com/v1", "ftp://host/v1", "http://", "http://me:pw@host/v1"])
def test_what_is_no_base_url_is_refused(url: str) -> None:
    with pytest.raises(ConfigurationError, match="write http://host:port/v1") as refused:
        OpenAIBackend(base_url=url, model="tiny")
    assert "pw" not in str(refused.value)


@pytest.mark.parametrize("key", ["sk-one two", "sk-one\ntwo", "sk-çle"])
def test_what_is_no_key_is_refused_without_quoting_it(key: str) -> None:
    with pytest.raises(ConfigurationError, match=OPENAI_KEY) as refused:
        OpenAIBackend(base_url="http://host/v1", model="tiny", api_key=key)
    assert "sk-" not in str(refused.value)


def test_a_proxy_that_cannot_be_used_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "")
    monkeypatch.setenv("ALL_PROXY", "gopher://host")
    with pytest.raises(ConfigurationError, match="ALL_PROXY"):
        OpenAIBackend(base_url="http://host/v1", model="tiny")


# How much at once


def test_no_more_go_out_at_once_than_allowed(endpoint: Endpoint, open_backend: Open) -> None:
    backend = open_backend(concurrency=3)
    assert backend.width == 3
    rows = [row(backend, "[[openai:hold]]") for _ in range(12)]
    for one in rows:
        backend.add(one)
    endpoint.wait_for(3)
    assert backend.step(lambda: None) == []
    endpoint.release.set()
    assert {said.finish for said in finish(backend, *rows)} == {Finish.STOP}
    assert endpoint.most_in_flight == 3


def test_replies_go_out_before_the_rest(endpoint: Endpoint, open_backend: Open) -> None:
    backend = open_backend(concurrency=1)
    held = row(backend, "[[openai:hold]]")
    backend.add(held)
    endpoint.wait_for(1)
    rest = [row(backend, "catalog"), row(backend, "reply", lane=Lane.REPLIES)]
    for one in rest:
        backend.add(one)
    endpoint.release.set()
    finish(backend, held, *rest)
    assert [received.body["messages"][1]["content"] for received in endpoint.received[1:]] == ["reply", "catalog"]


def test_the_limit_of_requests_holds_them_back(endpoint: Endpoint, open_backend: Open) -> None:
    backend = open_backend(requests_per_minute=6000)  # a bucket of 600, and 90 more in a second
    rows = [row(backend) for _ in range(615)]
    began = time.monotonic()
    run(backend, *rows)
    assert endpoint.received[-1].at - began >= 15 / 90


def test_the_limit_of_tokens_counts_prompt_and_answer(endpoint: Endpoint, open_backend: Open) -> None:
    backend = open_backend(tokens_per_minute=600_000)  # a bucket of 60,000, and 9,000 more in a second
    rows = [row(backend, "x" * 27_000, max_tokens=100) for _ in range(7)]  # 9,100 and a few tokens each
    began = time.monotonic()
    run(backend, *rows)
    assert endpoint.received[-1].at - began >= 3_700 / 9_000


# What goes wrong


@pytest.mark.parametrize("status", [408, 409, 429, 500, 502, 503, 504])
def test_what_may_pass_is_tried_again(endpoint: Endpoint, open_backend: Open, status: int) -> None:
    endpoint.prepared.append(refusal(status))
    assert answer(open_backend()).finish is Finish.STOP
    assert len(endpoint.received) == 2


def test_a_connection_that_is_cut_is_tried_again(endpoint: Endpoint, open_backend: Open) -> None:
    endpoint.prepared.append(Answer(cut=True))
    assert answer(open_backend()).finish is Finish.STOP
    assert len(endpoint.received) == 2


def test_an_error_in_the_guise_of_an_answer_is_an_error(endpoint: Endpoint, open_backend: Open) -> None:
    endpoint.prepared.append(Answer(body={"error": {"message": "no provider", "code": 502}}))
    backend = open_backend()
    assert answer(backend).finish is Finish.STOP
    endpoint.prepared.append(Answer(body={"error": {"message": f"not with {KEY}"}}))
    said = answer(backend)
    assert said.finish is Finish.FAILED
    assert "answered 200 and an error: not with ***" in said.error


@pytest.mark.parametrize(
    ("marker", "why"), [("broken", "500 Internal Server Error: the server is broken"), ("cut", "gave no answer")]
)
def test_what_does_not_pass_is_given_up_in_the_end(
    endpoint: Endpoint, open_backend: Open, marker: str, why: str
) -> None:
    said = answer(open_backend(), f"[[openai:{marker}]]")
    assert said.finish is Finish.UNAVAILABLE
    assert why in said.error
    assert "given up after 3 attempts" in said.error
    assert len(endpoint.received) == 3


def test_a_server_that_is_not_there_is_named(open_backend: Open) -> None:
    with serve() as gone:
        url = gone.url
    said = answer(open_backend(base_url=url))
    assert said.finish is Finish.UNAVAILABLE
    assert f"{url}/chat/completions gave no answer (ConnectError" in said.error
    assert "COPYDESK_OPENAI__BASE_URL" in said.error


def test_an_answer_that_takes_too_long_is_tried_again(endpoint: Endpoint, open_backend: Open) -> None:
    said = answer(open_backend(timeout_seconds=0.2), "[[openai:hold]]")
    assert said.finish is Finish.UNAVAILABLE
    assert "did not answer within 0.2 s: raise COPYDESK_OPENAI__TIMEOUT_SECONDS" in said.error
    assert "given up after 3 attempts" in said.error


@pytest.mark.parametrize("headers", [{"retry_after_ms": "200"}, {"retry_after": "0.2"}])
def test_what_one_request_is_told_to_wait_all_wait(
    endpoint: Endpoint, open_backend: Open, headers: dict[str, str]
) -> None:
    endpoint.prepared.append(refusal(429, **headers))
    backend = open_backend(concurrency=1)
    run(backend, *(row(backend, f"product {number}") for number in range(3)))
    refused, *others = endpoint.received
    assert len(others) == 3
    assert min(received.at for received in others) - refused.at >= 0.2


def test_a_fault_of_the_server_holds_up_nobody_else(endpoint: Endpoint, open_backend: Open) -> None:
    endpoint.prepared.append(refusal(503, retry_after="2"))
    backend = open_backend(concurrency=1)
    faulty, sound = row(backend, "faulty"), row(backend, "sound")
    backend.add(faulty)
    backend.add(sound)
    finish(backend, sound)
    backend.remove(faulty)
    assert len(endpoint.received) == 2


def test_a_server_that_says_to_wait_too_long_is_not_waited_for(endpoint: Endpoint, open_backend: Open) -> None:
    said = answer(open_backend(), "[[openai:limit]]")
    assert said.finish is Finish.UNAVAILABLE
    assert said.error.endswith("slow down; the server said to wait 3600 s")
    assert len(endpoint.received) == 1


@pytest.mark.parametrize(
    ("prepared", "why"),
    [
        (refusal(400, "bad temperature"), "answered 400 Bad Request: bad temperature"),
        (refusal(413, "too much"), "answered 413"),
        (refusal(422, "no"), "answered 422"),
        (Answer(body={"ok": True}), "no choices[0].message.content"),
        (Answer(changes={"finish_reason": "content_filter"}), "content_filter"),
        (Answer(changes={"message": {"content": None}}), "no text"),
        (
            Answer(403, {"error": {"code": 403, "message": "moderated", "metadata": {"flagged_input": "kettle"}}}),
            "answered 403 Forbidden: moderated",
        ),
    ],
)
def test_a_request_that_is_refused_for_its_own_sake_fails_at_once_and_by_name(
    endpoint: Endpoint, open_backend: Open, prepared: Answer, why: str
) -> None:
    endpoint.prepared.append(prepared)
    said = answer(open_backend())
    assert (said.finish, said.text) == (Finish.FAILED, "")
    assert why in said.error
    assert OPENAI_KEY not in said.error
    assert len(endpoint.received) == 1


@pytest.mark.parametrize(
    ("prepared", "why"),
    [
        (refusal(401, f"Incorrect API key: {KEY[:9]}***{KEY[-4:]}"), f"answered 401 Unauthorized; check {OPENAI_KEY}"),
        (
            refusal(400, f"Incorrect API key: {KEY[:9]}***{KEY[-4:]}", "invalid_api_key"),
            f"answered 400 Bad Request; check {OPENAI_KEY}",
        ),
        (
            Answer(body={"error": {"message": f"{KEY[-4:]} is no key", "code": "invalid_api_key"}}),
            f"answered 200 and an error: invalid_api_key; check {OPENAI_KEY}",
        ),
        (refusal(402, "pay first"), "pay first; the account has no credit"),
        (refusal(403, f"{KEY} may not"), f"answered 403 Forbidden: *** may not; check what {OPENAI_KEY} may do"),
        (
            refusal(404, "no such model"),
            "no such model; check COPYDESK_OPENAI__BASE_URL, and that it has the model tiny",
        ),
        (refusal(400, "no such model", "model_not_found"), "no such model; check COPYDESK_OPENAI__BASE_URL, and that"),
        (refusal(429, "pay first", "insufficient_quota"), "pay first; the account has no credit"),
        (Answer(307, headers={"Location": "http://elsewhere.invalid/"}), "answered 307"),
        (Answer(body=b"<html>"), "answered 200, but not in JSON: check COPYDESK_OPENAI__BASE_URL"),
        (Answer(body=b"\xff\xfe\xfa"), "answered 200, but not in JSON: check COPYDESK_OPENAI__BASE_URL"),
    ],
)
def test_a_server_that_refuses_us_is_unavailable_at_once_and_by_name(
    endpoint: Endpoint, open_backend: Open, prepared: Answer, why: str
) -> None:
    endpoint.prepared.append(prepared)
    said = answer(open_backend())
    assert (said.finish, said.text) == (Finish.UNAVAILABLE, "")
    assert why in said.error
    assert KEY not in said.error
    assert KEY[-4:] not in said.error
    assert len(endpoint.received) == 1


def test_a_wrong_key_is_refused_by_its_name_and_not_quoted(open_backend: Open) -> None:
    said = answer(open_backend(api_key="sk-a-wrong-key"))
    assert said.finish is Finish.UNAVAILABLE
    assert OPENAI_KEY in said.error
    assert "sk-" not in said.error


def test_a_prompt_beyond_the_context_fails_in_the_servers_words(endpoint: Endpoint, open_backend: Open) -> None:
    backend = open_backend()
    long, short = run(backend, row(backend, "very " * 1024), row(backend))
    assert long.finish is Finish.FAILED
    assert "maximum context length is 1024 tokens" in long.error
    assert short.finish is Finish.STOP


def test_a_prompt_that_utf8_cannot_hold_is_refused(open_backend: Open) -> None:
    with pytest.raises(UnicodeEncodeError):  # the loop makes a FAILED of it
        row(open_backend(), "half an emoji: \ud83d")


def test_a_request_that_is_alone_goes_out_beside_the_others(endpoint: Endpoint, open_backend: Open) -> None:
    engine = in_thread(lambda: open_backend(concurrency=4))
    turns = (Message("user", "[[openai:hold]]"),)
    completions: list[Completion] = []
    asked = [Request(str(number), turns, "", Sampling(), alone=number == 1) for number in range(3)]
    engine.submit(asked, completions.append)
    endpoint.wait_for(3)
    endpoint.release.set()
    engine.drain(WAIT_SECONDS)
    assert [completion.finish for completion in completions] == [Finish.STOP] * 3


def test_one_failure_leaves_its_neighbours_alone(open_backend: Open) -> None:
    backend = open_backend()
    marked = {"garbage": Finish.UNAVAILABLE, "refused": Finish.FAILED, "broken": Finish.UNAVAILABLE}
    marked |= {"filter": Finish.FAILED, "null": Finish.FAILED}
    rows = [row(backend, text) for marker in marked for text in (f"[[openai:{marker}]]", f"beside {marker}")]
    said = [text.finish for text in run(backend, *rows)]
    assert said[::2] == list(marked.values())
    assert set(said[1::2]) == {Finish.STOP}


# Steps, removing, closing


def test_a_step_returns_soon_though_nothing_ends(endpoint: Endpoint, open_backend: Open) -> None:
    backend = open_backend()
    held = row(backend, "[[openai:hold]]")
    backend.add(held)
    endpoint.wait_for(1)
    began = time.monotonic()
    assert backend.step(lambda: None) == []
    assert time.monotonic() - began < 5  # 50 ms, on a machine that is not busy
    endpoint.release.set()
    finish(backend, held)


def test_a_removed_row_is_hung_up_on_and_gives_its_place_away(endpoint: Endpoint, open_backend: Open) -> None:
    backend = open_backend(concurrency=1)
    held = row(backend, "[[openai:hold]]")
    backend.add(held)
    endpoint.wait_for(1)
    backend.remove(held)
    assert answer(backend).finish is Finish.STOP
    endpoint.release.set()  # and the server's answer to the first goes nowhere
    endpoint.wait_for_connections(1)
    assert backend.step(lambda: None) == []


def test_a_row_that_is_removed_before_its_turn_is_never_sent(endpoint: Endpoint, open_backend: Open) -> None:
    backend = open_backend(concurrency=1)
    held, unwanted = row(backend, "[[openai:hold]]"), row(backend, "unwanted")
    backend.add(held)
    backend.add(unwanted)
    endpoint.wait_for(1)
    backend.remove(unwanted)
    endpoint.release.set()
    finish(backend, held)
    answer(backend, "after")
    assert "unwanted" not in str([received.body for received in endpoint.received])


def test_a_row_that_is_removed_while_it_waits_to_be_tried_again_is_not(endpoint: Endpoint, open_backend: Open) -> None:
    endpoint.prepared += [refusal(503, retry_after_ms="500"), Answer(), refusal(503, retry_after_ms="550")]
    backend = open_backend(concurrency=1)
    faulty, sound = row(backend, "faulty"), row(backend)
    backend.add(faulty)
    run(backend, sound)  # so the faulty one waits by now
    backend.remove(faulty)
    run(backend, row(backend))  # waits longer than it would have
    assert [("faulty" in str(received.body)) for received in endpoint.received] == [True, False, False, False]


def test_an_answer_that_came_before_the_removal_is_thrown_away(endpoint: Endpoint, open_backend: Open) -> None:
    backend = open_backend(concurrency=1)
    unwanted, other = row(backend), row(backend)
    backend.add(unwanted)
    backend.add(other)
    endpoint.wait_for(2)  # so the first was answered
    backend.remove(unwanted)
    finish(backend, other)


def test_a_removed_row_may_be_added_again(endpoint: Endpoint, open_backend: Open) -> None:
    backend = open_backend()
    one = row(backend)
    backend.add(one)
    endpoint.wait_for(1)
    backend.remove(one)
    assert run(backend, one)[0].finish is Finish.STOP


def test_closing_cuts_off_what_is_under_way(endpoint: Endpoint, open_backend: Open) -> None:
    backend = open_backend(concurrency=8)
    for number in range(20):
        backend.add(row(backend, f"[[openai:hold]] {number}"))
    endpoint.wait_for(8)
    backend.close()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("copydesk-openai")]
    assert len(endpoint.received) == 8
    backend.close()
    backend.add(row(backend))  # as a loop may that has not heard of it yet
    endpoint.release.set()
    endpoint.wait_for_connections(0)


def test_closing_does_not_wait_for_the_next_attempt(endpoint: Endpoint, open_backend: Open) -> None:
    endpoint.prepared += [refusal(429, retry_after="60"), refusal(503, retry_after="60")]
    backend = open_backend(patience=Patience())
    for _ in range(2):
        backend.add(row(backend))
    endpoint.wait_for(1)
    began = time.monotonic()
    backend.close()
    assert time.monotonic() - began < 30


def test_in_a_loop_it_is_an_engine(endpoint: Endpoint, open_backend: Open) -> None:
    completions: list[Completion] = []
    all_there = threading.Event()

    def deliver(completion: Completion) -> None:
        completions.append(completion)
        if len(completions) == 41:
            all_there.set()

    engine = in_thread(lambda: open_backend(concurrency=4))
    turns = (Message("user", "A kettle."),)
    engine.submit([Request(str(number), turns, "", Sampling(), candidates=4) for number in range(10)], deliver)
    engine.submit([Request("reply", turns, "", Sampling(), lane=Lane.REPLIES)], deliver)
    assert all_there.wait(WAIT_SECONDS)
    engine.close()
    assert {completion.finish for completion in completions} == {Finish.STOP}
    assert {completion.prompt_tokens for completion in completions} == {2}
    assert all(0 < completion.first_token_seconds == completion.seconds for completion in completions)
    assert endpoint.most_in_flight <= 4
