"""From a review file into the ledger: each review is triaged before it is stored, and what is stored is masked."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from copydesk import prompts
from copydesk.model import REPLY, Review, Triage
from copydesk.settings import Settings
from copydesk.store import Database, products
from copydesk.store import reviews as stored
from copydesk.store.reviews import Imported
from copydesk.triage import triage
from producer import reviews
from producer.catalog.records import shown
from producer.importing import Found, Report, batches, begun
from producer.reviews import Level, Problem
from producer.reviews.reading import numbered


@dataclass(slots=True)
class Taken(Found):
    """What an import of reviews did."""

    imported: Imported = field(default_factory=Imported)


def take_in(database: Database, settings: Settings, shop: str, file: Path, file_format: str, report: Path) -> Taken:
    """Import a file of reviews; a bad row is reported and never stops the others.

    Raises:
        InputError: the file as a whole cannot be used; nothing was stored.
    """
    items = begun(numbered(file, file_format))
    taken = Taken()
    with database.write() as connection:
        shop_id = products.add_shop(connection, shop)
    with Report(report, taken) as write:
        for batch in batches(items):
            _take_in_batch(database, settings, (shop, shop_id), batch, taken, write)
    return taken


def judged(settings: Settings, shop: str, batch: Iterable[Review]) -> list[tuple[Review, Triage]]:
    """Each review with what is known of it before any model is asked."""
    replies, languages = settings.shop(shop).replies, prompts.languages(REPLY)
    return [(review, triage(review, replies, languages=languages)) for review in batch]


def _take_in_batch(
    database: Database,
    settings: Settings,
    shop: tuple[str, int],
    batch: Sequence[tuple[int, reviews.Item]],
    taken: Taken,
    report: Report,
) -> None:
    name, shop_id = shop
    lines = [(line, item) for line, item in batch if isinstance(item, Review)]
    for _, item in batch:
        if isinstance(item, Problem):
            report.add(item)
    if not lines:
        return
    triaged = judged(settings, name, (review for _, review in lines))
    with database.write() as connection:
        imported = stored.take_in(connection, shop_id, triaged)
    taken.imported += imported
    for line, review in lines:
        if review.sku in imported.unknown:
            report.add(_unknown(line, review.sku))


def _unknown(line: int, sku: str) -> Problem:
    message = "the shop has no such product: the review is taken in, and a reply to it knows no facts"
    return Problem(line, shown(sku), Level.WARNING, "sku.unknown", message)
