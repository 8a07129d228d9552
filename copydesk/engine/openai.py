"""The openai backend: any endpoint that speaks OpenAI's HTTP API (OpenAI itself, vLLM, llama.cpp, Ollama and others).

A request with messages goes to {base_url}/chat/completions, one without to {base_url}/completions. `top_k` and
`repetition_penalty` are not in that API and are not sent; nor is anything else that the settings leave to the model.
Single tokens are not seen: an answer comes whole.

Three parts: pure rules (what is tried again and when, how fast requests may go out), _Traffic, which sends them from an
event loop in a thread of its own, and OpenAIBackend, which is what the engine's loop drives.
"""

import asyncio
import heapq
import itertools
import json
import logging
import math
import random
import re
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from queue import Empty, SimpleQueue
from typing import Any

import httpx2

from copydesk.engine.backend import Prompt, Row, Text, Tick, said
from copydesk.engine.base import Finish, Request
from copydesk.errors import ConfigurationError
from copydesk.model import Lane
from copydesk.settings import OPENAI_KEY

log = logging.getLogger(__name__)

LONGEST_STEP_SECONDS = 0.05
CONNECT_SECONDS = 10.0
CLOSE_SECONDS = 5.0
"""close() waits no longer: looking up a host's name cannot be cut short."""

LONGEST_COMPLAINT = 300
"""Characters of a server's message that are passed on."""

SHORTEST_SECRET = 8
"""Local servers take any key. One as short as "x" protects nothing, and blanking it out would spoil every message."""


# What is tried again, and when


@dataclass(frozen=True, slots=True)
class Patience:
    """How often a request is tried, and how long it waits between its attempts: at most, and altogether."""

    attempts: int = 8
    first_seconds: float = 1.0
    longest_seconds: float = 60.0
    total_seconds: float = 300.0


@dataclass(frozen=True, slots=True)
class Fault:
    """Why an attempt brought no answer. `status` is None if the server did not even refuse it."""

    why: str
    status: int | None = None
    code: str = ""
    told_seconds: float | None = None  # how long the server says to wait


PASSING = frozenset({408, 409, 429, 500, 502, 503, 504})
ABOUT_THE_REQUEST = frozenset({200, 400, 413, 414, 422, 431, 451})
"""Statuses that refuse one request for its own sake; the others speak of the server, the account or the settings."""

NO_CREDIT = "insufficient_quota"
WRONG_KEY = "invalid_api_key"
FLAGGED = "flagged_input"
CODES_ABOUT_THE_REQUEST = frozenset({FLAGGED, "content_filter", "content_policy_violation", "context_length_exceeded"})
MEANT = {NO_CREDIT: 402, "billing_hard_limit_reached": 402, WRONG_KEY: 401, "model_not_found": 404}
"""Codes that say more than the status they come with, and the status that says the same."""


def retry_in(fault: Fault, attempts: int, waited_seconds: float, patience: Patience, draw: float) -> float | None:
    """Seconds until the next attempt, after so many and so much waiting; None if there shall be none.

    Backs off exponentially with full jitter, `draw` being from 0 to 1, and never waits less than the server says.
    """
    passes = fault.status is None or (fault.status in PASSING and fault.code != NO_CREDIT)
    if not passes or attempts >= patience.attempts:
        return None
    backoff = draw * min(patience.longest_seconds, patience.first_seconds * 2 ** (attempts - 1))
    seconds = max(backoff, fault.told_seconds or 0.0)
    return seconds if waited_seconds + seconds <= patience.total_seconds else None


def finish_of(fault: Fault) -> Finish:
    """FAILED where a request was refused for its own sake, UNAVAILABLE where any other would have been too."""
    status = MEANT.get(fault.code, fault.status)
    is_its_own = status in ABOUT_THE_REQUEST or fault.code in CODES_ABOUT_THE_REQUEST
    return Finish.FAILED if is_its_own else Finish.UNAVAILABLE


def told_seconds(headers: Mapping[str, str], now: datetime) -> float | None:
    """How long a server says to wait: retry-after-ms, or retry-after in seconds or as a date; None if it does not."""
    if re.fullmatch(r"\d+(\.\d+)?", milliseconds := headers.get("retry-after-ms", "").strip()):
        return float(milliseconds) / 1000
    if re.fullmatch(r"\d+(\.\d+)?", after := headers.get("retry-after", "").strip()):
        return float(after)
    try:
        date = parsedate_to_datetime(after)
    except ValueError:
        return None
    return max(0.0, (date.replace(tzinfo=date.tzinfo or UTC) - now).total_seconds())


# How fast requests may go out


class Bucket:
    """A budget that refills evenly. `now` is any clock's, in seconds.

    It holds a tenth of a minute's worth at most, and that tenth is kept off its refilling, so that no 60 seconds see
    more than `per_minute`. What is larger than it holds is let out when it is full, and paid off before the next.
    """

    def __init__(self, per_minute: int, now: float) -> None:
        self._size = per_minute / 10
        self._per_second = (per_minute - self._size) / 60
        self._level = self._size
        self._at = now

    def wait(self, amount: float, now: float) -> float:
        """Seconds until so much may be taken."""
        self._level = min(self._size, self._level + (now - self._at) * self._per_second)
        self._at = now
        return max(0.0, min(amount, self._size) - self._level) / self._per_second

    def take(self, amount: float) -> None:
        self._level -= amount


class Pace:
    """When the next request may go out: both limits per minute, and what a 429 told all of us to wait."""

    def __init__(self, requests_per_minute: int | None, tokens_per_minute: int | None, now: float) -> None:
        self._requests = Bucket(requests_per_minute, now) if requests_per_minute else None
        self._tokens = Bucket(tokens_per_minute, now) if tokens_per_minute else None
        self._paused_until = now

    def wait(self, tokens: int, now: float) -> float:
        """Seconds until a request of so many tokens may go out."""
        waits = [self._paused_until - now]
        if self._requests:
            waits.append(self._requests.wait(1, now))
        if self._tokens:
            waits.append(self._tokens.wait(tokens, now))
        return max(0.0, *waits)

    def take(self, tokens: int) -> None:
        """One goes out."""
        if self._requests:
            self._requests.take(1)
        if self._tokens:
            self._tokens.take(tokens)

    def pause(self, until: float) -> None:
        """Nothing goes out before that moment."""
        self._paused_until = max(self._paused_until, until)


# What an answer says


def text_of(answer: Any) -> Text:
    """The text in the body of a 200; FAILED by name where it has none."""
    try:
        choice = answer["choices"][0]
        message = choice["message"] if "message" in choice else {"content": choice["text"]}
        content, refusal, finish = message.get("content"), message.get("refusal"), choice.get("finish_reason")
        usage = answer.get("usage") or {}
        tokens, prompt_tokens = usage.get("completion_tokens"), usage.get("prompt_tokens")
    except (AttributeError, LookupError, TypeError):
        return Text("", Finish.FAILED, 0, error="the answer has no choices[0].message.content, as OpenAI's API has")
    tokens = tokens if isinstance(tokens, int) else 0
    prompt_tokens = prompt_tokens if isinstance(prompt_tokens, int) else None
    if finish in ("stop", "length") and isinstance(content, str):
        # JSON can spell halves of a character, which no database takes.
        return Text(content.encode(errors="replace").decode(), Finish(finish), tokens, prompt_tokens)
    if finish not in ("stop", "length"):
        why = f"the answer ended with finish_reason {_short(str(finish))}, neither stop nor length"
    elif refusal:
        why = f"the model refused: {_short(str(refusal))}"
    else:
        why = f"the answer has no text, but finish_reason {finish}"
    return Text("", Finish.FAILED, tokens, prompt_tokens, why)


def complaint_of(body: str) -> tuple[str, str]:
    """Message and code of a refusal, in any of the forms that servers use; empty where it has none.

    What is said of a wrong key is left out: it may quote half of it.
    """
    try:
        answer = json.loads(body)
    except ValueError:
        return _short(body), ""
    error = answer.get("error", answer) if isinstance(answer, dict) else answer
    if not isinstance(error, dict):
        return _short(str(error)), ""
    message = error.get("message") or error.get("detail") or body
    code = NO_CREDIT if NO_CREDIT in (error.get("code"), error.get("type")) else error.get("code")
    metadata = error.get("metadata")
    if isinstance(metadata, dict) and FLAGGED in metadata:  # OpenRouter's 403 for a prompt that was moderated
        code = FLAGGED
    return "" if code == WRONG_KEY else _short(str(message)), str(code or "")


def tokens_of(prompt: Mapping[str, Any]) -> int:
    """About how many tokens a prompt has, rather too many than too few: one for 3 bytes of UTF-8, and 4 a message.

    English has about 4 bytes to a token, Chinese 3 to 5. Raises UnicodeEncodeError if it cannot be sent.
    """
    messages: list[dict[str, str]] = prompt.get("messages", [{"content": prompt.get("prompt", "")}])
    return sum(4 + math.ceil(len(message["content"].encode()) / 3) for message in messages)


def _short(message: str) -> str:
    line = " ".join(message.split())
    return line if len(line) <= LONGEST_COMPLAINT else line[:LONGEST_COMPLAINT] + "…"


# Sending


@dataclass(frozen=True, slots=True)
class _Read:
    """A prompt as it is sent, and about how many tokens it has."""

    path: str
    body: dict[str, Any]
    tokens: int


@dataclass(slots=True, eq=False)
class _Ask:
    """A row on its way: how often it was tried and how long it waited between. Beside `row`, the event loop's own."""

    row: Row
    order: tuple[bool, int]
    attempts: int = 0
    waited_seconds: float = 0.0
    wanted: bool = True
    task: "asyncio.Task[None] | None" = None

    @property
    def read(self) -> _Read:
        read: _Read = self.row.prompt.data
        return read

    @property
    def tokens(self) -> int:
        return self.read.tokens + self.row.request.sampling.max_tokens


class _Endpoint:
    """Where requests go, and what its answers mean. The key goes into one header and into nothing that is told."""

    def __init__(self, base_url: str, model: str, api_key: str, concurrency: int, timeout_seconds: float) -> None:
        self._base_url = _checked(base_url)
        self._model = model
        self._api_key = _sendable(api_key)
        self._timeout_seconds = timeout_seconds
        try:
            self.client = httpx2.AsyncClient(
                headers={"Authorization": f"Bearer {self._api_key}"} if self._api_key else {},
                timeout=httpx2.Timeout(None, connect=min(CONNECT_SECONDS, timeout_seconds)),
                limits=httpx2.Limits(max_connections=concurrency, max_keepalive_connections=concurrency),
            )
        except (ImportError, ValueError) as error:
            raise ConfigurationError(f"HTTP_PROXY, HTTPS_PROXY or ALL_PROXY cannot be used: {error}") from error

    async def ask(self, row: Row) -> Text | Fault:
        """One attempt, of `timeout_seconds` at most."""
        read: _Read = row.prompt.data
        url = self._base_url.copy_with(path=self._base_url.path.rstrip("/") + read.path)
        try:
            async with asyncio.timeout(self._timeout_seconds):
                response = await self.client.post(url, json=self._body(row, read))
            return self._read(response, url)
        except TimeoutError:
            return Fault(
                f"{_shown(url)} did not answer within {self._timeout_seconds:g} s: raise "
                "COPYDESK_OPENAI__TIMEOUT_SECONDS or lower COPYDESK_SAMPLING__MAX_TOKENS"
            )
        except httpx2.TransportError as error:
            return Fault(
                f"{_shown(url)} gave no answer ({said(error)}): check COPYDESK_OPENAI__BASE_URL, and that the server "
                "runs"
            )
        except Exception as error:  # the row is owed an answer
            log.warning("asking %s failed", _shown(url), exc_info=True)
            return Text("", Finish.FAILED, 0, error=f"asking {_shown(url)} failed: {said(error)}")

    def _body(self, row: Row, read: _Read) -> dict[str, Any]:
        sampling = row.request.sampling
        chosen = {
            "max_tokens": sampling.max_tokens,
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "seed": None if sampling.seed is None else row.seed,
        }
        given = {name: value for name, value in chosen.items() if value is not None}
        return {"model": self._model, **read.body, **given, "stream": False}

    def _read(self, response: httpx2.Response, url: httpx2.URL) -> Text | Fault:
        if response.status_code != httpx2.codes.OK:
            return self._refused(response, url)
        try:
            answer = response.json()
        except ValueError:
            why = f"{_shown(url)} answered 200, but not in JSON: check COPYDESK_OPENAI__BASE_URL, and any proxy"
            return Text("", Finish.UNAVAILABLE, 0, error=why)
        if isinstance(answer, dict) and answer.get("error"):  # as some gateways do
            message, code = complaint_of(self._blanked(response.text))
            status = int(code) if code.isdecimal() else response.status_code
            why = f"{_shown(url)} answered 200 and an error: {message or code}{self._remedy(status, code)}"
            return Fault(why, status, code)
        return text_of(answer)

    def _refused(self, response: httpx2.Response, url: httpx2.URL) -> Fault:
        status = response.status_code
        message, code = complaint_of(self._blanked(response.text))
        answered = f"{_shown(url)} answered {status} {response.reason_phrase}".rstrip()
        if message and status != httpx2.codes.UNAUTHORIZED:  # which may quote half of the key
            answered = f"{answered}: {message}"
        told = told_seconds(response.headers, datetime.now(UTC))
        return Fault(answered + self._remedy(status, code), status, code, told)

    def _remedy(self, status: int, code: str) -> str:
        remedies = {
            401: f"; check {OPENAI_KEY}",
            402: "; the account has no credit",
            403: f"; check what {OPENAI_KEY} may do",
            404: f"; check COPYDESK_OPENAI__BASE_URL, and that it has the model {self._model}",
        }
        return "" if code in CODES_ABOUT_THE_REQUEST else remedies.get(MEANT.get(code, status), "")

    def _blanked(self, body: str) -> str:
        """Without the key, which servers like to quote when they refuse it."""
        return body.replace(self._api_key, "***") if len(self._api_key) >= SHORTEST_SECRET else body


class _Traffic:
    """Which request goes out when. Everything runs in the event loop, and nothing but `ended` leaves it."""

    def __init__(
        self,
        endpoint: _Endpoint,
        pace: Pace,
        concurrency: int,
        patience: Patience,
        draw: Callable[[], float],
        ended: Callable[[_Ask, Text], None],
    ) -> None:
        self._endpoint = endpoint
        self._pace = pace
        self._concurrency = concurrency
        self._patience = patience
        self._draw = draw
        self._ended = ended
        self._queue: list[tuple[tuple[bool, int], _Ask]] = []  # a heap
        self._sending: set[asyncio.Task[None]] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._stopped = asyncio.Event()

    async def run(self) -> None:
        """Until stop(); what is under way is cut off then."""
        async with self._endpoint.client:
            await self._stopped.wait()
            for task in self._sending:
                task.cancel()
            await asyncio.gather(*self._sending, return_exceptions=True)

    def stop(self) -> None:
        self._stopped.set()

    def put(self, ask: _Ask) -> None:
        heapq.heappush(self._queue, (ask.order, ask))
        self._pump()

    def drop(self, ask: _Ask) -> None:
        """It is not sent any more, and its connection is closed if it was."""
        ask.wanted = False
        if ask.task is not None:
            ask.task.cancel()

    def _pump(self) -> None:
        """Send what may go out now; come back when the next one may."""
        while self._queue and len(self._sending) < self._concurrency and not self._stopped.is_set():
            ask = self._queue[0][1]
            if ask.wanted:
                seconds = self._pace.wait(ask.tokens, time.monotonic())
                if seconds > 0:
                    self._pump_in(seconds)
                    return
                self._start(ask)
            heapq.heappop(self._queue)

    def _pump_in(self, seconds: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(seconds, self._pump)

    def _start(self, ask: _Ask) -> None:
        self._pace.take(ask.tokens)
        ask.attempts += 1
        ask.task = asyncio.create_task(self._send(ask))
        self._sending.add(ask.task)
        ask.task.add_done_callback(self._sent)

    def _sent(self, task: "asyncio.Task[None]") -> None:
        self._sending.discard(task)
        self._pump()

    async def _send(self, ask: _Ask) -> None:
        outcome = await self._endpoint.ask(ask.row)
        if isinstance(outcome, Fault):
            self._try_again_or_give_up(ask, outcome)
        else:
            self._ended(ask, outcome)

    def _try_again_or_give_up(self, ask: _Ask, fault: Fault) -> None:
        seconds = retry_in(fault, ask.attempts, ask.waited_seconds, self._patience, self._draw())
        if seconds is None:
            self._ended(ask, Text("", finish_of(fault), 0, error=fault.why + _given_up(fault, ask.attempts)))
            return
        log.info("attempt %d of request %s: %s; again in %.1f s", ask.attempts, ask.row.request.id, fault.why, seconds)
        ask.waited_seconds += seconds
        if fault.status == httpx2.codes.TOO_MANY_REQUESTS:  # it was said to one of us and is meant for all
            self._pace.pause(time.monotonic() + seconds)
            self.put(ask)
        else:
            asyncio.get_running_loop().call_later(seconds, self.put, ask)


def _given_up(fault: Fault, attempts: int) -> str:
    told = f"; the server said to wait {fault.told_seconds:.0f} s" if fault.told_seconds else ""
    return told + (f"; given up after {attempts} attempts" if attempts > 1 else "")


def _checked(base_url: str) -> httpx2.URL:
    try:
        url = httpx2.URL(base_url)
    except (httpx2.InvalidURL, ValueError):
        url = httpx2.URL("")
    if url.scheme not in ("http", "https") or not url.host or url.userinfo:
        raise ConfigurationError(
            "COPYDESK_OPENAI__BASE_URL is not the URL of an endpoint: write http://host:port/v1 or "
            f"https://host/v1, and a key into {OPENAI_KEY}"
        )
    return url


def _sendable(api_key: str) -> str:
    key = api_key.strip()
    if not re.fullmatch(r"[!-~]*", key):
        raise ConfigurationError(
            f"{OPENAI_KEY} holds blanks or characters that are not ASCII, as no key does: copy it again"
        )
    return key


def _shown(url: httpx2.URL) -> str:
    """A URL without its query, which may hold a secret."""
    return str(url.copy_with(query=None))


class OpenAIBackend:
    """See `copydesk.engine.backend.Backend`. Every row is one HTTP request.

    Args:
        base_url: up to and with /v1, as a rule; a query is kept.
        model: as the endpoint calls it.
        api_key: may be empty.
        concurrency: HTTP requests under way at most, those for replies included; those go first.
        requests_per_minute, tokens_per_minute: what is sent at most; tokens are estimated (see tokens_of), and a
            request's max_tokens counts in full.
        timeout_seconds: for one attempt, from connecting to the last byte.
        patience: how often a request is tried.
        draw: the jitter's draws, from 0 to 1.

    Raises:
        ConfigurationError: the URL or the key cannot be one.
    """

    static = False
    width_beside_replies = None
    capacity_tokens = None

    def __init__(
        self,
        *,
        base_url: str,
        model: str,
        api_key: str = "",
        concurrency: int = 16,
        requests_per_minute: int | None = None,
        tokens_per_minute: int | None = None,
        timeout_seconds: float = 120.0,
        patience: Patience | None = None,
        draw: Callable[[], float] = random.random,
    ) -> None:
        logging.getLogger("httpx2").setLevel(logging.WARNING)  # at INFO it logs every request
        self.model = model
        self.width = concurrency
        self._numbers = itertools.count()
        self._asks: dict[Row, _Ask] = {}
        self._results: SimpleQueue[tuple[_Ask, Text]] = SimpleQueue()
        self._traffic = _Traffic(
            _Endpoint(base_url, model, api_key, concurrency, timeout_seconds),
            Pace(requests_per_minute, tokens_per_minute, time.monotonic()),
            concurrency,
            patience or Patience(),
            draw,
            lambda ask, text: self._results.put((ask, text)),
        )
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="copydesk-openai", daemon=True)
        self._thread.start()

    def read(self, request: Request) -> Prompt:
        """Its tokens are counted by the server, with the answer."""
        if request.messages:
            messages = [{"role": message.role, "content": message.content} for message in request.messages]
            path, body = "/chat/completions", {"messages": messages}
            return Prompt(0, _Read(path, body, tokens_of(body)), apart=True)
        plain = {"prompt": request.plain}
        return Prompt(0, _Read("/completions", plain, tokens_of(plain)), apart=True)

    def add(self, row: Row) -> None:
        """It is sent as soon as concurrency and limits allow."""
        ask = _Ask(row, (row.request.lane is not Lane.REPLIES, next(self._numbers)))
        self._asks[row] = ask
        self._in_loop(self._traffic.put, ask)

    def remove(self, row: Row) -> None:
        self._in_loop(self._traffic.drop, self._asks.pop(row))

    def step(self, tick: Tick) -> list[tuple[Row, Text]]:  # noqa: ARG002
        """What was answered; after 50 ms nothing."""
        ended = []
        with suppress(Empty):
            ended.append(self._results.get(timeout=LONGEST_STEP_SECONDS))
            while True:
                ended.append(self._results.get_nowait())
        wanted = [(ask.row, text) for ask, text in ended if self._asks.get(ask.row) is ask]
        for row, _ in wanted:
            del self._asks[row]
        return wanted

    def close(self) -> None:
        """Cuts off what is under way. May be called twice, and from another thread."""
        self._in_loop(self._traffic.stop)
        self._thread.join(CLOSE_SECONDS)

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._traffic.run())

    def _in_loop(self, callback: Callable[..., None], *args: Any) -> None:
        with suppress(RuntimeError):  # closed: nobody waits for what becomes of it
            self._loop.call_soon_threadsafe(callback, *args)
