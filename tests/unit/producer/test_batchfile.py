"""Batch files: what each line asks, what is wrong with it, and what is written back."""

import io
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from copydesk.engine.base import Message
from copydesk.jobs.batch import Chat
from copydesk.model import Reason
from copydesk.settings import Sampling, Settings
from copydesk.store.batches import Answer, Line
from producer import batchfile

HELLO = [{"role": "user", "content": "Hello"}]
SETTINGS = Settings(model="tiny", sampling=Sampling(max_tokens=40, temperature=0.7, top_k=5))


def request(custom_id: object = "one", **body: object) -> dict[str, Any]:
    body = {"model": "tiny", "messages": HELLO, **body}
    return {"custom_id": custom_id, "method": "POST", "url": "/v1/chat/completions", "body": body}


def read(*lines: Mapping[str, Any] | str | bytes, newline: bytes = b"\n", settings: Settings = SETTINGS) -> list[Line]:
    raw = [
        line if isinstance(line, bytes) else (line if isinstance(line, str) else json.dumps(line)).encode()
        for line in lines
    ]
    return list(batchfile.read(io.BytesIO(newline.join(raw)), settings, lambda _: None))


def chat(**body: object) -> Chat:
    [line] = read(request(**body))
    assert line.body is not None, line.error
    return Chat.from_json(line.body)


def refused(line: Mapping[str, Any] | str | bytes) -> Reason:
    [read_back] = read(line)
    assert read_back.body is None
    assert read_back.error is not None
    return read_back.error


def test_what_the_body_says_is_asked_and_the_settings_say_the_rest() -> None:
    asked = chat(max_tokens=7, top_p=0.5, n=3, seed=11)

    assert asked.messages == (Message("user", "Hello"),)
    assert asked.sampling == Sampling(max_tokens=7, temperature=0.7, top_p=0.5, top_k=5, seed=11)
    assert asked.choices == 3
    assert chat() == Chat((Message("user", "Hello"),), SETTINGS.sampling, 1)


def test_the_newer_name_of_the_token_limit_wins() -> None:
    assert chat(max_completion_tokens=9, max_tokens=7).sampling.max_tokens == 9
    assert chat(max_completion_tokens=None, max_tokens=7).sampling.max_tokens == 7


def test_every_role_and_text_in_parts_are_understood() -> None:
    turns = [
        {"role": "developer", "content": [{"type": "text", "text": "Be "}, {"type": "text", "text": "brief."}]},
        {"role": "system", "content": "Be kind."},
        {"role": "user", "content": "Hi 🫖"},
        {"role": "assistant", "content": "Hello", "refusal": None, "tool_calls": None},
        {"role": "user", "content": ""},
    ]
    assert [(turn.role, turn.content) for turn in chat(messages=turns).messages] == [
        ("system", "Be brief."), ("system", "Be kind."), ("user", "Hi 🫖"), ("assistant", "Hello"), ("user", ""),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "harmless",
    [
        {"stream": False}, {"logprobs": False}, {"logprobs": None}, {"tools": []}, {"tool_choice": "none"},
        {"response_format": {"type": "text"}}, {"stop": None}, {"frequency_penalty": 0.0}, {"temperature": None},
        {"user": "ann"}, {"metadata": {"a": "b"}}, {"model": None},
    ],
    ids=str,
)  # fmt: skip
def test_fields_that_change_nothing_are_passed_over(harmless: dict[str, Any]) -> None:
    assert chat(**harmless) == chat()


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"stream": True}, "stream is not supported"),
        ({"tools": [{"type": "function"}]}, "tools is not supported"),
        ({"logprobs": True}, "logprobs is not supported"),
        ({"response_format": {"type": "json_object"}}, "response_format is not supported"),
        ({"stop": ["\n"]}, "stop is not supported"),
        ({"frequency_penalty": 0.5}, "frequency_penalty is not supported"),
        ({"max_tokenz": 5}, "max_tokenz is not supported"),
        ({"n": 0}, "n: "), ({"n": 17}, "n: "), ({"n": "2"}, "n: "), ({"n": True}, "n: "),
        ({"max_tokens": 0}, "max_tokens: "), ({"max_tokens": "5"}, "max_tokens: "),
        ({"temperature": 2.5}, "temperature: "), ({"top_p": 0}, "top_p: "), ({"seed": 1.5}, "seed: "),
        ({"messages": []}, "messages: "), ({"messages": None}, "messages: "), ({"messages": "Hello"}, "messages: "),
        ({"messages": ["Hello"]}, "messages.0: "),
        ({"messages": [{"role": "user"}]}, "messages.0.content: "),
        ({"messages": [{"role": "user", "content": None}]}, "messages.0.content: is not text"),
        ({"messages": [{"role": "user", "content": []}]}, "messages.0.content: is not text"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {}}]}]}, "is not text"),
        ({"messages": [{"role": "user", "content": "\ud83e"}]}, "is not text"),
        ({"messages": [{"role": "tool", "content": "4"}]}, "messages.0.role: "),
        ({"messages": [{"role": "user", "content": "Hi", "name": "ann"}]}, "messages.0.name is not supported"),
        ({"messages": [*HELLO, {"role": "assistant", "content": "x", "tool_calls": [1]}]}, "messages.1.tool_calls"),
    ],
    ids=str,
)  # fmt: skip
def test_what_cannot_be_followed_is_refused_by_name(body: dict[str, Any], words: str) -> None:
    error = refused(request(**body))
    assert error.code == "invalid_request"
    assert error.message.startswith("line 1: ")
    assert words in error.message


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("{", "it is not JSON"),
        ("[]", "it is not a JSON object"),
        ('{"custom_id": NaN}', "NaN is not JSON"),
        ("[" * 100_000, "it is not JSON"),
        (b"\xff\xfe", "it is not UTF-8"),
        ({**request(), "custom_id": None}, "no custom_id"),
        ({**request(), "custom_id": 7}, "no custom_id"),
        ({**request(), "custom_id": ""}, "no custom_id"),
        ({**request(), "custom_id": "a\0b"}, "custom_id is not text"),
        ({**request(), "custom_id": "\ud83e"}, "custom_id is not text"),
        ({**request(), "method": "GET"}, "method is 'GET': write POST"),
        ({**request(), "url": "/v1/embeddings"}, "only /v1/chat/completions"),
        ({**request(), "body": "Hello"}, "body is not an object"),
        (b'{"custom_id": "' + b"x" * batchfile.MAX_LINE_BYTES, "longer than 4 MiB"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_line_that_is_no_request_is_refused(line: Mapping[str, Any] | str | bytes, words: str) -> None:
    error = refused(line)
    assert error.code == "invalid_request"
    assert words in error.message


def test_what_a_message_quotes_can_be_written_to_a_file(tmp_path: Path) -> None:
    for body in ({"half a \ud83e pair": 1}, {"x" * 100_000: 1}, {"model": "\ud83e"}):
        error = refused(request(**body))
        line = batchfile.line(1, Answer(1, None, (), error, None, 0, 0, None))
        (tmp_path / "out").write_text(line, "utf-8")
        assert len(line) < 2000


def test_another_model_is_refused_with_both_names() -> None:
    error = refused(request(model="gpt-4o"))
    assert error.code == "model_not_found"
    assert "'gpt-4o'" in error.message
    assert "'tiny'" in error.message
    assert "COPYDESK_MODEL" in error.message


def test_the_second_of_two_equal_ids_is_refused_and_names_the_first() -> None:
    first, other, second = read(request("a"), request("b"), request("a"))
    assert (first.error, other.error) == (None, None)
    assert second.custom_id == "a"
    assert second.error == Reason("invalid_request", "line 3: custom_id 'a' stands on line 1 already")


@pytest.mark.parametrize("newline", [b"\n", b"\r\n"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_any_line_end_and_a_byte_order_mark_are_taken_and_blank_lines_keep_the_count(
    newline: bytes, mark: bytes
) -> None:
    lines = [mark + json.dumps(request("a")).encode(), b"", b"  \t", json.dumps(request("b")).encode(), b""]
    assert [(line.number, line.custom_id, line.error) for line in read(*lines, newline=newline)] == [
        (1, "a", None), (4, "b", None),
    ]  # fmt: skip


def test_a_line_that_is_too_long_costs_the_next_one_nothing() -> None:
    long, after = read(b"x" * (3 * batchfile.MAX_LINE_BYTES), request("b"))
    assert (long.number, long.error is None) == (1, False)
    assert (after.number, after.custom_id, after.error) == (2, "b", None)


def test_every_byte_of_the_file_is_heard() -> None:
    heard: list[bytes] = []
    file = b"x" * (2 * batchfile.MAX_LINE_BYTES + 3) + b"\n\n\xef\xbb\xbf{}\r\n" + json.dumps(request()).encode()
    list(batchfile.read(io.BytesIO(file), SETTINGS, heard.append))
    assert b"".join(heard) == file


ANSWERED_AT = datetime(2026, 3, 10, 2, 0, tzinfo=UTC)


def test_an_answer_is_a_chat_completion_as_openai_writes_it() -> None:
    choices = [{"text": "Tee 🫖\n", "finish": "stop"}, {"text": "Tea", "finish": "length"}]
    line = batchfile.line(7, Answer(3, "one", choices, None, "tiny", 10, 25, ANSWERED_AT))

    assert "\n" not in line
    assert "🫖" in line
    assert json.loads(line) == {
        "id": "batch_req-7-3",
        "custom_id": "one",
        "response": {
            "status_code": 200,
            "request_id": "req-7-3",
            "body": {
                "id": "chatcmpl-7-3",
                "object": "chat.completion",
                "created": int(ANSWERED_AT.timestamp()),
                "model": "tiny",
                "choices": [
                    {
                        "index": 0,
                        "message": {"role": "assistant", "content": "Tee 🫖\n"},
                        "logprobs": None,
                        "finish_reason": "stop",
                    },
                    {
                        "index": 1,
                        "message": {"role": "assistant", "content": "Tea"},
                        "logprobs": None,
                        "finish_reason": "length",
                    },
                ],
                "usage": {"prompt_tokens": 10, "completion_tokens": 25, "total_tokens": 35},
            },
        },
        "error": None,
    }


def test_a_failure_is_an_error_without_a_response() -> None:
    error = Reason("engine.failed", "the model could not answer: out of memory")
    assert json.loads(batchfile.line(7, Answer(3, "one", (), error, "tiny", 0, 0, ANSWERED_AT))) == {
        "id": "batch_req-7-3",
        "custom_id": "one",
        "response": None,
        "error": {"code": "engine_failed", "message": "the model could not answer: out of memory"},
    }
