"""What a shop has, as far as rules are made of it: the names of its products' facts, and its own descriptions."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import sqlalchemy as sa

from copydesk.model import DESCRIPTION, Facts, TextFormat
from copydesk.store.bulk import stream
from copydesk.store.tables import live_texts, products


@dataclass(frozen=True, slots=True)
class Specimen:
    """A text that the shop shows, and that no model wrote, in the format that the shop stores."""

    text: str
    text_format: TextFormat


def fact_names(connection: sa.Connection, shop_id: int, limit: int) -> Counter[str]:
    """How many of the shop's first `limit` products have each fact; its name as the catalog spells it."""
    query = sa.select(products.c.facts).where(products.c.shop_id == shop_id).order_by(products.c.id).limit(limit)
    return Counter(
        name for row in stream(connection, query) for name in {name for name, _ in Facts.from_json(row.facts).lines()}
    )


def own_descriptions(connection: sa.Connection, shop_id: int, limit: int) -> Iterator[Specimen]:
    """Up to `limit` descriptions that were imported or written by a person, in catalog order."""
    query = (
        sa.select(live_texts.c.text, products.c.text_format)
        .join(products, products.c.id == live_texts.c.product_id)
        .where(
            products.c.shop_id == shop_id,
            live_texts.c.kind == DESCRIPTION,
            live_texts.c.current.is_(True),
            live_texts.c.draft_id.is_(None) | live_texts.c.by_person.is_(True),
            live_texts.c.text != "",
        )
        .order_by(products.c.id)
        .limit(limit)
    )
    for row in stream(connection, query):
        yield Specimen(row.text, TextFormat(row.text_format))
