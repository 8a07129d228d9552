"""What becomes of a reply that was posted, as a table; the signature; which webhooks are refused."""

import pytest

from copydesk.errors import ConfigurationError
from copydesk.jobs import posting
from copydesk.jobs.posting import Answer, Decision, Patience, decide
from copydesk.settings import Replies, Settings, Shop
from copydesk.store.replies import Delivery

PATIENCE = Patience(attempts=8, first_seconds=30, factor=4, longest_seconds=3600, longest_told_seconds=86_400)
ACCEPTED, PENDING, FAILED = Decision(Delivery.ACCEPTED), Decision(Delivery.PENDING), Decision(Delivery.FAILED)


def again(seconds: float) -> Decision:
    return Decision(Delivery.WAITING, seconds)


@pytest.mark.parametrize(
    ("answer", "attempts", "decision"),
    [
        (Answer(200), 1, ACCEPTED),
        (Answer(201), 1, ACCEPTED),
        (Answer(204), 8, ACCEPTED),
        (Answer(202), 1, PENDING),
        (Answer(301), 1, FAILED),
        (Answer(400), 1, FAILED),
        (Answer(401), 1, FAILED),
        (Answer(404), 1, FAILED),
        (Answer(410), 1, FAILED),
        (Answer(422), 1, FAILED),
        (Answer(408), 1, again(30)),
        (Answer(409), 1, again(30)),
        (Answer(429), 1, again(30)),
        (Answer(500), 1, again(30)),
        (Answer(503), 2, again(120)),
        (Answer(None, why="timeout"), 3, again(480)),
        (Answer(500), 4, again(1920)),
        (Answer(500), 5, again(3600)),
        (Answer(500), 7, again(3600)),
        (Answer(500), 8, FAILED),
        (Answer(None, why="timeout"), 8, FAILED),
        (Answer(429, told_seconds=200), 1, again(200)),
        (Answer(429, told_seconds=5), 1, again(30)),
        (Answer(503, told_seconds=10**9), 1, again(86_400)),
    ],
)
def test_what_becomes_of_a_reply(answer: Answer, attempts: int, decision: Decision) -> None:
    assert decide(answer, attempts, PATIENCE, draw=1.0) == decision


def test_half_of_a_wait_is_drawn() -> None:
    assert decide(Answer(500), 1, PATIENCE, draw=0.0) == again(15)


def test_the_signature_covers_timestamp_and_body() -> None:
    # printf '1700000000.{"a":1}' | openssl dgst -sha256 -hmac secret
    signed = posting.signature("secret", "1700000000", b'{"a":1}')
    assert signed == "sha256=49f24e537407743fa4a0242bb63b94b9a47ee99cbbe071ccd8a22550ae411686"
    assert posting.signature("secret", "1700000001", b'{"a":1}') != signed
    assert posting.signature("other", "1700000000", b'{"a":1}') != signed


def test_what_is_taken_is_posted_and_written_well_within_its_lease() -> None:
    settled_seconds = posting.AT_ONCE * sum(posting.SETTLE_PAUSES_SECONDS)
    assert Patience().total_seconds < posting.LEASE_SECONDS / 2
    assert Patience().total_seconds + settled_seconds < posting.LEASE_SECONDS


def settings_with(webhook: str) -> Settings:
    return Settings(shops={"acme": Shop(replies=Replies(webhook=webhook)), "quiet": Shop()})


@pytest.mark.parametrize(
    ("webhook", "remedy"),
    [
        ("http://shop.example/hook", "write https://"),
        ("http://10.0.0.1/hook", "write https://"),
        ("shop.example/hook", "not a URL: write https://host/path"),
        ("ftp://shop.example/hook", "not a URL"),
        ("https://", "not a URL"),
        ("https://host:port/", "not a URL"),
    ],
)
def test_a_webhook_that_is_not_encrypted_or_no_url_is_refused(
    webhook: str, remedy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COPYDESK_WEBHOOK_SECRET", "secret")
    with pytest.raises(ConfigurationError, match=remedy):
        posting.check(settings_with(webhook))


@pytest.mark.parametrize(
    "webhook",
    ["https://shop.example/hook", "http://127.0.0.1:9/hook", "http://[::1]:9/hook", "http://localhost/hook", ""],
)
def test_https_and_this_very_machine_are_taken(webhook: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COPYDESK_WEBHOOK_SECRET", "secret")
    posting.check(settings_with(webhook))


def test_without_a_secret_nothing_is_posted_and_the_error_says_what_to_set() -> None:
    with pytest.raises(ConfigurationError, match="COPYDESK_WEBHOOK_SECRET is not set: set it"):
        posting.check(settings_with("https://shop.example/hook"))
    posting.check(settings_with(""))
