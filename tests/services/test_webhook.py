"""Posting to a webhook that is a real HTTP server: it is slow, breaks, says so, and takes each reply once."""

import hashlib
import hmac
import json
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from answering import Answering
from reviewing import Desk, review, triaged

from copydesk.errors import StoreUnavailable
from copydesk.jobs import posting
from copydesk.jobs.posting import Patience
from copydesk.model import Policy, Status
from copydesk.settings import Replies, Settings, Shop
from copydesk.store import Database, replies, tables
from copydesk.store.replies import Delivery
from tasks import desk as tasks_desk

SECRET = "a secret of this test"
AT_ONCE = Patience(timeout_seconds=0.5, first_seconds=0.0, longest_seconds=0.0)
"""What failed is due again at once."""

HANG, DRIBBLE = "hang", "dribble"
DRIBBLES_SECONDS = 20.0


@dataclass
class Receiver:
    """The shop's side: it answers as prepared, then 200, and takes what comes under a new key."""

    answers: deque[Any] = field(default_factory=deque)
    keys: list[str] = field(default_factory=list)
    accepted: dict[str, dict[str, Any]] = field(default_factory=dict)
    hangs: threading.Event = field(default_factory=threading.Event)
    released: threading.Event = field(default_factory=threading.Event)
    lock: threading.Lock = field(default_factory=threading.Lock)
    url: str = ""

    def answer(self, headers: dict[str, str], body: bytes) -> Any:
        stamped = headers["x-copydesk-timestamp"].encode() + b"." + body
        expected = "sha256=" + hmac.new(SECRET.encode(), stamped, hashlib.sha256).hexdigest()
        with self.lock:
            self.keys.append(headers["idempotency-key"])
            if not hmac.compare_digest(expected, headers["x-copydesk-signature"]):
                return 401
            answer = self.answers.popleft() if self.answers else 200
            if answer in (200, 202):
                self.accepted.setdefault(headers["idempotency-key"], json.loads(body))
        return answer


class _Handler(BaseHTTPRequestHandler):
    server: "_Server"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        answer = self.server.receiver.answer({name.lower(): value for name, value in self.headers.items()}, body)
        if answer == DRIBBLE:
            self.dribble()
            return
        if answer == HANG:
            self.server.receiver.hangs.set()
            self.server.receiver.released.wait(30)
            return
        status, headers = answer if isinstance(answer, tuple) else (answer, {})
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def dribble(self) -> None:
        """A header that does not end, always just before the sender has waited too long for the next byte."""
        until = time.monotonic() + DRIBBLES_SECONDS
        with suppress(OSError):
            self.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
            while time.monotonic() < until and not self.server.receiver.released.wait(0.05):
                self.wfile.write(b"x")

    def log_message(self, format: str, *args: Any) -> None:
        """Tests print nothing."""


class _Server(ThreadingHTTPServer):
    daemon_threads = False  # so that server_close() joins them

    def __init__(self, receiver: Receiver) -> None:
        self.receiver = receiver
        super().__init__(("127.0.0.1", 0), _Handler)


@contextmanager
def listening(receiver: Receiver) -> Iterator[str]:
    server = _Server(receiver)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/hook"
    finally:
        receiver.released.set()
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    monkeypatch.setenv("COPYDESK_WEBHOOK_SECRET", SECRET)
    made = Receiver()
    with listening(made) as made.url:
        yield made


@pytest.fixture
def desk(database: Database) -> Desk:
    """A shop on each kind of database in turn."""
    return Desk(database, "acme")


def settings(receiver: Receiver) -> Settings:
    return Settings(shops={"acme": Shop(replies=Replies(webhook=receiver.url))})


def post(desk: Desk, receiver: Receiver, patience: Patience = AT_ONCE) -> dict[str, int]:
    return dict(posting.post_due(desk.database, settings(receiver), patience=patience, draw=lambda: 1.0))


def standing(desk: Desk) -> list[tuple[str, str | None]]:
    return [(reply.state.value, reply.delivery and reply.delivery.value) for reply in desk.replies()]


def test_each_approved_reply_is_posted_once_signed_and_with_what_it_answers(desk: Desk, receiver: Receiver) -> None:
    drafts = [desk.approved_reply(number=number) for number in (1, 2, 3)]
    desk.take(triaged(review(number=9), Policy.PERSON))

    assert post(desk, receiver) == {"accepted": 3}
    assert post(desk, receiver) == {}
    assert len(receiver.keys) == len(set(receiver.keys)) == len(receiver.accepted) == 3
    assert sorted(body["review_id"] for body in receiver.accepted.values()) == ["r1", "r2", "r3"]
    first = next(body for body in receiver.accepted.values() if body["review_id"] == "r1")
    assert first == {
        "shop": "acme", "platform": "judgeme", "review_id": "r1", "review_version": 1, "sku": "sku1", "rating": 5,
        "language": "en", "reply": f"Thank you for number {drafts[0]}.",
    }  # fmt: skip
    assert standing(desk) == [("published", "accepted")] * 3


def test_a_webhook_that_times_out_and_breaks_twice_gets_the_reply_in_the_end_under_one_key(
    desk: Desk, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(posting, "LONGEST_CALL_SECONDS", 0.0)
    desk.approved_reply()
    receiver.answers.extend([HANG, 500, 500])

    assert [post(desk, receiver) for _ in range(4)] == [{"waiting": 1}] * 3 + [{"accepted": 1}]
    assert len(receiver.keys) == 4
    assert len(set(receiver.keys)) == len(receiver.accepted) == 1
    assert desk.rows(tables.submissions)[0].attempts == 4
    assert standing(desk) == [("published", "accepted")]


def test_a_webhook_that_dribbles_its_answer_is_given_up_in_time(desk: Desk, receiver: Receiver) -> None:
    desk.approved_reply()
    receiver.answers.append(DRIBBLE)
    began_at = time.monotonic()

    assert post(desk, receiver, Patience(timeout_seconds=5.0, total_seconds=0.5)) == {"waiting": 1}
    assert time.monotonic() - began_at < DRIBBLES_SECONDS / 2
    assert desk.replies()[0].error == "the webhook did not answer within 0.5 s"


def test_a_shop_that_was_silent_is_not_posted_to_again_in_this_call_and_others_are(
    desk: Desk, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(posting, "AT_ONCE", 1)
    for number in (1, 2, 3):
        desk.approved_reply(number=number)
    desk.open_submissions()
    other = Desk(desk.database, "other")
    other.approved_reply(number=4)
    receiver.answers.append(HANG)
    with listening(Receiver()) as others:
        shops = {"acme": receiver.url, "other": others}
        both = Settings(shops={name: Shop(replies=Replies(webhook=url)) for name, url in shops.items()})
        posted = posting.post_due(desk.database, both, patience=Patience(timeout_seconds=0.3, attempts=1))

    assert posted == {"failed": 1, "waiting": 2, "accepted": 1}
    assert len(receiver.keys) == 1
    assert standing(other) == [("published", "accepted")]
    assert desk.replies()[-1].error == "not posted, because the webhook did not answer just before"


def test_an_outcome_that_cannot_be_written_is_tried_again_and_costs_no_other(
    desk: Desk, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    lost, late, fine = (desk.approved_reply(number=number) for number in (1, 2, 3))
    monkeypatch.setattr(posting, "SETTLE_PAUSES_SECONDS", (0.0, 0.0))
    settle, failures = replies.settle_submission, {lost: 99, late: 2, fine: 0}

    def failing(connection: Any, submission: replies.Submission, *arguments: Any, **more: Any) -> bool:
        failures[submission.draft] -= 1
        if failures[submission.draft] >= 0:
            raise StoreUnavailable("deadlock detected")
        return settle(connection, submission, *arguments, **more)

    monkeypatch.setattr(replies, "settle_submission", failing)

    assert post(desk, receiver) == {"accepted": 2}
    assert failures[lost] == 99 - 3
    assert standing(desk) == [("approved", "waiting"), ("published", "accepted"), ("published", "accepted")]


def test_while_one_sweep_posts_the_next_leaves_the_post_to_it(desk: Desk, receiver: Receiver) -> None:
    engine = Answering(lambda _: [])
    at_work = tasks_desk.Desk(settings(receiver), desk.database, engine, tasks_desk.OpenedOnce(lambda _: engine))
    desk.approved_reply()
    receiver.answers.append(HANG)
    told: list[str] = []
    first = threading.Thread(target=lambda: told.append(at_work._post()))
    first.start()
    assert receiver.hangs.wait(30)
    desk.approved_reply(number=2)

    assert at_work._post() == ""
    receiver.released.set()
    first.join()
    assert len(receiver.keys) == 1
    assert told == [", posted: {'waiting': 1}"]
    assert at_work._post() == ", posted: {'accepted': 1}"


def test_a_crash_between_post_and_settle_posts_again_under_the_same_key(
    desk: Desk, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.approved_reply()

    def crash(*_arguments: object, **_more: object) -> bool:
        raise KeyboardInterrupt

    monkeypatch.setattr(posting, "LEASE_SECONDS", 0.0)
    with monkeypatch.context() as crashing:
        crashing.setattr(replies, "settle_submission", crash)
        with pytest.raises(KeyboardInterrupt):
            post(desk, receiver)
    assert standing(desk) == [("approved", "waiting")]

    assert post(desk, receiver) == {"accepted": 1}
    assert len(receiver.keys) == 2
    assert len(receiver.accepted) == 1, "the receiver sees that it has this reply already"
    assert standing(desk) == [("published", "accepted")]


def test_two_that_post_at_once_share_the_work_and_double_nothing(desk: Desk, receiver: Receiver) -> None:
    for number in range(1, 7):
        desk.approved_reply(number=number)
    counts: list[dict[str, int]] = []
    threads = [threading.Thread(target=lambda: counts.append(post(desk, receiver))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sum(count.get("accepted", 0) for count in counts) == 6
    assert len(receiver.keys) == len(set(receiver.keys)) == 6


@pytest.mark.parametrize(
    ("answer", "state", "error"),
    [
        (202, ("published", "pending"), ""),
        (404, ("approved", "failed"), "the webhook answered 404"),
        ((302, {"Location": "https://elsewhere.example"}), ("approved", "failed"), "the webhook answered 302"),
        (503, ("approved", "waiting"), "the webhook answered 503"),
        ((429, {"Retry-After": "120"}), ("approved", "waiting"), "the webhook answered 429"),
        (HANG, ("approved", "waiting"), "the webhook did not answer within 0.5 s"),
    ],
)
def test_what_the_webhook_says_is_where_the_reply_stands(
    desk: Desk, receiver: Receiver, answer: object, state: tuple[str, str], error: str
) -> None:
    desk.approved_reply()
    receiver.answers.append(answer)

    assert post(desk, receiver, Patience(timeout_seconds=0.5)) == {state[1]: 1}
    assert standing(desk) == [state]
    assert desk.rows(tables.submissions)[0].error == error
    assert post(desk, receiver) == {}, "it is not due, or over"
    assert len(receiver.keys) == 1


def test_retry_after_is_kept(desk: Desk, receiver: Receiver) -> None:
    desk.approved_reply()
    receiver.answers.append((429, {"Retry-After": "5000"}))
    post(desk, receiver)

    row = desk.rows(tables.submissions)[0]
    assert 4900 < (row.next_attempt_at - row.created_at).total_seconds() < 5100


def test_after_eight_attempts_it_is_given_up_and_a_person_sees_why(desk: Desk, receiver: Receiver) -> None:
    desk.approved_reply()
    receiver.answers.extend([500] * 20)

    assert post(desk, receiver) == {"waiting": 7, "failed": 1}
    assert len(receiver.keys) == 8
    assert [(reply.delivery, reply.error) for reply in desk.replies()] == [
        (Delivery.FAILED, "the webhook answered 500"),
    ]  # fmt: skip


def test_a_webhook_that_nobody_listens_on_is_tried_again_later(desk: Desk, receiver: Receiver) -> None:
    desk.approved_reply()
    with listening(Receiver()) as gone:
        pass
    shops = {"acme": Shop(replies=Replies(webhook=gone)), "nobody-yet": Shop(replies=Replies(webhook=gone))}

    assert posting.post_due(desk.database, Settings(shops=shops)) == {"waiting": 1}
    assert desk.replies()[0].error == "the webhook cannot be reached (ConnectError)"


def test_a_reply_whose_shop_dropped_its_webhook_can_be_exported(desk: Desk, receiver: Receiver) -> None:
    draft = desk.approved_reply()
    desk.open_submissions()

    assert posting.post_due(desk.database, Settings()) == {"failed": 1}
    assert desk.replies()[0].error == "the shop has no webhook any more: export the reply"
    assert [reply.id for reply in desk.hand_over()] == [draft]


def test_a_reply_that_is_taken_back_before_the_post_is_not_posted(desk: Desk, receiver: Receiver) -> None:
    draft = desk.approved_reply()
    desk.open_submissions()
    desk.say(draft, Status.REJECTED)

    assert post(desk, receiver) == {}
    assert receiver.keys == []


def test_no_part_of_review_or_reply_or_url_is_logged(
    desk: Desk, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    desk.approved_reply()
    receiver.answers.append(500)
    receiver.url += "?token=a-secret-of-the-shop"
    with caplog.at_level("DEBUG"), caplog.at_level("DEBUG", "httpx2"), caplog.at_level("DEBUG", "httpcore2"):
        post(desk, receiver)

    assert "the webhook answered 500" in caplog.text
    assert "token" not in caplog.text
    assert "127.0.0.1" not in caplog.text
    assert "Thank you" not in caplog.text
    assert SECRET not in caplog.text
