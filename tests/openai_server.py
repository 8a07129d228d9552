"""An OpenAI-compatible endpoint for tests: real HTTP, a made-up model, faults to order, and a record of what came in.

A word is a token; a Chinese character too. What it says depends on the messages, the seed and the temperature alone. It
misbehaves once for each answer in `Endpoint.prepared`, and always where the prompt holds a marker such as
`[[openai:cut]]`; see MARKED. It never sleeps: what it holds back, it holds until `Endpoint.release` is set.
"""

import hashlib
import json
import re
import socket
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

TOKEN = re.compile(r"[\u3400-\u9fff]|[^\s\u3400-\u9fff]+")
WORDS = ["good", "plain", "kettle", "of", "steel", "keeps", "water", "hot", "for", "every", "table", "☕", "café", "🫖"]
WORDS_ZH = [*"这款水壶样子朴素用来简单放在家里都很自然。，", "👨‍👩‍👧"]
HAN = re.compile(r"[\u3400-\u9fff]")
MARKER = re.compile(r"(?:\[\[|\(\()openai:(\w+)(?:\]\]|\)\))")


@dataclass(frozen=True)
class Answer:
    """What to do with one request; as it stands, answer it."""

    status: int = 200
    body: Any = None  # instead of a text; bytes are sent as they are
    headers: dict[str, str] = field(default_factory=dict)
    changes: dict[str, Any] = field(default_factory=dict)  # to the answer's first choice
    hold: bool = False  # until Endpoint.release is set
    cut: bool = False  # close the connection in the middle of the body


def refusal(status: int, message: str = "no", code: str | None = None, **headers: str) -> Answer:
    """An error as OpenAI words it; underscores in the names of headers become dashes."""
    error = {"message": message, "type": code or "error", "param": None, "code": code}
    return Answer(status, {"error": error}, {name.replace("_", "-"): value for name, value in headers.items()})


MARKED = {
    "hold": Answer(hold=True),
    "cut": Answer(cut=True),
    "garbage": Answer(body=b"<html>not JSON"),
    "filter": Answer(changes={"finish_reason": "content_filter"}),
    "null": Answer(changes={"message": {"role": "assistant", "content": None}}),
    "refused": refusal(400, "the prompt is not to our liking"),
    "limit": refusal(429, "slow down", retry_after="3600"),
    "broken": refusal(500, "the server is broken"),
}


@dataclass(frozen=True)
class Received:
    """One request as it came in, `at` by time.monotonic()."""

    path: str
    headers: dict[str, str]  # by their names in lower case
    body: dict[str, Any]
    at: float


class Endpoint:
    """A running server; `url` is its base URL."""

    def __init__(self, api_key: str, context: int) -> None:
        self.api_key = api_key
        self.context = context
        self.prepared: deque[Answer] = deque()
        self.received: list[Received] = []
        self.most_in_flight = 0
        self.release = threading.Event()
        self._in_flight = 0
        self._changed = threading.Condition()
        self._connections: set[socket.socket] = set()
        self._server = _Server(self)
        self.url = f"http://127.0.0.1:{self._server.server_port}/v1"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()

    def wait_for(self, count: int, seconds: float = 30) -> None:
        """Until so many requests came in."""
        with self._changed:
            came = self._changed.wait_for(lambda: len(self.received) >= count, seconds)
        assert came, f"{len(self.received)} requests instead of {count}"

    def wait_for_connections(self, count: int, seconds: float = 30) -> None:
        """Until no more than so many connections are open."""
        with self._changed:
            closed = self._changed.wait_for(lambda: len(self._connections) <= count, seconds)
        assert closed, f"{len(self._connections)} connections are open"

    def close(self) -> None:
        """Cut every connection and wait for all threads."""
        self.release.set()
        self._server.shutdown()
        self._thread.join()
        with self._changed:
            for connection in self._connections:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
        self._server.server_close()

    # The handlers' threads

    def came_in(self, received: Received) -> Answer:
        """What to do with it."""
        with self._changed:
            self.received.append(received)
            self._in_flight += 1
            self.most_in_flight = max(self.most_in_flight, self._in_flight)
            self._changed.notify_all()
            prepared = self.prepared.popleft() if self.prepared else None
        if self.api_key and received.headers.get("authorization") != f"Bearer {self.api_key}":
            return refusal(401, f"Incorrect API key provided: {received.headers.get('authorization')}")
        marker = MARKER.search(json.dumps(received.body))
        return prepared or (MARKED[marker[1]] if marker else Answer())

    def goes_out(self) -> None:
        with self._changed:
            self._in_flight -= 1

    def opened(self, connection: socket.socket) -> None:
        with self._changed:
            self._connections.add(connection)

    def closed(self, connection: socket.socket) -> None:
        with self._changed:
            self._connections.discard(connection)
            self._changed.notify_all()


@contextmanager
def serve(api_key: str = "", context: int = 1024) -> Iterator[Endpoint]:
    """An endpoint that wants this key, if any, and refuses what is longer than its context."""
    endpoint = Endpoint(api_key, context)
    try:
        yield endpoint
    finally:
        endpoint.close()


def tokens(body: dict[str, Any]) -> int:
    return sum(len(TOKEN.findall(text)) for text in _said(body))


def text(body: dict[str, Any]) -> tuple[list[str], str]:
    """The words that answer a request, cut at its max_tokens, and what joins them."""
    seed = None if body.get("temperature") == 0 else body.get("seed")
    said = _said(body)
    digest = hashlib.sha256(repr((said, seed, body.get("temperature"))).encode()).digest()
    chinese = bool(HAN.search(said[-1]))
    vocabulary = WORDS_ZH if chinese else WORDS
    words = [vocabulary[byte % len(vocabulary)] for byte in digest[: 12 + digest[0] % 20]]
    return ["水壶" if chinese else "This", *words], "" if chinese else " "


def _said(body: dict[str, Any]) -> list[str]:
    return [message["content"] for message in body["messages"]] if "messages" in body else [body["prompt"]]


def _completion(path: str, body: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    words, joint = text(body)
    limit = body.get("max_tokens", 16)
    said = joint.join(words[:limit])
    chat = path.endswith("/chat/completions")
    spoken = {"message": {"role": "assistant", "content": said}} if chat else {"text": said}
    finish = "length" if len(words) > limit else "stop"
    count = body.get("n", 1)
    choices = [{"index": index, **spoken, "finish_reason": finish} for index in range(count)]
    choices[0] |= changes
    sizes = {"prompt_tokens": tokens(body), "completion_tokens": min(limit, len(words)) * count}
    usage = {**sizes, "total_tokens": sum(sizes.values())}
    return {"id": "1", "object": "chat.completion", "model": body["model"], "choices": choices, "usage": usage}


class _Server(ThreadingHTTPServer):
    daemon_threads = False  # so that server_close() joins them
    request_queue_size = 128

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        super().__init__(("127.0.0.1", 0), _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        self.endpoint.opened(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        super().shutdown_request(request)
        self.endpoint.closed(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is no error."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server
    wbufsize = -1  # head and body in one packet
    disable_nagle_algorithm = True

    def do_POST(self) -> None:
        endpoint = self.server.endpoint
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        headers = {name.lower(): value for name, value in self.headers.items()}
        answer = endpoint.came_in(Received(self.path, headers, body, time.monotonic()))
        try:
            if answer.hold:
                endpoint.release.wait()
            status, payload = self._payload(answer, body)
        finally:
            endpoint.goes_out()
        self._send(status, payload, answer)

    def log_message(self, format: str, *args: Any) -> None:
        """Tests print nothing."""

    def _payload(self, answer: Answer, body: dict[str, Any]) -> tuple[int, bytes]:
        endpoint = self.server.endpoint
        wanted = tokens(body) + body.get("max_tokens", 0)
        if answer.body is None and wanted > endpoint.context:
            message = f"This model's maximum context length is {endpoint.context} tokens, you requested {wanted}."
            answer = refusal(400, message, "context_length_exceeded")
        if isinstance(answer.body, bytes):
            return answer.status, answer.body
        said = _completion(self.path, body, answer.changes) if answer.body is None else answer.body
        return answer.status, json.dumps(said).encode()

    def _send(self, status: int, payload: bytes, answer: Answer) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **answer.headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(payload)))
        self.end_headers()
        self.wfile.write(payload[: len(payload) // 2] if answer.cut else payload)
        self.close_connection = self.close_connection or answer.cut
