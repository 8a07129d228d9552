"""The pure parts of the endpoint: keys, allowance, idempotency keys, the document."""

import html
import re

import pytest
from reviewing import Desk

from copydesk.errors import ConfigurationError
from copydesk.model import Platform, Review, Status
from copydesk.settings import Serve, Settings
from copydesk.store import Database, runs
from copydesk.store.replies import Delivery
from producer import openapi
from producer.serving import Allowance, ApiKey, Endpoint, Remembered, api_keys, owner_of

KEY = ApiKey("acme", b"one")


def test_each_key_belongs_to_a_shop_and_a_shop_may_have_several() -> None:
    keys = api_keys(" acme:one, acme:two ,other:a:b,")

    assert [(key.shop, key.secret) for key in keys] == [("acme", b"one"), ("acme", b"two"), ("other", b"a:b")]
    assert owner_of("two", keys) == keys[1]
    assert owner_of("a:b", keys) == keys[2]
    assert [owner_of(wrong, keys) for wrong in ("", "tw", "twoo", "acme", "\udce9")] == [None] * 5
    assert "one" not in repr(keys)


@pytest.mark.parametrize(
    ("listed", "remedy"),
    [
        ("", "COPYDESK_API_KEYS is not set, .* set it to shop:key"),
        (" , ", "set it to shop:key"),
        ("acme:one,zzz-secret", "entry 2 of COPYDESK_API_KEYS is not shop:key"),
        ("acme:", "entry 1"),
        (":zzz-secret", "entry 1"),
        ("a shop:zzz-secret", "entry 1"),
        ("acme:zzz-secret,other:zzz-secret", "names one key twice: give each shop a key of its own"),
    ],
)
def test_keys_that_are_none_are_refused_with_the_remedy_and_never_quoted(listed: str, remedy: str) -> None:
    with pytest.raises(ConfigurationError, match=remedy) as refused:
        api_keys(listed)
    assert "zzz-secret" not in str(refused.value)


def test_a_minutes_worth_may_come_at_once_and_comes_back_evenly() -> None:
    allowance = Allowance(per_minute=6)

    assert [allowance.take(KEY, 0.0) for _ in range(6)] == [0.0] * 6
    assert allowance.take(KEY, 0.0) == pytest.approx(10)
    assert allowance.take(KEY, 4.0) == pytest.approx(6)
    assert allowance.take(ApiKey("acme", b"two"), 4.0) == 0.0
    assert allowance.take(KEY, 10.0) == 0.0
    assert allowance.take(KEY, 10.0) == pytest.approx(10)
    assert [allowance.take(KEY, 1000.0) for _ in range(7)][5:] == [0.0, pytest.approx(10)]


def test_an_idempotency_key_stands_for_one_body_of_one_shop_and_the_oldest_are_forgotten() -> None:
    remembered = Remembered(limit=2)

    assert [remembered.is_another("acme", "k", digest) for digest in ("a", "a", "b")] == [False, False, True]
    assert not remembered.is_another("other", "k", "b")
    assert not remembered.is_another("acme", "k2", "c")
    assert not remembered.is_another("acme", "k", "b")


MINE = Review("r1", "The lid leaks when the bottle lies on its side.", Platform.OWN, rating=2)


def bring(desk: Desk, review: Review = MINE) -> Status | None:
    return Endpoint(desk.database, Settings(), [])._take_in(desk.shop, review).state


def runs_of(desk: Desk) -> list[int]:
    with desk.database.read() as connection:
        return [one.id for one in runs.latest(connection)]


def test_a_review_whose_reply_failed_is_planned_again_when_it_comes_again(sqlite_database: Database) -> None:
    desk = Desk(sqlite_database)
    assert [bring(desk), bring(desk)] == [Status.PENDING] * 2
    (first,) = runs_of(desk)
    desk.answer(first, Status.FAILED)

    assert [bring(desk), bring(desk)] == [Status.PENDING] * 2
    assert len(runs_of(desk)) == 2
    assert desk.reply_states(every=True) == ["failed", "pending"]


def test_a_review_whose_reply_the_platform_rejected_waits_for_a_person_when_it_comes_again(
    sqlite_database: Database,
) -> None:
    desk = Desk(sqlite_database)
    bring(desk)
    (run,) = runs_of(desk)
    desk.answer(run)
    (reply,) = desk.replies()
    desk.say(reply.id, Status.APPROVED)
    desk.hand_over()
    assert bring(desk) == Status.PUBLISHED
    desk.mark(reply.id, Delivery.REJECTED)

    assert [bring(desk), bring(desk)] == [Status.HELD] * 2
    assert len(runs_of(desk)) == 2


def test_the_document_describes_every_operation_and_refers_to_nothing_that_is_not_there() -> None:
    document = openapi.document(Serve())

    assert {(path, method) for path, methods in document["paths"].items() for method in methods} == {
        ("/v1/reviews", "post"), ("/v1/reviews/{review_id}", "get"), ("/health", "get"),
    }  # fmt: skip
    referred = set(re.findall(r"#/components/schemas/(\w+)", str(document)))
    assert referred <= document["components"]["schemas"].keys()
    assert document["components"]["schemas"]["ReviewIn"]["required"] == ["review_id"]


def test_the_page_lists_every_operation_and_loads_nothing() -> None:
    document = openapi.document(Serve())
    page = openapi.page(document)

    for path in document["paths"]:
        assert html.escape(path) in page
    assert not re.search(r"(?:src|href)=\"(?!/openapi\.json\")|@import|url\(|<script", page)
