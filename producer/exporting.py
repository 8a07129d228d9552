"""The texts that Copydesk put in place go into a file that the shop takes back."""

from dataclasses import replace
from pathlib import Path

from copydesk.model import DESCRIPTION
from copydesk.settings import Settings
from copydesk.store import Database, products
from producer import catalog
from producer.catalog import ExportReport
from producer.catalog.labels import Labels
from producer.checking import check_kind


def write(
    database: Database,
    settings: Settings,
    shop: str,
    file: Path,
    file_format: str,
    *,
    kind: str = DESCRIPTION,
    label: str | None = None,
) -> ExportReport:
    """Write a shop's texts of one kind. SEO titles and descriptions go with the descriptions where that is safe.

    A column of a file holds something for every row, and Shopify erases what a blank cell stands for: so a column of
    SEO texts is written where each row has such a text of ours, or its last import said what the shop's own is.

    Raises:
        NotFound: there is no such shop.
        InputError: the kind is none of copy, or the format has no place for it or for the label.
    """
    check_kind(settings, kind)
    own = settings.shop(shop)
    labels = Labels(label or own.label, own.label_producer or shop)
    with database.read() as connection:
        shop_id = products.find_shop(connection, shop)
        standing = {}
        if kind == DESCRIPTION and file_format == "shopify":
            cells = catalog.SEO_CELLS
            standing = {seo: products.beside(connection, shop_id, seo, cell) for seo, cell in cells.items()}
        beside = [seo for seo, found in standing.items() if found.texts and not found.unknown]
        rows = products.written_texts(connection, shop_id, kind, beside)
        written = catalog.write(rows, file, file_format, labels, kind=kind, beside=beside)
    apart = {seo: found.alone + (found.texts if seo not in beside else 0) for seo, found in standing.items()}
    return replace(written, apart={seo: count for seo, count in apart.items() if count})
