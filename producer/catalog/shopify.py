"""Shopify's two CSV layouts. One product is a run of rows with one handle; the first has title and text."""

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from copydesk.model import Dialect, TextFormat
from producer.catalog import text
from producer.catalog.facts import FactSheet, Keys
from producer.catalog.items import Item, Level, Problem
from producer.catalog.records import Row, shown

_METAFIELD = re.compile(r"(?P<name>.+?)\s*\(product\.metafields\.(?P<namespace>[^.()]+)\.[^()]+\)", re.IGNORECASE)
# Metafields of Shopify itself and its channels that say nothing of the product.
_FOREIGN_NAMESPACES = re.compile(r"seo|reviews|mm-google-shopping|shopify--discovery.*", re.IGNORECASE)

_FACTS = re.compile(r"vendor|product category|type|tags|option\d (?:name|value)")
_UNUSED = re.compile(
    r"variant .*|image .*|product image url|seo .*|google shopping / .*|included / .*|.*price / .*|price"
    r"|compare-at price|cost per item|charge tax|tax code|unit price .*|published.*|status|gift card|collection|sku"
    r"|barcode|inventory .*|continue selling .*|weight (?:value|unit) .*|requires shipping|fulfillment service"
    r"|option\d linked to|.*\((?:product|variant)\.metafields\..*\)"
)

SEO_CELLS = {"seo_title": "SEO title", "seo_meta": "SEO description"}
"""The columns of kinds of copy that Shopify shows to search engines; the legacy layout writes them in title case."""

_NUMBER = r"\d+(?:[.,/]\d+)?"
_UNIT = r"(?:[mcd]?l|litres?|liters?|k?g|(?:fl\.? )?oz|lbs?|[mc]?m|in|inch|ft|\"|毫升|升|千?克|公斤|[毫厘]?米|码|号)"
_LENGTHS = rf"{_NUMBER} ?{_UNIT}?(?: ?[x×] ?{_NUMBER} ?{_UNIT}?)*"
_SIZE = re.compile(rf"(?:\d?x{{0,4}}[sml]|small|medium|large|(?:eu|uk|us) ?{_NUMBER}|{_LENGTHS})", re.IGNORECASE)
_ANY = "\0any"


@dataclass(frozen=True)
class Layout:
    """Where one of the two dialects keeps what we need (column names in lower case)."""

    dialect: Dialect
    key: str
    description: str


LEGACY = Layout(Dialect.SHOPIFY_LEGACY, "handle", "body (html)")
CURRENT = Layout(Dialect.SHOPIFY, "url handle", "description")


def layout_of(names: Iterable[str]) -> Layout | None:
    """Which dialect a header is in."""
    present = {name.casefold() for name in names}
    return next((layout for layout in (LEGACY, CURRENT) if {layout.key, "title"} <= present), None)


def read(rows: Iterable[Row], names: Sequence[str], layout: Layout) -> Iterator[Item]:
    """The products of a table, or its text updates where no column holds a fact."""
    reader = _Reader(names, layout)
    yield from _unknown_columns(names, layout)
    for row in rows:
        yield from reader.take(row)
    yield from reader.flush()


def _unknown_columns(names: Sequence[str], layout: Layout) -> Iterator[Problem]:
    used = {layout.key, "title", layout.description, ""}
    lowered = [(name, name.casefold()) for name in names]
    unknown = [
        name for name, low in lowered if low not in used and not (_FACTS.fullmatch(low) or _UNUSED.fullmatch(low))
    ]
    if unknown:
        message = f"columns not understood, and not used: {shown(', '.join(unknown))}"
        yield Problem(1, "", Level.WARNING, "columns.unknown", message)


_OPTIONS = [(position, f"option{position} value") for position in (1, 2, 3)]


@dataclass
class _Group:
    """One product's rows so far."""

    key: str
    first: Row
    values: dict[int, dict[str, None]] = field(default_factory=dict)

    def add(self, row: Row) -> bool:
        """Take a row's option values; True where one is new."""
        is_new = False
        for position, column in _OPTIONS:
            if value := row.get(column).strip():
                known = self.values.setdefault(position, {})
                is_new = is_new or value not in known
                known[value] = None
        return is_new


class _Reader:
    """Groups rows by handle. `_refused` is the handle whose follow-on rows are passed over, `_ANY` where unreadable."""

    def __init__(self, names: Sequence[str], layout: Layout) -> None:
        self._layout = layout
        self._metafields = [
            (found["name"], name.casefold())
            for name in names
            if (found := _METAFIELD.fullmatch(name)) and not _FOREIGN_NAMESPACES.fullmatch(found["namespace"])
        ]
        self._present = {name.casefold() for name in names}
        self._has_text = layout.description in self._present
        self._has_facts = bool(self._metafields) or any(map(_FACTS.fullmatch, self._present))
        self._keys = Keys()
        self._group: _Group | None = None
        self._refused: str | None = None

    def take(self, row: Row) -> Iterator[Item]:
        key = row.get(self._layout.key).strip()
        if row.fault:
            yield Problem(row.line, shown(key), Level.ERROR, row.fault.code, row.fault.message)
            if not (self._group and self._group.key == key):
                self._refused = _ANY
        elif self._group and self._group.key == key and self._continues(self._group, row):
            self._group.add(row)
        elif not row.get("title").strip() and self._refused in (key, _ANY):
            self._refused = key
        else:
            yield from self.flush()
            yield from self._start(row, key)

    def flush(self) -> Iterator[Item]:
        group, self._group = self._group, None
        if group:
            yield from self._items(group)

    def _continues(self, group: _Group, row: Row) -> bool:
        """Follow-on rows have no title; files of other tools repeat title and text, but then bring another variant."""
        if not row.get("title").strip():
            return True
        repeats = row.get("title") == group.first.get("title")
        same_text = row.get(self._layout.description) in ("", group.first.get(self._layout.description))
        return repeats and same_text and group.add(row)

    def _start(self, row: Row, key: str) -> Iterator[Problem]:
        if key in self._keys and not row.get("title").strip():
            message = "the row belongs to a product further up and was not used: keep the rows of one handle together"
            yield Problem(row.line, key, Level.WARNING, "row.detached", message)
            self._refused = key
        elif refusal := self._keys.admit(row.line, key, row.get("title")):
            yield refusal
            self._refused = key
        else:
            self._group, self._refused = _Group(key, row), None
            self._group.add(row)

    def _items(self, group: _Group) -> Iterator[Item]:
        first = group.first
        sheet = FactSheet(first.line, group.key)
        sheet.title = sheet.clean("Title", first.get("title"))
        description = first.get(self._layout.description)
        if not self._has_facts:
            known = description if self._has_text else None
            yield from sheet.text_update(known, TextFormat.HTML, self._layout.dialect)
            return
        self._collect(sheet, group)
        source = {"Title": first.get("title"), **self._own_seo(first)}
        yield from sheet.product(description, TextFormat.HTML, self._layout.dialect, source)

    def _own_seo(self, first: Row) -> dict[str, str]:
        """The shop's own cells, where the file has such columns: an export would erase what it does not repeat."""
        return {name: first.get(name.casefold()) for name in SEO_CELLS.values() if name.casefold() in self._present}

    def _collect(self, sheet: FactSheet, group: _Group) -> None:
        first = group.first
        sheet.brand = sheet.clean("Vendor", first.get("vendor"))
        kind = sheet.clean("Type", first.get("type"))
        category = sheet.clean("Product category", first.get("product category").rpartition(">")[2])
        sheet.category = kind or category
        if category.casefold() != sheet.category.casefold():
            sheet.add("Product category", category)
        sheet.add("Tags", first.get("tags"))
        for position, values in group.values.items():
            _add_option(sheet, first.get(f"option{position} name").strip(), list(values))
        for name, column in self._metafields:
            sheet.add(name, _metafield_value(first.get(column)))


def _add_option(sheet: FactSheet, name: str, values: list[str]) -> None:
    """Shopify names the only variant of a product "Title: Default Title": that is no fact."""
    if name.casefold() == "title" or values == ["Default Title"]:
        return
    if name.casefold() == "variant" and all(map(_SIZE.fullmatch, values)):
        name = "Size"
    sheet.add_joined(name, values)


def _metafield_value(raw: str) -> str:
    """Lists (`["steel","cork"]`) and measures (`{"value":2,"unit":"kg"}`) come as JSON; the rest as it is."""
    if not raw.startswith(("[", "{")):
        return raw
    try:
        value = json.loads(raw, parse_float=str, parse_int=str)
    except (ValueError, RecursionError):
        return raw
    if isinstance(value, list) and all(isinstance(part, str) for part in value):
        return ", ".join(value)
    if isinstance(value, dict) and value.keys() == {"value", "unit"}:
        return f"{value['value']} {text.fold(str(value['unit'])).text.lower()}"
    return raw
