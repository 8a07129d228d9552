"""WooCommerce's CSV. Units sit in the header; variations follow their parent and name it."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from copydesk.model import Dialect, TextFormat
from producer.catalog.facts import FactSheet, Keys
from producer.catalog.items import Item, Level, Problem
from producer.catalog.records import Row, shown

_PRODUCTS = frozenset({"simple", "variable", "grouped", "external"})

_MEASURE = re.compile(r"(?P<name>weight|length|width|height) \((?P<unit>[^()]+)\)", re.IGNORECASE)
_ATTRIBUTE = re.compile(r"attribute (?P<number>\d+) (?:name|value\(s\))", re.IGNORECASE)
_FACTS = re.compile(rf"{_MEASURE.pattern}|{_ATTRIBUTE.pattern}|categories|tags|brands", re.IGNORECASE)
_UNUSED = re.compile(
    r"id|type|sku|name|description|parent|published|is featured\?|visibility in catalog|short description|gtin.*"
    r"|date sale price (?:starts|ends)|tax (?:status|class)|in stock\?|stock|low stock amount|backorders allowed\?"
    r"|sold individually\?|allow customer reviews\?|purchase note|sale price|regular price|cost of goods|shipping class"
    r"|images|download .*|grouped products|upsells|cross-sells|external url|button text|position|swatches attributes"
    r"|attribute \d+ (?:visible|global|default)|meta: .*|"
)
_NUMBER = re.compile(r"\d+(?:[.,]\d+)?")
# A comma between digits is a decimal comma; WooCommerce escapes commas inside values with a backslash.
_SEPARATOR = re.compile(r"(?<!\\),(?:\s+|(?<!\d,)|(?!\d))")


def is_header(names: Iterable[str]) -> bool:
    """Whether a header is WooCommerce's, or a part of it that is enough."""
    present = {name.casefold() for name in names}
    return "name" in present and not present.isdisjoint({"sku", "id"})


def read(rows: Iterable[Row], names: Sequence[str]) -> Iterator[Item]:
    """The products of a table, or its text updates where no column holds a fact."""
    unknown = [name for name in names if not (_FACTS.fullmatch(name) or _UNUSED.fullmatch(name.casefold()))]
    if unknown:
        message = f"columns not understood, and not used: {shown(', '.join(unknown))}"
        yield Problem(1, "", Level.WARNING, "columns.unknown", message)
    reader = _Reader(names)
    for row in rows:
        yield from reader.take(row)
    yield from reader.flush()


@dataclass
class _Group:
    """One product and the attribute values of the variations that followed it."""

    key: str
    first: Row
    values: dict[str, dict[str, None]] = field(default_factory=dict)

    def is_parent_of(self, row: Row) -> bool:
        parent = row.get("parent").strip()
        return bool(parent) and parent in (self.first.get("sku").strip(), f"id:{self.first.get('id').strip()}")


class _Reader:
    def __init__(self, names: Sequence[str]) -> None:
        present = {name.casefold() for name in names}
        self._measures = [
            (found["name"], found["unit"], found[0].casefold()) for found in map(_MEASURE.fullmatch, names) if found
        ]
        numbers = {int(found["number"]): None for found in map(_ATTRIBUTE.fullmatch, names) if found}
        self._attributes = [(f"attribute {number} name", f"attribute {number} value(s)") for number in numbers]
        self._has_text = "description" in present
        self._has_facts = any(map(_FACTS.fullmatch, names))
        self._keys = Keys()
        self._group: _Group | None = None

    def take(self, row: Row) -> Iterator[Item]:
        kinds = {kind.strip().casefold() for kind in row.get("type").split(",")} - {""} or {"simple"}
        if row.fault:
            yield Problem(row.line, shown(_key(row)), Level.ERROR, row.fault.code, row.fault.message)
        elif "variation" in kinds:
            # One whose parent is elsewhere adds nothing: the parent lists all values itself.
            if self._group and self._group.is_parent_of(row):
                self._add_values(self._group, row)
        else:
            yield from self.flush()
            yield from self._start(row, kinds)

    def flush(self) -> Iterator[Item]:
        group, self._group = self._group, None
        if group:
            yield from self._items(group)

    def _start(self, row: Row, kinds: set[str]) -> Iterator[Problem]:
        key = _key(row)
        if kinds.isdisjoint(_PRODUCTS):
            known = ", ".join(sorted(_PRODUCTS))
            message = f"type {shown(row.get('type'))!r} is not one of {known}: change it or leave the row out"
            yield Problem(row.line, shown(key), Level.ERROR, "type.unsupported", message)
        elif refusal := self._keys.admit(row.line, key, row.get("name")):
            yield refusal
        else:
            self._group = _Group(key, row)
            self._add_values(self._group, row)

    def _add_values(self, group: _Group, row: Row) -> None:
        for name_column, value_column in self._attributes:
            if name := row.get(name_column).strip():
                group.values.setdefault(name, {}).update(dict.fromkeys(_split(row.get(value_column))))

    def _items(self, group: _Group) -> Iterator[Item]:
        first = group.first
        sheet = FactSheet(first.line, group.key)
        sheet.title = sheet.clean("Name", first.get("name"))
        description = first.get("description")
        if not self._has_facts:
            known = description if self._has_text else None
            yield from sheet.text_update(known, TextFormat.HTML, Dialect.WOOCOMMERCE)
            return
        self._collect(sheet, group)
        source = {"ID": first.get("id"), "SKU": first.get("sku"), "Name": first.get("name")}
        yield from sheet.product(description, TextFormat.HTML, Dialect.WOOCOMMERCE, source)

    def _collect(self, sheet: FactSheet, group: _Group) -> None:
        first = group.first
        sheet.brand = sheet.clean("Brands", ", ".join(_split(first.get("brands"))))
        category = next(iter(_split(first.get("categories"))), "")
        sheet.category = sheet.clean("Categories", category.rpartition(">")[2])
        for name, unit, column in self._measures:
            sheet.add(name.capitalize(), _with_unit(first.get(column).strip(), unit))
        sheet.add_joined("Tags", _split(first.get("tags")))
        for name, values in group.values.items():
            sheet.add_joined(name, values)


def _key(row: Row) -> str:
    sku, number = row.get("sku").strip(), row.get("id").strip()
    return sku or (f"id:{number}" if number else "")


def _split(cell: str) -> list[str]:
    parts = (part.replace("\\,", ",").strip() for part in _SEPARATOR.split(cell))
    return [part for part in parts if part]


def _with_unit(value: str, unit: str) -> str:
    """Zero is how a shop says that it does not know."""
    if not _NUMBER.fullmatch(value):
        return value
    return f"{value} {unit}" if value.strip("0.,") else ""
