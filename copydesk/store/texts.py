"""Live texts: published on condition, every version kept, undone byte for byte.

A product has one live text of each kind of copy; what happens to one kind leaves the others as they are.
"""

from array import array
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

import sqlalchemy as sa

from copydesk.errors import InputError, NotFound
from copydesk.model import DESCRIPTION, NO_COPY, Counts, Status, TextFormat, stored_as
from copydesk.store.bulk import among, stream
from copydesk.store.products import add_versions, lock, read_by
from copydesk.store.tables import drafts, live_texts, now, products

Render = Callable[[str, TextFormat], str]
"""Turns a draft's plain text into the format the shop stores."""

BATCH = 500


@dataclass(frozen=True, slots=True)
class Published(Counts):
    """How many approved drafts went live, were too old to, or met a text that a person had written.

    `looked_at` counts the approved drafts that were there; another publisher may have been quicker with some.
    """

    published: int = 0
    stale: int = 0
    protected: int = 0
    looked_at: int = field(default=0, compare=False)


def publish(
    connection: sa.Connection, shop_id: int, run: int | None, *, by: str, render: Render, kind: str = DESCRIPTION
) -> Published:
    """Put up to BATCH approved drafts of a kind, of a shop or of one run, live; call again until nothing is left.

    A draft whose product was edited since becomes stale; one whose live text of this kind a person wrote is rejected.

    Raises:
        InputError: the kind is none of copy.
    """
    check_kind(kind)
    due = (
        sa.select(drafts.c.id)
        .join(products, products.c.id == drafts.c.product_id)
        .where(products.c.shop_id == shop_id, drafts.c.state == Status.APPROVED.value, drafts.c.kind == kind)
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
            (drafts.c.facts_hash == read_by(drafts.c.kind)).label("is_true"),
            products.c.text_format,
            current.c.version,
            current.c.by_person,
            current.c.draft_id,
        )
        .join(products, products.c.id == drafts.c.product_id)
        .outerjoin(
            current,
            sa.and_(current.c.product_id == products.c.id, current.c.kind == kind, current.c.current.is_(True)),
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
    add_versions(connection, [_version(row, kind, render) for row in live], origin="draft", author=by, kind=kind)
    _move(connection, [row.id for row in live], Status.PUBLISHED)
    _move(connection, stale, Status.STALE)
    _move(connection, protected, Status.REJECTED)
    return Published(len(live), len(stale), len(protected), len(ids))


def check_kind(kind: str) -> None:
    """Raises InputError where texts of a kind of work never go live."""
    if kind in NO_COPY:
        raise InputError(f"{kind!r} is no kind of copy: `copydesk kinds` lists them")


def _version(row: sa.Row[Any], kind: str, render: Render) -> dict[str, Any]:
    return {
        "product_id": row.product_id,
        "version": (row.version or 0) + 1,
        "text": render(row.text, stored_as(kind, TextFormat(row.text_format))),
        "by_person": row.model_text is not None,
        "draft_id": row.id,
        "undo_to": row.version,
    }


def _move(connection: sa.Connection, ids: list[int], to: Status) -> None:
    if ids:
        connection.execute(sa.update(drafts).where(drafts.c.id.in_(ids)).values(state=to.value))


def undo(
    connection: sa.Connection,
    shop_id: int,
    sku: str,
    *,
    by: str,
    kind: str = DESCRIPTION,
    to: int | None = None,
) -> str:
    """Bring back the text from before the last change, or that of version `to`, byte for byte; returns it.

    Raises:
        NotFound: the shop has no such product, or the product no such version.
        InputError: the product's text has not been changed, or is that version; or the kind is none of copy.
    """
    check_kind(kind)
    product_id = _product(connection, shop_id, sku)
    lock(connection, products, products.c.id == product_id)
    mine = sa.and_(live_texts.c.product_id == product_id, live_texts.c.kind == kind)
    current = connection.execute(sa.select(live_texts).where(mine, live_texts.c.current.is_(True))).one_or_none()
    if current is None or (to is None and not _is_change(current)):
        why = "is the one the shop came with" if current else "was never published"
        raise InputError(f"nothing to undo: the {kind} of {sku!r} {why}")
    if to == current.version:
        raise InputError(f"version {to} is the {kind} that {sku!r} shows already")
    wanted = current.undo_to if to is None else to
    before = connection.execute(sa.select(live_texts).where(mine, live_texts.c.version == wanted)).one_or_none()
    if before is None and to is not None:
        raise NotFound(f"the {kind} of {sku!r} has no version {to}: `copydesk history {sku}` lists them")
    _bring_back(connection, [(current, before or NO_TEXT)], by=by, kind=kind)
    return str((before or NO_TEXT).text)


class _Text(NamedTuple):
    """What a version holds besides its place in the row of versions."""

    text: str
    by_person: bool = False
    draft_id: int | None = None
    undo_to: int | None = None


NO_TEXT = _Text("")
"""What a product showed before the first text of a kind that its shop's files do not hold."""


def _is_change(current: sa.Row[Any]) -> bool:
    """Was there another text before, or none of this kind?"""
    return current.undo_to is not None or current.draft_id is not None


def _product(connection: sa.Connection, shop_id: int, sku: str) -> int:
    found = connection.scalar(sa.select(products.c.id).where(products.c.shop_id == shop_id, products.c.sku == sku))
    if found is None:
        raise NotFound(f"the shop has no product {sku!r}: `copydesk drafts list` shows the keys")
    return int(found)


def _bring_back(
    connection: sa.Connection, changes: Sequence[tuple[sa.Row[Any], "sa.Row[Any] | _Text"]], *, by: str, kind: str
) -> None:
    """For each product the text of another version (current, other) as its newest; the drafts move with their texts."""
    versions = [
        {
            "product_id": current.product_id,
            "version": current.version + 1,
            "text": other.text,
            "by_person": other.by_person,
            "draft_id": other.draft_id,
            "undo_to": other.undo_to,
        }
        for current, other in changes
    ]
    add_versions(connection, versions, origin="undo", author=by, kind=kind)
    moved = [(current.draft_id, other.draft_id) for current, other in changes if current.draft_id != other.draft_id]
    decided = {"decided_by": by, "decided_at": now()}
    for ids, before, after in (
        ([taken for taken, _ in moved], Status.PUBLISHED, Status.UNDONE),
        ([given for _, given in moved], Status.UNDONE, Status.PUBLISHED),
    ):
        these = among(connection, drafts.c.id, [one for one in ids if one is not None])
        is_there = sa.and_(these, drafts.c.state == before.value)
        connection.execute(sa.update(drafts).where(is_there).values(state=after.value, **decided))


@dataclass(frozen=True, slots=True)
class Undone(Counts):
    """How many live texts of a run gave way to what was there before, and how many were left.

    Left are those that a person wrote, whose words nothing overwrites (`by_person`), and those that something newer
    has taken the place of (`replaced`).
    """

    undone: int = 0
    by_person: int = 0
    replaced: int = 0


def published_by(connection: sa.Connection, run: int) -> "array[int]":
    """The products for which a text of the run went live and was not taken back; ascending, eight bytes each."""
    query = (
        sa.select(drafts.c.product_id)
        .where(drafts.c.run_id == run, drafts.c.state == Status.PUBLISHED.value, drafts.c.product_id.is_not(None))
        .distinct()
        .order_by(drafts.c.product_id)
    )
    return array("q", (row.product_id for row in stream(connection, query)))


def undo_some(connection: sa.Connection, run: int, product_ids: Collection[int], *, by: str, kind: str) -> Undone:
    """Bring back, byte for byte, what these products showed before the run's text went live; twice is as once.

    What a person has changed since is left.
    """
    lock(connection, products, among(connection, products.c.id, product_ids))
    mine = sa.and_(among(connection, live_texts.c.product_id, product_ids), live_texts.c.kind == kind)
    query = (
        sa.select(live_texts, drafts.c.run_id)
        .select_from(live_texts.outerjoin(drafts, drafts.c.id == live_texts.c.draft_id))
        .where(mine, live_texts.c.current.is_(True))
        .order_by(live_texts.c.product_id)
    )
    shown = connection.execute(query).all()
    by_person = [row for row in shown if row.by_person]
    ours = [row for row in shown if row.run_id == run and not row.by_person]
    places = {row.product_id: row.undo_to for row in ours if row.undo_to is not None}
    before = sa.select(live_texts).where(mine, _version_of(connection, places))
    earlier = {row.product_id: row for row in connection.execute(before)}
    _bring_back(connection, [(row, earlier.get(row.product_id, NO_TEXT)) for row in ours], by=by, kind=kind)
    return Undone(len(ours), len(by_person), len(shown) - len(ours) - len(by_person))


def _version_of(connection: sa.Connection, places: "dict[int, int]") -> sa.ColumnElement[bool]:
    """A live text that is, of its product, the version named."""
    versions: dict[int, list[int]] = {}
    for product_id, version in places.items():
        versions.setdefault(version, []).append(product_id)
    return sa.or_(
        sa.false(),
        *[
            sa.and_(live_texts.c.version == version, among(connection, live_texts.c.product_id, of))
            for version, of in versions.items()
        ],
    )


def current(connection: sa.Connection, shop_id: int, sku: str, kind: str = DESCRIPTION) -> str | None:
    """The product's live text of a kind, None when it has none."""
    return connection.scalar(
        sa.select(live_texts.c.text)
        .join(products)
        .where(
            products.c.shop_id == shop_id,
            products.c.sku == sku,
            live_texts.c.kind == kind,
            live_texts.c.current.is_(True),
        )
    )


@dataclass(frozen=True, slots=True)
class Version:
    """One text that a product showed, or shows; `origin` is imported, draft or undo.

    `draft` and `run` say what it was written as (None: not by us), `by_person` that a person wrote or edited it, and
    `undo_to` which version `undo` brings back (None for the one that the shop came with).
    """

    version: int
    is_current: bool
    text: str
    origin: str
    by_person: bool
    author: str
    created_at: datetime
    draft: int | None
    run: int | None
    undo_to: int | None


def history(connection: sa.Connection, shop_id: int, sku: str, kind: str = DESCRIPTION) -> list[Version]:
    """Every text of a kind that a product showed, oldest first; none for a kind that it has no text of.

    Raises:
        NotFound: the shop has no such product.
        InputError: the kind is none of copy.
    """
    check_kind(kind)
    product_id = _product(connection, shop_id, sku)
    query = (
        sa.select(live_texts, drafts.c.run_id)
        .select_from(live_texts.outerjoin(drafts, drafts.c.id == live_texts.c.draft_id))
        .where(live_texts.c.product_id == product_id, live_texts.c.kind == kind)
        .order_by(live_texts.c.version)
    )
    return [
        Version(
            row.version, row.current, row.text, row.origin, row.by_person, row.author, row.created_at,
            row.draft_id, row.run_id, row.undo_to,
        )
        for row in connection.execute(query)
    ]  # fmt: skip
