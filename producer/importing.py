"""From a catalog file into the ledger, in batches, with a report of every row that was wrong."""

import csv
import gc
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import chain, islice
from pathlib import Path
from typing import TextIO, TypeVar

from copydesk.errors import InputError
from copydesk.model import Product
from copydesk.store import Database, products
from copydesk.store.products import Imported
from producer import catalog
from producer.catalog import Level, Problem, TextUpdate
from producer.catalog.export import neutral

BATCH = 500
PRODUCTS_AT_ONCE = 4000
CHARACTERS_AT_ONCE = 4 << 20
"""What one transaction takes in: enough products to make its own cost small, and not so much text that memory grows."""

COLUMNS = ("line", "sku", "level", "code", "message")

One = TypeVar("One")


@dataclass(slots=True)
class Found:
    """What was wrong with a file. `report` is None when there was nothing to report."""

    problems: Counter[str] = field(default_factory=Counter)
    errors: int = 0
    warnings: int = 0
    report: Path | None = None


@dataclass(slots=True)
class Taken(Found):
    """What an import of products did."""

    imported: Imported = field(default_factory=Imported)


def take_in(database: Database, shop: str, file: Path, file_format: str, report: Path) -> Taken:
    """Import a file; a bad row is reported and never stops the others.

    Raises:
        InputError: the file as a whole cannot be used; nothing was stored.
    """
    items = begun(catalog.read(file, file_format))
    taken = Taken()
    with database.write() as connection:
        shop_id = products.add_shop(connection, shop)
    with Report(report, taken) as write, _uncollected():
        for batch in portions(items):
            _take_in_batch(database, shop_id, batch, taken, write)
            gc.collect(0)
    return taken


def begun(items: Iterator[One]) -> Iterator[One]:
    """The same items, the first of them read: an unusable file says so here, before the shop is made."""
    first = list(islice(items, 1))
    return chain(first, items)


def batches(items: Iterator[One]) -> Iterator[list[One]]:
    """Lists of BATCH items; the last may be shorter."""
    while batch := list(islice(items, BATCH)):
        yield batch


@contextmanager
def _uncollected() -> Iterator[None]:
    """Without the garbage collector looking at every batch several times: that took a seventh of the producer's time.

    The products are no cycles. SQLAlchemy's results are, 0.3 MB a batch: call `gc.collect(0)` after each.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def portions(items: Iterable[catalog.Item]) -> Iterator[list[catalog.Item]]:
    """What is taken in at once: at most PRODUCTS_AT_ONCE items, fewer where their texts are long."""
    batch: list[catalog.Item] = []
    characters = 0
    for item in items:
        batch.append(item)
        characters += len(getattr(item, "description", None) or "")
        if len(batch) >= PRODUCTS_AT_ONCE or characters >= CHARACTERS_AT_ONCE:
            yield batch
            batch, characters = [], 0
    if batch:
        yield batch


def _take_in_batch(database: Database, shop_id: int, batch: list[catalog.Item], taken: Taken, report: "Report") -> None:
    whole = [item for item in batch if isinstance(item, Product)]
    updates = {item.sku: item for item in batch if isinstance(item, TextUpdate)}
    for item in batch:
        if isinstance(item, Problem):
            report.add(item)
    with database.write() as connection:
        if whole:
            taken.imported += products.take_in(connection, shop_id, whole)
        if updates:
            texts = {sku: update.description or "" for sku, update in updates.items()}
            changed = products.take_in_texts(connection, shop_id, texts)
            taken.imported += replace(changed, unknown=())  # reported here, and not kept: it may be every row
            for sku in changed.unknown:
                report.add(_unknown(updates[sku]))


def _unknown(update: TextUpdate) -> Problem:
    message = "the shop has no such product, and the file holds no facts of it: import the full catalog first"
    return Problem(update.line, update.sku, Level.ERROR, "sku.unknown", message)


class Report:
    """The report file, made with the first problem."""

    def __init__(self, path: Path, found: Found) -> None:
        self.path = path
        self.found = found
        self.stream: TextIO | None = None

    def __enter__(self) -> "Report":
        return self

    def __exit__(self, *_: object) -> None:
        if self.stream is not None:
            self.stream.close()

    def add(self, problem: Problem) -> None:
        """Write it down and count it. Raises InputError when the file cannot be written."""
        if self.stream is None:
            try:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                self.stream = self.path.open("w", encoding="utf-8", newline="")
            except OSError as error:
                raise InputError(
                    f"the report {self.path} cannot be written ({error.strerror}): name another place with --report"
                ) from error
            csv.writer(self.stream).writerow(COLUMNS)
            self.found.report = self.path
        csv.writer(self.stream).writerow([neutral(str(getattr(problem, name))) for name in COLUMNS])
        self.found.problems[problem.code] += 1
        if problem.level is Level.ERROR:
            self.found.errors += 1
        else:
            self.found.warnings += 1
