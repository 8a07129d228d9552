"""OpenAI's Batch format: lines of chat requests in, lines of chat completions out.

What a request says and we cannot do is refused, line by line, never passed over: the answer would be to another
question.
"""

import codecs
import json
from collections.abc import Callable, Iterator, Mapping
from typing import Annotated, Any, BinaryIO, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from copydesk.engine.base import Message
from copydesk.jobs.batch import Chat
from copydesk.model import Reason
from copydesk.settings import Sampling, Settings
from copydesk.store.batches import Answer, Line
from producer.catalog.records import is_well_formed

MAX_LINE_BYTES = 4 << 20
MESSAGE_CHARACTERS = 1000

URL = "/v1/chat/completions"

CHANGES_NOTHING = frozenset(
    {"user", "metadata", "store", "service_tier", "prompt_cache_key", "prompt_cache_retention", "safety_identifier"}
)
"""Fields for OpenAI's own books."""

CHANGES_NOTHING_AS: Mapping[str, Any] = {
    "stream": False,
    "logprobs": False,
    "top_logprobs": 0,
    "tools": [],
    "tool_choice": "none",
    "functions": [],
    "stop": [],
    "logit_bias": {},
    "frequency_penalty": 0,
    "presence_penalty": 0,
    "modalities": ["text"],
    "response_format": {"type": "text"},
}
"""Fields that we cannot follow, and with which value there is nothing to follow."""


class _Refused(Exception):
    def __init__(self, why: str, code: str = "invalid_request") -> None:
        super().__init__(why)
        self.code = code


def _text(content: Any) -> str:
    """A message's content, its text parts joined."""
    parts = content if isinstance(content, list) else [{"type": "text", "text": content}]
    texts = [part.get("text") if isinstance(part, dict) and part.get("type") == "text" else None for part in parts]
    if not parts or not all(isinstance(text, str) and is_well_formed(text) for text in texts):
        raise ValueError("is not text")
    return "".join(map(str, texts))


def _without_nulls(turns: Any) -> Any:
    """Clients write null for what an earlier answer did not have: refusal, tool_calls, audio."""
    if not isinstance(turns, list):
        return turns
    return tuple(
        {name: part for name, part in turn.items() if part is not None or name == "content"}
        if isinstance(turn, dict)
        else turn
        for turn in turns
    )


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class _Turn(_Strict):
    role: Literal["system", "developer", "user", "assistant"]
    content: Annotated[str, BeforeValidator(_text)]


class _Body(_Strict):
    messages: Annotated[tuple[_Turn, ...], BeforeValidator(_without_nulls), Field(min_length=1)]
    n: Annotated[int, Field(ge=1, le=16)] = 1


def read(stream: BinaryIO, settings: Settings, hear: Callable[[bytes], None]) -> Iterator[Line]:
    """What each line asks, or why it cannot be answered; blank lines are passed over. `hear` is told every byte.

    The custom_ids of all lines are kept in memory, nothing else is.
    """
    lines_of: dict[str, int] = {}
    for number, raw in enumerate(_raw_lines(stream, hear), start=1):
        line = raw.removeprefix(codecs.BOM_UTF8) if number == 1 else raw
        if line.strip():
            yield _line(number, line, settings, lines_of)


def _raw_lines(stream: BinaryIO, hear: Callable[[bytes], None]) -> Iterator[bytes]:
    """Lines, of which the too long ones are a little longer than MAX_LINE_BYTES."""
    while raw := stream.readline(MAX_LINE_BYTES + 1):
        hear(raw)
        rest = raw
        while rest and not rest.endswith(b"\n"):
            rest = stream.readline(MAX_LINE_BYTES)
            hear(rest)
        yield raw


def _line(number: int, raw: bytes, settings: Settings, lines_of: dict[str, int]) -> Line:
    custom_id = None
    try:
        request = _parsed(raw)
        custom_id = _custom_id(request)
        earlier = lines_of.setdefault(custom_id, number)
        if earlier != number:
            raise _Refused(f"custom_id {custom_id!r} stands on line {earlier} already")
        chat = _chat(request, settings)
    except _Refused as refused:
        return Line(number, custom_id, error=Reason(refused.code, f"line {number}: {_quotable(str(refused))}"))
    return Line(number, custom_id, chat.as_json())


def _quotable(why: str) -> str:
    """It may quote names and values of any length, and half a surrogate pair in them."""
    return why[:MESSAGE_CHARACTERS].encode("utf-8", "backslashreplace").decode()


def _parsed(raw: bytes) -> dict[str, Any]:
    if len(raw) > MAX_LINE_BYTES:
        raise _Refused(f"it is longer than {MAX_LINE_BYTES >> 20} MiB")
    try:
        request = json.loads(raw.decode(), parse_constant=_refuse_constant)
    except UnicodeDecodeError as error:
        raise _Refused("it is not UTF-8") from error
    except (ValueError, RecursionError) as error:
        raise _Refused(f"it is not JSON ({error})") from error
    if not isinstance(request, dict):
        raise _Refused("it is not a JSON object")
    return request


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _custom_id(request: Mapping[str, Any]) -> str:
    custom_id = request.get("custom_id")
    if not isinstance(custom_id, str) or not custom_id:
        raise _Refused("it has no custom_id: give every request one of its own")
    if not is_well_formed(custom_id) or "\0" in custom_id:
        raise _Refused("its custom_id is not text")
    return custom_id


def _chat(request: Mapping[str, Any], settings: Settings) -> Chat:
    if request.get("method") != "POST":
        raise _Refused(f"method is {request.get('method')!r}: write POST")
    if request.get("url") != URL:
        raise _Refused(f"url is {request.get('url')!r}: only {URL} is answered")
    body = request.get("body")
    if not isinstance(body, dict):
        raise _Refused("body is not an object")
    model = body.get("model")
    if model is not None and model != settings.model:
        raise _Refused(
            f"it asks for model {model!r}, and the settings name {settings.model!r}: set COPYDESK_MODEL, or leave "
            "model out",
            "model_not_found",
        )
    matters = {name: value for name, value in body.items() if name != "model" and _matters(name, value)}
    return _understood(matters, settings)


def _matters(name: str, value: Any) -> bool:
    if value is None or name in CHANGES_NOTHING:
        return False
    return name not in CHANGES_NOTHING_AS or value != CHANGES_NOTHING_AS[name]


def _understood(body: dict[str, Any], settings: Settings) -> Chat:
    limits = [body.pop(name) for name in ("max_completion_tokens", "max_tokens") if name in body]
    given = {name: body.pop(name) for name in Sampling.model_fields if name in body}
    if limits:
        given["max_tokens"] = limits[0]
    try:
        asked = _Body.model_validate(body)
        sampling = Sampling.model_validate({**settings.sampling.model_dump(), **given}, strict=True)
    except ValidationError as error:
        raise _Refused("; ".join(map(_said, error.errors()))) from error
    roles = {"developer": "system"}
    turns = tuple(Message(roles.get(turn.role, turn.role), turn.content) for turn in asked.messages)
    return Chat(turns, sampling, asked.n)


def _said(error: Any) -> str:
    name = ".".join(map(str, error["loc"]))
    if error["type"] == "extra_forbidden":
        return f"{name} is not supported"
    return f"{name}: {error['msg'].removeprefix('Value error, ')}"


def line(run: int, answer: Answer) -> str:
    """One line of the output file; the same for the same answer, however often it is written."""
    place = f"{run}-{answer.number}"
    response = error = None
    if answer.error:
        error = {"code": answer.error.code.replace(".", "_"), "message": answer.error.message}
    else:
        response = {"status_code": 200, "request_id": f"req-{place}", "body": _body(place, answer)}
    whole = {"id": f"batch_req-{place}", "custom_id": answer.custom_id, "response": response, "error": error}
    return json.dumps(whole, ensure_ascii=False)


def _body(place: str, answer: Answer) -> dict[str, Any]:
    return {
        "id": f"chatcmpl-{place}",
        "object": "chat.completion",
        "created": int(answer.answered_at.timestamp()) if answer.answered_at else 0,
        "model": answer.model,
        "choices": [
            {
                "index": index,
                "message": {"role": "assistant", "content": choice["text"]},
                "logprobs": None,
                "finish_reason": choice["finish"],
            }
            for index, choice in enumerate(answer.choices)
        ],
        "usage": {
            "prompt_tokens": answer.prompt_tokens,
            "completion_tokens": answer.completion_tokens,
            "total_tokens": answer.prompt_tokens + answer.completion_tokens,
        },
    }
