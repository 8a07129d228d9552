"""What evaluations and experiments look at: the drafts of a run, or of each product of a shop the newest, streamed."""

from collections.abc import Collection, Generator, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from copydesk.errors import InputError, NotFound
from copydesk.model import BATCH, REPLY, SENTIMENT, Facts, Status, TextFormat, stored_as
from copydesk.store.bulk import among, stream
from copydesk.store.products import find_shop, read_by, to_translate
from copydesk.store.tables import drafts, live_texts, products, runs, shops

SETTLED = (Status.READY.value, Status.HELD.value, Status.FAILED.value)
"""Outcomes of what a model was asked for; a stale draft has a successor."""

SHOWABLE = (Status.READY.value, Status.APPROVED.value, Status.PUBLISHED.value)
"""States of a draft whose text a shop may show."""

NO_EVALUATION = {
    BATCH: "a batch file, which has no products: its answers are in the file that `copydesk batch IN OUT` writes",
    REPLY: "replies, which are judged by their reviews: `copydesk report RUN --html FILE` shows them",
    SENTIMENT: "sentiments, which have no text: `copydesk sentiment --evaluate FILE` measures them",
}


@dataclass(frozen=True, slots=True)
class Chosen:
    """Which drafts: all of a run's products, or (`run` is None) of each product of a shop the newest of a kind.

    `recipe` is the run's, empty for a shop.
    """

    shop: str
    shop_id: int
    kind: str
    run: int | None
    recipe: Mapping[str, Any]

    @property
    def name(self) -> str:
        return f"shop {self.shop}" if self.run is None else f"run {self.run}"


@dataclass(frozen=True, slots=True)
class Written:
    """One settled draft. `text` is the model's own, `edited` what a person made of it, None where nobody did.

    `codes` are those of the reasons against it, `facts` what may be said today; `is_outdated`: the product was edited
    since. Of a translation `live_text` is what the product shows, to be translated; of other copy it is "".
    """

    draft: int
    product: int
    sku: str
    language: str
    outcome: str
    state: Status
    text: str
    edited: str | None
    codes: tuple[str, ...]
    decided_by: str | None
    model: str
    prompt: str
    facts: Facts
    is_outdated: bool
    live_text: str


@dataclass(frozen=True, slots=True)
class Change:
    """A product whose new text may be tried against the one from before it; `before` is as the shop stores texts.

    `is_live`: `new` is as the shop stores it too, else it is plain text and `text_format` says what it has to become.
    """

    sku: str
    before: str
    new: str
    is_live: bool
    text_format: TextFormat


def of_run(connection: sa.Connection, run: int) -> Chosen:
    """The drafts of a run. Raises NotFound, and InputError where there is nothing to evaluate in such a run."""
    row = connection.execute(
        sa.select(runs.c.kind, runs.c.shop_id, runs.c.recipe, shops.c.name).join(shops).where(runs.c.id == run)
    ).one_or_none()
    if row is None:
        raise NotFound(f"there is no run {run}: `copydesk status` lists them")
    if row.kind in NO_EVALUATION:
        raise InputError(f"run {run} is of {NO_EVALUATION[row.kind]}")
    return Chosen(row.name, row.shop_id, row.kind, run, row.recipe)


def of_shop(connection: sa.Connection, shop: str, kind: str) -> Chosen:
    """Of each product of a shop the newest draft of a kind. Raises NotFound, and InputError as of_run."""
    if kind in NO_EVALUATION:
        raise InputError(f"the kind {kind} is of {NO_EVALUATION[kind]}")
    return Chosen(shop, find_shop(connection, shop), kind, None, {})


def written(connection: sa.Connection, chosen: Chosen) -> Generator[Written, None, None]:
    """Every settled draft that was chosen, streamed, one per product, in the order of the products."""
    of_draft = ("id", "product_id", "language", "outcome", "state", "text", "model_text", "reasons", "decided_by",
                "model", "prompt", "facts_hash")  # fmt: skip
    query = (
        sa.select(
            *[drafts.c[name] for name in of_draft], products.c.sku, products.c.facts,
            read_by(drafts.c.kind).label("today"),
            to_translate(drafts.c.kind).label("live_text"),
        )
        .join(products, products.c.id == drafts.c.product_id)
        .where(_chosen(chosen))
        .order_by(drafts.c.product_id)
    )  # fmt: skip
    with closing(stream(connection, query)) as rows:
        yield from map(_written, rows)


def pairs(connection: sa.Connection, one: Chosen, other: Chosen) -> Iterator[tuple[Written, Written]]:
    """The drafts of every product that both have one of, streamed, in the order of the products."""
    with closing(written(connection, one)) as ones, closing(written(connection, other)) as others:
        second = next(others, None)
        for first in ones:
            while second is not None and second.product < first.product:
                second = next(others, None)
            if second is not None and second.product == first.product:
                yield first, second


def texts(connection: sa.Connection, ids: Collection[int]) -> dict[int, str]:
    """The model's own words in some drafts, by their ids."""
    query = sa.select(drafts.c.id, sa.func.coalesce(drafts.c.model_text, drafts.c.text).label("text"))
    return {row.id: row.text for row in connection.execute(query.where(among(connection, drafts.c.id, ids)))}


def changes(connection: sa.Connection, chosen: Chosen) -> Generator[Change, None, None]:
    """Of every product the newest draft a shop may show, with the text from before it, by sku; streamed.

    A product that had no text before is not among them.
    """
    own = live_texts.alias("own")
    live = sa.and_(own.c.draft_id == drafts.c.id, own.c.current.is_(True))
    query = (
        sa.select(
            products.c.sku, products.c.text_format, drafts.c.text, own.c.text.label("live"),
            _before().label("before"),
        )
        .join(products, products.c.id == drafts.c.product_id)
        .outerjoin(own, live)
        .where(_chosen(chosen), drafts.c.state.in_(SHOWABLE))
        .order_by(products.c.sku)
    )  # fmt: skip
    with closing(stream(connection, query)) as rows:
        for row in rows:
            if row.before and row.before.strip():
                is_live = row.live is not None
                text_format = stored_as(chosen.kind, TextFormat(row.text_format))
                yield Change(row.sku, row.before, row.live if is_live else row.text, is_live, text_format)


def _chosen(chosen: Chosen) -> sa.ColumnElement[bool]:
    if chosen.run is not None:
        return sa.and_(drafts.c.run_id == chosen.run, drafts.c.product_id.is_not(None), drafts.c.outcome.in_(SETTLED))
    newer = drafts.alias("newer")
    newest = (
        sa.select(sa.func.max(newer.c.id))
        .where(newer.c.product_id == drafts.c.product_id, newer.c.kind == chosen.kind, newer.c.outcome.in_(SETTLED))
        .correlate(drafts)
        .scalar_subquery()
    )
    of_shop = drafts.c.product_id.in_(sa.select(products.c.id).where(products.c.shop_id == chosen.shop_id))
    return sa.and_(of_shop, drafts.c.kind == chosen.kind, drafts.c.id == newest)


def _before() -> sa.ScalarSelect[str]:
    """The product's live text of before the draft was published, or of now if it was not."""
    published = live_texts.alias("published")
    earlier = live_texts.alias("earlier")
    first = (
        sa.select(sa.func.min(published.c.version))
        .where(published.c.draft_id == drafts.c.id)
        .correlate(drafts)
        .scalar_subquery()
    )
    query = sa.select(earlier.c.text).where(
        earlier.c.product_id == drafts.c.product_id,
        earlier.c.kind == drafts.c.kind,
        sa.or_(first.is_(None), earlier.c.version < first),
    )
    return query.order_by(earlier.c.version.desc()).limit(1).correlate(drafts).scalar_subquery()


def _written(row: sa.Row[Any]) -> Written:
    is_edited = row.model_text is not None
    return Written(
        row.id, row.product_id, row.sku, row.language, row.outcome, Status(row.state),
        row.model_text if is_edited else row.text, row.text if is_edited else None,
        tuple(one["code"] for one in row.reasons if not one.get("warns")), row.decided_by,
        row.model or "", row.prompt or "", Facts.from_json(row.facts), row.facts_hash != row.today,
        row.live_text or "",
    )  # fmt: skip
