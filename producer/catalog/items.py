"""What reading a catalog file yields besides products: problems, and texts that come without facts.

Errors (the row is not used): row.unreadable, row.undecodable, cell.too_large, json.invalid, sku.missing, sku.too_long,
sku.duplicate, title.missing, type.unsupported.
Warnings (the product is used): columns.unknown, row.detached, html.unsafe, value.shortened, facts.few,
language.unsupported, text.instructs.
"""

from dataclasses import dataclass
from enum import StrEnum

from copydesk.model import Dialect, Product, TextFormat


class Level(StrEnum):
    """How much a problem costs."""

    ERROR = "error"  # the row was not used
    WARNING = "warning"  # the row was used; a person should look


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with a file: where (1-based physical line), whose, what, and what to do."""

    line: int
    sku: str
    level: Level
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class TextUpdate:
    """A product of a file that holds nothing but key, title and description, such as our own export.

    An absent column leaves the store's value alone, so the facts already stored stay as they are. A sku that is not
    stored yet cannot be written from: it has no facts. `description` is None where that column is absent too.
    """

    sku: str
    title: str
    description: str | None
    dialect: Dialect
    text_format: TextFormat
    line: int


Item = Product | TextUpdate | Problem
