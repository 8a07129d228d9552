"""Our own JSON lines: `sku, title, attributes{}, description, category, brand, locale`; numbers are kept as written."""

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

from copydesk.model import Dialect, TextFormat
from producer.catalog.facts import FactSheet, Keys
from producer.catalog.items import Item, Level, Problem
from producer.catalog.records import MAX_CELL, TOO_LARGE, UNDECODABLE, Fault, is_well_formed, shown
from producer.catalog.text import language_of_locale, language_of_text

_TEXTS = ("sku", "title", "description", "category", "brand", "locale")
_FACTS = frozenset({"attributes", "category", "brand"})
_LABELS = ("structured_description", "AIGC")  # what our export says of text that a machine wrote
_KNOWN = frozenset({*_TEXTS, "attributes", *_LABELS})
_SCALARS = (str, bool, type(None))


class _Refused(Exception):
    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.message)
        self.fault = fault


def read(lines: Iterable[tuple[int, str, Fault | None]]) -> Iterator[Item]:
    """The product, the text update (no key of facts) or the problem of every line."""
    keys = Keys()
    told = False
    for line, text, fault in lines:
        record: dict[str, Any] = {}
        try:
            if fault:
                raise _Refused(fault)
            record = _parse(text)
            _check(record, text)
        except _Refused as refused:
            yield Problem(line, _known_sku(record), Level.ERROR, refused.fault.code, refused.fault.message)
            continue
        if not told and (unknown := record.keys() - _KNOWN):
            told = True
            message = f"keys not understood, and not used: {shown(', '.join(sorted(unknown)))}"
            yield Problem(line, _known_sku(record), Level.WARNING, "columns.unknown", message)
        yield from _items(line, record, keys)


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


_NUL = re.compile(r"(?<!\\)((?:\\\\)*)\\u0000")
"""U+0000 as JSON escapes it, which no database stores; a backslash that is itself escaped begins no such escape."""

_DECODER = json.JSONDecoder(parse_float=str, parse_int=str, parse_constant=_refuse_constant)


def _parse(text: str) -> dict[str, Any]:
    try:
        record = _DECODER.decode(_NUL.sub(r"\1", text) if "\\u0000" in text else text)
    except (ValueError, RecursionError) as error:
        raise _invalid(f"not valid JSON ({error}): write one object per line") from error
    if not isinstance(record, dict):
        raise _invalid("not a JSON object: write one object per line")
    return record


def _check(record: dict[str, Any], text: str) -> None:
    for name in _TEXTS:
        if not isinstance(record.get(name) or "", str):
            raise _invalid(f"{name!r} is not a text: write a string")
    attributes = record.get("attributes") or {}
    if not isinstance(attributes, dict):
        raise _invalid("'attributes' is not an object: write names and values")
    for name, value in attributes.items():
        if not (isinstance(value, _SCALARS) or all(isinstance(part, _SCALARS) for part in _parts(value))):
            raise _invalid(f"attribute {name!r} is nested: write a string, a number, true, false or a list of those")
    # What the line itself is checked for already can only come back by an escape.
    if len(text) > MAX_CELL or "\\u" in text:
        _check_texts(record)


def _check_texts(record: dict[str, Any]) -> None:
    attributes = record.get("attributes") or {}
    values = [part for value in attributes.values() for part in _parts(value) if isinstance(part, str)]
    texts = [*attributes, *values, *(record.get(name) or "" for name in _TEXTS)]
    if any(len(text) > MAX_CELL for text in texts):
        raise _Refused(TOO_LARGE)
    if not all(map(is_well_formed, texts)):
        raise _Refused(UNDECODABLE)


def _items(line: int, record: dict[str, Any], keys: Keys) -> Iterator[Item]:
    sku, title = (record.get("sku") or "").strip(), record.get("title") or ""
    if refusal := keys.admit(line, sku, title):
        yield refusal
        return
    sheet = FactSheet(line, sku)
    sheet.title = sheet.clean("title", title)
    if _FACTS.isdisjoint(record):
        yield from sheet.text_update(record.get("description"), TextFormat.PLAIN, Dialect.JSONL)
        return
    sheet.brand = sheet.clean("brand", record.get("brand") or "")
    sheet.category = sheet.clean("category", record.get("category") or "")
    description, locale = record.get("description") or "", record.get("locale") or ""
    yes, no = ("是", "否") if (language_of_locale(locale) or language_of_text(title)) == "zh" else ("yes", "no")
    for name, value in (record.get("attributes") or {}).items():
        if isinstance(value, str):
            sheet.add(name, value)
        else:
            said = [(yes if part else no) if isinstance(part, bool) else part or "" for part in _parts(value)]
            sheet.add_joined(name, said)
    yield from sheet.product(description, TextFormat.PLAIN, Dialect.JSONL, {"title": title}, locale)


def _parts(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _known_sku(record: dict[str, Any]) -> str:
    sku = record.get("sku")
    return shown(sku.strip()) if isinstance(sku, str) else ""


def _invalid(message: str) -> _Refused:
    return _Refused(Fault("json.invalid", message))
