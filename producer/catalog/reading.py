"""Opens a catalog file: finds its encoding, separator and format, and hands its rows to the format's own module."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from copydesk.errors import InputError
from producer.catalog import jsonl, shopify, woocommerce
from producer.catalog.encoding import detect, open_text
from producer.catalog.items import Item
from producer.catalog.records import MAX_CELL, Fault, json_lines, rows, table
from producer.files import readable

FORMATS = ("auto", "shopify", "woocommerce", "jsonl")

_HEADERS = (
    "a Shopify export (Handle or URL handle, and Title), "
    "a WooCommerce export (ID or SKU, and Name) or JSON lines (one object with sku and title per line)"
)


@dataclass(frozen=True)
class _Shape:
    encoding: str
    file_format: str
    delimiter: str = ","


def read(path: Path, file_format: str = "auto") -> Iterator[Item]:
    """The products of a catalog file in its order, one at a time, each after the problems that concern it.

    `file_format` is one of FORMATS. A file whose only columns are key, title and description yields TextUpdate instead
    of Product. A bad row is a Problem with level error, and never stops the others. Characters U+0000 are removed.

    Raises:
        InputError: the file as a whole cannot be used; raised by the call, not by the first step.
    """
    with readable(path, file_format, FORMATS, "a catalog file"):
        shape = _shape_of(path, file_format)
    return _items(path, shape)


def _items(path: Path, shape: _Shape) -> Iterator[Item]:
    with open_text(path, shape.encoding) as stream:
        if shape.file_format == "jsonl":
            yield from jsonl.read(json_lines(stream))
            return
        records = rows(stream, shape.delimiter)
        names = _names_in(next(records))
        layout = shopify.layout_of(names)
        if layout and shape.file_format == "shopify":
            yield from shopify.read(table(records, names), names, layout)
        else:
            yield from woocommerce.read(table(records, names), names)


def _shape_of(path: Path, wanted: str) -> _Shape:
    encoding = detect(path)
    with open_text(path, encoding) as stream:
        first = next((line for line in iter(lambda: stream.readline(MAX_CELL), "") if line.strip()), "")
    if not first:
        raise InputError(f"{path} is empty: export it again")
    if wanted == "jsonl" or (wanted == "auto" and first.lstrip().startswith("{")):
        return _Shape(encoding, "jsonl")
    if first.lstrip().startswith("["):
        raise InputError(f"{path} holds a JSON list: write one object per line instead")
    for delimiter in ",;\t":
        with open_text(path, encoding) as stream:
            header = next(rows(stream, delimiter))
        if found := _format_of(_names_in(header), wanted):
            if header[2]:
                raise InputError(f"the header of {path} cannot be used: {header[2].message}")
            return _Shape(encoding, found, delimiter)
    expected = _HEADERS if wanted == "auto" else f"{wanted}'s columns"
    raise InputError(f"the format of {path} cannot be told from its first line: it should be {expected}")


def _names_in(header: tuple[int, list[str], Fault | None]) -> list[str]:
    return [name.strip() for name in header[1]]


def _format_of(names: list[str], wanted: str) -> str:
    if wanted != "woocommerce" and shopify.layout_of(names):
        return "shopify"
    if wanted != "shopify" and woocommerce.is_header(names):
        return "woocommerce"
    return ""
