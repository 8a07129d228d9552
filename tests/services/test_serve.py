"""The HTTP endpoint as a process of its own, asked over real HTTP."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx2
import pytest
from databases import PostgreSQL

from producer.services import free_port
from services.conftest import OpenDesk
from services.desks import BIN, Desk, Running, desk_in, until

KEY, OTHERS_KEY = "key-of-acme", "key-of-other"
TEXT = "The lid leaks when the bottle lies on its side, zanzibar."


class Server:
    """`copydesk serve` of a desk, and a client that is let in."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.url = f"http://127.0.0.1:{desk.env['COPYDESK_SERVE__PORT']}"
        self.process: Running = desk.start("serve", str(BIN / "copydesk"), "serve")
        self.client = httpx2.Client(base_url=self.url, headers={"Authorization": f"Bearer {KEY}"}, timeout=30)
        self.process.says("Uvicorn running on", 60)

    def post(self, review: object, **headers: str) -> httpx2.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.client.post("/v1/reviews", json=review, headers=named)

    def get(self, review_id: str) -> dict[str, Any]:
        found = self.client.get(f"/v1/reviews/{review_id}")
        assert found.status_code == 200, found.text
        return dict(found.json())


def serving(desk: Desk, **settings: object) -> Server:
    keys = f"acme:{KEY},other:{OTHERS_KEY}"
    desk.set(api_keys=keys, serve__port=free_port(), **settings)
    return Server(desk)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for all tests that only look at its answers; there is no broker."""
    with desk_in(tmp_path_factory.mktemp("serve") / "desk") as desk:
        desk.migrate()
        served = serving(desk, serve__max_body_bytes=10_000)
        yield served
        served.client.close()


def review(review_id: str, text: str = TEXT, **more: object) -> dict[str, object]:
    return {"review_id": review_id, "rating": 2, "text": text, **more}


def refused(answer: httpx2.Response, status: int) -> str:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["status"] == status
    assert "zanzibar" not in answer.text
    return str(problem["detail"])


def test_without_a_broker_a_review_is_stored_and_its_reply_waits(server: Server) -> None:
    answer = server.post(review("away", sku="bottle", written_at="2026-11-02T09:15:00Z"))

    assert answer.status_code == 202
    expected = {"review_id": "away", "state": "pending", "status_url": "/v1/reviews/away"}
    assert answer.json() == expected
    assert answer.headers["location"] == "/v1/reviews/away"
    stands = server.get("away")
    assert (stands["state"], stands["route"], stands["version"], stands["text"]) == ("pending", "ordinary", 1, "")
    assert (stands["sku"], stands["rating"], stands["language"]) == ("bottle", 2, "en")
    assert server.client.get("/health").json() == {"status": "ok", "database": "ok", "broker": "away"}


def test_a_review_for_a_person_is_held_with_the_reason_and_no_model_is_asked(server: Server) -> None:
    answer = server.post(review("fire", "The stove caught fire and I have burns on my hand."))

    assert answer.json()["state"] == "held"
    stands = server.get("fire")
    assert (stands["route"], stands["policy"], stands["text"]) == ("safety", "person", "")
    assert stands["reasons"]


def test_the_same_review_again_is_the_same_and_an_edited_one_is_asked_for_again(server: Server) -> None:
    for _ in range(2):
        assert server.post(review("edited")).status_code == 202
    assert server.get("edited")["version"] == 1
    assert server.post(review("edited", "It broke after a day.")).status_code == 202
    assert server.post(review("edited")).status_code == 202

    assert (server.get("edited")["version"], server.get("edited")["state"]) == (3, "pending")


def test_an_idempotency_key_with_another_body_is_a_conflict(server: Server) -> None:
    assert server.post(review("once"), Idempotency_Key="k1").status_code == 202
    assert server.post(review("once"), Idempotency_Key="k1").status_code == 202
    assert "take a new one" in refused(server.post(review("once", "Other words."), Idempotency_Key="k1"), 409)
    assert server.get("once")["version"] == 1


@pytest.mark.parametrize("review_id", ["a/b", "评论 7", "50%", "a?b#c", "x" * 255])
def test_any_id_finds_its_way_there_and_back(server: Server, review_id: str) -> None:
    url = server.post(review(review_id)).json()["status_url"]

    assert server.client.get(url).json()["review_id"] == review_id


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        (b"", 400, "not JSON"),
        (b'{"review_id": "x", "text": "zanzibar', 400, "not JSON"),
        (b'{"review_id": "x", "text": "\\ud800 zanzibar"}', 400, "not JSON"),
        (b"\xff\xfe", 400, "not JSON"),
        (b'["zanzibar"]', 422, "object"),
        (b'{"text": "zanzibar"}', 422, "review_id: Field required"),
        (b'{"review_id": "", "text": "zanzibar"}', 422, "review_id"),
        (b'{"review_id": " x ", "text": "zanzibar"}', 422, "no blanks"),
        (b'{"review_id": "x", "rating": 6}', 422, "rating"),
        (b'{"review_id": "x", "rating": "5"}', 422, "rating"),
        (b'{"review_id": "x", "stars": 5}', 422, "stars: Extra inputs are not permitted"),
        (b'{"review_id": "x", "text": ["zanzibar"]}', 422, "text"),
        (b'{"review_id": "x", "written_at": "yesterday"}', 422, "written_at"),
        (json.dumps({"review_id": "y" * 256}).encode(), 422, "review_id"),
    ],
)
def test_what_is_wrong_with_a_body_is_said_by_name_and_never_quoted(
    server: Server, body: bytes, status: int, said: str
) -> None:
    assert said in refused(server.client.post("/v1/reviews", content=body), status)


def test_odd_texts_are_taken_in(server: Server) -> None:
    for number, text in enumerate(["", "👍👍", "سلة جميلة", "a\x00b", "很好 and gut", "<b>x</b>" * 400]):
        assert server.post(review(f"odd-{number}", text)).status_code == 202
        assert server.get(f"odd-{number}")["state"] in ("pending", "held", "ignored")


def test_a_body_over_the_limit_is_refused_however_it_comes(server: Server) -> None:
    large = json.dumps(review("large", "x" * 20_000)).encode()

    assert "10,000 bytes" in refused(server.client.post("/v1/reviews", content=large), 413)
    parts = (large[start : start + 1000] for start in range(0, len(large), 1000))
    assert "10,000 bytes" in refused(server.client.post("/v1/reviews", content=parts), 413)
    refused(server.client.get("/v1/reviews/large"), 404)


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer nobody"}, {"X-API-Key": "key-of-acm"}])
def test_without_a_key_of_ours_nobody_is_let_in(server: Server, headers: dict[str, str]) -> None:
    for method, path in (("POST", "/v1/reviews"), ("GET", "/v1/reviews/away")):
        answer = httpx2.request(method, server.url + path, headers=headers)
        refused(answer, 401)
        assert answer.headers["www-authenticate"] == "Bearer"


def test_a_shop_sees_its_own_reviews_only(server: Server) -> None:
    server.post(review("mine"))
    others = {"X-API-Key": OTHERS_KEY}

    refused(httpx2.get(f"{server.url}/v1/reviews/mine", headers=others), 404)
    assert httpx2.post(f"{server.url}/v1/reviews", json=review("mine", "Mine."), headers=others).status_code == 202
    assert server.get("mine")["version"] == 1


def test_paths_and_methods_that_are_not_there_are_problems_too(server: Server) -> None:
    refused(server.client.get("/"), 404)
    refused(server.client.delete("/v1/reviews/away"), 405)


def test_the_document_and_the_page_are_open(server: Server) -> None:
    document = httpx2.get(f"{server.url}/openapi.json").json()
    page = httpx2.get(f"{server.url}/docs")

    assert document["openapi"] == "3.1.0"
    assert "POST /v1/reviews" in page.text
    assert page.headers["content-security-policy"].startswith("default-src 'none'")


def test_the_log_holds_no_text_of_a_review(server: Server) -> None:
    server.post(review("logged"))

    assert "POST /v1/reviews" in server.process.output
    assert "zanzibar" not in server.process.output
    assert KEY not in server.process.output
    assert "Traceback" not in server.process.output


def test_without_keys_it_does_not_start_and_says_what_to_set(open_desk: OpenDesk) -> None:
    ended = open_desk().copydesk("serve", status=2)

    assert "COPYDESK_API_KEYS is not set" in ended.stderr
    assert "set it to shop:key" in ended.stderr


def test_too_many_requests_are_told_how_long_to_wait(open_desk: OpenDesk) -> None:
    desk = open_desk()
    served = serving(desk, serve__requests_per_minute=2)
    with served.client:
        assert [served.post(review(str(number))).status_code for number in range(2)] == [202, 202]
        answer = served.post(review("3"))
        refused(answer, 429)
        assert 1 <= int(answer.headers["retry-after"]) <= 30
        assert httpx2.get(f"{served.url}/health").status_code == 200
        assert served.process.stop() == 0


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_duplicates_that_come_at_once_are_one_review_and_one_reply(
    database: str, open_desk: OpenDesk, request: pytest.FixtureRequest
) -> None:
    url = request.getfixturevalue("postgresql_url") if database == "postgresql" else ""
    desk = open_desk(url)
    desk.start_broker()
    served = serving(desk)
    with served.client, ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda number: served.post(review("same")), range(24)))

    assert {answer.status_code for answer in answers} == {202}
    assert desk.query("SELECT review_id, version FROM reviews") == [("same", 1)]
    assert desk.query("SELECT kind, state FROM drafts") == [("reply", "pending")]
    assert desk.value("SELECT count(*) FROM runs WHERE kind = 'reply'") == 1
    until("its bell is rung, once", lambda: desk.broker().llen("replies") == 1)


def test_a_review_is_answered_by_the_worker_and_the_reply_is_shown(open_desk: OpenDesk) -> None:
    desk = open_desk()
    desk.start_broker()
    desk.start_worker()
    served = serving(desk)
    with served.client:
        served.post(review("quick", "Holds heat well and is light in the pack.", rating=5))
        stands = until(
            "the reply is written",
            lambda: found if (found := served.get("quick"))["state"] in ("ready", "held") else None,
        )
    assert stands["state"] == "ready", stands
    assert stands["text"]


def test_while_the_database_is_away_nothing_is_taken_in_and_health_says_so(
    open_desk: OpenDesk, postgresql: PostgreSQL
) -> None:
    url = postgresql.create()
    served = serving(open_desk(url))
    with served.client:
        assert served.post(review("before")).status_code == 202
        postgresql.drop(url)
        answer = served.post(review("lost"))
        refused(answer, 503)
        assert answer.headers["retry-after"] == "5"
        answer = served.client.get("/health")
        assert (answer.status_code, answer.json()["database"]) == (503, "away")
