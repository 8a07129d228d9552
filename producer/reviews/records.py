"""JSON records, a line each or the elements of one list; a broken one is told apart and the next are still read."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from producer.catalog.records import MAX_CELL, TOO_LARGE, UNDECODABLE, Fault, is_well_formed

MAX_DOCUMENT_BYTES = 256 << 20
"""A list is read as a whole; of lines only one at a time."""

LIST = re.compile(r'\s*(?:\[|\{.*?"reviews"\s*:\s*\[)', re.DOTALL)
"""The head of a file that is a list of reviews, or an object with one."""

_BETWEEN = re.compile(r"[\s,]*")
_NEXT = re.compile(r",\s*(?=\{)")  # an object inside a review follows a colon


class Refused(Exception):
    """A record cannot be used."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.message)
        self.fault = fault


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


_DECODER = json.JSONDecoder(parse_float=str, parse_int=str, parse_constant=_refuse_constant)


def elements(document: str) -> Iterator[tuple[int, str, Fault | None]]:
    """Each element of the list that LIST found as (line, JSON, fault)."""
    head = LIST.match(document)
    at = counted = head.end() if head else 0
    line = 1 + document.count("\n", 0, at)
    while at < len(document):
        start = _end_of(_BETWEEN, document, at)
        if document[start : start + 1] in ("]", ""):
            return
        line, counted = line + document.count("\n", counted, start), start
        try:
            _, at = _DECODER.raw_decode(document, start)
            yield line, document[start:at], None
        except (ValueError, RecursionError) as error:
            yield line, "", _not_json(error)
            at = _end_of(_NEXT, document, start)


def parse(text: str) -> dict[str, Any]:
    """The object that a record is; numbers stay as they are written. Raises Refused."""
    try:
        record = json.loads(text, parse_float=str, parse_int=str, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise Refused(_not_json(error)) from error
    if not isinstance(record, dict):
        raise Refused(Fault("json.invalid", "not a JSON object: write one object for each review"))
    return record


def cell(record: Mapping[str, Any], name: str) -> str:
    """A text or number of a record, "" where there is none. Raises Refused."""
    value = record.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise Refused(Fault("json.invalid", f"{name!r} is not a text: write a string"))
    if len(value) > MAX_CELL:
        raise Refused(TOO_LARGE)
    if not is_well_formed(value):
        raise Refused(UNDECODABLE)
    return value


def part(record: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """An object inside a record, empty where there is none. Raises Refused."""
    value = record.get(name) or {}
    if not isinstance(value, dict):
        raise Refused(Fault("json.invalid", f"{name!r} is not an object"))
    return value


def _end_of(pattern: re.Pattern[str], document: str, at: int) -> int:
    found = pattern.search(document, at)
    return found.end() if found else len(document)


def _not_json(error: Exception) -> Fault:
    return Fault("json.invalid", f"not valid JSON ({error}): write one object for each review")
