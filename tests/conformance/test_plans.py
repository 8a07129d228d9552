"""What is asked again and again reads through an index, as the databases themselves say; on both of them.

The statements are explained as they ran, with their parameters, on a ledger of some 20,000 drafts.
"""

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import sqlalchemy as sa
from databases import MINE, Ledger, PostgreSQL, outcome, some, take_for_compared

from copydesk.jobs import retry
from copydesk.model import Reason, Status
from copydesk.store import Database, comparing, drafts, retention, runs, tables, texts
from copydesk.store.bulk import among

PRODUCTS, RUNS, CHUNK_SIZE = 5_000, 4, 4
BIG = {
    "drafts": "drafts", "newer": "drafts", "products": "products", "chunks": "chunks", "live_texts": "live_texts",
    "current": "live_texts",
}  # fmt: skip
"""Tables that grow with the catalog, and what else the statements call them."""

Action = Callable[[sa.Connection, "Big"], Any]


class Read(NamedTuple):
    """One table that a statement reads. `index` is "" for none, `condition` what is looked up in it, "" for all."""

    table: str
    index: str
    condition: str

    @property
    def is_whole(self) -> bool:
        """Is all of a big table read? A partial index holds only what is wanted."""
        return self.table in BIG and not self.condition and self.index not in FEW

    @property
    def is_of_chunk(self) -> bool:
        return any(word in self.condition for word in ("chunk", "id = ", "rowid")) or self.index in IN_HAND


IN_HAND = {"ix_drafts_lease", "ix_drafts_review_id", "ix_drafts_batch_request_id"}
"""Partial indexes that hold a few drafts, or (here) none."""

FEW = IN_HAND | {"ix_drafts_open_of_chunk", "ix_chunks_open", "ix_drafts_resampled"}
"""Those, what is open, and what was written again: such an index may be read from end to end."""


class Big:
    """A shop of many products: three runs ended long ago, in the fourth one chunk is in hand."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.ledger = Ledger(database)
        self.ledger.take_in(*some(PRODUCTS))
        for number in range(RUNS):
            self.run = self.ledger.plan(f"run {number}", everything=True, chunk_size=CHUNK_SIZE).run
            if number < RUNS - 1:
                self._end()
        self.ledger.bells(20)
        self.claimed = self.ledger.claim(self.run)
        self.ledger.claim(self.run, 1, token="crashed", lease_seconds=-1)
        self.ledger.return_expired()
        if not database.is_sqlite:
            with database.write() as connection:
                connection.exec_driver_sql("ANALYZE")

    def _end(self) -> None:
        own = sa.update(tables.drafts).where(tables.drafts.c.run_id == self.run)
        few = sa.case((tables.drafts.c.id % 1000 == 0, "approved"), (tables.drafts.c.id % 1000 == 1, "failed"))
        with self.database.write() as connection:
            connection.execute(own.values(outcome="ready", state=sa.func.coalesce(few, "ready")))
            take_for_compared(connection, self.run)
            runs.finalize(connection, self.run)
            runs.close_chunks(connection)
            connection.execute(
                sa.update(tables.runs)
                .where(tables.runs.c.id == self.run)
                .values(finished_at=tables.now(-40 * 86_400), started_at=tables.now(-41 * 86_400))
            )

    def reads(self, action: Action) -> dict[str, list[Read]]:
        """The statements of an action, which is taken back, and what each of them reads."""
        asked: list[tuple[str, Any]] = []

        def note(_connection: Any, _cursor: Any, text: str, values: Any, _context: Any, is_many: bool) -> None:
            asked.append((text, values[0] if is_many else values))

        with self.database._engine.connect().execution_options(writes=True) as connection:
            with connection.begin() as taken_back:
                sa.event.listen(connection, "before_cursor_execute", note)
                action(connection, self)
                sa.event.remove(connection, "before_cursor_execute", note)
                taken_back.rollback()
            explain = _explain_on_sqlite if self.database.is_sqlite else _explain_on_postgresql
            planned = [(text, values) for text, values in asked if text.startswith(("SELECT", "UPDATE", "DELETE"))]
            return {text: explain(connection, text, values) for text, values in planned if "advisory" not in text}


def _explain_on_sqlite(connection: sa.Connection, text: str, values: Any) -> list[Read]:
    """SQLite says "SEARCH drafts USING INDEX ix_name (run_id=? AND state=?)", or "SCAN drafts"."""
    reads = []
    for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}", values):
        words = row.detail.split()
        if words[0] in ("SEARCH", "SCAN"):
            condition = row.detail.partition("(")[2].removesuffix(")")
            index = words[words.index("INDEX") + 1] if "INDEX" in words else ""
            reads.append(Read(words[1], index, condition))
    return reads


def _explain_on_postgresql(connection: sa.Connection, text: str, values: Any) -> list[Read]:
    """Smaller tables than that of drafts are still read whole at this size: of these, whether it could be helped."""
    reads = _plan(connection, text, values)
    connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
    helped = _plan(connection, text, values)
    connection.exec_driver_sql("SET LOCAL enable_seqscan = on")
    return [read for read in reads if read.table == "drafts"] + [read for read in helped if read.table != "drafts"]


def _plan(connection: sa.Connection, text: str, values: Any) -> list[Read]:
    found = connection.exec_driver_sql(f"EXPLAIN (FORMAT JSON) {text}", values).scalar_one()
    return list(_nodes((json.loads(found) if isinstance(found, str) else found)[0]["Plan"]))


def _nodes(plan: dict[str, Any], table: str = "") -> Iterator[Read]:
    table = plan.get("Relation Name", table)
    kind = plan["Node Type"]
    if kind in ("Index Scan", "Index Only Scan", "Bitmap Index Scan"):
        yield Read(table, plan["Index Name"], plan.get("Index Cond", ""))
    elif kind == "Seq Scan":
        yield Read(table, "", "")
    for below in plan.get("Plans", ()):
        yield from _nodes(below, table)


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def big(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Big]:
    if request.param == "sqlite":
        migrated: Path = request.getfixturevalue("migrated_sqlite_file")
        database = Database(f"sqlite:///{shutil.copy(migrated, tmp_path_factory.mktemp('big') / 'ledger.db')}")
        yield Big(database)
        database.close()
        return
    server: PostgreSQL = request.getfixturevalue("postgresql")
    url = server.create()
    database = Database(url)
    yield Big(database)
    database.close()
    server.drop(url)


OF_A_CHUNK: dict[str, Action] = {
    "claim": lambda connection, big: drafts.claim(connection, big.run, 2, token="new", lease_seconds=60),
    "claim of one that crashed": lambda connection, big: drafts.claim(
        connection, big.run, 1, token="new", lease_seconds=60, alone=True
    ),
    "held": lambda connection, big: drafts.held(connection, big.run, 0, MINE),
    "renew": lambda connection, big: drafts.renew(connection, big.run, 0, MINE, 60),
    "settle": lambda connection, big: drafts.settle(connection, MINE, [outcome(one) for one in big.claimed]),
    "let_go": lambda connection, big: drafts.let_go(
        connection, big.run, 0, MINE, crashed=[big.claimed[0].id], pauses=retry.crash_pauses(3)
    ),
    "crashed_wait": lambda connection, big: drafts.crashed_wait(connection, big.run, 1),
    "wait_for_next": lambda connection, big: drafts.wait_for_next(connection, big.run, 1),
    "close_chunks of one": lambda connection, big: runs.close_chunks(connection, only=(big.run, 0)),
}


def _undo_what_is_published(connection: sa.Connection, big: Big) -> None:
    texts.publish(connection, big.ledger.shop_id, 1, by="ann", render=lambda text, _: text)
    query = sa.select(tables.products.c.sku).join(tables.drafts).where(tables.drafts.c.state == "published")
    sku = str(connection.scalar(query.where(tables.drafts.c.run_id == 1).limit(1)))
    texts.undo(connection, big.ledger.shop_id, sku, by="ann")


def _undo_what_a_run_published(connection: sa.Connection, big: Big) -> None:
    texts.publish(connection, big.ledger.shop_id, 1, by="ann", render=lambda text, _: text)
    product_ids = texts.published_by(connection, 1)
    assert texts.undo_some(connection, 1, product_ids, by="ann", kind="description").undone == len(product_ids) > 0


def _settle_near_duplicates(connection: sa.Connection, big: Big) -> None:
    taken = sa.update(tables.runs).where(tables.runs.c.id == big.run).values(comparing_until=tables.now(60))
    until = connection.execute(taken.returning(tables.runs.c.comparing_until)).scalar_one()
    ids = [one.id for one in big.claimed]
    own = sa.update(tables.drafts).where(among(connection, tables.drafts.c.id, ids))
    connection.execute(own.values(state="ready"))
    reasons = dict.fromkeys(ids, Reason("duplicate", "95 % the same"))
    settled = comparing.settle(connection, big.run, until, reasons, most=2)
    assert settled is not None
    assert settled.again == len(ids)


OF_A_RUN_OR_ALL: dict[str, Action] = {
    "finalize": lambda connection, big: runs.finalize(connection, big.run),
    "runs to be compared": lambda connection, big: comparing.due(connection),
    "who compares": lambda connection, big: comparing.begin(connection, big.run, 60),
    "near-duplicates written again": _settle_near_duplicates,
    "near-duplicates read once more": lambda connection, big: comparing.read(connection, [-1, *range(1, 20_000, 1000)]),
    "near-duplicates named": lambda connection, big: comparing.named(connection, [-1, *range(1, 20_000, 1000)]),
    "claim_bells": lambda connection, big: runs.claim_bells(connection, 6),
    "wait_again": lambda connection, big: runs.wait_again(connection, {(big.run, 3)}, rung_before_seconds=-1),
    "close_chunks": lambda connection, big: runs.close_chunks(connection),
    "return_expired": lambda connection, big: drafts.return_expired(connection, retry.crash_pauses(3)),
    "cancel_some": lambda connection, big: drafts.cancel_some(connection, big.run, "why"),
    "take_up_again": lambda connection, big: drafts.take_up_again(connection, 1, [Status.FAILED]),
    "over_budget": lambda connection, big: runs.over_budget(connection),
    "counts of a run": lambda connection, big: runs.find(connection, big.run),
    "detail of a run": lambda connection, big: runs.detail(connection, big.run),
    "drafts of a run in a state": lambda connection, big: drafts.listed(
        connection, run=big.run, state=Status.WRITING, limit=50
    ),
    "approve_all": lambda connection, big: drafts.approve_all(connection, 1, by="ann"),
    "publish of a run": lambda connection, big: texts.publish(
        connection, big.ledger.shop_id, 1, by="ann", render=lambda text, _: text
    ),
    "decide_some": lambda connection, big: drafts.decide_some(connection, range(1, 501), Status.APPROVED, by="ann"),
    "undo": _undo_what_is_published,
    "undo of a run": _undo_what_a_run_published,
}

OF_A_SHOP: dict[str, Action] = {
    "publish": lambda connection, big: texts.publish(
        connection, big.ledger.shop_id, None, by="ann", render=lambda text, _: text
    ),
    "retention": lambda connection, big: (
        retention.remove_some(connection, 30),
        retention.remove_empty(connection, 30),
    ),
    "drafts owed": lambda connection, big: drafts.open_ones(connection),
}


def reading_whole(reads: dict[str, list[Read]]) -> dict[str, list[Read]]:
    found = {text: [read for read in of if read.is_whole] for text, of in reads.items()}
    return {" ".join(text.split()): whole for text, whole in found.items() if whole}


@pytest.mark.parametrize("name", [*OF_A_CHUNK, *OF_A_RUN_OR_ALL, *OF_A_SHOP])
def test_no_table_that_grows_with_the_catalog_is_read_whole(big: Big, name: str) -> None:
    reads = big.reads({**OF_A_CHUNK, **OF_A_RUN_OR_ALL, **OF_A_SHOP}[name])

    assert any(of for of in reads.values()), "nothing was explained"
    assert reading_whole(reads) == {}


def test_what_was_written_again_is_counted_without_reading_the_rest_of_the_run(big: Big) -> None:
    reads = big.reads(lambda connection, big: runs.detail(connection, big.run))

    [counted] = [of for text, of in reads.items() if "resampled" in text]
    assert {read.index for read in counted} == {"ix_drafts_resampled"}


@pytest.mark.parametrize("name", OF_A_CHUNK)
def test_of_the_drafts_of_a_run_a_worker_reads_those_of_its_chunk(big: Big, name: str) -> None:
    """Else each chunk costs as much as its run is long, and a run as much as its square."""
    reads = big.reads(OF_A_CHUNK[name])

    wide = {
        text: [read for read in of if read.table == "drafts" and not read.is_of_chunk] for text, of in reads.items()
    }
    assert {" ".join(text.split()): of for text, of in wide.items() if of} == {}
