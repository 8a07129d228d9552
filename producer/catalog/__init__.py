"""Catalog files: read what comes in, write back in the dialect that came in.

    for item in read(Path("products.csv")):
        match item:
            case Product(): ...      # everything the file says of one product
            case TextUpdate(): ...   # the file has only key, title and description: leave the facts alone
            case Problem(): ...      # a row that was refused (error) or is odd (warning)

Problems come just before the product they speak of. Their codes are listed in producer/catalog/items.py.
"""

from producer.catalog.export import ExportReport, write
from producer.catalog.items import Item, Level, Problem, TextUpdate
from producer.catalog.reading import FORMATS, read
from producer.catalog.shopify import SEO_CELLS

__all__ = [
    "FORMATS",
    "SEO_CELLS",
    "ExportReport",
    "Item",
    "Level",
    "Problem",
    "TextUpdate",
    "read",
    "write",
]
