"""`copydesk serve`: the HTTP endpoint that takes in reviews one by one and says how each stands.

A request is let in by its API key, counted against that key's minute, and read up to a limit; what is wrong with it is
said as a problem document (RFC 9457). A review is stored and its reply is planned before the answer goes out; the bell
rings after it, so that a broker that is away delays nobody. No text of a review gets into a log.
"""

import asyncio
import hmac
import logging
import math
import os
import secrets
import time
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from urllib.parse import quote

import uvicorn
from pydantic import ValidationError
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from copydesk.errors import ConfigurationError, CopydeskError, InputError, NotFound, StoreUnavailable
from copydesk.jobs import replies
from copydesk.model import Platform, Review, Status, fingerprint
from copydesk.settings import API_KEYS, Settings
from copydesk.store import Database, products, reviews, standing
from copydesk.store.products import check_shop_name
from copydesk.store.standing import Standing
from producer import openapi
from producer.importing_reviews import judged
from producer.openapi import Accepted, Health, Problem, ReviewIn, Stands, Why
from producer.reviews.making import MAX_ID, Maker, Raw
from producer.services import stop_on_signals
from tasks import bells

log = logging.getLogger("copydesk.serve")

REMEMBERED = 10_000
"""Idempotency keys that a process remembers. Behind them stands the review's own id, which is never forgotten."""

CONNECTIONS = 256
CLOSE_SECONDS = 30

SHOWN_IN = frozenset({Status.READY, Status.APPROVED, Status.PUBLISHED})
"""States in which a reply's text is one that the guards, or a person, let through."""

PLANNED_AGAIN = frozenset({None, Status.FAILED, Status.STALE, Status.UNDONE})
"""States in which a review has no reply that stands, though one was planned before."""

SECRET_HINT = "a key is what `openssl rand -hex 24` prints, for example"  # noqa: S105 - no secret


class Refusal(Exception):
    """The request is not answered as it wishes."""

    def __init__(self, status: int, detail: str, **headers: str) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}


# Who may ask, how much, and what was asked before


@dataclass(frozen=True, slots=True)
class ApiKey:
    """One key, and the shop that it brings reviews to."""

    shop: str
    secret: bytes = field(repr=False)


def api_keys(listed: str) -> tuple[ApiKey, ...]:
    """The keys in "shop:key,shop:key"; a shop may have several.

    Raises:
        ConfigurationError: there is none, or an entry is not one; no key is quoted.
    """
    entries = [entry.strip() for entry in listed.split(",") if entry.strip()]
    if not entries:
        raise ConfigurationError(
            f"{API_KEYS} is not set, so nobody could bring a review: set it to shop:key, several separated by commas "
            f"({SECRET_HINT})"
        )
    keys = tuple(_api_key(number, entry) for number, entry in enumerate(entries, start=1))
    if len({key.secret for key in keys}) < len(keys):
        raise ConfigurationError(f"{API_KEYS} names one key twice: give each shop a key of its own ({SECRET_HINT})")
    return keys


def _api_key(number: int, entry: str) -> ApiKey:
    shop, _, secret = entry.partition(":")
    try:
        check_shop_name(shop)
    except InputError:
        secret = ""
    if not secret:
        raise ConfigurationError(f"entry {number} of {API_KEYS} is not shop:key: {SECRET_HINT}")
    return ApiKey(shop, secret.encode())


def owner_of(secret: str, keys: Sequence[ApiKey]) -> ApiKey | None:
    """The key that was given, if it is one of ours; how long that takes tells nothing about it."""
    given = secret.encode("utf-8", "surrogateescape")
    found = None
    for key in keys:
        if hmac.compare_digest(key.secret, given):
            found = key
    return found


class Allowance:
    """What a key may still ask: a minute's worth at once, refilled evenly."""

    def __init__(self, per_minute: int) -> None:
        self._per_minute = per_minute
        self._left: dict[ApiKey, tuple[float, float]] = {}

    def take(self, key: ApiKey, now: float) -> float:
        """0.0, and one request less is left; or the seconds until there is one. `now` is any clock's, in seconds."""
        left, since = self._left.get(key, (float(self._per_minute), now))
        left = min(self._per_minute, left + (now - since) * self._per_minute / 60)
        self._left[key] = (left - 1 if left >= 1 else left, now)
        return 0.0 if left >= 1 else (1 - left) * 60 / self._per_minute


class Remembered:
    """Idempotency keys, and what was asked under them."""

    def __init__(self, limit: int = REMEMBERED) -> None:
        self._limit = limit
        self._asked: OrderedDict[tuple[str, str], str] = OrderedDict()

    def is_another(self, shop: str, key: str, digest: str) -> bool:
        """Whether the key has come with another body before; else it is remembered with this one."""
        before = self._asked.setdefault((shop, key), digest)
        if len(self._asked) > self._limit:
            self._asked.popitem(last=False)
        return before != digest


# The endpoint


class Endpoint:
    """The operations, and what they share."""

    def __init__(self, database: Database, settings: Settings, keys: Sequence[ApiKey]) -> None:
        self._database = database
        self._settings = settings
        self._keys = keys
        self._allowance = Allowance(settings.serve.requests_per_minute)
        self._remembered = Remembered()
        self._relay = bells.Relay()

    async def post_review(self, request: Request) -> Response:
        """Take in one review and plan its reply."""
        key = self._let_in(request)
        given = _read(await _body(request, self._settings.serve.max_body_bytes))
        self._check_idempotency(request, key, given)
        review = _review(given)
        stands = await run_in_threadpool(self._take_in, key.shop, review)
        url = f"/v1/reviews/{quote(review.id, safe='')}"
        accepted = Accepted(review_id=review.id, state=stands.state or "received", status_url=url)
        return JSONResponse(
            accepted.model_dump(mode="json"), 202, {"Location": url}, background=BackgroundTask(self._ring)
        )

    async def get_review(self, request: Request) -> Response:
        """Say how one review stands."""
        key = self._let_in(request)
        review_id = request.path_params["review_id"]
        stands = await run_in_threadpool(self._find, key.shop, review_id)
        if stands is None:
            raise Refusal(404, f"{key.shop} has brought no review {review_id!r} to this endpoint")
        return JSONResponse(_shown(stands).model_dump(mode="json"))

    async def health(self, _request: Request) -> Response:
        """Say whether database and broker answer. Without a broker reviews are taken in all the same."""
        database, broker = await asyncio.gather(
            run_in_threadpool(self._database_answers), run_in_threadpool(_broker_answers)
        )
        found = Health(
            status="ok" if database else "away",
            database="ok" if database else "away",
            broker="ok" if broker else "away",
        )
        return JSONResponse(found.model_dump(), 200 if database else 503)

    def _let_in(self, request: Request) -> ApiKey:
        scheme, _, bearer = request.headers.get("Authorization", "").partition(" ")
        secret = bearer.strip() if scheme.lower() == "bearer" else request.headers.get("X-API-Key", "")
        key = owner_of(secret, self._keys)
        if key is None:
            raise Refusal(401, "send `Authorization: Bearer KEY` with a key of your shop", WWW_Authenticate="Bearer")
        if seconds := self._allowance.take(key, time.monotonic()):
            limit = self._settings.serve.requests_per_minute
            raise Refusal(429, f"{limit} requests a minute are taken", Retry_After=str(math.ceil(seconds)))
        return key

    def _check_idempotency(self, request: Request, key: ApiKey, given: ReviewIn) -> None:
        name = request.headers.get("Idempotency-Key", "")
        if len(name) > MAX_ID:
            raise Refusal(400, f"Idempotency-Key is longer than {MAX_ID} characters")
        if name and self._remembered.is_another(key.shop, name, fingerprint(given.model_dump(mode="json"))):
            raise Refusal(409, "this Idempotency-Key came with another body before: take a new one")

    def _take_in(self, shop: str, review: Review) -> Standing:
        """Store the review, and plan the reply to what it says: once, however often it is brought, unless it failed."""
        with self._database.write() as connection:
            shop_id = products.add_shop(connection, shop)
            reviews.take_in(connection, shop_id, judged(self._settings, shop, [review]))
            stands = standing.find(connection, shop_id, Platform.OWN, review.id)
        if stands is None:
            raise Refusal(410, "the reviewer asked to be forgotten, and stays so")
        self._plan(shop, stands)
        return self._find(shop, review.id) or stands

    def _plan(self, shop: str, stands: Standing) -> None:
        """Under one key, which nobody plans twice; without a reply that stands, under another that is new."""
        run_key = f"api {stands.review_id} v{stands.version}"
        planned = replies.plan(self._database, self._settings, shop, run_key, ids=[stands.id])
        if planned.created:
            return
        now = self._find(shop, stands.review_id)  # by now somebody else's twin of this request may have planned it
        if now is not None and now.state in PLANNED_AGAIN:
            replies.plan(self._database, self._settings, shop, f"{run_key} {secrets.token_hex(4)}", ids=[stands.id])

    def _find(self, shop: str, review_id: str) -> Standing | None:
        with self._database.read() as connection:
            try:
                shop_id = products.find_shop(connection, shop)
            except NotFound:  # it has brought nothing yet
                return None
            return standing.find(connection, shop_id, Platform.OWN, review_id)

    def _ring(self) -> None:
        """A broker or database that is away costs nothing: the sweep rings."""
        try:
            self._relay.ring(self._database, self._settings.max_chunks_in_broker)
        except CopydeskError as error:
            log.warning("%s; the sweep rings later", error)

    def _database_answers(self) -> bool:
        try:
            self._database.check()
        except CopydeskError:
            return False
        return True


def _broker_answers() -> bool:
    try:
        bells.queued()
    except bells.BrokerAway:
        return False
    return True


async def _body(request: Request, limit: int) -> bytes:
    too_large = Refusal(413, f"the body is larger than {limit:,} bytes", Connection="close")
    if int(request.headers.get("Content-Length", "0")) > limit:
        raise too_large
    body = bytearray()
    try:
        async for part in request.stream():
            body += part
            if len(body) > limit:
                raise too_large
    except ClientDisconnect as error:
        raise Refusal(400, "the body broke off") from error
    return bytes(body)


def _read(body: bytes) -> ReviewIn:
    try:
        return ReviewIn.model_validate_json(body)
    except ValidationError as error:
        # Not chained, and without the values: both quote the review.
        wrong = [(".".join(map(str, one["loc"])), one["msg"], one["type"]) for one in error.errors(include_input=False)]
    if wrong[0][2] == "json_invalid":
        raise Refusal(400, f"the body is not JSON: {wrong[0][1]}")
    raise Refusal(422, "; ".join(f"{name[:MAX_ID]}: {said}" for name, said, _ in wrong))


def _review(given: ReviewIn) -> Review:
    raw = Raw(
        text=given.text,
        title=given.title,
        rating="" if given.rating is None else str(given.rating),
        sku=given.sku,
        id=given.review_id,
        reviewer_name=given.reviewer_name,
        reviewer_email=given.reviewer_email,
        written_at="" if given.written_at is None else given.written_at.isoformat(),
        reply=given.reply,
    )
    review = list(Maker().take(1, Platform.OWN, raw))[-1]
    if not isinstance(review, Review) or review.id != given.review_id:
        raise Refusal(422, "review_id: use no blanks around or beside each other, no markup and no control characters")
    return review


def _shown(stands: Standing) -> Stands:
    return Stands(
        review_id=stands.review_id,
        version=stands.version,
        sku=stands.sku,
        rating=stands.rating,
        language=stands.language,
        route=stands.route,
        sentiment=stands.sentiment,
        policy=stands.policy,
        state=stands.state or "received",
        text=stands.text if stands.state in SHOWN_IN else "",
        reasons=[Why(code=reason.code, message=reason.message) for reason in stands.reasons],
        delivery=stands.delivery,
    )


def _problem(status: int, detail: str, headers: Mapping[str, str] | None = None) -> Response:
    problem = Problem(title=HTTPStatus(status).phrase, status=status, detail=detail)
    return JSONResponse(problem.model_dump(), status, headers, media_type="application/problem+json")


async def _refused(_request: Request, error: Exception) -> Response:
    if isinstance(error, Refusal):
        return _problem(error.status, error.detail, error.headers)
    if isinstance(error, HTTPException):
        return _problem(error.status_code, error.detail, error.headers)
    if isinstance(error, StoreUnavailable):
        log.error("%s", error)
        return _problem(503, "the database does not answer: try again", {"Retry-After": "5"})
    return _problem(500, "something broke here; the server's log says what")


def make_app(database: Database, settings: Settings, keys: Sequence[ApiKey]) -> Starlette:
    """The ASGI application. `database` is the caller's to close."""
    endpoint = Endpoint(database, settings, keys)
    document = openapi.document(settings.serve)
    page = openapi.page(document)

    async def described(_request: Request) -> Response:
        return JSONResponse(document)

    async def shown(_request: Request) -> Response:
        return HTMLResponse(page, headers={"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'"})

    return Starlette(
        routes=[
            Route("/v1/reviews", endpoint.post_review, methods=["POST"]),
            Route("/v1/reviews/{review_id:path}", endpoint.get_review, methods=["GET"]),
            Route("/health", endpoint.health, methods=["GET"]),
            Route("/openapi.json", described, methods=["GET"]),
            Route("/docs", shown, methods=["GET"]),
        ],
        exception_handlers=dict.fromkeys((Refusal, HTTPException, StoreUnavailable, Exception), _refused),
    )


def run(settings: Settings, database: Database) -> None:
    """Serve until SIGTERM or Ctrl-C.

    Raises:
        ConfigurationError: there are no API keys, or they are none.
    """
    app = make_app(database, settings, api_keys(os.environ.get(API_KEYS, "")))
    serve = settings.serve
    stop_on_signals()  # uvicorn has its own way to stop, and then raises the signal again: this lets it pass
    uvicorn.run(
        app,
        host=serve.host,
        port=serve.port,
        server_header=False,
        proxy_headers=False,
        limit_concurrency=CONNECTIONS,
        timeout_graceful_shutdown=CLOSE_SECONDS,
    )
