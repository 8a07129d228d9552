"""Which drafts of products: the one filter that lists and decisions go by."""

from array import array
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from copydesk.model import Status
from copydesk.store.bulk import among, stream
from copydesk.store.tables import drafts, products, shops


@dataclass(frozen=True, slots=True)
class Which:
    """Drafts of products that meet every condition given; None and False are no condition.

    Attributes:
        state: one state, or several of which any will do.
        sku_like, category: globs, with `*` for anything and `?` for one character, in capitals or small letters.
        reason: a code among the draft's reasons, those that only warn included.
        no_warnings: nothing about the draft is only marked.
        limit: the oldest so many.
    """

    ids: Collection[int] | None = None
    shop: str | None = None
    run: int | None = None
    state: Status | tuple[Status, ...] | None = None
    kind: str | None = None
    language: str | None = None
    sku: str | None = None
    sku_like: str | None = None
    category: str | None = None
    reason: str | None = None
    no_warnings: bool = False
    limit: int | None = None


EVERY = Which()


def select(connection: sa.Connection, which: Which, *columns: Any) -> sa.Select[Any]:
    """These columns of the drafts, their products and shops, oldest draft first."""
    return (
        sa.select(*columns)
        .select_from(
            drafts.join(products, products.c.id == drafts.c.product_id).join(shops, shops.c.id == products.c.shop_id)
        )
        .where(*_plain(connection, which), *_of_product(which), *_of_reasons(connection, which))
        .order_by(drafts.c.id)
        .limit(which.limit)
    )


def ids(connection: sa.Connection, which: Which) -> "array[int]":
    """The drafts' ids, ascending; eight bytes each, so that a million may be decided on."""
    return array("q", (row.id for row in stream(connection, select(connection, which, drafts.c.id))))


def counted(connection: sa.Connection, which: Which) -> dict[tuple[str, Status], int]:
    """How many drafts, by kind and state."""
    found = select(connection, which, drafts.c.kind, drafts.c.state).subquery()
    query = sa.select(found.c.kind, found.c.state, sa.func.count()).group_by(found.c.kind, found.c.state)
    return {(str(kind), Status(state)): int(number) for kind, state, number in sorted(connection.execute(query))}


def _plain(connection: sa.Connection, which: Which) -> list[sa.ColumnElement[bool]]:
    states = which.state if isinstance(which.state, tuple | None) else (which.state,)
    conditions = {
        "ids": among(connection, drafts.c.id, list(which.ids or ())),
        "shop": shops.c.name == which.shop,
        "run": drafts.c.run_id == which.run,
        "state": drafts.c.state.in_([state.value for state in states or ()]),
        "kind": drafts.c.kind == which.kind,
        "language": drafts.c.language == which.language,
        "sku": products.c.sku == which.sku,
    }
    return [condition for name, condition in conditions.items() if getattr(which, name) is not None]


def _of_product(which: Which) -> list[sa.ColumnElement[bool]]:
    likened = [(products.c.sku, which.sku_like), (products.c.facts["category"].as_string(), which.category)]
    return [column.ilike(_like(glob), escape="\\") for column, glob in likened if glob is not None]


def _like(glob: str) -> str:
    """The pattern of SQL's LIKE that means the same."""
    for special in "\\%_":
        glob = glob.replace(special, f"\\{special}")
    return glob.replace("*", "%").replace("?", "_")


def _of_reasons(connection: sa.Connection, which: Which) -> list[sa.ColumnElement[bool]]:
    conditions = []
    if which.reason is not None:
        conditions.append(_has_reason(connection, "code", which.reason))
    if which.no_warnings:
        conditions.append(~_has_reason(connection, "warns", True))
    return conditions


def _has_reason(connection: sa.Connection, name: str, value: Any) -> sa.ColumnElement[bool]:
    if connection.dialect.name == "postgresql":
        return drafts.c.reasons.bool_op("@>")(sa.literal([{name: value}], drafts.c.reasons.type))
    each = sa.func.json_each(drafts.c.reasons).table_valued("value")
    return sa.exists(sa.select(each.c.value).where(sa.func.json_extract(each.c.value, f"$.{name}") == value))
