"""Live texts: published on condition, every version kept, undone byte for byte."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from copydesk.errors import InputError, NotFound
from copydesk.model import DESCRIPTION, Status, TextFormat
from copydesk.store.products import add_versions, lock
from copydesk.store.tables import drafts, live_texts, now, products

Render = Callable[[str, TextFormat], str]
"""Turns a draft's plain text into the format the shop stores."""

BATCH = 500


@dataclass(frozen=True, slots=True)
class Published:
    """How many approved drafts went live, were too old to, or met a text that a person had written.

    `looked_at` counts the approved drafts that were there; another publisher may have been quicker with some.
    """

    published: int = 0
    stale: int = 0
    protected: int = 0
    looked_at: int = field(default=0, compare=False)

    def __add__(self, other: "Published") -> "Published":
        return Published(
            self.published + other.published,
            self.stale + other.stale,
            self.protected + other.protected,
            self.looked_at + other.looked_at,
        )


def publish(connection: sa.Connection, shop_id: int, run: int | None, *, by: str, render: Render) -> Published:
    """Put up to BATCH approved drafts of a shop (or of one run) live; call again until nothing is left.

    A draft whose product was edited since becomes stale; one whose live text a person wrote is rejected.
    """
    due = (
        sa.select(drafts.c.id)
        .join(products, products.c.id == drafts.c.product_id)
        .where(products.c.shop_id == shop_id, drafts.c.state == Status.APPROVED.value, drafts.c.kind == DESCRIPTION)
        .order_by(drafts.c.id)
        .limit(BATCH)
    )
    ids = list(connection.scalars(due if run is None else due.where(drafts.c.run_id == run)))
    # Locked first, read afterwards in a statement of its own: only then does PostgreSQL show what was committed
    # while we waited.
    lock(connection, products, products.c.id.in_(sa.select(drafts.c.product_id).where(drafts.c.id.in_(ids))))
    connection.execute(sa.select(drafts.c.id).where(drafts.c.id.in_(ids)).order_by(drafts.c.id).with_for_update())
    current = live_texts.alias("current")
    query = (
        sa.select(
            drafts.c.id,
            drafts.c.product_id,
            drafts.c.text,
            drafts.c.model_text,
            (drafts.c.facts_hash == products.c.facts_hash).label("is_true"),
            products.c.text_format,
            current.c.version,
            current.c.by_person,
            current.c.draft_id,
        )
        .join(products, products.c.id == drafts.c.product_id)
        .outerjoin(
            current,
            sa.and_(current.c.product_id == products.c.id, current.c.kind == DESCRIPTION, current.c.current.is_(True)),
        )
        .where(drafts.c.id.in_(ids), drafts.c.state == Status.APPROVED.value)
        .order_by(drafts.c.id)
    )
    rows = connection.execute(query).all()
    last_of = {row.product_id: row.id for row in rows}  # two approved drafts of one product: the newer goes live
    stale = [
        row.id for row in rows if not row.is_true or last_of[row.product_id] != row.id or (row.draft_id or 0) > row.id
    ]
    protected = [row.id for row in rows if row.by_person and row.id not in stale]
    live = [row for row in rows if row.id not in stale and row.id not in protected]
    add_versions(connection, [_version(row, render) for row in live], origin="draft", author=by)
    _move(connection, [row.id for row in live], Status.PUBLISHED)
    _move(connection, stale, Status.STALE)
    _move(connection, protected, Status.REJECTED)
    return Published(len(live), len(stale), len(protected), len(ids))


def _version(row: sa.Row[Any], render: Render) -> dict[str, Any]:
    return {
        "product_id": row.product_id,
        "version": (row.version or 0) + 1,
        "text": render(row.text, TextFormat(row.text_format)),
        "by_person": row.model_text is not None,
        "draft_id": row.id,
        "undo_to": row.version,
    }


def _move(connection: sa.Connection, ids: list[int], to: Status) -> None:
    if ids:
        connection.execute(sa.update(drafts).where(drafts.c.id.in_(ids)).values(state=to.value))


def undo(connection: sa.Connection, shop_id: int, sku: str, *, by: str) -> str:
    """Bring back the text from before the last change, byte for byte; returns it.

    Raises:
        NotFound: the shop has no such product.
        InputError: the product's text has not been changed.
    """
    product_id = connection.scalar(sa.select(products.c.id).where(products.c.shop_id == shop_id, products.c.sku == sku))
    if product_id is None:
        raise NotFound(f"the shop has no product {sku!r}: `copydesk drafts list` shows the keys")
    lock(connection, products, products.c.id == product_id)
    mine = sa.and_(live_texts.c.product_id == product_id, live_texts.c.kind == DESCRIPTION)
    current = connection.execute(sa.select(live_texts).where(mine, live_texts.c.current.is_(True))).one_or_none()
    if current is None or current.undo_to is None:
        raise InputError(f"nothing to undo: the text of {sku!r} is the one the shop came with")
    before = connection.execute(sa.select(live_texts).where(mine, live_texts.c.version == current.undo_to)).one()
    version = {
        "product_id": product_id,
        "version": current.version + 1,
        "text": before.text,
        "by_person": before.by_person,
        "draft_id": before.draft_id,
        "undo_to": before.undo_to,
    }
    add_versions(connection, [version], origin="undo", author=by)
    if current.draft_id is not None and current.draft_id != before.draft_id:
        connection.execute(
            sa.update(drafts)
            .where(drafts.c.id == current.draft_id, drafts.c.state == Status.PUBLISHED.value)
            .values(state=Status.UNDONE.value, decided_by=by, decided_at=now())
        )
    return str(before.text)


def current(connection: sa.Connection, shop_id: int, sku: str) -> str | None:
    """The product's live text, None when it has none."""
    return connection.scalar(
        sa.select(live_texts.c.text)
        .join(products)
        .where(products.c.shop_id == shop_id, products.c.sku == sku, live_texts.c.current.is_(True))
    )
