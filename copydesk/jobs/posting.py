"""Posts approved replies to the shop's webhook, signed. A post may repeat, with its idempotency key; a reply may not.

The receiver checks `X-Copydesk-Signature`, which is "sha256=" and the HMAC-SHA256, in hexadecimal and under
COPYDESK_WEBHOOK_SECRET, of the value of `X-Copydesk-Timestamp` (seconds since 1970), a full stop and the body; and it
takes what comes again under an `Idempotency-Key` that it has seen for the reply that it has.
"""

import asyncio
import hashlib
import hmac
import ipaddress
import json
import logging
import os
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

import httpx2

from copydesk.engine.openai import told_seconds
from copydesk.errors import ConfigurationError, NotFound, StoreUnavailable
from copydesk.settings import WEBHOOK_SECRET, Settings
from copydesk.store import Database, products, replies
from copydesk.store.replies import Delivery, Submission

log = logging.getLogger(__name__)

AT_ONCE = 8
LEASE_SECONDS = 60.0
"""For what was taken at once; posting it takes Patience.total_seconds at most, a quarter of this."""

SETTLE_PAUSES_SECONDS = (0.2, 1.0)
"""Before what became of a reply is tried to be written again; for all of AT_ONCE well within a lease."""

LONGEST_CALL_SECONDS = 10.0
"""After this long post_due takes no more; the sweep calls it again."""

AGAIN = frozenset({408, 409, 429})
"""Refusals that pass. All others of 400 to 499 stay."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How often a reply is posted, and how long it waits between, each time `factor` times as long: 4 hours in all.

    `timeout_seconds` is for connecting, and for each part that is sent or received; `total_seconds` is for all of it.
    """

    timeout_seconds: float = 10.0
    total_seconds: float = 15.0
    attempts: int = 8
    first_seconds: float = 30.0
    factor: float = 4.0
    longest_seconds: float = 3600.0
    longest_told_seconds: float = 86_400.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What the webhook said: a status, and how long to wait. It said nothing: no status, and `why` says why."""

    status: int | None = None
    told_seconds: float | None = None
    why: str = ""

    def __str__(self) -> str:
        return self.why or f"the webhook answered {self.status}"


@dataclass(frozen=True, slots=True)
class Decision:
    """How the reply stands now, and in how many seconds it is posted again; None for never."""

    state: Delivery
    again_seconds: float | None = None


def decide(answer: Answer, attempts: int, patience: Patience, draw: float) -> Decision:
    """What becomes of a reply after so many attempts; `draw` is from 0 to 1."""
    status = answer.status
    if status is not None and 200 <= status < 300:
        return Decision(Delivery.PENDING if status == 202 else Delivery.ACCEPTED)
    passes = status is None or status in AGAIN or status >= 500
    if not passes or attempts >= patience.attempts:
        return Decision(Delivery.FAILED)
    # Half of the wait is drawn, lest all that failed together come again together.
    backoff = min(patience.longest_seconds, patience.first_seconds * patience.factor ** (attempts - 1)) * (1 + draw) / 2
    told = min(patience.longest_told_seconds, answer.told_seconds or 0.0)
    return Decision(Delivery.WAITING, max(backoff, told))


def signature(secret: str, timestamp: str, body: bytes) -> str:
    """The value of X-Copydesk-Signature."""
    return "sha256=" + hmac.new(secret.encode(), timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()


def check(settings: Settings) -> None:
    """Raises ConfigurationError when a shop has a webhook that cannot be posted to safely."""
    webhooks = _webhooks(settings)
    for shop, url in webhooks.items():
        _check_url(shop, url)
    if webhooks and not os.environ.get(WEBHOOK_SECRET):
        raise ConfigurationError(
            f"{', '.join(webhooks)}: replies are posted signed, and {WEBHOOK_SECRET} is not set: set it, to what "
            "`openssl rand -hex 32` prints for example, and give it to the receiver"
        )


def post_due(
    database: Database,
    settings: Settings,
    *,
    patience: Patience = Patience(),
    draw: Callable[[], float] = random.random,
) -> Counter[str]:
    """Post what is approved and due; how many replies stand how now. Safe to run anywhere, also twice at once.

    Raises:
        ConfigurationError: as `check` does; nothing was posted.
    """
    check(settings)
    webhooks = _webhooks(settings)
    for shop in webhooks:
        _put_in_line(database, shop)
    deadline = time.monotonic() + LONGEST_CALL_SECONDS
    due = _due(database)
    if not due:  # as nearly always: a client, which reads the certificates, is not made for nothing every few seconds
        return Counter()
    with _client(patience) as (loop, client):
        post = _Post(database, loop, client, webhooks, patience, draw)
        while due:
            post.all_of(due)
            due = _due(database) if time.monotonic() < deadline else []
    return post.counts


def _due(database: Database) -> list[Submission]:
    with database.write() as connection:
        return replies.due_submissions(connection, AT_ONCE, LEASE_SECONDS)


@contextmanager
def _client(patience: Patience) -> Iterator[tuple[asyncio.AbstractEventLoop, httpx2.AsyncClient]]:
    """A client, and the loop that it works in: there a post can be broken off wherever it is."""
    for name in ("httpx2", "httpcore2"):  # at INFO and below they log every URL, and it may hold a password
        logging.getLogger(name).setLevel(logging.WARNING)
    loop = asyncio.new_event_loop()
    client = httpx2.AsyncClient(timeout=patience.timeout_seconds)
    try:
        yield loop, client
    finally:
        loop.run_until_complete(client.aclose())
        loop.close()  # unlike asyncio.run, it does not wait for a name that is still being looked up


def _webhooks(settings: Settings) -> dict[str, str]:
    """Where the replies of each shop go, of those that have a webhook."""
    return {name: shop.replies.webhook for name, shop in settings.shops.items() if shop.replies.webhook}


def _check_url(shop: str, webhook: str) -> None:
    try:
        url = httpx2.URL(webhook)
    except (httpx2.InvalidURL, ValueError):
        url = httpx2.URL("")
    if not url.host or url.scheme not in ("http", "https"):
        raise ConfigurationError(f"the webhook of {shop} is not a URL: write https://host/path")
    if url.scheme == "http" and not _is_loopback(url.host):
        raise ConfigurationError(f"the webhook of {shop} is not encrypted: write https:// (http only to this machine)")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _put_in_line(database: Database, shop: str) -> None:
    while True:
        with database.write() as connection:
            try:
                shop_id = products.find_shop(connection, shop)
            except NotFound:  # it is in the settings, and has brought nothing yet
                return
            if not replies.open_submissions(connection, shop_id):
                return


@dataclass(frozen=True, slots=True)
class _Post:
    """One call of the post: takes what is due, sends it, and writes down what became of it."""

    database: Database
    loop: asyncio.AbstractEventLoop
    client: httpx2.AsyncClient
    webhooks: Mapping[str, str]
    patience: Patience
    draw: Callable[[], float]
    silent: set[str] = field(default_factory=set)
    counts: Counter[str] = field(default_factory=Counter)

    def all_of(self, due: Sequence[Submission]) -> None:
        """Post these at the same time, but for shops that were silent before."""
        sent = [one for one in due if one.shop not in self.silent]
        for submission in due:
            if submission.shop in self.silent:
                self._put_off(submission)
        for submission, answer in zip(sent, self.loop.run_until_complete(self._send_all(sent)), strict=True):
            if answer.status is None:
                self.silent.add(submission.shop)
            self._settle(submission, answer, submission.attempts)

    async def _send_all(self, due: Sequence[Submission]) -> list[Answer]:
        return await asyncio.gather(*map(self._send, due))

    async def _send(self, submission: Submission) -> Answer:
        url = self.webhooks.get(submission.shop)
        if url is None:
            return Answer(404, why="the shop has no webhook any more: export the reply")
        body = json.dumps(_payload(submission), ensure_ascii=False).encode()
        try:
            async with asyncio.timeout(self.patience.total_seconds):
                return await self._ask(url, body, _headers(submission, body))
        except TimeoutError:
            return Answer(why=f"the webhook did not answer within {self.patience.total_seconds:g} s")
        except httpx2.TimeoutException:
            return Answer(why=f"the webhook did not answer within {self.patience.timeout_seconds:g} s")
        except httpx2.HTTPError as error:
            return Answer(why=f"the webhook cannot be reached ({type(error).__name__})")

    async def _ask(self, url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        # A stream, of which nothing is read: what it says beside its status may be of any length.
        async with self.client.stream("POST", url, content=body, headers=headers) as response:
            return Answer(response.status_code, told_seconds(response.headers, datetime.now(UTC)))

    def _put_off(self, submission: Submission) -> None:
        """It waits as if it had been posted in vain, since it was counted as an attempt; but it does not fail."""
        answer = Answer(why="not posted, because the webhook did not answer just before")
        self._settle(submission, answer, min(submission.attempts, self.patience.attempts - 1))

    def _settle(self, submission: Submission, answer: Answer, attempts: int) -> None:
        decision = decide(answer, attempts, self.patience, self.draw())
        is_taken = decision.state in (Delivery.ACCEPTED, Delivery.PENDING)
        error = "" if is_taken else str(answer)
        if self._write(submission, decision, error):
            self.counts[decision.state.value] += 1
        if error:
            log.warning("reply %d, attempt %d: %s; %s", submission.draft, submission.attempts, error, decision.state)

    def _write(self, submission: Submission, decision: Decision, error: str) -> bool:
        """Tried again when the database is away for a moment; then the reply is posted again after its lease."""
        for pause_seconds in (*SETTLE_PAUSES_SECONDS, None):
            try:
                with self.database.write() as connection:
                    return replies.settle_submission(
                        connection, submission, decision.state, error=error, next_attempt_seconds=decision.again_seconds
                    )
            except StoreUnavailable as away:
                if pause_seconds is None:
                    log.error("reply %d is %s, which cannot be written: %s", submission.draft, decision.state, away)
                else:
                    time.sleep(pause_seconds)
        return False


def _headers(submission: Submission, body: bytes) -> dict[str, str]:
    timestamp = str(int(time.time()))
    return {
        "Content-Type": "application/json",
        "Idempotency-Key": submission.idempotency_key,
        "X-Copydesk-Timestamp": timestamp,
        "X-Copydesk-Signature": signature(os.environ[WEBHOOK_SECRET], timestamp, body),
    }


def _payload(submission: Submission) -> dict[str, object]:
    return {
        "shop": submission.shop,
        "platform": submission.platform.value,
        "review_id": submission.review_id,
        "review_version": submission.version,
        "sku": submission.sku,
        "rating": submission.rating,
        "language": submission.language,
        "reply": submission.text,
    }
