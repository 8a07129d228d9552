"""What goes over the wire of `copydesk serve`, and the OpenAPI document and page that describe it.

The page is made here and loads nothing from elsewhere.
"""

import html
import json
from collections.abc import Mapping
from importlib.metadata import version
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from pydantic.json_schema import models_json_schema

from copydesk.model import Polarity, Policy, Route, Status
from copydesk.settings import Serve
from copydesk.store.replies import Delivery
from producer.catalog.facts import MAX_SKU
from producer.reviews.making import MAX_ID, MAX_TEXT

MAX_LINE = 500


class ReviewIn(BaseModel):
    """One review as it is brought. The same `review_id` is the same review, edited where it says something else."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    review_id: Annotated[str, Field(min_length=1, max_length=MAX_ID)]
    text: Annotated[str, Field(max_length=MAX_TEXT)] = ""
    title: Annotated[str, Field(max_length=MAX_LINE)] = ""
    rating: Annotated[int, Field(ge=1, le=5)] | None = None
    sku: Annotated[str, Field(max_length=MAX_SKU)] = ""
    reviewer_name: Annotated[str, Field(max_length=MAX_LINE)] = ""
    reviewer_email: Annotated[str, Field(max_length=MAX_LINE)] = ""
    written_at: AwareDatetime | None = None
    reply: Annotated[str | None, Field(max_length=MAX_TEXT)] = None  # that the platform shows already


class Accepted(BaseModel):
    """The review is stored; its reply is under way where `state` is pending."""

    review_id: str
    state: Status | Literal["received"]
    status_url: str


class Why(BaseModel):
    """Why a person is asked, or nobody."""

    code: str
    message: str


class Stands(BaseModel):
    """How a review stands, and the newest reply to what it says now; `received` where there is none."""

    review_id: str
    version: int
    sku: str
    rating: int | None
    language: str
    route: Route
    sentiment: Polarity
    policy: Policy
    state: Status | Literal["received"]
    text: str
    reasons: list[Why]
    delivery: Delivery | None


class Health(BaseModel):
    """Whether what is needed answers. While the broker is away reviews are taken in all the same."""

    status: Literal["ok", "away"]
    database: Literal["ok", "away"]
    broker: Literal["ok", "away"]


class Problem(BaseModel):
    """What is wrong with a request (RFC 9457)."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str


_MODELS = (ReviewIn, Accepted, Stands, Health, Problem)

_STYLE = "body{font:16px/1.5 sans-serif;max-width:48rem;margin:2rem auto;padding:0 1rem}pre{background:#f4f4f4;"
_STYLE += "padding:1rem;overflow:auto}h2{font:bold 1.1rem monospace;border-top:1px solid #ccc;padding-top:1rem}"


def document(serve: Serve) -> dict[str, Any]:
    """The OpenAPI document of the endpoint."""
    _, schemas = models_json_schema(
        [(model, "validation") for model in _MODELS], ref_template="#/components/schemas/{model}"
    )
    keys = {"bearer": {"type": "http", "scheme": "bearer"}, "header": _api_key_header()}
    return {
        "openapi": "3.1.0",
        "info": {"title": "Copydesk", "version": version("copydesk"), "description": _about(serve)},
        "security": [{name: []} for name in keys],
        "paths": {
            "/v1/reviews": {"post": _post()},
            "/v1/reviews/{review_id}": {"get": _get()},
            "/health": {"get": _health()},
        },
        "components": {"schemas": schemas["$defs"], "securitySchemes": keys},
    }


def _about(serve: Serve) -> str:
    return (
        f"Reviews of one shop, by its API key: at most {serve.requests_per_minute:,} requests a minute, of at most "
        f"{serve.max_body_bytes:,} bytes each. Times and texts are UTF-8 JSON; errors are problem documents."
    )


def _api_key_header() -> dict[str, str]:
    return {"type": "apiKey", "in": "header", "name": "X-API-Key"}


def _post() -> dict[str, Any]:
    key = "The same key with another body is refused. Without one, review_id tells that a review came before."
    return {
        "operationId": "postReview",
        "summary": "Take in one review and plan its reply",
        "parameters": [_parameter("Idempotency-Key", "header", key, required=False)],
        "requestBody": {"required": True, "content": _json("ReviewIn")},
        "responses": {
            "202": {"description": "Stored; status_url says what becomes of it", "content": _json("Accepted")},
            **_problems(400, 401, 409, 410, 413, 422, 429, 503),
        },
    }


def _get() -> dict[str, Any]:
    return {
        "operationId": "getReview",
        "summary": "Say how one review stands",
        "parameters": [_parameter("review_id", "path", "As it was posted, percent-encoded.", required=True)],
        "responses": {
            "200": {"description": "The review and its reply", "content": _json("Stands")},
            **_problems(401, 404, 429, 503),
        },
    }


def _health() -> dict[str, Any]:
    return {
        "operationId": "getHealth",
        "summary": "Say whether database and broker answer",
        "security": [],
        "responses": {
            "200": {"description": "Reviews are taken in", "content": _json("Health")},
            "503": {"description": "The database is away", "content": _json("Health")},
        },
    }


def _parameter(name: str, place: str, description: str, *, required: bool) -> dict[str, Any]:
    schema = {"type": "string", "maxLength": MAX_ID}
    return {"name": name, "in": place, "description": description, "required": required, "schema": schema}


def _json(model: str, media_type: str = "application/json") -> dict[str, Any]:
    return {media_type: {"schema": {"$ref": f"#/components/schemas/{model}"}}}


_MEANINGS: Mapping[int, str] = {
    400: "Not JSON, or it broke off",
    401: "No key, or not one of ours",
    404: "No such review",
    409: "The Idempotency-Key came with another body",
    410: "The reviewer asked to be forgotten",
    413: "The body is too large",
    422: "A value is not what it should be; the detail names each",
    429: "Too many requests; Retry-After says how long to wait",
    503: "The database is away; nothing was stored",
}


def _problems(*statuses: int) -> dict[str, Any]:
    content = _json("Problem", "application/problem+json")
    return {str(status): {"description": _MEANINGS[status], "content": content} for status in statuses}


def page(described: Mapping[str, Any]) -> str:
    """The document as a page for people."""
    operations = [
        _operation(method.upper(), path, operation)
        for path, methods in described["paths"].items()
        for method, operation in methods.items()
    ]
    schemas = [f"<h2>{name}</h2>{_pre(schema)}" for name, schema in described["components"]["schemas"].items()]
    info = described["info"]
    head = f"<title>{info['title']}</title><style>{_STYLE}</style>"
    body = f"<h1>{info['title']} {info['version']}</h1><p>{html.escape(info['description'])}</p>"
    more = '<p>As a document: <a href="/openapi.json">/openapi.json</a></p>'
    return f'<!doctype html><html lang="en"><meta charset="utf-8">{head}{body}{more}{"".join([*operations, *schemas])}'


def _operation(method: str, path: str, operation: Mapping[str, Any]) -> str:
    lines = [f"{each['name']} ({each['in']}): {each['description']}" for each in operation.get("parameters", [])]
    lines += [f"{status}: {answer['description']}" for status, answer in operation["responses"].items()]
    listed = "".join(f"<li>{html.escape(line)}</li>" for line in lines)
    return f"<h2>{method} {html.escape(path)}</h2><p>{html.escape(operation['summary'])}</p><ul>{listed}</ul>"


def _pre(schema: Mapping[str, Any]) -> str:
    return f"<pre>{html.escape(json.dumps(schema, indent=2, ensure_ascii=False))}</pre>"
