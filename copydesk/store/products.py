"""Shops and their products: what a catalog file brings in, and what goes back out."""

import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from copydesk.errors import InputError, NotFound
from copydesk.model import (
    DESCRIPTION,
    TRANSLATION_MARK,
    Counts,
    Dialect,
    LiveText,
    Product,
    Status,
    TextFormat,
    canonical,
    fingerprint_of_json,
    stored_as,
)
from copydesk.store.bulk import add_rows, among, begin, stream, update_rows
from copydesk.store.tables import drafts, live_texts, now, products, shops

PLANNING = 620060003
"""The first half of the number of an advisory lock; the shop is the other."""

SHOP_NAME = re.compile(r"\w[\w.-]{0,63}")

STALE_WHEN_EDITED = (Status.READY, Status.HELD, Status.APPROVED)
"""Finished drafts that an edit of the product makes stale; the open ones are replaced by the worker that meets them."""


@dataclass(frozen=True, slots=True)
class Imported(Counts):
    """What one batch of a catalog file changed."""

    new: int = 0
    changed: int = 0
    unchanged: int = 0
    drafts_made_stale: int = 0
    unknown: tuple[str, ...] = ()


def insert_ignoring_twins(connection: sa.Connection, table: sa.Table) -> Any:
    """INSERT .. ON CONFLICT DO NOTHING in the connection's dialect."""
    insert = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    return insert(table).on_conflict_do_nothing()


def lock(connection: sa.Connection, table: sa.Table, which: sa.ColumnElement[bool], *, read: bool = False) -> None:
    """Hold these rows until the transaction ends, in one order for everybody (SQLite has one writer anyway)."""
    connection.execute(sa.select(table.c.id).where(which).order_by(table.c.id).with_for_update(read=read)).all()


def hold_planning(connection: sa.Connection, shop_id: int | sa.ColumnElement[int], *, alone: bool) -> None:
    """Whoever plans for a shop holds this with others until the transaction ends; who writes drafts again, alone.

    Both would want the one open draft of a product. Not a lock on the shop's row: of whoever changes a run twice,
    PostgreSQL looks that up again while he holds the run. (SQLite has one writer anyway.)
    """
    if connection.dialect.name == "postgresql":
        take = sa.func.pg_advisory_xact_lock if alone else sa.func.pg_advisory_xact_lock_shared
        connection.execute(sa.select(take(PLANNING, sa.cast(shop_id, sa.Integer))))


def insert_selected(connection: sa.Connection, table: sa.Table, query: sa.Select[Any]) -> int:
    """INSERT .. SELECT by the query's column names, twins ignored; returns how many rows were added."""
    names = [column.name for column in query.selected_columns]
    statement = insert_ignoring_twins(connection, table).from_select(names, query)
    return int(connection.execute(statement, execution_options={"preserve_rowcount": True}).rowcount)


def shown(column: str) -> sa.ScalarSelect[Any]:
    """A column of the description that a product shows now, for queries that read products."""
    shows = live_texts.alias("shows")
    is_shown = sa.and_(shows.c.product_id == products.c.id, shows.c.kind == DESCRIPTION, shows.c.current.is_(True))
    return sa.select(shows.c[column]).where(is_shown).correlate(products).scalar_subquery()


def read_by(kind: sa.ColumnElement[str]) -> sa.ColumnElement[str]:
    """The fingerprint of what copy of a kind is written from, for queries that read products.

    That is the product's facts; of a translation also the version of the live description.
    """
    translated = products.c.facts_hash + "@" + sa.cast(sa.func.coalesce(shown("version"), 0), sa.Text)
    return sa.case((is_translation(kind), translated), else_=products.c.facts_hash)


def is_translation(kind: sa.ColumnElement[str]) -> sa.ColumnElement[bool]:
    """Does copy of this kind put a live description into another language?"""
    return kind.contains(TRANSLATION_MARK, autoescape=True)


def to_translate(kind: sa.ColumnElement[str]) -> sa.ColumnElement[str]:
    """The live description, where copy of this kind translates it, else "", for queries that read products."""
    return sa.case((is_translation(kind), shown("text")), else_="")


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
    query = sa.select(products.c.sku).where(products.c.shop_id == shop_id, among(connection, products.c.sku, skus))
    known = set(connection.scalars(query))
    unknown = [sku for sku in skus if sku not in known]
    if unknown:
        raise NotFound(f"the shop has no product {', '.join(map(repr, unknown))}: import a catalog that has")


def take_in(connection: sa.Connection, shop_id: int, batch: Sequence[Product]) -> Imported:
    """Store a batch of whole products: new ones added, edited ones updated and their finished drafts made stale.

    Of two with one key the later counts.
    """
    rows = {product.sku: _row(product) for product in batch}
    known = _known(connection, shop_id, rows)
    _add(connection, shop_id, [row for sku, row in rows.items() if sku not in known])
    edited = {found.id: rows[sku] for sku, found in known.items() if _differs(rows[sku], found)}
    others = {found.id: text for sku, found in known.items() if _is_other(text := rows[sku].text, found)}
    _lock(connection, {*edited, *others})
    _update(connection, edited)
    stale = _make_drafts_stale(connection, edited)
    _take_in_texts(connection, others)
    return Imported(len(rows) - len(known), len(edited), len(known) - len(edited), stale)


def take_in_texts(connection: sa.Connection, shop_id: int, texts: Mapping[str, str]) -> Imported:
    """Store only the texts (sku -> text) of products already known; their facts stay as they are."""
    known = _known(connection, shop_id, texts)
    others = {row.id: texts[sku] for sku, row in known.items() if _is_other(texts[sku], row)}
    _lock(connection, others)
    changed = _take_in_texts(connection, others)
    unknown = tuple(sku for sku in texts if sku not in known)
    return Imported(changed=changed, unchanged=len(known) - changed, unknown=unknown)


class _Row(NamedTuple):
    """A product as it is stored; facts as JSON."""

    sku: str
    language: str
    facts: str
    facts_hash: str
    text_format: str
    dialect: str
    source: dict[str, str]
    text: str

    def columns(self) -> tuple[str, ...]:
        """What goes into COLUMNS."""
        return (*self[:-2], json.dumps(self.source))


COLUMNS = _Row._fields[:-1]


def _row(product: Product) -> _Row:
    facts = canonical(product.facts.as_json())
    return _Row(
        product.sku, product.facts.language, facts, fingerprint_of_json(facts), product.text_format.value,
        product.dialect.value, dict(product.source), product.description,
    )  # fmt: skip


def _known(connection: sa.Connection, shop_id: int, skus: Collection[str]) -> dict[str, sa.Row[Any]]:
    """Those of the products that the shop has, with the text that it shows; until the end no other import adds any."""
    begin(connection)
    connection.execute(sa.select(shops.c.id).where(shops.c.id == shop_id).with_for_update(key_share=True)).all()
    names = ("id", "sku", "facts_hash", "text_format", "dialect", "source")
    columns: list[sa.ColumnElement[Any]] = [*[products.c[name] for name in names], live_texts.c.text]
    is_shown = sa.and_(
        live_texts.c.product_id == products.c.id, live_texts.c.kind == DESCRIPTION, live_texts.c.current.is_(True)
    )
    query = (
        sa.select(*columns)
        .select_from(products.outerjoin(live_texts, is_shown))
        .where(products.c.shop_id == shop_id, among(connection, products.c.sku, skus))
    )
    return {row.sku: row for row in connection.execute(query)}


def _differs(row: _Row, known: sa.Row[Any]) -> bool:
    return any(
        getattr(row, name) != getattr(known, name) for name in ("facts_hash", "text_format", "dialect", "source")
    )


def _is_other(text: str, known: sa.Row[Any]) -> bool:
    """Whether a file's text is not what the shop shows. A blank cell says nothing of the text."""
    return text != known.text and (known.text is None or bool(text.strip()))


def _lock(connection: sa.Connection, product_ids: Collection[int]) -> None:
    """Publishing and settling wait for the products that an import changes."""
    if product_ids:
        lock(connection, products, among(connection, products.c.id, product_ids))


def _add(connection: sa.Connection, shop_id: int, rows: Sequence[_Row]) -> None:
    """New products in their order, each with its text as the first version."""
    if not rows:
        return
    moment = _moment(connection)
    new = list(zip(_new_ids(connection, len(rows)), rows, strict=True))
    made = ((product_id, shop_id, *row.columns(), moment) for product_id, row in new)
    add_rows(connection, products, ("id", "shop_id", *COLUMNS, "updated_at"), made)
    first = {"kind": DESCRIPTION, "version": 1, "current": True, "origin": "imported", "by_person": False}
    first |= {"author": "import", "created_at": moment}
    texts = ((product_id, row.text, *first.values()) for product_id, row in new)
    add_rows(connection, live_texts, ("product_id", "text", *first), texts)


def _moment(connection: sa.Connection) -> str:
    """The database's clock as `add_rows` takes it."""
    return str(connection.scalar(sa.select(sa.cast(now(), sa.Text))))


def _new_ids(connection: sa.Connection, count: int) -> Sequence[int]:
    """Ids for new products, ascending. SQLite has one writer, so that nobody takes the same."""
    if connection.dialect.name == "sqlite":
        last = connection.scalar(sa.select(sa.func.max(products.c.id))) or 0
        return range(last + 1, last + 1 + count)
    drawn = sa.select(sa.Sequence("products_id_seq").next_value()).select_from(sa.func.generate_series(1, count))
    return sorted(connection.scalars(drawn))


def _update(connection: sa.Connection, edited: Mapping[int, _Row]) -> None:
    if edited:
        moment = _moment(connection)
        rows = ((*row.columns(), moment, product_id) for product_id, row in edited.items())
        update_rows(connection, products, (*COLUMNS, "updated_at", "id"), rows)


def _make_drafts_stale(connection: sa.Connection, product_ids: Collection[int]) -> int:
    if not product_ids:
        return 0
    still_true = sa.select(read_by(drafts.c.kind)).where(products.c.id == drafts.c.product_id).scalar_subquery()
    return connection.execute(
        sa.update(drafts)
        .where(
            among(connection, drafts.c.product_id, product_ids),
            drafts.c.state.in_(STALE_WHEN_EDITED),
            drafts.c.facts_hash != still_true,
        )
        .values(state=Status.STALE.value, decided_at=now(), decided_by="import")
    ).rowcount


def _take_in_texts(connection: sa.Connection, texts: Mapping[int, str]) -> int:
    """Record the shop's own texts (by product) as versions; returns how many are new to us.

    A text equal to an *older* version says only that the file is older than what we published since: it is
    ignored. A text we never saw, over one that we published, was written by a person: no run overwrites it.
    """
    if not texts:
        return 0
    names = ("product_id", "version", "current", "text", "origin", "by_person")
    query = sa.select(*[live_texts.c[name] for name in names]).where(
        among(connection, live_texts.c.product_id, texts), live_texts.c.kind == DESCRIPTION
    )
    seen: set[int] = set()
    shown: dict[int, sa.Row[Any]] = {}
    for row in stream(connection, query):
        if row.text == texts[row.product_id]:
            seen.add(row.product_id)
        if row.current:
            shown[row.product_id] = row
    fresh = [_version(one, text, shown.get(one)) for one, text in texts.items() if one not in seen]
    add_versions(connection, fresh, origin="imported", author="import")
    return len(fresh)


def _version(product_id: int, text: str, shown: sa.Row[Any] | None) -> dict[str, Any]:
    return {
        "product_id": product_id,
        "version": shown.version + 1 if shown is not None else 1,
        "text": text,
        "by_person": shown is not None and (shown.by_person or shown.origin != "imported"),
        "undo_to": shown.version if shown is not None else None,
    }


def add_versions(
    connection: sa.Connection,
    versions: Sequence[Mapping[str, Any]],
    *,
    origin: str,
    author: str,
    kind: str = DESCRIPTION,
) -> None:
    """Append live texts (product_id, version, text, by_person, undo_to, draft_id?) and make each its kind's current."""
    if not versions:
        return
    connection.execute(
        sa.update(live_texts)
        .where(
            among(connection, live_texts.c.product_id, [version["product_id"] for version in versions]),
            live_texts.c.kind == kind,
            live_texts.c.current.is_(True),
        )
        .values(current=False)
    )
    connection.execute(
        sa.insert(live_texts).values(kind=kind, current=True, origin=origin, author=author, created_at=now()),
        list(versions),
    )


def written_texts(
    connection: sa.Connection, shop_id: int, kind: str = DESCRIPTION, beside: Sequence[str] = ()
) -> Iterator[LiveText]:
    """Live texts that Copydesk put in place (published, edited or taken back), in catalog order, streamed.

    `beside` names other kinds whose texts come with them.
    """
    columns = [products.c[name] for name in ("sku", "text_format", "dialect", "source", "language")]
    others = {other: live_texts.alias(other) for other in beside}
    tables = products.join(live_texts).outerjoin(drafts, drafts.c.id == live_texts.c.draft_id)
    for other, table in others.items():
        tables = tables.outerjoin(table, _is_written(table, other))
    query = (
        sa.select(
            *columns,
            products.c.facts["title"].as_string().label("title"),
            live_texts.c.text,
            live_texts.c.draft_id,
            drafts.c.model_text,
            *[table.c.text.label(f"beside_{other}") for other, table in others.items()],
        )
        .select_from(tables)
        .where(
            products.c.shop_id == shop_id,
            live_texts.c.kind == kind,
            live_texts.c.current.is_(True),
            live_texts.c.origin != "imported",
        )
        .order_by(products.c.id)
    )
    for row in stream(connection, query):
        texts = {other: row._mapping[f"beside_{other}"] for other in others}
        yield LiveText(
            row.sku, row.text, row.title, stored_as(kind, TextFormat(row.text_format)),
            Dialect(row.dialect), row.source, kind.partition(TRANSLATION_MARK)[2] or row.language, row.draft_id,
            row.model_text, {other: text for other, text in texts.items() if text},
        )  # fmt: skip


class Beside(NamedTuple):
    """Of a shop's texts of another kind: how many go with a description that Copydesk wrote, and how many do not.

    `unknown` counts the descriptions without such a text of whose `cell` no file has said anything.
    """

    texts: int
    alone: int
    unknown: int


def beside(connection: sa.Connection, shop_id: int, kind: str, cell: str) -> Beside:
    """How texts of a kind stand to the descriptions, where both go into one file and `cell` holds the shop's own."""
    described, other = live_texts.alias("described"), live_texts.alias("other")
    has_both = sa.and_(described.c.id.is_not(None), other.c.id.is_not(None))
    is_unknown = sa.and_(
        described.c.id.is_not(None), other.c.id.is_(None), products.c.source[cell].as_string().is_(None)
    )
    is_alone = sa.and_(described.c.id.is_(None), other.c.id.is_not(None))
    tables = products.outerjoin(described, _is_written(described, DESCRIPTION))
    count = sa.func.count
    query = (
        sa.select(count().filter(has_both), count().filter(is_alone), count().filter(is_unknown))
        .select_from(tables.outerjoin(other, _is_written(other, kind)))
        .where(products.c.shop_id == shop_id)
    )
    return Beside(*connection.execute(query).one())


def _is_written(table: sa.FromClause, kind: str) -> sa.ColumnElement[bool]:
    """A text of a kind that Copydesk put in place, and that is not blank."""
    return sa.and_(
        table.c.product_id == products.c.id,
        table.c.kind == kind,
        table.c.current.is_(True),
        table.c.origin != "imported",
        sa.func.trim(table.c.text) != "",
    )
