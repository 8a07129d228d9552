"""The rules of the openai backend: what is tried again and when, how fast requests go out, what an answer says."""

from datetime import UTC, datetime
from typing import Any

import pytest

from copydesk.engine.backend import Text
from copydesk.engine.base import Finish
from copydesk.engine.openai import (
    Bucket,
    Fault,
    Pace,
    Patience,
    complaint_of,
    finish_of,
    retry_in,
    text_of,
    tokens_of,
    told_seconds,
)

PATIENCE = Patience(attempts=4, first_seconds=1, longest_seconds=3, total_seconds=10)
NOW = datetime(2026, 7, 1, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize("status", [None, 408, 409, 429, 500, 502, 503, 504])
def test_what_may_pass_is_tried_again(status: int | None) -> None:
    assert retry_in(Fault("", status), 1, 0, PATIENCE, draw=1) == 1


@pytest.mark.parametrize("status", [200, 301, 307, 400, 401, 403, 404, 405, 413, 422, 501])
def test_what_will_not_pass_is_not_tried_again(status: int) -> None:
    assert retry_in(Fault("", status), 1, 0, PATIENCE, draw=1) is None


@pytest.mark.parametrize(
    ("told", "attempts", "waited", "draw", "seconds"),
    [
        (None, 1, 0, 1.0, 1),
        (None, 2, 0, 1.0, 2),
        (None, 3, 0, 1.0, 3),  # not 4: at most longest_seconds
        (None, 4, 0, 1.0, None),  # the last attempt
        (None, 3, 0, 0.5, 1.5),  # full jitter
        (None, 3, 0, 0.0, 0),
        (5.0, 1, 0, 1.0, 5),  # the server knows better
        (5.0, 1, 0, 0.0, 5),
        (0.0, 2, 0, 0.5, 1),  # but not that it may be hammered
        (5.0, 1, 5, 1.0, 5),
        (5.0, 1, 5.1, 1.0, None),  # more than total_seconds
        (3600.0, 1, 0, 0.0, None),
        (None, 2, 9, 1.0, None),
    ],
)
def test_waits_grow_and_end(
    told: float | None, attempts: int, waited: float, draw: float, seconds: float | None
) -> None:
    assert retry_in(Fault("", 429, told_seconds=told), attempts, waited, PATIENCE, draw) == seconds


def test_an_account_without_credit_is_not_tried_again() -> None:
    assert retry_in(Fault("", 429, "rate_limit_exceeded"), 1, 0, PATIENCE, draw=1) == 1
    assert retry_in(Fault("", 429, "insufficient_quota"), 1, 0, PATIENCE, draw=1) is None


@pytest.mark.parametrize("status", [200, 400, 413, 414, 422, 431, 451])
def test_what_is_refused_for_its_own_sake_fails(status: int) -> None:
    assert finish_of(Fault("", status)) is Finish.FAILED


@pytest.mark.parametrize(
    "status", [None, 301, 307, 401, 402, 403, 404, 405, 407, 408, 409, 410, 429, 500, 501, 502, 503, 504, 529]
)
def test_what_would_have_been_refused_whatever_was_asked_is_no_fault_of_the_request(status: int | None) -> None:
    assert finish_of(Fault("", status)) is Finish.UNAVAILABLE


@pytest.mark.parametrize(
    ("status", "code", "finish"),
    [
        (400, "model_not_found", Finish.UNAVAILABLE),
        (400, "invalid_api_key", Finish.UNAVAILABLE),
        (400, "billing_hard_limit_reached", Finish.UNAVAILABLE),
        (200, "insufficient_quota", Finish.UNAVAILABLE),
        (403, "flagged_input", Finish.FAILED),
        (403, "content_policy_violation", Finish.FAILED),
        (500, "context_length_exceeded", Finish.FAILED),
        (400, "something_else", Finish.FAILED),
        (403, "something_else", Finish.UNAVAILABLE),
    ],
)
def test_a_code_says_more_than_a_status(status: int, code: str, finish: Finish) -> None:
    assert finish_of(Fault("", status, code)) is finish


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "7"}, 7),
        ({"retry-after": " 0.5 "}, 0.5),
        ({"retry-after": "0"}, 0),
        ({"retry-after": "7", "retry-after-ms": "250"}, 0.25),
        ({"retry-after": "7", "retry-after-ms": "soon"}, 7),
        ({"retry-after": "Wed, 01 Jul 2026 12:00:30 GMT"}, 30),
        ({"retry-after": "Wed, 01 Jul 2026 14:00:30 +0200"}, 30),
        ({"retry-after": "Wed, 01 Jul 2026 12:00:30 -0000"}, 30),
        ({"retry-after": "Wed, 01 Jul 2026 11:00:00 GMT"}, 0),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "-3"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "Wed, 99 Jul 2026 12:00:30 GMT"}, None),
    ],
)
def test_what_a_server_says_to_wait(headers: dict[str, str], seconds: float | None) -> None:
    assert told_seconds(headers, NOW) == seconds


def drained(per_minute: int, amount: float, until: float) -> list[float]:
    """When somebody who always wants more gets something out of a bucket."""
    bucket = Bucket(per_minute, now=0)
    now, moments = 0.0, []
    while now < until:
        while (wait := bucket.wait(amount, now)) > 0:
            now += wait + 1e-9  # which may round to nothing
        bucket.take(amount)
        moments.append(now)
    return moments


@pytest.mark.parametrize("per_minute", [1, 2, 3, 7, 10, 59, 60, 500])
def test_no_minute_sees_more_than_the_limit(per_minute: int) -> None:
    moments = drained(per_minute, 1, until=300)
    busiest = max(sum(1 for moment in moments if start <= moment < start + 60) for start in moments)
    assert busiest <= per_minute
    assert len(moments) >= 5 * per_minute * 0.9 - 1


def test_more_than_a_bucket_holds_is_let_out_and_paid_off() -> None:
    bucket = Bucket(1000, now=0)
    assert bucket.wait(400, now=0) == 0
    bucket.take(400)
    assert bucket.wait(1, now=0) == pytest.approx((300 + 1) / 15)
    assert bucket.wait(400, now=0) == pytest.approx(400 / 15)
    assert bucket.wait(400, now=26.7) == 0


def test_a_rest_saves_up_no_more_than_a_bucket_holds() -> None:
    bucket = Bucket(60, now=0)
    assert bucket.wait(6, now=10_000) == 0
    bucket.take(6)
    assert bucket.wait(6, now=10_000) == pytest.approx(6 / 0.9)


def test_without_limits_nothing_waits() -> None:
    pace = Pace(None, None, now=100)
    pace.take(10**9)
    assert pace.wait(10**9, now=100) == 0


def test_the_limit_that_is_reached_first_counts() -> None:
    pace = Pace(requests_per_minute=100, tokens_per_minute=1000, now=0)
    pace.take(100)
    assert pace.wait(100, now=0) == pytest.approx(100 / 15)
    pace = Pace(requests_per_minute=10, tokens_per_minute=10_000, now=0)
    pace.take(100)
    assert pace.wait(100, now=0) == pytest.approx(1 / 0.15)


def test_a_pause_is_for_all_and_is_never_shortened() -> None:
    pace = Pace(None, None, now=0)
    pace.pause(until=20)
    pace.pause(until=5)
    assert pace.wait(1, now=3) == 17
    assert pace.wait(1, now=20) == 0


def chat(content: Any, finish: Any, **message: Any) -> dict[str, Any]:
    return {
        "choices": [{"message": {"content": content, **message}, "finish_reason": finish}],
        "usage": {"prompt_tokens": 5, "completion_tokens": 2},
    }


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (chat("a b", "stop"), Text("a b", Finish.STOP, 2, 5)),
        (chat("茶壶 🫖", "length"), Text("茶壶 🫖", Finish.LENGTH, 2, 5)),
        (chat("", "stop"), Text("", Finish.STOP, 2, 5)),
        ({"choices": [{"text": "a", "finish_reason": "stop"}]}, Text("a", Finish.STOP, 0, None)),
        ({**chat("a", "stop"), "usage": None}, Text("a", Finish.STOP, 0, None)),
        (chat("half \ud83d", "length"), Text("half ?", Finish.LENGTH, 2, 5)),
    ],
)
def test_an_answer_is_read(answer: Any, text: Text) -> None:
    assert text_of(answer) == text


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (chat("half a", "content_filter"), "content_filter"),
        (chat(None, "stop"), "no text"),
        (chat(None, "length"), "no text, but finish_reason length"),
        (chat(None, "stop", refusal="I would rather not."), "refused: I would rather not."),
        (chat("a", None), "finish_reason None"),
        (chat(None, "tool_calls"), "finish_reason tool_calls"),
        (chat([{"type": "text", "text": "a"}], "stop"), "no text"),
        ({}, "choices"),
        ([], "choices"),
        (None, "choices"),
        ("text", "choices"),
        ({"choices": []}, "choices"),
        ({"choices": [{"finish_reason": "stop"}]}, "choices"),
        ({"choices": [{"message": None, "finish_reason": "stop"}]}, "choices"),
        ({**chat("a", "stop"), "usage": "2"}, "choices"),
    ],
)
def test_an_answer_without_a_text_fails_by_name(answer: Any, why: str) -> None:
    text = text_of(answer)
    assert (text.finish, text.text) == (Finish.FAILED, "")
    assert why in text.error


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        (
            '{"error": {"message": "too long", "code": "context_length_exceeded"}}',
            ("too long", "context_length_exceeded"),
        ),
        ('{"error": {"message": "no", "type": "insufficient_quota", "code": null}}', ("no", "insufficient_quota")),
        (
            '{"error": {"code": 403, "message": "flagged", "metadata": {"flagged_input": "x", "reasons": []}}}',
            ("flagged", "flagged_input"),
        ),
        ('{"error": {"message": "sk-12..89 is no key", "code": "invalid_api_key"}}', ("", "invalid_api_key")),
        ('{"error": "no such model"}', ("no such model", "")),
        ('{"object": "error", "message": "no", "code": 400}', ("no", "400")),
        ('{"detail": "Not Found"}', ("Not Found", "")),
        ('{"what": 1}', ('{"what": 1}', "")),
        ("<html>\n502 Bad Gateway", ("<html> 502 Bad Gateway", "")),
        ("[1]", ("[1]", "")),
        ("", ("", "")),
        ("x" * 400, ("x" * 300 + "…", "")),
    ],
)
def test_a_refusal_is_read_in_whatever_form(body: str, complaint: tuple[str, str]) -> None:
    assert complaint_of(body) == complaint


def test_tokens_are_estimated_by_bytes() -> None:
    assert tokens_of({"prompt": "x" * 300}) == 104
    assert (
        tokens_of({"messages": [{"role": "system", "content": "水壶"}, {"role": "user", "content": ""}]}) == 2 + 4 + 4
    )
