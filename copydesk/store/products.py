"""Shops and their products: what a catalog file brings in, and what goes back out."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from copydesk.errors import InputError, NotFound
from copydesk.model import DESCRIPTION, Dialect, Facts, LiveText, Product, Status, TextFormat, fingerprint
from copydesk.store.tables import drafts, live_texts, now, products, shops

SHOP_NAME = re.compile(r"\w[\w.-]{0,63}")

STALE_WHEN_EDITED = (Status.READY, Status.HELD, Status.APPROVED)
"""Finished drafts that an edit of the product makes stale; the open ones are replaced by the worker that meets them."""


@dataclass(frozen=True, slots=True)
class Imported:
    """What one batch of a catalog file changed."""

    new: int = 0
    changed: int = 0
    unchanged: int = 0
    drafts_made_stale: int = 0
    unknown: tuple[str, ...] = ()

    def __add__(self, other: "Imported") -> "Imported":
        return Imported(
            self.new + other.new,
            self.changed + other.changed,
            self.unchanged + other.unchanged,
            self.drafts_made_stale + other.drafts_made_stale,
            self.unknown + other.unknown,
        )


def insert_ignoring_twins(connection: sa.Connection, table: sa.Table) -> Any:
    """INSERT .. ON CONFLICT DO NOTHING in the connection's dialect."""
    insert = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    return insert(table).on_conflict_do_nothing()


def lock(connection: sa.Connection, table: sa.Table, which: sa.ColumnElement[bool], *, read: bool = False) -> None:
    """Hold these rows until the transaction ends, in one order for everybody (SQLite has one writer anyway)."""
    connection.execute(sa.select(table.c.id).where(which).order_by(table.c.id).with_for_update(read=read)).all()


def insert_selected(connection: sa.Connection, table: sa.Table, query: sa.Select[Any]) -> int:
    """INSERT .. SELECT by the query's column names, twins ignored; returns how many rows were added."""
    names = [column.name for column in query.selected_columns]
    statement = insert_ignoring_twins(connection, table).from_select(names, query)
    return int(connection.execute(statement, execution_options={"preserve_rowcount": True}).rowcount)


def add_shop(connection: sa.Connection, name: str) -> int:
    """The shop's id; the shop is made when it is new. Raises InputError when the name is not one."""
    check_shop_name(name)
    connection.execute(insert_ignoring_twins(connection, shops).values(name=name, created_at=now()))
    return find_shop(connection, name)


def check_shop_name(name: str) -> None:
    """Raises InputError: names of shops stand in file names, task arguments and settings."""
    if not SHOP_NAME.fullmatch(name):
        raise InputError(f"{name!r} is no name for a shop: use up to 64 letters, digits, '-', '_' and '.'")


def find_shop(connection: sa.Connection, name: str) -> int:
    """The shop's id. Raises NotFound, naming the shops there are."""
    found = connection.scalar(sa.select(shops.c.id).where(shops.c.name == name))
    if found is None:
        known = ", ".join(connection.scalars(sa.select(shops.c.name).order_by(shops.c.name))) or "none yet"
        raise NotFound(
            f"there is no shop {name!r} (shops: {known}): `copydesk import products FILE --shop {name}` makes it"
        )
    return int(found)


def find_shop_of(connection: sa.Connection, sku: str, shop: str | None) -> int:
    """The id of the shop that has the product; `shop` is needed only when several have. Raises InputError, NotFound."""
    if shop is not None:
        return find_shop(connection, shop)
    owners = connection.execute(
        sa.select(shops.c.id, shops.c.name).join(products).where(products.c.sku == sku).order_by(shops.c.name)
    ).all()
    if not owners:
        raise NotFound(f"no shop has a product {sku!r}: `copydesk drafts list` shows the keys")
    if len(owners) > 1:
        raise InputError(f"{sku!r} is in several shops ({', '.join(owner.name for owner in owners)}): add --shop")
    return int(owners[0].id)


def check_known(connection: sa.Connection, shop_id: int, skus: Sequence[str]) -> None:
    """Raises NotFound, naming them, when the shop lacks one of the products."""
    known = _known(connection, shop_id, skus) if skus else {}
    unknown = [sku for sku in skus if sku not in known]
    if unknown:
        raise NotFound(f"the shop has no product {', '.join(map(repr, unknown))}: import a catalog that has")


def take_in(connection: sa.Connection, shop_id: int, batch: Sequence[Product]) -> Imported:
    """Store a batch of whole products: new ones added, edited ones updated and their finished drafts made stale."""
    _lock(connection, shop_id, [product.sku for product in batch])
    known = _known(connection, shop_id, [product.sku for product in batch])
    rows = {product.sku: _row(shop_id, product) for product in batch}
    new = [row for sku, row in rows.items() if sku not in known]
    changed = [
        {**row, "product_id": known[sku].id} for sku, row in rows.items() if sku in known and _differs(row, known[sku])
    ]
    if new:
        connection.execute(sa.insert(products).values(updated_at=now()), new)
    if changed:
        columns: dict[str, Any] = {
            name: sa.bindparam(name) for name in rows[batch[0].sku] if name not in ("shop_id", "sku")
        }
        connection.execute(
            sa.update(products).where(products.c.id == sa.bindparam("product_id")).values(updated_at=now(), **columns),
            [{name: value for name, value in row.items() if name not in ("shop_id", "sku")} for row in changed],
        )
    stale = _make_drafts_stale(connection, [row["product_id"] for row in changed])
    _take_in_texts(connection, shop_id, {product.sku: product.description for product in batch})
    return Imported(len(new), len(changed), len(rows) - len(new) - len(changed), stale)


def take_in_texts(connection: sa.Connection, shop_id: int, texts: Mapping[str, str]) -> Imported:
    """Store only the texts (sku -> text) of products already known; their facts stay as they are."""
    _lock(connection, shop_id, list(texts))
    known = _known(connection, shop_id, list(texts))
    changed = _take_in_texts(connection, shop_id, {sku: text for sku, text in texts.items() if sku in known})
    unknown = tuple(sku for sku in texts if sku not in known)
    return Imported(changed=changed, unchanged=len(known) - changed, unknown=unknown)


def _lock(connection: sa.Connection, shop_id: int, skus: Sequence[str]) -> None:
    """Imports of one shop go one after the other; publishing and settling wait for the products they share with it."""
    connection.execute(sa.select(shops.c.id).where(shops.c.id == shop_id).with_for_update(key_share=True)).all()
    lock(connection, products, sa.and_(products.c.shop_id == shop_id, products.c.sku.in_(skus)))


def _row(shop_id: int, product: Product) -> dict[str, Any]:
    return {
        "shop_id": shop_id,
        "sku": product.sku,
        "language": product.facts.language,
        "facts": product.facts.as_json(),
        "facts_hash": fingerprint(product.facts.as_json()),
        "text_format": product.text_format.value,
        "dialect": product.dialect.value,
        "source": dict(product.source),
    }


def _differs(row: Mapping[str, Any], known: sa.Row[Any]) -> bool:
    return any(row[name] != getattr(known, name) for name in ("facts_hash", "text_format", "dialect", "source"))


def _known(connection: sa.Connection, shop_id: int, skus: Sequence[str]) -> dict[str, sa.Row[Any]]:
    columns = [products.c[name] for name in ("id", "sku", "facts_hash", "text_format", "dialect", "source")]
    query = sa.select(*columns).where(products.c.shop_id == shop_id, products.c.sku.in_(skus))
    return {row.sku: row for row in connection.execute(query)}


def _make_drafts_stale(connection: sa.Connection, product_ids: Sequence[int]) -> int:
    if not product_ids:
        return 0
    still_true = sa.select(products.c.facts_hash).where(products.c.id == drafts.c.product_id).scalar_subquery()
    return connection.execute(
        sa.update(drafts)
        .where(
            drafts.c.product_id.in_(product_ids),
            drafts.c.state.in_(STALE_WHEN_EDITED),
            drafts.c.facts_hash != still_true,
        )
        .values(state=Status.STALE.value, decided_at=now(), decided_by="import")
    ).rowcount


def _take_in_texts(connection: sa.Connection, shop_id: int, texts: Mapping[str, str]) -> int:
    """Record the shop's own texts as versions; returns how many are new to us.

    A text equal to an *older* version says only that the file is older than what we published since: it is
    ignored. A text we never saw, over one that we published, was written by a person: no run overwrites it.
    """
    version = live_texts.alias("version")
    query = (
        sa.select(
            products.c.id,
            products.c.sku,
            version.c.version,
            version.c.current,
            version.c.text,
            version.c.origin,
            version.c.by_person,
        )
        .outerjoin(version, sa.and_(version.c.product_id == products.c.id, version.c.kind == DESCRIPTION))
        .where(products.c.shop_id == shop_id, products.c.sku.in_(list(texts)))
    )
    seen: dict[str, list[Any]] = {}
    for row in connection.execute(query):
        seen.setdefault(row.sku, []).append(row)
    fresh = []
    for sku, rows in seen.items():
        if any(row.text == texts[sku] for row in rows):
            continue
        current = next((row for row in rows if row.current), None)
        if current is not None and not texts[sku].strip():
            continue  # a blank cell: the file says nothing of the text
        fresh.append(
            {
                "product_id": rows[0].id,
                "version": max(row.version or 0 for row in rows) + 1,
                "text": texts[sku],
                "by_person": current is not None and (current.by_person or current.origin != "imported"),
                "undo_to": current.version if current is not None else None,
            }
        )
    add_versions(connection, fresh, origin="imported", author="import")
    return len(fresh)


def add_versions(connection: sa.Connection, versions: Sequence[Mapping[str, Any]], *, origin: str, author: str) -> None:
    """Append live texts (product_id, version, text, by_person, undo_to, draft_id?) and make each the current one."""
    if not versions:
        return
    connection.execute(
        sa.update(live_texts)
        .where(
            live_texts.c.product_id.in_([version["product_id"] for version in versions]),
            live_texts.c.kind == DESCRIPTION,
            live_texts.c.current.is_(True),
        )
        .values(current=False)
    )
    connection.execute(
        sa.insert(live_texts).values(kind=DESCRIPTION, current=True, origin=origin, author=author, created_at=now()),
        list(versions),
    )


def written_texts(connection: sa.Connection, shop_id: int) -> Iterator[LiveText]:
    """Live texts that Copydesk put in place (published, edited or taken back), in catalog order, streamed."""
    query = (
        sa.select(products, live_texts.c.text)
        .join(live_texts, live_texts.c.product_id == products.c.id)
        .where(
            products.c.shop_id == shop_id,
            live_texts.c.kind == DESCRIPTION,
            live_texts.c.current.is_(True),
            live_texts.c.origin != "imported",
        )
        .order_by(products.c.id)
    )
    for row in connection.execution_options(yield_per=1000).execute(query):
        facts = Facts.from_json(row.facts)
        yield LiveText(
            row.sku, row.text, facts.title, TextFormat(row.text_format), Dialect(row.dialect), row.source, row.language
        )
